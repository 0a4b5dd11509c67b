"""What every reader needs: bounded JSON, fields of any type, names for macros, ids that never repeat."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from romaine.errors import FormatError

#: Longest JSON document that is read, in bytes. A parsed document takes several times that in memory.
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
#: Longest line of a JSONL file, in bytes: a message with hundreds of swipes has room.
MAX_LINE_BYTES = 32 * 1024 * 1024

#: The user's and the character's name where neither the file nor the caller gives one.
UNNAMED_USER = "User"
UNNAMED_CHARACTER = "Character"

_MACRO = re.compile(r"\{\{\s*(user|char)\s*\}\}", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the caller of a reader may say.

    Attributes:
        user_name: The user's name, over the one in the file.
        character_name: The character's name, over the one in the file.
        include_hidden: Whether messages that their app hides from the model become turns too.
        book_name: What to call a lorebook that has no name of its own; most often its file's name.
    """

    user_name: str | None = None
    character_name: str | None = None
    include_hidden: bool = False
    book_name: str | None = None

    def known_as(self, *, user: str | None = None, character: str | None = None) -> ReadOptions:
        """Returns these options with the file's names where the caller gave none."""
        return replace(
            self,
            user_name=self.user_name or user,
            character_name=self.character_name or character,
        )

    def fill(self, text: str) -> str:
        """Puts the names in place of ``{{user}}`` and ``{{char}}``; one whose name is unknown stays."""
        names = {"user": self.user_name, "char": self.character_name}
        return _MACRO.sub(lambda macro: names[macro[1].lower()] or macro[0], text)


def parse_json(data: bytes, where: str) -> Any:
    """Parses UTF-8 JSON, with or without a byte order mark.

    NaN and infinities, which JSON does not have but Python writes, become None.

    Raises:
        FormatError: If it is not UTF-8, not JSON, nested too deep or holds an endless number.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=lambda _: None)
    except UnicodeDecodeError as error:
        raise FormatError(f"{where} is not UTF-8 text at byte {error.start}; save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise FormatError(f"{where} is not valid JSON: {error}; repair or export it again") from None
    except RecursionError:
        raise FormatError(f"{where} is JSON nested too deep to be a chat or a card") from None
    except ValueError:  # an integer of more digits than Python converts
        raise FormatError(f"{where} holds a number too long to read") from None


def read_document(stream: BinaryIO, where: str) -> Any:
    """Reads one JSON document.

    Raises:
        FormatError: As `parse_json`, or if it is longer than `MAX_DOCUMENT_BYTES`.
    """
    data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise FormatError(f"{where} is larger than {MAX_DOCUMENT_BYTES:,} bytes; split it")
    return parse_json(data, where)


def read_line(stream: BinaryIO, where: str) -> bytes:
    """Reads one line, ``b""`` at the end.

    Raises:
        FormatError: If it is longer than `MAX_LINE_BYTES`.
    """
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise FormatError(f"{where} has more than {MAX_LINE_BYTES:,} bytes; it is no JSONL file")
    return line


def read_json_lines(stream: BinaryIO) -> Iterator[tuple[int, Any]]:
    """Yields the number, from 1, and the value of every line that is not blank.

    Raises:
        FormatError: As `parse_json` and `read_line`; the message names the line.
    """
    number = 1
    while line := read_line(stream, f"line {number}"):
        if line.strip():
            yield number, parse_json(line, f"line {number}")
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


class UniqueIds:
    """Makes ids unique within one chat: the second of the same name gets `` #2``, the third `` #3``."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def claim(self, name: str) -> str:
        """Returns the name, numbered if it was claimed before."""
        while True:
            self._seen[name] += 1
            times = self._seen[name]
            if times == 1:
                return name
            name = f"{name} #{times}"
