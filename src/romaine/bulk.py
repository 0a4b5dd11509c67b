"""Embeds streams too large for memory into a file, and goes on where an interrupted run stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from romaine.embedder import Embedder
from romaine.errors import InputFileError, OptionError, UnknownNameError

_TEXTS_PER_STEP = 8192
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


class _JsonlFile:
    """One object `{"id": ..., "embedding": [...]}` a line, appended to what an interrupted run left."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self.rows = 0
        keep = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):  # the interrupted run was in the middle of it
                break
            self.rows, keep = self.rows + 1, keep + len(line)
        self._file.truncate(keep)

    def append(self, records: list[Record], vectors: NDArray[Any]) -> None:
        self._file.write(b"".join(jsonl_rows(records, vectors)))
        self.rows += len(records)

    def close(self) -> None:
        self._file.close()


def jsonl_rows(records: list[Record], vectors: NDArray[Any]) -> Iterator[bytes]:
    """The output lines of some records, newline included."""
    for record, vector in zip(records, vectors, strict=True):
        yield json.dumps({"id": record.id, "embedding": vector.tolist()}).encode() + b"\n"


class _NpyFile:
    """A .npy file whose header is written again when the number of rows is known."""

    def __init__(self, path: Path, sample: NDArray[Any]) -> None:
        self._sample = sample
        row_bytes = sample.shape[1] * sample.itemsize
        self._file = path.open("r+b" if path.exists() else "w+b")
        size = self._file.seek(0, os.SEEK_END)
        self.rows = 0
        begin = self._write_header()
        self.rows = max(0, size - begin) // row_bytes
        self._file.truncate(begin + self.rows * row_bytes)
        self._file.seek(0, os.SEEK_END)

    def append(self, records: list[Record], vectors: NDArray[Any]) -> None:
        del records
        self._file.write(np.ascontiguousarray(vectors, dtype=self._sample.dtype).tobytes())
        self.rows += len(vectors)

    def close(self) -> None:
        self._write_header()
        self._file.close()

    def _write_header(self) -> int:
        """Returns its length, which stays the same: numpy leaves room for any number of rows."""
        self._file.seek(0)
        facts = np.lib.format.header_data_from_array_1_0(self._sample)
        facts["shape"] = (self.rows, self._sample.shape[1])
        np.lib.format.write_array_header_1_0(self._file, facts)
        return self._file.tell()


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
    settings = {
        "fingerprint": embedder.fingerprint,
        "dim": embedder.dim,
        "precision": embedder.precision.value,
        "role": role,
    }
    _claim_part(part, note, settings, resume=resume, overwrite=overwrite)
    file = _NpyFile(part, embedder.embed_documents([])) if out.suffix == ".npy" else _JsonlFile(part)
    try:
        source = iter(records)
        skipped = sum(1 for _ in islice(source, file.rows))
        if skipped < file.rows:
            raise InputFileError(
                f"the input has {skipped} texts, but {part} already holds {file.rows}: it is another input"
            )
        on_progress(skipped)
        for batch, vectors in embed_in_steps(embedder, source, role=role):
            file.append(batch, vectors)
            on_progress(len(batch))
    finally:
        file.close()
    part.replace(out)
    note.unlink()
    return file.rows


def _claim_part(part: Path, note: Path, settings: dict[str, Any], *, resume: bool, overwrite: bool) -> None:
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
        if begun_with != settings:
            raise OptionError(
                f"{part} was begun with {begun_with}, now it is {settings};"
                " use the same settings or --overwrite"
            )
    else:
        note.write_text(json.dumps(settings))
