"""What a reader hands back: the chats and notes of a file, and what it left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from romaine.memory.records import Category, Kind, Turn


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Something of a file that was left out or not taken as it stands.

    Attributes:
        where: The place in the file, e.g. ``"line 12"`` or ``"entry 3"``.
        why: The reason, in words for the person who imports.
    """

    where: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something to remember that nobody said in a chat: a trait from a card, a lorebook entry, a summary.

    Attributes:
        text: The text, its ``{{char}}`` and ``{{user}}`` filled in where the names are known.
        kind: `Kind.FACT`, `Kind.LORE` or `Kind.SUMMARY`.
        category: What it is about, or None where the file does not say.
        importance: 0 to 1.
        pinned: Whether it always holds (a lorebook's constant entry).
        source_id: Where in its file it stands; the same in every import of that file.
        chat: Index in `ImportResult.chats` of the chat it belongs to, or None if it holds in every chat.
        metadata: What else the file says of it (keys, comment, order), as JSON can hold it.
    """

    text: str
    kind: Kind
    category: Category | None = None
    importance: float = 1.0
    pinned: bool = False
    source_id: str | None = None
    chat: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, kw_only=True)
class Chat:
    """One chat of a file.

    Attributes:
        turns: Its messages in order, each with a `source_id` that is unique within the chat and stays the
            same when the file is read again, a message is edited, or the chat grows.
        title: What the file calls the chat, or None.
        pinned: `source_id` of the messages that the file marks as pinned.
    """

    turns: tuple[Turn, ...]
    title: str | None = None
    pinned: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ImportResult:
    """Everything one file holds.

    Attributes:
        format: Name of the format, one of `romaine.formats.format_names()`.
        chats: The chats, most often one; none for cards and lorebooks.
        memories: Facts, lore and summaries.
        skipped: What was left out, in the order of the file.
        user_name: What the file calls the user, or None.
        character_name: What the file calls the character, or None.
    """

    format: str
    chats: tuple[Chat, ...] = ()
    memories: tuple[Note, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    user_name: str | None = None
    character_name: str | None = None

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns of all chats; `source_id` is unique within each chat only."""
        return tuple(turn for chat in self.chats for turn in chat.turns)

    @property
    def title(self) -> str | None:
        """The title of the first chat that has one."""
        return next((chat.title for chat in self.chats if chat.title), None)
