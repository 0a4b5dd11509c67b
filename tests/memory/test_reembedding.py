from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from romaine.embedder import Embedder
from romaine.errors import OptionError, OtherEmbedderError
from romaine.memory import RoleplayMemory, Scope, Turn, reembed, reembedding
from romaine.memory.sqlite.database import SqliteStorage
from romaine.memory.store import open_storage
from tests import postgres

from .conftest import CHAT, said


@pytest.fixture(scope="module")
def other() -> Embedder:
    """The same model asked differently: another vector space, as far as the memory is concerned."""
    return Embedder(dim=64, document_prompt="passage: ")


class Interrupted(Exception):  # noqa: N818
    pass


def test_a_file_changes_its_embedder(path: Path, gem: Embedder, other: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        memory.add_fact(scope, "The key is silver.")
        before = memory.list(scope)
    told: list[tuple[int, int]] = []
    assert reembed(path, other, batch_size=2, progress=lambda *now: told.append(now)) == 5
    assert told == [(2, 5), (4, 5), (5, 5)]
    with pytest.raises(OtherEmbedderError) as refused:
        RoleplayMemory(path, embedder=gem)
    assert f"vectors of little-gem ({other.fingerprint[:8]})" in str(refused.value)
    assert f"is little-gem ({gem.fingerprint[:8]}), with other settings" in str(refused.value)
    with RoleplayMemory(path, embedder=other) as memory, RoleplayMemory(":memory:", embedder=other) as fresh:
        assert memory.list(scope) == before
        fresh.add_turns(scope, CHAT)
        fresh.add_fact(scope, "The key is silver.")
        scores = [hit.score for hit in memory.recall("key", scope, k=9)]
        assert scores == pytest.approx([hit.score for hit in fresh.recall("key", scope, k=9)], abs=1e-5)
        assert memory.verify().is_sound


def test_an_interrupted_change_goes_on(path: Path, gem: Embedder, other: Embedder, scope: Scope) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done >= 4:
            raise Interrupted

    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [said(f"line {n} of the song", str(n)) for n in range(9)])
        with pytest.raises(Interrupted):
            reembed(path, other, batch_size=2, progress=interrupt)
        assert memory.recall("song", scope)  # the old vectors serve
        memory.add_turns(scope, [said("another line", "9"), said("line 0, sung anew", "0")])
        memory.forget(scope, memory.list(scope)[5].id)
        assert reembed(path, other, batch_size=2) < 10
        with pytest.raises(OtherEmbedderError):
            memory.recall("song", scope)
        with pytest.raises(OtherEmbedderError):
            memory.add_turns(scope, [said("too late")])
    with RoleplayMemory(path, embedder=other) as memory:
        assert len(memory.recall("line", scope, k=20)) == 9
        assert memory.verify().is_sound


def test_another_target_starts_over(path: Path, gem: Embedder, other: Embedder, scope: Scope) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise Interrupted

    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
    with pytest.raises(Interrupted):
        reembed(path, other, batch_size=2, progress=interrupt)
    assert reembed(path, gem) == 4
    with RoleplayMemory(path, embedder=gem) as memory:
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text


