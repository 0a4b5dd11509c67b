"""`RomaineStore`: a LangGraph store in the file of a memory. Needs `langchain-romaine[agents]`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    get_text_at_path,
)

from langchain_romaine.checks import check_memory
from langchain_romaine.documents import erase_notes, find_notes, stored_notes
from langchain_romaine.filters import check_filter, matches
from langchain_romaine.namespaces import NamespacePattern, fits, source_of, source_prefix
from langchain_romaine.scopes import is_own
from romaine import Memory, RoleplayMemory, Scope
from romaine.errors import OptionError
from romaine.memory.records import Kind, scope_names, utc_now
from romaine.options import explains

KEY = "langgraph"
"""Under this key a memory's metadata holds what its text does not say of an item."""


class RomaineStore(BaseStore):
    """Keeps the items of a LangGraph store in a `romaine.RoleplayMemory`, each in the scope of its namespace.

    What is put is on the disk when `put` returns, is found by meaning and by words, and is recalled by this
    package's other classes for the same user, beside what was said. Nothing is read across users: a search or
    a listing has to say whose items it means.

    An item's text is its value, a line for each thing in it, or the values of `fields` alone. Fields are
    embedded together, as one text; with ``index=False`` an item has none and is not found by a query, nor
    recalled. Items never expire: a `ttl` is refused. `SearchItem.score` is the memory's confidence, 0 to 1.
    A filter compares numbers with numbers and texts with texts, and knows $in and $nin besides. A batch reads
    the state before it, and of two puts with one key the later counts.

    Args:
        memory: Share one with middleware and tools, and close it when all are done.
        namespace: What namespaces begin with, e.g. ``("memories", "{user}", "{character}")``: words as they
            are, and "{user}", "{character}" and "{chat}" where they name the scope. Any labels may follow.
            None for ``("{user}",)``, or ``()`` where the user is given.
        scope: Whose all items are, in place of `user`, `character` and `chat`.
        user: Whose all items are; None if namespaces say.
        character: The character who knows them; None if namespaces say, or for all of the user's.
        chat: The chat in which alone they may be recalled; None if namespaces say, or for all.
        fields: Paths of what is embedded, as in `put`'s `index`; "$" for the whole value.

    Raises:
        romaine.errors.OptionError: If nothing says who the user is, or something does twice.
    """

    __slots__ = ("_fields", "_pattern", "memory")

    @explains
    def __init__(
        self,
        memory: RoleplayMemory,
        *,
        namespace: Sequence[str] | None = None,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        fields: Sequence[str] = ("$",),
    ) -> None:
        names = scope_names(scope, user=user, character=character, chat=chat)
        if namespace is None:
            namespace = () if names["user"] is not None else ("{user}",)
        if isinstance(namespace, str) or isinstance(fields, str):
            raise OptionError(
                f"namespace={namespace!r}, fields={fields!r}: both are sequences of str, e.g. ('{{user}}',)"
            )
        self.memory = check_memory(memory)
        self._pattern = NamespacePattern(labels=tuple(namespace), **names)
        self._fields = tuple(fields)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Does several things at once; see the class.

        Raises:
            langgraph.store.base.InvalidNamespaceError: If a namespace does not say whose items are meant.
            romaine.errors.OptionError: If a value is not what JSON can hold, or an operator is unknown.
            romaine.errors.StorageError: If something cannot be written.
        """
        given = list(ops)
        results = [self._read(op) for op in given]
        self._write({(op.namespace, op.key): op for op in given if isinstance(op, PutOp)}.values())
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch` in a worker thread; the event loop stays free."""
        return await asyncio.to_thread(self.batch, ops)

    # --- writing -------------------------------------------------------------------------------------------

    def _write(self, ops: Iterable[PutOp]) -> None:
        kept: list[Memory] = []
        doomed: dict[Scope, list[str]] = {}
        for op in ops:
            scope = self._pattern.scope(op.namespace)
            if op.ttl is not None:
                raise NotImplementedError(
                    f"ttl={op.ttl} is not supported: items never expire; delete them instead"
                )
            if op.value is None:
                doomed.setdefault(scope, []).append(source_of(op.namespace, op.key))
            else:
                kept.append(self._note(op, op.value, scope))
        self.memory.add_notes(kept, keep_twins=True)
        for scope, sources in doomed.items():
            erase_notes(self.memory, scope, sources)

    def _note(self, op: PutOp, value: Mapping[str, Any], scope: Scope) -> Memory:
        now = utc_now()
        paths = () if op.index is False else self._fields if op.index is None else op.index
        texts = [text for path in paths for text in _texts_at(value, path)]
        record = {"namespace": list(op.namespace), "key": op.key, "value": dict(value), "at": now.isoformat()}
        return Memory(
            scope=scope,
            kind=Kind.LORE,
            text="\n".join(texts),
            source_id=source_of(op.namespace, op.key),
            created_at=now,
            metadata={KEY: record},
        )

    # --- reading -------------------------------------------------------------------------------------------

    def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            source = source_of(op.namespace, op.key)
            found = stored_notes(self.memory, self._pattern.scope(op.namespace), [source]).get(source)
            return None if found is None else Item(**_item(found))
        if isinstance(op, SearchOp):
            check_filter(op.filter)
            found_items = self._found(op, op.query) if op.query else self._listed(op)
            return found_items[op.offset : op.offset + op.limit]
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        if isinstance(op, PutOp):
            return None
        raise OptionError(f"{op!r} is not an operation that a store knows")

    def _listed(self, op: SearchOp) -> list[SearchItem]:
        wanted = _wanted(op)
        notes = [note for note in self._notes_below(op.namespace_prefix) if wanted(note)]
        return [SearchItem(**_item(note)) for note in sorted(notes, key=lambda note: note.id)]

    def _found(self, op: SearchOp, query: str) -> list[SearchItem]:
        """Hits of each scope below the prefix; those of several are comparable by their confidence."""
        wanted = _wanted(op)
        found = [
            (confidence, note)
            for scope in self._scopes_below(op.namespace_prefix)
            for note, confidence in find_notes(
                self.memory,
                scope,
                query,
                k=op.offset + op.limit,
                wanted=lambda note: bool(note.text) and wanted(note),
            )
        ]
        found.sort(key=lambda pair: -pair[0])  # stable: of one scope they stay in their order
        return [SearchItem(**_item(note), score=confidence) for confidence, note in found]

    def _namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        conditions = op.match_conditions or ()
        prefixes = [condition.path for condition in conditions if condition.match_type == "prefix"]
        labels: list[str] = list(prefixes[0] if prefixes else ())
        known = labels[: labels.index("*")] if "*" in labels else labels
        namespaces = {tuple(_record(note)["namespace"]) for note in self._notes_below(known)}
        fitting = {space for space in namespaces if all(fits(space, condition) for condition in conditions)}
        cut = sorted({space[: op.max_depth] for space in fitting})
        return cut[op.offset : op.offset + op.limit]

    def _notes_below(self, prefix: Sequence[str]) -> Iterator[Memory]:
        begins = source_prefix(prefix)
        for scope in self._scopes_below(prefix):
            for note in self.memory.list(scope, kinds=[Kind.LORE], source_prefix=begins):
                if is_own(note, scope):
                    yield note

    def _scopes_below(self, prefix: Sequence[str]) -> list[Scope]:
        """What the user has anything in, of what the prefix may mean."""
        meant = self._pattern.scope(prefix)
        held = (held.scope for held in self.memory.scopes(meant.user))
        return [
            scope
            for scope in held
            if meant.character in (None, scope.character) and meant.chat in (None, scope.chat)
        ]


def _wanted(op: SearchOp) -> Callable[[Memory], bool]:
    begins = source_prefix(op.namespace_prefix)

    def wanted(note: Memory) -> bool:
        below = note.source_id is not None and note.source_id.startswith(begins)
        return below and (not op.filter or matches(_record(note)["value"], op.filter))

    return wanted


def _record(note: Memory) -> dict[str, Any]:
    record: dict[str, Any] = note.metadata[KEY]
    return record


def _item(note: Memory) -> dict[str, Any]:
    record = _record(note)
    return {
        "value": record["value"],
        "key": record["key"],
        "namespace": tuple(record["namespace"]),
        "created_at": note.created_at,
        "updated_at": datetime.fromisoformat(record["at"]),
    }


def _texts_at(value: Mapping[str, Any], path: str) -> list[str]:
    if path != "$":
        return get_text_at_path(dict(value), path)
    lines = list(_lines(value, ""))
    return [text for _, text in lines] if len(lines) == 1 else [f"{name}: {text}" for name, text in lines]


def _lines(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Every name of a value with what stands under it, the innermost name of nested ones."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _lines(inner, str(key))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _lines(inner, name)
    elif value is not None:
        yield name, str(value)
