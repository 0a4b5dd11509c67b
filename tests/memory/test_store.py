from __future__ import annotations

import multiprocessing
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import (
    OtherEmbedderError,
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFormatError,
    StorageFullError,
    StorageLockedError,
    StorageReadOnlyError,
    StorageVersionError,
)
from romaine.memory import RoleplayMemory, Scope, reembed
from romaine.memory.sqlite import SqliteStorage
from romaine.memory.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION

from .conftest import CHAT, said


@pytest.fixture
def filled(path: Path, gem: Embedder, scope: Scope) -> Path:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
    return path


def raw(path: Path, statement: str, values: tuple[object, ...] = ()) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def test_the_file_outlives_the_memory(filled: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(filled, embedder=gem.with_dim(32)) as memory:
        assert [m.text for m in memory.list(scope)] == [turn.text for turn in CHAT]
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
        stats = memory.stats(scope)
    assert (stats.total, stats.full_dim, stats.vector_format) == (4, gem.full_dim, "float32")
    assert not filled.with_name(filled.name + "-wal").exists()


def test_the_file_says_what_it_is(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    values = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    ]
    assert values == [APPLICATION_ID, VERSION]
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()
    assert len(MIGRATIONS) == VERSION


@pytest.mark.parametrize("vector_format", ["float16", "int8"])
def test_smaller_vectors_find_the_same(path: Path, gem: Embedder, scope: Scope, vector_format: str) -> None:
    with RoleplayMemory(path, embedder=gem, vector_format=vector_format) as memory:
        memory.add_turns(scope, CHAT)
        small = memory.recall("Where is the silver key?", scope, k=4)
    with RoleplayMemory(":memory:", embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        exact = memory.recall("Where is the silver key?", scope, k=4)
    assert [hit.memory.text for hit in small] == [hit.memory.text for hit in exact]
    assert [hit.score for hit in small] == pytest.approx([hit.score for hit in exact], abs=0.05)
    with RoleplayMemory(path, embedder=gem) as memory:
        assert memory.stats(scope).vector_format == vector_format
        assert memory.verify().is_sound


def test_an_unknown_vector_format(path: Path, gem: Embedder) -> None:
    with pytest.raises(ValueError, match="Allowed: 'float32', 'float16', 'int8'"):
        RoleplayMemory(path, embedder=gem, vector_format="float8")
    assert not path.exists()


def test_another_embedder_is_refused(filled: Path, gem: Embedder) -> None:
    with pytest.raises(OtherEmbedderError, match="reembed"):
        RoleplayMemory(filled, embedder=Embedder(dim=64, document_prompt="passage: "))


def test_a_newer_schema_is_refused(filled: Path, gem: Embedder, scope: Scope) -> None:
    raw(filled, f"PRAGMA user_version = {VERSION + 1}")
    before = filled.read_bytes()
    with pytest.raises(StorageVersionError, match="install a newer"):
        RoleplayMemory(filled, embedder=gem)
    assert filled.read_bytes() == before


def test_what_is_no_memory_is_refused_and_left_alone(path: Path, gem: Embedder, tmp_path: Path) -> None:
    path.write_text("Dear diary, today we found the silver key. " * 50)
    with pytest.raises(StorageFormatError, match="not a SQLite file"):
        RoleplayMemory(path, embedder=gem)
    other = tmp_path / "other.db"
    raw(other, "CREATE TABLE recipes (name)")
    before = other.read_bytes()
    with pytest.raises(StorageFormatError, match="something else"):
        RoleplayMemory(other, embedder=gem)
    assert other.read_bytes() == before
    with pytest.raises(StorageFormatError, match="is a folder"):
        RoleplayMemory(tmp_path, embedder=gem)
    with pytest.raises(StorageError, match="cannot be opened"):
        RoleplayMemory(tmp_path / "no" / "folder.db", embedder=gem)


def test_read_only(filled: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(filled, embedder=gem, read_only=True) as memory:
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
        for write in (
            lambda: memory.add_turns(scope, [said("no")]),
            lambda: memory.add_fact(scope, "no"),
            lambda: memory.retract(scope, ["1"]),
            lambda: memory.decay(scope),
        ):
            with pytest.raises(StorageReadOnlyError, match="read_only=True"):
                write()
    with pytest.raises(StorageError, match="is not there"):
        RoleplayMemory(filled.with_name("missing.db"), embedder=gem, read_only=True)


def test_a_closed_memory_says_so(path: Path, gem: Embedder, scope: Scope) -> None:
    memory = RoleplayMemory(path, embedder=gem)
    memory.close()
    memory.close()
    with pytest.raises(StorageClosedError, match="has been closed"):
        memory.list(scope)


def test_a_locked_file_is_told_and_works_again(filled: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(filled, embedder=gem, lock_timeout=0.1) as memory:
        holder = sqlite3.connect(filled, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageLockedError, match="lock_timeout"):
            memory.add_turns(scope, [said("wait", "9")])
        assert len(memory.list(scope)) == 4  # reading goes on
        holder.execute("ROLLBACK")
        holder.close()
        assert memory.add_turns(scope, [said("wait", "9")]).added == 1


def test_a_full_file_is_told_and_nothing_is_lost(filled: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(filled, embedder=gem) as memory:
        with memory._store.storage.read() as snapshot:
            (pages,) = snapshot.connection.execute("PRAGMA page_count").fetchone()
        memory._store.storage._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageFullError, match="undone"):
            memory.add_turns(scope, [said(f"line {n} " * 40, f"n{n}") for n in range(400)])
        assert [m.text for m in memory.list(scope)] == [turn.text for turn in CHAT]
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
        memory._store.storage._writer.execute("PRAGMA max_page_count = 1000000")
        assert memory.add_turns(scope, [said("There is room again.")]).added == 1
        assert memory.verify().is_sound


def _write_until_full(path: Path, queue: multiprocessing.Queue) -> None:
    scope = Scope(user="ana", character="Cassian", chat="tavern")
    memory = RoleplayMemory(path, embedder=Embedder(dim=64))
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
    acknowledged = 0
    try:
        for batch in range(200):
            memory.add_turns(scope, [said(f"line {batch} {n}", f"{batch}-{n}") for n in range(20)])
            acknowledged += 20
    except StorageError as error:
        queue.put((acknowledged, type(error).__name__))


def test_a_disk_without_room_keeps_what_was_acknowledged(path: Path, gem: Embedder, scope: Scope) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_write_until_full, args=(path, queue))
    process.start()
    acknowledged, error = queue.get(timeout=30)
    process.join()
    assert error in ("StorageFullError", "StorageError")  # SQLite calls a size limit an I/O error
    with RoleplayMemory(path, embedder=gem) as memory:
        assert len(memory.list(scope)) == acknowledged > 0
        assert memory.verify().is_sound


@pytest.mark.parametrize(
    "damage",
    [
        lambda blob: bytes([blob[0] ^ 1]) + blob[1:],
        lambda blob: blob[:-4],
        lambda blob: b"",
        lambda blob: b"\xff" * len(blob),
    ],
)
def test_a_damaged_vector_is_skipped_and_mended(
    filled: Path, gem: Embedder, scope: Scope, damage: Callable[[bytes], bytes]
) -> None:
    connection = sqlite3.connect(filled)
    no, blob = connection.execute("SELECT no, vector FROM vector ORDER BY no LIMIT 1").fetchone()
    connection.execute("UPDATE vector SET vector = ? WHERE no = ?", (damage(blob), no))
    connection.commit()
    connection.close()
    with RoleplayMemory(filled, embedder=gem) as memory:
        damaged = memory.verify()
        assert damaged.damaged == (memory.list(scope)[0].id,)
        explained = memory.recall("silver key", scope, k=9, explain=True)
        assert explained.damaged == 1
        assert {hit.memory.text for hit in explained.hits} == {turn.text for turn in CHAT[1:]}
        assert memory.add_fact(scope, "Something else.").stored
        assert memory.repair() == 1
        assert memory.verify().is_sound
        explained = memory.recall("silver key", scope, explain=True)
        assert (explained.hits[0].memory.text, explained.damaged) == (CHAT[0].text, 0)


def test_a_damaged_page_is_told(path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [said(f"line {n} of a long story", str(n)) for n in range(300)])
    content = bytearray(path.read_bytes())
    page = int.from_bytes(content[16:18], "big")
    for start in range(5 * page, len(content), page):
        content[start : start + 64] = b"\xa5" * 64
    path.write_bytes(content)
    with pytest.raises(StorageCorruptError, match="damaged"):
        _read_all(path, gem, scope)


def _read_all(path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.recall("story", scope)
        memory.list(scope)


def test_a_fork_of_the_process_opens_its_own(filled: Path, gem: Embedder, scope: Scope) -> None:
    memory = RoleplayMemory(filled, embedder=gem)
    memory._store.storage._owner += 1
    with pytest.raises(StorageError, match="in each process"):
        memory.list(scope)
    memory._store.storage._owner -= 1
    memory.close()


def test_an_open_storage_serves_as_well(path: Path, gem: Embedder, scope: Scope) -> None:
    storage = SqliteStorage(path)
    assert reembed(storage, gem) == 0  # and it stays open
    with RoleplayMemory(storage, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        assert memory.path == str(path)
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
    with pytest.raises(StorageClosedError), storage.read():
        pass
