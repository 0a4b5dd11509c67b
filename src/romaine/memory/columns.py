"""Arrays that grow at the end, for indexes that gain a row with every turn of a chat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Column:
    """A numpy array that rows can be appended to in amortised constant time.

    Args:
        dtype: Type of an element.
        width: Elements of a row, or None for one.
    """

    def __init__(self, dtype: DTypeLike, width: int | None = None) -> None:
        self._array: NDArray[Any] = np.zeros((0,) if width is None else (0, width), dtype=dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> NDArray[Any]:
        """The rows, (n,) or (n, width): a view, valid until the next `append`."""
        return self._array[: self._length]

    @property
    def nbytes(self) -> int:
        """Bytes held, room for growth included."""
        return self._array.nbytes

    def append(self, rows: NDArray[Any]) -> None:
        """Adds rows (n,) or (n, width) at the end. An empty column may keep the array itself."""
        if self._length == 0 and rows.dtype == self._array.dtype and rows.base is None:
            # A scope being loaded: its vectors are hundreds of megabytes, and copying them costs seconds.
            self._array, self._length = rows, len(rows)
            return
        needed = self._length + len(rows)
        if needed > len(self._array):
            # First rows often come many at a time (a scope being loaded), and are then taken without waste.
            self._resize(needed if self._length == 0 else max(needed, len(self._array) * 3 // 2, 16))
        self._array[self._length : needed] = rows
        self._length = needed

    def reserve(self, rows: int) -> None:
        """Makes room for `rows` more, so that appending them copies nothing that is here."""
        if self._length + rows > len(self._array):
            self._resize(self._length + rows)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the rows where `mask` (n,) is False, in order."""
        self._array = self.values[mask]
        self._length = len(self._array)

    def _resize(self, capacity: int) -> None:
        grown = np.empty((capacity, *self._array.shape[1:]), dtype=self._array.dtype)
        grown[: self._length] = self.values
        self._array = grown
