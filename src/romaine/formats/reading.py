"""What every reader needs: bounded JSON, fields of any type, names for macros, ids that never repeat."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import SEEK_END
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from romaine.bounded.budget import Budget
from romaine.bounded.parsing import parse_json
from romaine.errors import FormatError
from romaine.formats.result import Chat, ImportResult, Note, Skipped
from romaine.formats.times import parse_time
from romaine.memory.records import Role, Turn

_T = TypeVar("_T")

#: Longest JSON document that is read, in bytes; `romaine.bounded.budget` says what it may take in memory.
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024

#: ASCII, because a long s would match the s of user.
_MACRO = re.compile(r"\{\{\s*(user|char)\s*\}\}", re.IGNORECASE | re.ASCII)
#: What stands between two macros takes this in memory besides its characters, while a text is put together.
_PIECE_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the caller of a reader may say, and turns, notes and the result made by it, within the budget.

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
            self, user_name=self.user_name or user, character_name=self.character_name or character
        )

    def turn(
        self,
        text: str,
        *,
        role: Role,
        source_id: str,
        speaker: str | None = None,
        sent: object = None,
        parent_id: str | None = None,
    ) -> Turn:
        """Makes a turn of a message.

        Args:
            text: What was said, its macros not yet filled in.
            role: Who said it.
            source_id: Its id, from `UniqueIds`.
            speaker: Who said it by name, or None for what the role is called.
            sent: When, in any way that `parse_time` reads.
            parent_id: The id of the message it answers.

        Raises:
            FormatError: If `budget` has no room for it.
        """
        return self.budget.keep(
            Turn(
                self.fill(text),
                speaker=speaker or self.speaker(role),
                role=role,
                at=parse_time(sent),
                source_id=source_id,
                parent_id=parent_id,
            )
        )

    def speaker(self, role: Role) -> str:
        """Returns what to call someone who has no name in the file."""
        named = {Role.USER: self.user_name, Role.CHARACTER: self.character_name}
        return named.get(role) or role.value.title()

    def result(
        self,
        format: str,  # noqa: A002 - what it is
        *,
        chats: Sequence[Chat] = (),
        memories: Sequence[Note] = (),
        skipped: Sequence[Skipped] = (),
    ) -> ImportResult:
        """Makes the result of what a file holds, with the names known by now."""
        return ImportResult(
            format=format,
            chats=tuple(chats),
            memories=tuple(memories),
            skipped=tuple(skipped),
            user_name=self.user_name,
            character_name=self.character_name,
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
        found = (macro[1].lower() for macro in _MACRO.finditer(text))
        counts = Counter(macro for macro in found if names[macro])
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


@contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file to read.

    Raises:
        FormatError: If it cannot be opened or read, or is no file in which one can go back.
    """
    if "\0" in os.fspath(path):
        raise FormatError(f"cannot read {os.fspath(path)!r}: embedded null byte; check the path")
    try:
        with Path(path).open("rb") as stream:
            stream.seek(0)  # told of a pipe before a read waits for more than it will ever hold
            yield stream
    except OSError as error:
        why = error.strerror or error
        raise FormatError(f"cannot read {os.fspath(path)!r}: {why}; check the path") from None


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


def objects_field(record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Returns those items of a list that are objects."""
    return [item for item in list_field(record, name) if isinstance(item, dict)]


def chosen_field(record: Mapping[str, Any], name: str, table: Mapping[str, _T]) -> _T | None:
    """Returns what `table` has for a field, None where it is anything else."""
    value = record.get(name)
    return table.get(value) if isinstance(value, str) else None


def share_field(record: Mapping[str, Any], name: str, default: float) -> float:
    """Returns a field that is a number from 0 to 1, `default` where it is anything else."""
    value = record.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return default


class Skips(list[Skipped]):
    """What is left out of a file; every reason takes of the budget."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget

    def add(self, where: str, why: str) -> None:
        """Adds a place in the file and the reason.

        Raises:
            FormatError: If the budget has no room for one more.
        """
        self.append(self._budget.keep(Skipped(where=where, why=why)))

    def sort_out(self, where: str, made: _T | str) -> list[_T]:
        """Returns what was made of a place, or nothing after adding the reason why it could not be."""
        if isinstance(made, str):
            self.add(where, made)
            return []
        return [made]


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
        self._seen[name] += 1
        while (times := self._seen[name]) > 1:
            name = f"{name} #{times}"
            self._seen[name] += 1
        return name
