"""A map of memories: their vectors laid flat by PCA, and clusters with the words that tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory import Memory
from romaine.memory.language import Analyzer

MOST = 1_500
"""Memories on a map: more would be a blot, and slow to draw."""

_CLUSTERS = 8  # colours that can be told apart
_FEW = 12  # memories of a cluster, on the average, from which it is worth one
_AXES = 12  # principal axes by which clusters are made; the rest is mostly noise
_ROUNDS = 30
_WORDS = 4
_LISTED = 40


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A memory on the map: where, in a box of 100 x 100, and in which cluster."""

    memory: Memory
    x: float
    y: float
    cluster: int


@dataclass(frozen=True, kw_only=True)
class MemoryCluster:
    """Memories near each other.

    Attributes:
        number: From 0, the largest first.
        words: What they say more often than the others.
        size: How many there are.
        nearest: Those in its middle, at most 40.
        x: Middle of it on the map.
        y: As x.
    """

    number: int
    words: Sequence[str]
    size: int
    nearest: Sequence[Memory]
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """Dots and clusters, and the share of the vectors' variance that the map shows, 0 to 1."""

    dots: Sequence[Dot]
    clusters: Sequence[MemoryCluster]
    shown: float


def memory_map(memories: Sequence[Memory], vectors: FloatArray, analyzer: Analyzer) -> MemoryMap | None:
    """Lays memories out, or returns None if there are too few for a map.

    Args:
        memories: `n` memories.
        vectors: Theirs, float32 (n, d).
        analyzer: What tells their words.
    """
    if len(memories) < 3:
        return None
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)  # principal axes, the strongest last
    flat = centred @ axes[:, ::-1][:, :_AXES]
    labels = _clustered(flat, min(_CLUSTERS, max(1, len(memories) // _FEW)))
    places = _fitted(flat[:, :2])
    total = float(variances.sum())
    return MemoryMap(
        dots=[
            Dot(memory=memory, x=float(x), y=float(y), cluster=int(cluster))
            for memory, (x, y), cluster in zip(memories, places, labels, strict=True)
        ],
        clusters=_described(memories, flat, places, labels, analyzer),
        shown=float(variances[-2:].sum()) / total if total > 0 else 1.0,
    )


def _fitted(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in a box of 100 x 100; the axes keep their proportion unless one is nearly empty."""
    low, high = np.percentile(flat, [1, 99], axis=0)
    spread = np.maximum(high - low, (high - low).max() / 2)
    spread = np.where(spread > 0, spread, 1.0)
    middle = (low + high) / 2
    placed: NDArray[np.float64] = np.clip(50 + 88 * (flat - middle) / spread, 2, 98)
    return placed


def _clustered(points: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Labels by k-means (Lloyd 1982) from the points farthest from each other, the largest cluster first."""
    chosen = [int(np.argmax(np.square(points).sum(axis=1)))]
    distances = np.square(points - points[chosen[0]]).sum(axis=1)
    while len(chosen) < count:
        chosen.append(int(np.argmax(distances)))
        distances = np.minimum(distances, np.square(points - points[chosen[-1]]).sum(axis=1))
    middles = points[chosen]
    labels = np.zeros(len(points), dtype=np.intp)
    for _ in range(_ROUNDS):
        away = (
            np.square(points).sum(axis=1)[:, None] - 2 * points @ middles.T + np.square(middles).sum(axis=1)
        )
        new = away.argmin(axis=1)
        if np.array_equal(new, labels):
            break
        labels = new
        middles = np.stack(
            [points[labels == n].mean(axis=0) if (labels == n).any() else middles[n] for n in range(count)]
        )
    sizes = np.bincount(labels, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    renamed: NDArray[np.intp] = np.argsort(order)[labels]
    return renamed


def _described(
    memories: Sequence[Memory],
    flat: NDArray[np.float64],
    places: NDArray[np.float64],
    labels: NDArray[np.intp],
    analyzer: Analyzer,
) -> list[MemoryCluster]:
    words = [_words(memory.text, analyzer) for memory in memories]
    everywhere = Counter(word for each in words for word in each)
    clusters: list[MemoryCluster] = []
    for number in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == number)
        away = np.square(flat[rows] - flat[rows].mean(axis=0)).sum(axis=1)
        nearest = rows[np.argsort(away)[:_LISTED]]
        x, y = places[rows].mean(axis=0)
        clusters.append(
            MemoryCluster(
                number=number,
                words=_telling([words[row] for row in rows], everywhere, len(memories)),
                size=len(rows),
                nearest=[memories[row] for row in nearest],
                x=float(x),
                y=float(y),
            )
        )
    return clusters


def _words(text: str, analyzer: Analyzer) -> frozenset[str]:
    head = analyzer.words(text[:2_000])
    return frozenset(
        word.token for word in head if not word.is_stop and (len(word.token) > 2 or not word.token.isascii())
    )


def _telling(words: Sequence[frozenset[str]], everywhere: Counter[str], count: int) -> list[str]:
    """The words that a cluster has most beyond its share: by occurrences times the log of how much more."""
    here = Counter(word for each in words for word in each)
    share = len(words) / count
    worth = {word: n * np.log(n / (everywhere[word] * share)) for word, n in here.items() if n > 1}
    best = sorted(worth, key=lambda word: (-worth[word], word))
    return [word for word in best if worth[word] > 0][:_WORDS]
