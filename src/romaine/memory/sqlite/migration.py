"""From the tables of earlier releases to those of today.

The first release noted what supersedes what, and what a fork no longer shows, by the number of a row; a row
kept for a fork had an id of its own and was no part of that. It kept what nobody could see any more. Until
version 2 one number counted the changes of all users.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from romaine.memory.checks import MAX_POSITION
from romaine.memory.codec import content_checksum
from romaine.memory.forks import seen_by_forks
from romaine.memory.rows import STORED, decoded
from romaine.memory.sqlite.rows import COLUMNS
from romaine.memory.sqlite.snapshot import SqliteSnapshot

_BATCH = 1000

MEMORY_TABLE = """CREATE TABLE memory (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    root INTEGER NOT NULL,
    space INTEGER NOT NULL REFERENCES space,
    character,
    kind TEXT NOT NULL,
    text NOT NULL,
    speaker,
    role TEXT,
    position INTEGER,
    created_at INTEGER NOT NULL,
    source_id,
    parent_id,
    known_by,
    category TEXT,
    importance REAL NOT NULL,
    pinned INTEGER NOT NULL,
    cold INTEGER NOT NULL,
    access_count INTEGER NOT NULL,
    last_used_at INTEGER,
    valid_from INTEGER,
    valid_to INTEGER,
    token_count INTEGER NOT NULL,
    metadata,
    born INTEGER NOT NULL,
    retired INTEGER,
    changed INTEGER NOT NULL,
    checksum INTEGER NOT NULL
)"""

MEMORY_INDEXES = (
    "CREATE INDEX memory_by_id ON memory (id)",
    "CREATE INDEX memory_by_root ON memory (root) WHERE root <> no",
    "CREATE INDEX memory_by_change ON memory (space, changed)",
    "CREATE INDEX memory_by_position ON memory (space, position)",
    "CREATE INDEX memory_by_source ON memory (space, source_id) WHERE source_id IS NOT NULL",
    "CREATE INDEX memory_by_parent ON memory (space, parent_id) WHERE parent_id IS NOT NULL",
    "CREATE INDEX note_by_space ON memory (space) WHERE kind <> 'turn'",
)

NEXT_VECTOR_TABLE = """CREATE TABLE next_vector (
    no INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
    vector BLOB NOT NULL,
    context BLOB NOT NULL,
    terms BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    of_change INTEGER NOT NULL,
    previous INTEGER
)"""

TOKEN_TABLES = tuple(
    f"""CREATE TABLE {name} (
        no INTEGER PRIMARY KEY REFERENCES {of} ON DELETE CASCADE,
        tokens BLOB NOT NULL,
        of_vectors INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    )"""
    for name, of in (("token", "vector"), ("next_token", "next_vector"))
)

USER_TABLE = "CREATE TABLE user (name PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"

ROOT_TABLES = (
    """CREATE TABLE supersession (
        space INTEGER NOT NULL REFERENCES space,
        old INTEGER NOT NULL,
        new INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (space, old, new)
    ) WITHOUT ROWID""",
    """CREATE TABLE hidden (
        branch INTEGER NOT NULL REFERENCES branch,
        root INTEGER NOT NULL,
        change INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (branch, root)
    ) WITHOUT ROWID""",
)

_KEPT = ", ".join(name for name in STORED if name not in ("id", "root"))
_OF_OLD = ", ".join(f"m.{name}" for name in _KEPT.split(", "))
_COPY = f"""INSERT INTO memory (id, root, {_KEPT}, changed, checksum)
    SELECT coalesce(o.id, m.id), coalesce(o.no, m.no), {_OF_OLD}, m.changed, 0
    FROM memory_1 m LEFT JOIN memory_1 o ON o.no = m.origin ORDER BY m.no"""  # noqa: S608
_RETIRED = f"""SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space
    WHERE m.retired IS NOT NULL AND m.no > ? ORDER BY m.no LIMIT ?"""  # noqa: S608


def from_version_1(connection: sqlite3.Connection) -> None:
    """Brings a file of version 1 to version 2. Foreign keys must not be enforced meanwhile."""
    (sequence,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'memory'"
    ).fetchone()
    connection.execute("PRAGMA legacy_alter_table = ON")  # other tables go on referring to "memory"
    connection.execute("ALTER TABLE memory RENAME TO memory_1")
    for name in ("change", "position", "source", "parent", "origin"):
        connection.execute(f"DROP INDEX memory_by_{name}")
    connection.execute("DROP INDEX note_by_space")
    connection.execute(MEMORY_TABLE)
    connection.execute(_COPY)
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'memory'")
    connection.execute("INSERT INTO sqlite_sequence VALUES ('memory', ?)", (sequence,))
    for statement in MEMORY_INDEXES:
        connection.execute(statement)
    _rename_roots(connection)
    connection.execute("DROP TABLE memory_1")
    connection.execute("ALTER TABLE vector ADD COLUMN previous INTEGER")
    connection.execute("DROP TABLE next_vector")  # an interrupted reembed begins anew
    connection.execute("DELETE FROM meta WHERE key = 'next_embedder'")
    connection.execute(NEXT_VECTOR_TABLE)
    connection.execute("INSERT INTO meta VALUES ('terms', 1)")  # see wording.py
    connection.execute("INSERT INTO meta VALUES ('renewed', 0)")  # see upgrade.py
    connection.execute("PRAGMA legacy_alter_table = OFF")
    _mend_positions(connection)
    _add_next_positions(connection)
    _add_checksums_of_branches(connection)
    _drop_unseen(connection)
    _add_checksums_of_memories(connection)


def from_version_2(connection: sqlite3.Connection) -> None:
    """Brings a file of version 2 to version 3: each user's version begins at the number of changes so far."""
    connection.execute("ALTER TABLE meta RENAME TO setting")
    connection.execute(USER_TABLE)
    connection.execute(
        "INSERT INTO user SELECT DISTINCT user, (SELECT value FROM setting WHERE key = 'change') FROM space"
    )
    connection.execute("DELETE FROM setting WHERE key = 'change'")
    # An older process may have the file open: its writes would count in the old way, and it would not see
    # what is written now. It reads `meta` first, and tells what SQLite says of it: there is no such table as
    connection.execute(
        "CREATE VIEW meta AS SELECT * FROM"
        " 'what this release looks for: a newer one has changed the file; close it and open it with that'"
    )