def test_an_open_memory_changes_its_embedder(gem: Embedder, other: Embedder, scope: Scope) -> None:
    with RoleplayMemory(":memory:", embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        assert memory.reembed(other) == 4
        assert memory.embedder is other
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
        assert memory.add_turns(scope, [said("more")]).added == 1


# --- beside others -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def third() -> Embedder:
    return Embedder(dim=64, document_prompt="text: ")


def assert_all_vectors_are_of(path: Path, embedder: Embedder) -> None:
    """Compares every stored vector with what the embedder makes of the text now."""
    with RoleplayMemory(path, embedder=embedder) as memory:
        with memory._store.storage.read() as snapshot:
            rows = snapshot.connection.execute(
                "SELECT m.speaker, m.text, v.vector FROM memory m LEFT JOIN vector v ON v.no = m.no"
            ).fetchall()
            assert snapshot.setting("next_embedder") is None
            assert snapshot.progress()[0] == 0
        stored = np.stack([np.frombuffer(vector, dtype="<f4") for _, _, vector in rows])
        texts = [text if speaker is None else f"{speaker}: {text}" for speaker, text, _ in rows]
        assert (stored * embedder.with_dim(None).embed_documents(texts)).sum(axis=1).min() > 0.9999
        assert memory.verify().is_sound


def verses(thread: int, number: int) -> Turn:
    return said(f"In verse {number} of song {thread} the river burns.", f"{thread}-{number}")


class Together:
    """Threads that go on until told, and what they raised."""

    def __init__(self, *actions: Callable[[int], object]) -> None:
        self.raised: list[BaseException] = []
        self.rounds = [0] * len(actions)
        self._enough = threading.Event()
        self._threads = [
            threading.Thread(target=self._go_on, args=(place, action)) for place, action in enumerate(actions)
        ]

    def _go_on(self, place: int, action: Callable[[int], object]) -> None:
        try:
            while not self._enough.is_set():
                action(self.rounds[place])
                self.rounds[place] += 1
                time.sleep(0.05)  # the machine of a test may be small, and its locks are not fair
        except BaseException as error:
            self.raised.append(error)

    def __enter__(self) -> Together:  # noqa: PYI034
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)


def test_writers_and_readers_beside_a_reembed(
    path: Path, gem: Embedder, other: Embedder, third: Embedder, scope: Scope
) -> None:
    counts: list[int] = []
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [verses(9, n) for n in range(120)])

        def write(thread: int) -> Callable[[int], object]:
            return lambda n: memory.add_turns(scope, [verses(thread, n)])

        def edit(n: int) -> object:
            return memory.add_turns(scope, [said(f"Verse {n % 120} is sung anew, {n}.", f"9-{n % 120}")])

        def recall(_: int) -> object:
            hits = memory.recall("Which river burns?", scope, k=5)
            counts.append(len(hits))
            return hits

        with Together(write(0), write(1), edit, recall) as together:
            for new in (third, other):
                assert memory.reembed(new, batch_size=32) > 0
                assert memory.embedder is new
            memory.recall("river", scope)
        assert together.raised == []
        assert all(together.rounds)
        assert set(counts) == {5}
        assert len(memory.list(scope)) == 120 + together.rounds[0] + together.rounds[1]
    assert_all_vectors_are_of(path, other)


def test_what_is_added_right_before_the_switch_is_no_damage(
    memory: RoleplayMemory, other: Embedder, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch, late = reembedding._switch, [said("Wait for me!")]

    def switch_late(database: SqliteStorage, embedder: Embedder, **how: bool) -> bool:
        if late:  # all was embedded, and now there is one more
            memory.add_turns(scope, [late.pop()])
        return switch(database, embedder, **how)

    monkeypatch.setattr(reembedding, "_switch", switch_late)
    assert memory.reembed(other) == 1
    assert memory.recall("Who waits?", scope)[0].memory.text == "Wait for me!"


def test_of_two_reembeds_at_once_one_wins(
    path: Path, gem: Embedder, other: Embedder, third: Embedder, scope: Scope
) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [verses(9, n) for n in range(40)])
    finished: list[str] = []

    def overtake(done: int, _total: int) -> None:
        if done == 8:  # ours is under way; another process wants another embedder
            reembed(path, third, batch_size=8)
            finished.append("third")

    with pytest.raises(OtherEmbedderError, match="keeps nothing: call it again"):
        reembed(path, other, batch_size=8, progress=overtake)
    assert finished == ["third"]
    assert_all_vectors_are_of(path, third)
    with pytest.raises(OtherEmbedderError):
        RoleplayMemory(path, embedder=other)


