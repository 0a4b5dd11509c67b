"""The promises of the memory, attacked: random plays against a model, kills, flipped bits, a shared file.

    python benchmarks/reliability.py [--long] [--queries N] [--kills N] [--flips N] [--seconds S]
    python benchmarks/reliability.py --postgres [--long] [--steps N] [--faults N]

Prints a line for each attack with what was done and how often it failed, and how; the exit code is 1 if
anything did. Without `--long` all of it is short. With `--postgres` a server is
attacked instead: the same plays on it and on SQLite, step by step, and faults while workers write to it. The
attacks themselves are those of `tests/reliability`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

# the attacks are found once the repository's root is on the path
from tests.reliability import kills  # noqa: E402
from tests.reliability.failing_server import FailingServer  # noqa: E402
from tests.reliability.flips import flip_bits  # noqa: E402
from tests.reliability.load import Load  # noqa: E402
from tests.reliability.side_by_side import PlayOnBoth  # noqa: E402
from tests.reliability.whole_plays import play, shortest  # noqa: E402
from tests.reliability.writers import Nursery  # noqa: E402

from romaine import Embedder  # noqa: E402
from romaine.memory import RoleplayMemory, Scope, Turn  # noqa: E402

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
WORKERS = 2
HOSTILE = "tests/formats/test_hostile_input.py"
HOSTILE_BYTES = 2 << 30
SHRUNK = 3
"""Failures of plays that are made short; it takes a while."""


@dataclass
class Outcome:
    """What an attack did, in numbers by name, and what went wrong."""

    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __add__(self, other: Outcome) -> Outcome:
        done = Counter(self.done)
        done.update(other.done)  # `+` would leave out what is zero
        return Outcome(done, self.failures + other.failures)


# --- the attacks: each gets its share of the work and a number of its own ----------------------------------


def play_against_model(queries: int, worker: int) -> Outcome:
    """Random plays until so many questions were asked."""
    gem, outcome = Embedder(dim=64), Outcome()
    for game in count():
        if outcome.done["queries"] >= queries:
            return outcome
        seed, steps = worker + WORKERS * game, (40, 60, 120)[game % 3]
        problem, played = play(seed, range(steps), gem)
        if problem is not None and len(outcome.failures) < SHRUNK:
            problem, log = shortest(seed, range(steps), gem)
            problem = "\n".join([*log, problem])
        if problem is not None:
            outcome.failures.append(f"seed {seed}: {problem}")
        outcome.done.update(queries=max(1, played.checker.queries), plays=1, operations=len(played.log))
    return outcome


def play_on_both(steps: int, worker: int) -> Outcome:
    """Random plays on SQLite and Postgres, until so many steps were played."""
    gem, outcome, game = Embedder(dim=64), Outcome(), -1
    while outcome.done["steps"] < steps:
        game += 1
        seed, number = worker + WORKERS * game, (40, 120, 240)[game % 3]
        problem, played = play(seed, range(number), gem, PlayOnBoth)
        if problem is not None and len(outcome.failures) < SHRUNK:
            problem, log = shortest(seed, range(number), gem, PlayOnBoth)
            problem = "\n".join([*log, problem])
        if problem is not None:
            outcome.failures.append(f"seed {seed}: {problem}")
        outcome.done.update(queries=played.checker.queries, plays=1, steps=number)
        print(f"  worker {worker}: {outcome.done['steps']:,} steps", file=sys.stderr, flush=True)
    return outcome


def fail_under_load(number: int) -> Outcome:
    """Faults of a server and of connections while workers write, and workers killed beside them."""
    gem, outcome, chance = Embedder(dim=64), Outcome(), random.Random(number)
    faults = (FailingServer.kill_and_start, FailingServer.drop_connections, FailingServer.kill_backend)
    with FailingServer() as server, Nursery() as nursery:
        for start in range(0, number, 10):  # in rounds, so that one failure does not hide the others
            try:
                with Load(server.schema(f"round{start}"), gem) as load:
                    for _ in range(min(10, number - start)):
                        time.sleep(chance.uniform(0, 0.5))
                        fault = chance.choice(faults)
                        fault(server)
                        load.wait_for_each()
                        outcome.done[fault.__name__] += 1
                load.check()
                outcome.done["acknowledged writes"] += sum(map(len, load.acknowledged))
                outcome.done.update(load.errors)
                for kill in (kills.kill_lives, kills.kill_embedding):
                    killed = kill(server.schema(kill.__name__), gem, 5, nursery, start)
                    outcome.done["workers killed"] += killed.kills
            except Exception as error:  # an error of the memory's own is a failure here, too
                outcome.failures.append(f"faults from {start}: {error!r}")
    return outcome


def kill_writers(number: int, worker: int) -> Outcome:
    """Writers killed: half while writing, the rest while embedding anew and opening an old file."""
    gem, outcome = Embedder(dim=64), Outcome()
    shares = ((kills.kill_lives, number // 2), (kills.kill_embedding, number // 4))
    shares += ((kills.kill_opening, number - number // 2 - number // 4),)
    with Nursery() as nursery, tempfile.TemporaryDirectory() as folder:
        for kill, share in (each for each in shares if each[1]):
            path = Path(folder) / f"{kill.__name__}.db"
            try:
                killed = kill(path, gem, share, nursery, worker)
            except Exception as error:  # an error of the memory's own is a failure here, too
                outcome.failures.append(f"{kill.__name__}: {error!r}")
            else:
                outcome.done.update({"kills": killed.kills, "acknowledged writes": killed.acknowledged})
    return outcome


def flip(number: int, worker: int) -> Outcome:
    """Single bits flipped, in rounds, so that one failure does not hide the others."""
    gem, outcome = Embedder(dim=64), Outcome()
    for start in range(0, number, 10):
        with tempfile.TemporaryDirectory() as folder:
            size = min(10, number - start)
            try:
                outcome.done += flip_bits(Path(folder), gem, size, seed=worker + WORKERS * start)
            except AssertionError as error:
                outcome.failures.append(str(error))
            outcome.done["flips"] += size
    return outcome


def read_hostile_files(_number: int, _worker: int) -> Outcome:
    """The hostile inputs of every format, by a process that may not take more than `HOSTILE_BYTES`."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (HOSTILE_BYTES, HOSTILE_BYTES))

    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", HOSTILE, f"--junitxml={report}", "-p", "no:cacheprovider"]
        process = subprocess.run(
            command,
            cwd=ROOT,
            preexec_fn=limit,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        if not report.exists():
            return Outcome(failures=[process.stdout[-2000:] + process.stderr[-2000:]])
        cases = list(ElementTree.parse(report).iter("testcase"))
    bad = [case.get("name", "") for case in cases if case.find("failure") is not None]
    bad += [case.get("name", "") for case in cases if case.find("error") is not None]
    return Outcome(Counter({"tests of hostile files": len(cases)}), bad)


# --- one file, many processes -------------------------------------------------------------------------------


def work(path: Path, worker: int, seconds: float, results: multiprocessing.Queue) -> None:
    """Writes a turn and recalls, over and over."""
    written, waits, error = 0, [0.0], None
    try:
        with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                name = f"{worker}-{written}"
                turn = Turn(f"{worker} says {written}", speaker="x", role="user", source_id=name)
                start = time.perf_counter()
                memory.add_turns(SCOPE, [turn])
                waits.append(time.perf_counter() - start)
                written += 1
                assert memory.recall(f"{worker} says", SCOPE, k=3), "nothing recalled"
    except Exception as raised:  # whatever reaches a caller is a failure
        error = f"process {worker}: {raised!r}"
    results.put((worker, written, waits, error))


def share_file(processes: int, seconds: float) -> Outcome:
    """Lets processes write and read one file, and looks for what they wrote."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shared.db"
        workers = [context.Process(target=work, args=(path, n, seconds, results)) for n in range(processes)]
        for worker in workers:
            worker.start()
        outcomes = [results.get(timeout=seconds + 120) for _ in workers]
        for worker in workers:
            worker.join()
        with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
            stored, sound = memory.list(SCOPE), memory.verify().is_sound
    expected = {f"{worker}-{n}" for worker, written, _, _ in outcomes for n in range(written)}
    failures = [error for _, _, _, error in outcomes if error]
    if {m.source_id for m in stored} != expected:
        failures.append(f"{len(expected)} writes were acknowledged, {len(stored)} are there")
    if [m.position for m in stored] != list(range(len(stored))):
        failures.append("positions are not 0, 1, 2...")
    if not sound:
        failures.append("the file is not sound")
    waits = [wait for _, _, times, _ in outcomes for wait in times]
    median, slowest = statistics.median(waits) * 1e3, max(waits) * 1e3
    print(f"  a write took {median:.1f} ms (median), {slowest:.0f} ms (slowest)")
    return Outcome(Counter(processes=processes, writes=len(expected), recalls=len(expected)), failures)


# --- running them -------------------------------------------------------------------------------------------


def on_all_cores(attack: Callable[[int, int], Outcome], number: int) -> Outcome:
    """Divides an attack among processes."""
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        outcomes = list(pool.map(attack, [-(-number // WORKERS)] * WORKERS, range(WORKERS)))
    return sum(outcomes, Outcome())


def report(name: str, attack: Callable[[], Outcome]) -> int:
    """Runs an attack and prints its line; returns how often it failed."""
    start = time.perf_counter()
    outcome = attack()
    seconds = time.perf_counter() - start
    done = ", ".join(f"{number:,} {what}" for what, number in outcome.done.items())
    rate = f", {outcome.done['queries'] / seconds:.0f} queries/s" if outcome.done["queries"] else ""
    print(f"{name}: {done}, {len(outcome.failures)} failures ({seconds:.0f} s{rate})", flush=True)
    for failure in outcome.failures[:10]:
        print("  " + failure[:3000].replace("\n", "\n  "), flush=True)
    return len(outcome.failures)


def main() -> None:
    """Runs every attack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="all of it at full length")
    parser.add_argument("--queries", type=int, help="questions put to memory and model (200,000 or 10,000)")
    parser.add_argument("--kills", type=int, help="writers killed (1,000 or 100)")
    parser.add_argument("--flips", type=int, help="bits flipped (1,000 or 100)")
    parser.add_argument("--processes", type=int, default=8, help="that share a file")
    parser.add_argument("--seconds", type=float, help="for which they do (60 or 10)")
    parser.add_argument("--postgres", action="store_true", help="attack memories in Postgres")
    parser.add_argument("--steps", type=int, help="of plays on Postgres and SQLite (100,000 or 1,000)")
    parser.add_argument("--faults", type=int, help="of a Postgres server (200 or 10)")
    options = parser.parse_args()
    long = options.long
    if options.postgres:
        steps = options.steps if options.steps is not None else (100_000 if long else 1_000)
        faults = options.faults if options.faults is not None else (200 if long else 10)
        failures = report("Postgres beside SQLite", partial(on_all_cores, play_on_both, steps))
        failures += report("faults under load", partial(fail_under_load, faults))
        sys.exit(1 if failures else 0)
    queries = options.queries if options.queries is not None else (200_000 if long else 10_000)
    killed = options.kills if options.kills is not None else (1_000 if long else 100)
    flips = options.flips if options.flips is not None else (1_000 if long else 100)
    seconds = options.seconds if options.seconds is not None else (60.0 if long else 10.0)
    failures = report("oracle", partial(on_all_cores, play_against_model, queries))
    failures += report("kill -9", partial(on_all_cores, kill_writers, killed))
    failures += report("flipped bits", partial(on_all_cores, flip, flips))
    failures += report("shared file", partial(share_file, options.processes, seconds))
    if long:
        failures += report("hostile files", partial(read_hostile_files, 0, 0))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
