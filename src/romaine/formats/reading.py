"""What every reader needs: bounded JSON, fields of any type, names for macros, ids that never repeat."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO

from romaine.errors import FormatError
from romaine.formats.budget import Budget
from romaine.formats.json_cost import WORST_GROWTH, close_cost, rough_cost, text_cost
from romaine.formats.result import Skipped

#: Longest JSON document that is read, in bytes; `romaine.formats.budget` says what it may take in memory.
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
#: Longest line of a JSONL file, in bytes: a message with hundreds of swipes has room.
MAX_LINE_BYTES = 32 * 1024 * 1024

#: The user's and the character's name where neither the file nor the caller gives one.
UNNAMED_USER = "User"
UNNAMED_CHARACTER = "Character"

#: ASCII, because a long s would match the s of user.
_MACRO = re.compile(r"\{\{\s*(user|char)\s*\}\}", re.IGNORECASE | re.ASCII)
#: What stands between two macros takes this in memory besides its characters, while a text is put together.
_PIECE_BYTES = 64
#: Looking closely at a document takes it and two more of it.
_LOOKING = 3
#: The document and its text, of characters of four bytes.
_WIDEST = 5
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the caller of a reader may say.

    Attributes:
        user_name: The user's name, over the one in the file.
        character_name: The character's name, over the one in the file.
        include_hidden: Whether messages that their app hides from the model become turns too.
        book_name: What to call a lorebook that has no name of its own; most often its file's name.
        budget: What reading the file may take; the same one whatever names are filled in.
    """

    user_name: str | None = None
    character_name: str | None = None
    include_hidden: bool = False
    book_name: str | None = None
    budget: Budget = field(default_factory=Budget, compare=False, repr=False)

    def known_as(self, *, user: str | None = None, character: str | None = None) -> ReadOptions:
        """Returns these options with the file's names where the caller gave none."""
        return replace(
            self,
            user_name=self.user_name or user,
            character_name=self.character_name or character,
        )

    def fill(self, text: str) -> str:
        """Puts the names in place of ``{{user}}`` and ``{{char}}``; one whose name is unknown stays.

        Raises:
            FormatError: If the text would become longer than `budget` allows.
        """
        if "{{" not in text:
            return text
        names = {"user": self.user_name or "", "char": self.character_name or ""}
        longest = max(map(len, names.values()))
        most = text.count("{{") * (4 * longest + _PIECE_BYTES) + 8 * len(text)
        if most > self.budget.room and not self._has_macros(text, names):
            return text
        return _MACRO.sub(lambda macro: names[macro[1].lower()] or macro[0], text)

    def _has_macros(self, text: str, names: Mapping[str, str]) -> bool:
        """Tells whether there is anything to fill in, after checking that there is room for it."""
        counts = Counter(macro[1].lower() for macro in _MACRO.finditer(text))
        counts = Counter({macro: count for macro, count in counts.items() if names[macro]})
        if not counts:
            return False
        length = sum(count * len(names[macro]) for macro, count in counts.items())
        is_narrow = text.isascii() and all(map(str.isascii, names.values()))
        told = " and ".join(
            f"{{{{{macro}}}}} {count:,} times for a name of {len(names[macro]):,} characters"
            for macro, count in counts.items()
        )
        self.budget.check(
            (2 * len(text) + length) * (1 if is_narrow else 4) + sum(counts.values()) * _PIECE_BYTES,
            f"a text with {told}",
        )
        return True


