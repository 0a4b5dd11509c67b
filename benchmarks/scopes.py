"""Many scopes in one file, many threads, and writes in between.

    python benchmarks/scopes.py [--scopes 1000] [--size 1000] [--asked 60] [--seconds 5] [--large] [--json]

Is a recall any slower per scope than in a file of its own? One file gets `--scopes` chats of `--size` turns,
another a single one of them. The same questions are put to scopes drawn at random in the large file and to
the one in the small file, interleaved: "first" is a recall that has to load its scope, "next" one that finds
it loaded.

Do threads help? One thread and four put questions to one chat of 5,000 turns, in turns of `--seconds`.

Does it hold at size? With `--large`, which takes minutes and 5 GB of memory: four threads put questions to
500 scopes of 2,000 turns while turns are written at 15 a second; and a recall right after each kind of write
to a scope of 500,000.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from texts import chat_turns

from romaine import Embedder, RoleplayMemory, Scope, Turn


def scope(number: int) -> Scope:
    return Scope(user=f"user {number}", character="Cassian", chat="tavern")


_AT_ONCE = 10_000  # turns of one write
_THREADS = 4
_THREADS_SIZE = 5_000
_LARGE_SCOPES, _LARGE_SCOPE_SIZE, _WRITES_A_SECOND = 500, 2_000, 15
_LARGEST_SCOPE = 500_000
_LARGE_CACHE = 16 << 30


def turns(number: int, size: int) -> list[Turn]:
    texts = chat_turns(size, seed=number)
    return [Turn(text, speaker=("Ana", "Cassian")[i % 2], role="user") for i, text in enumerate(texts)]


def fill(memory: RoleplayMemory, number: int, size: int) -> None:
    """Puts `size` turns into a scope, many at a time."""
    said = turns(number, size)
    for start in range(0, size, _AT_ONCE):
        memory.add_turns(scope(number), said[start : start + _AT_ONCE])


def milliseconds(memory: RoleplayMemory, question: str, where: Scope) -> float:
    start = time.perf_counter()
    memory.recall(question, where, k=5)
    return (time.perf_counter() - start) * 1e3


def many_or_alone(embedder: Embedder, scopes: int, size: int, asked: int) -> dict[str, float]:
    """Medians in ms in a file of many scopes and in one of its own, turns/s of the import, and bytes."""
    names = ("many, first", "many, next", "alone, first", "alone, next")
    times: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        many, alone = Path(folder) / "many.db", Path(folder) / "alone.db"
        start = time.perf_counter()
        with RoleplayMemory(many, embedder=embedder) as memory:
            for number in range(scopes):
                fill(memory, number, size)
        rate = scopes * size / (time.perf_counter() - start)
        with RoleplayMemory(alone, embedder=embedder) as memory:
            fill(memory, 0, size)
        with RoleplayMemory(many, embedder=embedder) as memory:
            for number in random.Random(0).sample(range(scopes), min(asked, scopes)):
                question = f"Who said anything about {number} letters and the silver key?"
                times["many, first"].append(milliseconds(memory, question, scope(number)))
                times["many, next"].append(milliseconds(memory, question, scope(number)))
                with RoleplayMemory(alone, embedder=embedder) as single:
                    times["alone, first"].append(milliseconds(single, question, scope(0)))
                    times["alone, next"].append(milliseconds(single, question, scope(0)))
        figures = {name: statistics.median(values) for name, values in times.items()}
        return {**figures, "import turns/s": rate, "file bytes": many.stat().st_size}


def asking(memory: RoleplayMemory, scopes: int, threads: int, seconds: float) -> list[float]:
    """Milliseconds of all the recalls that `threads` threads manage in some seconds, over so many scopes."""
    found: list[list[float]] = [[] for _ in range(threads)]
    end = time.perf_counter() + seconds

    def ask(thread: int) -> None:
        draw = random.Random(thread)
        while time.perf_counter() < end:
            question = f"Who said anything about {draw.randrange(10_000)} letters and the silver key?"
            found[thread].append(milliseconds(memory, question, scope(draw.randrange(scopes))))

    together(ask, threads)
    return [value for values in found for value in values]


def together(work: Callable[[int], None], threads: int) -> None:
    """Runs `work` with 0 to threads - 1, each in a thread, and waits for all."""
    started = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def one_thread_or_four(embedder: Embedder, seconds: float) -> dict[str, float]:
    """Recalls/s of one thread and of four over one scope, medians of interleaved rounds."""
    rates: dict[int, list[float]] = {1: [], _THREADS: []}
    with (
        tempfile.TemporaryDirectory() as folder,
        RoleplayMemory(Path(folder) / "threads.db", embedder=embedder) as memory,
    ):
        fill(memory, 0, _THREADS_SIZE)
        asking(memory, 1, _THREADS, 0.5)
        for _ in range(3):
            for threads, measured in rates.items():
                measured.append(len(asking(memory, 1, threads, seconds / 3)) * 3 / seconds)
    one, four = (statistics.median(measured) for measured in rates.values())
    return {"1 thread, recalls/s": one, f"{_THREADS} threads, recalls/s": four, "ratio": four / one}


def threads_and_writes(embedder: Embedder, seconds: float) -> dict[str, float]:
    """Recalls/s and their times in ms over a million memories, while turns are written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.db"
        with RoleplayMemory(path, embedder=embedder, cache_bytes=_LARGE_CACHE) as memory:
            for number in range(_LARGE_SCOPES):
                fill(memory, number, _LARGE_SCOPE_SIZE)
            for number in range(_LARGE_SCOPES):
                memory.recall("Where is the silver key?", scope(number))
            over, written = threading.Event(), 0

            def write() -> None:
                nonlocal written
                start = time.perf_counter()
                while not over.wait(max(0.0, start + written / _WRITES_A_SECOND - time.perf_counter())):
                    memory.add_turns(scope(written % _LARGE_SCOPES), turns(10_000 + written, 1))
                    written += 1

            writer = threading.Thread(target=write)
            writer.start()
            times = asking(memory, _LARGE_SCOPES, _THREADS, seconds)
            over.set()
            writer.join()
    return {
        "recalls/s": len(times) / seconds,
        "writes/s": written / seconds,
        **{f"p{share} ms": float(np.percentile(times, share)) for share in (50, 99)},
    }


