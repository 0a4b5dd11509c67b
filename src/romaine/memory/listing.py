"""Looking at what a scope sees without searching: lists, single memories, counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from romaine.errors import OptionError
from romaine.memory.checks import check_count, check_name, check_names, check_optional_name, check_position
from romaine.memory.options import RecallOptions
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.sequence import last_position
from romaine.memory.storage import Snapshot
from romaine.memory.store import Store, find
from romaine.memory.stored import EVERYTHING, StoredMemory, Wanted
from romaine.memory.views import View, shown, view_of


@dataclass(frozen=True, kw_only=True)
class Stats:
    """How much there is.

    Attributes:
        memories: What the scope sees, by kind.
        pinned: How many of them are pinned.
        cold: How many are cold.
        superseded: How many something newer replaces.
        tokens: Tokens of their texts.
        last_position: Where in the story the latest turn stands, or None.
        file_bytes: Size of the whole file, all users' memories included.
        full_dim: Components of a stored vector.
        vector_format: How vectors are stored.
        embedder: Fingerprint of the embedder they belong to.
    """

    memories: Mapping[Kind, int]
    pinned: int
    cold: int
    superseded: int
    tokens: int
    last_position: int | None
    file_bytes: int
    full_dim: int
    vector_format: str
    embedder: str

    @property
    def total(self) -> int:
        """How many memories the scope sees."""
        return sum(self.memories.values())


@dataclass(frozen=True, kw_only=True)
class HeldScope:
    """A scope that holds something.

    Attributes:
        scope: Which.
        memories: How many were stored in it; what it sees besides is not counted, be it shared or a fork's
            past.
        forked_from: The chat that this one is a fork of, or None.
        forked_at: Position of the last turn that they share, or None.
    """

    scope: Scope
    memories: int
    forked_from: str | None = None
    forked_at: int | None = None


def users_of(store: Store) -> list[str]:
    """Returns all users of a file, by name."""
    with store.storage.read() as snapshot:
        return sorted(snapshot.users())


def scopes_of(store: Store, user: str) -> list[HeldScope]:
    """Returns the scopes of a user that hold something, by chat and character."""
    check_name("user", user)
    with store.storage.read(user) as snapshot:
        held = snapshot.scopes(user)
        chats = {scope.chat for scope in held}
        spaces = {chat: space for chat in chats if (space := snapshot.space(user, chat)) is not None}
        chat_of = {space.row_id: chat for chat, space in spaces.items()}
        found: list[HeldScope] = []
        for scope, memories in held.items():
            space = None if scope.chat is None else spaces.get(scope.chat)
            fork = None if space is None else snapshot.fork(space.row_id, scope.character)
            found.append(
                HeldScope(
                    scope=scope,
                    memories=memories,
                    forked_from=None if fork is None else chat_of.get(fork.parent),
                    forked_at=None if fork is None else fork.at,
                )
            )
    return sorted(found, key=lambda each: (each.scope.chat or "", each.scope.character or ""))


def find_memory(store: Store, scope: Scope, memory_id: str) -> Memory:
    """Returns one memory that a scope sees.

    Raises:
        MemoryNotFoundError: If there is none of this id.
    """
    with store.storage.read(scope.user) as snapshot:
        view = view_of(snapshot, scope)
        return shown(find(snapshot, view, memory_id), view.superseded(snapshot))


def list_memories(
    store: Store,
    scope: Scope,
    options: RecallOptions,
    *,
    source_ids: Collection[str] | None,
    source_prefix: str | None,
    after: int | None,
    before: int | None,
    offset: int,
    limit: int | None,
) -> list[Memory]:
    """Returns what a scope sees, in the order of the story; reads no further than asked."""
    check_count("offset", offset)
    check_position("after", after, optional=True)
    check_position("before", before, optional=True)
    check_count("limit", limit, optional=True)
    sources = None if source_ids is None else check_names("source_ids", source_ids)
    prefix = check_optional_name("source_prefix", source_prefix)
    if sources is not None and prefix is not None:
        raise OptionError("source_ids and source_prefix both say whose messages are meant; give one of them")
    kinds = EVERYTHING if options.kinds is None else frozenset(map(Kind, options.kinds))
    wanted = Wanted(kinds=kinds, source_prefix=prefix, after=after)
    with store.storage.read(scope.user) as snapshot:
        view = view_of(snapshot, scope)
        superseded = view.superseded(snapshot)
        rows: Iterator[StoredMemory] = (
            row
            for row in _rows(snapshot, view, wanted, sources)
            if options.include_superseded or row.row_id not in superseded
        )
        if before is not None:
            rows = takewhile(lambda row: row.position is not None and row.position < before, rows)
        chosen = islice(rows, offset, None if limit is None else offset + limit)
        return [shown(row, superseded) for row in chosen]


def _rows(
    snapshot: Snapshot, view: View, wanted: Wanted, sources: frozenset[str] | None
) -> Iterator[StoredMemory]:
    """What is asked for, in the order of the story."""
    if sources is None:
        return view.story(snapshot, wanted)
    found = [row for source in sources for row in view.rows(snapshot, replace(wanted, source_id=source))]
    return iter(sorted(found, key=lambda row: (row.position is None, row.position or 0, row.row_id)))


def stats_of(store: Store, scope: Scope) -> Stats:
    """Counts what a scope sees."""
    kinds: Counter[Kind] = Counter()
    pinned = cold = tokens = 0
    with store.storage.read(scope.user) as snapshot:
        view = view_of(snapshot, scope)
        for count in (count for segment in view.segments for count in snapshot.counts(segment)):
            kinds[count.kind] += count.memories
            pinned, cold, tokens = pinned + count.pinned, cold + count.cold, tokens + count.tokens
        superseded = sum(1 for _ in view.rows(snapshot, Wanted(row_ids=view.superseded(snapshot))))
        end = last_position(snapshot, view)
        file_bytes = snapshot.size()
        fingerprint = snapshot.setting("embedder")
    return Stats(
        memories=dict(kinds),
        pinned=pinned,
        cold=cold,
        superseded=superseded,
        tokens=tokens,
        last_position=end,
        file_bytes=file_bytes,
        full_dim=store.embedder.full_dim,
        vector_format=store.vector_format.value,
        embedder=str(fingerprint),
    )