def from_version_3(connection: sqlite3.Connection) -> None:
    """Brings a file of version 3 to version 4, in which rows may have vectors of their tokens."""
    for statement in TOKEN_TABLES:
        connection.execute(statement)


def _rename_roots(connection: sqlite3.Connection) -> None:
    """What was said of rows is said of roots now."""
    superseded = connection.execute(
        """SELECT DISTINCT n.space, o.root, n.root FROM supersession p
        JOIN memory o ON o.no = p.old JOIN memory n ON n.no = p.new"""
    ).fetchall()
    hidden = connection.execute(
        """SELECT b.no, m.root, min(h.change) FROM hidden h JOIN memory m ON m.no = h.memory
        JOIN branch b ON b.space = h.space GROUP BY b.no, m.root"""
    ).fetchall()
    for table in ("supersession", "hidden"):
        connection.execute(f"DROP TABLE {table}")
    for statement in ROOT_TABLES:
        connection.execute(statement)
    connection.executemany("INSERT INTO supersession VALUES (?, ?, ?, ?)", _with_checksums(superseded))
    connection.executemany("INSERT INTO hidden VALUES (?, ?, ?, ?)", _with_checksums(hidden))


def _with_checksums(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return [(*row, content_checksum(tuple(row))) for row in rows]


def _mend_positions(connection: sqlite3.Connection) -> None:
    """Gives turns beyond all positions the next ones: the first release took 2**53, and none was left."""
    far = connection.execute(
        "SELECT no, space FROM memory WHERE position > ? ORDER BY space, position, no", (MAX_POSITION,)
    ).fetchall()
    for no, space in far:
        connection.execute(
            """UPDATE memory SET position = (SELECT coalesce(max(position) + 1, 0) FROM memory
                WHERE space = ? AND position <= ?) WHERE no = ?""",
            (space, MAX_POSITION, no),
        )


def _add_next_positions(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE space ADD COLUMN next_position INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE space ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        """UPDATE space SET next_position =
            (SELECT coalesce(max(position) + 1, 0) FROM memory m WHERE m.space = space.no)"""
    )
    rows = connection.execute("SELECT no, user, chat, next_position FROM space").fetchall()
    connection.executemany(
        "UPDATE space SET checksum = ? WHERE no = ?", [(content_checksum(row), row[0]) for row in rows]
    )


def _add_checksums_of_branches(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE branch ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
    rows = connection.execute("SELECT no, space, character, parent, at, change FROM branch").fetchall()
    connection.executemany(
        "UPDATE branch SET checksum = ? WHERE no = ?", [(content_checksum(row), row[0]) for row in rows]
    )


def _drop_unseen(connection: sqlite3.Connection) -> None:
    """Deletes what was retracted and no fork sees."""
    snapshot, last = SqliteSnapshot(connection), 0
    while rows := [decoded(row) for row in connection.execute(_RETIRED, (last, _BATCH)).fetchall()]:
        for row in rows:
            if not seen_by_forks(snapshot, row):
                for table in ("vector", "next_vector", "memory"):
                    connection.execute(f"DELETE FROM {table} WHERE no = ?", (row.row_id,))  # noqa: S608
        last = rows[-1].row_id


def _add_checksums_of_memories(connection: sqlite3.Connection) -> None:
    query = f"""SELECT {", ".join(f"m.{name}" for name in STORED)}, v.terms FROM memory m
        LEFT JOIN vector v ON v.no = m.no WHERE m.no > ? ORDER BY m.no LIMIT ?"""  # noqa: S608
    no = 0
    while rows := connection.execute(query, (no, _BATCH)).fetchall():
        connection.executemany(
            "UPDATE memory SET checksum = ? WHERE no = ?",
            [(content_checksum(row[:-1], row[-1] or b""), row[0]) for row in rows],
        )
        no = rows[-1][0]
