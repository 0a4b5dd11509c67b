"""The texts of an input, one record each: lines, JSONL or Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import IO, Any, Protocol, runtime_checkable

from romaine.errors import InputFileError


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
class Block:
    """A stretch of an input that is only parsed where it is embedded, perhaps in another process.

    Attributes:
        rows: Texts in it, at least one.
        read: Gives them, after those to be skipped; can be pickled.
        skip: How many are to be skipped.
    """

    rows: int
    read: Callable[[], Iterable[Record]]
    skip: int = 0

    def records(self) -> list[Record]:
        """Its texts."""
        return list(islice(self.read(), self.skip, None))

    def without(self, rows: int) -> Block:
        """What is left of it after so many rows, which are not all of them."""
        return replace(self, rows=self.rows - rows, skip=self.skip + rows)


@runtime_checkable
class Input(Protocol):
    """What can be cut into blocks."""

    def blocks(self, rows: int) -> Iterator[Block]:
        """All of it from its beginning, in blocks of up to so many rows."""
        ...


class GivenRecords:
    """Records that are there already, or made one after another."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = records

    def blocks(self, rows: int) -> Iterator[Block]:
        """As `Input.blocks`."""
        source = iter(self._records)
        while some := list(islice(source, rows)):
            yield Block(rows=len(some), read=partial(iter, some))


class LineFile:
    """An open file of texts, one a line, in UTF-8; other bytes stay apart in the text.

    Args:
        file: Where it is read, once.
        field: Where the text stands in lines of JSON; None if lines are texts.
    """

    def __init__(self, file: IO[bytes], *, field: str | None = None) -> None:
        self._file, self._field = file, field

    def blocks(self, rows: int) -> Iterator[Block]:
        """As `Input.blocks`."""
        first = 0
        while lines := list(islice(self._file, rows)):
            texts = len(lines) if self._field is None else sum(map(_is_text, lines))
            if texts:
                yield Block(rows=texts, read=partial(_parsed, b"".join(lines), self._field, first))
            first += len(lines)


def _is_text(line: bytes) -> bool:
    """Whether `read_jsonl` does not skip it."""
    return line[:1] in b'{"' or not _decoded(line).isspace()


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _parsed(data: bytes, field: str | None, first: int) -> Iterator[Record]:
    lines = io.StringIO(_decoded(data), newline="\n")
    return read_lines(lines, first=first) if field is None else read_jsonl(lines, field=field, first=first)


def read_lines(lines: Iterable[str], *, first: int = 0) -> Iterator[Record]:
    """Reads one text a line. Empty lines are empty texts, so that row and line numbers agree.

    Args:
        lines: An open file, or a stretch of one.
        first: Number of the first line, counted from 0.
    """
    for number, line in enumerate(lines, first):
        yield Record(text=line.rstrip("\r\n"), id=number)


def read_jsonl(lines: Iterable[str], *, field: str = "text", first: int = 0) -> Iterator[Record]:
    """Reads one JSON object (with `field` and perhaps "id") or JSON string a line; blank lines are skipped.

    Args:
        lines: An open file, or a stretch of one.
        field: Where the text stands in an object.
        first: Number of the first line, counted from 0.

    Raises:
        InputFileError: Naming the line that is not JSON or has no text.
    """
    for number, line in enumerate(lines, first):
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
