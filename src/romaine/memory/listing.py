"""Looking at what a scope sees without searching: lists, single memories, counts."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from romaine.errors import OptionError
from romaine.memory.checks import check_count, check_names, check_optional_name
from romaine.memory.codec import encode_text
from romaine.memory.options import RecallOptions
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.rows import StoredMemory
from romaine.memory.store import Store, read_setting
from romaine.memory.views import View, view_of


@dataclass(frozen=True, kw_only=True)
class Stats:
    """How much there is.

    Attributes:
        memories: What the scope sees, by kind.
        pinned: How many of them are pinned.
        cold: How many are cold.
        superseded: How many something newer replaces.
        tokens: Tokens of their texts.
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
    file_bytes: int
    full_dim: int
    vector_format: str
    embedder: str

    @property
    def total(self) -> int:
        """How many memories the scope sees."""
        return sum(self.memories.values())


def find_memory(store: Store, scope: Scope, memory_id: str) -> Memory:
    """Returns one memory that a scope sees.

    Raises:
        MemoryNotFoundError: If there is none of this id.
    """
    with store.read() as connection:
        view = view_of(connection, scope)
        row = store.find(connection, view, memory_id)
        return view.memories(connection, [row])[row.no]


def list_memories(
    store: Store,
    scope: Scope,
    options: RecallOptions,
    *,
    source_ids: Collection[str] | None,
    source_prefix: str | None,
    offset: int,
    limit: int | None,
) -> list[Memory]:
    """Returns what a scope sees, in the order of the story; reads no further than asked."""
    check_count("offset", offset)
    check_count("limit", limit, optional=True)
    sources = None if source_ids is None else check_names("source_ids", source_ids)
    prefix = check_optional_name("source_prefix", source_prefix)
    if sources is not None and prefix is not None:
        raise OptionError("source_ids and source_prefix both say whose messages are meant; give one of them")
    with store.read() as connection:
        view = view_of(connection, scope)
        superseded = view.superseded(connection)
        rows = (
            row
            for row in _rows(connection, view, sources, prefix)
            if (options.kinds is None or row.kind in options.kinds)
            and (options.include_superseded or row.no not in superseded)
        )
        chosen = islice(rows, offset, None if limit is None else offset + limit)
        return [row.memory(superseded.get(row.no)) for row in chosen]


def _rows(
    connection: sqlite3.Connection, view: View, sources: frozenset[str] | None, prefix: str | None
) -> Iterator[StoredMemory]:
    """What is asked for, in the order of the story."""
    if prefix is not None:
        found = list(view.rows_of_source_prefix(connection, prefix))
    elif sources is not None:
        found = [
            row
            for source in sources
            for row in view.rows_of_source(connection, encode_text(source))
            if view.witnessed(row.known_by)
        ]
    else:
        yield from view.all_rows(connection)
        return
    yield from sorted(found, key=lambda row: (row.position is None, row.position or 0, row.no))


def stats_of(store: Store, scope: Scope) -> Stats:
    """Counts what a scope sees."""
    kinds: Counter[Kind] = Counter()
    pinned = cold = tokens = 0
    with store.read() as connection:
        view = view_of(connection, scope)
        for kind, count, *figures in view.counts(connection):
            kinds[Kind(kind)] += count
            pinned, cold, tokens = (a + b for a, b in zip((pinned, cold, tokens), figures, strict=True))
        old = view.superseded(connection)
        superseded = sum(1 for _ in view.rows_of(connection, old)) if old else 0
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        fingerprint = read_setting(connection, "embedder")
    return Stats(
        memories=dict(kinds),
        pinned=pinned,
        cold=cold,
        superseded=superseded,
        tokens=tokens,
        file_bytes=pages * page_size,
        full_dim=store.embedder.full_dim,
        vector_format=store.vector_format.value,
        embedder=str(fingerprint),
    )
