"""Memories as JSONL: one record a line, without vectors, which any embedder makes again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from romaine.choice import Choice
from romaine.errors import FormatError, RomaineError
from romaine.memory.change import Change
from romaine.memory.codec import decode_optional, decode_text, encode_id
from romaine.memory.encoder import Draft, Encoder
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.sequence import previous_text
from romaine.memory.store import Store
from romaine.memory.terms import document_text
from romaine.memory.views import view_of

_BATCH = 2000
_NAMES = tuple(field.name for field in fields(Memory))


def to_json(memory: Memory) -> dict[str, Any]:
    """Returns a memory as what JSON can hold; what is None or empty is left out."""
    scope = memory.scope
    record: dict[str, Any] = {"user": scope.user, "character": scope.character, "chat": scope.chat}
    for name in _NAMES:
        value = getattr(memory, name)
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, frozenset):
            value = sorted(value)
        elif isinstance(value, Choice):
            value = value.value  # a member would show its class's name when put into a text
        if name != "scope":
            record[name] = value
    return {name: value for name, value in record.items() if value not in (None, [], {})}


def from_json(record: object, scope: Scope | None) -> Memory:
    """Undoes `to_json`.

    Args:
        record: What a line holds.
        scope: Whose memory it becomes, or None for the one the record names.

    Raises:
        RomaineError, TypeError, ValueError: If the record is not one of a memory.
    """
    if not isinstance(record, dict):
        raise FormatError("it is not a JSON object")
    values = {name: record[name] for name in _NAMES if name in record}
    for name in ("created_at", "last_used_at"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    if scope is None:
        scope = Scope(user=record.get("user", ""), character=record.get("character"), chat=record.get("chat"))
    return Memory(**values | {"scope": scope})


def export_jsonl(store: Store, path: str | Path, scope: Scope) -> int:
    """Writes what a scope sees to a file; returns how many memories."""
    count = 0
    with store.read() as connection, _open(path, "w") as file:
        view = view_of(connection, scope)
        superseded = view.superseded(connection)
        for row in view.all_rows(connection):
            memory = view.memory(row, superseded.get(row[0]))
            file.write(json.dumps(to_json(memory)) + "\n")
            count += 1
    return count


def import_jsonl(store: Store, path: str | Path, scope: Scope | None) -> int:
    """Adds the memories of a file; returns how many were not there before. All of them or none.

    Raises:
        FormatError: If the file cannot be read or a line is not a memory; nothing is added then.
    """
    memories = list(_read(path, scope))
    memories.sort(key=lambda memory: -1 if memory.position is None else memory.position)
    return _Import(store, memories).write() if memories else 0


class _Import:
    """Memories that keep their ids, positions and what supersedes them."""

    def __init__(self, store: Store, memories: list[Memory]) -> None:
        counts = Encoder(store.embedder).token_counts([memory.text for memory in memories])
        self._store = store
        self._memories = [replace(m, token_count=c) for m, c in zip(memories, counts, strict=True)]

    def write(self) -> int:
        return self._store.write(lambda connection: self._drafts(connection), self._apply)

    def _drafts(self, connection: Any) -> list[Draft]:
        before: dict[tuple[Scope, frozenset[str]], Memory] = {}
        drafts = []
        for memory in self._new(connection):
            key = (memory.scope, memory.known_by)
            if memory.kind is not Kind.TURN:
                drafts.append(Draft(memory))
                continue
            last = before.get(key)
            if last is None:
                drafts.append(Draft(memory, previous_text(connection, memory)))
            else:
                drafts.append(Draft(memory, document_text(last.text, last.speaker)))
            before[key] = memory
        return drafts

    def _new(self, connection: Any) -> list[Memory]:
        """What is not there yet. Ids that other scopes hold are replaced, by the same ones each time."""
        renamed = {
            memory.id: str(uuid5(UUID(memory.id), repr(astuple(memory.scope))))
            for memory in self._memories
            if _scope_of_id(connection, memory.id) not in (None, memory.scope)
        }
        memories = [
            replace(
                memory,
                id=renamed.get(memory.id, memory.id),
                superseded_by=renamed.get(memory.superseded_by or "", memory.superseded_by),
            )
            for memory in self._memories
        ]
        return [memory for memory in memories if _scope_of_id(connection, memory.id) is None]

    def _apply(self, change: Change, encoder: Encoder) -> int:
        drafts = self._drafts(change.connection)
        nos: dict[str, int] = {}
        for start in range(0, len(drafts), _BATCH):
            part = drafts[start : start + _BATCH]
            inserted = change.insert([draft.memory for draft in part], encoder.embedded(part))
            nos |= {draft.memory.id: no for draft, no in zip(part, inserted, strict=True)}
        for draft in drafts:
            newer = draft.memory.superseded_by
            if newer in nos:
                change.supersede([nos[draft.memory.id]], nos[newer])
        return len(drafts)


def _scope_of_id(connection: Any, memory_id: str) -> Scope | None:
    """Whose memory has this id, or None if nobody's."""
    row = connection.execute(
        "SELECT s.user, m.character, s.chat FROM memory m JOIN space s ON s.no = m.space WHERE m.id = ?",
        (encode_id(memory_id),),
    ).fetchone()
    if row is None:
        return None
    return Scope(user=decode_text(row[0]), character=decode_optional(row[1]), chat=decode_optional(row[2]))


def _read(path: str | Path, scope: Scope | None) -> Iterator[Memory]:
    seen: set[str] = set()
    with _open(path, "r") as file:
        for number, line in enumerate(_lines(file, path), 1):
            if not line.strip():
                continue
            try:
                memory = from_json(json.loads(line), scope)
            except (RomaineError, TypeError, ValueError, RecursionError) as error:
                raise FormatError(
                    f"{path}, line {number}: no memory as export writes them ({error}); nothing was imported"
                ) from None
            if memory.id not in seen:
                seen.add(memory.id)
                yield memory


def _lines(file: Iterable[str], path: str | Path) -> Iterator[str]:
    try:
        yield from file
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not UTF-8 text ({error.reason}); nothing was imported") from None


def _open(path: str | Path, mode: str) -> Any:
    try:
        return Path(path).open(mode, encoding="utf-8")
    except OSError as error:
        raise FormatError(f"{path}: cannot be opened ({error.strerror})") from None