def test_two_reembeds_race_and_never_mix(
    path: Path, gem: Embedder, other: Embedder, third: Embedder, scope: Scope
) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [verses(9, n) for n in range(200)])
    results: dict[str, object] = {}
    start = threading.Barrier(2)

    def bring_over(name: str, embedder: Embedder) -> None:
        start.wait()
        try:
            results[name] = reembed(path, embedder, batch_size=8)
        except OtherEmbedderError as error:
            results[name] = error

    threads = [
        threading.Thread(target=bring_over, args=pair) for pair in (("other", other), ("third", third))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    winners = [name for name, result in results.items() if isinstance(result, int)]
    assert len(results) == 2
    assert winners  # both, if one had done before the other began
    won = [embedder for name, embedder in (("other", other), ("third", third)) if name in winners]
    holder = [embedder for embedder in won if _opens(path, embedder)]
    assert len(holder) == 1
    assert_all_vectors_are_of(path, holder[0])


def _opens(path: Path, embedder: Embedder) -> bool:
    try:
        RoleplayMemory(path, embedder=embedder).close()
    except OtherEmbedderError:
        return False
    return True


def test_workers_share_the_rows_and_take_over_from_each_other(
    path: Path, gem: Embedder, other: Embedder, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reembedding, "_SHARE", 4)
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [said(f"line {n} of the song", str(n)) for n in range(30)])
    storage = SqliteStorage(path)
    counts: list[int] = []
    with storage.claimed(1) as ours:  # one that is slow, or about to die
        assert ours
        reembedding.begin(storage, other)
        workers = [
            threading.Thread(
                target=lambda: counts.append(
                    reembedding.reembed_storage(storage, other, batch_size=2, begun=True)
                )
            )
            for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        while _left(storage) > 4:
            time.sleep(0.01)
        assert all(worker.is_alive() for worker in workers)
    for worker in workers:
        worker.join()
    assert sum(counts) == 30  # none was embedded twice
    assert reembedding.reembed_storage(storage, other, begun=True) == 0  # it came late
    storage.close()
    with RoleplayMemory(path, embedder=other) as memory:
        assert memory.verify().is_sound
        assert len(memory.recall("song", scope, k=50)) == 30


def _left(storage: SqliteStorage) -> int:
    with storage.read() as snapshot:
        done, total = snapshot.progress()
    return total - done


def test_several_processes_are_for_a_server(path: Path, gem: Embedder) -> None:
    with pytest.raises(OptionError, match="several can do it on a server"):
        reembed(path, gem, workers=2)
    storage = SqliteStorage(path)
    with pytest.raises(OptionError, match="give its URL"):
        reembed(storage, gem, workers=2)
    storage.close()


def test_processes_share_a_server_and_one_that_is_killed_is_replaced(
    tmp_path: Path, gem: Embedder, other: Embedder, scope: Scope
) -> None:
    url = postgres.url_for(tmp_path)
    program = f"""
import os, signal
from romaine import Embedder
from romaine.memory import reembed, reembedding
reembedding._SHARE = 4
kill = lambda done, _: os.kill(os.getpid(), signal.SIGKILL) if done >= 6 else None
reembed({url!r}, Embedder(dim=64, document_prompt="passage: "), batch_size=2, progress=kill)
"""
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.add_turns(scope, [said(f"line {n} of the song", str(n)) for n in range(30)])
        killed = subprocess.run([sys.executable, "-c", program], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert memory.recall("song", scope)  # the service answers
        memory.add_turns(scope, [said("another line", "30")])
        # here shares are as large as in the processes that are started, or two would take the same rows
        assert reembed(url, other, batch_size=2, workers=2) == 31 - 7
        with pytest.raises(OtherEmbedderError):
            memory.recall("song", scope)
    with RoleplayMemory(url, embedder=other) as memory:
        assert memory.verify().is_sound
        assert len(memory.recall("line", scope, k=50)) == 31


def test_what_a_process_has_claimed_is_free_when_it_dies(tmp_path: Path) -> None:
    url = postgres.url_for(tmp_path)
    program = f"""
import time
from romaine.memory.store import open_storage
with open_storage({url!r}).claimed(3) as ours:
    print(ours, flush=True)
    time.sleep(60)
"""
    with closing(open_storage(url)) as storage:
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "True\n"
            with storage.claimed(3) as ours, storage.claimed(4) as other:
                assert (ours, other) == (False, True)
            process.kill()
        deadline = time.monotonic() + 20
        while True:
            with storage.claimed(3) as ours:
                if ours:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)
