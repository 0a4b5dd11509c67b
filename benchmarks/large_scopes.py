"""Scopes larger than a worker's memory: the server's candidates beside the exact ranking of the same rows.

    python benchmarks/large_scopes.py --rows 100000 --texts DIALOGUES.jsonl.gz --postgres postgresql://...

Turns of real chats become one chat of one user, in a file; the file is copied to the server and indexed
there, and both are asked the same. The file's memory compares every vector in full, so it ranks exactly. Told
are the share of its first ten that the server's ten hold (recall@10), the median and the 99th percentile of a
recall, and the bytes and seconds that it took. What is there already is used again.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import resource
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.memory import copy, index_large
from romaine.memory import scope_index as exactness

WORLD = Scope(user="world", chat="all")
_AT_ONCE = 5_000
_WORDS = 4, 25  # of a turn that is asked as a question


def turns(texts: Path) -> Iterator[tuple[str, str]]:
    """Speaker and text of every turn, and when all are out, of every two that follow each other as one."""
    for joined in (False, True):
        with gzip.open(texts, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file):
                said = [(f"{who} {number % 997}", text) for who, text in json.loads(line)["turns"]]
                yield from (
                    ((who, f"{text} {after}") for (who, text), (_, after) in itertools.pairwise(said))
                    if (joined)
                    else said
                )


def fill(path: Path, rows: int, texts: Path) -> None:
    with RoleplayMemory(path, embedder=Embedder(dim=64), vector_format="float16") as memory:
        there = memory.stats(WORLD).total
        wanted = itertools.islice(turns(texts), there, rows)
        while batch := list(itertools.islice(wanted, _AT_ONCE)):
            memory.add_turns(WORLD, [Turn(text, speaker=who, role="character") for who, text in batch])


def questions(texts: Path, rows: int, count: int) -> list[str]:
    """Turns of chats that are not among the rows, or the last of them."""
    least, most = _WORDS
    held_back = itertools.islice(turns(texts), rows, None)
    fit = (text for _, text in held_back if least <= len(text.split()) <= most)
    return list(itertools.islice(fit, 0, 20 * count, 20))


def asked(memory: RoleplayMemory, queries: list[str]) -> tuple[list[list[str]], list[float]]:
    found, seconds = [], []
    memory.recall(queries[0], WORLD, k=10)
    for query in queries:
        began = time.perf_counter()
        hits = memory.recall(query, WORLD, k=10)
        seconds.append(time.perf_counter() - began)
        found.append([hit.memory.id for hit in hits])
    return found, seconds


def told(name: str, seconds: list[float]) -> None:
    p99 = float(np.percentile(seconds, 99))
    print(f"{name}: median {statistics.median(seconds) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")


def timed(what: str, begun: float) -> None:
    print(f"{what}: {time.perf_counter() - begun:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument(
        "--texts", type=Path, required=True, help="JSONL, gzipped: {turns: [[speaker, text]]}"
    )
    parser.add_argument("--postgres", required=True, help="URL of a server; a schema is made in it")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the file is put")
    given = parser.parse_args()
    path = given.folder / f"large-{given.rows}.db"
    began = time.perf_counter()
    fill(path, given.rows, given.texts)
    timed("the file", began)
    url = f"{given.postgres}{'&' if '?' in given.postgres else '?'}schema=large_{given.rows}"
    began = time.perf_counter()
    with RoleplayMemory(url, embedder=Embedder(dim=64), vector_format="halfvec") as memory:
        there = memory.stats(WORLD).total
    if there != given.rows:
        copied = copy(path, url).rows
        timed(f"copied and compared {copied} rows", began)
    began = time.perf_counter()
    timed(f"indexed {index_large(url, rows=given.rows // 2)} rows", began)
    queries = questions(given.texts, given.rows, given.questions)
    with RoleplayMemory(url, embedder=Embedder(dim=64)) as memory:
        began = time.perf_counter()
        memory.recall(queries[0], WORLD)
        timed("first recall of a fresh worker, on the server", began)
        found, seconds = asked(memory, queries)
        told("server", seconds)
        print(f"peak memory of the worker {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")
    exactness.EXACT_ROWS = 1 << 40  # no funnel: all vectors in full
    with RoleplayMemory(path, embedder=Embedder(), cache_bytes=1 << 40) as memory:
        began = time.perf_counter()
        memory.recall(queries[0], WORLD)
        timed("first recall, in memory", began)
        exact, seconds = asked(memory, queries)
        told("in memory, exact", seconds)
        print(f"index in memory {memory.index_bytes >> 20} MiB")
    pairs = [(ours, theirs) for ours, theirs in zip(found, exact, strict=True) if theirs]
    shares = [len({*ours} & {*theirs}) / len(theirs) for ours, theirs in pairs]
    same = sum(ours == theirs for ours, theirs in zip(found, exact, strict=True))
    print(f"recall@10 {statistics.mean(shares):.4f}; the same ten in order for {same} of {len(queries)}")


if __name__ == "__main__":
    main()
