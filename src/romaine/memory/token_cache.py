"""Vectors of tokens that recalls of one scope looked at lately."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

_EACH = 120  # bytes that a row takes besides its vectors, about


class TokenCache:
    """Packed vectors of tokens by row, the least recently used of which make room. Safe for many threads.

    Args:
        limit_bytes: How much is held.
    """

    def __init__(self, limit_bytes: int = 32 << 20) -> None:
        self._limit = limit_bytes
        self._packed: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.nbytes = 0

    def get(self, row_ids: Iterable[int]) -> dict[int, bytes]:
        """Those of some rows that are here."""
        with self._lock:
            packed = self._packed
            found = {row_id: packed[row_id] for row_id in row_ids if row_id in packed}
            if 2 * self.nbytes > self._limit:  # until then none has to make room soon
                for row_id in found:
                    packed.move_to_end(row_id)
            return found

    def put(self, packed: Mapping[int, bytes]) -> None:
        """Keeps those of some rows."""
        with self._lock:
            self._drop(packed)
            self._packed.update(packed)
            self.nbytes += sum(map(len, packed.values())) + _EACH * len(packed)
            while self.nbytes > self._limit and self._packed:
                self._drop([next(iter(self._packed))])

    def drop(self, row_ids: Iterable[int]) -> None:
        """Forgets those of some rows, which have changed."""
        with self._lock:
            self._drop(row_ids)

    def _drop(self, row_ids: Iterable[int]) -> None:
        for row_id in row_ids:
            gone = self._packed.pop(row_id, None)
            if gone is not None:
                self.nbytes -= len(gone) + _EACH
