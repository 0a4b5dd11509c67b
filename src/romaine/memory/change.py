"""One write: what it may do to the rows of the file. Meaning is decided above, durability below."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from romaine.arrays import FloatArray
from romaine.memory.codec import VectorFormat, encode_id, encode_optional, encode_text, vector_checksum
from romaine.memory.records import Memory, Scope, uuid7
from romaine.memory.rows import INSERT, UPDATE, insert_values, update_values
from romaine.memory.terms import document_text, term_ids
from romaine.memory.views import space_of

_PUT_VECTOR = "INSERT OR REPLACE INTO vector VALUES (?, ?, ?, ?, ?, ?)"

_KEEP_COPY = """
    INSERT INTO memory (id, space, character, kind, text, speaker, role, position, created_at, source_id,
        parent_id, known_by, category, importance, pinned, cold, access_count, last_used_at, valid_from,
        valid_to, token_count, metadata, born, retired, changed, origin)
    SELECT ?, space, character, kind, text, speaker, role, position, created_at, source_id, parent_id,
        known_by, category, importance, pinned, cold, access_count, last_used_at, valid_from, valid_to,
        token_count, metadata, born, ?, ?, no
    FROM memory WHERE no = ?"""

_FORKED = """
    SELECT EXISTS (SELECT 1 FROM branch b JOIN memory m ON m.space = b.parent
        WHERE m.no = ? AND b.change >= m.born AND (m.position IS NULL OR m.position <= b.at))"""


@dataclass(frozen=True)
class Embedded:
    """Vectors of memories, unit or zero, float32 (n, full_dim) each.

    Attributes:
        vectors: Of each memory's document text.
        contexts: Of the previous turn and this one, or the same as `vectors` where there is none.
    """

    vectors: FloatArray
    contexts: FloatArray


class Change:
    """What one transaction does. Its number marks every row it touches.

    Args:
        connection: Inside a write transaction.
        vector_format: How vectors are kept.
    """

    def __init__(self, connection: sqlite3.Connection, vector_format: VectorFormat) -> None:
        self.connection = connection
        self._format = vector_format
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'change'")
        (self.number,) = connection.execute("SELECT value FROM meta WHERE key = 'change'").fetchone()

    def space(self, scope: Scope) -> int:
        """Number of the scope's space, made if it is not there; marked as changed."""
        no = space_of(self.connection, scope.user, scope.chat)
        if no is None:
            cursor = self.connection.execute(
                "INSERT INTO space (user, chat) VALUES (?, ?)",
                (encode_text(scope.user), encode_optional(scope.chat)),
            )
            no = int(cursor.lastrowid or 0)
        self._mark_space(no)
        return no

    def insert(self, memories: Sequence[Memory], embedded: Embedded) -> list[int]:
        """Adds memories with their vectors; returns their numbers, ascending."""
        spaces = {scope: self.space(scope) for scope in dict.fromkeys(m.scope for m in memories)}
        row = self.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'memory'").fetchone()
        first = (row[0] if row else 0) + 1
        self.connection.executemany(
            INSERT, [insert_values(memory, spaces[memory.scope], self.number) for memory in memories]
        )
        nos = list(range(first, first + len(memories)))
        self._put_vectors(nos, memories, embedded)
        return nos

    def put_vectors(self, nos: Sequence[int], memories: Sequence[Memory], embedded: Embedded) -> None:
        """Replaces vectors and terms of memories."""
        self._put_vectors(nos, memories, embedded)
        self.touch(nos)

    def update(self, no: int, memory: Memory, *, keep_for_forks: bool) -> None:
        """Replaces a memory's fields.

        Args:
            no: Its number.
            memory: As it is to be; id, scope and kind stay.
            keep_for_forks: Whether chats forked off earlier go on seeing the old text.
        """
        if keep_for_forks and self._is_forked(no):
            self._keep_copy(no)
        self.connection.execute(UPDATE, update_values(memory, no, self.number))
        self.touch([no])

    def supersede(self, old: Iterable[int], new: int) -> None:
        """Notes that `new` replaces `old`."""
        nos = list(old)
        self.connection.executemany(
            "INSERT OR IGNORE INTO supersession VALUES (?, ?)", [(no, new) for no in nos]
        )
        self.touch(nos)

    def retire(self, nos: Sequence[int]) -> None:
        """Takes memories out of their chat; chats forked off earlier keep them."""
        self.touch(nos)
        self.connection.executemany(
            "UPDATE memory SET retired = ? WHERE no = ?", [(self.number, no) for no in nos]
        )

    def hide(self, nos: Iterable[int], scope: Scope) -> None:
        """Takes memories of its parents out of a fork."""
        space = self.space(scope)
        self.connection.executemany(
            "INSERT OR IGNORE INTO hidden VALUES (?, ?, ?)", [(space, no, self.number) for no in nos]
        )

    def delete(self, nos: Sequence[int]) -> None:
        """Deletes memories, the copies kept of them for forks, and their vectors."""
        copies = [
            row[0]
            for no in nos
            for row in self.connection.execute("SELECT no FROM memory WHERE origin = ?", (no,))
        ]
        doomed = [(no,) for no in {*nos, *copies}]
        self.touch([no for (no,) in doomed])
        self.connection.executemany(
            "INSERT INTO gone SELECT space, changed, no FROM memory WHERE no = ?", doomed
        )
        self.connection.executemany("DELETE FROM memory WHERE no = ?", doomed)

    def touch(self, nos: Sequence[int]) -> None:
        """Marks memories and their spaces as changed, so that every index catches up."""
        self.connection.executemany(
            "UPDATE memory SET changed = ? WHERE no = ?", [(self.number, no) for no in nos]
        )
        # a write touches few spaces: those of its ends, and whatever lies between
        spaces = {
            row[0]
            for no in nos
            for row in self.connection.execute("SELECT space FROM memory WHERE no = ?", (no,))
        }
        for space in spaces:
            self._mark_space(space)

    def _put_vectors(self, nos: Sequence[int], memories: Sequence[Memory], embedded: Embedded) -> None:
        rows = zip(
            nos,
            self._format.pack(embedded.vectors),
            self._format.pack(embedded.contexts),
            memories,
            strict=True,
        )
        self.connection.executemany(
            _PUT_VECTOR,
            [
                (
                    no,
                    vector,
                    context,
                    term_ids(document_text(memory.text, memory.speaker)).astype("<u4").tobytes(),
                    vector_checksum(vector, context),
                    self.number,
                )
                for no, vector, context, memory in rows
            ],
        )

    def _mark_space(self, no: int) -> None:
        self.connection.execute("UPDATE space SET changed = ? WHERE no = ?", (self.number, no))

    def _is_forked(self, no: int) -> bool:
        return bool(self.connection.execute(_FORKED, (no,)).fetchone()[0])

    def _keep_copy(self, no: int) -> None:
        cursor = self.connection.execute(_KEEP_COPY, (encode_id(uuid7()), self.number, self.number, no))
        self.connection.execute(
            "INSERT INTO vector SELECT ?, vector, context, terms, checksum, ? FROM vector WHERE no = ?",
            (cursor.lastrowid, self.number, no),
        )
        self.connection.execute("UPDATE memory SET born = ? WHERE no = ?", (self.number, no))
