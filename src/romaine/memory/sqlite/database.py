"""`SqliteStorage`: one file; opening it, transactions, waiting for other threads and processes.

WAL with ``synchronous=FULL``: a write that returned survives a killed process and a power cut. Readers and
the one writer do not wait for each other, so a long import does not hold up `recall`.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from romaine.errors import (
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageForkedError,
    StorageFormatError,
    StorageReadOnlyError,
    StorageReplacedError,
    StorageVersionError,
)
from romaine.memory.sqlite import schema
from romaine.memory.sqlite.errors import in_words, is_busy
from romaine.memory.sqlite.file_identity import MEMORY, OpenFile, forked_message, this_process
from romaine.memory.sqlite.readers import Readers
from romaine.memory.sqlite.snapshot import SqliteSnapshot
from romaine.memory.sqlite.transaction import SqliteTransaction
from romaine.memory.storage import Storage

_PAGE_SIZE = 16384  # two 384-d float32 vectors and their terms, without a chain of overflow pages
_WRITER_CACHE_KIB = 32768
_READER_CACHE_KIB = 2048  # pages come back from the system's cache as fast: 32 MiB gained nothing
_RETRY_SECONDS = 0.02
_OPENINGS = 3  # a file may be replaced just when it is opened; not again and again


class SqliteStorage(Storage):
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
        self._schema = schema.VERSION
        self._owner = this_process()
        self._write_lock = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._readers = Readers()
        self._reading = threading.local()
        self._claims: dict[int, object] = {}
        self._open()

    # --- transactions --------------------------------------------------------------------------------------

    @contextmanager
    def read(self, *users: str) -> Iterator[SqliteSnapshot]:
        """As `Storage.read`."""
        self.check_process()
        with in_words(self.name), self._reader() as connection:
            if connection.in_transaction:  # a read inside this thread's own transaction
                yield SqliteSnapshot(connection, users)
                return
            self._begin(connection, "BEGIN")
            try:
                self._check_state(connection)
                yield SqliteSnapshot(connection, users)
            finally:
                self._roll_back(connection)

    @contextmanager
    def write(self, *users: str) -> Iterator[SqliteTransaction]:
        """As `Storage.write`.

        Raises:
            StorageReplacedError: If the file or its log was deleted or replaced. Noticed after the commit,
                the write may be in the old file.
            StorageError: As its other subclasses say.
        """
        self.check_process()
        self._check_writable()
        with self._write_lock, in_words(self.name):
            connection = self._opened(self._writer)
            self._begin(connection, "BEGIN IMMEDIATE")
            try:
                self._check_state(connection)
                yield SqliteTransaction(connection, users)
                self.check_process()  # the block may have forked; the transaction is the parent's to commit
                self._patiently(connection.commit)
            except BaseException:
                self._roll_back(connection)
                raise
            self._file.check()

    def erase_deleted(self, patience: float = 1.0) -> bool:
        """Empties the write-ahead log, where deleted text may still stand. As `Storage.erase_deleted`."""
        self.check_process()
        self._check_writable()
        deadline = time.monotonic() + patience
        if not self._write_lock.acquire(timeout=max(patience, 0.0)):
            return False
        try:
            with in_words(self.name):
                connection = self._opened(self._writer)
                self._file.check()
                while not self._checkpoint(connection, deadline - time.monotonic()):
                    # SQLite does not wait at all for another process's checkpoint
                    if time.monotonic() + _RETRY_SECONDS >= deadline:
                        return False
                    time.sleep(_RETRY_SECONDS)
                return True
        finally:
            self._write_lock.release()

    @contextmanager
    def claimed(self, share: int) -> Iterator[bool]:
        """As `Storage.claimed`, among the threads of this process: a file has one writer anyway."""
        self.check_process()
        ours = object()
        if self._claims.setdefault(share, ours) is not ours:
            yield False
            return
        try:
            yield True
        finally:
            del self._claims[share]

    def close(self) -> None:
        """As `Storage.close`; in a forked child, nothing: the connections are the parent's."""
        if self._owner != this_process():
            return
        with self._write_lock:
            self._writer = None
        self._readers.close(but=0 if self._own_reader() is None else 1)
        self._file.close()

    def check_process(self) -> None:
        """As `Storage.check_process`: a fork may have left a lock locked for good."""
        if self._owner != this_process():
            raise StorageForkedError(forked_message(self.name))

    def owns(self, path: Path) -> bool:
        """Whether a path is that of the file or of its log."""
        return self._file.has(path)

    # --- inside --------------------------------------------------------------------------------------------

    def _opened(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise StorageClosedError(f"the memory {self.name} has been closed; open it again")
        return connection

    def _check_state(self, connection: sqlite3.Connection) -> None:
        """Checks that what a transaction will see is the file that was opened, in the format it had."""
        self._file.check()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != self._schema:
            raise StorageVersionError(
                f"{self.name} was brought to schema version {version} while it was open, by another romaine;"
                f" this one opened version {self._schema}: close it, and open it with the newer one"
            )

    def _check_writable(self) -> None:
        if self.read_only:
            raise StorageReadOnlyError(
                f"{self.name} was opened with read_only=True; open it without to write"
            )

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self.name == MEMORY:  # there is one connection, and what it does is seen at once
            with self._write_lock:
                yield self._opened(self._writer)
            return
        own = self._own_reader()
        if own is not None:
            yield own
            return
        connection = self._opened(self._readers.acquire(self._connect_reader))
        self._reading.connection = connection
        try:
            yield connection
        finally:
            self._reading.connection = None
            if self._owner == this_process():  # in a fork the pool may be locked for good
                self._readers.release(connection)

    def _own_reader(self) -> sqlite3.Connection | None:
        return getattr(self._reading, "connection", None)

    def _open(self) -> None:
        if self.name != MEMORY and Path(self.name).is_dir():
            raise StorageFormatError(f"{self.name} is a folder; give the name of a file in it")
        if self.read_only and not Path(self.name).is_file():
            raise StorageError(f"{self.name} is not there, and read_only=True creates nothing")
        with in_words(self.name):
            for _ in range(_OPENINGS):
                self._file = OpenFile(self.name, create=not self.read_only)
                weakref.finalize(self, self._file.close).atexit = False
                try:
                    self._writer = self._connect(_WRITER_CACHE_KIB)
                    if self._file.is_as_held():
                        self._patiently(self._prepare)
                        self._file.check()
                        return
                except BaseException:
                    self.close()
                    raise
                self._file.close()
        raise StorageReplacedError(f"{self.name} was replaced while it was being opened; open it again")

    def _connect_reader(self) -> sqlite3.Connection:
        self._file.check()  # SQLite would begin a new log where the open one is gone
        return self._connect(_READER_CACHE_KIB)

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        target = self._file.path
        if target != MEMORY:
            target = Path(target).as_uri() + ("?mode=ro" if self.read_only else "?mode=rwc")
        connection = sqlite3.connect(
            target,
            uri=self.name != MEMORY,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        self._file.connections.append(connection)
        try:
            connection.execute(f"PRAGMA cache_size = -{cache_kib:d}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
            # opens the log, so that it is the one open now that is looked at from here on
            self._patiently(lambda: connection.execute("SELECT count(*) FROM sqlite_master").fetchone())
        except BaseException:
            connection.close()
            self._file.connections.remove(connection)
            raise
        return connection

    def _prepare(self) -> None:
        connection = self._opened(self._writer)
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
        # A table that others refer to is rebuilt by dropping it. Inside a transaction this is not heeded.
        connection.execute("PRAGMA foreign_keys = OFF")
        try:
            self._migrate(connection)
        finally:
            connection.execute("PRAGMA foreign_keys = ON")

    def _migrate(self, connection: sqlite3.Connection) -> None:
        self._begin(connection, "BEGIN IMMEDIATE")
        try:
            # another process may have done it while this one waited
            schema.migrate(connection, schema.check_version(connection, self.name))
            broken = connection.execute("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise StorageCorruptError(
                    f"{self.name}: bringing it to schema version {schema.VERSION} would leave {len(broken)}"
                    f" rows that refer to none, the first in table {broken[0][0]!r}; nothing was changed."
                    " Use a backup, or export what is readable with the version that wrote it"
                )
            connection.commit()
        except BaseException:
            self._roll_back(connection)
            raise

    def _checkpoint(self, connection: sqlite3.Connection, patience: float) -> bool:
        # SQLite waits in there with writers held off, so that readers leave one by one and none begins anew
        _wait_up_to(connection, patience)
        try:
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            return False
        finally:
            _wait_up_to(connection, self._timeout)
        return not busy

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        # SQLite itself rolls back on some errors; in a fork the transaction is the parent's
        if self._owner == this_process() and connection.in_transaction:
            connection.rollback()

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
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return


def _wait_up_to(connection: sqlite3.Connection, seconds: float) -> None:
    milliseconds = int(min(max(seconds, 0.0) * 1000, 2**31 - 1))
    connection.execute(f"PRAGMA busy_timeout = {milliseconds:d}")
