"""What the index of a scope loads from the database: as little of each row as it needs, checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from romaine.memory.codec import VectorFormat
from romaine.memory.loading import cut, index_rows_of
from romaine.memory.postgres.rows import SEEN, to_ids, values_of
from romaine.memory.postgres.session import BoundSession
from romaine.memory.rows import LOADED, witnessed
from romaine.memory.stored import IndexRows, Place, Segment
from romaine.memory.terms import TermIds

_ROWS_AT_ONCE = 1024

_SINCE = f"""SELECT m.known_by, array_agg(m.no) FROM memory m
    WHERE {SEEN} AND m.changed > %(since)s GROUP BY m.known_by"""  # noqa: S608
_TURNS = f"""SELECT m.position, m.no, m.known_by FROM memory m
    WHERE {SEEN} AND m.kind = 'turn' AND m.position IS NOT NULL"""  # noqa: S608
_CHANGED = """SELECT no FROM memory WHERE space = %(space)s AND changed > %(since)s
    UNION ALL SELECT memory FROM gone WHERE space = %(space)s AND change > %(since)s"""

# the ids of both tables, or the server looks up the vectors of each row apart
_LOAD = f"""SELECT {LOADED.replace("v.terms", "array_send(v.terms)")}
    FROM memory m JOIN vector v ON v.no = m.no
    WHERE m.no = ANY (%(row_ids)s::bigint[]) AND v.no = ANY (%(row_ids)s::bigint[]) ORDER BY m.no"""  # noqa: S608
_HEAD, _ITEM = 5, 2  # numbers of 4 bytes in array_send before the items, and of each item: length and value


def changed_since(session: BoundSession, segment: Segment, version: int) -> list[int]:
    """Rows that a segment's character sees and witnessed and that changed after a version, in order."""
    key = (segment, version)
    if key not in session.kept:
        groups = session.all(_SINCE, values_of(segment) | {"since": version})
        known = [row_ids for known_by, row_ids in groups if witnessed(segment, known_by)]
        session.kept[key] = sorted(chain.from_iterable(known))
    found: list[int] = session.kept[key]
    return found


def gone_since(session: BoundSession, segment: Segment, version: int) -> list[int]:
    """As `Snapshot.gone_since`."""
    changed = session.all(_CHANGED, {"space": segment.space, "since": version})
    if not changed:
        return []
    seen = set(changed_since(session, segment, version))
    return [no for (no,) in changed if no not in seen]


def turns(session: BoundSession, segment: Segment) -> list[Place]:
    """As `Snapshot.turns`."""
    rows = session.all(_TURNS, values_of(segment))
    return [(position, no) for position, no, known_by in rows if witnessed(segment, known_by)]


def loaded(
    session: BoundSession,
    row_ids: Sequence[int],
    dim: int,
    vector_format: VectorFormat,
    witness: Segment | None = None,
) -> Iterator[IndexRows]:
    """Rows in batches; only those that a segment's character witnessed, if one is given."""
    for start in range(0, len(row_ids), _ROWS_AT_ONCE):
        rows = session.all(_LOAD, {"row_ids": to_ids(row_ids[start : start + _ROWS_AT_ONCE])})
        columns = list(zip(*rows, strict=True))
        yield index_rows_of(columns, vector_format, dim, witness=witness, terms_of=_terms_of)


def _terms_of(blobs: Sequence[bytes]) -> list[TermIds]:
    """Terms of what array_send in PostgreSQL's src/backend/utils/adt/arrayfuncs.c gives."""
    sizes = np.fromiter(map(len, blobs), np.intp, len(blobs)) // 4
    numbers = np.frombuffer(b"".join(blobs), ">i4")
    place = np.arange(len(numbers)) - np.repeat(np.cumsum(sizes) - sizes, sizes) - _HEAD
    terms = numbers[(place > 0) & (place % _ITEM == 1)].astype("<i4").view("<u4")
    return cut(terms, (np.maximum(sizes - _HEAD, 0) // _ITEM).tolist())
