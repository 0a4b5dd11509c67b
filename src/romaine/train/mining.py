"""Hard negatives, and texts grouped with their neighbours, by the first teacher's vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray

_BLOCK = 1024
_NEAREST = 50  # candidates a pair's negatives are drawn from
_SAMPLE = 20_000  # texts that cluster centres are fitted to
_ROUNDS = 4
_PER_CLUSTER = 80


def hard_negatives(
    queries: FloatArray, documents: FloatArray, positive: NDArray[np.int64], *, margin: float
) -> NDArray[np.int64]:
    """For each query the documents that seem to answer it and do not.

    Those nearest to the query whose cosine stays below that of its positive less `margin`: what is nearer may
    well be an answer (NV-Retriever, Moreira et al. 2024).

    Args:
        queries: Unit vectors (n, dim).
        documents: Unit vectors (m, dim).
        positive: Index of each query's document, (n,).
        margin: In cosines; minus infinity lets every other document be one.

    Returns:
        int64 (n, 50 at most), nearest first; -1 where there are no more.
    """
    count = min(_NEAREST, len(documents))
    found = np.full((len(queries), count), -1, dtype=np.int64)
    for start in range(0, len(queries), _BLOCK):
        rows = slice(start, start + _BLOCK)
        cosines = queries[rows] @ documents.T
        own = cosines[np.arange(len(cosines)), positive[rows]]
        cosines[cosines >= own[:, None] - margin] = -np.inf
        cosines[np.arange(len(cosines)), positive[rows]] = -np.inf
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(cosines, nearest, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        sorted_ = np.take_along_axis(nearest, order, axis=1)
        found[rows] = np.where(np.isfinite(np.take_along_axis(values, order, axis=1)), sorted_, -1)
    return found


def clusters(vectors: FloatArray, *, seed: int) -> list[NDArray[np.int64]]:
    """Groups texts of like meaning: spherical k-means on a sample, then every text to its nearest centre.

    Args:
        vectors: Unit vectors (n, dim).
        seed: Of the sample and the first centres.

    Returns:
        Indices of each group's texts, at least two each; about eighty on average.
    """
    dice = np.random.default_rng(seed)
    sample = np.asarray(vectors[np.sort(dice.permutation(len(vectors))[:_SAMPLE])])
    count = max(1, min(len(sample) // 4, len(vectors) // _PER_CLUSTER))
    centres = sample[dice.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        owner = _nearest(sample, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, owner, sample)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centres)
    owner = _nearest(vectors, centres)
    order = np.argsort(owner, kind="stable")
    groups = np.split(order, np.searchsorted(owner[order], np.arange(1, count)))
    return [group for group in groups if len(group) > 1]


def _nearest(vectors: FloatArray, centres: FloatArray) -> NDArray[np.int64]:
    blocks = [
        (np.asarray(vectors[start : start + _BLOCK]) @ centres.T).argmax(axis=1)
        for start in range(0, len(vectors), _BLOCK)
    ]
    return np.concatenate(blocks)
