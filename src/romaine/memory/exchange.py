"""Memories as JSONL: one record a line, without vectors, which any embedder makes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, fields, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID, uuid5

from romaine.bounded.parsing import check_cost, read_line
from romaine.choice import Choice
from romaine.errors import FormatError, OptionError, RomaineError
from romaine.memory.change import Change
from romaine.memory.checks import check_id, check_position
from romaine.memory.codec import to_json_text
from romaine.memory.encoder import Draft
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.storage import Snapshot
from romaine.memory.store import Store
from romaine.memory.stored import Wanted
from romaine.memory.terms import document_text
from romaine.memory.views import shown, view_of
from romaine.models.integrity import whole_file

_BATCH = 2000
_EMBEDDED_AHEAD = 20_000  # memories; of more, the vectors would take hundreds of megabytes
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


def from_json(record: object, *, scope: Scope | None = None, user: str | None = None) -> Memory:
    """Undoes `to_json`.

    Args:
        record: What a line holds.
        scope: Whose memory it becomes, or None for the one the record names.
        user: Whom the record must name, if that is asked.

    Raises:
        RomaineError, TypeError, ValueError, OverflowError: If the record is not one of a memory.
    """
    if not isinstance(record, dict):
        raise FormatError("it is not a JSON object")
    values = {name: record[name] for name in _NAMES if name in record}
    for name in ("created_at", "last_used_at"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    if scope is None:
        scope = Scope(user=record.get("user", ""), character=record.get("character"), chat=record.get("chat"))
    if user is not None and scope.user != user:
        raise FormatError(f"it is of user {scope.user!r} and not {user!r}; say whose scope it is to be in")
    memory = Memory(**values | {"scope": scope})
    check_position("position", memory.position, optional=True)
    if memory.superseded_by is not None:
        check_id(memory.superseded_by)
    return memory


def export_jsonl(store: Store, path: str | Path | BinaryIO, scope: Scope) -> int:
    """Writes what a scope sees to a file, which is whole or as it was; returns how many memories.

    Raises:
        OptionError: If the path is that of the memory's own file.
        FormatError: If it cannot be written.
    """
    if not isinstance(path, (str, Path)):
        return _export(store, path, scope)
    target = Path(path)
    if store.storage.owns(target):
        raise OptionError(f"path={str(path)!r} is the memory's own file; choose another name for the export")
    try:
        with whole_file(target, mode=0o644) as file:
            return _export(store, file, scope)
    except OSError as error:
        raise FormatError(f"{path}: cannot be written ({error.strerror})") from None


def _export(store: Store, file: BinaryIO, scope: Scope) -> int:
    count = 0
    with store.storage.read(scope.user) as snapshot:
        view = view_of(snapshot, scope)
        superseded = view.superseded(snapshot)
        for row in view.story(snapshot):
            line = to_json_text(to_json(shown(row, superseded)))
            file.write(line.encode("utf-8", "surrogatepass") + b"\n")
            count += 1
    return count


def import_jsonl(store: Store, path: str | Path | BinaryIO, *, scope: Scope | None, user: str | None) -> int:
    """Adds the memories of a file; returns how many were not there before. All of them or none.

    Raises:
        FormatError: If the file cannot be read or a line is not a memory; nothing is added then.
    """
    return _Import(store, path, scope, user).write()


class _Import:
    """Memories that keep their ids, positions and what supersedes them.

    The file is read twice: first to see that all of it is sound, then, inside the write, to add it batch by
    batch, so that it is never in memory as a whole.
    """

    def __init__(
        self, store: Store, path: str | Path | BinaryIO, scope: Scope | None, user: str | None
    ) -> None:
        self._store = store
        self._path, self._scope, self._user = path, scope, user
        self._name = str(path) if isinstance(path, (str, Path)) else "the file"
        self._count = sum(1 for _ in self._memories())

    def write(self) -> int:
        if not self._count:
            return 0
        user = self._user if self._scope is None else self._scope.user
        return self._store.write(self._apply, *([] if user is None else [user]), hint=self._drafts)

    def _memories(self) -> Iterator[Memory]:
        number = 0
        with _open(self._path) as file:
            while line := read_line(file, f"{self._name}, line {number + 1}"):
                number += 1
                if line.isspace():
                    continue
                try:
                    # lone surrogates stand in the file as they are, see to_json_text
                    text = line.decode("utf-8", "surrogatepass")
                    check_cost(line, "the line")
                    yield from_json(json.loads(text), scope=self._scope, user=self._user)
                except (RomaineError, TypeError, ValueError, OverflowError, RecursionError) as error:
                    told = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error
                    raise FormatError(
                        f"{self._name}, line {number}: no memory as export writes them ({told}); nothing was"
                        " imported"
                    ) from None

    def _drafts(self, _: Any) -> list[Draft]:
        """What will have to be embedded, as far as it fits into memory; the rest is inside the write."""
        if self._count > _EMBEDDED_AHEAD:
            return []
        drafts: list[Draft] = []
        before: str | None = None
        for memory in self._memories():
            text = document_text(memory.text, memory.speaker)
            is_turn = memory.kind is Kind.TURN
            drafts.append(Draft(text, before if is_turn else None))
            before = text if is_turn else before
        return drafts

    def _apply(self, change: Change) -> int:
        added = 0
        superseded: list[tuple[Memory, str]] = []
        change.encoder.patience = None
        memories = self._memories()
        while batch := list(islice(memories, _BATCH)):
            counts = change.encoder.token_counts([memory.text for memory in batch])
            new: dict[tuple[Scope, str], Memory] = {}
            for memory, count in zip(batch, counts, strict=True):
                id_ = _id_for(change.transaction, memory)
                if id_ is not None and (memory.scope, id_) not in new:
                    kept = replace(memory, id=id_, superseded_by=None, token_count=count)
                    new[memory.scope, id_] = kept
                    superseded += [(kept, memory.superseded_by)] if memory.superseded_by else []
            change.insert(list(new.values()))
            change.settle()
            added += len(new)
            if self._count > _EMBEDDED_AHEAD:
                change.encoder.clear()
        for memory, newer in superseded:
            _supersede(change, memory, newer)
        return added


def _id_for(snapshot: Snapshot, memory: Memory) -> str | None:
    """The id a memory gets: its own, or another where the user has that elsewhere; None if it is there."""
    for id_ in (memory.id, _renamed(memory.id, memory.scope)):
        held = _holders(snapshot, id_, memory.scope.user)
        if memory.scope in held:
            return None
        if not held:
            return id_
    return memory.id  # both are only left in versions that forks see


def _renamed(id_: str, scope: Scope) -> str:
    """The id of a memory that the same user has elsewhere, the same one at each import."""
    return str(uuid5(UUID(id_), repr(astuple(scope))))


def _holders(snapshot: Snapshot, id_: str, user: str) -> list[Scope | None]:
    """In which scopes a user has a memory of this id; None for versions that no longer hold."""
    rows = (row for row in snapshot.rows(None, Wanted(id=id_)) if row.scope.user == user)
    return [row.scope if row.retired is None else None for row in rows]


def _supersede(change: Change, memory: Memory, newer: str) -> None:
    view = view_of(change.transaction, memory.scope)
    old = view.row_of_id(change.transaction, memory.id)
    for id_ in (_renamed(newer, memory.scope), newer):
        new = view.row_of_id(change.transaction, id_)
        if old is not None and new is not None:
            change.supersede([old], new)
            return


def _open(path: str | Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    if not isinstance(path, (str, Path)):
        path.seek(0)
        return nullcontext(path)
    try:
        return Path(path).open("rb")
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        raise FormatError(f"{path}: cannot be opened ({getattr(error, 'strerror', error)})") from None
