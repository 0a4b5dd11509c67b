"""A lock that readers share, and turns that threads take."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SharedLock:
    """Many threads may hold it shared, or one alone. Held shared, it may be taken shared again."""

    def __init__(self) -> None:
        self._condition = threading.Condition(threading.Lock())
        self._sharing = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Waits for who holds it alone."""
        with self._condition:
            self._sharing += 1
        try:
            yield
        finally:
            with self._condition:
                self._sharing -= 1
                if not self._sharing:
                    self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits for all others; not to be taken by a thread that holds it shared."""
        with self._condition:
            while self._sharing:
                self._condition.wait()
            yield


class Turns:
    """Turns that threads take in what keeps the interpreter busy.

    It runs one thread at a time. Threads that all compute by calls of microseconds, each of which lets go of
    the interpreter, spend as much time waking each other as computing; one after the other they spend none.
    What takes longer outside the interpreter, or may wait for something, is done `aside`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Waits for its turn; not to be taken by a thread that has one. Without a GIL nobody waits."""
        if not _HAS_GIL:
            yield
            return
        with self._lock:
            _own.turn = self._lock
            try:
                yield
            finally:
                _own.turn = None


@contextmanager
def aside() -> Iterator[None]:
    """Gives the thread's turn away meanwhile, if it has one."""
    lock: threading.Lock | None = getattr(_own, "turn", None)
    if lock is None:
        yield
        return
    _own.turn = None
    lock.release()
    try:
        yield
    finally:
        lock.acquire()
        _own.turn = lock


_own = threading.local()
_HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
