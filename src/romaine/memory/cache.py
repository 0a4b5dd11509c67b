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

    Sizes are noted as values grow: asking hundreds of indexes after each write would hold up every recall.

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
        self._sizes: dict[Key, int] = {}
        self._held = 0
        self._lock = threading.Lock()

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    @property
    def nbytes(self) -> int:
        """Bytes held by all values, as last noted."""
        return self._held

    def get_or_put(self, key: Key, make: Callable[[], Value]) -> Value:
        """Returns the value of `key`, made if it is not there; of two threads that ask, one makes it."""
        with self._lock:
            value = self._values.get(key)
            if value is None:
                self._values[key] = value = make()
                self._note(key)
            self._values.move_to_end(key)
            return value

    def note_growth(self, key: Key) -> None:
        """Notes the size that a value has now, and drops others until the limit holds."""
        with self._lock:
            if key in self._values:
                self._note(key)

    def clear(self) -> None:
        """Drops everything."""
        with self._lock:
            self._values.clear()
            self._sizes.clear()
            self._held = 0

    def _note(self, key: Key) -> None:
        size = self._values[key].nbytes
        self._held += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        while self._held > self.limit_bytes and len(self._values) > 1:
            oldest, _ = self._values.popitem(last=False)
            self._held -= self._sizes.pop(oldest)
