"""What the index of a scope loads from the file: as little of each row as it needs, checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from romaine.memory.codec import VectorFormat, decode_optional, vector_checksum
from romaine.memory.rows import CATEGORIES, KINDS, Text, names
from romaine.memory.sqlite.rows import SEEN, values_of
from romaine.memory.stored import IndexRows, Place, Segment

_ROWS_AT_ONCE = 512  # their vectors stay in the cache of a core

# Sorts numbers only: the LIMIT keeps SQLite from sorting rows with their vectors.
_LOAD = f"""
    SELECT m.no, m.kind, m.category, m.speaker, m.known_by, m.importance, m.pinned, m.cold, m.position,
        m.created_at, m.valid_from, m.valid_to, v.terms, v.vector, v.context, v.checksum, v.previous
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
    size = vector_format.size(dim)
    cursor = connection.execute(_LOAD, values_of(segment) | {"since": version})
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        known = [row for row in rows if witnessed(segment, row[4])]
        sound = [row for row in known if _is_sound(row, size)]
        columns = list(zip(*sound, strict=True)) or [()] * 15
        yield IndexRows(
            row_ids=columns[0],
            kinds=[KINDS[kind] for kind in columns[1]],
            categories=[CATEGORIES[category] for category in columns[2]],
            speakers=[decode_optional(speaker) for speaker in columns[3]],
            known_by=[names(known_by) for known_by in columns[4]],
            importance=columns[5],
            pinned=columns[6],
            cold=columns[7],
            positions=columns[8],
            created=columns[9],
            valid_from=columns[10],
            valid_to=columns[11],
            terms=[np.frombuffer(terms, dtype="<u4") for terms in columns[12]],
            vectors=vector_format.unpack(columns[13], dim),
            contexts=vector_format.unpack(columns[14], dim),
            damaged=() if len(sound) == len(known) else _others(known, columns[0]),
        )


def witnessed(segment: Segment, known_by: Text | None) -> bool:
    """Whether a segment's character is among those who know."""
    return known_by is None or segment.character is None or segment.character in names(known_by)


def _is_sound(row: Sequence[Any], size: int) -> bool:
    """Whether a row's vectors are whole, and its kind and category are such."""
    terms, vector, context, checksum, previous = row[12:]
    return (
        row[1] in KINDS
        and row[2] in CATEGORIES
        and len(vector) == len(context) == size
        and len(terms) % 4 == 0
        and vector_checksum(vector, context, previous) == checksum
    )


def _others(rows: Sequence[Sequence[Any]], sound: Sequence[int]) -> list[int]:
    whole = set(sound)
    return [row[0] for row in rows if row[0] not in whole]
