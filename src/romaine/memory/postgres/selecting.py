"""Which rows are asked for, and how: few at once, many by and by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

from romaine.memory.postgres.rows import COLUMNS, SEEN, sees, to_bytes, values_of
from romaine.memory.postgres.session import BoundSession, Row
from romaine.memory.records import Kind
from romaine.memory.rows import asked_values, decoded
from romaine.memory.stored import EVERYTHING, NOTES, TURNS, Segment, StoredMemory, Wanted

FROM = f"SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space"  # noqa: S608
_CONDITIONS = {
    "row_ids": "m.no = ANY (%(row_ids)s::bigint[])",
    "root": "(m.no = %(root)s OR (m.root = %(root)s AND m.root <> m.no))",
    "id": "m.id = %(id)s",
    "source_id": "m.source_id = %(source_id)s",
    "source_prefix": "m.source_id IS NOT NULL"
    " AND substring(m.source_id FOR octet_length(%(source_prefix)s::bytea)) = %(source_prefix)s::bytea",
    "parent_id": "m.parent_id = %(parent_id)s",
    "placed": "m.position IS NOT NULL",
    "unplaced": "m.position IS NULL",
    "before": "m.position <= %(before)s",  # an index knows the range of that
    "before_row": "(m.position, m.no) < (%(before)s::bigint, %(before_row)s::bigint)",
    "after": "m.position > %(after)s",
    "beyond": "(m.position, m.no) > (%(beyond)s::bigint, %(beyond_row)s::bigint)",
}
_FEW = frozenset({"row_ids", "root", "id", "source_id", "parent_id"})
"""What finds so few rows that they are had at once."""
_FIRST, _MORE = 16, 1024  # rows by position read at first, and then


def rows(session: BoundSession, segment: Segment | None, wanted: Wanted) -> Iterator[StoredMemory]:
    """As `Snapshot.rows`."""
    row_ids = wanted.row_ids
    if segment is not None and row_ids is not None and wanted == Wanted(row_ids=row_ids):
        return _by_row_id(session, segment, row_ids)
    values = asked_values(wanted, to_bytes)
    given = tuple(values)
    if segment is not None:
        values |= values_of(segment)
    if wanted.kinds not in (TURNS, NOTES, EVERYTHING):
        values["kinds"] = sorted(kind.value for kind in wanted.kinds)
    if {"before", "after", "placed"}.intersection(given):
        return map(decoded, _by_place(session, segment is not None, given, wanted.kinds, values))
    query = _query(segment is not None, given, wanted.kinds)
    if _FEW.intersection(given):
        return map(decoded, session.all(query, values))
    return map(decoded, session.stream(query, values))


def _by_row_id(session: BoundSession, segment: Segment, row_ids: Collection[int]) -> Iterator[StoredMemory]:
    """Rows that a recall asks for in each of its segments, read once for all of them."""
    missing = [row_id for row_id in row_ids if row_id not in session.kept]
    if missing:
        session.kept |= dict.fromkeys(missing)
        found = session.all(_query(False, ("row_ids",), EVERYTHING), {"row_ids": missing})
        session.kept |= {row[0]: decoded(row) for row in found}
    rows = [session.kept[row_id] for row_id in sorted(row_ids)]
    return (row for row in rows if row is not None and sees(segment, row))


def _by_place(
    session: BoundSession, seen: bool, given: tuple[str, ...], kinds: frozenset[Kind], values: dict[str, Any]
) -> Iterator[Row]:
    """A few rows at first: who asks for the nearest turn wants no other."""
    limit = _FIRST
    position, no = _POSITION, 0
    while True:
        rows = session.all(_query(seen, given, kinds) + " LIMIT %(limit)s", {**values, "limit": limit})
        yield from rows
        if len(rows) < limit:
            return
        last = (rows[-1][position], rows[-1][no])
        if "before" in given:
            values["before"], values["before_row"] = last
        else:
            values["beyond"], values["beyond_row"] = last
            given = (*given, "beyond") if "beyond" not in given else given
        limit = _MORE


_POSITION = [name.strip() for name in COLUMNS.split(",")].index("m.position")


@lru_cache
def _query(seen: bool, given: Sequence[str], kinds: frozenset[Kind]) -> str:
    """The query for rows of a segment, or of all there are; made of nothing but what stands above."""
    conditions = [_CONDITIONS[name] for name in given]
    if seen:
        conditions.append(SEEN)
    if kinds == TURNS:
        conditions.append("m.kind = 'turn'")
    elif kinds <= NOTES:
        conditions.append("m.kind <> 'turn'")  # there is an index of those
    if kinds not in (TURNS, NOTES, EVERYTHING):
        conditions.append("m.kind = ANY (%(kinds)s::text[])")
    order = "m.no"
    if "before" in given:
        order = "m.position DESC, m.no DESC"
    elif "after" in given or "placed" in given:
        order = "m.position, m.no"
    return f"{FROM} WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY {order}"
