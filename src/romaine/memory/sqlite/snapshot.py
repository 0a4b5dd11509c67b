"""`SqliteSnapshot`: one state of the file, read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from romaine.arrays import FloatArray
from romaine.errors import StorageCorruptError
from romaine.memory.codec import VectorFormat, decode_optional, decode_text
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.rows import KINDS, asked_values, decoded, sound_tokens, witnessed
from romaine.memory.sqlite import checking, index_rows
from romaine.memory.sqlite.codec import encode_optional, encode_text
from romaine.memory.sqlite.contents import SqliteContents
from romaine.memory.sqlite.rows import COLUMNS, SEEN, TOKENS, values_of
from romaine.memory.storage import Setting, Snapshot
from romaine.memory.stored import (
    ALL,
    EVERYTHING,
    NOTES,
    TURNS,
    Count,
    Findings,
    Fork,
    IndexRows,
    Pending,
    Place,
    RowVectors,
    Segment,
    Space,
    StoredMemory,
    Wanted,
)
from romaine.memory.terms import TermIds

_FROM = f"SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space"  # noqa: S608
# what finds rows by themselves is not to be looked for in the whole space
_SEEN_BY_ROW = SEEN.replace("m.space", "+m.space")
_CONDITIONS = {
    "row_ids": "m.no IN (SELECT value FROM json_each(:row_ids))",
    "root": "(m.no = :root OR (m.root = :root AND m.root <> m.no))",
    "id": "m.id = :id",
    "source_id": "m.source_id = :source_id",
    # compared as bytes: SQLite holds a text and a BLOB of the same characters to be different
    "source_prefix": "m.source_id IS NOT NULL"
    " AND substr(CAST(m.source_id AS BLOB), 1, length(:source_prefix)) = :source_prefix",
    "parent_id": "m.parent_id = :parent_id",
    "placed": "m.position IS NOT NULL",
    "unplaced": "m.position IS NULL",
    "before": "m.position <= :before",  # an index knows the range of that
    "before_row": "(m.position, m.no) < (:before, :before_row)",
    "after": "m.position > :after",
}
_BY_ROW = {"row_ids", "root", "id"}
_SCOPES = """SELECT character, chat, sum(held) FROM (
        SELECT m.character, s.chat, 1 AS held FROM memory m JOIN space s ON s.no = m.space
        WHERE s.user = :user AND m.retired IS NULL
        UNION ALL SELECT b.character, s.chat, 0 FROM branch b JOIN space s ON s.no = b.space
        WHERE s.user = :user
    ) GROUP BY ifnull(character, x''), ifnull(chat, x'')"""
_FORK = """SELECT b.no, b.space, s.chat, b.character, b.parent, b.at, b.change
    FROM branch b JOIN space s ON s.no = b.space"""
_IS_TAKEN = """SELECT
    EXISTS (SELECT 1 FROM memory WHERE space = :space
        AND (:character IS NULL OR character IS NULL OR character = :character))
    OR EXISTS (SELECT 1 FROM branch WHERE space = :space
        AND (:character IS NULL OR character IS NULL OR character = :character))"""
# where the first release could leave a turn with the context of one that not all who see it may see
_DOUBTFUL = """AND m.kind = 'turn' AND m.space IN (
    SELECT space FROM branch UNION SELECT parent FROM branch
    UNION SELECT space FROM memory WHERE known_by IS NOT NULL
    UNION SELECT space FROM memory WHERE kind = 'turn'
        GROUP BY space HAVING count(DISTINCT ifnull(character, x'')) > 1
    UNION SELECT c.no FROM space c JOIN space o ON o.user = c.user AND o.chat IS NULL
        WHERE EXISTS (SELECT 1 FROM memory t WHERE t.space = o.no AND t.kind = 'turn'))"""
_VERSIONS = (
    "SELECT no FROM memory WHERE no = :root UNION ALL SELECT no FROM memory WHERE root = :root AND root <> no"
)
_COUNTS = f"""SELECT m.kind, m.known_by, count(*), sum(m.pinned), sum(m.cold), sum(m.token_count)
    FROM memory m WHERE {SEEN} GROUP BY m.kind, m.known_by"""  # noqa: S608
_SPACE_VERSIONS = """SELECT no, changed FROM space WHERE user = :user AND ifnull(chat, x'') IN (x'', :chat)
    UNION SELECT no, changed FROM space WHERE no IN (SELECT value FROM json_each(:spaces))"""
_TOKENS = f"""SELECT v.no, t.tokens, t.checksum, v.checksum FROM vector v {TOKENS}
    WHERE v.no IN (SELECT value FROM json_each(?))"""  # noqa: S608
_IS_PENDING = "(n.no IS NULL OR n.of_change <> coalesce(v.changed, 0))"
_PENDING = f"""SELECT {COLUMNS}, coalesce(v.changed, 0), v.previous, v.terms
    FROM memory m JOIN space s ON s.no = m.space
    LEFT JOIN vector v ON v.no = m.no LEFT JOIN next_vector n ON n.no = m.no
    WHERE {_IS_PENDING} AND m.no > ? ORDER BY m.no LIMIT ?"""  # noqa: S608


class SqliteSnapshot(SqliteContents, Snapshot):
    """One state of the file.

    Args:
        connection: Inside a transaction.
        users: Whose rows may be asked for; none for everybody's.
    """

    def __init__(self, connection: sqlite3.Connection, users: Collection[str] = ()) -> None:
        self.connection = connection
        self._users = frozenset(users)

    @cached_property
    def vector_format(self) -> VectorFormat:
        """How vectors are kept."""
        stored = self.setting("vector_format")
        try:
            return VectorFormat(stored or VectorFormat.FLOAT32)
        except ValueError:
            raise StorageCorruptError(f"the memory file names an unknown vector format, {stored!r}") from None

    def setting(self, key: str) -> Setting | None:
        row = self._one("SELECT value FROM setting WHERE key = ?", key)
        value: Setting | None = None if row is None else row[0]
        return value

    def version(self, user: str) -> int:
        self._check_user(user)
        row = self._one("SELECT version FROM user WHERE name = ?", encode_text(user))
        return 0 if row is None else int(row[0])

    def scopes(self, user: str) -> dict[Scope, int]:
        self._check_user(user)
        rows = self.connection.execute(_SCOPES, {"user": encode_text(user)})
        return {
            Scope(user=user, character=decode_optional(character), chat=decode_optional(chat)): count
            for character, chat, count in rows
        }

    # --- spaces and forks ----------------------------------------------------------------------------------

    def space(self, user: str, chat: str | None) -> Space | None:
        self._check_user(user)
        row = self._one(
            "SELECT no, next_position FROM space WHERE user = ? AND ifnull(chat, x'') = ifnull(?, x'')",
            encode_text(user),
            encode_optional(chat),
        )
        if row is None:
            return None
        _check_numbers(*row)
        return Space(*row)

    def is_taken(self, space: int, character: str | None) -> bool:
        values = {"space": space, "character": encode_optional(character)}
        return bool(self.connection.execute(_IS_TAKEN, values).fetchone()[0])

    def fork(self, space: int, character: str | None) -> Fork | None:
        row = self._one(
            f"{_FORK} WHERE b.space = ? AND (b.character IS NULL OR b.character = ?)",
            space,
            encode_optional(character),
        )
        return None if row is None else _fork(row)

    def forks_of(self, space: int) -> list[Fork]:
        rows = self.connection.execute(f"{_FORK} WHERE b.parent = ? ORDER BY b.no", (space,))
        return [_fork(row) for row in rows]

    def hidden(self, fork: int, root: int | None = None) -> dict[int, int]:
        one = "" if root is None else " AND root = :root"
        rows = self.connection.execute(
            f"SELECT root, change FROM hidden WHERE branch = :fork{one}",  # noqa: S608
            {"fork": fork, "root": root},
        )
        found = dict(rows.fetchall())
        _check_numbers(*found, *found.values())
        return found

    def superseded(self, space: int) -> list[tuple[int, int]]:
        edges = self.connection.execute(
            "SELECT old, new FROM supersession WHERE space = ? ORDER BY new", (space,)
        ).fetchall()
        _check_numbers(*(root for edge in edges for root in edge))
        rows_of = {root: self._row_ids(root) for edge in edges for root in edge}
        return [(row, by) for old, new in edges for row in rows_of[old] for by in rows_of[new]]

    def _row_ids(self, root: int) -> list[int]:
        return [no for (no,) in self.connection.execute(_VERSIONS, {"root": root})]

    # --- rows ----------------------------------------------------------------------------------------------

    def rows(self, segment: Segment | None, wanted: Wanted = ALL) -> Iterator[StoredMemory]:
        values = _values(wanted)
        query = _query(segment is not None, tuple(values), wanted.kinds)
        values["kinds"] = _names_of(wanted.kinds)
        if segment is not None:
            values |= values_of(segment)
        return map(decoded, self.connection.execute(query, values))

    def rows_after(self, row_id: int, limit: int, *, doubtful: bool = False) -> list[StoredMemory]:
        query = f"{_FROM} WHERE m.no > ? {_DOUBTFUL if doubtful else ''} ORDER BY m.no LIMIT ?"
        rows = self.connection.execute(query, (row_id, limit))
        return [decoded(row) for row in rows]

    def counts(self, segment: Segment) -> Iterator[Count]:
        for kind, known_by, *figures in self.connection.execute(_COUNTS, values_of(segment)):
            if kind not in KINDS:
                raise StorageCorruptError(
                    f"the memory file holds a kind that is none: {kind!r}; see verify()"
                )
            if witnessed(segment, known_by):
                yield Count(KINDS[kind], *figures)

    def vectors(self, row_ids: Collection[int], dim: int) -> dict[int, FloatArray]:
        rows = self.connection.execute(
            "SELECT no, vector FROM vector WHERE no IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(row_ids)),),
        )
        size = self.vector_format.size(dim)
        blobs = {no: blob for no, blob in rows if isinstance(blob, bytes) and len(blob) == size}
        unpacked = np.nan_to_num(self.vector_format.unpack(list(blobs.values()), dim))
        return dict(zip(blobs, unpacked, strict=True))

    def token_vectors(self, row_ids: Collection[int]) -> dict[int, bytes]:
        return sound_tokens(self.connection.execute(_TOKENS, (json.dumps(sorted(row_ids)),)))

    def has_vectors(self, vectors: RowVectors) -> list[bool]:
        packed = zip(
            self.vector_format.pack(vectors.vectors), self.vector_format.pack(vectors.contexts), strict=True
        )
        query = "SELECT vector, context FROM vector WHERE no = ?"
        return [self._one(query, no) == both for no, both in zip(vectors.row_ids, packed, strict=True)]

    # --- for an index --------------------------------------------------------------------------------------

    def space_versions(self, scope: Scope, spaces: Collection[int]) -> frozenset[tuple[int, int]]:
        values = {
            "user": encode_text(scope.user),
            "chat": b"" if scope.chat is None else encode_text(scope.chat),
            "spaces": json.dumps(sorted(spaces)),
        }
        return frozenset(self.connection.execute(_SPACE_VERSIONS, values))

    def gone_since(self, segment: Segment, version: int) -> list[int]:
        return index_rows.gone_since(self.connection, segment, version)

    def count_since(self, segment: Segment, version: int) -> int:
        return index_rows.count_since(self.connection, segment, version)

    def index_rows(self, segment: Segment, version: int, dim: int) -> Iterator[IndexRows]:
        return index_rows.index_rows(self.connection, segment, version, dim, self.vector_format)

    def turns(self, segment: Segment) -> list[Place]:
        return index_rows.turns(self.connection, segment)

    # --- looking after the file ----------------------------------------------------------------------------

    def size(self) -> int:
        pages, page_size = (
            self.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
        return int(pages * page_size)

    def findings(self, dim: int, terms_of: Callable[[Memory], TermIds]) -> Findings:
        return checking.findings(self.connection, self.vector_format.size(dim), terms_of)

    def pending(self, row_id: int, limit: int | None) -> list[Pending]:
        rows = self.connection.execute(_PENDING, (row_id, -1 if limit is None else limit))
        return [
            Pending(decoded(row), stamp, previous, _terms(terms)) for *row, stamp, previous, terms in rows
        ]

    def progress(self) -> tuple[int, int]:
        counts = "SELECT (SELECT count(*) FROM next_vector), (SELECT count(*) FROM memory)"
        done, total = self.connection.execute(counts).fetchone()
        return int(done), int(total)

    # --- inside --------------------------------------------------------------------------------------------

    def _one(self, query: str, *values: object) -> Any:
        return self.connection.execute(query, values).fetchone()

    def _check_user(self, user: str) -> None:
        assert not self._users or user in self._users, f"{user!r} is not among {sorted(self._users)}"


def _values(wanted: Wanted) -> dict[str, Any]:
    values = asked_values(wanted, encode_text)
    if "row_ids" in values:
        values["row_ids"] = json.dumps(values["row_ids"])
    return values


@lru_cache
def _names_of(kinds: frozenset[Kind]) -> str:
    return json.dumps(sorted(kind.value for kind in kinds))


@lru_cache
def _query(seen: bool, given: tuple[str, ...], kinds: frozenset[Kind]) -> str:
    """The query for rows of a segment, or of all there are; made of nothing but what stands above."""
    conditions = [_CONDITIONS[name] for name in given]
    if seen:
        conditions.append(_SEEN_BY_ROW if _BY_ROW & set(given) else SEEN)
    if kinds == TURNS:
        conditions.append("m.kind = 'turn'")
    elif kinds <= NOTES:
        conditions.append("m.kind <> 'turn'")  # there is an index of those
    if kinds not in (TURNS, NOTES, EVERYTHING):
        conditions.append("m.kind IN (SELECT value FROM json_each(:kinds))")
    order = "m.no"
    if "before" in given:
        order = "m.position DESC, m.no DESC"
    elif "after" in given or "placed" in given:
        order = "m.position, m.no"
    return f"{_FROM} WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY {order}"


def _terms(blob: object) -> TermIds | None:
    return np.frombuffer(blob, "<u4") if isinstance(blob, bytes) and len(blob) % 4 == 0 else None


def _fork(values: tuple[Any, ...]) -> Fork:
    row_id, space, chat, character, parent, at, version = values
    _check_numbers(row_id, space, parent, at, version)
    return Fork(row_id, space, decode_text(chat), decode_optional(character), parent, at, version)


def _check_numbers(*numbers: object) -> None:
    if not all(isinstance(number, int) for number in numbers):
        raise StorageCorruptError("the memory file holds a number that is none; verify() says where")
