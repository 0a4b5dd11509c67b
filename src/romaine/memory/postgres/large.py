"""`PostgresLarge`: what the server finds in a scope that is too large to be loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from romaine.arrays import FloatArray, slice_dim
from romaine.memory.candidates import WordFigures
from romaine.memory.codec import VectorFormat
from romaine.memory.large import LargeIndex, Sought
from romaine.memory.lexical import K1, B
from romaine.memory.postgres import index_rows
from romaine.memory.postgres.rows import SEEN, to_bytes, values_of
from romaine.memory.postgres.session import BoundSession
from romaine.memory.rows import described, witnessed
from romaine.memory.stored import IndexRows, Segment
from romaine.memory.terms import Forms

EXACT_ROWS = 20_000
"""Up to this many rows all slices are compared: of a filter's few among many, the index would miss some."""

_HNSW = {
    "hnsw__iterative_scan": "relaxed_order",
    "hnsw__ef_search": "1000",  # how many are looked at together, at most
    # rows that may be gone through for those that fit, before all are compared
    "hnsw__max_scan_tuples": "200000",
}
_MOST_POSTINGS = 400_000  # of the rarest words; others only say which of those rows are better

_ROWS = """SELECT coalesce(sum(l.rows), 0)::bigint, coalesce(sum(l.tokens), 0)::bigint
    FROM large_space l JOIN space s ON s.no = l.space JOIN large_user u ON u.owner = s.owner
    WHERE l.space = ANY (%s::bigint[]) AND u.is_complete"""
# a worker that was opened before pgvector was there does not look for it
_FIND = """SELECT a.atttypmod,
        set_config('search_path', quote_ident(current_schema()) || ', ' || quote_ident(n.nspname), true)
    FROM pg_attribute a, pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'vector' AND a.attrelid = 'large_row'::regclass AND a.attname = 'slice'"""
_SIMILAR = """SELECT no, -(slice <#> %(vector)s::halfvec), -(context <#> %(vector)s::halfvec)
    FROM large_row WHERE no = ANY (%(row_ids)s::bigint[])"""
_FREQUENCIES = """SELECT term, sum(documents)::bigint FROM large_term
    WHERE space = ANY (%s::bigint[]) AND term = ANY (%s::integer[]) GROUP BY term"""
# BM25 as `LexicalIndex.match` has it; of a word's forms, the most frequent one counts
_BM25 = """SELECT no, sum(score)::float8 AS score FROM (
        SELECT p.no, w.word, max(w.weight * p.count / (p.count + %(base)s + %(slope)s * p.length)) AS score
        FROM large_posting p
        JOIN unnest(%(terms)s::integer[], %(words)s::integer[], %(weights)s::float8[])
            AS w (term, word, weight) ON w.term = p.term
        WHERE p.space = ANY (%(spaces)s::bigint[]) AND p.term = ANY (%(terms)s::integer[]) {among}
        GROUP BY p.no, w.word) q GROUP BY no ORDER BY score DESC, no LIMIT %(limit)s"""
_CERTAINLY_SUPERSEDED = """EXISTS (SELECT FROM supersession e JOIN memory n ON n.root = e.new_root
    WHERE e.space = ANY (%(spaces)s::bigint[]) AND e.old_root = m.root
    AND n.space = ANY (%(spaces)s::bigint[]) AND n.retired IS NULL AND n.character IS NULL
    AND n.known_by IS NULL)"""
_AROUND = """SELECT c.no, b.no, b.position, b.known_by
    FROM (SELECT no, position FROM memory WHERE no = ANY (%(row_ids)s::bigint[]) AND kind = 'turn'
        AND position IS NOT NULL AND space = ANY (%(line)s::bigint[])) c
    CROSS JOIN LATERAL (SELECT m.no, m.position, m.known_by FROM memory m
        WHERE {seen} AND m.kind = 'turn' AND (m.position, m.no) {side} (c.position, c.no)
        ORDER BY m.position {way}, m.no {way} LIMIT %(steps)s) b"""
