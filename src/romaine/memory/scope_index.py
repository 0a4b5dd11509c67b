"""What recall needs of the memories one scope sees, in memory: vectors, terms, neighbours, attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import LEXICAL_POOL, WINDOW, Candidates, Entries, Spread, Whole, spread_of
from romaine.memory.columns import BLOCK_ROWS, Column, Columns
from romaine.memory.index import EXACT_ROWS, VectorIndex
from romaine.memory.lexical import LexicalIndex, holding
from romaine.memory.query import Query
from romaine.memory.terms import QUESTION_MARK, Forms

_SAMPLE = 512  # rows whose cosines say how cosines spread in a large scope
_COMPACT_SHARE = 0.25  # removed rows, as a share of all, that are worth getting rid of
_COMPACT_SHARE_LARGE = 0.5  # in a scope of more than two blocks of vectors, where that copies so much
_NONE = -1  # where an id is asked for
_NOWHERE = 0  # where a place is: that of row 0 is 1, so that what is read there needs no mask


class ScopeIndex:
    """The memories that one scope sees. Rows keep the order of insertion; no figure depends on it.

    Not safe for changing and searching at once; many threads may search after `warm_up`.

    Args:
        full_dim: Components of a vector.
        dim: Components of the funnel's first stage, 1 to full_dim.
        attributes_dtype: Type of a row of `Entries.attributes`.

    Attributes:
        whole: Where only some of the rows are here, what the others have to say to one query.

    Raises:
        DimensionError: If `dim` is not possible.
    """

    def __init__(self, *, full_dim: int, dim: int, attributes_dtype: np.dtype[Any]) -> None:
        self.whole: Whole | None = None
        self._vectors = VectorIndex(full_dim=full_dim, dim=dim)
        self._context = VectorIndex(full_dim=full_dim, dim=dim)
        self._lexical = LexicalIndex()
        self._attributes = Columns(attributes_dtype)
        self._ids = Column(np.int64)
        self._alive = Column(np.bool_)
        self._previous_ids = Column(np.int64)  # as given, whether it is here or not
        self._previous = Column(np.intp)  # by place: place of the turn before
        self._next = Column(np.intp)  # the other way round
        self._asks = Column(np.bool_)  # by place
        for column in (self._previous, self._next, self._asks):
            column.append(np.zeros(1, dtype=column.values.dtype))
        self._row_of: dict[int, int] = {}
        self._awaited: dict[int, int] = {}  # ids that are not here, and the id of what follows each
        self._ascending = True  # whether rows stand in the order of their ids

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def ids(self) -> NDArray[np.int64]:
        """Id of each row, (rows,); a view until the next change."""
        values: NDArray[np.int64] = self._ids.values
        return values

    @property
    def attributes(self) -> Columns:
        """Attributes of each row: columns by name, (rows,) each."""
        return self._attributes

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Whether each row still stands for a memory, (rows,); rows that do not are never found."""
        values: NDArray[np.bool_] = self._alive.values
        return values

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        held = sum(column.nbytes for column in self._columns) + 100 * len(self._row_of)
        return held + self._vectors.nbytes + self._context.nbytes + self._lexical.nbytes

    @property
    def _columns(self) -> tuple[Column | Columns, ...]:
        by_place = (self._previous, self._next, self._asks)
        return self._attributes, self._ids, self._alive, self._previous_ids, *by_place

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Row of each id, intp (n,); ids that are not here are left out."""
        return np.array([self._row_of[i] for i in ids.tolist() if i in self._row_of], dtype=np.intp)

    # --- changing ------------------------------------------------------------------------------------------

    def add(self, entries: Entries) -> None:
        """Adds memories at the end; their ids must be new."""
        if len(entries) == 0:
            return
        start = len(self._ids)
        last = self._ids.values[-1] if start else -1
        self._ascending &= bool(entries.ids[0] > last and (np.diff(entries.ids) > 0).all())
        self._vectors.add(entries.vectors)
        self._context.add(entries.context_vectors)
        self._lexical.add(entries.terms)
        self._attributes.append(entries.attributes)
        self._ids.append(entries.ids)
        self._alive.append(np.ones(len(entries), dtype=np.bool_))
        self._asks.append(holding(entries.terms, QUESTION_MARK))
        self._previous_ids.append(entries.previous)
        for column in (self._previous, self._next):
            column.append(np.full(len(entries), _NOWHERE, dtype=np.intp))
        ids = entries.ids.tolist()
        self._row_of.update(zip(ids, range(start, start + len(entries)), strict=True))
        self._link(np.arange(start, start + len(entries)), entries.previous)
        self._link_awaited(ids)

    def update(self, entries: Entries) -> None:
        """Replaces all of memories that are here, in place; others are ignored."""
        known, rows = self._known(entries.ids)
        if not len(rows):
            return
        self._vectors.replace(rows, entries.vectors[known])
        self._context.replace(rows, entries.context_vectors[known])
        for row, index in zip(rows.tolist(), np.flatnonzero(known).tolist(), strict=True):
            self._lexical.replace(row, entries.terms[index])
        self._attributes.replace(rows, entries.attributes[known])
        self._asks.values[rows + 1] = holding(entries.terms, QUESTION_MARK)[known]
        self.relink(entries.ids, entries.previous)

    def relink(self, ids: NDArray[np.int64], previous: NDArray[np.int64]) -> None:
        """Gives memories that are here other turns before them, (n,) each; others are ignored."""
        known, rows = self._known(ids)
        if len(rows):
            self._previous_ids.values[rows] = previous[known]
            self._unlink(rows)
            self._link(rows, previous[known])

    def _known(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        return np.array([i in self._row_of for i in ids.tolist()], dtype=np.bool_), self.rows_of(ids)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Takes memories out; ids that are not here are ignored. What followed one has no previous turn."""
        rows = self.rows_of(np.unique(ids))
        if not len(rows):
            return
        self._unlink(rows)
        gone, after = self._ids.values[rows], self._next.values[rows + 1]
        followed = after != _NOWHERE
        self._previous.values[after[followed]] = _NOWHERE
        self._next.values[rows + 1] = _NOWHERE
        following = self._ids.values[after[followed] - 1]
        self._awaited.update(zip(gone[followed].tolist(), following.tolist(), strict=True))
        for i in gone.tolist():
            del self._row_of[i]
        self._alive.values[rows] = False
        self._lexical.remove(rows)
        share = _COMPACT_SHARE if len(self._ids) <= 2 * BLOCK_ROWS else _COMPACT_SHARE_LARGE
        if len(self._row_of) < (1 - share) * len(self._ids):
            self._compact()

    def warm_up(self) -> None:
        """Does the work that the first search after a change would do."""
        self._lexical.warm_up()

    def _link(self, rows: NDArray[np.intp], previous: NDArray[np.int64]) -> None:
        """Links `rows`, unlinked so far, with the turns `previous` as far as they are here."""
        found = (self._row_of.get(i, _NONE) for i in previous.tolist())
        before = np.fromiter(found, np.intp, len(previous)) + 1
        missing = (before == _NOWHERE) & (previous != _NONE)
        if missing.any():
            ids = self._ids.values[rows[missing]]
            self._awaited.update(zip(previous[missing].tolist(), ids.tolist(), strict=True))
        linked = before != _NOWHERE
        places, before = rows[linked] + 1, before[linked]
        ousted = self._next.values[before]  # by a turn between; it is told of its own, sooner or later
        self._previous.values[ousted] = _NOWHERE
        self._previous.values[places] = before
        self._next.values[before] = places

    def _link_awaited(self, ids: list[int]) -> None:
        """Links what came before the turn it follows."""
        for i in self._awaited.keys() & ids if self._awaited else ():
            row = self._row_of.get(self._awaited.pop(i))
            if row is not None and self._previous_ids.values[row] == i:
                self._link(np.array([row]), np.array([i]))

    def _unlink(self, rows: NDArray[np.intp]) -> None:
        before = self._previous.values[rows + 1]
        self._next.values[before] = _NOWHERE
        self._previous.values[rows + 1] = _NOWHERE

    def _compact(self) -> None:
        rows = self._alive.values.copy()
        places = np.append(True, rows)
        numbers = np.cumsum(places) - 1
        for part in (self._vectors, self._context, self._lexical, *self._columns):
            part.keep(rows if len(part) == len(rows) else places)
        for links in (self._previous, self._next):
            links.values[:] = numbers[links.values]
        self._row_of = {i: row for row, i in enumerate(self._ids.values.tolist())}

    def beside(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rows of the turns before and after each of `rows` (n,), -1 where there is none, intp (n, 2)."""
        return np.column_stack([links.values[rows + 1] for links in (self._previous, self._next)]) - 1

    # --- searching -----------------------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        *,
        mask: NDArray[np.bool_] | None = None,
        known: NDArray[np.bool_] | None = None,
        k: int = 10,
        dim: int | None = None,
    ) -> Candidates:
        """Finds what may be recalled: the nearest by meaning, with and without context, and by words.

        Args:
            query: What is looked for.
            mask: Which rows may be found, bool (rows,), None for all. It holds before anything is chosen, and
                the words of rows it leaves out count for no other row.
            known: Which rows there are for who asks, bool (rows,), None for all. The others are as if they
                were not here: they have no part in any figure.
            k: How many memories are wanted in the end.
            dim: Components of the funnel's first stage, up to the index's own; None for that.

        Returns:
            At least the best `k` by each measure; all visible rows where they are few.
        """
        among = None if known is None else self.alive & known
        here = self.alive if among is None else among
        wanted = here if mask is None else here & mask
        visible = np.flatnonzero(wanted)
        whole = self.whole
        matches = self._lexical.match(query.terms, among=among, figures=whole and whole.words)
        lexical = matches.scores if mask is None else matches.scores * wanted
        rows = visible if whole is None else visible[whole.may_be_found[visible]]
        if whole is None and len(visible) > EXACT_ROWS:
            rows = self._pool(query, wanted, visible, lexical, k=k, dim=dim)
        dense = self._vectors.cosines(query.vector, rows)
        context = self._context.cosines(query.vector, rows)
        if not self._ascending:
            order = np.argsort(self.ids[rows])
            rows, dense, context = rows[order], dense[order], context[order]
        return Candidates(
            rows=rows,
            ids=self.ids[rows],
            dense=dense,
            context=context,
            lexical=lexical[rows],
            window=self._window(lexical, rows, among),
            asks=self._asks.values[rows + 1],
            answers=self._answers(rows, among),
            dense_spread=self._spread(self._vectors, query, visible, dense),
            context_spread=self._spread(self._context, query, visible, context),
            best_possible=matches.best_possible,
            known_share=matches.known_share,
            unknown_name=not all(self._knows(query, name, among) for name in query.names),
            lengths=self._lexical.lengths.values[rows],
        )

    def _pool(
        self,
        query: Query,
        wanted: NDArray[np.bool_],
        visible: NDArray[np.intp],
        lexical: FloatArray,
        *,
        k: int,
        dim: int | None,
    ) -> NDArray[np.intp]:
        wordy = np.flatnonzero(lexical > 0)
        if len(wordy) > LEXICAL_POOL:
            wordy = self._by_id(wordy)
            wordy = wordy[np.argpartition(lexical[wordy], len(wordy) - LEXICAL_POOL)[-LEXICAL_POOL:]]
        found = np.zeros(len(self._ids), dtype=np.bool_)
        for links in (self._previous.values, self._next.values):
            beside = links[wordy + 1]
            found[beside[beside != _NOWHERE] - 1] = True
        found &= wanted
        found[wordy] = True
        found[self._vectors.pool(query.vector, visible, k=k, dim=dim)] = True
        found[self._context.rough_pool(query.vector, visible, dim=dim)] = True
        return np.flatnonzero(found)

    def _by_id(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rows in the order of their ids, so that no choice depends on the order they came in."""
        return rows if self._ascending else rows[np.argsort(self.ids[rows])]

    def _window(
        self, lexical: FloatArray, rows: NDArray[np.intp], known: NDArray[np.bool_] | None
    ) -> FloatArray:
        """Weighted sum of the BM25 of the neighbours of `rows` (n,), float32 (n,).

        It is handed on from the rows that have any, or asked for where fewer ask; both add up the same in the
        same order. A row that is not `known`, bool (rows,), ends the chat as if there were nothing beyond.
        """
        wordy = np.flatnonzero(lexical > 0)
        if len(rows) < len(wordy):
            scores = np.append(np.float32(0), lexical)
            asked = np.zeros(len(rows))
            for links in (self._previous.values, self._next.values):
                for weight, at in zip(WINDOW, self._beside(rows + 1, links, known), strict=True):
                    asked += weight * scores[at].astype(np.float64)
            return asked.astype(np.float32)
        reached = [
            at
            for links in (self._next.values, self._previous.values)
            for at in self._beside(wordy + 1, links, known)
        ]
        shares = np.outer((*WINDOW, *WINDOW), lexical[wordy]).ravel()
        window = np.bincount(np.concatenate(reached), weights=shares, minlength=len(lexical) + 1)
        return window[1:].astype(np.float32)[rows]

    @staticmethod
    def _beside(
        at: NDArray[np.intp], links: NDArray[np.intp], known: NDArray[np.bool_] | None
    ) -> Iterator[NDArray[np.intp]]:
        """Places that are one, two and more links away from `at`; 0 is none."""
        for _ in WINDOW:
            at = links[at]
            if known is not None:
                at = at * known[at - 1]
            yield at

    def _answers(self, rows: NDArray[np.intp], known: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        before = self._previous.values[rows + 1]
        answers: NDArray[np.bool_] = self._asks.values[before]
        return answers if known is None else answers & known[before - 1]

    def _spread(
        self, vectors: VectorIndex, query: Query, visible: NDArray[np.intp], cosines: FloatArray
    ) -> Spread:
        """How a query's cosines spread over the visible rows, or over some from all among them."""
        if self.whole is not None:
            return self.whole.dense_spread if vectors is self._vectors else self.whole.context_spread
        if len(cosines) < len(visible):
            sample = self._by_id(visible)[:: max(1, len(visible) // _SAMPLE)]
            cosines = vectors.cosines(query.vector, np.sort(sample))
        return spread_of(cosines)

    def _knows(self, query: Query, name: Forms, among: NDArray[np.bool_] | None) -> bool:
        if self.whole is None:
            return self._lexical.knows(name, among=among)
        return bool(self.whole.words.frequencies[query.terms.index(name)])
