"""Undoing: what a change would take along, and how memories are put back as they were before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from romaine.errors import OptionError
from romaine.memory.change import Change
from romaine.memory.checks import check_id, check_position
from romaine.memory.edits import with_derived
from romaine.memory.records import Memory, Scope
from romaine.memory.storage import Snapshot
from romaine.memory.store import Store, find
from romaine.memory.stored import StoredMemory, Wanted
from romaine.memory.views import View, shown, view_of


def derived_memories(store: Store, scope: Scope, ids: Collection[str]) -> list[Memory]:
    """Returns memories with all that was made from them, as far as a scope sees it."""
    with store.storage.read(scope.user) as snapshot:
        view = view_of(snapshot, scope)
        rows = with_derived(snapshot, view, [find(snapshot, view, id_) for id_ in ids])
        superseded = view.superseded(snapshot)
        return [shown(row, superseded) for row in rows]


def restore(store: Store, scope: Scope, memories: Iterable[Memory], *, superseded: Mapping[str, str]) -> int:
    """Puts memories back as they were; returns how many were not."""
    given = [_checked(memory, scope) for memory in memories]
    newer = {memory.id: memory.superseded_by for memory in given if memory.superseded_by is not None}
    for id_ in (*superseded, *superseded.values()):
        check_id(id_)
    newer |= superseded
    plain = [memory.with_checked(superseded_by=None) for memory in given]

    def apply(change: Change) -> int:
        view = view_of(change.transaction, scope)
        count = sum(_put_back(change, view, memory) for memory in plain)
        view = view_of(change.transaction, scope)
        for old, new in newer.items():
            replaced, by = (_seen(change.transaction, view, id_) for id_ in (old, new))
            if replaced is not None and by is not None:
                change.supersede([replaced], by)
        return count

    return store.write(apply, scope.user)


def _checked(memory: object, scope: Scope) -> Memory:
    """Returns a memory that a scope may have seen; a fork sees those of the chats it comes from, too.

    Raises:
        OptionError: If it is none.
    """
    if not isinstance(memory, Memory):
        raise OptionError(f"{type(memory).__name__} is not a Memory; give what get or list returned")
    of = memory.scope
    if of.user != scope.user or of.character not in (None, scope.character):
        raise OptionError(f"memory {memory.id} is not of {scope}; restore it in its own scope")
    check_position("position", memory.position, optional=True)
    return memory


def _put_back(change: Change, view: View, memory: Memory) -> bool:
    """Gives a memory the content it had, or adds it again; returns whether there was anything to do."""
    snapshot = change.transaction
    row = _seen(snapshot, view, memory.id)
    if row is not None:
        if row.memory == memory:
            return False
        change.replace(view, row, replace(memory, scope=row.scope))
        return True
    hidden = _seen(snapshot, _undropped(view), memory.id)
    if hidden is not None:  # a fork has dropped what it inherited: it gets a copy of its own
        change.replace(view, hidden, replace(memory, scope=hidden.scope))
        return True
    retired = _retired(snapshot, view, memory)
    if retired is not None:
        change.revive(retired)
        return True
    if memory.scope.chat is not None:  # in a fork it becomes the fork's own
        memory = replace(memory, scope=replace(memory.scope, chat=view.scope.chat))
    change.insert([memory])
    return True


def _seen(snapshot: Snapshot, view: View, memory_id: str) -> StoredMemory | None:
    """The memory of an id, whoever witnessed it: a restriction of its witnesses can be undone, too."""
    return next(view.rows_witnessed_or_not(snapshot, Wanted(id=memory_id)), None)


def _undropped(view: View) -> View:
    """The view as if its fork had dropped nothing."""
    return replace(view, segments=tuple(replace(each, hidden=frozenset()) for each in view.segments))


def _retired(snapshot: Snapshot, view: View, memory: Memory) -> StoredMemory | None:
    """The version of a memory that only forks of its chat still see, if it says the same."""
    if view.own is None:
        return None
    rows = [
        row
        for row in snapshot.rows(None, Wanted(id=memory.id))
        if row.space == view.own.row_id and row.retired is not None and row.memory == memory
    ]
    return max(rows, key=lambda row: row.retired or 0, default=None)
