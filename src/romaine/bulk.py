"""Embeds streams too large for memory into a file, and goes on where an interrupted run stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from romaine.embedder import Embedder
from romaine.errors import InputFileError, OptionError, UnknownNameError

_TEXTS_PER_STEP = 8192
_NPY_HEADER_BYTES = 128  # numpy pads headers to a multiple of 64; 128 holds every shape there can be
_FORMATS = (".npy", ".jsonl")
_ROLES = ("document", "query")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One text of the input.

    Attributes:
        text: What is embedded.
        id: The input's own id for it, or its number counted from 0.
    """

    text: str
    id: Any


@dataclass(frozen=True, kw_only=True)
class BulkSettings:
    """What must be the same for a run to be resumed; kept beside the unfinished file."""

    fingerprint: str
    dim: int
    precision: str
    role: str


def read_lines(stream: IO[str]) -> Iterator[Record]:
    """Reads one text a line. Empty lines are empty texts, so that row and line numbers agree."""
    for number, line in enumerate(stream):
        yield Record(text=line.rstrip("\r\n"), id=number)


def read_jsonl(stream: IO[str], *, field: str = "text") -> Iterator[Record]:
    """Reads one JSON object (with `field` and perhaps "id") or JSON string a line; blank lines are skipped.

    Raises:
        InputFileError: Naming the line that is not JSON or has no text.
    """
    for number, line in enumerate(stream):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise InputFileError(f"line {number + 1} is not JSON ({reason})") from None
        text = value.get(field) if isinstance(value, dict) else value
        if not isinstance(text, str):
            raise InputFileError(
                f"line {number + 1} has no text: a JSON string or an object with a string"
                f" under {field!r} is needed"
            )
        yield Record(text=text, id=value.get("id", number) if isinstance(value, dict) else number)


class _Writer(Protocol):
    """Appends vectors to an unfinished file."""

    def rows_done(self) -> int: ...
    def append(self, records: list[Record], vectors: NDArray[Any]) -> None: ...
    def close(self) -> None: ...


