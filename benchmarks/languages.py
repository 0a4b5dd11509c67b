"""Whether a question finds the passage that answers it, language by language: by words, by meaning, by both.

    python benchmarks/languages.py DATA/qa/*.jsonl.gz [--analyzer default ...] [--model little-gem ...]

Each file has one `{"query", "positive", "source"}` a line. All passages of a file (of one source where it has
several) are one memory; hit@1 is the share of questions whose first hit is their passage, of at most
`--questions` spread evenly over the file.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.memory.language import analyzer_named
from romaine.memory.lexical import LexicalIndex
from romaine.memory.terms import term_ids, word_terms

_SCOPE = Scope(user="benchmark")


def read(path: Path, questions: int) -> dict[str, list[tuple[str, str]]]:
    """Questions and passages by source."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in map(json.loads, file):
            found[line["source"]].append((line["query"], line["positive"]))
    return {source: pairs[:: -(-len(pairs) // questions)] for source, pairs in found.items()}


def by_words(pairs: list[tuple[str, str]], name: str) -> float:
    """Hit@1 of BM25 over an analyzer's terms; a question's stop words count only if it has no other."""
    analyzer = analyzer_named(name)
    passages = list(dict.fromkeys(passage for _, passage in pairs))
    index = LexicalIndex()
    index.add([term_ids(passage, analyzer) for passage in passages])
    hits = 0
    for question, passage in pairs:
        words = analyzer.words(question)
        content = [word for word in words if not word.is_stop] or words
        scores = index.match(word_terms(content)).scores
        hits += bool(scores.max() > 0) and passages[int(scores.argmax())] == passage
    return hits / len(pairs)


def by_meaning(pairs: list[tuple[str, str]], embedder: Embedder) -> float:
    """Hit@1 of cosine."""
    passages = list(dict.fromkeys(passage for _, passage in pairs))
    vectors = embedder.embed_documents(passages)
    nearest = (embedder.embed_queries([question for question, _ in pairs]) @ vectors.T).argmax(axis=1)
    return float(
        np.mean([passages[row] == passage for row, (_, passage) in zip(nearest, pairs, strict=True)])
    )


def by_both(pairs: list[tuple[str, str]], name: str, embedder: Embedder) -> float:
    """Hit@1 of a memory."""
    passages = dict.fromkeys(passage for _, passage in pairs)
    with RoleplayMemory(":memory:", embedder=embedder, analyzer=name) as memory:
        memory.add_turns(_SCOPE, [Turn(passage, speaker="-", role="user") for passage in passages])
        hits = [memory.recall(question, _SCOPE, k=1)[0].memory.text for question, _ in pairs]
    return float(np.mean([hit == passage for hit, (_, passage) in zip(hits, pairs, strict=True)]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--analyzer", nargs="+", default=["default"])
    parser.add_argument("--model", nargs="*", default=["little-gem"], help="none at all: words alone")
    parser.add_argument("--questions", type=int, default=1000)
    chosen = parser.parse_args()
    for path in chosen.files:
        for source, pairs in read(path, chosen.questions).items():
            figures = [f"words ({name}) {by_words(pairs, name):.3f}" for name in chosen.analyzer]
            for model in chosen.model:
                embedder = Embedder(model).warm_up()
                figures.append(f"meaning ({model}) {by_meaning(pairs, embedder):.3f}")
                figures += [
                    f"both ({name}, {model}) {by_both(pairs, name, embedder):.3f}" for name in chosen.analyzer
                ]
            print(path.name, source, len(pairs), *figures, sep="  ", flush=True)


if __name__ == "__main__":
    main()
