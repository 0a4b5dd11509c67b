"""Which turn stands before another, as one scope sees them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from romaine.memory.records import Kind
from romaine.memory.views import SEEN, View

NOWHERE = -1
"""Stands for no position and for no memory."""

Place: TypeAlias = "tuple[int, bool]"
"""A position, and whether it is one of the chat or one outside any."""

_TURN = f"FROM memory m WHERE {SEEN} AND m.kind = 'turn' AND m.position IS NOT NULL"
_ORDER = f"SELECT m.position, m.no, m.known_by {_TURN}"
_BEFORE = f"""{_ORDER} AND (m.position, m.no) < (:position, :no) ORDER BY m.position DESC, m.no DESC"""
_AFTER = f"{_ORDER} AND m.position > :position ORDER BY m.position, m.no"


class TurnOrder:
    """The turns that a scope has witnessed, in order.

    Args:
        connection: Inside a read.
        view: What is seen.
        in_chat: Whether those of the chat are meant, or those outside any.
        at_once: Read all of them, for one who asks of many; or look each up.
    """

    def __init__(self, connection: sqlite3.Connection, view: View, in_chat: bool, *, at_once: bool) -> None:
        self._connection = connection
        self._view = view
        self._segments = [segment for segment in view.segments if segment.in_chat == in_chat]
        self._next: dict[int, int] = {}
        self._previous: dict[int, int] = {}
        self.is_whole = at_once
        if at_once:
            turns = sorted((position, no) for position, no in self._turns(_ORDER))
            nos = [no for _, no in turns]
            self._next = dict(pairwise(nos))
            self._previous = {after: before for before, after in self._next.items()}

    def of(self, no: int, kind: str, position: int | None) -> int:
        """Number of the turn before a memory, or NOWHERE."""
        if kind != Kind.TURN.value or position is None:
            return NOWHERE
        return self._previous.get(no, NOWHERE) if self.is_whole else self.before(position, no)

    def before(self, position: int, no: int) -> int:
        """Number of the turn before another one, or NOWHERE."""
        return max(self._first(_BEFORE, position=position, no=no), default=(0, NOWHERE))[1]

    def after(self, position: int) -> tuple[int, int]:
        """Position and number of the turn after a position; NOWHERE both if there is none."""
        return min(self._first(_AFTER, position=position), default=(NOWHERE, NOWHERE))

    def followers_of(self, nos: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of the turns right after others, and of those; only where all were read at once."""
        pairs = [(self._next[no], no) for no in nos.tolist() if no in self._next]
        after, before = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(after, dtype=np.int64), np.array(before, dtype=np.int64)

    def _first(self, query: str, **values: int) -> Iterator[tuple[int, int]]:
        """The first turn of each segment that was witnessed."""
        for segment in self._segments:
            for position, no, known_by in self._connection.execute(query, segment.values | values):
                if self._view.witnessed(known_by):
                    yield position, no
                    break

    def _turns(self, query: str) -> Iterator[tuple[int, int]]:
        for segment in self._segments:
            for position, no, known_by in self._connection.execute(query, segment.values):
                if self._view.witnessed(known_by):
                    yield position, no
