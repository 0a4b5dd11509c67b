"""A bounded store of indexes: the least recently used make room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from romaine.errors import OptionError


class Sized(Protocol):
    """Anything that knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ...


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value", bound=Sized)


class IndexCache(Generic[Key, Value]):
    """Keeps what was used last within a limit of bytes. Safe to call from many threads.

    Args:
        limit_bytes: How much may be held. One value larger than that is held all the same, alone, because it
            is needed to answer at all.

    Raises:
        OptionError: If the limit is negative.
    """

    def __init__(self, limit_bytes: int) -> None:
        if limit_bytes < 0:
            raise OptionError(f"limit_bytes={limit_bytes!r} is not possible: it must be 0 or more")
        self.limit_bytes = limit_bytes
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held by all values."""
        with self._lock:
            return sum(value.nbytes for value in self._values.values())

    def get_or_put(self, key: Key, make: Callable[[], Value]) -> Value:
        """Returns the value of `key`, made if it is not there; of two threads that ask, one makes it."""
        with self._lock:
            value = self._values.get(key)
            if value is None:
                self._values[key] = value = make()
                self._evict()
            self._values.move_to_end(key)
            return value

    def trim(self) -> None:
        """Drops values until the limit holds; to be called after values have grown."""
        with self._lock:
            self._evict()

    def clear(self) -> None:
        """Drops everything."""
        with self._lock:
            self._values.clear()

    def _evict(self) -> None:
        held = sum(value.nbytes for value in self._values.values())
        while held > self.limit_bytes and len(self._values) > 1:
            _, dropped = self._values.popitem(last=False)
            held -= dropped.nbytes
