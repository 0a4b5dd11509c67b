"""The SQLite file: opening, transactions, waiting for other processes, and errors in words.

WAL with ``synchronous=FULL``: a write that returned survives a killed process and a power cut. Readers and
the one writer do not wait for each other, so a long import does not hold up `recall`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from romaine.errors import (
    RomaineError,
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFormatError,
    StorageFullError,
    StorageLockedError,
    StorageReadOnlyError,
)
from romaine.memory import schema

MEMORY = ":memory:"
_PAGE_SIZE = 16384  # two 384-d float32 vectors and their terms, without a chain of overflow pages
_CACHE_KIB = 32768
_RETRY_SECONDS = 0.02

_MESSAGES: tuple[tuple[tuple[str, ...], type[StorageError], str], ...] = (
    (("locked", "busy"), StorageLockedError, "another process keeps it locked; retry, or raise lock_timeout"),
    (
        ("disk is full", "file too large"),
        StorageFullError,
        "no room is left; the write was undone. Make room",
    ),
    (("readonly", "read-only"), StorageReadOnlyError, "it cannot be written; check its permissions"),
    (("not a database",), StorageFormatError, "it is not a SQLite file; choose another"),
    (
        ("malformed", "corrupt"),
        StorageCorruptError,
        "it is damaged; export what is readable, or use a backup",
    ),
    (("disk i/o error",), StorageError, "the disk refused; the write was undone. Check its room and health"),
    (
        ("unable to open",),
        StorageError,
        "it cannot be opened; check that its folder is there and writable",
    ),
)


class Database:
    """One memory's file, or a memory in RAM for ``":memory:"``. Safe to call from many threads.

    Args:
        path: The file; created if it is not there.
        lock_timeout: Seconds to wait for other processes.
        read_only: Never write; for files without write permission.
    """

    def __init__(self, path: str | Path, *, lock_timeout: float = 60.0, read_only: bool = False) -> None:
        self.name = str(path)
        self.read_only = read_only
        self._timeout = lock_timeout
        self._write_lock = threading.RLock()
        self._read_lock = self._write_lock if self.name == MEMORY else threading.RLock()
        self._owner = os.getpid()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._open()

    # --- transactions --------------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the file throughout.

        Raises:
            StorageError: As its subclasses say.
        """
        with self._read_lock, self._in_words():
            connection = self._connection(self._reader)
            if connection.in_transaction:  # a read inside this thread's own transaction
                yield connection
                return
            self._begin(connection, "BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction: committed and durable on leaving, undone if anything is raised.

        Raises:
            StorageError: As its subclasses say.
        """
        if self.read_only:
            raise StorageReadOnlyError(
                f"{self.name} was opened with read_only=True; open it without to write"
            )
        with self._write_lock, self._in_words():
            connection = self._connection(self._writer)
            self._begin(connection, "BEGIN IMMEDIATE")
            try:
                yield connection
                self._patiently(connection.commit)
            except BaseException:
                _roll_back(connection)
                raise

    def truncate_log(self) -> bool:
        """Empties the write-ahead log, where deleted text may still stand.

        Returns:
            Whether it could be emptied; not while another process reads an older state.
        """
        with self._write_lock, self._in_words():
            connection = self._connection(self._writer)
            try:
                (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as error:
                if _is_busy(error):
                    return False
                raise
            return not busy

    def close(self) -> None:
        """Closes the file. Closing twice is nothing."""
        with self._write_lock, self._read_lock:
            for connection in (self._reader, self._writer):
                if connection is not None and self._owner == os.getpid():
                    connection.close()
            self._reader = self._writer = None

    # --- inside --------------------------------------------------------------------------------------------

    def _connection(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise StorageClosedError(f"the memory {self.name} has been closed; open it again")
        if self._owner != os.getpid():
            raise StorageError(
                f"{self.name} was opened before this process was forked; open the memory anew in each process"
            )
        return connection

    def _open(self) -> None:
        if self.name != MEMORY and Path(self.name).is_dir():
            raise StorageFormatError(f"{self.name} is a folder; give the name of a file in it")
        if self.read_only and not Path(self.name).is_file():
            raise StorageError(f"{self.name} is not there, and read_only=True creates nothing")
        with self._in_words():
            try:
                self._writer = self._connect()
                self._patiently(self._prepare)
                self._reader = self._writer if self.name == MEMORY or self.read_only else self._connect()
            except BaseException:
                self.close()
                raise

    def _connect(self) -> sqlite3.Connection:
        target = self.name
        if target != MEMORY:
            target = Path(target).absolute().as_uri() + ("?mode=ro" if self.read_only else "?mode=rwc")
        connection = sqlite3.connect(
            target,
            uri=self.name != MEMORY,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB:d}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        connection = self._connection(self._writer)
        version = schema.check_version(connection, self.name)
        if version == schema.VERSION:
            return
        if self.read_only:
            raise StorageReadOnlyError(
                f"{self.name} needs a newer schema, which read_only=True cannot write; open it once without"
            )
        if version == 0:
            connection.execute(f"PRAGMA page_size = {_PAGE_SIZE:d}")
        connection.execute("PRAGMA journal_mode = WAL")
        self._begin(connection, "BEGIN IMMEDIATE")
        try:
            schema.migrate(connection, schema.check_version(connection, self.name))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise

    def _begin(self, connection: sqlite3.Connection, statement: str) -> None:
        self._patiently(lambda: connection.execute(statement))

    def _patiently(self, action: Callable[[], object]) -> None:
        """Does something that another process may be in the way of, until the timeout.

        SQLite's own busy handler waits too, but not where it sees a deadlock or a log in recovery.
        """
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                action()
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except RomaineError:
            raise
        except sqlite3.Error as error:
            raise _translate(error, self.name) from error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # SQLite itself rolls back on some errors
        connection.rollback()


def _is_busy(error: sqlite3.Error) -> bool:
    message = str(error).lower()
    return "locked" in message or "busy" in message


def _translate(error: sqlite3.Error, name: str) -> StorageError:
    message = str(error).lower()
    for words, kind, remedy in _MESSAGES:
        if any(word in message for word in words):
            return kind(f"{name}: {remedy} (SQLite: {error})")
    return StorageError(f"{name}: SQLite reports: {error}")
