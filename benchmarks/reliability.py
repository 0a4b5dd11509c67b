"""The promises of the memory's file, at full length: killed writers, and many processes on one file.

    python benchmarks/reliability.py [--kills 100] [--processes 8] [--seconds 60]

Prints what was done and fails loudly if anything acknowledged is missing, a batch is there by half, or
"database is locked" reaches a caller.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from romaine import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
BATCH = 7


def turns(name: str, count: int) -> list[Turn]:
    """Turns of a batch, told apart by their source ids."""
    return [
        Turn(f"{name} says line {n}", speaker="x", role="user", source_id=f"{name}-{n}") for n in range(count)
    ]


def write_for_ever(path: str, life: str) -> None:
    """Writes batches and says so after each, until killed."""
    with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
        number = 0
        while True:
            memory.add_turns(SCOPE, turns(f"{life}-{number}", BATCH))
            print(number, flush=True)
            number += 1


def kill_writers(path: Path, kills: int) -> None:
    """Kills writers at random moments and counts what they were told is there."""
    chance = random.Random(1)
    acknowledged = 0
    for life in range(kills):
        process = subprocess.Popen(
            [sys.executable, __file__, "--writer", str(path), str(life)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        acknowledged += 1 + len(process.stdout.read().splitlines())
        process.wait()
    with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
        stored = [str(m.source_id).rsplit("-", 1)[0] for m in memory.list(SCOPE)]
        sizes = {stored.count(batch) for batch in set(stored)}
        assert sizes == {BATCH}, f"batches of {sizes} turns"
        assert len(set(stored)) >= acknowledged, "an acknowledged batch is missing"
        assert memory.verify().is_sound
    print(f"kill -9 x {kills}: {acknowledged} acknowledged batches, all there, none by half; file sound")


def work(path: Path, worker: int, seconds: float, results: multiprocessing.Queue) -> None:
    """Writes a turn and recalls, over and over."""
    written, waits = 0, []
    with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter()
            memory.add_turns(SCOPE, turns(f"{worker}-{written}", 1))
            waits.append(time.perf_counter() - start)
            written += 1
            assert memory.recall(f"{worker} says line", SCOPE, k=3)
    results.put((worker, written, max(waits), statistics.median(waits)))


def share_file(path: Path, processes: int, seconds: float) -> None:
    """Lets processes write and read one file, and counts."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=work, args=(path, n, seconds, results)) for n in range(processes)]
    for worker in workers:
        worker.start()
    outcomes = [results.get(timeout=seconds + 120) for _ in workers]
    for worker in workers:
        worker.join()
    assert all(worker.exitcode == 0 for worker in workers)
    with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
        stored = {m.source_id for m in memory.list(SCOPE)}
        assert memory.verify().is_sound
    expected = {f"{worker}-{n}-0" for worker, written, _, _ in outcomes for n in range(written)}
    assert stored == expected, f"{len(expected - stored)} writes lost"
    slowest = max(longest for _, _, longest, _ in outcomes)
    median = statistics.median(typical for _, _, _, typical in outcomes)
    print(
        f"{processes} processes for {seconds:g} s: {len(expected)} writes and as many recalls, none lost;"
        f" a write took {median * 1e3:.1f} ms (median), {slowest * 1e3:.0f} ms (slowest)"
    )


def main() -> None:
    """Runs both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--writer", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.writer:
        write_for_ever(*options.writer)
    with tempfile.TemporaryDirectory() as folder:
        kill_writers(Path(folder) / "killed.db", options.kills)
        share_file(Path(folder) / "shared.db", options.processes, options.seconds)


if __name__ == "__main__":
    main()
