"""Which rows hold which terms: arrays sorted by term, built once, merged, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.memory.terms import TermIds

_ROW_BITS, _ROW_MASK = np.uint64(32), np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Postings:
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

    @property
    def keys(self) -> NDArray[np.uint64]:
        """The `posting_keys` of all postings, ascending, uint64 (p,)."""
        return posting_keys(np.repeat(self.terms, np.diff(self.starts)), self.rows)

    def postings(self, terms: TermIds) -> list[slice]:
        """Where the postings of each of `terms` (n,) lie; nowhere if it does not occur."""
        if not len(self.terms):
            return [slice(0, 0)] * len(terms)
        at = self.terms.searchsorted(terms)
        ends = at + (self.terms.take(at, mode="clip") == terms)
        return list(map(slice, self.starts[at].tolist(), self.starts[ends].tolist()))

    def only(self, holds: NDArray[np.bool_]) -> Postings:
        """The postings where `holds` (p,) is True."""
        before = np.zeros(len(holds) + 1, dtype=np.int32)
        np.cumsum(holds, out=before[1:])
        starts = before[self.starts].astype(np.int64)
        return Postings(terms=self.terms, starts=starts, rows=self.rows[holds], counts=self.counts[holds])


def build_segment(documents: Sequence[TermIds], rows: NDArray[np.int64]) -> Postings:
    """Sorts the terms of documents into postings.

    Args:
        documents: Terms of each row, as often as they stand there.
        rows: Number of each row, (documents,).
    """
    if not len(documents):
        return _segment(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint16))
    lengths = np.fromiter(map(len, documents), np.int64, len(documents))
    keys = posting_keys(np.concatenate(documents), np.repeat(rows, lengths))
    keys.sort()
    first = _run_starts(keys)
    counts = np.diff(first, append=len(keys))
    return _segment(keys[first], np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16))


def merge_segments(segments: Sequence[Postings]) -> Postings:
    """Makes one segment of several that share no posting."""
    keys = np.concatenate([segment.keys for segment in segments])
    counts = np.concatenate([segment.counts for segment in segments])
    order = np.argsort(keys, kind="stable")  # finds the sorted runs, and only merges them
    return _segment(keys[order], counts[order])


def posting_keys(terms: TermIds, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint64]:
    """Numbers that sort by term, then row: the term in the upper half, the row in the lower."""
    return terms.astype(np.uint64) << _ROW_BITS | rows.astype(np.uint64)


def _segment(keys: NDArray[np.uint64], counts: NDArray[np.uint16]) -> Postings:
    terms = (keys >> _ROW_BITS).astype(np.uint32)
    starts = _run_starts(terms)
    return Postings(
        terms=terms[starts],
        starts=np.append(starts, len(keys)),
        rows=(keys & _ROW_MASK).astype(np.int32),
        counts=counts,
    )


def _run_starts(values: NDArray[Any]) -> NDArray[np.int64]:
    """Where runs of equal values begin."""
    changes = np.ones(len(values), dtype=np.bool_)
    changes[1:] = values[1:] != values[:-1]
    return np.flatnonzero(changes).astype(np.int64)
