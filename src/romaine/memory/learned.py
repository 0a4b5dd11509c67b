"""The default ranker: the usual weights, and small trees over the first candidates that add to them.

The trees were trained by `romaine train ranker` on questions with known evidence; its recipe says which.
What they add is taken apart along the path of each tree: what a decision raises or lowers the tree's mean by
is said of the feature that it looks at (Saabas, "Interpreting random forests", 2014), so scores stay sums of
named parts.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import ModelFormatError
from romaine.memory.candidates import Candidates
from romaine.memory.features import FEATURES, FIRST, LATE_FEATURES, features_of
from romaine.memory.query import Query
from romaine.memory.ranking import DEFAULT_RANKER, NO_TURN, Ranking, Signals, WeightedRanker

DEPTH = 3
"""Decisions on the way to a leaf; every tree has all of them."""

NODES, LEAVES = 2**DEPTH - 1, 2**DEPTH

PARTS = tuple(dict.fromkeys(LATE_FEATURES.values()))
"""The parts that trees add to."""

_PART_OF = np.array([PARTS.index(part) for part in LATE_FEATURES.values()])
_BEST_TURNS = 10

FEWEST = 20
"""Turns from which trees correct: they were grown on long chats, where features stand out from a crowd."""


@dataclass(frozen=True, eq=False)
class Trees:
    """Complete binary trees, `t` of them; node n has the children 2 n + 1 and 2 n + 2.

    Attributes:
        features: Which feature each decision looks at, intp (t, NODES).
        thresholds: What is above goes to the second child, float32 (t, NODES).
        values: Mean of what a tree adds at every node, leaves last, float64 (t, NODES + LEAVES).
        late: Whether the features are `LATE_FEATURES`, so that there must be late interaction.
    """

    features: NDArray[np.intp]
    thresholds: FloatArray
    values: NDArray[np.float64]
    late: bool = False

    def __post_init__(self) -> None:
        count = len(self.features)
        shapes = (self.features.shape, self.thresholds.shape, self.values.shape)
        if shapes != ((count, NODES), (count, NODES), (count, NODES + LEAVES)):
            raise ModelFormatError(f"trees have shapes {shapes}; needed are {DEPTH} decisions in each tree")
        known = (self.features >= 0) & (self.features < len(self.names))
        if not known.all() or not np.isfinite(self.values).all() or np.isnan(self.thresholds).any():
            raise ModelFormatError("trees hold numbers that are none, or features that there are not")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(LATE_FEATURES if self.late else FEATURES)

    def leaves(self, features: FloatArray) -> NDArray[np.intp]:
        """The leaf that each candidate comes to in each tree, counted through all trees, intp (t, n).

        Args:
            features: Of `n` candidates, float32 (n, features).
        """
        of, limits, same = self._decisions
        above = (features.T[of] > limits).take(same, axis=0)
        root, left, right, *low = above  # (t, n) each
        second = _either(root, right, left)
        third = _either(root, _either(second, low[3], low[2]), _either(second, low[1], low[0]))
        leaf = root * np.uint8(4) + second * np.uint8(2) + third
        return np.asarray(leaf + LEAVES * np.arange(len(self.features))[:, None])

    def added(self, leaves: NDArray[np.intp]) -> NDArray[np.float64]:
        """What the trees add to the scores of candidates that come to `leaves` (t, n), float64 (n,)."""
        total: NDArray[np.float64] = self._totals[leaves].sum(axis=0)
        return total

    def parts(self, leaves: NDArray[np.intp]) -> NDArray[np.float64]:
        """What they add to each part, float64 (n, parts), in the order of `PARTS`."""
        parts: NDArray[np.float64] = self._by_leaf.take(leaves, axis=0).sum(axis=0)
        return parts

    @cached_property
    def _decisions(self) -> tuple[NDArray[np.intp], FloatArray, NDArray[np.intp]]:
        """Features (d,) and limits (d, 1) of all decisions that differ, and which is made where (NODES, t).

        Many are the same one, so each is made once and looked up.
        """
        asked = np.stack([self.features.T.ravel(), self.thresholds.T.ravel()])
        (of, limits), same = np.unique(asked, axis=1, return_inverse=True)
        return of.astype(np.intp), limits.astype(np.float32)[:, None], same.reshape(NODES, -1)

    @cached_property
    def _totals(self) -> NDArray[np.float64]:
        """What each leaf adds, float64 (t * LEAVES,)."""
        totals: NDArray[np.float64] = self._by_leaf.sum(axis=1)
        return totals

    @cached_property
    def _by_leaf(self) -> NDArray[np.float64]:
        """What each leaf adds to each part, float64 (t * LEAVES, parts)."""
        parts = np.zeros((len(self.features), NODES + LEAVES, len(PARTS)))
        trees = np.arange(len(self.features))
        for node in range(1, NODES + LEAVES):
            parent = (node - 1) // 2
            parts[:, node] = parts[:, parent]
            gained = self.values[:, node] - self.values[:, parent]
            parts[trees, node, _PART_OF[self.features[:, parent]]] += gained
        return parts[:, NODES:].reshape(-1, len(PARTS))

    def to_bytes(self) -> bytes:
        """The trees as a file: numpy's npz, which has a checksum of every array."""
        stream = io.BytesIO()
        np.savez_compressed(
            stream,
            names=np.array(self.names),
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
        except (
            ValueError,
            KeyError,
            OSError,
            EOFError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise ModelFormatError(
                f"a ranker's file is damaged ({error}): install the package again"
            ) from None
        late = arrays["names"].tolist() == list(LATE_FEATURES)
        if not late and arrays["names"].tolist() != list(FEATURES):
            raise ModelFormatError("a ranker's file is for other features: train it with this release")
        return cls(
            features=arrays["features"].astype(np.intp),
            thresholds=arrays["thresholds"].astype(np.float32),
            values=arrays["values"].astype(np.float64),
            late=late,
        )


@dataclass(frozen=True)
class LearnedRanker:
    """The default ranker: ranks by weights, then lets trees correct the first `FIRST`.

    Attributes:
        usual: What ranks first.
        trees: What corrects; None for those of the package. Trees that were grown with late interaction do
            nothing to a ranking without.
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
        is_turn = np.zeros(len(first), dtype=np.bool_)
        if signals.positions is not None:
            is_turn = signals.positions[first] != NO_TURN
        turns, others = first[is_turn], first[~is_turn]
        trees = self.trees or _bundled()
        if len(turns) < FEWEST or (trees.late and signals.late_own is None):
            return usual
        leaves = trees.leaves(features_of(query, candidates, signals, usual, turns))
        added, scores = trees.added(leaves), usual.scores.copy()
        scores[turns] += added
        scores[others] += added[:_BEST_TURNS].mean()
        return Ranking(scores=scores, parts=_Corrected(usual.parts, trees, leaves, turns, others))


def _either(which: NDArray[np.bool_], yes: NDArray[np.bool_], no: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`np.where` of truths, in a fraction of its time."""
    return no ^ (which & (yes ^ no))


class _Corrected(Mapping[str, NDArray[np.float64]]):
    """The parts of scores that trees have corrected, taken apart only for what is looked at.

    Args:
        usual: The parts without trees, (c,) each.
        trees: What corrects.
        leaves: Where each of `turns` comes to, (t, n).
        turns: Indices of what is corrected, the best first, (n,).
        others: Indices of what gains as the best turns do.
    """

    def __init__(
        self,
        usual: Mapping[str, NDArray[np.float64]],
        trees: Trees,
        leaves: NDArray[np.intp],
        turns: NDArray[np.intp],
        others: NDArray[np.intp],
    ) -> None:
        self._usual, self._trees, self._leaves = usual, trees, leaves
        self._turns, self._others = turns, others
        self._names = tuple(dict.fromkeys((*usual, *PARTS)))
        self._whole: dict[str, NDArray[np.float64]] | None = None

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if self._whole is None:
            self._whole = self.of(np.arange(len(self._usual["dense"])))
        return self._whole[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def of(self, indices: NDArray[np.intp]) -> dict[str, NDArray[np.float64]]:
        """The parts of some candidates' scores, (n,) each."""
        added = np.zeros((len(indices), len(PARTS)))
        is_turn = self._turns == indices[:, None]
        corrected = is_turn.any(axis=1)
        added[corrected] = self._trees.parts(self._leaves[:, is_turn[corrected].argmax(axis=1)])
        if len(self._others):
            best = self._trees.parts(self._leaves[:, :_BEST_TURNS])
            added[np.isin(indices, self._others)] = best.mean(axis=0)
        parts = {name: part[indices] for name, part in self._usual.items()}
        for name, gained in zip(PARTS, added.T, strict=True):
            parts[name] = parts[name] + gained if name in parts else gained
        return parts


@cache
def _bundled() -> Trees:
    return Trees.from_bytes(resources.files("romaine.memory").joinpath("ranker.npz").read_bytes())


LEARNED_RANKER = LearnedRanker()
"""What ranks where the caller gives nothing else."""
