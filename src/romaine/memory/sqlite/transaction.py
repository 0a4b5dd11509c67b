"""`SqliteTransaction`: a change of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from romaine.memory.codec import content_checksum, decode_text, token_checksum, vector_checksum
from romaine.memory.rows import encoded, row_checksum
from romaine.memory.sqlite.codec import encode_optional, encode_text
from romaine.memory.sqlite.contents import NewSqliteContents
from romaine.memory.sqlite.rows import INSERT, UPDATE
from romaine.memory.sqlite.snapshot import SqliteSnapshot
from romaine.memory.storage import Setting, Transaction
from romaine.memory.stored import Fork, Pending, RowVectors, Space, StoredMemory
from romaine.memory.terms import TermIds

_NEXT_VERSION = "INSERT INTO user VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET version = version + 1"
# a memory forgotten meanwhile has no row left to hang on to
_PUT_PENDING = "INSERT OR REPLACE INTO next_vector SELECT no, ?, ?, ?, ?, ?, ? FROM memory WHERE no = ?"
_SWITCH = (
    "DELETE FROM token",
    "UPDATE user SET version = version + 1",
    "UPDATE space SET changed = (SELECT version FROM user WHERE name = space.user)",
    "UPDATE memory SET changed = (SELECT changed FROM space WHERE space.no = memory.space)",
    """INSERT OR REPLACE INTO vector (no, vector, context, terms, checksum, changed, previous)
        SELECT n.no, n.vector, n.context, n.terms, n.checksum, m.changed, n.previous
        FROM next_vector n JOIN memory m ON m.no = n.no""",
    "INSERT INTO token SELECT t.* FROM next_token t JOIN vector v ON v.no = t.no",
    "DELETE FROM next_vector",
)
_PUT_TOKENS, _PUT_NEXT_TOKENS = (
    f"INSERT INTO {table} SELECT no, ?, checksum, ? FROM {of} WHERE no = ?"  # noqa: S608
    for table, of in (("token", "vector"), ("next_token", "next_vector"))
)


class SqliteTransaction(SqliteSnapshot, NewSqliteContents, Transaction):
    """A change of the file, inside a transaction that writes."""

    def __init__(self, connection: sqlite3.Connection, users: Collection[str] = ()) -> None:
        super().__init__(connection, users)
        self._versions: dict[str, int] = {}
        self._touched: dict[int, int] = {}
        self._last_row_id = 0

    def set(self, key: str, value: Setting | None) -> None:
        if value is None:
            self.connection.execute("DELETE FROM setting WHERE key = ?", (key,))
        else:
            self.connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))

    def next_version(self, user: str) -> int:
        self._check_user(user)
        if user not in self._versions:
            self.connection.execute(_NEXT_VERSION, (encode_text(user),))
            self._versions[user] = self.version(user)
        return self._versions[user]

    # --- spaces and forks ----------------------------------------------------------------------------------

    def make_space(self, user: str, chat: str | None) -> Space:
        found = self.space(user, chat)
        if found is None:
            cursor = self.connection.execute(
                "INSERT INTO space (user, chat, checksum) VALUES (?, ?, 0)",
                (encode_text(user), encode_optional(chat)),
            )
            found = Space(cursor.lastrowid or 0, 0)
            self.reserve_positions(found.row_id, 0)
        return found

    def reserve_positions(self, space: int, following: int) -> None:
        no, user, chat, before = self._one(
            "SELECT no, user, chat, next_position FROM space WHERE no = ?", space
        )
        values = (no, user, chat, max(before, following))
        self.connection.execute(
            "UPDATE space SET next_position = ?, checksum = ? WHERE no = ?",
            (values[3], content_checksum(values), space),
        )

    def add_fork(self, space: int, parent: int, *, character: str | None, at: int) -> None:
        (no,) = self._one("SELECT coalesce(max(no), 0) + 1 FROM branch")
        values = (no, space, encode_optional(character), parent, at, self._touch(space))
        self.connection.execute(
            "INSERT INTO branch VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, content_checksum(values))
        )

    def hide(self, fork: Fork, root: int) -> None:
        values = (fork.row_id, root, self._touch(fork.space))
        self.connection.execute(
            "INSERT OR IGNORE INTO hidden VALUES (?, ?, ?, ?)", (*values, content_checksum(values))
        )

    def supersede(self, space: int, old: int, new: int) -> None:
        self._touch(space)
        edge = (space, old, new)
        self.connection.execute(
            "INSERT OR IGNORE INTO supersession VALUES (?, ?, ?, ?)", (*edge, content_checksum(edge))
        )

    # --- rows ----------------------------------------------------------------------------------------------

    def new_row_ids(self, count: int) -> Sequence[int]:
        row = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'memory'")
        first = max(int(row[0]) if row else 0, self._last_row_id) + 1
        self._last_row_id = first + count - 1
        return range(first, first + count)

    def insert(self, rows: Sequence[StoredMemory], terms: Sequence[TermIds]) -> None:
        versions = {space: self._touch(space) for space in {row.space for row in rows}}
        values = ((encoded(row, encode_text), versions[row.space]) for row in rows)
        self.connection.executemany(
            INSERT,
            (
                (*row, version, row_checksum(row, _blob(ids)))
                for (row, version), ids in zip(values, terms, strict=True)
            ),
        )

    def update(self, row: StoredMemory, terms: TermIds) -> None:
        values, version, blob = encoded(row, encode_text), self._touch(row.space), _blob(terms)
        self.connection.execute(UPDATE, (*values[1:], version, row_checksum(values, blob), row.row_id))
        self.connection.execute(
            "UPDATE vector SET terms = ?, changed = ? WHERE no = ? AND terms <> ?",
            (blob, version, row.row_id, blob),
        )

    def delete(self, row_ids: Collection[int]) -> None:
        roots: set[int] = set()
        for row_id in row_ids:
            found = self._one("SELECT space, root FROM memory WHERE no = ?", row_id)
            if found is None:
                continue
            space, root = found
            self.connection.execute("INSERT INTO gone VALUES (?, ?, ?)", (space, self._touch(space), row_id))
            self.connection.execute("DELETE FROM memory WHERE no = ?", (row_id,))
            roots.add(root)
        for root in roots:
            if not self._row_ids(root):
                self.connection.execute("DELETE FROM supersession WHERE old = ? OR new = ?", (root, root))
                self.connection.execute("DELETE FROM hidden WHERE root = ?", (root,))

    # --- vectors -------------------------------------------------------------------------------------------

    def put_vectors(self, vectors: RowVectors) -> None:
        packed = self._packed(vectors)
        self.connection.executemany("DELETE FROM token WHERE no = ?", [(row[-1],) for row in packed])
        self.connection.executemany(
            """INSERT OR REPLACE INTO vector (vector, context, terms, checksum, previous, no, changed)
                SELECT ?, ?, ?, ?, ?, no, changed FROM memory WHERE no = ?""",
            packed,
        )
        self.connection.executemany(_PUT_TOKENS, _packed_tokens(vectors, packed))

    def copy_vectors(self, row_id: int, copy: int) -> None:
        self.connection.execute(
            """INSERT INTO vector SELECT m.no, v.vector, v.context, v.terms, v.checksum, m.changed, v.previous
                FROM vector v JOIN memory m ON m.no = ? WHERE v.no = ?""",
            (copy, row_id),
        )
        self.connection.execute(
            "INSERT INTO token SELECT ?, tokens, of_vectors, checksum FROM token WHERE no = ?", (copy, row_id)
        )

    def put_pending(self, rows: Sequence[Pending], vectors: RowVectors) -> None:
        packed = self._packed(vectors)
        gone = [(row[-1],) for row in packed]
        self.connection.executemany("DELETE FROM next_token WHERE no = ?", gone)
        self.connection.executemany(
            _PUT_PENDING,
            [
                (vector, context, terms, checksum, pending.stamp, previous, row_id)
                for pending, (vector, context, terms, checksum, previous, row_id) in zip(
                    rows, packed, strict=True
                )
            ],
        )
        self.connection.executemany(_PUT_NEXT_TOKENS, _packed_tokens(vectors, packed))

    def drop_pending(self) -> None:
        self.connection.execute("DELETE FROM next_vector")

    def switch_vectors(self) -> None:
        for statement in _SWITCH:
            self.connection.execute(statement)
        self._versions.clear()
        self._touched.clear()

    # --- inside --------------------------------------------------------------------------------------------

    def _touch(self, space: int) -> int:
        """Marks a space as changed; returns the version of its user by this transaction."""
        if space not in self._touched:
            found = self._one("SELECT user FROM space WHERE no = ?", space)
            if found is None:  # of a damaged row; nobody sees that space
                return 0
            (user,) = found
            self._touched[space] = version = self.next_version(decode_text(user))
            self.connection.execute("UPDATE space SET changed = ? WHERE no = ?", (version, space))
        return self._touched[space]

    def _packed(self, vectors: RowVectors) -> list[tuple[Any, ...]]:
        """Vector, context, terms, checksum, root of the turn before and row id of each."""
        return [
            (vector, context, _blob(terms), vector_checksum(vector, context, previous), previous, row_id)
            for vector, context, terms, previous, row_id in zip(
                self.vector_format.pack(vectors.vectors),
                self.vector_format.pack(vectors.contexts),
                vectors.terms,
                vectors.previous,
                vectors.row_ids,
                strict=True,
            )
        ]


def _packed_tokens(
    vectors: RowVectors, packed: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[bytes, int, int]]:
    """Tokens, their checksum and the row of each; none if none are to be kept."""
    for tokens, (*_, seal, _, row_id) in zip(vectors.tokens or (), packed, strict=False):
        yield tokens, token_checksum(tokens, seal), row_id


def _blob(terms: TermIds) -> bytes:
    return terms.astype("<u4").tobytes()
