"""Late interaction: what it finds more, and what its vectors cost stored, computed or not at all.

    python benchmarks/late_interaction.py --model oakleaf [--sizes 5000 100000] [--written 500] [--queries 60]
        [--locomo FILE...] [--evidence FILE...] [--chats 3] [--json]

Bytes and the time of a write are of `--written` turns that the model embeds. Recalls are timed over as many
turns as `--sizes` say; embedding those would take longer than all else, so their vectors are mixed from those
of 500 turns that the model embedded. Questions are embedded by the model, which is part
of what is timed. The ways answer every question one after another. A recall that computes is timed twice: at
first, when nothing is at hand, and when the same is asked again.

With files, recall@5 and @10 are counted without late interaction, with the tokens of each turn alone, with
those of it and the turns next to it, and with the mean of both, which is what a memory does. `--evidence`
takes JSON lines of {"turns": [[speaker, text], ...], "questions": [{"query", "evidence": [turn, ...]}]}, gzip
or not, of which the first `--chats` are asked.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

_THREADS = 2
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, str(_THREADS))

import numpy as np  # noqa: E402 - threads must be set before
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from texts import chat_turns  # noqa: E402

from memory import SCOPE, questions_about, speak, timed  # noqa: E402
from romaine import Embedder, RoleplayMemory, Turn  # noqa: E402
from romaine.arrays import slice_dim  # noqa: E402
from romaine.evaluate.memory import CUTOFFS, ConversationMemory, Outcome, ask, conversations_of  # noqa: E402
from romaine.formats.locomo import Conversation, Question, Session  # noqa: E402
from romaine.memory import Candidates, Query, Ranking, Signals, WeightedRanker, Weights  # noqa: E402
from romaine.memory.late import Late  # noqa: E402
from romaine.token_vectors import TokenVectors  # noqa: E402

WAYS = ("off", "stored", "computed")
TARGETS = {"recall p50 ms, stored": {5_000: 15.0, 100_000: 20.0}}
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
        self._some = some or embedder.with_dim(None).embed_tokens(chat_turns(_EMBEDDED))
        self._pooled = np.stack([each.pooled for each in self._some])

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
        first, second = self._chance.integers(len(self._some), size=(2, count))
        share = self._chance.random((count, 1), dtype=np.float32)
        return first, self._pooled[first] + share * self._pooled[second]


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


def measure_recalls(embedder: Embedder, size: int, queries: int, folder: Path) -> dict[str, dict[str, float]]:
    """Milliseconds of a recall, each way, on a file of `size` turns."""
    texts = chat_turns(size)
    path = folder / f"recalled-{size}.db"
    with RoleplayMemory(path, embedder=Mixed(embedder)) as memory:
        memory.add_turns(SCOPE, speak(texts))
    asked = questions_about(texts, queries)
    times: dict[str, list[float]] = {name: [] for name in (*WAYS, "computed, again")}
    # what is computed is of the model itself, so its file holds such vectors alone
    few = folder / f"computed-{size}.db"
    with RoleplayMemory(few, embedder=embedder, late_interaction="computed") as memory:
        memory.add_turns(SCOPE, speak(chat_turns(min(size, 400))))
    opened = {
        "off": RoleplayMemory(path, embedder=Mixed(embedder), read_only=True, late_interaction="off"),
        "stored": RoleplayMemory(path, embedder=Mixed(embedder), read_only=True),
        "computed": RoleplayMemory(few, embedder=embedder, read_only=True),
    }
    for memory in opened.values():
        memory.recall("", SCOPE)  # loads the index
    for number, question in enumerate(asked):
        for way, memory in opened.items():
            if way != "computed" or number < 3:
                for name in (way, "computed, again") if way == "computed" else (way,):
                    times[name].append(timed(lambda: memory.recall(question, SCOPE))[0] * 1e3)  # noqa: B023
    for memory in opened.values():
        memory.close()
    return {
        name: {"p50 ms": statistics.median(values), "p95 ms": float(np.percentile(values, 95))}
        for name, values in times.items()
    }


def encoding_ms(embedder: Embedder, asked: Sequence[str]) -> float:
    """The median milliseconds of embedding a question and its tokens alone."""
    full = embedder.with_dim(None)
    return statistics.median(
        timed(lambda: full.embed_tokens([question], query=True))[0] * 1e3  # noqa: B023
        for question in asked
    )


# --- what it finds ----------------------------------------------------------------------------------------


class Switched:
    """The default ranker, with late interaction or without."""

    def __init__(self) -> None:
        self.usual = WeightedRanker()

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """As `Ranker.rank`."""
        return self.usual.rank(query, candidates, signals)


def chats_of(path: Path, most: int) -> Iterator[Conversation]:
    """The first conversations of a file of evidence."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in islice(lines, most):
            chat = json.loads(line)
            turns = tuple(
                Turn(text, speaker=name or None, role="character", source_id=str(number))
                for number, (name, text) in enumerate(chat["turns"])
            )
            questions = tuple(
                Question(text=each["query"], evidence=tuple(map(str, each["evidence"])))
                for each in chat["questions"]
                if each["evidence"]
            )
            session = Session(number=1, at=None, turns=turns)
            yield Conversation(name=None, speakers=(), sessions=(session,), questions=questions, skipped=())


