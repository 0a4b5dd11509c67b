"""What is measured on a trained table before it is written: Spearman on STS and the duplicate threshold."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from romaine.arrays import FloatArray, slice_dim
from romaine.errors import OptionError

SAME_SCORE = 5.0
"""STS score of two sentences that mean the same."""

OTHER_SCORE = 4.0
"""STS score below which they differ in something that matters."""


@dataclass(frozen=True, kw_only=True)
class ScoredPairs:
    """Pairs of texts with the similarity people gave them.

    Attributes:
        left: First texts.
        right: Second texts.
        scores: 0 (unrelated) to 5 (the same), float64 (n,).
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    scores: NDArray[np.float64]


def read_sts(path: str | Path) -> ScoredPairs:
    """Reads the columns sentence1, sentence2, score of a CSV file without a header.

    Raises:
        OptionError: If it cannot be read, a line has another form, or there are fewer than three.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            rows = [(row[0], row[1], float(row[2])) for row in csv.reader(file) if row]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise OptionError(f"{path} must hold sentence1,sentence2,score without a header: {error}") from error
    if len(rows) < 3:
        raise OptionError(f"{path} holds {len(rows)} pairs; a rank correlation needs at least three")
    left, right, scores = zip(*rows, strict=True)
    return ScoredPairs(left=left, right=right, scores=np.asarray(scores, dtype=np.float64))


def embed(table: FloatArray, tokenizer: Tokenizer, texts: Sequence[str]) -> FloatArray:
    """The mean row of each text's tokens, float32 (n, dim); zero where there is no token."""
    vectors = np.zeros((len(texts), table.shape[1]), dtype=np.float32)
    for vector, encoding in zip(
        vectors, tokenizer.encode_batch(list(texts), add_special_tokens=False), strict=True
    ):
        if encoding.ids:
            vector[:] = table[encoding.ids].mean(axis=0)
    return vectors


def cosines(table: FloatArray, tokenizer: Tokenizer, pairs: ScoredPairs, *, dim: int) -> NDArray[np.float64]:
    """Cosine of each pair at a dimension, float64 (n,)."""
    left, right = (slice_dim(embed(table, tokenizer, side), dim) for side in (pairs.left, pairs.right))
    return np.asarray(np.einsum("ij,ij->i", left, right), dtype=np.float64)


def spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's rank correlation; equal values share the mean of their ranks. NaN if either is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


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


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[places]
