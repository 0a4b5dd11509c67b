"""Many scopes in one file: is a recall any slower per scope than in a file of its own?

    python benchmarks/scopes.py [--scopes 1000] [--size 1000] [--asked 60] [--json]

One file gets `--scopes` chats of `--size` turns, another a single one of them. The same questions are put to
scopes drawn at random in the large file and to the one in the small file, interleaved: "first" is a recall
that has to load its scope, "next" one that finds it loaded.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from texts import chat_turns

from romaine import Embedder, RoleplayMemory, Scope, Turn


def scope(number: int) -> Scope:
    return Scope(user=f"user {number}", character="Cassian", chat="tavern")


def turns(number: int, size: int) -> list[Turn]:
    texts = chat_turns(size, seed=number)
    return [Turn(text, speaker=("Ana", "Cassian")[i % 2], role="user") for i, text in enumerate(texts)]


def milliseconds(memory: RoleplayMemory, question: str, where: Scope) -> float:
    start = time.perf_counter()
    memory.recall(question, where, k=5)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scopes", type=int, default=1000)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--asked", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    embedder = Embedder(dim=64).warm_up()
    times: dict[str, list[float]] = {
        "many, first": [],
        "many, next": [],
        "alone, first": [],
        "alone, next": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        many, alone = Path(folder) / "many.db", Path(folder) / "alone.db"
        start = time.perf_counter()
        with RoleplayMemory(many, embedder=embedder) as memory:
            for number in range(options.scopes):
                memory.add_turns(scope(number), turns(number, options.size))
        rate = options.scopes * options.size / (time.perf_counter() - start)
        with RoleplayMemory(alone, embedder=embedder) as memory:
            memory.add_turns(scope(0), turns(0, options.size))
        asked = random.Random(0).sample(range(options.scopes), min(options.asked, options.scopes))
        with RoleplayMemory(many, embedder=embedder) as memory:
            for number in asked:
                question = f"Who said anything about {number} letters and the silver key?"
                times["many, first"].append(milliseconds(memory, question, scope(number)))
                times["many, next"].append(milliseconds(memory, question, scope(number)))
                with RoleplayMemory(alone, embedder=embedder) as single:
                    times["alone, first"].append(milliseconds(single, question, scope(0)))
                    times["alone, next"].append(milliseconds(single, question, scope(0)))
        size = many.stat().st_size
    medians = {name: statistics.median(values) for name, values in times.items()}
    if options.json:
        print(json.dumps({"milliseconds": medians, "import_turns_per_second": rate, "file_bytes": size}))
        return
    table = Table("", "first ms", "next ms", title=f"{options.scopes} scopes of {options.size} in one file")
    for name in ("many", "alone"):
        table.add_row(name, f"{medians[f'{name}, first']:.1f}", f"{medians[f'{name}, next']:.1f}")
    Console().print(table)
    print(f"imported {rate:,.0f} turns/s; the file has {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
