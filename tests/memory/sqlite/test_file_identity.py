"""Real forks, and files that go away while they are open."""

from __future__ import annotations

import gc
import multiprocessing
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from romaine.errors import StorageError, StorageForkedError, StorageReplacedError
from romaine.memory.sqlite.database import SqliteStorage

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]

PATIENCE = 20.0  # seconds until a child counts as hanging


def in_child(action: Callable[[], object]) -> str:
    """What an action gives or raises in a forked child."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            told = repr(action())
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], PATIENCE)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    told = os.read(reading, 65536).decode() if ready else "hangs"
    os.close(reading)
    os.waitpid(pid, 0)
    return told


def keep(database: SqliteStorage, text: str) -> None:
    with database.write() as snapshot:
        snapshot.connection.execute("INSERT INTO setting VALUES (?, 'said')", (text,))


def kept(database: SqliteStorage) -> set[str]:
    with database.read() as snapshot:
        return {key for (key,) in snapshot.connection.execute("SELECT key FROM setting WHERE value = 'said'")}


def open_and_keep(path: Path, *texts: str) -> set[str]:
    database = SqliteStorage(path)
    for text in texts:
        keep(database, text)
    return kept(database)


@contextmanager
def opened(path: Path | str, **options: object) -> Iterator[SqliteStorage]:
    database = SqliteStorage(path, **options)
    try:
        yield database
    finally:
        database.close()


# --- forks -------------------------------------------------------------------------------------------------


def test_a_child_may_not_open_what_its_parent_has_open(path: Path) -> None:
    with opened(path) as database:
        keep(database, "parent")
        told = in_child(lambda: open_and_keep(path, *map(str, range(100))))
    assert told.startswith("StorageForkedError")
    assert '"spawn"' in told
    with opened(path) as database:
        assert kept(database) == {"parent"}


def test_another_name_of_the_file_is_the_same_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path):
        link, hard = path.with_name("link.db"), path.with_name("hard.db")
        link.symlink_to(path)
        hard.hardlink_to(path)
        monkeypatch.chdir(path.parent)
        for name in (link, hard, path.name, f"{path.parent}/../{path.parent.name}/{path.name}"):
            assert in_child(lambda name=name: SqliteStorage(name)).startswith("StorageForkedError"), name
        other = in_child(lambda: open_and_keep(path.with_name("other.db"), "child"))
    assert other == "{'child'}"


def test_what_was_closed_before_the_fork_may_be_opened(path: Path) -> None:
    with opened(path) as database:
        keep(database, "parent")
    texts = set(map(str, range(100)))
    assert eval(in_child(lambda: open_and_keep(path, *texts))) == texts | {"parent"}
    with opened(path) as database:
        assert kept(database) == texts | {"parent"}


def test_a_failed_opening_holds_nothing(path: Path) -> None:
    path.write_text("Dear diary, today we found the silver key. " * 50)
    with pytest.raises(StorageError, match="not a SQLite file"):
        SqliteStorage(path)
    path.unlink()
    assert in_child(lambda: open_and_keep(path, "child")) == "{'child'}"


@pytest.mark.parametrize("name", ["memories.db", ":memory:"])
def test_an_inherited_memory_is_refused(tmp_path: Path, name: str) -> None:
    with opened(name if name == ":memory:" else tmp_path / name) as database:
        for use in (lambda: kept(database), lambda: keep(database, "child"), database.erase_deleted):
            told = in_child(use)
            assert told.startswith("StorageForkedError")
            assert "in each process" in told
        assert in_child(database.close) == "None"
        assert in_child(lambda: (database.close(), kept(database))).startswith("StorageForkedError")
        keep(database, "parent")
        assert kept(database) == {"parent"}


def test_a_childs_child_is_refused_too(path: Path) -> None:
    with opened(path) as database:
        told = in_child(lambda: in_child(lambda: SqliteStorage(path)))
        assert "StorageForkedError" in told
        told = in_child(lambda: in_child(lambda: kept(database)))
        assert "StorageForkedError" in told
        own = path.with_name("own.db")

        def opens_and_forks() -> tuple[int, set[str]]:
            mine = SqliteStorage(own)
            keep(mine, "child")
            refused = in_child(lambda: kept(mine)) + in_child(lambda: SqliteStorage(own))
            return refused.count("StorageForkedError"), kept(mine)

        assert in_child(opens_and_forks) == "(2, {'child'})"


def test_a_fork_inside_a_write_leaves_it_to_the_parent(path: Path) -> None:
    with opened(path) as database:
        child = 1
        reading, writing = os.pipe()
        try:
            with database.write() as snapshot:
                snapshot.connection.execute("INSERT INTO setting VALUES ('parent', 'said')")
                with database.read():
                    child = os.fork()
        except StorageForkedError as error:
            os.write(writing, str(error).encode())
        finally:
            if child == 0:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        assert "forked" in os.read(reading, 4096).decode()
        os.close(reading)
        keep(database, "later")
        assert kept(database) == {"parent", "later"}


def work(database: SqliteStorage, stop: threading.Event, number: int) -> None:
    count = 0
    while not stop.is_set():
        keep(database, f"{number}-{count}")
        kept(database)
        database.erase_deleted(0)
        count += 1


def test_a_fork_while_threads_work_never_hangs(path: Path) -> None:
    stop = threading.Event()
    with opened(path) as database:
        threads = [threading.Thread(target=work, args=(database, stop, n)) for n in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(12):
                for use in (
                    lambda: kept(database),
                    lambda: keep(database, "child"),
                    database.erase_deleted,
                    lambda: SqliteStorage(path),
                ):
                    assert in_child(use).startswith("StorageForkedError")
                assert in_child(lambda: (database.close(), gc.collect())[0]) == "None"
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        with database.read() as snapshot:
            assert snapshot.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert "child" not in kept(database)


def _uses(database: SqliteStorage, path: Path, queue: multiprocessing.SimpleQueue) -> None:
    for use in (lambda: kept(database), lambda: SqliteStorage(path)):
        try:
            use()
        except StorageError as error:
            queue.put(type(error).__name__)


def test_processes_of_multiprocessing_that_fork(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    with opened(path) as database:
        for _ in range(3):
            process = context.Process(target=_uses, args=(database, path, queue))
            process.start()
            process.join(PATIENCE)
            assert process.exitcode == 0
            assert [queue.get(), queue.get()] == ["StorageForkedError"] * 2
        keep(database, "parent")
    queue.close()


FORKS_AND_ENDS = textwrap.dedent(
    """
    import gc, os, sys
    from romaine.memory.sqlite.database import SqliteStorage

    database = SqliteStorage(sys.argv[1])
    with database.write() as snapshot:
        # what does not fit goes into the log before the commit
        snapshot.connection.execute("PRAGMA cache_size = 1")
        for n in range(400):
            snapshot.connection.execute("INSERT INTO setting VALUES (?, 'said')", (f"{n:04}" + "x" * 9000,))
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            del snapshot
            gc.collect()
            raise SystemExit(0)  # leaves the block, and takes the interpreter down
        os.waitpid(child, 0)
    with database.read() as snapshot:
        count = snapshot.connection.execute("SELECT count(*) FROM setting WHERE value = 'said'")
        assert count.fetchone() == (400,)
        assert snapshot.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    print("sound")
    """
)


def test_the_end_of_a_child_leaves_its_parents_write_alone(path: Path) -> None:
    script = [sys.executable, "-c", FORKS_AND_ENDS, str(path)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert done.stdout == "sound\n", done.stderr
    with opened(path) as database:
        assert len(kept(database)) == 400


# --- files that go away ------------------------------------------------------------------------------------


def delete(name: Path) -> None:
    name.unlink()


def replace(name: Path) -> None:
    shutil.copy(name, name.with_name("copy"))
    name.with_name("copy").rename(name)


@pytest.mark.parametrize("harm", [delete, replace])
@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_file_that_went_away_is_told(path: Path, suffix: str, harm: Callable[[Path], None]) -> None:
    with opened(path) as database:
        keep(database, "before")
        harm(Path(f"{path}{suffix}"))
        for use in (lambda: kept(database), lambda: keep(database, "lost"), database.erase_deleted):
            with pytest.raises(StorageReplacedError, match="open it again") as caught:
                use()
            assert f"{path}{suffix} was {harm.__name__}" in str(caught.value)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_write_is_not_acknowledged_when_its_file_went_away_meanwhile(path: Path, suffix: str) -> None:
    def write() -> None:
        with database.write() as snapshot:
            snapshot.connection.execute("INSERT INTO setting VALUES ('lost', 'said')")
            Path(f"{path}{suffix}").unlink()

    with opened(path) as database:
        keep(database, "before")
        with pytest.raises(StorageReplacedError, match="the last write too"):
            write()


def test_a_reader_that_is_opened_late_believes_no_other_file(path: Path) -> None:
    with opened(path) as database:
        with opened(path.with_name("other.db")) as other:
            keep(other, "other")
        path.with_name("other.db").replace(path)
        with pytest.raises(StorageReplacedError):
            kept(database)


def test_a_deleted_log_is_saved_by_closing(path: Path) -> None:
    with opened(path) as database:
        keep(database, "before")
        Path(f"{path}-wal").unlink()
        with pytest.raises(StorageReplacedError, match="deleted"):
            kept(database)
    with opened(path) as database:
        assert kept(database) == {"before"}
        keep(database, "after")
        assert kept(database) == {"before", "after"}


def test_a_file_that_was_moved_takes_its_log_along(path: Path) -> None:
    with opened(path) as database:
        keep(database, "before")
        path.rename(path.with_name("moved.db"))
    with opened(path.with_name("moved.db")) as database:
        assert kept(database) == {"before"}
    assert not Path(f"{path}-wal").exists() or not Path(f"{path}-wal").stat().st_size


def test_a_backup_put_in_place_of_an_open_file_is_not_mixed_with_it(path: Path) -> None:
    with opened(path) as database:
        keep(database, "in both")
    shutil.copy(path, path.with_name("backup.db"))
    with opened(path) as database:
        keep(database, "in the old one")
        path.with_name("backup.db").rename(path)
        with pytest.raises(StorageReplacedError, match="replaced"):
            keep(database, "lost")
    with opened(path) as database:
        assert kept(database) == {"in both"}
        keep(database, "after")
        assert kept(database) == {"in both", "after"}


def test_a_deleted_log_is_not_opened_anew_beside_the_old_one(path: Path) -> None:
    with opened(path) as database:
        keep(database, "before")
        Path(f"{path}-wal").unlink()
        with pytest.raises(StorageReplacedError, match="Close the other first"):
            SqliteStorage(path)
    with opened(path) as database:
        assert kept(database) == {"before"}


def test_a_hard_link_would_have_another_log(path: Path) -> None:
    with opened(path) as database:
        keep(database, "before")
        path.with_name("hard.db").hardlink_to(path)
        with pytest.raises(StorageReplacedError, match="two names"):
            SqliteStorage(path.with_name("hard.db"))
        keep(database, "after")
        assert kept(database) == {"before", "after"}


OTHER = textwrap.dedent(
    """
    import sys
    from romaine.memory.sqlite.database import SqliteStorage

    database = SqliteStorage(sys.argv[1])
    for text in sys.stdin:
        with database.write() as snapshot:
            snapshot.connection.execute("INSERT INTO setting VALUES (?, 'said')", (text.strip(),))
        print("kept", flush=True)
    if sys.argv[2] == "close":
        database.close()
    """
)


@contextmanager
def another_process(path: Path, ending: str = "close") -> Iterator[Callable[[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path), ending],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def tell(text: str) -> str:
        process.stdin.write(f"{text}\n")
        process.stdin.flush()
        return process.stdout.readline()

    try:
        yield tell
        if ending == "kill":
            process.kill()
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()


def test_closing_never_deletes_the_log_of_those_who_came_after(path: Path) -> None:
    database = SqliteStorage(path)
    keep(database, "before")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()
    with another_process(path) as tell:
        assert tell("theirs") == "kept\n"
        log = Path(f"{path}-wal").stat()
        database.close()
        assert Path(f"{path}-wal").stat().st_ino == log.st_ino
        assert tell("more of theirs") == "kept\n"
    with opened(path) as database:
        assert kept(database) == {"theirs", "more of theirs"}


def test_a_file_whose_log_is_anothers_is_not_opened_again_here(path: Path) -> None:
    # in a process of its own: what must not be closed stays open to its end
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from romaine.errors import StorageReplacedError
        from romaine.memory.sqlite.database import SqliteStorage

        path = sys.argv[1]
        database = SqliteStorage(path)
        for suffix in ("-wal", "-shm"):
            Path(path + suffix).unlink()
            Path(path + suffix).touch()
        database.close()
        assert Path(path + "-wal").exists()
        try:
            SqliteStorage(path)
        except StorageReplacedError as error:
            print("start this process anew" in str(error))
        """
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert run.stdout == "True\n", run.stderr
    assert Path(f"{path}-wal").exists()


