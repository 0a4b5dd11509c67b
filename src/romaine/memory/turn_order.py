"""Which turn stands before another, as one scope sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOWHERE = -1
"""Stands for no position and for no memory."""


def lines_of(
    positions: NDArray[np.int64], ids: NDArray[np.int64], in_chat: NDArray[np.bool_]
) -> list[NDArray[np.intp]]:
    """Returns the turns of a chat, and those outside any, in the order in which they were said.

    Args:
        positions: Where in the story, (n,).
        ids: Which comes first of two at one position, (n,).
        in_chat: Of which of the two lines each is, (n,).

    Returns:
        Places in these, intp; a line without turns is left out.
    """
    order = np.lexsort((ids, positions, in_chat))
    outside = int(len(order) - np.count_nonzero(in_chat))
    return [line for line in (order[:outside], order[outside:]) if len(line)]
