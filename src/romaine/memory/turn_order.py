"""Which turn stands before another, as one scope sees them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from romaine.memory.storage import Snapshot
from romaine.memory.stored import TURNS, Place, Wanted
from romaine.memory.views import View

NOWHERE = -1
"""Stands for no position and for no memory."""

PlaceInChat: TypeAlias = "tuple[int, bool]"
"""A position, and whether it is one of the chat or one outside any."""


class TurnOrder:
    """The turns that a scope has witnessed, in order.

    Args:
        snapshot: What is read.
        view: What is seen.
        in_chat: Whether those of the chat are meant, or those outside any.
        at_once: Read all of them, for one who asks of many; or look each up.
    """

    def __init__(self, snapshot: Snapshot, view: View, in_chat: bool, *, at_once: bool) -> None:
        self._snapshot = snapshot
        self._view = view
        self._segments = [segment for segment in view.segments if segment.in_chat == in_chat]
        self._next: dict[int, int] = {}
        self._previous: dict[int, int] = {}
        self.is_whole = at_once
        if at_once:
            turns = sorted(turn for segment in self._segments for turn in snapshot.turns(segment))
            row_ids = [row_id for _, row_id in turns]
            self._next = dict(pairwise(row_ids))
            self._previous = {after: before for before, after in self._next.items()}

    def of(self, row_id: int, position: int) -> int:
        """The turn before one that stands at a position, or NOWHERE."""
        return self._previous.get(row_id, NOWHERE) if self.is_whole else self.before((position, row_id))

    def before(self, place: Place) -> int:
        """The turn before a place, or NOWHERE."""
        return max(self._first(Wanted(kinds=TURNS, before=place)), default=(0, NOWHERE))[1]

    def after(self, position: int) -> Place:
        """The place of the turn after a position; NOWHERE both if there is none."""
        return min(self._first(Wanted(kinds=TURNS, after=position)), default=(NOWHERE, NOWHERE))

    def followers_of(self, row_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The turns right after others, and those others; only where all were read at once."""
        pairs = [(self._next[row_id], row_id) for row_id in row_ids.tolist() if row_id in self._next]
        after, before = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(after, dtype=np.int64), np.array(before, dtype=np.int64)

    def _first(self, wanted: Wanted) -> Iterator[Place]:
        """The first turn of each segment that was witnessed."""
        for segment in self._segments:
            for row in filter(self._view.witnessed, self._snapshot.rows(segment, wanted)):
                yield row.position or 0, row.row_id
                break
