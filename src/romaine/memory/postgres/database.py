"""`PostgresStorage`: one schema of a database; its connections, transactions, and what becomes of lost ones.

Nothing is kept in a connection from one transaction to the next, and nothing is prepared unless asked for, so
that a pooler such as PgBouncer may share connections between transactions.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types import TypeInfo
from psycopg_pool import ConnectionPool

from romaine.errors import StorageError, StorageForkedError, StorageReadOnlyError, StorageUnsureError
from romaine.memory.codec import VectorFormat
from romaine.memory.postgres import large_build, large_schema, schema
from romaine.memory.postgres.address import Address
from romaine.memory.postgres.errors import closed, in_words, is_lost
from romaine.memory.postgres.rows import HalfVector, PackedDumper, TermsLoader
from romaine.memory.postgres.session import BoundSession, opening
from romaine.memory.postgres.snapshot import PostgresSnapshot
from romaine.memory.postgres.transaction import PostgresTransaction
from romaine.memory.storage import Progress, Storage

_REACH_SECONDS = 10.0  # that a server may be away, to be restarted say, before those who need it are told
_ATTEMPTS = 5  # a connection that lay idle, one that each of the pool's three threads was making, a new one
_PREPARED_AFTER = 3  # executions of a statement

_INTEGERS = psycopg.adapters.types["int4"].array_oid

Connection = psycopg.Connection[Any]


class PostgresStorage(Storage):
    """A memory in a schema of a Postgres database. Safe to call from many threads, and from many workers.

    Args:
        url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with what libpq takes after ``?``, and of ours:
            ``schema`` (romaine), ``role`` that transactions take (the one that logs in), ``pool`` (16)
            connections at most, ``prepare=on`` for statements prepared on the server.
        lock_timeout: Seconds to wait for others.
        read_only: Never write.
    """

    keeps_deleted = False

    def __init__(self, url: str, *, lock_timeout: float = 60.0, read_only: bool = False) -> None:
        self._address = Address.parse(url)
        self.name = self._address.shown
        self.read_only = read_only
        self._timeout = lock_timeout
        self._owner = os.getpid()
        self._reading = threading.local()
        self._changed = threading.Condition()
        self._active = 0
        self._is_closed = False
        with in_words(self._address), _connected(self._address) as connection:
            self._binding = schema.prepare(connection, self._address, read_only=read_only)
        self._pool = ConnectionPool(
            kwargs=_how(self._address),
            min_size=0,
            max_size=self._address.pool,
            timeout=min(lock_timeout, _REACH_SECONDS),
            configure=self._configure,
            name="romaine",
            open=True,
        )

    # --- transactions --------------------------------------------------------------------------------------

    @contextmanager
    def read(self, *users: str) -> Iterator[PostgresSnapshot]:
        """As `Storage.read`."""
        self.check_process()
        own: BoundSession | None = getattr(self._reading, "session", None)
        if own is not None:
            with in_words(self._address), _bound(own, users):
                yield PostgresSnapshot(own, users)
            return
        with in_words(self._address), self._session(users, writes=False) as session:
            self._reading.session = session
            try:
                yield PostgresSnapshot(session, users)
            finally:
                self._reading.session = None

    @contextmanager
    def write(self, *users: str) -> Iterator[PostgresTransaction]:
        """As `Storage.write`.

        Raises:
            StorageBusyError: If others were in the way; it may be done again.
            StorageUnsureError: If the connection broke while it was being kept.
            StorageError: As its other subclasses say.
        """
        self.check_process()
        if self.read_only:
            raise StorageReadOnlyError(
                f"{self.name} was opened with read_only=True; open it without to write"
            )
        with in_words(self._address), self._session(users, writes=True) as session:
            yield PostgresTransaction(session, users)
            self.check_process()  # the block may have forked; the transaction is the parent's to commit
            self._commit(session.connection)

    @contextmanager
    def claimed(self, share: int) -> Iterator[bool]:
        """As `Storage.claimed`: a lock of a transaction of its own, which ends with its connection."""
        self.check_process()
        with in_words(self._address), self._session((), writes=False) as session:
            session.do("COMMIT")
            session.do("BEGIN ISOLATION LEVEL READ COMMITTED")  # keeps no old state alive while it lasts
            row = session.one(
                "SELECT pg_try_advisory_xact_lock(hashtext(%s), %s::integer)", (self._address.schema, share)
            )
            yield row is not None and bool(row[0])

    def index_large(self, rows: int, dim: int, progress: Progress | None = None) -> int:
        """As `Storage.index_large`, by tables and indexes of pgvector that writes keep from then on.

        Raises:
            StorageError: If pgvector is not there, or the login may not make tables.
        """
        with self.read() as snapshot:
            vector_format = snapshot.vector_format
        with in_words(self._address), _connected(self._address) as connection:
            large_schema.prepare(connection, self._address, vector_format, dim, self._binding.role)
            with self.write() as transaction:
                users = large_build.users_to_index(transaction, rows)
                is_empty = large_build.is_empty(transaction)
            if users:
                large_schema.free_index(connection, self._address, is_empty=is_empty)
            done, total = 0, sum(users.values())

            def tell(more: int) -> None:
                nonlocal done
                done += more
                if progress is not None:
                    progress(done, max(done, total))

            for user in users:
                large_build.fill(self.write, user, tell)
            large_schema.make_index(connection, self._address)
            with self.write() as transaction:
                large_build.finish(transaction, list(users), rows)
        return done

    def erase_deleted(self, patience: float) -> bool:  # noqa: ARG002 - nothing is waited for
        """Nothing: what was deleted is read by nobody, and its bytes are the server's to reuse (`VACUUM`)."""
        self.check_process()
        return True

    def close(self) -> None:
        """As `Storage.close`; in a forked child, nothing: the connections are the parent's."""
        if self._owner != os.getpid():
            return
        own = getattr(self._reading, "session", None) is not None
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._active <= own)
        self._pool.close()

    def check_process(self) -> None:
        """As `Storage.check_process`: two processes cannot speak on one connection."""
        if self._owner != os.getpid():
            raise StorageForkedError(
                f"{self.name} was opened before this process was forked and must not be used here: a"
                ' connection is of one process. Start the process with multiprocessing\'s "spawn" or'
                ' "forkserver", open the memory in each process only after the fork, or close it before'
            )

    def owns(self, path: Path) -> bool:  # noqa: ARG002
        """No file here is its own."""
        return False

    # --- inside --------------------------------------------------------------------------------------------

    def _configure(self, connection: Connection) -> None:
        connection.adapters.register_loader(_INTEGERS, TermsLoader)
        if self._binding.halfvec is not None:
            TypeInfo("halfvec", *self._binding.halfvec).register(connection)
            dumper = type("HalfVectorDumper", (PackedDumper,), {"oid": self._binding.halfvec[0]})
            connection.adapters.register_dumper(HalfVector, dumper)

    @property
    def vector_formats(self) -> frozenset[VectorFormat]:  # type: ignore[override]
        """As `Storage.vector_formats`; halfvec only where pgvector is."""
        missing = {VectorFormat.HALFVEC} if self._binding.halfvec is None else set()
        return frozenset(VectorFormat) - missing

    @contextmanager
    def _session(self, users: tuple[str, ...], *, writes: bool) -> Iterator[BoundSession]:
        with self._changed:
            if self._is_closed:
                raise closed(self._address)
            self._active += 1
        try:
            session = self._begun(users, writes=writes)
            try:
                yield session
            finally:
                if self._owner == os.getpid():  # in a fork, all of it is the parent's
                    _end(session.connection)
                    self._pool.putconn(session.connection)
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def _begun(self, users: tuple[str, ...], *, writes: bool) -> BoundSession:
        """A transaction that has begun. Connections that were lost while nobody used them are replaced."""
        begin = opening(self._binding, users, writes=writes, lock_timeout=self._timeout)
        for attempt in range(1, _ATTEMPTS + 1):
            connection = self._pool.getconn()
            try:
                return BoundSession(connection, self._address, users, begin)
            except BaseException as error:
                _end(connection)
                self._pool.putconn(connection)
                if attempt == _ATTEMPTS or not (isinstance(error, psycopg.Error) and is_lost(error)):
                    raise
                self._pool.check()  # those beside it will be lost as well
        raise AssertionError("unreachable")

    def _commit(self, connection: Connection) -> None:
        try:
            done = connection.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            if is_lost(error):
                raise StorageUnsureError(
                    f"{self.name}: the connection broke while a write was being kept, so that either all of"
                    " it is there or nothing; look before you write it again"
                ) from None
            raise
        if (
            done != "COMMIT"
        ):  # what failed before was caught inside the block, and is not undone by that alone
            raise StorageError(f"{self.name}: a part of the write failed; all of it was undone")


@contextmanager
def _bound(session: BoundSession, users: tuple[str, ...]) -> Iterator[None]:
    """A read inside another one: the same state, for other users if it names others."""
    before = session.users
    if before == frozenset(users):
        yield
        return
    session.bind(users)
    try:
        yield
    finally:
        session.bind(before)


def exists(url: str) -> bool:
    """Whether there is a memory where a URL points to.

    Raises:
        StorageError: As its subclasses say.
    """
    address = Address.parse(url)
    with in_words(address), _connected(address) as connection:
        return schema.exists(connection, address)


def _how(address: Address) -> dict[str, Any]:
    return {
        **address.conninfo,
        "autocommit": True,  # what begins and ends is said
        "prepare_threshold": _PREPARED_AFTER if address.prepare else None,
    }


@contextmanager
def _connected(address: Address) -> Iterator[Connection]:
    with psycopg.connect(**_how(address)) as connection:
        yield connection


def _end(connection: Connection) -> None:
    """Undoes what is under way. A connection that is lost is found out by the pool."""
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()
