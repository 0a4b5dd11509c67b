"""Bringing a file over to another embedder, resumably; the old vectors serve until the switch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from romaine.memory.change import Change
from romaine.memory.codec import VectorFormat, vector_checksum
from romaine.memory.database import Database
from romaine.memory.encoder import Draft, Encoder, MemoryEmbedder
from romaine.memory.records import Kind
from romaine.memory.rows import COLUMNS, to_memory
from romaine.memory.sequence import previous_text
from romaine.memory.store import read_setting, write_setting

Progress = Callable[[int, int], None]
"""Told how many memories are done, of how many."""

_BATCH = 256

_PENDING = f"""SELECT {COLUMNS}, v.changed FROM vector v JOIN memory m ON m.no = v.no
    JOIN space s ON s.no = m.space LEFT JOIN next_vector n ON n.no = v.no
    WHERE (n.no IS NULL OR n.of_change <> v.changed) AND v.no > ? ORDER BY v.no LIMIT ?"""  # noqa: S608
_IS_PENDING = """SELECT EXISTS (SELECT 1 FROM vector v LEFT JOIN next_vector n ON n.no = v.no
    WHERE n.no IS NULL OR n.of_change <> v.changed)"""
_SWITCH = """UPDATE vector SET (vector, context, checksum, changed) =
    (SELECT n.vector, n.context, n.checksum, ? FROM next_vector n WHERE n.no = vector.no)"""


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
) -> int:
    """As `reembed`, on a file that is open."""
    target = embedder.fingerprint
    with database.write() as connection:
        if read_setting(connection, "next_embedder") != target:
            connection.execute("DELETE FROM next_vector")
            write_setting(connection, "next_embedder", target)
    count = 0
    while True:
        for done in _embed_pending(database, embedder, batch_size):
            count += done
            if progress is not None:
                progress(*_progress_of(database))
        if _switch(database, embedder):
            return count


def _embed_pending(database: Database, embedder: MemoryEmbedder, batch_size: int) -> Iterator[int]:
    last = 0
    while True:
        with database.read() as connection:
            vector_format = _format_of(connection)
            rows = connection.execute(_PENDING, (last, batch_size)).fetchall()
            drafts = [_draft(connection, row) for row in rows]
        if not rows:
            return
        encoder = Encoder(embedder)
        encoder.prepare(drafts)
        embedded = encoder.embedded(drafts)
        packed = zip(
            rows, vector_format.pack(embedded.vectors), vector_format.pack(embedded.contexts), strict=True
        )
        with database.write() as connection:
            # a memory forgotten meanwhile has no row left to hang on to
            connection.executemany(
                "INSERT OR REPLACE INTO next_vector SELECT no, ?, ?, ?, ? FROM memory WHERE no = ?",
                [(v, c, vector_checksum(v, c), row[24], row[0]) for row, v, c in packed],
            )
        last = rows[-1][0]
        yield len(rows)


def _draft(connection: sqlite3.Connection, row: Any) -> Draft:
    memory = to_memory(row)
    if memory.kind is not Kind.TURN:
        return Draft(memory)
    return Draft(memory, previous_text(connection, memory))


def _switch(database: Database, embedder: MemoryEmbedder) -> bool:
    """Puts the new vectors in place if all are there."""
    with database.write() as connection:
        if connection.execute(_IS_PENDING).fetchone()[0]:
            return False
        change = Change(connection, _format_of(connection))
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
            "SELECT (SELECT count(*) FROM next_vector), (SELECT count(*) FROM vector)"
        ).fetchone()
    return int(done), int(total)
