"""`PostgresTransaction`: a change of what a database keeps."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from romaine.memory.codec import VectorFormat, content_checksum, token_checksum, vector_checksum
from romaine.memory.postgres.contents import NewPostgresContents, put_tokens
from romaine.memory.postgres.large_schema import SWITCHING
from romaine.memory.postgres.rows import (
    INSERT,
    UPDATE,
    HalfVector,
    optional_bytes,
    owner_of,
    to_array,
    to_bytes,
)
from romaine.memory.postgres.session import SETTINGS, BoundSession, encoded_setting
from romaine.memory.postgres.snapshot import PostgresSnapshot
from romaine.memory.rows import encoded, row_checksum
from romaine.memory.storage import Setting, Transaction
from romaine.memory.stored import Fork, Pending, RowVectors, Space, StoredMemory
from romaine.memory.terms import TermIds

_SET = """INSERT INTO setting (key, value, owner) VALUES (%s, %s, %s::uuid)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value"""
_NEXT_VERSION = """INSERT INTO account (owner, name, version) VALUES (%s::uuid, %s, 1)
    ON CONFLICT (owner) DO UPDATE SET version = account.version + 1 RETURNING version"""
_ADD_FORK = """INSERT INTO branch (owner, space, character, parent, at, change, checksum)
    SELECT owner, %s, %s, %s, %s, %s, 0 FROM space WHERE no = %s RETURNING no"""
_HIDE = """INSERT INTO hidden (branch, root, change, checksum, owner)
    SELECT %s, %s, %s, %s, owner FROM space WHERE no = %s ON CONFLICT DO NOTHING"""
_SUPERSEDE = """INSERT INTO supersession (space, old_root, new_root, checksum, owner)
    SELECT %s, %s, %s, %s, owner FROM space WHERE no = %s ON CONFLICT DO NOTHING"""
_DELETE = "DELETE FROM memory WHERE no = ANY (%s::bigint[]) RETURNING no, space, root"
_GONE = """INSERT INTO gone (space, change, memory, owner)
    SELECT g.*, s.owner FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS g (space, change, memory)
    JOIN space s ON s.no = g.space"""
_ROOTS_GONE = """SELECT r FROM unnest(%(roots)s::bigint[]) AS r
    WHERE NOT EXISTS (SELECT FROM memory WHERE no = r)
    AND NOT EXISTS (SELECT FROM memory WHERE root = r AND root <> no)"""
# vectors are sent as they are: of lists the driver would make text
_UNNEST = """unnest(%b, %b, %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS p (vector, context, terms, checksum, previous, no) JOIN memory m ON m.no = p.no"""
_REPLACED = """ON CONFLICT (no) DO UPDATE SET vector = excluded.vector, context = excluded.context,
    terms = excluded.terms, checksum = excluded.checksum, previous = excluded.previous"""
_PUT = f"""INSERT INTO vector (no, owner, vector, context, terms, checksum, previous, changed)
    SELECT m.no, m.owner, p.vector, p.context, p.terms::integer[], p.checksum, p.previous, m.changed
    FROM {_UNNEST} {_REPLACED}, changed = excluded.changed"""  # noqa: S608
# a memory forgotten meanwhile has no row left to hang on to
_PUT_PENDING = f"""INSERT INTO next_vector (no, owner, vector, context, terms, checksum, previous, of_change)
    SELECT m.no, m.owner, p.vector, p.context, p.terms::integer[], p.checksum, p.previous, t.stamp
    FROM {_UNNEST} JOIN unnest(%s::bigint[], %s::bigint[]) AS t (no, stamp) ON t.no = p.no
    {_REPLACED}, of_change = excluded.of_change"""  # noqa: S608
_COPY = """INSERT INTO vector (no, owner, vector, context, terms, checksum, changed, previous)
    SELECT m.no, m.owner, v.vector, v.context, v.terms, v.checksum, m.changed, v.previous
    FROM vector v JOIN memory m ON m.no = %s WHERE v.no = %s"""
_COPY_TOKENS = """INSERT INTO token (no, owner, tokens, of_vectors, checksum)
    SELECT %s, owner, tokens, of_vectors, checksum FROM token WHERE no = %s"""
_SWITCH = (
    "DELETE FROM token",
    "UPDATE account SET version = version + 1",
    "UPDATE space s SET changed = a.version FROM account a WHERE a.owner = s.owner",
    "UPDATE memory m SET changed = s.changed FROM space s WHERE s.no = m.space",
    f"""INSERT INTO vector (no, owner, vector, context, terms, checksum, changed, previous)
        SELECT m.no, m.owner, n.vector, n.context, n.terms, n.checksum, m.changed, n.previous
        FROM next_vector n JOIN memory m ON m.no = n.no
        {_REPLACED}, changed = excluded.changed""",  # noqa: S608
    "INSERT INTO token SELECT t.* FROM next_token t JOIN vector v ON v.no = t.no",
    "DELETE FROM next_vector",
)


_TO_HALFVEC, _TO_BYTEA = (
    [
        f"ALTER TABLE {table} ALTER vector TYPE {kind} USING NULL, ALTER context TYPE {kind} USING NULL"
        for table in ("vector", "next_vector")
    ]
    for kind in ("halfvec", "bytea")
)
"""Of tables without rows."""


class PostgresTransaction(PostgresSnapshot, NewPostgresContents, Transaction):
    """A change of what a database keeps, inside a transaction that writes."""

    def __init__(self, session: BoundSession, users: Collection[str] = ()) -> None:
        super().__init__(session, users)
        self._versions: dict[str, int] = {}
        self._touched: dict[int, int] = {}

    def set(self, key: str, value: Setting | None) -> None:
        if value is None:
            self.session.do("DELETE FROM setting WHERE key = %s", (to_bytes(key),))
        else:
            owner = owner_of(next(iter(self._users))) if len(self._users) == 1 else None
            self.session.do(_SET, (to_bytes(key), encoded_setting(value), owner))
        if key == "vector_format":
            self._shape_vectors(str(value))
        if key in SETTINGS:
            self.session.settings.pop(key, None)
            self.session.settings |= {} if value is None else {key: value}
            vars(self).pop("vector_format", None)

    def next_version(self, user: str) -> int:
        self._check_user(user)
        if user not in self._versions:
            ((version,),) = self.session.do(_NEXT_VERSION, (owner_of(user), to_bytes(user)))
            self._versions[user] = self.session.versions[user] = version
        return self._versions[user]

    # --- spaces and forks ----------------------------------------------------------------------------------

    def make_space(self, user: str, chat: str | None) -> Space:
        return self.places.make(user, chat)

    def reserve_positions(self, space: int, following: int) -> None:
        self.places.reserve(space, following)

    def add_fork(self, space: int, parent: int, *, character: str | None, at: int) -> None:
        values = (space, optional_bytes(character), parent, at, self._touch(space))
        ((no,),) = self.session.do(_ADD_FORK, (*values, space))
        self.session.do(
            "UPDATE branch SET checksum = %s WHERE no = %s", (content_checksum((no, *values)), no)
        )
        self.places.forget_forks(space)

    def hide(self, fork: Fork, root: int) -> None:
        values = (fork.row_id, root, self._touch(fork.space))
        self.session.do(_HIDE, (*values, content_checksum(values), fork.space))

    def supersede(self, space: int, old: int, new: int) -> None:
        self._touch(space)
        edge = (space, old, new)
        self.session.do(_SUPERSEDE, (*edge, content_checksum(edge), space))

    # --- rows ----------------------------------------------------------------------------------------------

    def new_row_ids(self, count: int) -> Sequence[int]:
        rows = self.session.all("SELECT nextval('memory_no') FROM generate_series(1, %s)", (count,))
        return sorted(no for (no,) in rows)

    def insert(self, rows: Sequence[StoredMemory], terms: Sequence[TermIds]) -> None:
        if not rows:
            return
        versions = {space: self._touch(space) for space in {row.space for row in rows}}
        values = [
            (
                *(given := encoded(row, to_bytes)),
                versions[row.space],
                row_checksum(given, _blob(ids)),
                owner_of(row.scope.user),
            )
            for row, ids in zip(rows, terms, strict=True)
        ]
        self.session.do(INSERT, [list(column) for column in zip(*values, strict=True)])

    def update(self, row: StoredMemory, terms: TermIds) -> None:
        values, version = encoded(row, to_bytes), self._touch(row.space)
        self.session.do(UPDATE, (*values[1:], version, row_checksum(values, _blob(terms)), row.row_id))
        given = to_array(terms)
        self.session.do(
            """UPDATE vector SET terms = %s::integer[], changed = %s
                WHERE no = %s AND terms <> %s::integer[]""",
            (given, version, row.row_id, given),
        )

    def delete(self, row_ids: Collection[int]) -> None:
        gone = self.session.do(_DELETE, (list(row_ids),))
        if not gone:
            return
        self.session.do(
            _GONE,
            (
                [space for _, space, _ in gone],
                [self._touch(space) for _, space, _ in gone],
                [no for no, _, _ in gone],
            ),
        )
        last = self.session.all(_ROOTS_GONE, {"roots": sorted({root for _, _, root in gone})})
        roots = [root for (root,) in last]
        if roots:
            self.session.do(
                """DELETE FROM supersession
                    WHERE old_root = ANY (%(roots)s::bigint[]) OR new_root = ANY (%(roots)s::bigint[])""",
                {"roots": roots},
            )
            self.session.do("DELETE FROM hidden WHERE root = ANY (%s::bigint[])", (roots,))

    # --- vectors -------------------------------------------------------------------------------------------

    def put_vectors(self, vectors: RowVectors) -> None:
        if vectors.row_ids:
            packed = self._packed(vectors)
            self.session.do("DELETE FROM token WHERE no = ANY (%s::bigint[])", (list(vectors.row_ids),))
            self.session.do(_PUT, packed)
            put_tokens(self.session, "token", _packed_tokens(vectors, packed))

    def copy_vectors(self, row_id: int, copy: int) -> None:
        self.session.do(_COPY, (copy, row_id))
        self.session.do(_COPY_TOKENS, (copy, row_id))

    def put_pending(self, rows: Sequence[Pending], vectors: RowVectors) -> None:
        if rows:
            stamps, packed = [pending.stamp for pending in rows], self._packed(vectors)
            self.session.do("DELETE FROM next_token WHERE no = ANY (%s::bigint[])", (list(vectors.row_ids),))
            self.session.do(_PUT_PENDING, [*packed, list(vectors.row_ids), stamps])
            put_tokens(self.session, "next_token", _packed_tokens(vectors, packed))

    def drop_pending(self) -> None:
        self.session.do("DELETE FROM next_vector")

    def switch_vectors(self) -> None:
        if self.setting("large") is not None:
            self.session.do("SELECT set_config(%s, 'on', true)", (SWITCHING,))
            self.session.do("UPDATE large_user SET is_complete = false, reached = 0")
        for statement in _SWITCH:
            self.session.do(statement)
        self._versions.clear()
        self._touched.clear()

    # --- inside --------------------------------------------------------------------------------------------

    def _touch(self, space: int) -> int:
        """Marks a space as changed; returns the version of its user by this transaction."""
        if space not in self._touched:
            user = self.places.user_of(space)
            if user is None:  # of a damaged row; nobody sees that space
                return 0
            self._touched[space] = version = self.next_version(user)
            self.session.do("UPDATE space SET changed = %s WHERE no = %s", (version, space))
        return self._touched[space]

    def _shape_vectors(self, vector_format: str) -> None:
        """Gives the columns of a new memory's vectors their type; the tables' owner does that."""
        is_half = vector_format == VectorFormat.HALFVEC.value
        ((kind, role),) = self.session.all(
            """SELECT format_type(atttypid, NULL), current_setting('role')
            FROM pg_attribute WHERE attrelid = 'vector'::regclass AND attname = 'vector'"""
        )
        if is_half != (kind == "bytea"):
            return
        self.session.do("SELECT set_config('role', 'none', true)")
        for statement in _TO_HALFVEC if is_half else _TO_BYTEA:
            self.session.do(statement)
        self.session.do("SELECT set_config('role', %s, true)", (role,))

    def _packed(self, vectors: RowVectors) -> list[list[Any]]:
        """Vectors, contexts, terms, checksums, roots of the turns before and row ids."""
        packed = self.vector_format.pack(vectors.vectors), self.vector_format.pack(vectors.contexts)
        kind = HalfVector if self.vector_format is VectorFormat.HALFVEC else bytes
        return [
            *([kind(blob) for blob in blobs] for blobs in packed),
            [to_array(terms) for terms in vectors.terms],
            [
                vector_checksum(vector, context, previous)
                for vector, context, previous in zip(*packed, vectors.previous, strict=True)
            ],
            list(vectors.previous),
            list(vectors.row_ids),
        ]


def _packed_tokens(vectors: RowVectors, packed: Sequence[list[Any]]) -> list[tuple[int, bytes, int]]:
    """Row, tokens and their checksum of each; none if none are to be kept."""
    if vectors.tokens is None:
        return []
    *_, seals, _, row_ids = packed
    kept = zip(row_ids, vectors.tokens, seals, strict=True)
    return [(row_id, tokens, token_checksum(tokens, seal)) for row_id, tokens, seal in kept]


def _blob(terms: TermIds) -> bytes:
    return terms.astype("<u4").tobytes()
