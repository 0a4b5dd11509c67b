from __future__ import annotations

import gc
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from romaine.errors import (
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageLockedError,
    StorageReadOnlyError,
    StorageVersionError,
)
from romaine.memory.sqlite import schema
from romaine.memory.sqlite.database import SqliteStorage
from romaine.memory.sqlite.snapshot import SqliteSnapshot

WAIT = 20.0


@pytest.fixture
def database(path: Path) -> Iterator[SqliteStorage]:
    database = SqliteStorage(path)
    yield database
    database.close()


def keep(database: SqliteStorage, text: str) -> None:
    with database.write() as snapshot:
        snapshot.connection.execute("INSERT INTO setting VALUES (?, 'said')", (text,))


def kept(database: SqliteStorage) -> set[str]:
    with database.read() as snapshot:
        return keys(snapshot)


def keys(snapshot: SqliteSnapshot) -> set[str]:
    return {key for (key,) in snapshot.connection.execute("SELECT key FROM setting WHERE value = 'said'")}


@contextmanager
def a_reader_elsewhere(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM setting").fetchone()
    yield connection
    connection.close()


# --- reading -----------------------------------------------------------------------------------------------


def test_reads_of_several_threads_run_side_by_side(database: SqliteStorage) -> None:
    together = threading.Barrier(4)

    def read() -> set[str]:
        with database.read() as snapshot:
            together.wait(WAIT)  # passes only if all four are inside
            return keys(snapshot)

    keep(database, "text")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: read(), range(4))) == [{"text"}] * 4


def test_a_read_sees_one_state_and_so_does_a_read_inside(database: SqliteStorage) -> None:
    keep(database, "before")
    with database.read() as snapshot:
        assert keys(snapshot) == {"before"}
        keep(database, "after")
        with database.read() as inner:
            assert inner.connection is snapshot.connection
            assert keys(inner) == {"before"}
        assert keys(snapshot) == {"before"}
    assert kept(database) == {"before", "after"}


@pytest.mark.parametrize("name", ["memories.db", ":memory:"])
def test_a_read_inside_a_write(tmp_path: Path, name: str) -> None:
    database = SqliteStorage(name if name == ":memory:" else tmp_path / name)
    with database.write() as writing:
        writing.connection.execute("INSERT INTO setting VALUES ('new', 'said')")
        with database.read() as reading:
            assert (reading.connection is writing.connection) == (name == ":memory:")
            assert keys(reading) == ({"new"} if name == ":memory:" else set())
    assert kept(database) == {"new"}
    database.close()


def test_a_failed_read_gives_its_connection_back(database: SqliteStorage) -> None:
    for _ in range(40):
        with pytest.raises(StorageError, match="no such table"), database.read() as snapshot:
            snapshot.connection.execute("SELECT * FROM cellar")
    with database.read() as snapshot:
        assert keys(snapshot) == set()
    assert len(database._file.connections) == 2  # one writer, one reader


def test_many_threads_read_and_write(database: SqliteStorage) -> None:
    def work(number: int) -> None:
        for n in range(20):
            keep(database, f"{number} {n}")
            assert f"{number} {n}" in kept(database)

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(work, range(24)))
    assert len(kept(database)) == 24 * 20


# --- writing -----------------------------------------------------------------------------------------------


def test_a_write_is_undone_when_anything_is_raised(database: SqliteStorage) -> None:
    def is_stopped(by: BaseException) -> None:
        with database.write() as snapshot:
            snapshot.connection.execute("INSERT INTO setting VALUES ('lost', 'said')")
            raise by

    for error in (KeyboardInterrupt(), ValueError()):
        with pytest.raises(type(error)):
            is_stopped(error)
    keep(database, "once")
    with pytest.raises(StorageError, match="UNIQUE constraint"):
        keep(database, "once")
    assert kept(database) == {"once"}


def test_a_write_waits_no_longer_than_it_was_told(path: Path, database: SqliteStorage) -> None:
    with a_reader_elsewhere(path) as connection:
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        other = SqliteStorage(path, lock_timeout=0.2)
        start = time.monotonic()
        with pytest.raises(StorageLockedError, match="lock_timeout"):
            keep(other, "late")
        assert 0.2 <= time.monotonic() - start < WAIT
        other.close()


# --- the log -----------------------------------------------------------------------------------------------


def test_the_log_is_emptied(path: Path, database: SqliteStorage) -> None:
    keep(database, "text")
    assert Path(f"{path}-wal").stat().st_size > 0
    assert database.erase_deleted()
    assert Path(f"{path}-wal").stat().st_size == 0