_PLACES = """SELECT no, position FROM memory WHERE no = ANY (%(row_ids)s::bigint[]) AND kind = 'turn'
    AND position IS NOT NULL AND space = ANY (%(line)s::bigint[])"""
_SAMPLE = """SELECT DISTINCT l.no FROM (SELECT min(no) AS first, max(no) AS last FROM large_row
        WHERE space = %(space)s) f, generate_series(0, %(count)s::bigint - 1) AS i
    CROSS JOIN LATERAL (SELECT no FROM large_row WHERE space = %(space)s
        AND no >= f.first + (f.last - f.first) * i / %(count)s::bigint ORDER BY no LIMIT 1) l"""
_OUTLINE = """SELECT m.no, m.kind, m.category, m.speaker, m.known_by, m.importance, m.pinned, m.cold,
        m.position, m.created_at, m.valid_from, m.valid_to,
        CASE WHEN l.terms && %s::integer[] THEN l.terms ELSE '{}' END
    FROM memory m JOIN large_row l ON l.no = m.no WHERE m.no = ANY (%s::bigint[]) ORDER BY m.no"""


def opened(
    session: BoundSession, segments: Sequence[Segment], least: int, vector_format: VectorFormat
) -> PostgresLarge | None:
    """What segments of a view hold, if that is at least so many rows and all of it is indexed."""
    spaces = [segment.space for segment in segments]
    row = session.one(_ROWS, (spaces,))
    if row is None or row[0] < least:
        return None
    ((dim, _),) = session.all(_FIND)
    return PostgresLarge(session, segments, vector_format, dim=dim, rows=row[0], tokens=row[1])