class _JsonlWriter:
    """One object `{"id": ..., "embedding": [...]}` a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self._done = 0
        keep = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):  # the interrupted run was in the middle of it
                break
            self._done, keep = self._done + 1, keep + len(line)
        self._file.truncate(keep)

    def rows_done(self) -> int:
        return self._done

    def append(self, records: list[Record], vectors: NDArray[Any]) -> None:
        self._file.write(b"".join(jsonl_rows(records, vectors)))

    def close(self) -> None:
        self._file.close()


def jsonl_rows(records: list[Record], vectors: NDArray[Any]) -> Iterator[bytes]:
    """The output lines of some records, newline included."""
    for record, vector in zip(records, vectors, strict=True):
        yield json.dumps({"id": record.id, "embedding": vector.tolist()}).encode() + b"\n"


class _NpyWriter:
    """A .npy file whose header is written again when the number of rows is known."""

    def __init__(self, path: Path, *, columns: int, dtype: np.dtype[Any]) -> None:
        self._columns, self._dtype = columns, dtype
        self._file = path.open("r+b" if path.exists() else "w+b")
        size = self._file.seek(0, os.SEEK_END)
        self._done = max(0, size - _NPY_HEADER_BYTES) // (columns * dtype.itemsize)
        if size < _NPY_HEADER_BYTES:
            self._write_header()
        self._file.truncate(_NPY_HEADER_BYTES + self._done * columns * dtype.itemsize)
        self._file.seek(0, os.SEEK_END)

    def rows_done(self) -> int:
        return self._done

    def append(self, records: list[Record], vectors: NDArray[Any]) -> None:
        del records
        self._file.write(np.ascontiguousarray(vectors, dtype=self._dtype).tobytes())
        self._done += len(vectors)

    def close(self) -> None:
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        fields = f"{{'descr': {np.lib.format.dtype_to_descr(self._dtype)!r}, 'fortran_order': False, "
        fields += f"'shape': ({self._done}, {self._columns}), }}"
        magic = np.lib.format.magic(1, 0)
        room = _NPY_HEADER_BYTES - len(magic) - 2
        header = fields.encode().ljust(room - 1) + b"\n"
        self._file.write(magic + room.to_bytes(2, "little") + header)


def embed_in_steps(
    embedder: Embedder, records: Iterable[Record], *, role: str = "document"
) -> Iterator[tuple[list[Record], NDArray[Any]]]:
    """Embeds `records` a few thousand at a time.

    Args:
        embedder: Gives the vectors.
        records: The texts.
        role: "document" or "query".

    Yields:
        Records and their vectors, (n, columns) in the embedder's precision.

    Raises:
        UnknownNameError: If there is no such role.
    """
    if role not in _ROLES:
        raise UnknownNameError("role", role, _ROLES)
    embed = embedder.embed_queries if role == "query" else embedder.embed_documents
    source = iter(records)
    while batch := list(islice(source, _TEXTS_PER_STEP)):
        yield batch, embed([record.text for record in batch])


def embed_to_file(
    embedder: Embedder,
    records: Iterable[Record],
    out: Path,
    *,
    role: str = "document",
    resume: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Embeds `records` into `out`, holding a few thousand of them in memory at a time.

    Until all is done the vectors stand in `OUT.part`, with the settings in `OUT.part.json`.

    Args:
        embedder: Gives the vectors.
        records: The texts; when resuming, from the beginning again.
        out: A .npy file (array as the embedder's precision says) or .jsonl file.
        role: "document" or "query".
        resume: Go on with `OUT.part` if it is there.
        overwrite: Replace `out` or `OUT.part`.
        on_progress: Called with the number of rows of each step, those skipped included.

    Returns:
        Rows in `out`.

    Raises:
        OptionError: If `out` has another ending, exists, or `OUT.part` was made with other settings.
        InputFileError: If the input ends before the rows already done.
    """
    if out.suffix not in _FORMATS:
        raise OptionError(f"{out.name}: the ending must be one of {', '.join(_FORMATS)}")
    part = out.with_name(out.name + ".part")
    note = out.with_name(out.name + ".part.json")
    if not overwrite and out.exists():
        raise OptionError(f"{out} exists; choose another name or pass --overwrite")
    settings = BulkSettings(
        fingerprint=embedder.fingerprint, dim=embedder.dim, precision=embedder.precision.value, role=role
    )
    _claim_part(part, note, settings, resume=resume, overwrite=overwrite)
    writer = _open_writer(part, out.suffix, embedder.embed_documents([]))
    try:
        source = iter(records)
        done = writer.rows_done()
        skipped = sum(1 for _ in islice(source, done))
        if skipped < done:
            raise InputFileError(
                f"the input has {skipped} texts, but {part} already holds {done}: it is another input"
            )
        on_progress(skipped)
        for batch, vectors in embed_in_steps(embedder, source, role=role):
            writer.append(batch, vectors)
            done += len(batch)
            on_progress(len(batch))
    finally:
        writer.close()
    part.replace(out)
    note.unlink()
    return done


def _claim_part(part: Path, note: Path, settings: BulkSettings, *, resume: bool, overwrite: bool) -> None:
    """Makes sure an unfinished file is only continued with the settings it was begun with."""
    if part.exists() and not resume:
        if not overwrite:
            raise OptionError(
                f"{part} is an interrupted run; pass --resume to go on with it or --overwrite to begin anew"
            )
        part.unlink()
    if part.exists():
        try:
            begun_with = json.loads(note.read_text())
        except (OSError, ValueError):
            raise OptionError(
                f"{note} is missing or damaged, so {part} cannot be resumed; pass --overwrite"
            ) from None
        if begun_with != asdict(settings):
            raise OptionError(
                f"{part} was begun with {begun_with}, now it is {asdict(settings)};"
                " use the same settings or --overwrite"
            )
    else:
        note.write_text(json.dumps(asdict(settings)))


def _open_writer(part: Path, suffix: str, sample: NDArray[Any]) -> _Writer:
    if suffix == ".npy":
        return _NpyWriter(part, columns=sample.shape[1], dtype=sample.dtype)
    return _JsonlWriter(part)
