"""Output files that rows are appended to, and that an interrupted run's successor goes on with."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from romaine.bulk.records import Record
from romaine.errors import OptionError

FORMATS = (".npy", ".jsonl", ".parquet")


class RowFile(Protocol):
    """A file under construction.

    Attributes:
        rows: How many it holds.
    """

    rows: int

    def append(self, data: bytes, rows: int) -> None:
        """Adds rows that the function of this format made."""
        ...

    def close(self) -> None:
        """Ends this run, finished or not."""
        ...

    def finish(self, out: Path) -> None:
        """Gives the closed file its form and its name."""
        ...


def rows_of_format(suffix: str) -> Callable[[list[Record], NDArray[Any]], bytes]:
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


def npy_rows(records: list[Record], vectors: NDArray[Any]) -> bytes:
    """The numbers alone."""
    del records
    return vectors.tobytes()


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

    def append(self, data: bytes, rows: int) -> None:
        """Adds lines."""
        self._file.write(data)
        self.rows += rows

    def close(self) -> None:
        """Closes it."""
        self._file.close()

    def finish(self, out: Path) -> None:
        """Names it."""
        self._path.replace(out)


class NpyFile:
    """A .npy file whose header is written again when the number of rows is known."""

    def __init__(self, path: Path, sample: NDArray[Any]) -> None:
        self._path, self._sample = path, sample
        row_bytes = sample.shape[1] * sample.itemsize
        self._file = path.open("r+b" if path.exists() else "w+b")
        size = self._file.seek(0, os.SEEK_END)
        self.rows = 0
        begin = self._write_header()
        self.rows = max(0, size - begin) // row_bytes
        self._file.truncate(begin + self.rows * row_bytes)
        self._file.seek(0, os.SEEK_END)

    def append(self, data: bytes, rows: int) -> None:
        """Adds numbers."""
        self._file.write(data)
        self.rows += rows

    def close(self) -> None:
        """Says in the header how many rows there are, and closes it."""
        self._write_header()
        self._file.close()

    def finish(self, out: Path) -> None:
        """Names it."""
        self._path.replace(out)

    def _write_header(self) -> int:
        """Returns its length, which stays the same: numpy leaves room for any number of rows."""
        self._file.seek(0)
        facts = np.lib.format.header_data_from_array_1_0(self._sample)
        facts["shape"] = (self.rows, self._sample.shape[1])
        np.lib.format.write_array_header_1_0(self._file, facts)
        return self._file.tell()
