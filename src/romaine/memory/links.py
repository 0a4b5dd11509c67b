"""Which turn stands before and after each row of an index, and what that hands on to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import WINDOW
from romaine.memory.columns import Column

_ASKED_SHARE = 16  # adding up over all rows takes as long as asking for one in so many
_NONE = -1  # where an id is asked for
_NOWHERE = 0  # where a place is: that of row 0 is 1, so that what is read there needs no mask


class Links:
    """The turns before and after each row, as far as they are here. Rows are numbered as they are added.

    A place is a row's number and one more.
    """

    def __init__(self) -> None:
        self._ids = Column(np.int64)
        self._previous_ids = Column(np.int64)  # as given, whether it is here or not
        self._previous = Column(np.intp)  # by place: place of the turn before
        self._next = Column(np.intp)  # the other way round
        for column in (self._previous, self._next):
            column.append(np.full(1, _NOWHERE, dtype=np.intp))
        self._awaited: dict[int, int] = {}  # ids that are not here, and the id of what follows each

    @property
    def nbytes(self) -> int:
        """Bytes of the columns, without ids."""
        return sum(column.nbytes for column in (self._previous_ids, self._previous, self._next))

    # --- changing ------------------------------------------------------------------------------------------

    def add(self, ids: NDArray[np.int64], previous: NDArray[np.int64], row_of: Mapping[int, int]) -> None:
        """Adds rows at the end.

        Args:
            ids: Of each, (n,).
            previous: Id of the turn before each, -1 for none, (n,).
            row_of: The row of each id that is here, with these.
        """
        start = len(self._ids)
        self._ids.append(ids)
        self._previous_ids.append(previous)
        for column in (self._previous, self._next):
            column.append(np.full(len(ids), _NOWHERE, dtype=np.intp))
        self._link(np.arange(start, start + len(ids)), previous, row_of)
        for i in self._awaited.keys() & ids.tolist() if self._awaited else ():
            row = row_of.get(self._awaited.pop(i))
            if row is not None and self._previous_ids.values[row] == i:
                self._link(np.array([row]), np.array([i]), row_of)

    def relink(self, rows: NDArray[np.intp], previous: NDArray[np.int64], row_of: Mapping[int, int]) -> None:
        """Gives rows (n,) other turns before them, (n,)."""
        self._previous_ids.values[rows] = previous
        self._unlink(rows)
        self._link(rows, previous, row_of)

    def put(self, lines: Sequence[NDArray[np.intp]]) -> None:
        """Links all rows anew: each of a line, intp (n,), with the one before it there, others with none."""
        self._awaited.clear()
        self._previous.values[:] = self._next.values[:] = _NOWHERE
        self._previous_ids.values[:] = _NONE
        for line in lines:
            before, after = line[:-1], line[1:]
            self._previous.values[after + 1], self._next.values[before + 1] = before + 1, after + 1
            self._previous_ids.values[after] = self._ids.values[before]

    def remove(self, rows: NDArray[np.intp]) -> None:
        """Takes rows (n,) out; what followed one has no previous turn."""
        self._unlink(rows)
        after = self._next.values[rows + 1]
        followed = after != _NOWHERE
        self._previous.values[after[followed]] = _NOWHERE
        self._next.values[rows + 1] = _NOWHERE
        gone, following = self._ids.values[rows[followed]], self._ids.values[after[followed] - 1]
        self._awaited.update(zip(gone.tolist(), following.tolist(), strict=True))

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the removed rows, where `mask` (rows,) is False, and renumbers the others in order."""
        places = np.append(True, mask)
        numbers = np.cumsum(places) - 1
        for by_row in (self._ids, self._previous_ids):
            by_row.keep(mask)
        for links in (self._previous, self._next):
            links.keep(places)
            links.values[:] = numbers[links.values]

    def _link(self, rows: NDArray[np.intp], previous: NDArray[np.int64], row_of: Mapping[int, int]) -> None:
        """Links `rows`, unlinked so far, with the turns `previous` as far as they are here."""
        if not (previous != _NONE).any():
            return
        found = (row_of.get(i, _NONE) for i in previous.tolist())
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

    def _unlink(self, rows: NDArray[np.intp]) -> None:
        before = self._previous.values[rows + 1]
        self._next.values[before] = _NOWHERE
        self._previous.values[rows + 1] = _NOWHERE

    # --- reading -------------------------------------------------------------------------------------------

    def before(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Place of the turn before each of some rows, 0 for none, (n,)."""
        places: NDArray[np.intp] = self._previous.values[rows + 1]
        return places

    def after(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Place of the turn after each of some rows, 0 for none, (n,)."""
        places: NDArray[np.intp] = self._next.values[rows + 1]
        return places

    def window(
        self,
        lexical: FloatArray,
        rows: NDArray[np.intp],
        *,
        wordy: NDArray[np.intp],
        known: NDArray[np.bool_] | None,
    ) -> FloatArray:
        """Weighted sum of the BM25 of the neighbours of `rows`, by `WINDOW`.

        It is handed on from the rows that have any, or asked for where fewer ask; both add up the same in the
        same order. A row that is not known ends the chat as if there were nothing beyond.

        Args:
            lexical: BM25 of all rows, float32 (rows,).
            rows: Whose neighbours, (n,).
            wordy: Rows that have any, ascending, (w,).
            known: Which rows there are for who asks, bool (rows,), None for all.

        Returns:
            float32 (n,).
        """
        if len(rows) < max(len(wordy), len(lexical) // _ASKED_SHARE):
            asked = np.zeros(len(rows))
            for links in (self._previous.values, self._next.values):
                for weight, at in zip(WINDOW, _beside(rows + 1, links, known), strict=True):
                    asked += weight * (lexical[at - 1] * (at != _NOWHERE)).astype(np.float64)
            return asked.astype(np.float32)
        reached = [
            at
            for links in (self._next.values, self._previous.values)
            for at in _beside(wordy + 1, links, known)
        ]
        shares = np.outer((*WINDOW, *WINDOW), lexical[wordy]).ravel()
        window = np.bincount(np.concatenate(reached), weights=shares, minlength=len(lexical) + 1)
        return window[1:].astype(np.float32)[rows]


def _beside(
    at: NDArray[np.intp], links: NDArray[np.intp], known: NDArray[np.bool_] | None
) -> Iterator[NDArray[np.intp]]:
    """Places that are one, two and more links away from `at`; 0 is none."""
    for _ in WINDOW:
        at = links[at]
        if known is not None:
            at = at * known[at - 1]
        yield at
