"""The default ranker: the usual weights, and small trees over the first candidates that add to them.

The trees were trained by `romaine train ranker` on questions with known evidence; its recipe says which.
What they add is taken apart along the path of each tree: what a decision raises or lowers the tree's mean by
is said of the feature that it looks at (Saabas, "Interpreting random forests", 2014), so scores stay sums of
named parts.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import ModelFormatError
from romaine.memory.candidates import Candidates
from romaine.memory.features import FEATURES, FIRST, features_of
from romaine.memory.query import Query
from romaine.memory.ranking import DEFAULT_RANKER, NO_TURN, Ranking, Signals, WeightedRanker

DEPTH = 3
"""Decisions on the way to a leaf; every tree has all of them."""

NODES, LEAVES = 2**DEPTH - 1, 2**DEPTH

_PARTS = tuple(dict.fromkeys(FEATURES.values()))
_PART_OF = np.array([_PARTS.index(part) for part in FEATURES.values()])
_BEST_TURNS = 10


@dataclass(frozen=True, eq=False)
class Trees:
    """Complete binary trees, `t` of them; node n has the children 2 n + 1 and 2 n + 2.

    Attributes:
        features: Which feature each decision looks at, intp (t, NODES).
        thresholds: What is above goes to the second child, float32 (t, NODES).
        values: Mean of what a tree adds at every node, leaves last, float64 (t, NODES + LEAVES).
    """

    features: NDArray[np.intp]
    thresholds: FloatArray
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        count = len(self.features)
        shapes = (self.features.shape, self.thresholds.shape, self.values.shape)
        if shapes != ((count, NODES), (count, NODES), (count, NODES + LEAVES)):
            raise ModelFormatError(f"trees have shapes {shapes}; needed are {DEPTH} decisions in each tree")
        known = (self.features >= 0) & (self.features < len(FEATURES))
        if not known.all() or not np.isfinite(self.values).all() or np.isnan(self.thresholds).any():
            raise ModelFormatError("trees hold numbers that are none, or features that there are not")
        object.__setattr__(self, "_by_leaf", self._taken_apart())

    def add(self, features: FloatArray) -> NDArray[np.float64]:
        """What the trees add to each part, float64 (n, parts).

        Args:
            features: Of `n` candidates, float32 (n, features).
        """
        columns = np.ascontiguousarray(features.T)
        above = columns[self.features] > self.thresholds[:, :, None]  # (t, NODES, n)
        trees = np.arange(len(self.features))[:, None]
        which = np.arange(features.shape[0])
        node = np.zeros((len(self.features), features.shape[0]), dtype=np.intp)
        for _ in range(DEPTH):
            node = 2 * node + 1 + above[trees, node, which]
        by_leaf: NDArray[np.float64] = self._by_leaf  # type: ignore[attr-defined]
        added: NDArray[np.float64] = by_leaf[trees, node - NODES].sum(axis=0)
        return added

    def _taken_apart(self) -> NDArray[np.float64]:
        """What each leaf adds to each part, float64 (t, LEAVES, parts)."""
        parts = np.zeros((len(self.features), NODES + LEAVES, len(_PARTS)))
        trees = np.arange(len(self.features))
        for node in range(1, NODES + LEAVES):
            parent = (node - 1) // 2
            parts[:, node] = parts[:, parent]
            gained = self.values[:, node] - self.values[:, parent]
            parts[trees, node, _PART_OF[self.features[:, parent]]] += gained
        return parts[:, NODES:]

    def to_bytes(self) -> bytes:
        """The trees as a file: numpy's npz, which has a checksum of every array."""
        stream = io.BytesIO()
        np.savez_compressed(
            stream,
            names=np.array(list(FEATURES)),
            features=self.features.astype(np.int8),
            thresholds=self.thresholds,
            values=self.values.astype(np.float32),
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Trees:
        """Reads what `to_bytes` made.

        Raises:
            ModelFormatError: If it is damaged, or of other features than there are.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as held:
                arrays: dict[str, NDArray[Any]] = {
                    name: held[name] for name in ("names", "features", "thresholds", "values")
                }
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ModelFormatError(
                f"a ranker's file is damaged ({error}): install the package again"
            ) from None
        if arrays["names"].tolist() != list(FEATURES):
            raise ModelFormatError("a ranker's file is for other features: train it with this release")
        return cls(
            features=arrays["features"].astype(np.intp),
            thresholds=arrays["thresholds"].astype(np.float32),
            values=arrays["values"].astype(np.float64),
        )


@dataclass(frozen=True)
class LearnedRanker:
    """The default ranker: ranks by weights, then lets trees correct the first `FIRST`.

    Attributes:
        usual: What ranks first.
        trees: What corrects; None for those of the package.
    """

    usual: WeightedRanker = DEFAULT_RANKER
    trees: Trees | None = None

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """Scores candidates; see `Ranker.rank`."""
        return self.refine(query, candidates, signals, self.usual.rank(query, candidates, signals))

    def refine(self, query: Query, candidates: Candidates, signals: Signals, usual: Ranking) -> Ranking:
        """Corrects the scores of the first candidates of the usual ranking.

        What is no turn of a chat has nobody beside it, which must not speak against it: it gains what the
        best turns gain on average.

        Args:
            query: What is looked for.
            candidates: `c` candidates.
            signals: What else is known of them.
            usual: Their ranking by `usual`.
        """
        first = usual.best(FIRST)
        turns = first[:0] if signals.positions is None else first[signals.positions[first] != NO_TURN]
        if len(turns) < 2:
            return usual
        trees = self.trees or _bundled()
        added = trees.add(features_of(query, candidates, signals, usual, turns))
        parts, scores = dict(usual.parts), usual.scores.copy()
        others = np.setdiff1d(first, turns)
        for number, name in enumerate(_PARTS):
            part = np.zeros(len(scores))
            part[turns] = added[:, number]
            part[others] = added[:_BEST_TURNS, number].mean()
            scores += part
            parts[name] = parts[name] + part if name in parts else part
        return Ranking(scores=scores, parts=parts)


@cache
def _bundled() -> Trees:
    return Trees.from_bytes(resources.files("romaine.memory").joinpath("ranker.npz").read_bytes())


LEARNED_RANKER = LearnedRanker()
"""What ranks where the caller gives nothing else."""
