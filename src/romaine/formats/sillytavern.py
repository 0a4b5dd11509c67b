"""SillyTavern chats: a header line, then one message a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from romaine.bounded.parsing import read_json_lines
from romaine.formats.reading import (
    ReadOptions,
    Skips,
    UniqueIds,
    list_field,
    name_field,
    object_field,
    text_field,
)
from romaine.formats.result import Chat, ImportResult
from romaine.formats.times import parse_time
from romaine.memory.records import Role, Turn

#: What a group chat's header has in place of a name.
_NO_NAME = "unused"


def is_sillytavern(first: Any) -> bool:
    """Tells whether the first line of a file is a chat's header or, where that is missing, a message."""
    if not isinstance(first, dict):
        return False
    is_header = "chat_metadata" in first or {"user_name", "character_name"} <= first.keys()
    return is_header or {"name", "mes", "is_user"} <= first.keys()


def read_sillytavern(stream: BinaryIO, options: ReadOptions) -> ImportResult:
    """Reads a chat, line by line.

    The text of a message with swipes is the one that is shown; the others are discarded branches and become
    no turns. A message that is hidden from the model (``is_system``) is skipped unless
    `ReadOptions.include_hidden`; narrator messages keep their role.

    Messages have no ids, so each gets one from the time of its first swipe and its speaker: it survives an
    edit, another swipe, messages deleted before it and messages added after it.

    Raises:
        FormatError: If a line is not JSON.
    """
    turns: list[Turn] = []
    skipped = Skips(options.budget)
    ids = UniqueIds(options.budget)
    for number, message in read_json_lines(stream, options.budget):
        where = f"line {number}"
        if not isinstance(message, dict):
            skipped.add(where, "not an object")
        elif "mes" in message:
            source_id = ids.claim(_identity(message, number, options))
            turns += skipped.sort_out(where, _turn(message, source_id, options, where, skipped))
        elif not turns and is_sillytavern(message):
            options = options.known_as(
                user=_named(message, "user_name"), character=_named(message, "character_name")
            )
        else:
            skipped.add(where, "no message text (mes)")
    return options.result("sillytavern-chat", chats=[Chat(turns=tuple(turns))], skipped=skipped)


def _named(header: Mapping[str, Any], field: str) -> str | None:
    name = name_field(header, field)
    return None if name == _NO_NAME else name


def _turn(
    message: Mapping[str, Any], source_id: str, options: ReadOptions, where: str, skipped: Skips
) -> Turn | str:
    text = _shown_text(message, where, skipped)
    if text is None:
        return "no text"
    if message.get("is_system") is True and not options.include_hidden:
        return "hidden from the model (is_system)"
    sent, speaker = message.get("send_date"), _speaker(message, options)
    return options.turn(text, role=_role(message), speaker=speaker, sent=sent, source_id=source_id)


def _shown_text(message: Mapping[str, Any], where: str, skipped: Skips) -> str | None:
    swipes = list_field(message, "swipes")
    if not swipes:
        return text_field(message, "mes")
    shown = message.get("swipe_id", 0)
    if isinstance(shown, int) and 0 <= shown < len(swipes) and isinstance(swipes[shown], str):
        return text_field({"mes": swipes[shown]}, "mes")
    skipped.add(where, f"swipe_id is none of the {len(swipes)} swipes; mes is taken")
    return text_field(message, "mes")


def _speaker(message: Mapping[str, Any], options: ReadOptions) -> str:
    role = Role.USER if message.get("is_user") is True else Role.CHARACTER
    return name_field(message, "name") or options.speaker(role)


def _role(message: Mapping[str, Any]) -> Role:
    if message.get("is_user") is True:
        return Role.USER
    kind = object_field(message, "extra").get("type")
    if kind == "narrator":
        return Role.NARRATOR
    # The app's own messages (help, comments) carry a type; a character's message that was hidden does not.
    return Role.SYSTEM if message.get("is_system") is True and kind else Role.CHARACTER


def _identity(message: Mapping[str, Any], number: int, options: ReadOptions) -> str:
    swipes = list_field(message, "swipe_info")
    first = swipes[0] if swipes and isinstance(swipes[0], dict) else {}
    for sent in (first.get("send_date"), message.get("send_date")):
        if moment := parse_time(sent):
            return f"{moment.isoformat(timespec='milliseconds')} {_speaker(message, options)}"
    return f"line {number}"
