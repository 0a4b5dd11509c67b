"""Writers that are killed, and many processes on one file."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn

from .kills import Killed, kill_embedding, kill_lives, kill_opening
from .writers import BATCH, Nursery, batch, scope_of, state_after, state_of

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
PROCESSES = 8

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="writers are forked")


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as raised:
        yield raised


@pytest.mark.parametrize("kill", [kill_lives, kill_embedding, kill_opening])
def test_a_killed_writer_loses_nothing_it_was_told_is_there(
    kill: Callable[[Path, Embedder, int, Nursery], Killed], path: Path, gem: Embedder, nursery: Nursery
) -> None:
    killed = kill(path, gem, 20, nursery)
    assert killed.kills == 20
    assert killed.acknowledged > 0


def test_a_life_that_is_not_killed_is_as_foretold(path: Path, gem: Embedder) -> None:
    """What kills are judged by: after each step the file holds what `state_after` says."""
    from .writers import live

    life = live(str(path), 3, gem)
    with RoleplayMemory(path, embedder=gem) as memory:
        for steps in range(1, 14):
            assert next(life) == steps
            expected = {chat: lines for chat, lines in state_after(steps).items() if lines}
            assert state_of(memory, 3, steps) == expected
        assert len(memory.list(scope_of(3))) == 3 * (BATCH - 2) + len(batch(3, "first"))
    life.close()


def _worker(path: Path, worker: int, seconds: float, results: multiprocessing.Queue) -> None:
    written = 0
    try:
        with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                turn = Turn(
                    f"{worker} says {written}",
                    speaker=str(worker),
                    role="user",
                    source_id=f"{worker}-{written}",
                )
                memory.add_turns(SCOPE, [turn])
                written += 1
                hits = memory.recall(f"{worker} says {written}", SCOPE, k=3)
                assert hits, "nothing recalled"
        results.put((worker, written, None))
    except BaseException as error:
        results.put((worker, written, repr(error)))


@pytest.mark.parametrize("seconds", [1.5])
def test_many_processes_write_and_read_one_file(path: Path, gem: Embedder, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_worker, args=(path, worker, seconds, results)) for worker in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    outcomes = [results.get(timeout=seconds + 60) for _ in workers]
    for worker in workers:
        worker.join()
    assert [error for _, _, error in outcomes if error] == []
    expected = {f"{worker}-{n}" for worker, written, _ in outcomes for n in range(written)}
    with RoleplayMemory(path, embedder=gem) as memory:
        stored = memory.list(SCOPE)
        assert {m.source_id for m in stored} == expected
        assert [m.position for m in stored] == list(range(len(expected)))
        assert memory.verify().is_sound
