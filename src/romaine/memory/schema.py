"""The tables of a memory's file, and the steps from each version to the next.

A *space* is what one user said in one chat (or outside any). Every write takes the next *change* number;
rows carry the numbers at which they were born, last changed and retired. From these another process sees
what is new, and a fork sees its parent as it was.
"""

from __future__ import annotations

import sqlite3

from romaine.errors import StorageFormatError, StorageVersionError

APPLICATION_ID = 0x726F6D61
"""Marks the SQLite file as ours: "roma"."""

_VERSION_1 = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('change', 0)",
    """CREATE TABLE space (
        no INTEGER PRIMARY KEY,
        user NOT NULL,
        chat,
        changed INTEGER NOT NULL DEFAULT 0
    )""",
    # SQLite holds NULLs to be distinct; no chat is named by zero bytes
    "CREATE UNIQUE INDEX space_of_chat ON space (user, ifnull(chat, x''))",
    """CREATE TABLE memory (
        no INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
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
        known_by TEXT,
        category TEXT,
        importance REAL NOT NULL,
        pinned INTEGER NOT NULL,
        cold INTEGER NOT NULL,
        access_count INTEGER NOT NULL,
        last_used_at INTEGER,
        valid_from INTEGER,
        valid_to INTEGER,
        token_count INTEGER NOT NULL,
        metadata TEXT,
        born INTEGER NOT NULL,
        retired INTEGER,
        changed INTEGER NOT NULL,
        origin INTEGER
    )""",
    "CREATE INDEX memory_by_change ON memory (space, changed)",
    "CREATE INDEX memory_by_position ON memory (space, position)",
    "CREATE INDEX memory_by_source ON memory (space, source_id) WHERE source_id IS NOT NULL",
    "CREATE INDEX memory_by_parent ON memory (space, parent_id) WHERE parent_id IS NOT NULL",
    "CREATE INDEX memory_by_origin ON memory (origin) WHERE origin IS NOT NULL",
    "CREATE INDEX note_by_space ON memory (space) WHERE kind <> 'turn'",
    """CREATE TABLE vector (
        no INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
        vector BLOB NOT NULL,
        context BLOB NOT NULL,
        terms BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        changed INTEGER NOT NULL
    )""",
    """CREATE TABLE next_vector (
        no INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
        vector BLOB NOT NULL,
        context BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        of_change INTEGER NOT NULL
    )""",
    """CREATE TABLE supersession (
        old INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
        new INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
        PRIMARY KEY (old, new)
    ) WITHOUT ROWID""",
    "CREATE INDEX supersession_by_new ON supersession (new)",
    """CREATE TABLE branch (
        no INTEGER PRIMARY KEY,
        space INTEGER NOT NULL REFERENCES space,
        character,
        parent INTEGER NOT NULL REFERENCES space,
        at INTEGER NOT NULL,
        change INTEGER NOT NULL
    )""",
    "CREATE INDEX branch_by_space ON branch (space)",
    "CREATE INDEX branch_by_parent ON branch (parent)",
    """CREATE TABLE hidden (
        space INTEGER NOT NULL REFERENCES space,
        memory INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
        change INTEGER NOT NULL,
        PRIMARY KEY (space, memory)
    ) WITHOUT ROWID""",
    "CREATE TABLE gone (space INTEGER NOT NULL, change INTEGER NOT NULL, memory INTEGER NOT NULL)",
    "CREATE INDEX gone_by_change ON gone (space, change)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1,)
"""Statements that lead from version i to i + 1."""

VERSION = len(MIGRATIONS)


def check_version(connection: sqlite3.Connection, name: str) -> int:
    """Returns the schema version of a file, 0 for an empty one.

    Raises:
        StorageFormatError: If it is the SQLite file of something else.
        StorageVersionError: If it is newer than this package.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise StorageFormatError(f"{name} is a SQLite file of something else; choose another file name")
    if version > VERSION:
        raise StorageVersionError(
            f"{name} has schema version {version}, this romaine knows up to {VERSION}; install a newer one"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Brings a file from `version` to `VERSION`, inside the caller's transaction."""
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        for statement in statements:
            connection.execute(statement)
        if number == 1:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
        # PRAGMAs take no parameters; the number is ours
        connection.execute(f"PRAGMA user_version = {number:d}")
