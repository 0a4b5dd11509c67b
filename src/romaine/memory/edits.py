"""Changing what is there: retracting, forking, pinning, forgetting, correcting."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from romaine.errors import OptionError
from romaine.memory.change import Change
from romaine.memory.checks import check_count, check_name
from romaine.memory.codec import encode_optional, encode_text
from romaine.memory.encoder import Draft, Encoder
from romaine.memory.records import Memory, Scope
from romaine.memory.rows import COLUMNS, to_memory
from romaine.memory.sequence import changed_drafts, drafts_without, put_drafts
from romaine.memory.store import Store
from romaine.memory.views import SEEN, View, space_of, view_of

_CHILDREN = f"""SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space
    WHERE {SEEN} AND m.parent_id = :parent"""  # noqa: S608

Doomed = dict[int, Any]
"""Rows by number."""


@dataclass
class _Retraction:
    """What goes from a chat: its own rows, and a fork's parents' rows that the fork drops."""

    own: dict[int, Memory] = field(default_factory=dict)
    inherited: list[int] = field(default_factory=list)


def retract(store: Store, scope: Scope, source_ids: Iterable[str]) -> int:
    """Takes messages and all that was made from them out of a chat; returns how many memories went."""
    sources = [check_name("source_id", source) for source in _collection("source_ids", source_ids)]

    def found(connection: sqlite3.Connection) -> _Retraction:
        view = view_of(connection, scope)
        rows: Doomed = {}
        for source in sources:
            rows |= {row[0]: row for row in view.rows_of_source(connection, encode_text(source))}
        return _split(scope, with_derived(connection, view, rows))

    def plan(connection: sqlite3.Connection) -> Sequence[Draft]:
        return list(drafts_without(connection, found(connection).own).values())

    def apply(change: Change, encoder: Encoder) -> int:
        going = found(change.connection)
        drafts = drafts_without(change.connection, going.own)
        change.retire(list(going.own))
        change.hide(going.inherited, scope)
        put_drafts(change, encoder, drafts)
        return len(going.own) + len(going.inherited)

    return store.write(plan, apply)


def forget(store: Store, scope: Scope, ids: Iterable[str], *, derived: bool) -> int:
    """Deletes memories from the file; returns how many."""
    wanted = list(_collection("ids", ids))

    def found(connection: sqlite3.Connection) -> dict[int, Memory]:
        view = view_of(connection, scope)
        rows: Doomed = {row[0]: row for row in (store.find(connection, view, id_) for id_ in wanted)}
        if derived:
            rows = with_derived(connection, view, rows)
        return {no: to_memory(row) for no, row in rows.items()}

    def plan(connection: sqlite3.Connection) -> Sequence[Draft]:
        return list(drafts_without(connection, found(connection)).values())

    def apply(change: Change, encoder: Encoder) -> int:
        doomed = found(change.connection)
        drafts = drafts_without(change.connection, doomed)
        change.delete(list(doomed))
        put_drafts(change, encoder, drafts)
        return len(doomed)

    count = store.write(plan, apply)
    store.database.truncate_log()
    return count


def update(store: Store, scope: Scope, memory_id: str, edit: Callable[[Memory], Memory]) -> Memory:
    """Changes one memory; a changed text is embedded again."""

    def edited(connection: sqlite3.Connection) -> tuple[int, Memory, Memory]:
        row = store.find(connection, view_of(connection, scope), memory_id)
        old = to_memory(row)
        new = edit(old)
        if new.text != old.text:
            (count,) = Encoder(store.embedder).token_counts([new.text])
            new = replace(new, token_count=count)
        return row[0], old, new

    def drafts(connection: sqlite3.Connection) -> dict[int, Draft]:
        no, old, new = edited(connection)
        same = (old.text, old.speaker, old.known_by) == (new.text, new.speaker, new.known_by)
        return {} if same else changed_drafts(connection, {no: new})

    def apply(change: Change, encoder: Encoder) -> Memory:
        no, old, new = edited(change.connection)
        changed = drafts(change.connection)
        change.update(no, new, keep_for_forks=old.text != new.text)
        put_drafts(change, encoder, changed)
        return new

    return store.write(lambda connection: list(drafts(connection).values()), apply)


def branch(store: Store, scope: Scope, *, at: int, to_chat: str) -> Scope:
    """Forks a chat after position `at`; returns the fork's scope."""
    if scope.chat is None:
        raise OptionError("scope.chat=None has no turns to fork from; give the chat's scope")
    check_count("at", at)
    fork = replace(scope, chat=check_name("to_chat", to_chat))
    with store.change() as change:
        connection = change.connection
        parent = space_of(connection, scope.user, scope.chat)
        if parent is None:
            raise OptionError(f"chat {scope.chat!r} of this user is empty; there is nothing to fork from")
        if _is_taken(connection, fork):
            raise OptionError(f"to_chat={to_chat!r} already has memories; choose a name that is new")
        connection.execute(
            "INSERT INTO branch (space, character, parent, at, change) VALUES (?, ?, ?, ?, ?)",
            (change.space(fork), encode_optional(scope.character), parent, at, change.number),
        )
    return fork


def with_derived(connection: sqlite3.Connection, view: View, rows: Mapping[int, Any]) -> Doomed:
    """Adds to rows what was made from them, and from that, as far as the view sees it."""
    found = dict(rows)
    waiting = list(rows.values())
    while waiting:
        row = waiting.pop()
        parents = {encode_text(to_memory(row).id), row[11]} - {None}
        for parent in parents:
            for segment in view.segments:
                for child in connection.execute(_CHILDREN, segment.values | {"parent": parent}):
                    if child[0] not in found:
                        found[child[0]] = child
                        waiting.append(child)
    return found


def _split(scope: Scope, rows: Mapping[int, Any]) -> _Retraction:
    going = _Retraction()
    for no, row in rows.items():
        memory = to_memory(row)
        # what stands outside any chat is everybody's own copy: there is no fork to keep it for
        if memory.scope.chat in (scope.chat, None):
            going.own[no] = memory
        else:
            going.inherited.append(no)
    return going


def _is_taken(connection: sqlite3.Connection, fork: Scope) -> bool:
    space = space_of(connection, fork.user, fork.chat)
    character = encode_optional(fork.character)
    taken = connection.execute(
        """SELECT EXISTS (SELECT 1 FROM memory WHERE space = :space
                AND (:character IS NULL OR character IS NULL OR character = :character))
            OR EXISTS (SELECT 1 FROM branch WHERE space = :space
                AND (:character IS NULL OR character IS NULL OR character = :character))""",
        {"space": space, "character": character},
    ).fetchone()
    return bool(taken[0])


def _collection(what: str, values: Iterable[str]) -> Collection[str]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise OptionError(f"{what}={values!r} must be a list of strings")
    return list(values)
