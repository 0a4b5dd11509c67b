"""Waiting for others, losing connections, and what callers are told."""

from __future__ import annotations

import logging
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from romaine.embedder import Embedder
from romaine.errors import (
    MissingExtraError,
    StorageBusyError,
    StorageClosedError,
    StorageError,
    StorageForkedError,
    StorageFullError,
    StorageLockedError,
    StorageUnreachableError,
    StorageUnsureError,
)
from romaine.memory import RoleplayMemory, Scope, reembed
from romaine.memory.postgres import PostgresStorage
from romaine.memory.store import open_storage
from tests import postgres
from tests.contracts.test_storage_contract import BO, add, segment, stored, texts, turn
from tests.memory.conftest import CHAT
from tests.memory.postgres.proxy import Wire

WAIT = 20.0


def held(storage: PostgresStorage, user: str = "ana") -> list[str]:
    with storage.read(user) as snapshot:
        return sorted(row.memory.text for row in snapshot.rows(None))


def lose_all(path: Path) -> None:
    """Ends every connection to a schema."""
    query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{}'"
    postgres.execute(path, query.format(postgres.schema_for(path)))


# --- waiting -----------------------------------------------------------------------------------------------


def test_no_write_of_one_user_waits_for_anothers(storage: PostgresStorage) -> None:
    add(storage, turn("for Bo", 0, BO))
    with ThreadPoolExecutor(1) as pool, storage.write("ana") as change:
        stored(change, turn("one"))

        def write() -> None:
            with storage.write("bo") as other:
                stored(other, turn("two", 1, BO))

        pool.submit(write).result(WAIT)
        assert held(storage, "bo") == ["for Bo", "two"]
    assert held(storage) == ["one"]


@pytest.mark.parametrize("users", [("ana",), ("ana", "bo"), ()])
def test_who_has_to_wait_too_long_is_told(url: str, users: tuple[str, ...]) -> None:
    storage, impatient = PostgresStorage(url), PostgresStorage(url, lock_timeout=0.2)
    add(storage, turn("one"))
    with storage.write("ana") as change:
        stored(change, turn("two", 1))
        with pytest.raises(StorageLockedError, match="lock_timeout"), impatient.write(*users):
            pass
        assert held(impatient) == ["one"]
    with impatient.write(*users):
        pass
    for each in (storage, impatient):
        each.close()


def test_one_for_everybody_holds_off_all_others_but_no_reader(url: str) -> None:
    storage, impatient = PostgresStorage(url), PostgresStorage(url, lock_timeout=0.2)
    with storage.write() as change:
        stored(change, turn("one"))
        assert held(impatient) == []
        for users in (("cy",), ()):
            with pytest.raises(StorageLockedError), impatient.write(*users):
                pass
    for each in (storage, impatient):
        each.close()


def test_writes_for_several_users_never_meet_crosswise(storage: PostgresStorage) -> None:
    def write(number: int) -> None:
        with storage.write(*(("ana", "bo") if number % 2 else ("bo", "ana"))) as change:
            stored(change, turn(f"{number}", number), turn(f"{number}", number, BO))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(24)))
    assert len(held(storage)) == len(held(storage, "bo")) == 24


def undo_some(path: Path, times: int) -> None:
    """Has the server undo the next writes for the sake of others, as it does with a deadlock."""
    postgres.execute(
        path,
        "CREATE SEQUENCE undone",
        "GRANT USAGE ON SEQUENCE undone TO PUBLIC",
        f"""CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('undone') <= {times} THEN RAISE EXCEPTION 'crosswise' USING ERRCODE = '40P01'; END IF;
            RETURN NEW; END $$""",
        "CREATE TRIGGER undo BEFORE INSERT ON memory EXECUTE FUNCTION undo()",
    )


def test_what_a_server_undid_for_others_is_done_again(
    url: str, path: Path, gem: Embedder, scope: Scope
) -> None:
    with RoleplayMemory(url, embedder=gem) as memory:
        undo_some(path, 2)
        memory.add_turns(scope, CHAT)
        assert [each.text for each in memory.list(scope)] == [said.text for said in CHAT]


