"""A model in several languages: similarity, questions and paragraphs, across languages, LoCoMo, speed.

    python benchmarks/multilingual.py MODEL... --data DATA [--only sts qa ...] [--json]

DATA has `stsb/`, `multilingual/` and `locomo/`. Questions and paragraphs are the lines that the recipe of
little-gem-multilingual leaves out (`KEPT`); the paragraphs of a language are the turns of one chat, in an
order of chance. "words" is the memory without vectors, "meaning" cosine alone, "both" the memory as it ranks.
Across languages the collection is every English paragraph of XQuAD's shared half, and `kept` counts the
questions that were left out alone. Which lines belong together there is told by
`romaine.train.parallel.aligned` with the Universal Sentence Encoder.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.evaluate.memory import evaluate_memory
from romaine.evaluate.sts import ScoredPairs, evaluate_sts, iter_scored_pairs
from romaine.memory.ranking import WeightedRanker, Weights
from romaine.train.parallel import aligned
from romaine.train.teacher import Side, UseTeacher

LANGUAGES = ("ko", "ja", "zh", "de", "fr", "es", "ru")
KEPT = {
    "ko": ((10_801, 11_738), (15_501, 15_883), (24_501, 25_370)),
    "ja": ((27_001, 30_000),),
    "zh-TW": ((3_101, 3_524),),
    "zh": ((501, 628),),
    "de": ((501, 628),),
    "es": ((501, 628),),
    "ru": ((501, 628),),
}
"""First and last of the lines of `multilingual/qa` that were not trained on, counted from 1."""

_JSTS_FROM = 11_201
_SCOPE = Scope(user="bench", chat="paragraphs")
_MOST = 500  # questions asked of a language
_TURNS = 2500
_ROUNDS = 6

Pairs = list[tuple[str, str]]


def read_pairs(data: Path, language: str) -> Pairs:
    """Questions with what answers them."""
    with gzip.open(data / f"multilingual/qa/{language}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [(pair["query"], pair["positive"]) for pair in map(json.loads, file)]


def similarity(embedder: Embedder, data: Path) -> dict[str, float]:
    """Spearman of each language's dev set, and of the lines of JSTS that were left out."""
    files = {name: data / f"multilingual/sts/{name}-dev.csv" for name in LANGUAGES}
    files["en"] = data / "stsb/stsb-en-dev.csv"
    rows = {name: list(iter_scored_pairs(file)) for name, file in files.items()}
    rows["jsts"] = list(iter_scored_pairs(data / "multilingual/sts/jsts-train.csv.gz"))[_JSTS_FROM - 1 :]
    figures = {}
    for name, found in rows.items():
        left, right, scores = zip(*found, strict=True)
        pairs = ScoredPairs(left=left, right=right, scores=np.asarray(scores))
        report = evaluate_sts(pairs, embedder=embedder)
        figures |= {f"sts {name} {dim}": value for dim, value in report.spearman.items()}
    return figures


def paragraphs(embedder: Embedder, data: Path) -> dict[str, float]:
    """R@1 of the paragraph that answers a question: by words, by meaning, by both."""
    figures = {}
    rankers = {"words": WeightedRanker(Weights(dense=0.0, context=0.0)), "both": None}
    for language, spans in KEPT.items():
        pairs = read_pairs(data, language)
        kept = [pair for n, pair in enumerate(pairs, 1) if any(a <= n <= b for a, b in spans)]
        documents = list(dict.fromkeys(positive for _, positive in kept))
        random.Random(0).shuffle(documents)
        place = {text: number for number, text in enumerate(documents)}
        asked = random.Random(1).sample(kept, min(_MOST, len(kept)))
        finds: dict[str, Callable[[str], int]] = {}
        vectors = embedder.embed_documents(documents)
        finds["meaning"] = lambda question, vectors=vectors: int(
            np.argmax(vectors @ embedder.embed_query(question))
        )
        for name, ranker in rankers.items():
            memory = RoleplayMemory(":memory:", embedder=embedder, ranker=ranker)
            memory.add_turns(
                _SCOPE,
                [Turn(text, speaker="Mara", role="user", source_id=str(n)) for text, n in place.items()],
            )
            finds[name] = lambda question, memory=memory: int(
                next((hit.memory.source_id for hit in memory.recall(question, _SCOPE, k=1)), -1)
            )
        for name in ("words", "meaning", "both"):
            hits = [finds[name](question) == place[positive] for question, positive in asked]
            figures[f"qa {language} {name}"] = float(np.mean(hits))
    return figures


def across(embedder: Embedder, data: Path) -> dict[str, float]:
    """R@1 of the English paragraph, among all, for questions in other languages."""
    english = read_pairs(data, "en")
    documents = list(dict.fromkeys(positive for _, positive in english))
    place = {text: number for number, text in enumerate(documents)}
    vectors = embedder.embed_documents(documents)
    teacher = UseTeacher()
    theirs = teacher.encode([question for question, _ in english], Side.QUERY)
    figures = {}
    for language in ("en", "de", "es", "ru", "zh"):
        pairs = read_pairs(data, language)
        ours = teacher.encode([question for question, _ in pairs], Side.QUERY)
        found = aligned(ours, theirs)
        queries = embedder.embed_queries([pairs[one][0] for one, _ in found])
        best = np.argmax(queries @ vectors.T, axis=1)
        hits = best == [place[english[other][1]] for _, other in found]
        figures[f"across {language}"] = float(np.mean(hits))
        figures[f"across {language} kept"] = float(np.mean(hits[found[:, 0] >= KEPT["de"][0][0] - 1]))
    return figures


def chats(embedder: Embedder, data: Path) -> dict[str, float]:
    """Recall@5 on LoCoMo conversations 1 to 5, by cosine and by the memory."""
    files = sorted((data / "locomo").glob("Chat_[1-5]_*.json"))
    return {
        f"locomo {mode}": evaluate_memory(files, embedder=embedder, mode=mode).recall[5]
        for mode in ("dense", "hybrid")
    }


def speed(embedder: Embedder, data: Path) -> dict[str, float]:
    """Turns of chats embedded in a second of CPU time, the median of rounds that have turns of their own."""
    files = {"en": "dialogues/dialogues", "ja": "multilingual/chats/ja", "zh": "multilingual/chats/zh"}
    figures = {}
    for language, file in files.items():
        turns: list[str] = []
        with gzip.open(data / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                turns += [text for _, text in json.loads(line)["turns"]]
                if len(turns) >= _TURNS * _ROUNDS:
                    break
        rates = []
        for start in range(0, _TURNS * _ROUNDS, _TURNS):
            part = turns[start : start + _TURNS]
            began = time.process_time()
            embedder.embed_documents(part)
            rates.append(len(part) / (time.process_time() - began))
        figures[f"texts/s {language}"] = float(np.median(rates[1:]))  # the first one warms up
    return figures


PARTS: dict[str, Callable[[Embedder, Path], dict[str, float]]] = {
    "sts": similarity,
    "qa": paragraphs,
    "across": across,
    "locomo": chats,
    "speed": speed,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", help="names or folders")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found: dict[str, dict[str, Any]] = {}
    for model in options.models:
        embedder = Embedder(model)
        found[model] = {}
        for part in options.only:
            found[model] |= PARTS[part](embedder, options.data)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name in found[options.models[0]]:
        print(f"{name:20}", *(f"{figures[name]:10.3f}" for figures in found.values()))


if __name__ == "__main__":
    main()
