"""Scopes too large for a worker's memory: what a server tells of them, and what a recall makes of it.

A recall asks for a pool of rows that may be the best, and ranks them as it ranks a whole scope, by an index
of nothing but these; figures that a score takes from all rows, such as how rare a word is, come with them.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, top_k
from romaine.memory.candidates import WINDOW, Entries, Spread, Whole, WordFigures, spread_of
from romaine.memory.codec import encode_time
from romaine.memory.options import RecallOptions
from romaine.memory.query import Query
from romaine.memory.ranking import DEFAULT_RANKER, standardised
from romaine.memory.records import Kind, Scope
from romaine.memory.scope_view import ATTRIBUTES, ScopeView
from romaine.memory.storage import Snapshot
from romaine.memory.stored import IndexRows
from romaine.memory.terms import QUESTION_MARK, Forms
from romaine.memory.token_cache import TokenCache
from romaine.memory.turn_order import NOWHERE
from romaine.memory.views import View

_SAMPLE = 4_096
_GROWTH = 0.02  # by which a scope has become another one than that of which the sample is
_NEAREST = 1_500
_WORDY = 2_000
_BESIDE = 400  # of which the turns before and after are candidates, too
_LOADED = 500
"""Rows whose vectors are compared in full: the best by slices and words of all that were found."""


@dataclass(frozen=True, kw_only=True)
class Sought:
    """What may be found. An engine may find what does not fit, but leaves out nothing that does.

    Attributes:
        kinds: What it is; None for all.
        speakers: Who said it; None for all.
        witnesses: Each of whom must know it.
        created_until: When it was made at the latest, microseconds since 1970.
        position_until: Its last position.
        holds_at: Position at which it holds.
        superseded: Whether what was replaced is sought, too.
    """

    kinds: Collection[Kind] | None = None
    speakers: Collection[str] | None = None
    witnesses: tuple[str, ...] = ()
    created_until: int | None = None
    position_until: int | None = None
    holds_at: int | None = None
    superseded: bool = True


class LargeIndex(ABC):
    """What the segments of one view hold, kept ready to be searched by the engine, of one snapshot.

    Attributes:
        rows: How many there are, about.
    """

    rows: int

    @abstractmethod
    def figures(self, words: Sequence[Forms]) -> WordFigures:
        """How many rows and terms there are, and how many rows hold each word."""

    @abstractmethod
    def nearest(self, vector: FloatArray, sought: Sought, count: int) -> list[int]:
        """Rows whose contexts are nearest to a vector (full_dim,) by their slices."""

    @abstractmethod
    def wordy(
        self, words: Sequence[Forms], figures: WordFigures, sought: Sought, count: int
    ) -> dict[int, float]:
        """Rows of the highest BM25, the best first, with it; the most frequent words may find none alone."""

    @abstractmethod
    def matching(
        self, words: Sequence[Forms], figures: WordFigures, row_ids: Sequence[int]
    ) -> dict[int, float]:
        """BM25 of some rows; those that hold no word are left out."""

    @abstractmethod
    def similar(self, vector: FloatArray, row_ids: Sequence[int]) -> dict[int, tuple[float, float]]:
        """Cosines of a vector's slice with those of rows, and with those of their contexts."""

    @abstractmethod
    def around(self, row_ids: Sequence[int], steps: int) -> list[list[int]]:
        """Turns that stand in a row as the view sees them: each of some, with `steps` before and after it."""

    @abstractmethod
    def load(self, row_ids: Sequence[int], dim: int) -> Iterable[IndexRows]:
        """Rows with their vectors (dim,); those that the view's character did not witness are left out."""

    @abstractmethod
    def outline(self, row_ids: Sequence[int], dim: int, terms: Sequence[int]) -> IndexRows:
        """Rows with zeros for vectors, and with terms only where they hold one of some."""

    @abstractmethod
    def latest(self, sought: Sought) -> tuple[int, int] | None:
        """The last place among what fits: its position and row."""

    @abstractmethod
    def sample(self, count: int) -> list[int]:
        """Rows from all over, about so many."""


