"""RisuAI chats: ``risuChat`` holds one, ``risuAllChats`` all chats of a character."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from romaine.errors import FormatError
from romaine.formats.lorebooks import read_entries
from romaine.formats.reading import (
    ReadOptions,
    Skips,
    UniqueIds,
    chosen_field,
    list_field,
    name_field,
    text_field,
)
from romaine.formats.result import Chat, ImportResult, Note
from romaine.memory.records import Role, Turn

_ROLES = {"user": Role.USER, "char": Role.CHARACTER}
_VERSIONS = (1, 2)


def is_risu(document: Any) -> bool:
    """Tells whether a JSON document is one or all chats exported by RisuAI."""
    return isinstance(document, dict) and document.get("type") in ("risuChat", "risuAllChats")


def read_risu(document: Any, options: ReadOptions) -> ImportResult:
    """Reads the chats and the lore that belongs to each, of a document for which `is_risu` holds.

    Comments are skipped. So are disabled messages, and all before a message that disables what came before
    it, unless `ReadOptions.include_hidden`. The file does not name the user, and the character only in group
    chats: give the names.

    Raises:
        FormatError: If it is of a newer version.
    """
    if document.get("ver") not in _VERSIONS:
        raise FormatError(f"this RisuAI chat is of a version that is not known; known: {_VERSIONS}")
    data = document.get("data")
    skipped = Skips(options.budget)
    chats: list[Chat] = []
    lore: list[Note] = []
    for number, part in enumerate(data if isinstance(data, list) else [data], 1):
        if not isinstance(part, dict):
            skipped.add(f"chat {number}", "not an object")
            continue
        title = name_field(part, "name")
        turns = _turns(list_field(part, "message"), f"chat {number}, message", options, skipped)
        chats.append(options.budget.keep(Chat(turns=turns, title=title)))
        entries = read_entries(part.get("localLore"), title or f"chat {number}", options, skipped)
        lore += [replace(note, chat=len(chats) - 1) for note in entries]
    return options.result("risu-chat", chats=chats, memories=lore, skipped=skipped)


def _turns(messages: list[Any], where: str, options: ReadOptions, skipped: Skips) -> tuple[Turn, ...]:
    hidden = 0
    for number, message in enumerate(messages, 1):
        if isinstance(message, dict) and message.get("disabled") == "allBefore":
            hidden = number
    ids = UniqueIds(options.budget)
    turns: list[Turn] = []
    for number, message in enumerate(messages, 1):
        made = _turn(message, number, number <= hidden, ids, options)
        turns += skipped.sort_out(f"{where} {number}", made)
    return tuple(turns)


def _turn(message: Any, number: int, hidden: bool, ids: UniqueIds, options: ReadOptions) -> Turn | str:
    if not isinstance(message, dict):
        return "not an object"
    source_id = ids.claim(name_field(message, "chatId") or f"message {number}")
    role = chosen_field(message, "role", _ROLES)
    text = text_field(message, "data")
    if role is None:
        return "role is neither user nor char"
    if text is None:
        return "no text"
    if message.get("isComment") is True:
        return "a comment"
    if (hidden or message.get("disabled") is True) and not options.include_hidden:
        return "hidden from the model (disabled)"
    name = name_field(message, "name")
    return options.turn(text, role=role, speaker=name, sent=message.get("time"), source_id=source_id)
