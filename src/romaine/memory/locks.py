"""A lock that readers share."""

from __future__ import annotations

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
