"""Rows of one write: each with its number and its checksum, and what forks see kept as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from romaine.memory.codec import content_checksum, decode_optional, encode_optional, encode_text
from romaine.memory.forks import seen_by_forks
from romaine.memory.language import Analyzer
from romaine.memory.records import Memory, Scope
from romaine.memory.rows import COLUMNS, INSERT, UPDATE, StoredMemory, fetch, stored_row
from romaine.memory.sequence import spoken
from romaine.memory.terms import term_ids
from romaine.memory.views import View, space_of

OF_ROOT = f"""SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space
    WHERE m.no = :root OR (m.root = :root AND m.root <> m.no)"""  # noqa: S608


class RowWriter:
    """What one transaction does to rows. Its number marks every row it touches.

    Args:
        connection: Inside a write transaction.
        analyzer: Of the file.

    Attributes:
        number: Of the change.
    """

    def __init__(self, connection: sqlite3.Connection, analyzer: Analyzer) -> None:
        self.connection = connection
        self._analyzer = analyzer
        self._unembedded: dict[int, StoredMemory] = {}
        self._terms: dict[int, bytes] = {}
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'change'")
        (self.number,) = connection.execute("SELECT value FROM meta WHERE key = 'change'").fetchone()

    def space(self, scope: Scope) -> int:
        """Number of the scope's space, made if it is not there; marked as changed."""
        no = space_of(self.connection, scope.user, scope.chat)
        if no is None:
            cursor = self.connection.execute(
                "INSERT INTO space (user, chat, checksum) VALUES (?, ?, 0)",
                (encode_text(scope.user), encode_optional(scope.chat)),
            )
            no = int(cursor.lastrowid or 0)
            self._reserve_positions(no, 0)
        self._mark_space(no)
        return no

    def _insert(self, rows: Sequence[StoredMemory]) -> None:
        self._terms |= {row.no: terms_blob(row, self._analyzer) for row in rows}
        self.connection.executemany(
            INSERT, [(*row[:-2], self.number, row.checksum(self._terms[row.no])) for row in rows]
        )
        self._unembedded |= {row.no: row for row in rows}

    def _update(self, row: StoredMemory) -> None:
        self._terms[row.no] = terms = terms_blob(row, self._analyzer)
        self.connection.execute(UPDATE, (*row[1:-2], self.number, row.checksum(terms), row.no))
        self._mark_space(row.space)
        if row.no in self._unembedded:
            self._unembedded[row.no] = row

    def _delete(self, rows: Sequence[StoredMemory]) -> None:
        for row in rows:
            self._mark_space(row.space)
            self._unembedded.pop(row.no, None)
            self.connection.execute("INSERT INTO gone VALUES (?, ?, ?)", (row.space, self.number, row.no))
            self.connection.execute("DELETE FROM memory WHERE no = ?", (row.no,))
        for root in {row.root for row in rows}:
            if next(fetch(self.connection, OF_ROOT, {"root": root}), None) is None:
                self.connection.execute("DELETE FROM supersession WHERE old = ? OR new = ?", (root, root))
                self.connection.execute("DELETE FROM hidden WHERE root = ?", (root,))

    def _mark_space(self, no: int) -> None:
        self.connection.execute("UPDATE space SET changed = ? WHERE no = ?", (self.number, no))

    def _next_no(self) -> int:
        row = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'memory'").fetchone()
        return int(row[0] if row else 0) + 1

    def _reserve_positions(self, space: int, following: int) -> int:
        """Makes `following` the next position of a space, if it is not beyond that; returns what it was."""
        (before, *rest) = self.connection.execute(
            "SELECT next_position, no, user, chat FROM space WHERE no = ?", (space,)
        ).fetchone()
        values = (*rest, max(before, following))
        self.connection.execute(
            "UPDATE space SET next_position = ?, checksum = ? WHERE no = ?",
            (values[3], content_checksum(values), space),
        )
        return int(before)

    # --- forks ---------------------------------------------------------------------------------------------

    def _keep_version(self, row: StoredMemory) -> bool:
        """Keeps a row as it is for the forks that see it, if any do; the row itself may then change."""
        if not row.in_chat or not seen_by_forks(self.connection, row):
            return False
        no = self._next_no()
        version = row._replace(no=no, retired=self.number)
        self._insert([version])
        del self._unembedded[no]
        self.connection.execute(
            """INSERT INTO vector SELECT ?, vector, context, terms, checksum, ?, previous
                FROM vector WHERE no = ?""",
            (no, self.number, row.no),
        )
        return True

    def _own_copy(self, view: View, row: StoredMemory, memory: Memory) -> StoredMemory:
        """Gives a fork a copy of what it inherited, with other content."""
        assert view.fork is not None  # or nothing is inherited
        # what all characters of the parent share is, in a fork, that of whose fork it is
        character = decode_optional(row.character or view.fork.character)
        scope = replace(view.scope, character=character)
        self._hide(view, row)
        copy = stored_row(
            replace(memory, scope=scope),
            no=self._next_no(),
            root=row.root,
            space=self.space(scope),
            born=self.number,
        )
        self._insert([copy])
        return copy

    def _hide(self, view: View, row: StoredMemory) -> None:
        """Takes a memory of its parents out of a fork, and out of the file if nobody else sees it."""
        assert view.fork is not None
        values = (view.fork.no, row.root, self.number)
        self.connection.execute(
            "INSERT OR IGNORE INTO hidden VALUES (?, ?, ?, ?)", (*values, content_checksum(values))
        )
        self._mark_space(view.fork.space)
        if row.retired is not None and not seen_by_forks(self.connection, row):
            self._delete([row])


def terms_blob(row: StoredMemory, analyzer: Analyzer) -> bytes:
    """Terms of a row's words as they stand in the file, little-endian uint32."""
    return term_ids(spoken(row), analyzer).astype("<u4").tobytes()
