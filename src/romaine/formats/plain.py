"""Plain JSONL: one message a line, ``{"text": ..., "speaker": ..., "role"?, "at"?, "source_id"?}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from romaine.bounded.parsing import read_json_lines
from romaine.formats.reading import ReadOptions, Skips, UniqueIds, name_field, text_field
from romaine.formats.result import Chat, ImportResult
from romaine.memory.records import Role, Turn

_ROLES = {
    "user": Role.USER,
    "human": Role.USER,
    "character": Role.CHARACTER,
    "char": Role.CHARACTER,
    "assistant": Role.CHARACTER,
    "model": Role.CHARACTER,
    "narrator": Role.NARRATOR,
    "system": Role.SYSTEM,
}


def is_plain(first: Any) -> bool:
    """Tells whether the first line of a file is a message with its text in ``text`` or ``content``."""
    return isinstance(first, dict) and any(isinstance(first.get(name), str) for name in ("text", "content"))


def read_plain(stream: BinaryIO, options: ReadOptions) -> ImportResult:
    """Reads messages, line by line.

    The text stands in ``text`` or ``content``, the speaker in ``speaker`` or ``name``; a missing speaker is
    the user or the character, as the role says. The role is one of the memory's own or a chat model's
    ("assistant" is the character); where it is missing, whoever has the user's name is the user. ``at`` is a
    time in any way `parse_time` reads. ``source_id`` or ``id`` names the message, else its line does.

    Raises:
        FormatError: If a line is not JSON.
    """
    turns: list[Turn] = []
    skipped = Skips(options.budget)
    ids = UniqueIds(options.budget)
    for number, message in read_json_lines(stream, options.budget):
        where = f"line {number}"
        text = text_field(message, "text", "content") if isinstance(message, dict) else None
        role = _role(message, options) if isinstance(message, dict) else None
        if text is None:
            skipped.add(where, "no text")
        elif role is None:
            skipped.add(where, f"unknown role; known: {', '.join(_ROLES)}")
        else:
            turn = options.turn(
                text,
                role=role,
                speaker=name_field(message, "speaker", "name"),
                sent=message.get("at"),
                source_id=ids.claim(_identity(message) or where),
                parent_id=name_field(message, "parent_id"),
            )
            turns.append(turn)
    return options.result("jsonl", chats=[Chat(turns=tuple(turns))], skipped=skipped)


def _role(message: Mapping[str, Any], options: ReadOptions) -> Role | None:
    given = message.get("role")
    if given is None:
        named = name_field(message, "speaker", "name")
        return Role.USER if named is not None and named == options.user_name else Role.CHARACTER
    return _ROLES.get(given.strip().lower()) if isinstance(given, str) else None


def _identity(message: Mapping[str, Any]) -> str | None:
    number = message.get("id")
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 1 << 63:
        return name_field(message, "source_id") or str(number)
    return name_field(message, "source_id", "id")
