"""What the index of a scope loads from the database: as little of each row as it needs, checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from romaine.arrays import FloatArray
from romaine.memory.codec import VectorFormat, decode_optional, vector_checksum
from romaine.memory.postgres.rows import SEEN, values_of
from romaine.memory.postgres.session import BoundSession, Row
from romaine.memory.rows import CATEGORIES, KINDS, Text, names
from romaine.memory.stored import IndexRows, Place, Segment

_ROWS_AT_ONCE = 1024

_SINCE = f"""SELECT m.no, m.known_by, CASE m.kind WHEN 'turn' THEN m.position END FROM memory m
    WHERE {SEEN} AND m.changed > %(since)s ORDER BY m.no"""  # noqa: S608
_LOAD = """
    SELECT m.no, m.kind, m.category, m.speaker, m.known_by, m.importance, m.pinned, m.cold, m.position,
        m.created_at, m.valid_from, m.valid_to, v.terms, v.vector, v.context, v.checksum, v.previous
    FROM memory m JOIN vector v ON v.no = m.no WHERE m.no = ANY (%s::bigint[]) ORDER BY m.no"""
_CHANGED = """SELECT no FROM memory WHERE space = %(space)s AND changed > %(since)s
    UNION ALL SELECT memory FROM gone WHERE space = %(space)s AND change > %(since)s"""
_BEGINNING = -1  # before every version


def changed_since(
    session: BoundSession, segment: Segment, version: int
) -> list[tuple[int, bytes | None, int | None]]:
    """Rows that a segment sees and that changed after a version: who knows of each, a turn's position."""
    key = (segment, version)
    if key not in session.kept:
        session.kept[key] = session.all(_SINCE, values_of(segment) | {"since": version})
    found: list[tuple[int, bytes | None, int | None]] = session.kept[key]
    return found


def gone_since(session: BoundSession, segment: Segment, version: int) -> list[int]:
    """As `Snapshot.gone_since`."""
    changed = session.all(_CHANGED, {"space": segment.space, "since": version})
    if not changed:
        return []
    rows = changed_since(session, segment, version)
    seen = {no for no, known_by, _ in rows if witnessed(segment, known_by)}
    return [no for (no,) in changed if no not in seen]


def turns(session: BoundSession, segment: Segment) -> list[Place]:
    """As `Snapshot.turns`."""
    rows = changed_since(session, segment, _BEGINNING)  # who asks loads all of them, mostly
    return [
        (position, no)
        for no, known_by, position in rows
        if position is not None and witnessed(segment, known_by)
    ]


def index_rows(
    session: BoundSession, segment: Segment, version: int, dim: int, vector_format: VectorFormat
) -> Iterator[IndexRows]:
    """As `Snapshot.index_rows`."""
    rows = changed_since(session, segment, version)
    row_ids = [no for no, known_by, _ in rows if witnessed(segment, known_by)]
    return loaded(session, row_ids, dim, vector_format)


def loaded(
    session: BoundSession,
    row_ids: Sequence[int],
    dim: int,
    vector_format: VectorFormat,
    witness: Segment | None = None,
) -> Iterator[IndexRows]:
    """Rows in batches; only those that a segment's character witnessed, if one is given."""
    size = vector_format.size(dim)
    for start in range(0, len(row_ids), _ROWS_AT_ONCE):
        known = session.all(_LOAD, (row_ids[start : start + _ROWS_AT_ONCE],))
        if witness is not None:
            known = [row for row in known if witnessed(witness, row[4])]
        sound = [row for row in known if _is_sound(row, size)]
        yield described(
            sound,
            vector_format.unpack([row[13] for row in sound], dim),
            vector_format.unpack([row[14] for row in sound], dim),
            () if len(sound) == len(known) else _others(known, [row[0] for row in sound]),
        )


def described(
    rows: Sequence[Row], vectors: FloatArray, contexts: FloatArray, damaged: Sequence[int] = ()
) -> IndexRows:
    """Rows of `_LOAD`, or as many columns of it as come before the vectors, with these (n, dim)."""
    columns: list[Any] = list(zip(*rows, strict=True)) or [()] * 13
    return IndexRows(
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
        terms=columns[12],
        vectors=vectors,
        contexts=contexts,
        damaged=damaged,
    )


def witnessed(segment: Segment, known_by: Text | None) -> bool:
    """Whether a segment's character is among those who know."""
    return known_by is None or segment.character is None or segment.character in names(known_by)


def _is_sound(row: Row, size: int) -> bool:
    """Whether a row's vectors are whole, and its kind and category are such."""
    vector, context, checksum, previous = row[13:]
    return (
        row[1] in KINDS
        and row[2] in CATEGORIES
        and len(vector) == len(context) == size
        and vector_checksum(vector, context, previous) == checksum
    )


def _others(rows: Sequence[Row], sound: Sequence[int]) -> list[int]:
    whole = set(sound)
    return [row[0] for row in rows if row[0] not in whole]
