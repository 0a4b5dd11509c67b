"""What each framework's adapter adds to `Embedder` itself, for 1,000 documents on the bundled model.

    python benchmarks/adapters.py [--count 1000] [--rounds 41] [--json]

Two costs are not the adapter's. The frameworks want lists of Python floats; that is
`embed_documents(...).tolist()`. And LlamaIndex and Haystack do work around any embedder, events that hold
all vectors and a copy of each document; the least class that their users could write themselves shows it.
An adapter's overhead is what it takes beyond both, as a share of embedding. Within a round all embed the
same new texts, after one unmeasured pass that makes every token known; the order changes from round to
round, and figures are medians of the rounds' differences.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from texts import chat_turns

TARGET = 0.05
VECTORS = "Embedder"
LISTS = "Embedder and .tolist()"
BASELINES = {"LangChain": LISTS, "LlamaIndex": "LlamaIndex, least class", "Haystack": "Haystack, least class"}
"""Each adapter, and what its framework cannot do without."""

Prepare = Callable[[Sequence[str]], Callable[[], Any]]
"""Takes texts, returns what is timed."""


def contestants() -> dict[str, Prepare]:
    """`Embedder` as it is, with the conversion to lists, and each adapter as its framework calls it."""
    from dataclasses import replace

    from haystack import Document
    from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder
    from langchain_romaine import RomaineEmbeddings
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.embeddings.romaine import RomaineEmbedding

    from romaine import Embedder

    class Least(BaseEmbedding):
        """The shortest class that LlamaIndex takes."""

        def _get_query_embedding(self, query: str) -> list[float]:
            return embedder.embed_query(query).tolist()

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return embedder.embed_query(query).tolist()

        def _get_text_embedding(self, text: str) -> list[float]:
            return embedder.embed_documents([text])[0].tolist()

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return embedder.embed_documents(texts).tolist()

    embedder = Embedder().warm_up()
    langchain = RomaineEmbeddings()
    llama_index = RomaineEmbedding()
    least = Least(embed_batch_size=llama_index.embed_batch_size)
    haystack = RomaineDocumentEmbedder()
    haystack.warm_up()

    def least_of_haystack(texts: Sequence[str]) -> Callable[[], Any]:
        documents = [Document(content=text) for text in texts]

        def run() -> dict[str, list[Document]]:
            vectors = embedder.embed_documents([document.content or "" for document in documents]).tolist()
            return {"documents": [replace(d, embedding=v) for d, v in zip(documents, vectors, strict=True)]}

        return run

    def of_documents(texts: Sequence[str]) -> Callable[[], Any]:
        documents = [Document(content=text) for text in texts]
        return lambda: haystack.run(documents)

    return {
        VECTORS: lambda texts: lambda: embedder.embed_documents(texts),
        LISTS: lambda texts: lambda: embedder.embed_documents(texts).tolist(),
        "LangChain": lambda texts: lambda: langchain.embed_documents(list(texts)),
        "LlamaIndex": lambda texts: lambda: llama_index.get_text_embedding_batch(list(texts)),
        "LlamaIndex, least class": lambda texts: lambda: least.get_text_embedding_batch(list(texts)),
        "Haystack": of_documents,
        "Haystack, least class": least_of_haystack,
    }


def seconds(call: Callable[[], Any]) -> float:
    gc.collect()  # 400,000 floats of the call before are not this one's to tidy up
    start = time.perf_counter()
    result = call()
    taken = time.perf_counter() - start
    del result
    return taken


def measure(count: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each contestant in each round."""
    prepare = contestants()
    names = list(prepare)
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        texts = chat_turns(count, seed=number)
        calls = {name: prepare[name](texts) for name in names}
        for call in calls.values():
            call()
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            times[name].append(seconds(calls[name]))
    return times


def overheads(times: dict[str, list[float]]) -> dict[str, float]:
    """What each adapter takes beyond its baseline, as a share of the time of the vectors."""
    vectors = statistics.median(times[VECTORS])
    return {
        name: statistics.median(a - b for a, b in zip(times[name], times[baseline], strict=True)) / vectors
        for name, baseline in BASELINES.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    times = measure(options.count, options.rounds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    shares = overheads(times)
    if options.json:
        print(json.dumps({"seconds": medians, "overhead": shares}))
        return
    table = Table("", "ms", "overhead", "target", title=f"{options.count:,} documents, bundled model")
    for name, median in medians.items():
        share = f"{shares[name]:+.1%}" if name in shares else ""
        table.add_row(name, f"{median * 1000:.1f}", share, f"{TARGET:.0%}" if name in shares else "")
    Console().print(table)


if __name__ == "__main__":
    main()