def test_emptying_the_log_does_not_wait_for_a_reader_for_long(path: Path, database: SqliteStorage) -> None:
    with a_reader_elsewhere(path):
        keep(database, "text")
        start = time.monotonic()
        assert not database.erase_deleted(0.3)
        assert not database.erase_deleted(0)
        assert 0.3 <= time.monotonic() - start < WAIT  # lock_timeout is 60 s
        keep(database, "more")
    assert database.erase_deleted()


def test_emptying_the_log_waits_for_a_reader_who_leaves_in_time(path: Path, database: SqliteStorage) -> None:
    with a_reader_elsewhere(path) as connection:
        keep(database, "text")
        leaves = threading.Timer(0.3, connection.execute, ["COMMIT"])
        leaves.start()
        assert database.erase_deleted(WAIT)
        leaves.join()
    assert Path(f"{path}-wal").stat().st_size == 0


def test_emptying_the_log_waits_for_neither_a_write_nor_its_own(path: Path, database: SqliteStorage) -> None:
    with ThreadPoolExecutor(1) as pool, database.write() as snapshot:
        snapshot.connection.execute("INSERT INTO setting VALUES ('text', 'said')")
        assert not pool.submit(database.erase_deleted, 0.1).result(WAIT)
        assert not database.erase_deleted(0.1)
    other = SqliteStorage(path)
    with other.write():
        assert not database.erase_deleted(0.1)
    other.close()
    assert database.erase_deleted()


# --- closing -----------------------------------------------------------------------------------------------


def test_closing_waits_for_reads_and_writes(path: Path) -> None:
    database = SqliteStorage(path)
    inside, go_on = threading.Semaphore(0), threading.Event()

    def read() -> set[str]:
        with database.read() as snapshot:
            seen = keys(snapshot)  # the first question takes the state
            inside.release()
            assert go_on.wait(WAIT)
            assert keys(snapshot) == seen
            return seen

    def write() -> None:
        with database.write() as snapshot:
            inside.release()
            assert go_on.wait(WAIT)
            snapshot.connection.execute("INSERT INTO setting VALUES ('text', 'said')")

    with ThreadPoolExecutor(4) as pool:
        reads, wrote = [pool.submit(read) for _ in range(2)], pool.submit(write)
        for _ in range(3):
            assert inside.acquire(timeout=WAIT)
        closing = pool.submit(database.close)
        time.sleep(0.1)
        assert not closing.done()
        go_on.set()
        assert [found.result(WAIT) for found in reads] == [set()] * 2
        wrote.result(WAIT)
        closing.result(WAIT)
    for use in (lambda: kept(database), lambda: keep(database, "late"), database.erase_deleted):
        with pytest.raises(StorageClosedError, match="has been closed"):
            use()
    assert not Path(f"{path}-wal").exists()
    assert sorted(path.parent.iterdir()) == [path]


def test_a_write_inside_a_read_that_is_being_closed_on_does_not_hang(path: Path) -> None:
    database = SqliteStorage(path)
    inside = threading.Event()

    def work() -> None:
        with database.read():
            inside.set()
            time.sleep(0.2)
            keep(database, "late")

    with ThreadPoolExecutor(2) as pool:
        working = pool.submit(work)
        assert inside.wait(WAIT)
        pool.submit(database.close).result(WAIT)
        with pytest.raises(StorageClosedError):
            working.result(WAIT)


@pytest.mark.parametrize("name", ["memories.db", ":memory:"])
def test_closing_inside_ones_own_read_or_write(tmp_path: Path, name: str) -> None:
    name = name if name == ":memory:" else str(tmp_path / name)
    for use in ("read", "write"):
        database = SqliteStorage(name)
        with pytest.raises(StorageClosedError, match="closed"), getattr(database, use)():
            database.close()
        database.close()


def test_a_memory_that_is_dropped_is_closed(path: Path) -> None:
    database = SqliteStorage(path)
    keep(database, "text")
    assert Path(f"{path}-wal").exists()
    gc.disable()  # no cycle keeps it: the last reference is enough
    try:
        del database
        assert not Path(f"{path}-wal").exists()  # whoever closes last takes the log away
    finally:
        gc.enable()


# --- opening -----------------------------------------------------------------------------------------------

SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n"
)


def _newer_schema() -> None:
    """A step after the last one that cannot be done twice and takes a while."""
    schema.MIGRATIONS = _with_step(SLOW, "CREATE TABLE step (no)", "INSERT INTO step VALUES (1)")
    schema.VERSION += 1


