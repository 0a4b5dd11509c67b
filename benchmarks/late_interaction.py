"""Late interaction: what its vectors cost stored, computed or not at all.

    python benchmarks/late_interaction.py --model oakleaf [--sizes 5000 100000] [--written 500]
        [--queries 200] [--folder FOLDER] [--json]

Bytes and the time of a write are of `--written` turns that the model embeds. Recalls are timed over as many
turns as `--sizes` say, beside those of the core install's own model; embedding so many would take longer than
all else, so their vectors are mixed from those of 500 turns that the model embedded. Questions are embedded
by the model, which is part of what is timed. The ways answer all questions one after the other. A recall that
computes is timed twice over 400 turns: at first, when nothing is at hand, and when the same is asked again.
What is filled for that takes minutes and is used again where `--folder` says where to keep it. What it
finds more, `benchmarks/ranking.py` counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

_THREADS = 2
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, str(_THREADS))

import numpy as np  # noqa: E402 - threads must be set before
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from texts import chat_turns  # noqa: E402

from memory import SCOPE, questions_about, speak, timed  # noqa: E402
from romaine import Embedder, RoleplayMemory  # noqa: E402
from romaine.arrays import slice_dim  # noqa: E402
from romaine.token_vectors import TokenVectors  # noqa: E402

WAYS = ("off", "stored", "computed")
CORE, AGAIN = "little-gem, the core install", "computed, again"
TARGETS = {
    f"recall p50 ms, {CORE}": {5_000: 3.0, 100_000: 5.0},
    "recall p50 ms, stored": {5_000: 15.0, 100_000: 20.0},
}
_FIRST = 5  # questions before the clock is started
_COMPUTED = 3  # questions that are asked where vectors are computed, which takes seconds
_RANKS = (50, 95, 99)
_WRITTEN_AT_ONCE = 5_000
_EMBEDDED = 500  # turns that others are mixed from


class Mixed:
    """An embedder that mixes the vectors of what it keeps from those of some turns, and embeds what is asked.

    A vector is that of one turn with a share of another's, the tokens are those of the first: vectors lie as
    near each other as real ones, and no two are the same.
    """

    def __init__(self, embedder: Embedder, some: list[TokenVectors] | None = None) -> None:
        self._embedder = embedder
        self.card, self.fingerprint = embedder.card, f"mixed from {embedder.fingerprint}"
        self.dim, self.full_dim, self.token_dim = embedder.dim, embedder.full_dim, embedder.token_dim
        self.embed_queries, self.count_tokens = embedder.embed_queries, lambda texts: [1 for _ in texts]
        self._chance = np.random.default_rng(0)
        self._some = [] if some is None else some  # embedded when they are needed

    def with_dim(self, dim: int | None) -> Mixed:
        """The same at another dimension."""
        return Mixed(self._embedder.with_dim(dim), self._some)

    def embed_documents(self, texts: Iterable[str]) -> np.ndarray:
        """As many vectors as texts."""
        return slice_dim(self._mixed(len(list(texts)))[1], self.dim)

    def embed_tokens(
        self, texts: Sequence[str], *, query: bool = False, previous: Sequence[str | None] | None = None
    ) -> list[TokenVectors]:
        """Those of a question by the model, others mixed."""
        if query:
            return self._embedder.embed_tokens(texts, query=True, previous=previous)
        first, mixed = self._mixed(len(texts))
        vectors = slice_dim(mixed, self.dim)
        return [replace(self._some[i], pooled=each) for i, each in zip(first.tolist(), vectors, strict=True)]

    def _mixed(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        if not self._some:
            self._some += self._embedder.with_dim(None).embed_tokens(chat_turns(_EMBEDDED))
        pooled = np.stack([each.pooled for each in self._some])
        first, second = self._chance.integers(len(self._some), size=(2, count))
        share = self._chance.random((count, 1), dtype=np.float32)
        return first, pooled[first] + share * pooled[second]


def measure_writes(embedder: Embedder, count: int, folder: Path) -> dict[str, dict[str, float]]:
    """Bytes and milliseconds a turn of a file of its own for each way."""
    turns = speak(chat_turns(count))
    figures = {}
    for way in WAYS:
        path = folder / f"written-{way}.db"
        with RoleplayMemory(path, embedder=embedder, late_interaction=way) as memory:
            started = time.process_time()
            seconds, _ = timed(lambda: memory.add_turns(SCOPE, turns))
            spent = time.process_time() - started
        figures[way] = {
            "bytes a turn": path.stat().st_size / count,
            "write ms a turn": seconds / count * 1e3,
            "CPU ms a turn": spent / count * 1e3,
        }
    return figures


def filled(path: Path, embedder: Embedder | Mixed, texts: Sequence[str], **options: str) -> Path:
    """A file of turns; one that is there already is used again."""
    if not path.exists():
        with RoleplayMemory(path, embedder=embedder, **options) as memory:
            for start in range(0, len(texts), _WRITTEN_AT_ONCE):
                memory.add_turns(SCOPE, speak(texts)[start : start + _WRITTEN_AT_ONCE])
    return path


def measure_recalls(embedder: Embedder, size: int, queries: int, folder: Path) -> dict[str, dict[str, float]]:
    """Milliseconds of a recall, without any such model and each way, on files of `size` turns."""
    texts, core, mixed = chat_turns(size), Embedder(dim=64).warm_up(), Mixed(embedder)
    plain = filled(folder / f"core-{size}.db", core, texts)
    many = filled(folder / f"mixed-{size}.db", mixed, texts)
    # what is computed is of the model itself, so its file holds such vectors alone
    few = filled(folder / "computed.db", embedder, chat_turns(400), late_interaction="computed")
    asked = questions_about(texts, queries)
    times = {
        CORE: answered(RoleplayMemory(plain, embedder=core, read_only=True), asked),
        "off": answered(RoleplayMemory(many, embedder=mixed, read_only=True, late_interaction="off"), asked),
        "stored": answered(RoleplayMemory(many, embedder=mixed, read_only=True), asked),
    }
    for name in ("computed", AGAIN):
        times[name] = []
    with RoleplayMemory(few, embedder=embedder, read_only=True) as memory:
        memory.recall("", SCOPE)
        for question in asked[:_COMPUTED]:
            for name in ("computed", AGAIN):
                times[name].append(timed(partial(memory.recall, question, SCOPE))[0] * 1e3)
    return {
        name: {f"p{rank} ms": float(np.percentile(values, rank)) for rank in _RANKS}
        for name, values in times.items()
    }


def answered(memory: RoleplayMemory, asked: Sequence[str]) -> list[float]:
    """Milliseconds of each recall, once the index is loaded; closes the memory."""
    with memory:
        for question in ("", *asked[:_FIRST]):
            memory.recall(question, SCOPE)
        return [timed(partial(memory.recall, question, SCOPE))[0] * 1e3 for question in asked]


def encoding_ms(embedder: Embedder, asked: Sequence[str]) -> float:
    """The median milliseconds of embedding a question and its tokens alone."""
    full = embedder.with_dim(None)
    return statistics.median(
        timed(partial(full.embed_tokens, [question], query=True))[0] * 1e3 for question in asked
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="oakleaf")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--written", type=int, default=500)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    embedder = Embedder(options.model, dim=64, threads=_THREADS).warm_up()
    with tempfile.TemporaryDirectory() as name:
        writes = measure_writes(embedder, options.written, Path(name))
        kept = options.folder or Path(name)
        recalls = {size: measure_recalls(embedder, size, options.queries, kept) for size in options.sizes}
    encoding = encoding_ms(embedder, questions_about(chat_turns(200), 50))
    if options.json:
        print(json.dumps({"writes": writes, "recalls": recalls, "encoding ms": encoding}))
        return
    console = Console()
    table = Table("late_interaction", *next(iter(writes.values())), title=f"{options.written} turns written")
    for way, figures in writes.items():
        table.add_row(way, *(f"{value:,.1f}" for value in figures.values()))
    console.print(table)
    table = Table("late_interaction", *(f"{size:,}: p50 / p95 / p99 ms" for size in recalls), title="recall")
    for way in (CORE, *WAYS, AGAIN):
        cells = [
            " / ".join(f"{value:.1f}" for value in figures[way].values()) for figures in recalls.values()
        ]
        table.add_row(way, *cells)
    console.print(table)
    console.print(f"embedding a question: {encoding:.1f} ms of each; targets: {TARGETS}")


if __name__ == "__main__":
    main()