def test_and_given_up_at_some_point(url: str, path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(url, embedder=gem) as memory:
        undo_some(path, 99)
        with pytest.raises(StorageBusyError, match="again and again"):
            memory.add_turns(scope, CHAT)
        assert memory.list(scope) == []


def test_a_full_disk_is_told_and_nothing_is_half_done(
    url: str, path: Path, gem: Embedder, scope: Scope
) -> None:
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.add_turns(scope, CHAT[:1])
        postgres.execute(
            path,
            """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$""",
            "CREATE TRIGGER full_disk BEFORE INSERT ON vector EXECUTE FUNCTION full_disk()",
        )
        with pytest.raises(StorageFullError, match="Make room"):
            memory.add_turns(scope, CHAT[1:])
        postgres.execute(path, "DROP TRIGGER full_disk ON vector")
        assert [each.text for each in memory.list(scope)] == [CHAT[0].text]
        memory.add_turns(scope, CHAT[1:])
        assert memory.verify().is_sound


def test_a_failure_that_was_caught_inside_keeps_nothing(storage: PostgresStorage) -> None:

    def write() -> None:
        with storage.write("ana") as change:
            stored(change, turn("one"))
            with pytest.raises(psycopg.Error, match="zero"):
                change.session.one("SELECT 1 / 0")

    with pytest.raises(StorageError, match="all of it was undone"):
        write()
    assert held(storage) == []


# --- losing connections ------------------------------------------------------------------------------------


def test_connections_lost_meanwhile_are_replaced(storage: PostgresStorage, path: Path) -> None:
    add(storage, turn("one"))
    together = threading.Barrier(4)

    def read(_: int) -> list[str]:
        with storage.read("ana") as snapshot:
            together.wait(WAIT)
            return texts(snapshot.rows(segment(snapshot)))

    with ThreadPoolExecutor(4) as pool:  # four connections, all of them to be lost
        list(pool.map(read, range(4)))
    for use in (lambda: held(storage), lambda: add(storage, turn("two", 1)), lambda: held(storage)):
        lose_all(path)
        use()
    assert held(storage) == ["one", "two"]


def test_a_connection_lost_inside_is_told_and_undoes_the_write(storage: PostgresStorage, path: Path) -> None:
    add(storage, turn("one"))

    def write() -> None:
        with storage.write("ana") as change:
            stored(change, turn("two", 1))
            lose_all(path)
            change.space("ana", "elsewhere")

    def read() -> None:
        with storage.read("ana") as snapshot:
            lose_all(path)
            list(snapshot.rows(None))

    for use in (write, read):
        with pytest.raises(StorageUnreachableError, match=r"undone\. Retry"):
            use()
    assert held(storage) == ["one"]
    add(storage, turn("three", 2))
    assert held(storage) == ["one", "three"]


@contextmanager
def wired(url: str) -> Iterator[tuple[Wire, str]]:
    with tempfile.TemporaryDirectory() as folder:  # a socket's name must be short
        wire = Wire(Path(folder))
        head, _, query = url.partition("?")
        rest = [each for each in query.split("&") if not each.startswith(("host=", "port="))]
        yield wire, f"{head}?host={folder}&" + "&".join(rest)
        wire.close()


def test_a_write_that_may_or_may_not_be_kept_is_told_as_such(storage: PostgresStorage, url: str) -> None:
    add(storage, turn("one"))
    with wired(url) as (wire, through):
        far = PostgresStorage(through)
        wire.cut_at = b"COMMIT\0"
        with pytest.raises(StorageUnsureError, match="either all of it is there or nothing"):
            add(far, turn("two", 1))
        wire.cut_at = None
        assert held(far) == held(storage) == ["one", "two"]  # it was kept; only the answer was lost
        far.close()


def test_a_wire_that_breaks_is_mended(url: str, gem: Embedder, scope: Scope) -> None:
    with wired(url) as (wire, through), RoleplayMemory(through, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        for _ in range(3):
            wire.cut()
            assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
        wire.cut()
        memory.add_fact(scope, "The harbour is deep.")
        assert memory.stats(scope).total == len(CHAT) + 1


def test_connections_that_break_while_the_pool_makes_them_are_replaced(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wired(url) as (wire, through):
        configure, breaks = PostgresStorage._configure, 0

        def configured(storage: PostgresStorage, connection: psycopg.Connection[Any]) -> None:
            nonlocal breaks
            configure(storage, connection)
            if breaks > 0:
                breaks -= 1
                wire.cut()

        monkeypatch.setattr(PostgresStorage, "_configure", configured)
        storage = PostgresStorage(through)
        add(storage, turn("one"))
        breaks = 3
        wire.cut()
        assert held(storage) == ["one"]
        assert breaks == 0
        storage.close()


@pytest.mark.slow
def test_a_server_that_is_killed_and_started_again(
    tmp_path: Path, gem: Embedder, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgres.own_server() as server:
        memory = RoleplayMemory(server.url, embedder=gem)
        done, stop, errors = [], threading.Event(), []

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    memory.add_fact(scope, f"Fact {number} is about {number * 17}.", source_id=f"{number}")
                    done.append(f"{number}")
                    memory.recall("which fact", scope, k=1)
                except (StorageUnreachableError, StorageUnsureError) as error:
                    errors.append(error)
                    time.sleep(0.05)

        with ThreadPoolExecutor(1) as pool:
            writer = pool.submit(write)
            time.sleep(0.5)
            server.kill()
            server.start()
            before = len(done)
            deadline = time.monotonic() + WAIT
            while len(done) < before + 5 and time.monotonic() < deadline:
                time.sleep(0.05)
            stop.set()
            writer.result(WAIT)
        assert len(done) >= before + 5, "the worker goes on without being started again"
        assert {each.source_id for each in memory.list(scope)} >= set(done)
        assert memory.verify().is_sound
        memory.close()


def test_a_server_that_is_not_there_is_told_without_the_password(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StorageUnreachableError, match="cannot be reached") as told:
        PostgresStorage(f"postgresql://ana:geheim@/story?host={tmp_path}")
    assert "geheim" not in str(told.value) + caplog.text
    assert told.value.__cause__ is None


def test_passwords_stand_in_no_message(
    url: str, path: Path, gem: Embedder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    with wired(f"{url}&password=geheim") as (wire, through):
        storage = PostgresStorage(through, lock_timeout=0.5)
        wire.close()
        for use in (storage.read, storage.write):
            with pytest.raises(StorageError) as error, use("ana"):
                pass
            told.append(repr(error.value))
        told += [storage.name, repr(storage._address)]
        storage.close()
    assert "geheim" not in caplog.text + "".join(told)


# --- opening and closing -----------------------------------------------------------------------------------


def test_closing_waits_for_what_is_under_way(url: str) -> None:
    storage = PostgresStorage(url)
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with storage.write("ana") as change:
            inside.set()
            leave.wait(WAIT)
            stored(change, turn("one"))

    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(write)
        assert inside.wait(WAIT)
        closing = pool.submit(storage.close)
        time.sleep(0.1)
        assert not closing.done()
        with pytest.raises(StorageClosedError), storage.read("ana"):
            pass
        leave.set()
        writing.result(WAIT)
        closing.result(WAIT)
    again = PostgresStorage(url)
    assert held(again) == ["one"]
    again.close()


def _use(storage: PostgresStorage, answer: multiprocessing.connection.Connection) -> None:
    try:
        storage.check_process()
    except StorageForkedError as error:
        answer.send(str(error))
    storage.close()
    answer.close()


def test_a_fork_is_refused_and_leaves_the_parent_alone(storage: PostgresStorage) -> None:
    add(storage, turn("one"))
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_use, args=(storage, there))
    process.start()
    assert here.poll(WAIT)
    assert "a connection is of one process" in here.recv()
    process.join(WAIT)
    assert held(storage) == ["one"]


def test_more_readers_than_connections_take_turns(url: str) -> None:
    storage = PostgresStorage(f"{url}&pool=2")
    add(storage, turn("one"))
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda _: held(storage), range(60))) == [["one"]] * 60
    storage.close()


@pytest.mark.parametrize("options", ["", "&prepare=on"])
def test_a_memory_is_the_same_with_statements_prepared(
    url: str, gem: Embedder, scope: Scope, options: str
) -> None:
    with RoleplayMemory(url + options, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        for _ in range(6):
            assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text


@pytest.mark.parametrize("vector_format", ["float32", "float16", "int8", "halfvec"])
def test_vectors_are_kept_as_is_asked(
    url: str, path: Path, gem: Embedder, scope: Scope, vector_format: str
) -> None:
    if vector_format == "halfvec":
        postgres.execute(path, "CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    with RoleplayMemory(url, embedder=gem, vector_format=vector_format) as memory:
        memory.add_turns(scope, CHAT)
        assert memory.stats(scope).vector_format == vector_format
    with RoleplayMemory(url, embedder=gem) as memory:
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
        assert memory.verify().is_sound
    assert reembed(url, gem) == len(CHAT)
    kind = "halfvec" if vector_format == "halfvec" else "bytea"
    assert postgres.execute(path, "SELECT DISTINCT pg_typeof(vector)::text FROM vector") == [(kind,)]


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("romaine.memory.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"romaine\[postgres\]"):
        open_storage("postgresql://h/d")
