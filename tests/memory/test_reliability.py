"""Writers that are killed, and many processes on one file."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
BATCH = 7
KILLS = 100
PROCESSES = 8

WRITER = textwrap.dedent(
    """
    import sys
    from romaine import Embedder
    from romaine.memory import RoleplayMemory, Scope, Turn

    path, life, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
    scope = Scope(user="ana", character="Cassian", chat="tavern")
    memory = RoleplayMemory(path, embedder=Embedder(dim=64))
    number = 0
    while True:
        number += 1
        memory.add_turns(
            scope,
            [
                Turn(f"{life} {number} {n}", speaker="x", role="user", source_id=f"{life}-{number}-{n}")
                for n in range(batch)
            ],
        )
        print(number, flush=True)
    """
)


def _killed_writer(path: Path, life: int, seconds: float) -> int:
    """Lets a writer live for a while after its first batch; returns the last batch it was told is there."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(life), str(BATCH)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline()]
    time.sleep(seconds)
    process.kill()
    told += process.stdout.read().splitlines()
    process.wait()
    process.stdout.close()
    return max(int(line) for line in told if line.strip())


def _check_batches(path: Path, gem: Embedder, acknowledged: dict[int, int]) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        stored = [m.source_id for m in memory.list(SCOPE)]
        assert len(set(stored)) == len(stored)
        batches: dict[tuple[int, int], int] = {}
        for source in stored:
            life, number, _ = map(int, str(source).split("-"))
            batches[life, number] = batches.get((life, number), 0) + 1
        assert set(batches.values()) <= {BATCH}, "half of a batch is there"
        for life, last in acknowledged.items():
            assert all((life, number) in batches for number in range(1, last + 1)), "a write was lost"


@pytest.mark.parametrize("kills", [3, pytest.param(KILLS, marks=pytest.mark.slow)])
def test_a_killed_writer_loses_nothing_it_was_told_is_there(path: Path, gem: Embedder, kills: int) -> None:
    chance = random.Random(kills)
    acknowledged: dict[int, int] = {}
    for life in range(kills):
        acknowledged[life] = _killed_writer(path, life, chance.uniform(0, 0.06))
        if life % 10 == 0 or life == kills - 1:
            _check_batches(path, gem, acknowledged)
    with RoleplayMemory(path, embedder=gem) as memory:
        assert memory.verify().is_sound
        assert memory.recall("1 1 1", SCOPE)


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


@pytest.mark.parametrize("seconds", [1.5, pytest.param(15.0, marks=pytest.mark.slow)])
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