class LargeScope:
    """What recalls of one scope share, until something of it changes.

    Args:
        scope: Whose.
        full_dim: Components of a vector.
    """

    def __init__(self, scope: Scope, *, full_dim: int) -> None:
        self.scope = scope
        self._full_dim = full_dim
        self._lock = threading.Lock()
        self._marks: frozenset[tuple[int, int]] | None = None
        self._sampled = 0
        self._superseders: dict[int, list[int]] = {}
        self._vectors: FloatArray = np.empty((0, full_dim), dtype=np.float32)
        self._contexts = self._vectors
        self._times: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._tokens = TokenCache()

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        return (
            self._vectors.nbytes
            + self._contexts.nbytes
            + self._times.nbytes
            + self._tokens.nbytes
            + 200 * len(self._superseders)
        )

    def refresh(self, snapshot: Snapshot, large: LargeIndex, view: View) -> bool:
        """Takes in what has changed, and a sample anew if that is much; returns whether anything has."""
        marks = snapshot.space_versions(self.scope, [segment.space for segment in view.segments])
        with self._lock:
            if marks == self._marks:
                return False
            self._superseders = view.superseders(snapshot)
            self._marks, self._tokens = marks, TokenCache()
            if abs(large.rows - self._sampled) <= _GROWTH * large.rows:
                return True
            batches = list(large.load(large.sample(_SAMPLE), self._full_dim))
            none = np.empty((0, self._full_dim), dtype=np.float32)
            self._vectors = np.concatenate([none, *(batch.vectors for batch in batches)])
            self._contexts = np.concatenate([none, *(batch.contexts for batch in batches)])
            created = [moment for batch in batches for moment in batch.created]
            self._times = np.sort(np.array(created, dtype=np.int64))
            self._sampled = large.rows
            return True

    def view(self, large: LargeIndex, view: View, query: Query, options: RecallOptions) -> ScopeView:
        """A view of nothing but what a recall may find best, which ranks it as one of everything would."""
        sought = sought_of(self.scope, options)
        latest = large.latest(replace(sought, kinds=None, speakers=None, superseded=True))
        if sought.holds_at is None and latest is not None and not options.include_superseded:
            sought = replace(sought, holds_at=latest[0])
        figures = large.figures(query.terms)
        spreads = spread_of(self._vectors @ query.vector), spread_of(self._contexts @ query.vector)
        words = large.wordy(query.terms, figures, sought, _WORDY)
        nearest = large.nearest(query.vector, sought, _NEAREST)
        wordy = list(words)[:_BESIDE]
        # of frequent words alone, what is nearest is often best by words, too, and not among the wordy
        words |= large.matching(query.terms, figures, [no for no in nearest if no not in words])
        found = _best(large.similar(query.vector, sorted({*words, *nearest})), words, spreads, _LOADED)
        lines = large.around(sorted({*found, *wordy}), len(WINDOW))
        previous = {after: before for line in lines for before, after in pairwise(line)}
        following = {before: after for after, before in previous.items()}
        for beside in (previous, following):
            found.update(beside[row_id] for row_id in wordy if row_id in beside)
        others = {row_id for line in lines for row_id in line}
        others.update(new for old in found for new in self._superseders.get(old, ()))
        if latest is not None:
            others.add(latest[1])
        pooled = PooledView(self.scope, view, self._full_dim, self._times)
        pooled.tokens = self._tokens
        pooled.superseders = {old: new for old, new in self._superseders.items() if old in found}
        for batch in large.load(sorted(found), self._full_dim):
            pooled.take(batch, previous)
        pooled.take(
            large.outline(
                sorted(others - found), self._full_dim, [QUESTION_MARK, *(t for w in query.terms for t in w)]
            ),
            previous,
        )
        at = pooled.index.rows_of(np.array(sorted(found), dtype=np.int64))
        may_be_found = np.zeros(len(pooled.index.ids), dtype=np.bool_)
        may_be_found[at] = True
        pooled.index.whole = Whole(
            may_be_found=may_be_found,
            words=figures,
            dense_spread=spreads[0],
            context_spread=spreads[1],
        )
        return pooled


def _best(
    cosines: Mapping[int, tuple[float, float]],
    words: Mapping[int, float],
    spreads: tuple[Spread, Spread],
    count: int,
) -> set[int]:
    """The rows that the default ranker would put first if slices were all there is to vectors."""
    weights = DEFAULT_RANKER.weights
    row_ids = np.fromiter(cosines, np.int64, len(cosines))
    dense, context = np.array(list(cosines.values()), dtype=np.float32).reshape(-1, 2).T
    scores = weights.dense * standardised(dense, spreads[0])
    scores += weights.context * standardised(context, spreads[1])
    scores += weights.lexical * np.array([words.get(row_id, 0.0) for row_id in cosines])
    return set(row_ids[top_k(scores, count)].tolist())


def sought_of(scope: Scope, options: RecallOptions) -> Sought:
    """What a recall of a scope may find, but for where its story is now."""
    as_of = options.as_of
    return Sought(
        kinds=options.kinds,  # type: ignore[arg-type]  # checked when the options were made
        speakers=options.speakers,
        witnesses=tuple(name for name in (scope.character, options.as_character) if name is not None),
        created_until=encode_time(as_of) if isinstance(as_of, datetime) else None,
        position_until=as_of if isinstance(as_of, int) else None,
        holds_at=as_of if isinstance(as_of, int) and not options.include_superseded else None,
        superseded=options.include_superseded or as_of is not None,
    )


class PooledView(ScopeView):
    """A few rows of a large scope, for one recall."""

    def __init__(self, scope: Scope, view: View, full_dim: int, times: NDArray[np.int64]) -> None:
        super().__init__(scope, full_dim=full_dim, dim=full_dim)
        self._reset(view)
        self.times = times

    def take(self, batch: IndexRows, previous: Mapping[int, int]) -> None:
        """Adds rows, with what is known of the turns before them."""
        self._note_damage(batch)
        attributes = np.empty(len(batch.row_ids), dtype=ATTRIBUTES)
        self._describe(attributes, batch)
        before = [previous.get(row_id, NOWHERE) for row_id in batch.row_ids]
        self._take(
            Entries(
                ids=np.array(batch.row_ids, dtype=np.int64),
                vectors=batch.vectors,
                context_vectors=batch.contexts,
                terms=list(batch.terms),
                previous=np.array(before, dtype=np.int64),
                attributes=attributes,
            )
        )

    def recency(self, rows: NDArray[np.intp], known: NDArray[np.bool_] | None = None) -> FloatArray:  # noqa: ARG002
        """As `ScopeView.recency`, by a sample of all there is."""
        return super().recency(rows)
