"""RisuAI chats: ``risuChat`` holds one, ``risuAllChats`` all chats of a character."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from romaine.errors import FormatError
from romaine.formats.lorebooks import read_entries
from romaine.formats.reading import (
    UNNAMED_CHARACTER,
    UNNAMED_USER,
    ReadOptions,
    Skips,
    UniqueIds,
    list_field,
    name_field,
    text_field,
)
from romaine.formats.result import Chat, ImportResult, Note
from romaine.formats.times import parse_time
from romaine.memory.records import Role, Turn

_ROLES = {"user": Role.USER, "char": Role.CHARACTER}
_VERSIONS = (1, 2)


def is_risu(document: Any) -> bool:
    """Tells whether a JSON document is one or all chats exported by RisuAI."""
    return isinstance(document, dict) and document.get("type") in ("risuChat", "risuAllChats")


def read_risu(document: Any, options: ReadOptions) -> ImportResult:
    """Reads the chats and the lore that belongs to each.

    Comments are skipped. So are disabled messages, and all before a message that disables what came before
    it, unless `ReadOptions.include_hidden`. The file does not name the user, and the character only in group
    chats: give the names.

    Raises:
        FormatError: If it is no such file, or of a newer version.
    """
    if not is_risu(document):
        raise FormatError("no RisuAI chat here: expected type 'risuChat' or 'risuAllChats'")
    if document.get("ver") not in _VERSIONS:
        raise FormatError(f"this RisuAI chat is of a version that is not known; known: {_VERSIONS}")
    data = document.get("data")
    parts = data if isinstance(data, list) else [data]
    skipped = Skips(options.budget)
    chats: list[Chat] = []
    lore: list[Note] = []
    for number, part in enumerate(parts, 1):
        if not isinstance(part, dict):
            skipped.add(f"chat {number}", "not an object")
            continue
        title = name_field(part, "name")
        messages = list_field(part, "message")
        turns = _turns(messages, f"chat {number}, message", options, skipped)
        chats.append(options.budget.keep(Chat(turns=turns, title=title)))
        entries = read_entries(part.get("localLore"), title or f"chat {number}", options, skipped)
        lore += [replace(note, chat=len(chats) - 1) for note in entries]
    return ImportResult(
        format="risu-chat",
        chats=tuple(chats),
        memories=tuple(lore),
        skipped=tuple(skipped),
        user_name=options.user_name,
        character_name=options.character_name,
    )


def _turns(messages: list[Any], where: str, options: ReadOptions, skipped: Skips) -> tuple[Turn, ...]:
    hidden = -1 if options.include_hidden else _last_hidden_by_a_later_one(messages)
    ids = UniqueIds(options.budget)
    turns = []
    for index, message in enumerate(messages):
        turn = _turn(message, index, index <= hidden, ids, options)
        if isinstance(turn, Turn):
            turns.append(turn)
        else:
            skipped.add(f"{where} {index + 1}", turn)
    return tuple(turns)


def _last_hidden_by_a_later_one(messages: list[Any]) -> int:
    marks = [
        index
        for index, message in enumerate(messages)
        if isinstance(message, dict) and message.get("disabled") == "allBefore"
    ]
    return marks[-1] if marks else -1


def _turn(message: Any, index: int, hidden: bool, ids: UniqueIds, options: ReadOptions) -> Turn | str:
    if not isinstance(message, dict):
        return "not an object"
    source_id = ids.claim(name_field(message, "chatId") or f"message {index + 1}")
    given = message.get("role")
    role = _ROLES.get(given) if isinstance(given, str) else None
    text = text_field(message, "data")
    if role is None:
        return "role is neither user nor char"
    if text is None:
        return "no text"
    if message.get("isComment") is True:
        return "a comment"
    if (hidden or message.get("disabled") is True) and not options.include_hidden:
        return "hidden from the model (disabled)"
    return options.budget.keep(
        Turn(
            options.fill(text),
            speaker=_speaker(message, role, options),
            role=role,
            at=parse_time(message.get("time")),
            source_id=source_id,
        )
    )


def _speaker(message: Mapping[str, Any], role: Role, options: ReadOptions) -> str:
    if role is Role.USER:
        return name_field(message, "name") or options.user_name or UNNAMED_USER
    return name_field(message, "name") or options.character_name or UNNAMED_CHARACTER
