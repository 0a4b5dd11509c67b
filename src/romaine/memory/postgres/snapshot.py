"""`PostgresSnapshot`: one state of what a database keeps, read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property

import numpy as np

from romaine.arrays import FloatArray
from romaine.errors import StorageCorruptError
from romaine.memory.codec import VectorFormat, decode_optional
from romaine.memory.large import LargeIndex
from romaine.memory.postgres import checking, index_rows, large, selecting
from romaine.memory.postgres.contents import PostgresContents
from romaine.memory.postgres.places import FORK, Places, fork_of
from romaine.memory.postgres.rows import (
    COLUMNS,
    SEEN,
    TOKENS,
    optional_bytes,
    owner_of,
    to_bytes,
    values_of,
)
from romaine.memory.postgres.session import SETTINGS, BoundSession, decoded_setting
from romaine.memory.records import Memory, Scope
from romaine.memory.rows import KINDS, decoded, sound_tokens, witnessed
from romaine.memory.storage import Setting, Snapshot
from romaine.memory.stored import (
    ALL,
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

_SCOPES = """SELECT character, chat, sum(held)::bigint FROM (
        SELECT m.character, s.chat, 1 AS held FROM memory m JOIN space s ON s.no = m.space
        WHERE s.owner = %(owner)s::uuid AND m.retired IS NULL
        UNION ALL SELECT b.character, s.chat, 0 FROM branch b JOIN space s ON s.no = b.space
        WHERE s.owner = %(owner)s::uuid
    ) AS of GROUP BY character, chat"""
_IS_TAKEN = """SELECT
    EXISTS (SELECT FROM memory WHERE space = %(space)s
        AND (%(character)s::bytea IS NULL OR character IS NULL OR character = %(character)s))
    OR EXISTS (SELECT FROM branch WHERE space = %(space)s
        AND (%(character)s::bytea IS NULL OR character IS NULL OR character = %(character)s))"""
_SUPERSEDED = """SELECT o.no, n.no FROM supersession e
    JOIN memory o ON o.no = e.old_root OR (o.root = e.old_root AND o.root <> o.no)
    JOIN memory n ON n.no = e.new_root OR (n.root = e.new_root AND n.root <> n.no)
    WHERE e.space = %(space)s
    ORDER BY e.new_root, e.old_root, o.no <> e.old_root, o.no, n.no <> e.new_root, n.no"""
_COUNTS = f"""SELECT m.kind, m.known_by, count(*), sum(m.pinned)::bigint, sum(m.cold)::bigint,
    sum(m.token_count)::bigint FROM memory m WHERE {SEEN} GROUP BY m.kind, m.known_by"""  # noqa: S608
_SPACE_VERSIONS = """SELECT no, changed FROM space
        WHERE owner = %(owner)s::uuid AND coalesce(chat, '') = ANY (%(chats)s::bytea[])
    UNION SELECT no, changed FROM space WHERE no = ANY (%(spaces)s::bigint[])"""
_TOKENS = f"""SELECT v.no, t.tokens, t.checksum, v.checksum FROM vector v {TOKENS}
    WHERE v.no = ANY (%s::bigint[])"""  # noqa: S608
_SIZE = """SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
    WHERE relkind = 'r' AND relnamespace = to_regnamespace(current_schema())"""
_PENDING = f"""SELECT {COLUMNS}, coalesce(v.changed, 0), v.previous, v.terms
    FROM memory m JOIN space s ON s.no = m.space
    LEFT JOIN vector v ON v.no = m.no LEFT JOIN next_vector n ON n.no = m.no
    WHERE (n.no IS NULL OR n.of_change <> coalesce(v.changed, 0)) AND m.no > %s ORDER BY m.no LIMIT %s"""  # noqa: S608


class PostgresSnapshot(PostgresContents, Snapshot):
    """One state of what a database keeps.

    Args:
        session: The transaction.
        users: Whose rows may be asked for; none for everybody's.
    """

    def __init__(self, session: BoundSession, users: Collection[str] = ()) -> None:
        self.session = session
        self.places = Places(session)
        self._users = frozenset(users)

    @cached_property
    def vector_format(self) -> VectorFormat:
        """How vectors are kept."""
        stored = self.setting("vector_format")
        try:
            return VectorFormat(stored or VectorFormat.FLOAT32)
        except ValueError:
            raise StorageCorruptError(f"the memory names an unknown vector format, {stored!r}") from None

    def setting(self, key: str) -> Setting | None:
        if key in SETTINGS:
            return self.session.settings.get(key)
        row = self.session.one("SELECT value FROM setting WHERE key = %s", (to_bytes(key),))
        return None if row is None else decoded_setting(row[0])

    def version(self, user: str) -> int:
        self._check_user(user)
        if user in self.session.users:
            return self.session.versions.get(user, 0)
        row = self.session.one("SELECT version FROM account WHERE owner = %s::uuid", (owner_of(user),))
        return 0 if row is None else int(row[0])

    def scopes(self, user: str) -> dict[Scope, int]:
        self._check_user(user)
        return {
            Scope(user=user, character=decode_optional(character), chat=decode_optional(chat)): count
            for character, chat, count in self.session.all(_SCOPES, {"owner": owner_of(user)})
        }

    # --- spaces and forks ----------------------------------------------------------------------------------

    def space(self, user: str, chat: str | None) -> Space | None:
        self._check_user(user)
        return self.places.space(user, chat)

    def is_taken(self, space: int, character: str | None) -> bool:
        row = self.session.one(_IS_TAKEN, {"space": space, "character": optional_bytes(character)})
        return row is not None and bool(row[0])

    def fork(self, space: int, character: str | None) -> Fork | None:
        forks = self.places.forks(space)
        return next((fork for fork in forks if fork.character in (None, character)), None)

    def forks_of(self, space: int) -> list[Fork]:
        return [
            fork_of(row) for row in self.session.all(f"{FORK} WHERE b.parent = %s ORDER BY b.no", (space,))
        ]

    def hidden(self, fork: int, root: int | None = None) -> dict[int, int]:
        one = "" if root is None else " AND root = %(root)s"
        query = f"SELECT root, change FROM hidden WHERE branch = %(fork)s{one}"  # noqa: S608
        return dict(self.session.all(query, {"fork": fork, "root": root}))

    def superseded(self, space: int) -> list[tuple[int, int]]:
        if self.places.supersedes_nothing(space):
            return []
        return [(old, new) for old, new in self.session.all(_SUPERSEDED, {"space": space})]

    # --- rows ----------------------------------------------------------------------------------------------

    def rows(self, segment: Segment | None, wanted: Wanted = ALL) -> Iterator[StoredMemory]:
        return selecting.rows(self.session, segment, wanted)

    def rows_after(self, row_id: int, limit: int, *, doubtful: bool = False) -> list[StoredMemory]:
        if doubtful:
            return []
        return [
            decoded(row)
            for row in self.session.all(
                f"{selecting.FROM} WHERE m.no > %s ORDER BY m.no LIMIT %s", (row_id, limit)
            )
        ]

    def counts(self, segment: Segment) -> Iterator[Count]:
        for kind, known_by, *figures in self.session.all(_COUNTS, values_of(segment)):
            if kind not in KINDS:
                raise StorageCorruptError(f"the memory holds a kind that is none: {kind!r}; see verify()")
            if witnessed(segment, known_by):
                yield Count(KINDS[kind], *figures)

    def vectors(self, row_ids: Collection[int], dim: int) -> dict[int, FloatArray]:
        rows = self.session.all(
            "SELECT no, vector FROM vector WHERE no = ANY (%s::bigint[])", (sorted(row_ids),)
        )
        size = self.vector_format.size(dim)
        blobs = {no: blob for no, blob in rows if len(blob) == size}
        unpacked = np.nan_to_num(self.vector_format.unpack(list(blobs.values()), dim))
        return dict(zip(blobs, unpacked, strict=True))

    def token_vectors(self, row_ids: Collection[int]) -> dict[int, bytes]:
        return sound_tokens(self.session.all(_TOKENS, (sorted(row_ids),)))

    def has_vectors(self, vectors: RowVectors) -> list[bool]:
        rows = self.session.all(
            "SELECT no, vector, context FROM vector WHERE no = ANY (%s::bigint[])", (list(vectors.row_ids),)
        )
        kept = {no: both for no, *both in rows}
        packed = zip(
            self.vector_format.pack(vectors.vectors), self.vector_format.pack(vectors.contexts), strict=True
        )
        return [kept.get(no) == [*both] for no, both in zip(vectors.row_ids, packed, strict=True)]

    # --- for an index --------------------------------------------------------------------------------------

    def space_versions(self, scope: Scope, spaces: Collection[int]) -> frozenset[tuple[int, int]]:
        chats = [b"", *(() if scope.chat is None else (to_bytes(scope.chat),))]
        values = {"owner": owner_of(scope.user), "chats": chats, "spaces": sorted(spaces)}
        key = (scope.user, scope.chat, *spaces)
        if key not in self.session.kept:
            versions = self.places.versions(scope, spaces)
            if versions is None:
                versions = frozenset(self.session.all(_SPACE_VERSIONS, values))
            self.session.kept[key] = versions
        found: frozenset[tuple[int, int]] = self.session.kept[key]
        return found

    def gone_since(self, segment: Segment, version: int) -> list[int]:
        return index_rows.gone_since(self.session, segment, version)

    def count_since(self, segment: Segment, version: int) -> int:
        return len(index_rows.changed_since(self.session, segment, version))

    def index_rows(self, segment: Segment, version: int, dim: int) -> Iterator[IndexRows]:
        row_ids = index_rows.changed_since(self.session, segment, version)
        return index_rows.loaded(self.session, row_ids, dim, self.vector_format)

    def turns(self, segment: Segment) -> list[Place]:
        return index_rows.turns(self.session, segment)

    def large(self, segments: Sequence[Segment]) -> LargeIndex | None:
        least = self.setting("large")
        return None if least is None else large.opened(self.session, segments, int(least), self.vector_format)

    # --- looking after what is kept ------------------------------------------------------------------------

    def size(self) -> int:
        row = self.session.one(_SIZE)
        return 0 if row is None else int(row[0])

    def findings(self, dim: int, terms_of: Callable[[Memory], TermIds]) -> Findings:
        return checking.findings(self.session, self.vector_format.size(dim), terms_of)

    def pending(self, row_id: int, limit: int | None) -> list[Pending]:
        return [
            Pending(decoded(row), stamp, previous, terms)
            for *row, stamp, previous, terms in self.session.all(_PENDING, (row_id, limit))
        ]

    def progress(self) -> tuple[int, int]:
        row = self.session.one("SELECT (SELECT count(*) FROM next_vector), (SELECT count(*) FROM memory)")
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    # --- inside --------------------------------------------------------------------------------------------

    def _check_user(self, user: str) -> None:
        assert not self._users or user in self._users, f"{user!r} is not among {sorted(self._users)}"
