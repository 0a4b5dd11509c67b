"""What the index of a scope loads from the database: as little of each row as it needs, checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from romaine.memory.codec import VectorFormat
from romaine.memory.postgres.rows import SEEN, values_of
from romaine.memory.postgres.session import BoundSession
from romaine.memory.rows import LOADED, index_rows_of, is_sound, witnessed
from romaine.memory.stored import IndexRows, Place, Segment

_ROWS_AT_ONCE = 1024

_SINCE = f"""SELECT m.no, m.known_by, CASE m.kind WHEN 'turn' THEN m.position END FROM memory m
    WHERE {SEEN} AND m.changed > %(since)s ORDER BY m.no"""  # noqa: S608
_LOAD = f"""
    SELECT {LOADED}
    FROM memory m JOIN vector v ON v.no = m.no WHERE m.no = ANY (%s::bigint[]) ORDER BY m.no"""  # noqa: S608
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
        sound = [row for row in known if is_sound(row, size)]
        yield index_rows_of(known, sound, [row[12] for row in sound], vector_format, dim)
