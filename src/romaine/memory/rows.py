"""Rows of the table `memory`, and the records they stand for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from romaine.memory.codec import (
    decode_id,
    decode_names,
    decode_optional,
    decode_text,
    decode_time,
    encode_id,
    encode_names,
    encode_optional,
    encode_text,
    encode_time,
)
from romaine.memory.records import Category, Kind, Memory, Role, Scope

COLUMNS = (
    "m.no, m.id, s.user, m.character, s.chat, m.kind, m.text, m.speaker, m.role, m.position, m.created_at,"
    " m.source_id, m.parent_id, m.known_by, m.category, m.importance, m.pinned, m.cold, m.access_count,"
    " m.last_used_at, m.valid_from, m.valid_to, m.token_count, m.metadata"
)
"""What `to_memory` takes, of ``memory m JOIN space s``."""

INSERT = """
    INSERT INTO memory (id, space, character, kind, text, speaker, role, position, created_at, source_id,
        parent_id, known_by, category, importance, pinned, cold, access_count, last_used_at, valid_from,
        valid_to, token_count, metadata, born, changed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

UPDATE = """
    UPDATE memory SET text = ?, speaker = ?, role = ?, position = ?, created_at = ?, source_id = ?,
        parent_id = ?, known_by = ?, category = ?, importance = ?, pinned = ?, cold = ?, access_count = ?,
        last_used_at = ?, valid_from = ?, valid_to = ?, token_count = ?, metadata = ?, changed = ?
    WHERE no = ?"""

ID, KNOWN_BY = 1, 13
"""Where these stand in a row of `COLUMNS`."""


def to_memory(row: Sequence[Any], superseded_by: str | None = None) -> Memory:
    """Returns the record that a row of `COLUMNS` stands for."""
    (_, id_, user, character, chat, kind, text, speaker, role, position, created_at) = row[:11]
    (source_id, parent_id, known_by, category, importance, pinned, cold, access_count) = row[11:19]
    (last_used_at, valid_from, valid_to, token_count, metadata) = row[19:24]
    return Memory(
        id=decode_id(id_),
        scope=Scope(user=decode_text(user), character=decode_optional(character), chat=decode_optional(chat)),
        kind=Kind(kind),
        text=decode_text(text),
        speaker=decode_optional(speaker),
        role=None if role is None else Role(role),
        position=position,
        created_at=decode_time(created_at),
        source_id=decode_optional(source_id),
        parent_id=decode_optional(parent_id),
        known_by=decode_names(known_by),
        category=None if category is None else Category(category),
        importance=importance,
        pinned=bool(pinned),
        cold=bool(cold),
        access_count=access_count,
        last_used_at=None if last_used_at is None else decode_time(last_used_at),
        superseded_by=superseded_by,
        valid_from=valid_from,
        valid_to=valid_to,
        token_count=token_count,
        metadata=json.loads(metadata) if metadata else {},
    )


def insert_values(memory: Memory, space: int, change: int) -> tuple[Any, ...]:
    """Returns what `INSERT` takes."""
    return (
        encode_id(memory.id),
        space,
        encode_optional(memory.scope.character),
        memory.kind.value,
        *_values(memory),
        change,
        change,
    )


def update_values(memory: Memory, no: int, change: int) -> tuple[Any, ...]:
    """Returns what `UPDATE` takes; id, scope and kind of a memory never change."""
    return (*_values(memory), change, no)


def _values(memory: Memory) -> tuple[Any, ...]:
    return (
        encode_text(memory.text),
        encode_optional(memory.speaker),
        None if memory.role is None else memory.role.value,
        memory.position,
        encode_time(memory.created_at),
        encode_optional(memory.source_id),
        encode_optional(memory.parent_id),
        encode_names(memory.known_by),
        None if memory.category is None else memory.category.value,
        memory.importance,
        memory.pinned,
        memory.cold,
        memory.access_count,
        None if memory.last_used_at is None else encode_time(memory.last_used_at),
        memory.valid_from,
        memory.valid_to,
        memory.token_count,
        json.dumps(memory.metadata) if memory.metadata else None,
    )
