"""Rows of the table `memory`, the records they stand for, and which of them a segment sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from romaine.errors import RomaineError, StorageCorruptError
from romaine.memory.codec import decode_time, encode_time
from romaine.memory.records import Category, Kind, Memory, Role, Scope
from romaine.memory.sqlite.codec import (
    SqlText,
    content_checksum,
    decode_id,
    decode_json,
    decode_names,
    decode_optional,
    decode_text,
    encode_id,
    encode_json,
    encode_names,
    encode_optional,
    encode_text,
)
from romaine.memory.stored import Segment, StoredMemory

Values: TypeAlias = "Sequence[Any]"
"""What a row of `COLUMNS` gives."""

_NONE = type(None)
_WORDS, _COUNT = (str, bytes), (int,)
_MAY_WORDS, _MAY_COUNT, _MAY_NAME = (*_WORDS, _NONE), (int, _NONE), (str, _NONE)
_TYPES = {
    "no": _COUNT,
    "id": (bytes,),
    "root": _COUNT,
    "space": _COUNT,
    "character": _MAY_WORDS,
    "kind": (str,),
    "text": _WORDS,
    "speaker": _MAY_WORDS,
    "role": _MAY_NAME,
    "position": _MAY_COUNT,
    "created_at": _COUNT,
    "source_id": _MAY_WORDS,
    "parent_id": _MAY_WORDS,
    "known_by": _MAY_WORDS,
    "category": _MAY_NAME,
    "importance": (float,),
    "pinned": _COUNT,
    "cold": _COUNT,
    "access_count": _COUNT,
    "last_used_at": _MAY_COUNT,
    "valid_from": _MAY_COUNT,
    "valid_to": _MAY_COUNT,
    "token_count": _COUNT,
    "metadata": _MAY_WORDS,
    "born": _COUNT,
    "retired": _MAY_COUNT,
}
"""What a column may hold; anything else is damage."""

STORED = tuple(_TYPES)
"""Columns of the table `memory`, in order, but for `changed` and `checksum`, which are bookkeeping."""

TEXT, SPEAKER = STORED.index("text"), STORED.index("speaker")
_ALLOWED = (*_TYPES.values(), _WORDS, _MAY_WORDS)

COLUMNS = ", ".join(f"m.{name}" for name in STORED) + ", s.user, s.chat"
"""What `decoded` takes, of ``memory m JOIN space s``."""

INSERT = f"""INSERT INTO memory ({", ".join(STORED)}, changed, checksum)
    VALUES ({", ".join("?" for _ in STORED)}, ?, ?)"""  # noqa: S608
UPDATE = f"""UPDATE memory SET ({", ".join(STORED[1:])}, changed, checksum)
    = ({", ".join("?" for _ in STORED[1:])}, ?, ?) WHERE no = ?"""  # noqa: S608

KINDS = {kind.value: kind for kind in Kind}
CATEGORIES: dict[str | None, Category | None] = {None: None, **{one.value: one for one in Category}}
_ROLES: dict[str | None, Role | None] = {None: None, **{role.value: role for role in Role}}

SEEN = """m.space = :space
    AND (:everyone OR m.character IS NULL OR m.character = :character)
    AND (:until IS NULL OR m.position IS NULL OR m.position <= :until)
    AND CASE WHEN :as_of IS NULL THEN m.retired IS NULL
             ELSE m.born <= :as_of AND (m.retired IS NULL OR m.retired > :as_of) END
    AND m.root NOT IN (SELECT value FROM json_each(:hidden))"""
"""What a segment sees of ``memory m``; its values come from `values_of`."""


@lru_cache(maxsize=64)
def values_of(segment: Segment) -> dict[str, Any]:
    """Values of `SEEN`; not to be changed, since one who asks row by row gets the same ones again."""
    return {
        "space": segment.space,
        "character": encode_optional(segment.character),
        "everyone": segment.everyone,
        "until": segment.until,
        "as_of": segment.as_of,
        "hidden": json.dumps(sorted(segment.hidden)),
    }


def decoded(values: Values) -> StoredMemory:
    """Returns what a row of `COLUMNS` stands for.

    Raises:
        StorageCorruptError: If it is damaged.
    """
    try:
        if not _are_allowed(tuple(map(type, values))):
            raise ValueError("a column holds what it cannot")
        row_id, id_, root, space, character, kind, text, speaker, role, position, created = values[:11]
        source, parent, known_by, category, importance, pinned, cold, access_count, last_used = values[11:20]
        valid_from, valid_to, token_count, metadata, born, retired, user, chat = values[20:]
        memory = Memory.as_checked(
            id=decode_id(id_),
            scope=_scope(user, character, chat),
            kind=KINDS[kind],
            text=decode_text(text),
            speaker=decode_optional(speaker),
            role=_ROLES[role],
            position=position,
            created_at=decode_time(created),
            source_id=decode_optional(source),
            parent_id=decode_optional(parent),
            known_by=names(known_by),
            category=CATEGORIES[category],
            importance=importance,
            pinned=bool(pinned),
            cold=bool(cold),
            access_count=access_count,
            last_used_at=None if last_used is None else decode_time(last_used),
            superseded_by=None,
            valid_from=valid_from,
            valid_to=valid_to,
            token_count=token_count,
            metadata=decode_json(metadata) if metadata else {},
        )
    except (RomaineError, LookupError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise StorageCorruptError(
            f"row {values[0]} of the memory file is damaged ({error}); verify() lists what is, a backup has"
            " it whole"
        ) from None
    return StoredMemory(row_id, root, space, born, retired, memory)


def encoded(row: StoredMemory) -> tuple[Any, ...]:
    """Returns the values of `STORED` that stand for a row."""
    memory = row.memory
    return (
        row.row_id,
        encode_id(memory.id),
        row.root,
        row.space,
        encode_optional(memory.scope.character),
        memory.kind.value,
        encode_text(memory.text),
        encode_optional(memory.speaker),
        None if memory.role is None else memory.role.value,
        memory.position,
        encode_time(memory.created_at),
        encode_optional(memory.source_id),
        encode_optional(memory.parent_id),
        encode_names(memory.known_by),
        None if memory.category is None else memory.category.value,
        float(memory.importance),
        int(memory.pinned),
        int(memory.cold),
        memory.access_count,
        None if memory.last_used_at is None else encode_time(memory.last_used_at),
        memory.valid_from,
        memory.valid_to,
        memory.token_count,
        encode_json(memory.metadata) if memory.metadata else None,
        row.born,
        row.retired,
    )


def row_checksum(values: Values, terms: bytes) -> int:
    """CRC-32 over all columns of `STORED`, and the terms made of the text."""
    return content_checksum(values[: len(STORED)], terms)


@lru_cache(maxsize=4096)
def names(value: SqlText | None) -> frozenset[str]:
    """`decode_names`; most rows of a chat have the same."""
    return decode_names(value)


@lru_cache(maxsize=1024)
def _scope(user: SqlText, character: SqlText | None, chat: SqlText | None) -> Scope:
    return Scope(user=decode_text(user), character=decode_optional(character), chat=decode_optional(chat))


@lru_cache(maxsize=1024)
def _are_allowed(types: tuple[type, ...]) -> bool:
    return all(found in allowed for found, allowed in zip(types, _ALLOWED, strict=True))
