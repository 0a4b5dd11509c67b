from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from romaine.embedder import Embedder
from romaine.errors import OptionError, StorageCorruptError, StorageError, StorageIncompleteError
from romaine.memory import Copied, RoleplayMemory, Scope, copy, reembed
from romaine.memory.sqlite import SqliteStorage
from tests import postgres

from .conftest import CHAT, said

Place = Callable[[str], "str | Path"]
Where = TypeVar("Where", str, Path)
ODD = "a\0b \ud83d\ude00 \udc80"
ANA, BEN = Scope(user="ana", character="Cassian", chat="tavern"), Scope(user=ODD, chat=ODD)


class Interrupted(Exception):  # noqa: N818
    pass


@pytest.fixture(scope="module")
def source(gem: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("source") / "memories.db", gem, "float16")


def made(path: Where, gem: Embedder, vector_format: str) -> Where:
    """A memory with a fork, versions that only it sees, what it dropped, what was replaced, odd texts."""
    with RoleplayMemory(path, embedder=gem, vector_format=vector_format) as memory:
        memory.add_turns(ANA, CHAT)
        fork = memory.branch(ANA, at=2, to_chat="fork")
        memory.add_turns(ANA, [said("I left the golden key under the fourth step.", "1")])
        memory.forget(fork, memory.list(fork)[1].id)
        memory.add_turns(fork, [said("We sail at dawn.", "9")], known_by=["Cassian", ODD])
        first = memory.add_fact(ANA, "The key is silver.", metadata={"seen": [1, None, ODD]})
        memory.add_fact(ANA, "The key is golden.", supersedes=first.memory.id)
        memory.add_turns(BEN, [said(ODD, ODD), said("Good night.", speaker=ODD)])
        memory.add_lore(Scope(user="cy"), "The pier is closed from November on.", importance=1 / 3)
        memory.forget(BEN, memory.list(BEN)[1].id)
        memory.mark_used(ANA, memory.recall("Where is the key?", ANA, k=1))
    return path


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where memories may be, by a name."""
    if request.param == "file":
        return lambda name: tmp_path / f"{name}.db"
    return lambda name: postgres.url_for(tmp_path / name)


@pytest.fixture
def target(place: Place) -> str | Path:
    return place("copy")


def all_seen(memory: RoleplayMemory) -> list[object]:
    found: list[object] = []
    for user in ("ana", ODD, "cy"):
        for held in memory.scopes(user):
            hits = memory.recall("Where is the golden key?", held.scope, k=9, include_superseded=True)
            found.append(
                (held, memory.list(held.scope), [(hit.memory.id, hit.score, hit.parts) for hit in hits])
            )
    return found


def test_a_copy_is_exact(source: Path, target: str | Path, gem: Embedder) -> None:
    told: list[tuple[int, int]] = []
    copied = copy(source, target, batch_size=2, progress=lambda *now: told.append(now))
    assert [user.user for user in copied.users] == sorted(
        ["ana", ODD, "cy"], key=lambda u: u.encode("utf-8", "surrogatepass")
    )
    assert copied.rows == sum(user.rows for user in copied.users) == 11
    assert told[-1] == (22, 22)
    assert told == sorted(told)
    with RoleplayMemory(source, embedder=gem) as before, RoleplayMemory(target, embedder=gem) as after:
        assert all_seen(after) == all_seen(before)
        assert after.verify().is_sound
        after.add_turns(BEN, [said("And another day.", "77")])  # no row is numbered twice
        assert after.verify().is_sound


@pytest.mark.parametrize("vector_format", ["float32", "float16", "int8"])
def test_there_and_back(target: str | Path, tmp_path: Path, gem: Embedder, vector_format: str) -> None:
    source = made(tmp_path / "source.db", gem, vector_format)
    there, back = copy(source, target), copy(target, tmp_path / "back.db", batch_size=2)
    assert there == back
    with RoleplayMemory(tmp_path / "back.db", embedder=gem) as memory:
        assert memory.verify().is_sound


def test_halfvec_becomes_float16_in_a_file(tmp_path: Path, gem: Embedder) -> None:
    postgres.execute(tmp_path, "CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    source, again = postgres.url_for(tmp_path / "one"), postgres.url_for(tmp_path / "two")
    made(source, gem, "halfvec")
    there = copy(source, tmp_path / "file.db")
    assert there.users == copy(source, again).users
    with (
        RoleplayMemory(source, embedder=gem) as before,
        RoleplayMemory(tmp_path / "file.db", embedder=gem) as file,
        RoleplayMemory(again, embedder=gem) as after,
    ):
        assert all_seen(before) == all_seen(after) == all_seen(file)
        for memory in (file, after):
            assert memory.verify().is_sound


def test_a_complete_copy_is_only_compared(source: Path, target: str | Path) -> None:
    first = copy(source, target)
    again = copy(source, target)
    assert again == Copied(0, first.users)


@pytest.mark.parametrize("stop", [1, 7, 10])
def test_an_interrupted_copy_goes_on(
    source: Path, target: str | Path, place: Place, gem: Embedder, stop: int
) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done >= stop:
            raise Interrupted

    with pytest.raises(Interrupted):
        copy(source, target, batch_size=1, progress=interrupt)
    for refused in (
        lambda: RoleplayMemory(target, embedder=gem),
        lambda: reembed(target, gem),
        lambda: copy(target, place("third")),
    ):
        with pytest.raises(StorageIncompleteError, match="goes on where it was"):
            refused()
    with pytest.raises(StorageError, match="begun with other users"):
        copy(source, target, users=["cy"])
    told: list[int] = []
    rest = copy(source, target, batch_size=2, progress=lambda done, _: told.append(done))
    assert rest.rows <= 11 - stop + 2  # what was put is not read again
    assert told[-1] == 22
    assert rest.users == copy(source, place("third")).users


def test_who_has_changed_since_an_interruption_is_copied_anew(
    source: Path, target: str | Path, tmp_path: Path, gem: Embedder
) -> None:
    changing = tmp_path / "changing.db"
    copy(source, changing)

    def interrupt(done: int, _total: int) -> None:
        if done >= 10:
            raise Interrupted

    with pytest.raises(Interrupted):
        copy(changing, target, batch_size=1, progress=interrupt)
    with RoleplayMemory(changing, embedder=gem) as memory:
        memory.forget(ANA, memory.list(ANA)[2].id)
        memory.add_turns(ANA, [said("The step was mended.", "10")])
        copy(changing, target)
        with RoleplayMemory(target, embedder=gem) as copied:
            assert all_seen(copied) == all_seen(memory)
            assert copied.verify().is_sound


def test_some_users_are_copied_alone(source: Path, target: str | Path, gem: Embedder) -> None:
    copied = copy(source, target, users=["cy", ODD])
    assert {user.user for user in copied.users} == {"cy", ODD}
    with RoleplayMemory(target, embedder=gem) as memory:
        assert memory.scopes("ana") == []
        assert len(memory.list(BEN)) == 1
    with pytest.raises(OptionError, match="nobody"):
        copy(source, target, users=["nobody"])


def test_a_target_with_other_things_is_left_alone(source: Path, target: str | Path, gem: Embedder) -> None:
    with RoleplayMemory(target, embedder=gem) as memory:
        memory.add_turns(ANA, CHAT[:1])
    with pytest.raises(StorageError, match="holds other things"):
        copy(source, target)
    with RoleplayMemory(target, embedder=gem) as memory:
        assert len(memory.list(ANA)) == 1


def test_an_empty_memory_may_be_the_target(source: Path, target: str | Path, gem: Embedder) -> None:
    RoleplayMemory(target, embedder=gem).close()
    assert copy(source, target).rows == 11


def test_two_copies_at_once_do_not_mix(source: Path, target: str | Path) -> None:
    def other(done: int, _total: int) -> None:
        if done == 2:
            copy(source, target, batch_size=1)

    with pytest.raises(StorageError, match="another process copies"):
        copy(source, target, batch_size=1, progress=other)
    assert copy(source, target).rows == 0


def test_damage_is_not_copied(source: Path, target: str | Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    copy(source, damaged)
    with closing(SqliteStorage(damaged)) as storage, storage.write() as change:
        change.connection.execute("UPDATE vector SET context = zeroblob(9) WHERE no = 3")
    with pytest.raises(StorageCorruptError, match=r"row 3 .*repair"):
        copy(damaged, target)


def test_open_storages_stay_open(source: Path) -> None:
    given, taken = SqliteStorage(source, read_only=True), SqliteStorage(":memory:")
    copy(given, taken)
    for storage in (given, taken):
        with storage.read() as snapshot:
            assert len(snapshot.users()) == 3
        storage.close()


def test_a_source_that_is_not_there_is_not_made(tmp_path: Path, target: str | Path) -> None:
    with pytest.raises(StorageError, match="is not there"):
        copy(tmp_path / "nothing.db", target)
    assert not (tmp_path / "nothing.db").exists()


def test_a_killed_copy_goes_on(tmp_path: Path, target: str | Path, gem: Embedder) -> None:
    source = tmp_path / "many.db"
    with RoleplayMemory(source, embedder=gem) as memory:
        memory.add_turns(ANA, [said(f"line {n} of the song", str(n)) for n in range(60)])
    program = f"""
import os, signal
from romaine.memory import copy
kill = lambda done, _: os.kill(os.getpid(), signal.SIGKILL) if done == 20 else None
copy({str(source)!r}, {str(target)!r}, batch_size=1, progress=kill)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert 0 < copy(source, target).rows <= 60 - 20
    with RoleplayMemory(target, embedder=gem) as memory:
        assert len(memory.list(ANA)) == 60
        assert memory.verify().is_sound
