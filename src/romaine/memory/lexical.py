"""BM25 over the memories one scope sees, with statistics of that scope alone.

Postings lie in two immutable segments: a large one, and a small one for rows that are new or were replaced,
which is rebuilt at the next search after a change, or merged into the large one when it has outgrown it.
Searching adds up the postings of the query's terms with numpy, and costs what those postings are long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.columns import Column
from romaine.memory.terms import TermIds

# Chat turns are short, so a repeated word says little (a low k1) and length matters little (a low b).
K1 = 0.5
B = 0.3

_ROW_BITS, _ROW_MASK = np.uint64(32), np.uint64(0xFFFFFFFF)
_MERGE_ROWS = 1024  # rows that wait in the small segment before they are merged


@dataclass(frozen=True)
class Segment:
    """Postings sorted by term, then row.

    Attributes:
        terms: Distinct terms, ascending, uint32 (t,).
        starts: Where each term's postings begin, and one end more, int64 (t + 1,).
        rows: Row of each posting, int32 (p,).
        counts: How often the term occurs there, uint16 (p,).
    """

    terms: TermIds
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.uint16]

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.terms.nbytes + self.starts.nbytes + self.rows.nbytes + self.counts.nbytes

    def postings(self, term: int) -> slice:
        """Where the postings of `term` lie in `rows` and `counts`; empty if it does not occur."""
        at = int(np.searchsorted(self.terms, np.uint32(term)))
        if at == len(self.terms) or self.terms[at] != term:
            return slice(0, 0)
        return slice(int(self.starts[at]), int(self.starts[at + 1]))

    def occurrences(self, current: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """The occurrences this segment was built from, but for rows where `current` (rows,) is False."""
        keys = occurrence_keys(np.repeat(self.terms, np.diff(self.starts)), self.rows)
        holds = current[self.rows]
        return np.repeat(keys[holds], self.counts[holds])


def build_segment(occurrences: NDArray[np.uint64]) -> Segment:
    """Sorts occurrences into postings.

    Args:
        occurrences: One number for each time a term stands in a row, of `occurrence_keys`, uint64 (o,).
    """
    keys = np.sort(occurrences)
    first = _run_starts(keys)
    counts = np.diff(np.r_[first, len(keys)])
    keys = keys[first]
    terms = (keys >> _ROW_BITS).astype(np.uint32)
    starts = _run_starts(terms)
    return Segment(
        terms=terms[starts],
        starts=np.r_[starts, len(keys)],
        rows=(keys & _ROW_MASK).astype(np.int32),
        counts=np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16),
    )


def occurrence_keys(terms: TermIds, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
    """Numbers that sort by term, then row: the term in the upper half, the row in the lower."""
    return terms.astype(np.uint64) << _ROW_BITS | rows.astype(np.uint64)


def _run_starts(values: NDArray[Any]) -> NDArray[np.int64]:
    """Where runs of equal values begin."""
    changes = np.ones(len(values), dtype=np.bool_)
    changes[1:] = values[1:] != values[:-1]
    return np.flatnonzero(changes).astype(np.int64)


_EMPTY = build_segment(np.empty(0, dtype=np.uint64))


@dataclass(frozen=True)
class Matches:
    """What a query's terms found.

    Attributes:
        scores: BM25 of every row in nats, float32 (rows,), 0 where no term occurs.
        best_possible: Sum of the idf of all terms of the query, known or not.
        known_share: Share of `best_possible` that belongs to terms which occur at all, 0 to 1.
    """

    scores: FloatArray
    best_possible: float
    known_share: float


class LexicalIndex:
    """Terms of rows, and BM25 over them. Rows are numbered as they are added.

    Not safe for changing and searching at once; many threads may search after `warm_up`.
    """

    def __init__(self) -> None:
        self._lengths = Column(np.int32)
        self._documents = 0
        self._tokens = 0
        self._base = _EMPTY
        self._base_current = Column(np.bool_)  # whether the row's postings in the base still hold
        self._waiting: dict[int, TermIds] = {}
        self._recent: Segment | None = _EMPTY

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def nbytes(self) -> int:
        """Bytes of the postings and columns."""
        recent = self._recent.nbytes if self._recent is not None else 0
        return self._base.nbytes + recent + self._lengths.nbytes + self._base_current.nbytes

    def add(self, documents: Sequence[TermIds]) -> None:
        """Adds rows at the end."""
        start = len(self)
        lengths = np.fromiter(map(len, documents), dtype=np.int32, count=len(documents))
        self._lengths.append(lengths)
        self._base_current.append(np.zeros(len(documents), dtype=np.bool_))
        self._documents += len(documents)
        self._tokens += int(lengths.sum())
        self._wait(zip(range(start, start + len(documents)), documents, strict=True))

    def replace(self, row: int, document: TermIds) -> None:
        """Gives a row other terms."""
        self._tokens += len(document) - int(self._lengths.values[row])
        self._lengths.values[row] = len(document)
        self._base_current.values[row] = False
        self._wait([(row, document)])

    def remove(self, rows: NDArray[np.intp]) -> None:
        """Makes rows matchless; they keep their numbers and no longer count in any statistic. Each once."""
        self._documents -= len(rows)
        self._tokens -= int(self._lengths.values[rows].sum())
        self._lengths.values[rows] = 0
        self._base_current.values[rows] = False
        for row in rows.tolist():
            self._waiting.pop(row, None)
        self._recent = None

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the removed rows, where `mask` (rows,) is False, and renumbers the others in order."""
        self._merge()
        numbers = (np.cumsum(mask) - 1).astype(np.int32)
        self._base = Segment(self._base.terms, self._base.starts, numbers[self._base.rows], self._base.counts)
        self._lengths.keep(mask)
        self._base_current.keep(mask)

    def warm_up(self) -> None:
        """Does the work that the first search after a change would do."""
        self._recent_segment()

    def match(self, terms: Iterable[int]) -> Matches:
        """Scores every row with BM25 (Robertson and Zaragoza 2009; idf as in Lucene, never negative).

        Args:
            terms: Distinct terms of the query.
        """
        scores = np.zeros(len(self), dtype=np.float32)
        mean_length = self._tokens / max(self._documents, 1) or 1.0
        best_possible = known = 0.0
        for term in terms:
            found = [self._postings(segment, term) for segment in self._segments()]
            frequency = sum(len(rows) for rows, _ in found)
            idf = float(np.log1p((self._documents - frequency + 0.5) / (frequency + 0.5)))
            best_possible += idf
            known += idf if frequency else 0.0
            for rows, counts in found:
                saturation = K1 * (1 - B) + (K1 * B / mean_length) * self._lengths.values[rows].astype(
                    np.float32
                )
                # A row stands once in a term's postings, so plain indexed addition is right.
                scores[rows] += np.float32(idf * (K1 + 1)) * counts / (counts + saturation)
        return Matches(scores, best_possible, known / best_possible if best_possible else 0.0)

    def knows(self, term: int) -> bool:
        """Tells whether any row holds `term`."""
        return any(len(self._postings(segment, term)[0]) for segment in self._segments())

    def contains(self, term: int) -> NDArray[np.bool_]:
        """Tells which rows hold `term`, bool (rows,)."""
        found = np.zeros(len(self), dtype=np.bool_)
        for segment in self._segments():
            found[self._postings(segment, term)[0]] = True
        return found

    def _postings(self, segment: Segment, term: int) -> tuple[NDArray[np.int32], FloatArray]:
        where = segment.postings(term)
        rows, counts = segment.rows[where], segment.counts[where].astype(np.float32)
        if segment is self._base:
            current = self._base_current.values[rows]
            if not current.all():
                return rows[current], counts[current]
        return rows, counts

    def _wait(self, documents: Iterable[tuple[int, TermIds]]) -> None:
        self._waiting.update(documents)
        self._recent = None

    def _segments(self) -> tuple[Segment, Segment]:
        recent = self._recent_segment()  # may merge, so the base is read after it
        return self._base, recent

    def _recent_segment(self) -> Segment:
        if self._recent is None and len(self._waiting) > _MERGE_ROWS:
            self._merge()
        recent = self._recent
        if recent is None:
            self._recent = recent = build_segment(self._waiting_occurrences())
        return recent

    def _waiting_occurrences(self) -> NDArray[np.uint64]:
        if not self._waiting:
            return np.empty(0, dtype=np.uint64)
        rows = np.fromiter(self._waiting, np.int64, len(self._waiting))
        lengths = np.fromiter(map(len, self._waiting.values()), np.int64, len(self._waiting))
        return occurrence_keys(np.concatenate(list(self._waiting.values())), np.repeat(rows, lengths))

    def _merge(self) -> None:
        held = self._base.occurrences(self._base_current.values)
        self._base = build_segment(np.concatenate([held, self._waiting_occurrences()]))
        self._base_current.values[list(self._waiting)] = True
        self._waiting.clear()
        self._recent = _EMPTY
