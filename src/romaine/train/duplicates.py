"""The duplicate threshold: from which cosine two texts say the same, measured on scored pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAME_SCORE = 5.0
"""STS score of two sentences that mean the same."""

OTHER_SCORE = 4.0
"""STS score below which they differ in something that matters."""


def duplicate_threshold(
    found: NDArray[np.float64], scores: NDArray[np.float64], *, precision: float = 0.97
) -> float:
    """The lowest cosine from which a pair means the same with the wanted precision.

    Pairs scored 5 are the same, pairs below 4 are not; what lies between counts as neither.

    Args:
        found: Cosines (n,).
        scores: What people gave (n,).
        precision: Same pairs among the same and different ones from the threshold up.

    Returns:
        Rounded up to two decimals; 0.99 where no threshold reaches the precision.
    """
    judged = (scores >= SAME_SCORE) | (scores < OTHER_SCORE)
    order = np.argsort(-found[judged], kind="stable")
    same = (scores[judged] >= SAME_SCORE)[order]
    share = np.cumsum(same) / np.arange(1, len(same) + 1)
    good = np.flatnonzero(share >= precision)
    if not len(good):
        return 0.99
    return min(float(np.ceil(found[judged][order][good[-1]] * 100) / 100), 0.99)
