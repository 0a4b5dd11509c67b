"""BM25 over the memories one scope sees, with statistics of that scope alone.

Postings lie in immutable segments, each the older the larger, so that no write pays for more than its share:
rows that are new or were replaced wait in a small one, which is rebuilt at the next search after a change and
set down when it has outgrown that; segments set down are merged while they are of about one size and not too
large. A row counts in the segment that took it last. Searching adds up the postings of the query's terms with
numpy, and costs what those postings are long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

import numpy as np
from numpy.typing import ArrayLike, NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import WordFigures
from romaine.memory.columns import Column
from romaine.memory.postings import Postings, build_segment, merge_segments
from romaine.memory.terms import Forms, TermIds

# Chat turns are short, so a repeated word says little (a low k1) and length matters little (a low b).
K1 = 0.5
B = 0.3

_WAITING_ROWS = 256  # rows that wait in the small segment before it is set down
_MERGE_RATIO = 8  # a segment is merged with all smaller ones unless it is so many times as large as they
_MERGED_TOKENS = 2_000_000  # and only up to this size, so that no write has to wait long for it
_NOWHERE = -1


_EMPTY = build_segment([], np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Matches:
    """What a query's terms found.

    Attributes:
        scores: BM25 of every row in nats, float32 (rows,), 0 where no term occurs.
        best_possible: Sum of the idf of all terms of the query, known or not.
        known_share: Share of `best_possible` that belongs to terms which occur at all, 0 to 1.
        frequencies: How many rows hold each term, int64 (terms,).
    """

    scores: FloatArray
    best_possible: float
    known_share: float
    frequencies: NDArray[np.int64]


class LexicalIndex:
    """Terms of rows, and BM25 over them. Rows are numbered as they are added.

    Not safe for changing and searching at once; many threads may search after `warm_up`.
    """

    def __init__(self) -> None:
        self.lengths = Column(np.int32)  # how many terms each row has
        self._holders = Column(np.int32)  # number of the segment that holds the row
        self._documents = 0
        self._tokens = 0
        self._segments: dict[int, Postings] = {}
        self._outdated: set[int] = set()  # segments with postings of rows they hold no more
        self._numbers = count()
        self._waiting: dict[int, TermIds] = {}
        self._recent: Postings | None = _EMPTY

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def nbytes(self) -> int:
        """Bytes of the postings and columns."""
        recent = self._recent.nbytes if self._recent is not None else 0
        held = sum(segment.nbytes for segment in self._segments.values())
        return held + recent + self.lengths.nbytes + self._holders.nbytes

    # --- changing ------------------------------------------------------------------------------------------

    def add(self, documents: Sequence[TermIds]) -> None:
        """Adds rows at the end."""
        start = len(self)
        lengths = np.fromiter(map(len, documents), dtype=np.int32, count=len(documents))
        self.lengths.append(lengths)
        self._holders.append(np.full(len(documents), _NOWHERE, dtype=np.int32))
        self._documents += len(documents)
        self._tokens += int(lengths.sum())
        self._waiting.update(zip(range(start, start + len(documents)), documents, strict=True))
        self._recent = None

    def replace(self, row: int, document: TermIds) -> None:
        """Gives a row other terms."""
        self._tokens += len(document) - int(self.lengths.values[row])
        self.lengths.values[row] = len(document)
        self._let_go(np.array([row]))
        self._waiting[row] = document

    def remove(self, rows: NDArray[np.intp]) -> None:
        """Makes rows matchless; they keep their numbers and no longer count in any statistic. Each once."""
        self._documents -= len(rows)
        self._tokens -= int(self.lengths.values[rows].sum())
        self.lengths.values[rows] = 0
        self._let_go(rows)
        for row in rows.tolist():
            self._waiting.pop(row, None)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the removed rows, where `mask` (rows,) is False, and renumbers the others in order."""
        numbers = (np.cumsum(mask) - 1).astype(np.int32)
        for number in self._segments:
            held = self._held_by(number)
            self._segments[number] = replace(held, rows=numbers[held.rows])
        self._waiting = {int(numbers[row]): document for row, document in self._waiting.items()}
        self._outdated.clear()
        self._recent = None
        self.lengths.keep(mask)
        self._holders.keep(mask)

    def warm_up(self) -> None:
        """Does the work that the first search after a change would do."""
        if self._recent is None:
            if len(self._waiting) > _WAITING_ROWS:
                self._set_down()
            rows = np.fromiter(self._waiting, np.int64, len(self._waiting))
            self._recent = build_segment(list(self._waiting.values()), rows)

    def _let_go(self, rows: NDArray[np.intp]) -> None:
        """Takes rows out of the segments that hold them."""
        holders = self._holders.values[rows]
        self._outdated.update(holders[holders != _NOWHERE].tolist())
        self._holders.values[rows] = _NOWHERE
        self._recent = None

    def _set_down(self) -> None:
        """Makes a segment of what waits, and one of those that are small by now, that one included."""
        rows = np.fromiter(self._waiting, np.int64, len(self._waiting))
        self._put(build_segment(list(self._waiting.values()), rows), rows)
        self._waiting.clear()
        held = np.bincount(self._holders.values + 1, minlength=max(self._segments) + 2)[1:]
        most = _MERGED_TOKENS * self._documents / max(self._tokens, 1)
        small: list[int] = []
        total = 0
        for number in sorted(self._segments, key=lambda number: int(held[number])):
            if small and (held[number] > _MERGE_RATIO * total or total + held[number] > most):
                break
            small.append(number)
            total += int(held[number])
        if len(small) > 1:
            rows = np.flatnonzero(np.isin(self._holders.values, small))
            self._put(merge_segments([self._held_by(number) for number in small]), rows)
            for number in small:
                del self._segments[number]
            self._outdated.difference_update(small)

    def _put(self, segment: Postings, rows: NDArray[np.int64]) -> None:
        number = next(self._numbers)
        self._segments[number] = segment
        self._holders.values[rows] = number

    def _held_by(self, number: int) -> Postings:
        """A segment without the postings of rows that it holds no more."""
        segment = self._segments[number]
        if number not in self._outdated:
            return segment
        return segment.only(self._holders.values[segment.rows] == number)

    # --- searching -----------------------------------------------------------------------------------------

    def match(
        self,
        terms: Iterable[Forms],
        *,
        among: NDArray[np.bool_] | None = None,
        figures: WordFigures | None = None,
    ) -> Matches:
        """Scores rows with BM25 (Robertson and Zaragoza 2009; idf as in Lucene, never negative).

        Args:
            terms: Distinct words of the query, each in all forms that count as it.
            among: The rows there are, bool (rows,), none of them removed; None for all. Others score 0 and
                count in no statistic.
            figures: Of all rows, where only some of them are here; None if they are.
        """
        wanted = list(terms)
        runs, rows, counts = self._postings(np.array(list(chain(*wanted)), dtype=np.uint32), among)
        if any(len(forms) > 1 for forms in wanted):
            runs, rows, counts = _of_words(wanted, runs, rows, counts)
        if figures is None:
            documents, tokens = self._documents, self._tokens
            if among is not None:
                documents, tokens = int(np.count_nonzero(among)), int(self.lengths.values[among].sum())
            frequencies = np.bincount(runs.places, weights=runs.lengths, minlength=len(wanted))
            figures = WordFigures(documents, tokens, frequencies.astype(np.int64))
        idf = figures.idf
        saturation = self.lengths.values.take(rows).astype(np.float32)
        saturation *= K1 * B / figures.mean_length
        saturation += K1 * (1 - B)
        saturation += counts
        shares = (idf * (K1 + 1)).astype(np.float32)[runs.places].repeat(runs.lengths)
        shares *= counts
        shares /= saturation
        scores = np.bincount(rows, weights=shares, minlength=len(self)).astype(np.float32)
        best_possible = float(idf.sum())
        known = float(idf[figures.frequencies > 0].sum())
        share = known / best_possible if best_possible else 0.0
        return Matches(scores, best_possible, share, figures.frequencies)

    def _postings(
        self, terms: TermIds, among: NDArray[np.bool_] | None
    ) -> tuple[_Runs, NDArray[np.intp], FloatArray]:
        """Postings of `terms` (t,): which are whose, row and count of each."""
        self.warm_up()
        found = [
            (place, number, segment, span)
            for number, segment in self._searched()
            for place, span in enumerate(segment.postings(terms))
            if span.start < span.stop
        ]
        if not found:
            return _Runs([], []), np.empty(0, np.intp), np.empty(0, np.float32)
        runs = _Runs([place for place, *_ in found], [span.stop - span.start for *_, span in found])
        rows = np.concatenate([segment.rows[span] for *_, segment, span in found], dtype=np.intp)
        counts = np.concatenate([segment.counts[span] for *_, segment, span in found], dtype=np.float32)
        holds: NDArray[np.bool_] | None = None
        if self._outdated:
            holds = self._holders.values[rows] == np.repeat([number for _, number, *_ in found], runs.lengths)
        if among is not None:
            holds = among[rows] if holds is None else holds & among[rows]
        return (runs, rows, counts) if holds is None else (runs.only(holds), rows[holds], counts[holds])

    def _searched(self) -> Iterator[tuple[int, Postings]]:
        """All segments by number; rows that wait are held by none."""
        yield from self._segments.items()
        if self._recent is not None:
            yield _NOWHERE, self._recent


