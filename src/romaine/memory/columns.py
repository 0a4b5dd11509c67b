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
        """Adds rows (n,) or (n, width) at the end."""
        needed = self._length + len(rows)
        if needed > len(self._array):
            # An empty column takes its first rows as they are many (a scope being loaded) without waste.
            capacity = needed if self._length == 0 else max(needed, len(self._array) * 3 // 2, 16)
            grown = np.empty((capacity, *self._array.shape[1:]), dtype=self._array.dtype)
            grown[: self._length] = self.values
            self._array = grown
        self._array[self._length : needed] = rows
        self._length = needed

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the rows where `mask` (n,) is False, in order."""
        self._array = self.values[mask]
        self._length = len(self._array)