@pytest.mark.parametrize("ending", ["close", "kill"])
def test_what_sqlite_does_itself_is_no_replacement(path: Path, ending: str) -> None:
    with opened(path) as database:
        with another_process(path, ending) as tell:
            for n in range(3):
                assert tell(f"theirs {n}") == "kept\n"
                keep(database, f"ours {n}")
                assert database.erase_deleted()
        everything = {f"{whose} {n}" for whose in ("ours", "theirs") for n in range(3)}
        assert kept(database) == everything
        connection = sqlite3.connect(path)
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        keep(database, "last")
        assert kept(database) == everything | {"last"}


def test_a_log_left_by_a_killed_process_is_taken_over(path: Path) -> None:
    with another_process(path, "kill") as tell:
        tell("theirs")
    assert Path(f"{path}-wal").stat().st_size
    with opened(path) as database:
        assert kept(database) == {"theirs"}
        keep(database, "ours")
        assert kept(database) == {"theirs", "ours"}


def test_read_only_files_and_memories_in_ram_have_no_log_to_lose(path: Path) -> None:
    with opened(path) as database:
        keep(database, "before")
    with opened(path, read_only=True) as database, another_process(path) as tell:
        assert kept(database) == {"before"}
        tell("theirs")
        assert kept(database) == {"before", "theirs"}
    with opened(":memory:") as database:
        keep(database, "in RAM")
        assert kept(database) == {"in RAM"}
        assert database.erase_deleted()


def test_a_memory_that_was_dropped_may_be_opened_after_a_fork(path: Path) -> None:
    database = SqliteStorage(path)
    keep(database, "parent")
    del database
    assert eval(in_child(lambda: open_and_keep(path, "child"))) == {"parent", "child"}