def measure_gains(embedder: Embedder, conversations: Iterable[Conversation]) -> dict[str, dict[str, float]]:
    """recall@5 and @10 of each variant over all questions."""
    both = Late.values
    variants = {
        "off": (0.0, both),
        "own": (Weights().late, property(lambda late: late.own)),
        "around": (Weights().late, property(lambda late: late.around)),
        "own and around": (Weights().late, both),
    }
    outcomes: dict[str, list[Outcome]] = {name: [] for name in variants}
    ranker = Switched()
    for conversation in conversations:
        with ConversationMemory(conversation, embedder, ranker=ranker) as memory:
            for name, (weight, values) in variants.items():
                ranker.usual, Late.values = WeightedRanker(Weights(late=weight)), values
                outcomes[name] += ask(conversation, lambda question: memory.find(question, max(CUTOFFS)))
    Late.values = both
    return {
        name: {f"recall@{k}": statistics.fmean(o.recall(k) for o in found) for k in (5, 10)}
        | {"questions": len(found)}
        for name, found in outcomes.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="oakleaf")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--written", type=int, default=500)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--locomo", type=Path, nargs="*", default=[])
    parser.add_argument("--evidence", type=Path, nargs="*", default=[])
    parser.add_argument("--chats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    embedder = Embedder(options.model, dim=64, threads=_THREADS).warm_up()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writes = measure_writes(embedder, options.written, folder)
        recalls = {size: measure_recalls(embedder, size, options.queries, folder) for size in options.sizes}
    gains = {"LoCoMo": measure_gains(embedder, conversations_of(options.locomo))} if options.locomo else {}
    for file in options.evidence:
        gains[file.name] = measure_gains(embedder, chats_of(file, options.chats))
    encoding = encoding_ms(embedder, questions_about(chat_turns(200), 50))
    if options.json:
        print(json.dumps({"writes": writes, "recalls": recalls, "encoding ms": encoding, "gains": gains}))
        return
    console = Console()
    table = Table("late_interaction", *next(iter(writes.values())), title=f"{options.written} turns written")
    for way, figures in writes.items():
        table.add_row(way, *(f"{value:,.1f}" for value in figures.values()))
    console.print(table)
    table = Table("late_interaction", *(f"{size:,}: p50 / p95 ms" for size in recalls), title="recall")
    for way in (*WAYS, "computed, again"):
        cells = [figures[way] for figures in recalls.values()]
        table.add_row(way, *(f"{cell['p50 ms']:.1f} / {cell['p95 ms']:.1f}" for cell in cells))
    console.print(table)
    for name, figures in gains.items():
        table = Table(
            "late interaction", "recall@5", "recall@10", title=f"{name}: {figures['off']['questions']}"
        )
        for variant, found in figures.items():
            table.add_row(variant, f"{found['recall@5']:.3f}", f"{found['recall@10']:.3f}")
        console.print(table)
    console.print(f"embedding a question: {encoding:.1f} ms of each; targets: {TARGETS}")


if __name__ == "__main__":
    main()
