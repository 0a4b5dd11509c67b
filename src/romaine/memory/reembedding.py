"""Bringing a file over to another embedder, resumably; the old vectors serve until the switch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from romaine.errors import OtherEmbedderError, StorageCorruptError
from romaine.memory.change import Change, draft_of
from romaine.memory.codec import VectorFormat, vector_checksum
from romaine.memory.database import Database
from romaine.memory.encoder import Encoder, MemoryEmbedder
from romaine.memory.language import DEFAULT
from romaine.memory.row_writer import terms_blob
from romaine.memory.rows import COLUMNS, StoredMemory
from romaine.memory.sequence import turn_before
from romaine.memory.store import read_setting, write_setting

Progress = Callable[[int, int], None]
"""Told how many memories are done, of how many."""

_BATCH = 256
_ROUNDS = 4  # after which writers that keep adding have to wait for what is left

_PENDING = f"""SELECT {COLUMNS}, v.terms, coalesce(v.changed, 0) FROM memory m JOIN space s ON s.no = m.space
    LEFT JOIN vector v ON v.no = m.no LEFT JOIN next_vector n ON n.no = m.no
    WHERE (n.no IS NULL OR n.of_change <> coalesce(v.changed, 0)) AND m.no > ? ORDER BY m.no LIMIT ?"""  # noqa: S608
_IS_PENDING = """SELECT EXISTS (SELECT 1 FROM memory m LEFT JOIN vector v ON v.no = m.no
    LEFT JOIN next_vector n ON n.no = m.no WHERE n.no IS NULL OR n.of_change <> coalesce(v.changed, 0))"""
# a memory forgotten meanwhile has no row left to hang on to
_KEEP = "INSERT OR REPLACE INTO next_vector SELECT no, ?, ?, ?, ?, ?, ? FROM memory WHERE no = ?"
_SWITCH = """INSERT OR REPLACE INTO vector (no, vector, context, terms, checksum, changed, previous)
    SELECT n.no, n.vector, n.context, n.terms, n.checksum, ?, n.previous FROM next_vector n"""


def reembed(
    path: str | Path,
    embedder: MemoryEmbedder,
    *,
    batch_size: int = _BATCH,
    progress: Progress | None = None,
    lock_timeout: float = 60.0,
) -> int:
    """Embeds all memories of a file again, then switches to the new vectors in one transaction.

    May be interrupted at any time and called again: what was embedded is kept. Until the switch, memories
    that have the file open with its old embedder go on as before; then they get `OtherEmbedderError`.

    Args:
        path: The file.
        embedder: The new embedder; the file's own one repairs damaged vectors.
        batch_size: Memories embedded and kept at a time.
        progress: Told after each batch how many are done, of how many.
        lock_timeout: Seconds to wait for other processes.

    Returns:
        How many memories were embedded in this call.

    Raises:
        StorageError: As its subclasses say.
    """
    database = Database(path, lock_timeout=lock_timeout)
    try:
        return reembed_database(database, embedder, batch_size=batch_size, progress=progress)
    finally:
        database.close()


def reembed_database(
    database: Database,
    embedder: MemoryEmbedder,
    *,
    batch_size: int = _BATCH,
    progress: Progress | None = None,
    switching: AbstractContextManager[object] | None = None,
    adopt: Callable[[], None] | None = None,
) -> int:
    """As `reembed`, on a file that is open.

    Args:
        database: The file.
        embedder: The new embedder.
        batch_size: Memories embedded and kept at a time.
        progress: Told after each batch how many are done, of how many.
        switching: Held during the switch and `adopt`.
        adopt: Called when the file is the new embedder's.
    """
    target = embedder.fingerprint
    with database.write() as connection:
        if read_setting(connection, "next_embedder") != target:
            connection.execute("DELETE FROM next_vector")
            write_setting(connection, "next_embedder", target)
    count = rounds = 0
    while True:
        for done in _embed_pending(database, embedder, batch_size):
            count += done
            if progress is not None:
                progress(*_progress_of(database))
        rounds += 1
        with switching or nullcontext():
            if _switch(database, embedder, whatever_is_left=rounds >= _ROUNDS):
                if adopt is not None:
                    adopt()
                return count


@dataclass(frozen=True)
class _Batch:
    """Memories that are to be embedded.

    Attributes:
        rows: The memories.
        terms: Theirs, which stay as they are.
        changes: The change at which each one's present vectors were written.
        previous: The turn before each, or None.
    """

    rows: list[StoredMemory]
    terms: list[bytes | None]
    changes: list[int]
    previous: list[StoredMemory | None]

    @classmethod
    def after(cls, connection: sqlite3.Connection, no: int, size: int) -> _Batch:
        """The next ones after row `no`."""
        found = connection.execute(_PENDING, (no, size)).fetchall()
        rows = [StoredMemory._make(values[:-2]) for values in found]
        terms, changes = [values[-2] for values in found], [values[-1] for values in found]
        return cls(rows, terms, changes, [_previous(connection, row) for row in rows])

    def packed(self, embedder: MemoryEmbedder, vector_format: VectorFormat) -> list[tuple[Any, ...]]:
        """What the table `next_vector` is to hold, and the number of each row."""
        encoder = Encoder(embedder)
        drafts = [draft_of(row, before) for row, before in zip(self.rows, self.previous, strict=True)]
        encoder.prepare(drafts)
        embedded = encoder.embedded(drafts)
        vectors = zip(
            vector_format.pack(embedded.vectors), vector_format.pack(embedded.contexts), strict=True
        )
        roots = [None if before is None else before.root for before in self.previous]
        return [
            (*both, terms or terms_blob(row, DEFAULT), vector_checksum(*both, root), change, root, row.no)
            for row, terms, change, root, both in zip(
                self.rows, self.terms, self.changes, roots, vectors, strict=True
            )
        ]


def _embed_pending(database: Database, embedder: MemoryEmbedder, batch_size: int) -> Iterator[int]:
    last = 0
    while True:
        with database.read() as connection:
            vector_format = _format_of(connection)
            batch = _Batch.after(connection, last, batch_size)
        if not batch.rows:
            return
        packed = batch.packed(embedder, vector_format)
        with database.write() as connection:
            if not _is_target(connection, embedder):
                return
            connection.executemany(_KEEP, packed)
        last = batch.rows[-1].no
        yield len(batch.rows)


def _previous(connection: sqlite3.Connection, row: StoredMemory) -> StoredMemory | None:
    """The turn before a row; for a version, the one that its context was made with."""
    stored = connection.execute("SELECT previous FROM vector WHERE no = ?", (row.no,)).fetchone()
    if row.retired is not None and stored == (None,):
        return None
    return turn_before(connection, row, stored[0] if stored else None)


def _is_target(connection: sqlite3.Connection, embedder: MemoryEmbedder) -> bool:
    """Whether the file is still being brought over to an embedder; not if another process has finished it.

    Raises:
        OtherEmbedderError: If somebody has begun to bring it over to yet another one.
    """
    target = read_setting(connection, "next_embedder")
    if target == embedder.fingerprint:
        return True
    if target is None and read_setting(connection, "embedder") == embedder.fingerprint:
        return False
    other = target or read_setting(connection, "embedder")
    raise OtherEmbedderError(
        f"the file is being brought over, or was, to embedder {other}; reembed to {embedder.fingerprint}"
        " stopped and keeps nothing: call it again to have that one after all"
    )


def _switch(database: Database, embedder: MemoryEmbedder, *, whatever_is_left: bool) -> bool:
    """Puts the new vectors in place if all are there; or embeds what is left while other writers wait.

    Raises:
        StorageCorruptError: If something is left even then.
    """
    with database.write() as connection:
        if not _is_target(connection, embedder):
            return True
        if whatever_is_left:
            batch = _Batch.after(connection, 0, -1)
            connection.executemany(_KEEP, batch.packed(embedder, _format_of(connection)))
        if connection.execute(_IS_PENDING).fetchone()[0]:
            if not whatever_is_left:
                return False
            raise StorageCorruptError(
                f"{database.name}: memories are left to be embedded that cannot be read; verify() says which,"
                " a backup has them whole"
            )
        # makes no terms: rows keep those they have
        change = Change(connection, _format_of(connection), Encoder(embedder), DEFAULT)
        connection.execute(_SWITCH, (change.number,))
        connection.execute("UPDATE memory SET changed = ?", (change.number,))
        connection.execute("UPDATE space SET changed = ?", (change.number,))
        connection.execute("DELETE FROM next_vector")
        write_setting(connection, "next_embedder", None)
        write_setting(connection, "full_dim", embedder.full_dim)
        write_setting(connection, "embedder", embedder.fingerprint)
        return True


def _format_of(connection: sqlite3.Connection) -> VectorFormat:
    return VectorFormat.parse(read_setting(connection, "vector_format") or VectorFormat.FLOAT32)


def _progress_of(database: Database) -> tuple[int, int]:
    with database.read() as connection:
        done, total = connection.execute(
            "SELECT (SELECT count(*) FROM next_vector), (SELECT count(*) FROM memory)"
        ).fetchone()
    return int(done), int(total)
