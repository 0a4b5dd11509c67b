"""Whose memory the parts of an imported file become: a scope for every chat and every note."""

from __future__ import annotations

from dataclasses import dataclass

from romaine.formats.reading import UniqueIds
from romaine.formats.result import Chat, ImportResult, Note
from romaine.memory.records import Memory, Scope


@dataclass(frozen=True, kw_only=True)
class PlacedChat:
    """A chat and the scope its turns belong to."""

    scope: Scope
    chat: Chat


@dataclass(frozen=True, kw_only=True)
class PlacedNote:
    """A note and the scope it belongs to."""

    scope: Scope
    note: Note

    @property
    def memory(self) -> Memory:
        """The note as `RoleplayMemory.add_notes` takes it."""
        note = self.note
        return Memory(
            scope=self.scope,
            kind=note.kind,
            text=note.text,
            category=note.category,
            importance=note.importance,
            pinned=note.pinned,
            source_id=note.source_id,
            metadata=note.metadata,
        )


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Every part of a file with its scope, in the order of the file."""

    chats: tuple[PlacedChat, ...]
    notes: tuple[PlacedNote, ...]


def place(
    result: ImportResult,
    *,
    user: str,
    character: str | None = None,
    chat: str | None = None,
    file_name: str | None = None,
) -> Placement:
    """Gives every chat and note of a file its scope.

    A chat belongs to the character that the caller or else the file names; a group chat names none, so that
    all its characters share it. It is called what the caller says, or else what the file calls it, or else
    the file's name. Of several chats in one file each keeps its own name, so that none sees another's turns;
    the caller's name goes before it. A note that the file keeps with a chat stays in that chat; cards and
    lorebooks hold in every chat of the character.

    Args:
        result: What was read.
        user: Whose memory it becomes.
        character: The character; else the file's.
        chat: The chat's name.
        file_name: What to call a chat that neither the caller nor the file names, most often the file's stem.

    Raises:
        OptionError: If a name is empty.
    """
    owner = character or result.character_name
    names = _chat_names(result, chat, file_name)
    scopes = [Scope(user=user, character=owner, chat=name) for name in names]
    everywhere = Scope(user=user, character=owner)
    return Placement(
        chats=tuple(
            PlacedChat(scope=scope, chat=part) for scope, part in zip(scopes, result.chats, strict=True)
        ),
        notes=tuple(
            PlacedNote(scope=everywhere if note.chat is None else scopes[note.chat], note=note)
            for note in result.memories
        ),
    )


def _chat_names(result: ImportResult, chat: str | None, file_name: str | None) -> list[str]:
    if len(result.chats) == 1:
        return [chat or result.chats[0].title or file_name or "chat"]
    ids = UniqueIds()
    group = chat or file_name
    names = (part.title or f"chat {number}" for number, part in enumerate(result.chats, 1))
    return [ids.claim(f"{group}/{name}" if group else name) for name in names]