class PostgresLarge(LargeIndex):
    """What the server finds in the segments of a view; as `LargeIndex`.

    Args:
        session: A transaction that reads.
        segments: Of the view.
        vector_format: How vectors are kept.
        dim: Components of a slice.
        rows: How many rows its spaces have.
        tokens: How many terms these have together.
    """

    def __init__(
        self,
        session: BoundSession,
        segments: Sequence[Segment],
        vector_format: VectorFormat,
        *,
        dim: int,
        rows: int,
        tokens: int,
    ) -> None:
        self.rows = rows
        self._dim = dim
        self._tokens = tokens
        self._session = session
        self._segments = segments
        self._vector_format = vector_format
        self._spaces = [segment.space for segment in segments]
        seen = [_numbered(segment, number) for number, segment in enumerate(segments)]
        self._seen = "(" + " OR ".join(f"({condition})" for condition, _ in seen) + ")"
        self._values: dict[str, Any] = {"spaces": self._spaces}
        for _, values in seen:
            self._values |= values

    def figures(self, words: Sequence[Forms]) -> WordFigures:
        terms = _signed(term for forms in words for term in forms)
        documents: dict[int, int] = (
            dict(self._session.all(_FREQUENCIES, (self._spaces, terms))) if terms else {}
        )
        # a row that holds a word in two forms is counted twice; there are few
        held = [min(self.rows, sum(documents.get(t, 0) for t in _signed(forms))) for forms in words]
        return WordFigures(self.rows, self._tokens, np.array(held, dtype=np.int64))

    def nearest(self, vector: FloatArray, sought: Sought, count: int) -> list[int]:
        conditions, values = self._conditions(sought)
        values |= {"vector": self._slice(vector), "count": count}
        source = f"""FROM large_row l JOIN memory m ON m.no = l.no
            WHERE l.space = ANY (%(spaces)s::bigint[]) AND {conditions}"""
        if self.rows > EXACT_ROWS:
            self._set(enable_sort="off", **_HNSW)
            found = self._session.all(
                f"SELECT l.no {source} ORDER BY l.context <#> %(vector)s::halfvec LIMIT %(count)s", values
            )
            self._set(enable_sort="on")
            if len(found) == count:
                return [no for (no,) in found]
        found = self._session.all(
            f"""WITH here AS MATERIALIZED (SELECT l.no, l.context <#> %(vector)s::halfvec AS away {source})
                SELECT no FROM here ORDER BY away, no LIMIT %(count)s""",  # noqa: S608
            values,
        )
        return [no for (no,) in found]

    def similar(self, vector: FloatArray, row_ids: Sequence[int]) -> dict[int, tuple[float, float]]:
        rows = self._session.all(_SIMILAR, {"vector": self._slice(vector), "row_ids": row_ids})
        return {no: (dense, context) for no, dense, context in rows}

    def wordy(
        self, words: Sequence[Forms], figures: WordFigures, sought: Sought, count: int
    ) -> dict[int, float]:
        order = [at for at in np.argsort(figures.frequencies).tolist() if figures.frequencies[at]]
        if not order:
            return {}
        sums = np.cumsum(figures.frequencies[order])
        rare = max(1, int(np.searchsorted(sums, _MOST_POSTINGS, side="right")))
        found: list[int] = []
        for limit in (2 * count, None):  # few of the best may fit
            scores = self._scores(words, figures, order[:rare], None, limit)
            found = self._fitting(list(scores), sought)
            if len(found) >= count or limit is None or len(scores) < limit:
                break
        more = self._scores(words, figures, order[rare:], found) if rare < len(order) else {}
        full = {no: scores[no] + more.get(no, 0.0) for no in found}
        return {no: full[no] for no in sorted(found, key=lambda no: (-full[no], no))[:count]}

    def matching(
        self, words: Sequence[Forms], figures: WordFigures, row_ids: Sequence[int]
    ) -> dict[int, float]:
        held = [at for at, frequency in enumerate(figures.frequencies.tolist()) if frequency]
        return self._scores(words, figures, held, row_ids) if held else {}

    def around(self, row_ids: Sequence[int], steps: int) -> list[list[int]]:
        lines: list[list[int]] = []
        for in_chat in (True, False):
            segments = [segment for segment in self._segments if segment.in_chat == in_chat]
            if segments:
                lines += self._line(segments, row_ids, steps)
        return lines

    def load(self, row_ids: Sequence[int], dim: int) -> Iterator[IndexRows]:
        return index_rows.loaded(self._session, row_ids, dim, self._vector_format, self._segments[0])

    def outline(self, row_ids: Sequence[int], dim: int, terms: Sequence[int]) -> IndexRows:
        rows = self._session.all(_OUTLINE, (_signed(terms), list(row_ids)))
        known = [row for row in rows if witnessed(self._segments[0], row[4])]
        none = np.zeros((len(known), dim), dtype=np.float32)
        return described(known, [row[12] for row in known], none, none)

    def latest(self, sought: Sought) -> tuple[int, int] | None:
        conditions, values = self._conditions(sought)
        places = []
        for segment in self._segments:
            query = f"""SELECT m.position, m.no FROM memory m WHERE m.space = %(space)s AND {conditions}
                AND m.position IS NOT NULL ORDER BY m.position DESC, m.no DESC LIMIT 1"""  # noqa: S608
            row = self._session.one(query, {**values, "space": segment.space})
            if row is not None:
                places.append((row[0], row[1]))
        return max(places, default=None)

    def sample(self, count: int) -> list[int]:
        found: set[int] = set()
        for space in self._spaces:
            found.update(no for (no,) in self._session.all(_SAMPLE, {"space": space, "count": count}))
        return self._fitting(sorted(found), Sought())

    # --- inside --------------------------------------------------------------------------------------------

    def _conditions(self, sought: Sought) -> tuple[str, dict[str, Any]]:
        """What `memory m` has to fulfil, and the values of that."""
        conditions, values = [self._seen], dict(self._values)

        def ask(condition: str, **given: object) -> None:
            conditions.append(condition)
            values.update(given)

        if sought.kinds is not None:
            ask("m.kind = ANY (%(kinds)s)", kinds=[kind.value for kind in sought.kinds])
        if sought.speakers is not None:
            ask("m.speaker = ANY (%(speakers)s::bytea[])", speakers=[to_bytes(s) for s in sought.speakers])
        for number, name in enumerate(sought.witnesses):
            # names stand in JSON, in one of two spellings; who looks closely is the one who ranks
            ask(
                f"(m.known_by IS NULL OR position(%(name{number})s::bytea IN m.known_by) > 0"
                f" OR position(%(escaped{number})s::bytea IN m.known_by) > 0)",
                **{
                    f"name{number}": to_bytes(json.dumps(name, ensure_ascii=False)),
                    f"escaped{number}": json.dumps(name).encode(),
                },
            )
        if sought.created_until is not None:
            ask("m.created_at <= %(created_until)s", created_until=sought.created_until)
        if sought.position_until is not None:
            ask(
                "(m.position IS NULL OR m.position <= %(position_until)s)",
                position_until=sought.position_until,
            )
        if sought.holds_at is not None:
            ask(
                """(m.valid_from IS NULL OR m.valid_from <= %(holds_at)s)
                AND (m.valid_to IS NULL OR %(holds_at)s < m.valid_to)""",
                holds_at=sought.holds_at,
            )
        if not sought.superseded:
            ask(f"NOT {_CERTAINLY_SUPERSEDED}")
        return " AND ".join(conditions), values

    def _scores(
        self,
        words: Sequence[Forms],
        figures: WordFigures,
        chosen: Sequence[int],
        among: Sequence[int] | None,
        limit: int | None = None,
    ) -> dict[int, float]:
        """BM25 of rows by some words only, the best first; of some rows, or of all that hold one."""
        idf = figures.idf
        pairs = [(term, at) for at in chosen for term in _signed(words[at])]
        values = {
            "base": K1 * (1 - B),
            "slope": K1 * B / figures.mean_length,
            "terms": [term for term, _ in pairs],
            "words": [at for _, at in pairs],
            "weights": [float(idf[at]) * (K1 + 1) for _, at in pairs],
            "spaces": self._spaces,
            "among": among,
            "limit": limit,
        }
        only = "" if among is None else "AND p.no = ANY (%(among)s::bigint[])"
        return dict(self._session.all(_BM25.format(among=only), values))

    def _fitting(self, row_ids: Sequence[int], sought: Sought) -> list[int]:
        """Those of some rows that fit, in their order."""
        conditions, values = self._conditions(sought)
        query = f"SELECT m.no FROM memory m WHERE m.no = ANY (%(row_ids)s::bigint[]) AND {conditions}"  # noqa: S608
        fit = {no for (no,) in self._session.all(query, {**values, "row_ids": row_ids})}
        return [row_id for row_id in row_ids if row_id in fit]

    def _slice(self, vector: FloatArray) -> str:
        return "[" + ",".join(f"{x:.6g}" for x in slice_dim(vector, self._dim).tolist()) + "]"

    def _line(self, segments: Sequence[Segment], row_ids: Sequence[int], steps: int) -> list[list[int]]:
        line = [segment.space for segment in segments]
        values = {"row_ids": list(row_ids), "line": line, "steps": steps}
        beside: tuple[dict[int, list[tuple[int, int]]], ...] = ({}, {})
        for segment in segments:
            condition, seen = _numbered(segment, 0)
            for found, side, way in zip(beside, "<>", ("DESC", "ASC"), strict=True):
                query = _AROUND.format(seen=condition, side=side, way=way)
                for no, near, position, known_by in self._session.all(query, values | seen):
                    if witnessed(segment, known_by):
                        found.setdefault(no, []).append((position, near))
        before, after = beside
        return [
            [
                *(near for _, near in sorted(before.get(no, ()))[-steps:]),
                no,
                *(near for _, near in sorted(after.get(no, ()))[:steps]),
            ]
            for no, _ in self._session.all(_PLACES, values)
        ]

    def _set(self, **settings: str) -> None:
        for name, value in settings.items():
            self._session.all("SELECT set_config(%s, %s, true)", (name.replace("__", "."), value))


def _numbered(segment: Segment, number: int) -> tuple[str, dict[str, Any]]:
    """`SEEN` and its values under names of their own."""
    values = {f"{name}_{number}": value for name, value in values_of(segment).items()}
    return re.sub(r"%\((\w+)\)s", rf"%(\1_{number})s", SEEN), values


def _signed(terms: Iterable[int]) -> list[int]:
    """Terms as the database has them."""
    signed: list[int] = np.fromiter(terms, np.uint32).view(np.int32).tolist()
    return signed
