"""The texts of an input, one record each: lines, JSONL or Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

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