def parse_json(data: bytes, where: str, budget: Budget | None = None, *, keep: bool = False) -> Any:
    """Parses UTF-8 JSON, with or without a byte order mark.

    NaN and infinities, which JSON does not have but Python writes, become None.

    Args:
        data: The JSON.
        where: What it is, for errors.
        budget: What reading the file may take; the length of the data is granted to it. None for what the
            data alone may take.
        keep: Whether the value stays until the file is read.

    Raises:
        FormatError: If it is not UTF-8, not JSON, nested too deep, holds an endless number or takes more
            memory than there is.
    """
    budget = Budget() if budget is None else budget
    budget.grant(len(data))
    cost = _parsing_cost(data, where, budget, budget.room * 3 // 4 if keep else budget.room)
    try:
        value = _DECODER.decode(_decoded(data))
    except UnicodeDecodeError as error:
        raise FormatError(f"{where} is not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise FormatError(f"{where} is not valid JSON: {error}; repair or export it again") from None
    except RecursionError:
        raise FormatError(f"{where} is JSON nested too deep to be a chat or a card") from None
    except ValueError:  # an integer of more digits than Python converts
        raise FormatError(f"{where} holds a number too long to read") from None
    if keep:
        budget.spend(cost, where)
    return value


def _decoded(data: bytes) -> str:
    if data.startswith(_BYTE_ORDER_MARK):
        return str(memoryview(data)[len(_BYTE_ORDER_MARK) :], "utf-8")
    return data.decode()


def _parsing_cost(data: bytes, where: str, budget: Budget, enough: int) -> int:
    """Returns what the value takes at most, after checking that there is room to make it.

    Tells it as roughly as will do: up to `enough` bytes, nobody needs to know how many fewer it takes.
    """
    most = len(data) * WORST_GROWTH
    if most <= enough:
        return most
    cost, besides = rough_cost(data)
    if cost <= enough and cost + besides + _WIDEST * len(data) <= budget.room:
        return cost
    budget.check(len(data) * _LOOKING, where)
    cost, besides = close_cost(data)
    budget.check(len(data) + text_cost(data) + cost + besides, where)
    return cost


@contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file to read.

    Raises:
        FormatError: If it cannot be opened or read, or is no file in which one can go back.
    """
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed below, where other errors are told
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise _unreadable(path, error) from None
    with stream:
        try:
            yield stream
        except OSError as error:
            raise _unreadable(path, error) from None


def _unreadable(path: str | os.PathLike[str], error: Exception) -> FormatError:
    why = getattr(error, "strerror", None) or error
    return FormatError(f"cannot read {os.fspath(path)!r}: {why}; check the path")


def read_document(stream: BinaryIO, where: str, budget: Budget) -> Any:
    """Reads one JSON document, from its begin.

    Raises:
        FormatError: As `parse_json`, or if it is longer than `MAX_DOCUMENT_BYTES`.
    """
    size = stream.seek(0, SEEK_END)  # asked for first, because a read takes what it may read
    stream.seek(0)
    data = stream.read(size + 1) if size <= MAX_DOCUMENT_BYTES else b""
    if max(size, len(data)) > MAX_DOCUMENT_BYTES:
        raise FormatError(f"{where} is larger than {MAX_DOCUMENT_BYTES:,} bytes; split it")
    return parse_json(data, where, budget, keep=True)


def read_line(stream: BinaryIO, where: str) -> bytes:
    """Reads one line, ``b""`` at the end.

    Raises:
        FormatError: If it is longer than `MAX_LINE_BYTES`.
    """
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise FormatError(f"{where} has more than {MAX_LINE_BYTES:,} bytes; it is no JSONL file")
    return line


def read_json_lines(stream: BinaryIO, budget: Budget) -> Iterator[tuple[int, Any]]:
    """Yields the number, from 1, and the value of every line that is not blank.

    Raises:
        FormatError: As `parse_json` and `read_line`; the message names the line.
    """
    number = 1
    while line := read_line(stream, f"line {number}"):
        if not line.isspace():
            yield number, parse_json(line, f"line {number}", budget)
        number += 1


def text_field(record: Mapping[str, Any], *names: str) -> str | None:
    """Returns the first of these fields that is a string with something in it, as it is."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return None


def name_field(record: Mapping[str, Any], *names: str) -> str | None:
    """Returns the first of these fields that holds a name, without the spaces around it."""
    value = text_field(record, *names)
    return value.strip() if value else None


def object_field(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Returns a field that is an object, an empty one where it is anything else."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def list_field(record: Mapping[str, Any], name: str) -> list[Any]:
    """Returns a field that is a list, an empty one where it is anything else."""
    value = record.get(name)
    return value if isinstance(value, list) else []


def share_field(record: Mapping[str, Any], name: str, default: float) -> float:
    """Returns a field that is a number from 0 to 1, `default` where it is anything else."""
    value = record.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return default


class Skips(list[Skipped]):
    """What is left out of a file.

    Args:
        budget: What reading the file may take; every reason takes of it.
    """

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    def add(self, where: str, why: str) -> None:
        """Adds a place in the file and the reason.

        Raises:
            FormatError: If the budget has no room for one more.
        """
        self.append(self._budget.keep(Skipped(where=where, why=why)))


class UniqueIds:
    """Makes ids unique within one chat: the second of the same name gets `` #2``, the third `` #3``.

    Args:
        budget: What reading a file may take, where they are a file's ids: each takes of it.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget
        self._seen: Counter[str] = Counter()

    def claim(self, name: str) -> str:
        """Returns the name, numbered if it was claimed before.

        Raises:
            FormatError: If the budget has no room for one more.
        """
        if self._budget is not None:
            self._budget.keep_id(name)
        while True:
            self._seen[name] += 1
            times = self._seen[name]
            if times == 1:
                return name
            name = f"{name} #{times}"