def _with_step(*statements: str) -> dict[int, tuple[int, Callable[[sqlite3.Connection], None]]]:
    def step(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return {**schema.MIGRATIONS, schema.VERSION: (schema.VERSION + 1, step)}


def _open_with_newer_schema(path: Path, start: object, queue: multiprocessing.Queue) -> None:
    _newer_schema()
    start.wait(WAIT)
    try:
        database = SqliteStorage(path)
        with database.read() as snapshot:
            found = snapshot.connection.execute("SELECT count(*) FROM step").fetchone()[0], keys(snapshot)
        database.close()
        queue.put(found)
    except BaseException as error:
        queue.put(repr(error))


def test_of_processes_that_open_an_old_file_one_migrates_it(path: Path) -> None:
    database = SqliteStorage(path)
    keep(database, "old")
    database.close()
    context = multiprocessing.get_context("spawn")
    start, queue = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_open_with_newer_schema, args=(path, start, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [queue.get(timeout=60) for _ in processes] == [(1, {"old"})] * 3
    for process in processes:
        process.join()
    before = path.read_bytes()
    with pytest.raises(StorageVersionError, match="install a newer"):
        SqliteStorage(path)
    assert path.read_bytes() == before


@contextmanager
def one_more_step(*statements: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", _with_step(*statements))
        patch.setattr(schema, "VERSION", schema.VERSION + 1)
        yield


@pytest.fixture
def family(path: Path) -> Path:
    """A file with a table that another refers to, the way an old version may have left it."""
    database = SqliteStorage(path)
    with database.write() as snapshot:
        snapshot.connection.execute("CREATE TABLE parent (no INTEGER PRIMARY KEY, name)")
        snapshot.connection.execute(
            "CREATE TABLE child (no INTEGER PRIMARY KEY, parent NOT NULL REFERENCES parent ON DELETE CASCADE)"
        )
        snapshot.connection.execute("INSERT INTO parent VALUES (1, 'ana'), (2, 'ben')")
        snapshot.connection.execute("INSERT INTO child VALUES (10, 1), (20, 2)")
    database.close()
    return path


REBUILT = (
    "CREATE TABLE new_parent (no INTEGER PRIMARY KEY, name NOT NULL)",
    "INSERT INTO new_parent SELECT * FROM parent",
    "DROP TABLE parent",
    "ALTER TABLE new_parent RENAME TO parent",
)


def test_a_table_that_others_refer_to_can_be_rebuilt(family: Path) -> None:
    with one_more_step(*REBUILT):
        database = SqliteStorage(family)
    with database.read() as snapshot:
        assert snapshot.connection.execute("SELECT no FROM child").fetchall() == [(10,), (20,)]
        assert snapshot.connection.execute("SELECT name FROM parent").fetchall() == [("ana",), ("ben",)]
    with pytest.raises(StorageError, match="FOREIGN KEY"), database.write() as snapshot:
        snapshot.connection.execute("INSERT INTO child VALUES (30, 3)")  # heeded again
    database.close()


def test_a_step_that_leaves_rows_without_their_parent_is_undone(family: Path) -> None:
    with (
        one_more_step("DELETE FROM parent WHERE no = 2"),
        pytest.raises(StorageCorruptError, match=r"1 rows that refer to none, the first in .*'child'"),
    ):
        SqliteStorage(family)
    database = SqliteStorage(family)
    with database.read() as snapshot:
        assert snapshot.connection.execute("SELECT count(*) FROM parent").fetchone() == (2,)
    database.close()


def test_a_failed_step_leaves_the_file_as_it_was(family: Path) -> None:
    with one_more_step(*REBUILT, "SELECT * FROM cellar"), pytest.raises(StorageError, match="no such table"):
        SqliteStorage(family)
    database = SqliteStorage(family)
    with database.read() as snapshot:
        assert snapshot.connection.execute("SELECT name FROM parent").fetchall() == [("ana",), ("ben",)]
    database.close()


def test_an_old_file_is_not_migrated_by_a_reader(family: Path) -> None:
    with one_more_step(*REBUILT), pytest.raises(StorageReadOnlyError, match="newer schema"):
        SqliteStorage(family, read_only=True)


def test_nothing_is_created_where_nothing_may_be(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not there"):
        SqliteStorage(tmp_path / "missing.db", read_only=True)
    with pytest.raises(StorageError, match="cannot be opened"):
        SqliteStorage(tmp_path / "no" / "folder.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_brought_to_another_schema_is_refused(path: Path, database: SqliteStorage) -> None:
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    newer.close()
    for use in (lambda: kept(database), lambda: keep(database, "late")):
        with pytest.raises(StorageVersionError, match="while it was open, by another romaine"):
            use()
