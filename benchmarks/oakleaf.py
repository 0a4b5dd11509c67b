"""oakleaf, or another model with token vectors, on STSb and LoCoMo by its vectors alone, without a memory.

    python benchmarks/oakleaf.py MODEL Chat_1.json ... --sts stsb-en-dev.csv [--threads 1]

Recall@5 and @10 of the turns that answer a question: by cosine of each turn, by cosine of each turn with the
one before it, and by weighted MaxSim of the turn's tokens (with the turn before encoded), alone and with 0.3
of the better neighbour's added. Weights are inverse document frequencies over each conversation.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from romaine import Embedder
from romaine.arrays import top_k
from romaine.evaluate.memory import conversations_of
from romaine.evaluate.sts import evaluate_sts
from romaine.formats.locomo import Conversation
from romaine.memory.terms import document_text

_BESIDE = 0.3


def maxsim(
    query: NDArray[np.float32], shares: NDArray[np.float64], turns: list[NDArray[np.float32]]
) -> np.ndarray:
    """Weighted mean of each query token's highest cosine, float64 (turns,)."""
    starts = np.cumsum([0, *(len(turn) for turn in turns)])[:-1]
    best = np.maximum.reduceat(query @ np.concatenate(turns).T, starts, axis=1)
    return (shares / max(shares.sum(), 1e-9)) @ best


def rankings(embedder: Embedder, conversation: Conversation) -> dict[str, list[tuple[np.ndarray, set[int]]]]:
    """Scores of all turns and the evidence, for each question, by each way to score."""
    documents = [document_text(turn.text, turn.speaker) for turn in conversation.turns]
    before = [None, *documents[:-1]]
    number = {turn.source_id: place for place, turn in enumerate(conversation.turns)}
    plain = embedder.embed_documents(documents)
    context = embedder.embed_documents(
        [f"{p}\n{d}" if p else d for p, d in zip(before, documents, strict=True)]
    )
    tokens = embedder.embed_tokens(documents, previous=before)
    turns = [
        found.vectors if len(found.vectors) else np.zeros((1, embedder.token_dim or 1)) for found in tokens
    ]
    counts = Counter(int(token) for found in tokens for token in set(found.ids.tolist()))
    questions = [question.text for question in conversation.questions]
    asked = zip(
        conversation.questions,
        embedder.embed_queries(questions),
        embedder.embed_tokens(questions, query=True),
        strict=True,
    )
    scores = defaultdict(list)
    for question, vector, query in asked:
        evidence = {number[source_id] for source_id in question.evidence}
        shares = np.array([np.log((1 + len(documents)) / (1 + counts[int(token)])) for token in query.ids])
        own = maxsim(query.vectors, shares, turns)
        beside = np.maximum(np.concatenate([own[:1], own[:-1]]), np.concatenate([own[1:], own[-1:]]))
        scores["cosine"].append((plain @ vector, evidence))
        scores["cosine with the turn before"].append((context @ vector, evidence))
        scores["MaxSim"].append((own, evidence))
        scores["MaxSim, neighbours added"].append((own + _BESIDE * beside, evidence))
    return scores


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--sts", type=Path)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    embedder = Embedder(given.model, threads=given.threads)
    if given.sts:
        for dim, value in evaluate_sts(given.sts, embedder=embedder).spearman.items():
            print(f"{given.sts.stem} Spearman, {dim} dims: {value:.4f}")
    recalls = defaultdict(list)
    for conversation in conversations_of(given.files):
        for name, scored in rankings(embedder, conversation).items():
            for scores, evidence in scored:
                order = top_k(scores, 10).tolist()
                recalls[name].append([len(evidence & set(order[:k])) / len(evidence) for k in (5, 10)])
    for name, values in recalls.items():
        five, ten = np.mean(values, axis=0)
        print(f"{name}: recall@5 {five:.3f}, recall@10 {ten:.3f} ({len(values)} questions)")


if __name__ == "__main__":
    main()
