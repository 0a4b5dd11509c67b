"""Changing what is there: retracting, forking, pinning, forgetting, correcting."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from romaine.errors import OptionError
from romaine.memory.change import Change
from romaine.memory.checks import check_name, check_position
from romaine.memory.encoder import Encoder
from romaine.memory.records import Memory, Scope, uuid7
from romaine.memory.storage import Snapshot
from romaine.memory.store import Store, find
from romaine.memory.stored import StoredMemory, Wanted
from romaine.memory.views import View, view_of

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
        snapshot = change.transaction
        view = view_of(snapshot, scope)
        found = [row for source in sources for row in view.rows(snapshot, Wanted(source_id=source))]
        going = with_derived(snapshot, view, found)
        change.take_out(view, going)
        return len(going)

    return store.write(apply, scope.user)


def forget(store: Store, scope: Scope, ids: Iterable[str], *, derived: bool) -> Forgotten:
    """Deletes memories from the file."""
    wanted = list(dict.fromkeys(_collection("ids", ids)))

    def apply(change: Change) -> int:
        view = view_of(change.transaction, scope)
        going = [find(change.transaction, view, id_) for id_ in wanted]
        if derived:
            going = with_derived(change.transaction, view, going)
        change.erase(view, going)
        if going and store.storage.keeps_deleted:
            change.transaction.set(_TO_ERASE, uuid7())
        return len(going)

    count = store.write(apply, scope.user)
    return Forgotten(memories=count, pending=not erase(store))


def erase(store: Store) -> bool:
    """Empties the write-ahead log if forgotten text may stand in it; returns whether none does."""
    storage = store.storage
    if not storage.keeps_deleted:
        return True
    with storage.read() as snapshot:
        forgotten = snapshot.setting(_TO_ERASE)
    if forgotten is None:
        return True
    if storage.read_only or not storage.erase_deleted(_PATIENCE):
        return False
    with storage.write() as transaction:
        if transaction.setting(_TO_ERASE) == forgotten:  # nobody has forgotten more since
            transaction.set(_TO_ERASE, None)
    return True


def update(store: Store, scope: Scope, memory_id: str, edit: Callable[[Memory], Memory]) -> Memory:
    """Changes one memory; a changed text is embedded again."""

    def apply(change: Change) -> Memory:
        view = view_of(change.transaction, scope)
        row = find(change.transaction, view, memory_id)
        superseded = view.superseded(change.transaction)
        new = edit(row.memory)
        if new.text != row.memory.text:
            (count,) = Encoder(store.embedder).token_counts([new.text])
            new = replace(new, token_count=count)
        memory = change.replace(view, row, new).memory
        return memory.with_checked(superseded_by=superseded.get(row.row_id))

    return store.write(apply, scope.user)


def branch(store: Store, scope: Scope, *, at: int, to_chat: str) -> Scope:
    """Forks a chat after position `at`; returns the fork's scope."""
    if scope.chat is None:
        raise OptionError("scope.chat=None has no turns to fork from; give the chat's scope")
    check_position("at", at)
    fork = replace(scope, chat=check_name("to_chat", to_chat))

    def apply(change: Change) -> Scope:
        transaction = change.transaction
        parent = transaction.space(scope.user, scope.chat)
        if parent is None:
            raise OptionError(f"chat {scope.chat!r} of this user is empty; there is nothing to fork from")
        space = transaction.make_space(scope.user, to_chat)
        if transaction.is_taken(space.row_id, scope.character):
            raise OptionError(f"to_chat={to_chat!r} already has memories; choose a name that is new")
        transaction.add_fork(space.row_id, parent.row_id, character=scope.character, at=at)
        return fork

    return store.write(apply, scope.user)


def with_derived(snapshot: Snapshot, view: View, rows: Iterable[StoredMemory]) -> list[StoredMemory]:
    """Adds to rows what was made from them, and from that, as far as the view sees it."""
    found = {row.row_id: row for row in rows}
    waiting = list(found.values())
    while waiting:
        row = waiting.pop()
        for parent in {row.memory.id, row.memory.source_id} - {None}:
            for child in view.rows(snapshot, Wanted(parent_id=parent)):
                if child.row_id not in found:
                    found[child.row_id] = child
                    waiting.append(child)
    return list(found.values())


def _collection(what: str, values: Iterable[str]) -> Collection[str]:
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise OptionError(f"{what}={values!r} must be a list of strings")
    return list(values)
