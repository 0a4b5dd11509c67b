"""Rows of the table `memory`, and the records they stand for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from romaine.errors import RomaineError, StorageCorruptError
from romaine.memory.codec import (
    SqlText,
    content_checksum,
    decode_id,
    decode_json,
    decode_names,
    decode_optional,
    decode_text,
    decode_time,
    encode_id,
    encode_json,
    encode_names,
    encode_optional,
    encode_text,
    encode_time,
)
from romaine.memory.records import Category, Kind, Memory, Role, Scope


class StoredMemory(NamedTuple):
    """One version of a memory as it stands in the file.

    Attributes:
        no: Number of the row.
        id: The memory's id; all versions and all forks' copies of it have the same.
        root: Number of the row it was first stored in, the same for all versions and copies.
        space: Number of the space it lies in.
        born: Change from which this version holds.
        retired: Change from which it no longer holds, or None.
        user: Of its scope, not a column of its own; so is `chat`.
    """

    no: int
    id: bytes
    root: int
    space: int
    character: SqlText | None
    kind: str
    text: SqlText
    speaker: SqlText | None
    role: str | None
    position: int | None
    created_at: int
    source_id: SqlText | None
    parent_id: SqlText | None
    known_by: SqlText | None
    category: str | None
    importance: float
    pinned: int
    cold: int
    access_count: int
    last_used_at: int | None
    valid_from: int | None
    valid_to: int | None
    token_count: int
    metadata: SqlText | None
    born: int
    retired: int | None
    user: SqlText
    chat: SqlText | None

    @property
    def is_turn(self) -> bool:
        """Whether it was said."""
        return self.kind == Kind.TURN.value

    @property
    def in_chat(self) -> bool:
        """Whether it belongs to a chat."""
        return self.chat is not None

    @property
    def scope(self) -> Scope:
        """Whose memory it is."""
        return _scope(self.user, self.character, self.chat)

    def memory(self, superseded_by: str | None = None) -> Memory:
        """The record it stands for.

        Raises:
            StorageCorruptError: If the row is damaged.
        """
        if not all(type(value) in allowed for value, allowed in zip(self, _TYPES, strict=True)):
            raise StorageCorruptError(
                f"row {self.no} of the memory file is damaged; verify() lists what is, a backup has it whole"
            )
        try:
            return Memory.as_checked(
                id=decode_id(self.id),
                scope=self.scope,
                kind=Kind(self.kind),
                text=decode_text(self.text),
                speaker=decode_optional(self.speaker),
                role=None if self.role is None else Role(self.role),
                position=self.position,
                created_at=decode_time(self.created_at),
                source_id=decode_optional(self.source_id),
                parent_id=decode_optional(self.parent_id),
                known_by=decode_names(self.known_by),
                category=None if self.category is None else Category(self.category),
                importance=self.importance,
                pinned=bool(self.pinned),
                cold=bool(self.cold),
                access_count=self.access_count,
                last_used_at=None if self.last_used_at is None else decode_time(self.last_used_at),
                superseded_by=superseded_by,
                valid_from=self.valid_from,
                valid_to=self.valid_to,
                token_count=self.token_count,
                metadata=decode_json(self.metadata) if self.metadata else {},
            )
        except (RomaineError, ValueError, TypeError, OverflowError, AttributeError, RecursionError) as error:
            raise StorageCorruptError(
                f"row {self.no} of the memory file is damaged ({error}); verify() lists what is, a backup has"
                " it whole"
            ) from None

    def checksum(self, terms: bytes) -> int:
        """CRC-32 over all columns and the terms made of the text."""
        return content_checksum(self[: len(STORED)], terms)


_NONE = type(None)
_WORDS, _COUNT = (str, bytes), (int,)
_TYPES = (
    *(_COUNT, (bytes,), _COUNT, _COUNT, (*_WORDS, _NONE), (str,), _WORDS, (*_WORDS, _NONE), (str, _NONE)),
    *((int, _NONE), _COUNT, (*_WORDS, _NONE), (*_WORDS, _NONE), (*_WORDS, _NONE), (str, _NONE), (float,)),
    *(_COUNT, _COUNT, _COUNT, (int, _NONE), (int, _NONE), (int, _NONE), _COUNT, (*_WORDS, _NONE)),
    *(_COUNT, (int, _NONE), _WORDS, (*_WORDS, _NONE)),
)
"""What a column may hold, in the order of `StoredMemory`; anything else is damage."""


@lru_cache(maxsize=1024)
def _scope(user: SqlText, character: SqlText | None, chat: SqlText | None) -> Scope:
    return Scope(user=decode_text(user), character=decode_optional(character), chat=decode_optional(chat))


STORED = StoredMemory._fields[:-2]
"""Columns of the table `memory`, in order, but for `changed` and `checksum`, which are bookkeeping."""

COLUMNS = ", ".join(f"m.{name}" for name in STORED) + ", s.user, s.chat"
"""What `fetch` takes, of ``memory m JOIN space s``."""

INSERT = f"""INSERT INTO memory ({", ".join(STORED)}, changed, checksum)
    VALUES ({", ".join("?" for _ in STORED)}, ?, ?)"""  # noqa: S608
UPDATE = f"""UPDATE memory SET ({", ".join(STORED[1:])}, changed, checksum)
    = ({", ".join("?" for _ in STORED[1:])}, ?, ?) WHERE no = ?"""  # noqa: S608


def fetch(
    connection: sqlite3.Connection, query: str, values: Mapping[str, Any] | tuple[Any, ...]
) -> Iterator[StoredMemory]:
    """Runs a query of `COLUMNS`."""
    return map(StoredMemory._make, connection.execute(query, values))


def stored_row(memory: Memory, *, no: int, root: int, space: int, born: int) -> StoredMemory:
    """Returns the row that is to stand for a memory."""
    return StoredMemory(
        no=no,
        id=encode_id(memory.id),
        root=root,
        space=space,
        character=encode_optional(memory.scope.character),
        kind=memory.kind.value,
        text=encode_text(memory.text),
        speaker=encode_optional(memory.speaker),
        role=None if memory.role is None else memory.role.value,
        position=memory.position,
        created_at=encode_time(memory.created_at),
        source_id=encode_optional(memory.source_id),
        parent_id=encode_optional(memory.parent_id),
        known_by=encode_names(memory.known_by),
        category=None if memory.category is None else memory.category.value,
        importance=float(memory.importance),
        pinned=int(memory.pinned),
        cold=int(memory.cold),
        access_count=memory.access_count,
        last_used_at=None if memory.last_used_at is None else encode_time(memory.last_used_at),
        valid_from=memory.valid_from,
        valid_to=memory.valid_to,
        token_count=memory.token_count,
        metadata=encode_json(memory.metadata) if memory.metadata else None,
        born=born,
        retired=None,
        user=encode_text(memory.scope.user),
        chat=encode_optional(memory.scope.chat),
    )
