"""Output files that rows are appended to, and that an interrupted run's successor goes on with."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from romaine.bulk.records import Record
from romaine.errors import OptionError
from romaine.processes import Bytes, Place

FORMATS = (".npy", ".jsonl", ".parquet")


class RowFile(Protocol):
    """A file under construction.

    Attributes:
        rows: How many it holds.
    """

    rows: int

    def place(self, rows: int) -> Place | None:
        """Where another process may put the rows after those that have a place; None if nobody can know."""
        ...

    def append(self, data: Bytes | None, rows: int) -> None:
        """Adds rows that the function of this format made; None for those that are in their place."""
        ...

    def finish(self, out: Path) -> None:
        """Gives the file its form and its name."""
        ...

    def close(self) -> None:
        """Ends this run, finished or not."""
        ...


def rows_of_format(suffix: str) -> Callable[[list[Record], NDArray[Any]], Bytes]:
    """What makes the bytes of some rows in the format with this ending.

    Raises:
        OptionError: If there is no such format.
        MissingExtraError: If it is Parquet, and pyarrow is not installed.
    """
    if suffix not in FORMATS:
        raise OptionError(f"an output file cannot end in {suffix!r}; it must be one of {', '.join(FORMATS)}")
    if suffix == ".parquet":
        from romaine.bulk.parquet import parquet_rows

        return parquet_rows
    return npy_rows if suffix == ".npy" else jsonl_rows


def open_part(path: Path, suffix: str, sample: NDArray[Any]) -> RowFile:
    """Opens a file to be appended to, keeping the whole rows that are there.

    Args:
        path: Where it is until it is finished.
        suffix: The ending of its format.
        sample: Vectors as they will come, (0, columns).
    """
    if suffix == ".parquet":
        from romaine.bulk.parquet import ParquetRows

        return ParquetRows(path, sample)
    return NpyFile(path, sample) if suffix == ".npy" else JsonlFile(path)


def jsonl_rows(records: list[Record], vectors: NDArray[Any]) -> bytes:
    """One object `{"id": ..., "embedding": [...]}` a line."""
    rows = zip(records, vectors.tolist(), strict=True)
    return b"".join(
        json.dumps({"id": record.id, "embedding": vector}).encode() + b"\n" for record, vector in rows
    )


def npy_rows(records: list[Record], vectors: NDArray[Any]) -> memoryview:
    """The numbers alone."""
    del records
    return vectors.data


class JsonlFile:
    """Lines, appended to what an interrupted run left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+b")
        self.rows = 0
        keep = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):  # the interrupted run was in the middle of it
                break
            self.rows, keep = self.rows + 1, keep + len(line)
        self._file.truncate(keep)

    def place(self, rows: int) -> Place | None:
        """Nowhere: how long lines are is known when they are there."""
        del rows
        return None

    def append(self, data: Bytes | None, rows: int) -> None:
        """Adds lines."""
        self._file.write(data or b"")
        self.rows += rows

    def finish(self, out: Path) -> None:
        """Names it."""
        self._file.close()
        self._path.replace(out)

    def close(self) -> None:
        """Closes it."""
        self._file.close()


class NpyFile:
    """A .npy file whose header always says how many of the rows that follow are there.

    Processes put rows at their places, some before those in front of them; what is there without the header
    saying so is made again.
    """

    def __init__(self, path: Path, sample: NDArray[Any]) -> None:
        self._path, self._sample = path, sample
        self._row_bytes: int = sample.shape[1] * sample.itemsize
        # without a buffer: what other processes write must not be written over
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        self.rows, size = _rows_said(self._file), self._file.seek(0, os.SEEK_END)
        self._begin = self._write_header()
        self.rows = min(self.rows, max(0, size - self._begin) // self._row_bytes)
        self._write_header()
        self._placed = self.rows
        self._file.truncate(self._at(self.rows))

    def place(self, rows: int) -> Place | None:
        """After the places given before."""
        self._placed += rows
        return Place(path=self._path, begin=self._at(self._placed - rows))

    def append(self, data: Bytes | None, rows: int) -> None:
        """Adds numbers."""
        if data is not None:
            Place(path=self._path, begin=self._at(self.rows)).write(data)
        self.rows += rows
        self._write_header()

    def finish(self, out: Path) -> None:
        """Names it."""
        self._file.close()
        self._path.replace(out)

    def close(self) -> None:
        """Closes it."""
        self._file.close()

    def _at(self, row: int) -> int:
        return self._begin + row * self._row_bytes

    def _write_header(self) -> int:
        """Returns its length, which stays the same: numpy leaves room for any number of rows."""
        facts = np.lib.format.header_data_from_array_1_0(self._sample)
        facts["shape"] = (self.rows, self._sample.shape[1])
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, facts)
        self._file.seek(0)
        self._file.write(header.getvalue())
        return len(header.getvalue())


def _rows_said(file: IO[bytes]) -> int:
    try:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
    except ValueError:  # a new file, or one whose run ended before it had a header
        return 0
    return int(shape[0])
