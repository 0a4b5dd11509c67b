"""Changing what is there: retracting, forking, pinning, forgetting, correcting."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from romaine.errors import OptionError
from romaine.memory.change import Change
from romaine.memory.checks import check_name, check_position
from romaine.memory.codec import decode_id, encode_optional, encode_text
from romaine.memory.encoder import Encoder
from romaine.memory.records import Memory, Scope
from romaine.memory.rows import StoredMemory
from romaine.memory.store import Store, read_setting, write_setting
from romaine.memory.views import View, space_of, view_of

_TO_ERASE = "to_erase"
_PATIENCE = 1.0  # seconds that `forget` waits for readers of an older state


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What became of memories that were to be forgotten.

    Attributes:
        memories: How many went. A fork lets go of what it inherited; the chat it comes from keeps it.
        pending: Whether their text may still stand in the write-ahead log, because another process reads an
            older state of the file. `RoleplayMemory.erase` tries again, and so do the next `forget` and
            whoever opens the file next.
    """

    memories: int
    pending: bool


def retract(store: Store, scope: Scope, source_ids: Iterable[str]) -> int:
    """Takes messages and all that was made from them out of a chat; returns how many memories went."""
    sources = [check_name("source_id", source) for source in _collection("source_ids", source_ids)]

    def apply(change: Change) -> int:
        view = view_of(change.connection, scope)
        found = [
            row
            for source in sources
            for row in view.rows_of_source(change.connection, encode_text(source))
            if view.witnessed(row.known_by)
        ]
        going = with_derived(change.connection, view, found)
        change.take_out(view, going)
        return len(going)

    return store.write(apply)


def forget(store: Store, scope: Scope, ids: Iterable[str], *, derived: bool) -> Forgotten:
    """Deletes memories from the file."""
    wanted = list(dict.fromkeys(_collection("ids", ids)))

    def apply(change: Change) -> int:
        view = view_of(change.connection, scope)
        going = [store.find(change.connection, view, id_) for id_ in wanted]
        if derived:
            going = with_derived(change.connection, view, going)
        change.erase(view, going)
        if going:
            write_setting(change.connection, _TO_ERASE, change.number)
        return len(going)

    count = store.write(apply)
    return Forgotten(memories=count, pending=not erase(store))


def erase(store: Store) -> bool:
    """Empties the write-ahead log if forgotten text may stand in it; returns whether none does."""
    with store.read() as connection:
        written = read_setting(connection, _TO_ERASE)
    if written is None:
        return True
    if store.database.read_only or not store.database.truncate_log(_PATIENCE):
        return False
    with store.database.write() as connection:
        if read_setting(connection, _TO_ERASE) == written:
            write_setting(connection, _TO_ERASE, None)
    return True


def update(store: Store, scope: Scope, memory_id: str, edit: Callable[[Memory], Memory]) -> Memory:
    """Changes one memory; a changed text is embedded again."""

    def apply(change: Change) -> Memory:
        view = view_of(change.connection, scope)
        row = store.find(change.connection, view, memory_id)
        (old,) = view.memories(change.connection, [row]).values()
        new = edit(old)
        if new.text != old.text:
            (count,) = Encoder(store.embedder).token_counts([new.text])
            new = replace(new, token_count=count)
        return change.replace(view, row, new).memory(old.superseded_by)

    return store.write(apply)


def branch(store: Store, scope: Scope, *, at: int, to_chat: str) -> Scope:
    """Forks a chat after position `at`; returns the fork's scope."""
    if scope.chat is None:
        raise OptionError("scope.chat=None has no turns to fork from; give the chat's scope")
    check_position("at", at)
    fork = replace(scope, chat=check_name("to_chat", to_chat))

    def apply(change: Change) -> Scope:
        connection = change.connection
        parent = space_of(connection, scope.user, scope.chat)
        if parent is None:
            raise OptionError(f"chat {scope.chat!r} of this user is empty; there is nothing to fork from")
        if _is_taken(connection, fork):
            raise OptionError(f"to_chat={to_chat!r} already has memories; choose a name that is new")
        change.branch(scope, parent, at=at, fork=fork)
        return fork

    return store.write(apply)


def with_derived(
    connection: sqlite3.Connection, view: View, rows: Iterable[StoredMemory]
) -> list[StoredMemory]:
    """Adds to rows what was made from them, and from that, as far as the view sees it."""
    found = {row.no: row for row in rows}
    waiting = list(found.values())
    while waiting:
        row = waiting.pop()
        for parent in {encode_text(decode_id(row.id)), row.source_id} - {None}:
            for child in list(view.children_of(connection, parent or "")):
                if child.no not in found:
                    found[child.no] = child
                    waiting.append(child)
    return list(found.values())


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