def after_a_write(embedder: Embedder) -> dict[str, float]:
    """Milliseconds of the recall after each kind of write to a large scope: the longest of some."""
    where, question = scope(0), "Who hid the silver key?"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "largest.db"
        with RoleplayMemory(path, embedder=embedder, cache_bytes=_LARGE_CACHE) as memory:
            fill(memory, 0, _LARGEST_SCOPE)
        with RoleplayMemory(path, embedder=embedder, cache_bytes=_LARGE_CACHE) as memory:
            figures = {"load and first recall": milliseconds(memory, question, where)}
            figures["no write"] = milliseconds(memory, question, where)
            ids = iter([found.id for found in memory.list(where, limit=20, offset=_LARGEST_SCOPE // 2)])
            writes: dict[str, Callable[[], object]] = {
                "a turn": lambda: memory.add_turns(where, turns(1, 1)),
                "1,000 turns": lambda: memory.add_turns(where, turns(1, 1000)),
                "a fact": lambda: memory.add_fact(where, "The lantern belongs to Tomas."),
                "update": lambda: memory.update(where, next(ids), text="The lantern is out."),
                "forget": lambda: memory.forget(where, next(ids)),
            }
            for name, write in writes.items():
                times = []
                for _ in range(4):
                    write()
                    times.append(milliseconds(memory, question, where))
                figures[f"after {name}"] = max(times)
    return figures


def line(title: str, figures: dict[str, float]) -> str:
    return f"{title}: " + "; ".join(f"{name} {value:,.1f}" for name, value in figures.items())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scopes", type=int, default=1000)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--asked", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    embedder = Embedder(dim=64).warm_up()
    figures = {
        "scopes": many_or_alone(embedder, options.scopes, options.size, options.asked),
        "threads": one_thread_or_four(embedder, options.seconds),
    }
    if options.large:
        figures["a million in 500 scopes"] = threads_and_writes(embedder, options.seconds)
        figures["500,000 in one scope, ms"] = after_a_write(embedder)
    if options.json:
        print(json.dumps(figures))
        return
    many = figures.pop("scopes")
    table = Table("", "first ms", "next ms", title=f"{options.scopes} scopes of {options.size} in one file")
    for name in ("many", "alone"):
        table.add_row(name, f"{many[f'{name}, first']:.1f}", f"{many[f'{name}, next']:.1f}")
    Console().print(table)
    print(f"imported {many['import turns/s']:,.0f} turns/s; the file has {many['file bytes'] / 1e6:,.0f} MB")
    for title, values in figures.items():
        print(line(title, values))


if __name__ == "__main__":
    main()
