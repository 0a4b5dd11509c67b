"""Connections for reading, one for each read under way, so that reads do not wait for each other."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

LIMIT = 16
"""More reads than that at a time wait: a connection costs file handles and a page cache."""


class Readers:
    """A file's connections for reading. Safe to call from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._free: list[sqlite3.Connection] = []
        self._opened = 0
        self._closed = False

    def acquire(self, connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection | None:
        """Takes the connection that was used last, which knows most pages, or opens one; None once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._free or self._opened < LIMIT)
            if self._closed:
                return None
            if self._free:
                return self._free.pop()
            self._opened += 1
        try:
            return connect()
        except BaseException:
            with self._changed:
                self._opened -= 1
                self._changed.notify_all()
            raise

    def release(self, connection: sqlite3.Connection) -> None:
        """Gives a connection back."""
        with self._changed:
            self._free.append(connection)
            self._changed.notify_all()

    def close(self, *, but: int = 0) -> None:
        """Gives out no more and waits until all `but` so many are back; whoever opened them closes them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._free) >= self._opened - but)
