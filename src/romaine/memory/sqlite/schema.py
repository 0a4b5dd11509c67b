"""The tables of a memory's file, and the steps from each version to the next.

What a space, a root and a version are is said in `memory/storage.py`. A row's `no` is its row id; `born`,
`retired`, `changed` and `change` are versions of its user. A vector row names the root of the turn that its
context was made with, because a version's own chat may have changed since. A token row, with the vectors of a
row's tokens, names the checksum of the vectors that it belongs to, and counts beside no others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from romaine.errors import StorageFormatError, StorageVersionError
from romaine.memory.sqlite import migration

APPLICATION_ID = 0x726F6D61
"""Marks the SQLite file as ours: "roma"."""

_VERSION_3 = (
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    migration.USER_TABLE,
    """CREATE TABLE space (
        no INTEGER PRIMARY KEY,
        user NOT NULL,
        chat,
        next_position INTEGER NOT NULL DEFAULT 0,
        changed INTEGER NOT NULL DEFAULT 0,
        checksum INTEGER NOT NULL
    )""",
    # SQLite holds NULLs to be distinct; no chat is named by zero bytes
    "CREATE UNIQUE INDEX space_of_chat ON space (user, ifnull(chat, x''))",
    migration.MEMORY_TABLE,
    *migration.MEMORY_INDEXES,
    """CREATE TABLE vector (
        no INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
        vector BLOB NOT NULL,
        context BLOB NOT NULL,
        terms BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        changed INTEGER NOT NULL,
        previous INTEGER
    )""",
    migration.NEXT_VECTOR_TABLE,
    """CREATE TABLE branch (
        no INTEGER PRIMARY KEY,
        space INTEGER NOT NULL REFERENCES space,
        character,
        parent INTEGER NOT NULL REFERENCES space,
        at INTEGER NOT NULL,
        change INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    )""",
    "CREATE INDEX branch_by_space ON branch (space)",
    "CREATE INDEX branch_by_parent ON branch (parent)",
    *migration.ROOT_TABLES,
    "CREATE TABLE gone (space INTEGER NOT NULL, change INTEGER NOT NULL, memory INTEGER NOT NULL)",
    "CREATE INDEX gone_by_change ON gone (space, change)",
)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _VERSION_3:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")


MIGRATIONS: dict[int, tuple[int, Callable[[sqlite3.Connection], None]]] = {
    0: (3, _create),
    1: (2, migration.from_version_1),
    2: (3, migration.from_version_2),
    3: (4, migration.from_version_3),
}
"""For each version, the one it is brought to and what brings it there; 0 is an empty file."""

VERSION = 4


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
    while version != VERSION:
        version, step = MIGRATIONS[version]
        step(connection)
        # PRAGMAs take no parameters; the number is ours
        connection.execute(f"PRAGMA user_version = {version:d}")
