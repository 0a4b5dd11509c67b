"""Arrays that grow at the end, for indexes that gain a row with every turn of a chat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from romaine.arrays import FloatArray, empty_aligned

BLOCK_ROWS = 32_768
"""Up to this many vectors lie in one block, which is copied when it grows; later ones lie in others."""


_PIECE_ROWS = 256


class Column:
    """A numpy array that rows can be appended to in amortised constant time.

    Args:
        dtype: Type of an element.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._array: NDArray[Any] = np.zeros(0, dtype=dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> NDArray[Any]:
        """The rows, (n,): a view, valid until the next `append`."""
        return self._array[: self._length]

    @property
    def nbytes(self) -> int:
        """Bytes of the rows; room for growth takes no memory before it is written to."""
        return self._length * self._array.itemsize

    def append(self, rows: NDArray[Any]) -> None:
        """Adds rows (n,) at the end."""
        needed = self._length + len(rows)
        if needed > len(self._array):
            grown = np.empty(max(needed * 3 // 2, 16), dtype=self._array.dtype)
            grown[: self._length] = self.values
            self._array = grown
        self._array[self._length : needed] = rows
        self._length = needed

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the rows where `mask` (n,) is False, in order."""
        self._array = self.values[mask]
        self._length = len(self._array)


class Columns:
    """Named columns of one length. Apart, for a query reads one column of a few rows, not rows as a whole.

    Args:
        dtype: A structured type: the columns' names and types, one at least.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._columns = {name: Column(dtype[name]) for name in dtype.names or ()}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A column, (n,): a view, valid until the next `append`, and may be written to."""
        return self._columns[name].values

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return sum(column.nbytes for column in self._columns.values())

    def append(self, rows: NDArray[Any]) -> None:
        """Adds rows at the end, a structured array (n,)."""
        for name, column in self._columns.items():
            column.append(rows[name])

    def replace(self, at: NDArray[np.intp], rows: NDArray[Any]) -> None:
        """Gives the rows `at` (n,) other values, a structured array (n,)."""
        for name, column in self._columns.items():
            column.values[at] = rows[name]

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the rows where `mask` (n,) is False, in order."""
        for column in self._columns.values():
            column.keep(mask)


class Vectors:
    """Vectors in blocks: a scope of hundreds of megabytes gains a row without being copied.

    Args:
        width: Components of a vector.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._blocks: list[FloatArray] = []  # the last one may have room
        self._starts = [0]  # row of each block's first, and of the first one yet to come

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors; room for growth takes no memory before it is written to."""
        return len(self) * self._width * np.dtype(np.float32).itemsize

    def append(self, rows: FloatArray) -> None:
        """Adds rows (n, width) at the end. Many at a time may be kept as the array they come in."""
        done = self._fill(rows)
        if len(rows) - done >= BLOCK_ROWS and not done and rows.base is None and rows.flags.c_contiguous:
            # A scope being loaded: its vectors are hundreds of megabytes, and copying them costs seconds.
            self._add_block(np.asarray(rows, dtype=np.float32), len(rows))
        elif done < len(rows):
            rest = rows[done:]
            block = empty_aligned(max(len(rest), BLOCK_ROWS), self._width)
            block[: len(rest)] = rest
            self._add_block(block, len(rest))

    def replace(self, at: NDArray[np.intp], rows: FloatArray) -> None:
        """Gives the rows `at` (n,) other vectors, (n, width)."""
        for block, inside, places in self._parts(at):
            block[inside] = rows[places]

    def take(self, at: NDArray[np.intp]) -> FloatArray:
        """The rows `at` (n,), copied: (n, width)."""
        if len(self._blocks) == 1:
            return self._blocks[0][at]
        taken = np.empty((len(at), self._width), dtype=np.float32)
        for block, inside, places in self._parts(at):
            taken[places] = block[inside]
        return taken

    def pieces(self, at: NDArray[np.intp]) -> Iterator[tuple[FloatArray, NDArray[np.intp] | slice]]:
        """The rows `at` (n,) with their places in `at`, copied so few at a time that they stay in a cache."""
        for block, inside, places in self._parts(at):
            for start in range(0, len(inside), _PIECE_ROWS):
                some = slice(start, start + _PIECE_ROWS)
                yield block[inside[some]], some if isinstance(places, slice) else places[some]

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """The vectors block by block, each with the rows it stands for."""
        for start, end, block in zip(self._starts, self._starts[1:], self._blocks, strict=False):
            yield slice(start, end), block[: end - start]

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the rows where `mask` (n,) is False, in order."""
        kept = [block if mask[where].all() else block[mask[where]] for where, block in self.blocks()]
        self._blocks, self._starts = [], [0]
        for block in kept:
            if len(block) >= BLOCK_ROWS // 2:
                self._add_block(block, len(block))
            else:
                self.append(block)

    def _fill(self, rows: FloatArray) -> int:
        """Puts rows where there is room in the last block, which grows while it is small and alone."""
        if not self._blocks:
            if len(rows) >= BLOCK_ROWS:
                return 0
            self._add_block(empty_aligned(len(rows), self._width), 0)
        start, end = self._starts[-2:]
        block, needed = self._blocks[-1], end - start + len(rows)
        if len(block) < needed <= BLOCK_ROWS:
            grown = empty_aligned(min(max(needed * 3 // 2, 16), BLOCK_ROWS), self._width)
            grown[: end - start] = block[: end - start]
            self._blocks[-1] = block = grown
        taken = min(len(rows), len(block) - (end - start))
        block[end - start : end - start + taken] = rows[:taken]
        self._starts[-1] += taken
        return taken

    def _add_block(self, block: FloatArray, used: int) -> None:
        self._blocks.append(block)
        self._starts.append(self._starts[-1] + used)

    def _parts(
        self, at: NDArray[np.intp]
    ) -> Iterator[tuple[FloatArray, NDArray[np.intp], NDArray[np.intp] | slice]]:
        """Each block that holds some of the rows `at`, with their places in the block and in `at`."""
        if len(self._blocks) == 1:
            yield self._blocks[0], at, slice(None)
            return
        which = np.searchsorted(self._starts, at, side="right") - 1
        for number in np.unique(which).tolist():
            places = np.flatnonzero(which == number)
            yield self._blocks[number], at[places] - self._starts[number], places
