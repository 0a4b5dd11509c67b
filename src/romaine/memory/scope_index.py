"""What recall needs of the memories one scope sees, in memory: vectors, terms, neighbours, attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import LEXICAL_POOL, Candidates, Entries, Spread, Whole, spread_of
from romaine.memory.columns import BLOCK_ROWS, Column, Columns
from romaine.memory.index import EXACT_ROWS, VectorIndex, dots
from romaine.memory.lexical import LexicalIndex, holding
from romaine.memory.links import Links
from romaine.memory.query import Query
from romaine.memory.terms import QUESTION_MARK
from romaine.memory.times import TimeScores

_SAMPLE = 512  # rows whose cosines say how cosines spread in a large scope
_COMPACT_SHARE = 0.25  # removed rows, as a share of all, that are worth getting rid of
_COMPACT_SHARE_LARGE = 0.5  # in a scope of more than two blocks of vectors, where that copies so much


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
        self._context = VectorIndex(full_dim=full_dim, dim=full_dim)  # is never scanned
        self._lexical = LexicalIndex()
        self._attributes = Columns(attributes_dtype)
        self._ids = Column(np.int64)
        self._alive = Column(np.bool_)
        self._asks = Column(np.bool_)
        self._links = Links()
        self._row_of: dict[int, int] = {}
        self._ascending = True  # whether rows stand in the order of their ids
        self._samples: dict[VectorIndex, FloatArray] = {}  # of all rows, until they change

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
        held += self._links.nbytes + sum(sample.nbytes for sample in self._samples.values())
        return held + self._vectors.nbytes + self._context.nbytes + self._lexical.nbytes

    @property
    def _columns(self) -> tuple[Column | Columns, ...]:
        return self._attributes, self._ids, self._alive, self._asks

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Row of each id, intp (n,); ids that are not here are left out."""
        return np.array([self._row_of[i] for i in ids.tolist() if i in self._row_of], dtype=np.intp)

    # --- changing ------------------------------------------------------------------------------------------

    def add(self, entries: Entries) -> None:
        """Adds memories at the end; their ids must be new."""
        if len(entries) == 0:
            return
        self._samples.clear()
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
        self._row_of.update(zip(entries.ids.tolist(), range(start, start + len(entries)), strict=True))
        self._links.add(entries.ids, entries.previous, self._row_of)

    def update(self, entries: Entries) -> None:
        """Replaces all of memories that are here, in place; others are ignored."""
        known = np.array([i in self._row_of for i in entries.ids.tolist()], dtype=np.bool_)
        rows = self.rows_of(entries.ids)
        if not len(rows):
            return
        self._samples.clear()
        self._vectors.replace(rows, entries.vectors[known])
        self._context.replace(rows, entries.context_vectors[known])
        for row, index in zip(rows.tolist(), np.flatnonzero(known).tolist(), strict=True):
            self._lexical.replace(row, entries.terms[index])
        self._attributes.replace(rows, entries.attributes[known])
        self._asks.values[rows] = holding(entries.terms, QUESTION_MARK)[known]
        self._links.relink(rows, entries.previous[known], self._row_of)

    def relink(self, lines: Sequence[NDArray[np.intp]]) -> None:
        """Lets rows follow each other in lines, intp (n,) each, and all others follow none."""
        self._links.put(lines)

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Takes memories out; ids that are not here are ignored. What followed one has no previous turn."""
        rows = self.rows_of(np.unique(ids))
        if not len(rows):
            return
        self._samples.clear()
        self._links.remove(rows)
        for i in self._ids.values[rows].tolist():
            del self._row_of[i]
        self._alive.values[rows] = False
        self._lexical.remove(rows)
        share = _COMPACT_SHARE if len(self._ids) <= 2 * BLOCK_ROWS else _COMPACT_SHARE_LARGE
        if len(self._row_of) < (1 - share) * len(self._ids):
            self._compact()

    def warm_up(self) -> None:
        """Does the work that the first search after a change would do."""
        self._lexical.warm_up()

    def _compact(self) -> None:
        rows = self._alive.values.copy()
        for part in (self._vectors, self._context, self._lexical, self._links, *self._columns):
            part.keep(rows)
        self._row_of = {i: row for row, i in enumerate(self._ids.values.tolist())}

    def beside(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rows of the turns before and after each of `rows` (n,), -1 where there is none, intp (n, 2)."""
        return np.column_stack((self._links.before(rows), self._links.after(rows))) - 1

    # --- searching -----------------------------------------------------------------------------------------

    def search(
        self,
        query: Query,
        *,
        mask: NDArray[np.bool_] | None = None,
        known: NDArray[np.bool_] | None = None,
        k: int = 10,
        dim: int | None = None,
        time: TimeScores | None = None,
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
            time: What times say, where the query names one; rows of that time come into question.

        Returns:
            At least the best `k` by each measure; all visible rows where they are few.
        """
        among = None if known is None else self.alive & known
        here = self.alive if among is None else among
        wanted = here if mask is None else here & mask
        visible = np.arange(len(wanted)) if wanted.all() else np.flatnonzero(wanted)
        whole = self.whole
        matches = self._lexical.match(query.terms, among=among, figures=whole.words if whole else None)
        lexical = matches.scores if len(visible) == len(self) else matches.scores * wanted
        wordy = np.flatnonzero(lexical != 0)  # of truths in half the time
        rows = visible if whole is None else visible[whole.may_be_found[visible]]
        if whole is None and len(visible) > EXACT_ROWS:
            rows = self._pool(query, wanted, visible, lexical, wordy, k=k, dim=dim, time=time)
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
            window=self._links.window(lexical, rows, wordy=wordy, known=among),
            asks=self._asks.values[rows],
            answers=self._answers(rows, among),
            dense_spread=self._spread(self._vectors, query, visible, dense),
            context_spread=self._spread(self._context, query, visible, context),
            best_possible=matches.best_possible,
            known_share=matches.known_share,
            unknown_name=any(not matches.frequencies[query.terms.index(name)] for name in query.names),
            lengths=self._lexical.lengths.values[rows],
            searched=len(visible) if whole is None else whole.words.documents,
        )

    def _pool(
        self,
        query: Query,
        wanted: NDArray[np.bool_],
        visible: NDArray[np.intp],
        lexical: FloatArray,
        wordy: NDArray[np.intp],
        *,
        k: int,
        dim: int | None,
        time: TimeScores | None,
    ) -> NDArray[np.intp]:
        if len(wordy) > LEXICAL_POOL:
            wordy = self._by_id(wordy)
            wordy = wordy[np.argpartition(lexical[wordy], len(wordy) - LEXICAL_POOL)[-LEXICAL_POOL:]]
        near = self._vectors.pool(query.vector, visible, k=k, dim=dim)
        # A turn with its context is near where the turn before it is: no scan of contexts finds more.
        beside = (self._links.before(wordy), self._links.after(wordy), self._links.after(near))
        places = np.zeros(len(self._ids) + 1, dtype=np.bool_)
        places[np.concatenate(beside)] = True
        found = places[1:]
        found &= wanted
        found[wordy] = True
        found[near] = True
        if time is not None:
            of_that_time = visible[time.of(visible) > 0]
            found[self._vectors.rough_pool(query.vector, of_that_time, dim=dim)] = True
        return np.flatnonzero(found)

    def _by_id(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rows in the order of their ids, so that no choice depends on the order they came in."""
        return rows if self._ascending else rows[np.argsort(self.ids[rows])]

    def _answers(self, rows: NDArray[np.intp], known: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        before = self._links.before(rows) - 1
        answers: NDArray[np.bool_] = self._asks.values[before] & (before >= 0)
        return answers if known is None else answers & known[before]

    def _spread(
        self, vectors: VectorIndex, query: Query, visible: NDArray[np.intp], cosines: FloatArray
    ) -> Spread:
        """How a query's cosines spread over the visible rows, or over some from all among them."""
        if self.whole is not None:
            return self.whole.dense_spread if vectors is self._vectors else self.whole.context_spread
        if len(cosines) < len(visible):
            cosines = dots(self._sampled(vectors, visible), query.vector)
        return spread_of(cosines)

    def _sampled(self, vectors: VectorIndex, visible: NDArray[np.intp]) -> FloatArray:
        """Vectors of rows from all over the visible ones, (n, full_dim), kept while all rows are visible."""
        of_all = len(visible) == len(self)
        sample = self._samples.get(vectors) if of_all else None
        if sample is None:
            rows = self._by_id(visible)[:: max(1, len(visible) // _SAMPLE)]
            sample = vectors.take(np.sort(rows))
            if of_all:
                self._samples[vectors] = sample
        return sample
