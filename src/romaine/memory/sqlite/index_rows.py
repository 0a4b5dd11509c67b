"""What the index of a scope loads from the file: as little of each row as it needs, checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from romaine.memory.codec import VectorFormat
from romaine.memory.loading import cut, index_rows_of
from romaine.memory.rows import LOADED, witnessed
from romaine.memory.sqlite.rows import SEEN, values_of
from romaine.memory.stored import IndexRows, Place, Segment
from romaine.memory.terms import TermIds

_ROWS_AT_ONCE = 512  # their vectors stay in the cache of a core

# Sorts numbers only: the LIMIT keeps SQLite from sorting rows with their vectors.
_LOAD = f"""
    SELECT {LOADED}
    FROM (SELECT m.no FROM memory m WHERE {SEEN} AND m.changed > :since ORDER BY m.no LIMIT -1) seen
    CROSS JOIN memory m ON m.no = seen.no CROSS JOIN vector v ON v.no = seen.no"""  # noqa: S608
_SEEN_SINCE = f"SELECT m.no, m.known_by FROM memory m WHERE {SEEN} AND m.changed > :since"  # noqa: S608
_COUNT_SINCE = f"SELECT count(*) FROM memory m WHERE {SEEN} AND m.changed > :since"  # noqa: S608
_CHANGED = "SELECT no FROM memory WHERE space = ? AND changed > ?"
_GONE = "SELECT memory FROM gone WHERE space = ? AND change > ?"
_TURNS = f"""SELECT m.position, m.no, m.known_by FROM memory m
    WHERE {SEEN} AND m.kind = 'turn' AND m.position IS NOT NULL"""  # noqa: S608


def gone_since(connection: sqlite3.Connection, segment: Segment, version: int) -> list[int]:
    """As `Snapshot.gone_since`."""
    since = (segment.space, version)
    gone = [no for (no,) in connection.execute(_GONE, since)]
    changed = [no for (no,) in connection.execute(_CHANGED, since)]
    if changed:
        rows = connection.execute(_SEEN_SINCE, values_of(segment) | {"since": version})
        seen = {no for no, known_by in rows if witnessed(segment, known_by)}
        gone += [no for no in changed if no not in seen]
    return gone


def count_since(connection: sqlite3.Connection, segment: Segment, version: int) -> int:
    """As `Snapshot.count_since`."""
    (count,) = connection.execute(_COUNT_SINCE, values_of(segment) | {"since": version}).fetchone()
    return int(count)


def turns(connection: sqlite3.Connection, segment: Segment) -> list[Place]:
    """As `Snapshot.turns`."""
    rows = connection.execute(_TURNS, values_of(segment))
    return [(position, no) for position, no, known_by in rows if witnessed(segment, known_by)]


def index_rows(
    connection: sqlite3.Connection, segment: Segment, version: int, dim: int, vector_format: VectorFormat
) -> Iterator[IndexRows]:
    """As `Snapshot.index_rows`."""
    cursor = connection.execute(_LOAD, values_of(segment) | {"since": version})
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        columns = list(zip(*rows, strict=True))
        yield index_rows_of(columns, vector_format, dim, witness=segment, terms_of=_terms_of)


def _terms_of(blobs: Sequence[bytes]) -> list[TermIds]:
    return cut(np.frombuffer(b"".join(blobs), dtype="<u4"), [len(blob) // 4 for blob in blobs])