def holding(documents: Sequence[TermIds], term: int) -> NDArray[np.bool_]:
    """Tells which of `documents` hold `term`, bool (documents,)."""
    holds = np.zeros(len(documents), dtype=np.bool_)
    if len(documents):
        ends = np.cumsum(np.fromiter(map(len, documents), np.intp, len(documents)))
        holds[ends.searchsorted(np.flatnonzero(np.concatenate(documents) == term), side="right")] = True
    return holds


class _Runs:
    """Which postings are of which term: runs of them, one after another.

    Args:
        places: Place of each run's term among those asked for, (r,).
        lengths: How many postings it has, (r,).
    """

    def __init__(self, places: ArrayLike, lengths: ArrayLike) -> None:
        self.places, self.lengths = np.asarray(places, np.intp), np.asarray(lengths, np.intp)

    def only(self, holds: NDArray[np.bool_]) -> _Runs:
        """Those of the postings where `holds` (p,) is True."""
        starts = np.cumsum(self.lengths) - self.lengths
        return _Runs(self.places, np.add.reduceat(holds, starts, dtype=np.intp))


def _of_words(
    words: Sequence[Forms], runs: _Runs, rows: NDArray[np.intp], counts: FloatArray
) -> tuple[_Runs, NDArray[np.intp], FloatArray]:
    """Postings of terms as those of words: a row that holds one in several forms counts the most frequent."""
    word_of = np.repeat(np.arange(len(words)), [len(forms) for forms in words])
    places = word_of[runs.places].repeat(runs.lengths)
    order = np.lexsort((-counts, rows, places))
    places, rows, counts = places[order], rows[order], counts[order]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = (np.diff(places) != 0) | (np.diff(rows) != 0)
    lengths = np.bincount(places[first], minlength=len(words))
    return _Runs(np.arange(len(words)), lengths), rows[first], counts[first]
