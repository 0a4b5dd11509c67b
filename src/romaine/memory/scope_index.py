"""What recall needs of the memories one scope sees, in memory: vectors, terms, neighbours, attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import VectorError
from romaine.memory.columns import Column
from romaine.memory.index import EXACT_ROWS, VectorIndex
from romaine.memory.lexical import LexicalIndex
from romaine.memory.query import Query
from romaine.memory.terms import QUESTION_MARK, TermIds

LEXICAL_POOL = 300
"""Rows that come into question for the words they share with the query."""

WINDOW = (1.0, 2 / 3, 1 / 3)
"""How much the words of the turns 1, 2 and 3 before or after count for a turn."""

_SAMPLE = 512  # rows whose cosines say how cosines spread in a large scope
_PRIOR_ROWS, _PRIOR_SPREAD = 8, 0.1  # keeps the spread of a handful of rows from being nothing
_COMPACT_SHARE = 0.25  # removed rows, as a share of all, that are worth getting rid of
_NONE = -1


@dataclass(frozen=True, kw_only=True)
class Entries:
    """Memories as columns of `n` rows, in the order they were stored.

    Attributes:
        ids: The store's number of each, unique, int64 (n,).
        vectors: Embeddings, unit or zero, float32 (n, full_dim).
        context_vectors: Embeddings of the previous turn and this one, float32 (n, full_dim); the plain
            embedding where there is no previous turn.
        terms: `term_ids` of each memory's document text.
        previous: Id of the turn before in the same chat, -1 where there is none, int64 (n,). No turn is the
            previous one of two.
        attributes: What masks are made of: a structured array (n,) of any dtype, kept aligned with the rows.
    """

    ids: NDArray[np.int64]
    vectors: FloatArray
    context_vectors: FloatArray
    terms: Sequence[TermIds]
    previous: NDArray[np.int64]
    attributes: NDArray[Any]

    def __post_init__(self) -> None:
        lengths = {name: len(value) for name, value in vars(self).items()}
        if len(set(lengths.values())) > 1:
            raise VectorError(f"columns of one length are needed, got {lengths}")

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How the cosines of one query spread over a scope."""

    mean: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What may be recalled, `c` rows in order of insertion, with what speaks for each.

    Attributes:
        rows: Row in the index, intp (c,).
        ids: The store's number, int64 (c,).
        dense: Cosine of query and memory, float32 (c,).
        context: Cosine of query and the memory with its previous turn, float32 (c,).
        lexical: BM25 in nats, float32 (c,).
        window: BM25 of the three turns before and after, weighted by `WINDOW`, float32 (c,).
        asks: Whether the turn asks something, bool (c,).
        answers: Whether the turn before asks something, bool (c,).
        dense_spread: Of `dense` over all visible rows.
        context_spread: Of `context` over all visible rows.
        best_possible: Sum of the idf of the query's terms: the scale of `lexical`.
        known_share: Share of that which belongs to terms the scope knows, 0 to 1.
        unknown_name: Whether the query holds a name that occurs nowhere in the scope.
    """

    rows: NDArray[np.intp]
    ids: NDArray[np.int64]
    dense: FloatArray
    context: FloatArray
    lexical: FloatArray
    window: FloatArray
    asks: NDArray[np.bool_]
    answers: NDArray[np.bool_]
    dense_spread: Spread
    context_spread: Spread
    best_possible: float
    known_share: float
    unknown_name: bool

    def __len__(self) -> int:
        return len(self.rows)


class ScopeIndex:
    """The memories that one scope sees. Rows keep the order of insertion.

    Not safe for changing and searching at once; many threads may search.

    Args:
        full_dim: Components of a vector.
        dim: Components of the funnel's first stage, 1 to full_dim.
        attributes_dtype: Type of a row of `Entries.attributes`.

    Raises:
        DimensionError: If `dim` is not possible.
    """

    def __init__(self, *, full_dim: int, dim: int, attributes_dtype: np.dtype[Any]) -> None:
        self._vectors = VectorIndex(full_dim=full_dim, dim=dim)
        self._context = VectorIndex(full_dim=full_dim, dim=dim)
        self._lexical = LexicalIndex()
        self._ids = Column(np.int64)
        self._attributes = Column(attributes_dtype)
        self._alive = Column(np.bool_)
        self._previous = Column(np.int32)  # row of the turn before, or -1
        self._next = Column(np.int32)
        self._row_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Id of each row, (rows,); a view until the next change."""
        values: NDArray[np.int64] = self._ids.values
        return values

    @property
    def attributes(self) -> NDArray[Any]:
        """Attributes of each row, (rows,); a view until the next change, and may be written to."""
        return self._attributes.values

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Whether each row still stands for a memory, (rows,); rows that do not are never found."""
        values: NDArray[np.bool_] = self._alive.values
        return values

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        columns = (self._ids, self._attributes, self._alive, self._previous, self._next)
        held = sum(column.nbytes for column in columns) + 100 * len(self._row_of)
        return held + self._vectors.nbytes + self._context.nbytes + self._lexical.nbytes

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Row of each id, intp (n,); ids that are not here are left out."""
        found = (self._row_of.get(i) for i in ids.tolist())
        return np.fromiter((row for row in found if row is not None), dtype=np.intp)

    # --- changing ------------------------------------------------------------------------------------------

    def add(self, entries: Entries) -> None:
        """Adds memories at the end; their ids must be new."""
        if len(entries) == 0:
            return
        start = len(self._ids)
        self._vectors.add(entries.vectors)
        self._context.add(entries.context_vectors)
        self._lexical.add(entries.terms)
        self._ids.append(entries.ids)
        self._attributes.append(entries.attributes)
        self._alive.append(np.ones(len(entries), dtype=np.bool_))
        for column in (self._previous, self._next):
            column.append(np.full(len(entries), _NONE, dtype=np.int32))
        self._row_of.update(zip(entries.ids.tolist(), range(start, start + len(entries)), strict=True))
        self._link(np.arange(start, start + len(entries)), entries.previous)

    def reserve(self, rows: int) -> None:
        """Makes room for `rows` more, so that loading a large scope in pieces copies nothing twice."""
        self._vectors.reserve(rows)
        self._context.reserve(rows)

    def update(self, entries: Entries) -> None:
        """Replaces all of memories that are here, in place; others are ignored."""
        known = np.fromiter((i in self._row_of for i in entries.ids.tolist()), np.bool_, len(entries))
        rows = self.rows_of(entries.ids)
        if not len(rows):
            return
        self._vectors.replace(rows, entries.vectors[known])
        self._context.replace(rows, entries.context_vectors[known])
        for row, index in zip(rows.tolist(), np.flatnonzero(known).tolist(), strict=True):
            self._lexical.replace(row, entries.terms[index])
        self._attributes.values[rows] = entries.attributes[known]
        self._unlink(rows, forwards=False)
        self._link(rows, entries.previous[known])

    def relink(self, ids: NDArray[np.int64], previous: NDArray[np.int64]) -> None:
        """Gives memories that are here other turns before them, (n,) each; others are ignored."""
        known = np.fromiter((i in self._row_of for i in ids.tolist()), np.bool_, len(ids))
        rows = self.rows_of(ids)
        if len(rows):
            self._unlink(rows, forwards=False)
            self._link(rows, previous[known])

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Takes memories out; ids that are not here are ignored. What followed one has no previous turn."""
        rows = self.rows_of(np.unique(ids))
        if not len(rows):
            return
        for i in self._ids.values[rows].tolist():
            del self._row_of[i]
        self._unlink(rows, forwards=True)
        self._alive.values[rows] = False
        self._lexical.remove(rows)
        if len(self._row_of) < (1 - _COMPACT_SHARE) * len(self._ids):
            self._compact()

    def warm_up(self) -> None:
        """Does the work that the first search after a change would do."""
        self._lexical.warm_up()

    def _link(self, rows: NDArray[np.intp], previous: NDArray[np.int64]) -> None:
        before = np.fromiter((self._row_of.get(i, _NONE) for i in previous.tolist()), np.int32, len(previous))
        linked = before != _NONE
        self._previous.values[rows] = before
        self._next.values[before[linked]] = rows[linked]

    def _unlink(self, rows: NDArray[np.intp], *, forwards: bool) -> None:
        before = self._previous.values[rows]
        self._next.values[before[before != _NONE]] = _NONE
        self._previous.values[rows] = _NONE
        if forwards:
            after = self._next.values[rows]
            self._previous.values[after[after != _NONE]] = _NONE
            self._next.values[rows] = _NONE

    def _compact(self) -> None:
        mask = self._alive.values.copy()
        for part in (self._vectors, self._context, self._lexical):
            part.keep(mask)
        numbers = np.append(np.cumsum(mask) - 1, _NONE).astype(np.int32)  # a link of -1 reads the last: -1
        for links in (self._previous, self._next):
            links.keep(mask)
            links.values[:] = numbers[links.values]
        for column in (self._ids, self._attributes, self._alive):
            column.keep(mask)
        self._row_of = {i: row for row, i in enumerate(self._ids.values.tolist())}

    # --- searching -----------------------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        *,
        mask: NDArray[np.bool_] | None = None,
        k: int = 10,
        dim: int | None = None,
    ) -> Candidates:
        """Finds what may be recalled: the nearest by meaning, with and without context, and by words.

        Args:
            query: What is looked for.
            mask: Which rows may be found, bool (rows,), None for all. It holds before anything is chosen, and
                the words of rows it leaves out count for no other row.
            k: How many memories are wanted in the end.
            dim: Components of the funnel's first stage, up to the index's own; None for that.

        Returns:
            At least the best `k` by each measure; all visible rows where they are few.
        """
        visible = np.flatnonzero(self.alive if mask is None else self.alive & mask)
        matches = self._lexical.match(query.terms)
        lexical = np.zeros_like(matches.scores)
        lexical[visible] = matches.scores[visible]
        few = len(visible) <= EXACT_ROWS
        rows = visible if few else self._pool(query, visible, lexical, k=k, dim=dim)
        dense = self._vectors.cosines(query.vector, rows)
        context = self._context.cosines(query.vector, rows)
        asks = self._lexical.contains(QUESTION_MARK)
        return Candidates(
            rows=rows,
            ids=self.ids[rows],
            dense=dense,
            context=context,
            lexical=lexical[rows],
            window=self._window(lexical, rows),
            asks=asks[rows],
            answers=self._of_previous(asks, rows),
            dense_spread=self._spread(self._vectors, query, visible, dense),
            context_spread=self._spread(self._context, query, visible, context),
            best_possible=matches.best_possible,
            known_share=matches.known_share,
            unknown_name=not all(map(self._lexical.knows, query.names)),
        )

    def _pool(
        self, query: Query, visible: NDArray[np.intp], lexical: FloatArray, *, k: int, dim: int | None
    ) -> NDArray[np.intp]:
        found = np.zeros(len(self._ids), dtype=np.bool_)
        wordy = visible[lexical[visible] > 0]
        if len(wordy) > LEXICAL_POOL:
            wordy = wordy[np.argpartition(lexical[wordy], len(wordy) - LEXICAL_POOL)[-LEXICAL_POOL:]]
        for links in (self._previous.values, self._next.values):
            beside = links[wordy]
            found[beside[beside != _NONE]] = True
        seen = np.zeros_like(found)
        seen[visible] = True
        found &= seen
        found[wordy] = True
        found[self._vectors.pool(query.vector, visible, k=k, dim=dim)] = True
        found[self._context.rough_pool(query.vector, visible, dim=dim)] = True
        return np.flatnonzero(found)

    def _window(self, lexical: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
        """Weighted sum of the BM25 of the neighbours of `rows`, float32 (n,)."""
        window = np.zeros(len(rows), dtype=np.float32)
        for links in (self._previous.values, self._next.values):
            at, places = rows, np.arange(len(rows))
            for weight in WINDOW:
                at = links[at]
                linked = at != _NONE
                at, places = at[linked], places[linked]
                window[places] += np.float32(weight) * lexical[at]
        return window

    def _of_previous(self, flags: NDArray[np.bool_], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        before = self._previous.values[rows]
        return np.asarray((before != _NONE) & flags[before], dtype=np.bool_)

    def _spread(
        self, vectors: VectorIndex, query: Query, visible: NDArray[np.intp], cosines: FloatArray
    ) -> Spread:
        if len(cosines) < len(visible):
            cosines = vectors.cosines(query.vector, visible[:: max(1, len(visible) // _SAMPLE)])
        if not len(cosines):
            return Spread(mean=0.0, deviation=_PRIOR_SPREAD)
        count = len(cosines)
        variance = (count * float(cosines.var()) + _PRIOR_ROWS * _PRIOR_SPREAD**2) / (count + _PRIOR_ROWS)
        return Spread(mean=float(cosines.mean()), deviation=variance**0.5)
