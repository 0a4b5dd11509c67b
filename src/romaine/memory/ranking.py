"""The order of what is recalled: one pure function over candidate arrays.

A score is a sum of named parts, in units that compare: cosines count in standard deviations over the scope
(models spread theirs differently), words in nats of BM25 (a log-likelihood ratio, so the same in every
scope).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, top_k
from romaine.memory.candidates import Candidates, Spread


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How much each part counts.

    The first seven were chosen on LoCoMo conversations with leave-one-conversation-out, in round numbers,
    once for all models; the others are what breaks near-ties.

    Attributes:
        dense: Per standard deviation of the cosine with the memory.
        context: Per standard deviation of the cosine with the memory and its previous turn.
        lexical: Per nat of BM25.
        window: Per nat of the neighbours' BM25.
        speaker: For a memory whose speaker the query names.
        asks: For a turn that asks something: questions hold few answers.
        answers: For a turn right after one that asks.
        importance: For importance 1 rather than 0.
        recency: For the newest rather than the oldest.
        pinned: For a pinned memory.
        cold: What is left of a cold memory's score; a negative one is lowered by as much.
    """

    dense: float = 0.3
    context: float = 1.0
    lexical: float = 0.7
    window: float = 0.3
    speaker: float = 1.2
    asks: float = -1.0
    answers: float = 1.0
    importance: float = 0.5
    recency: float = 0.1
    pinned: float = 0.5
    cold: float = 0.7


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What is known of each candidate besides its text, `c` values each.

    Attributes:
        speaker_named: Whether the query names who said it, bool.
        importance: 0 to 1, float32.
        recency: 0 for the oldest to 1 for the newest of the scope, float32.
        pinned: Bool.
        cold: Bool.
    """

    speaker_named: NDArray[np.bool_]
    importance: FloatArray
    recency: FloatArray
    pinned: NDArray[np.bool_]
    cold: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Scores of candidates and what they are made of.

    Attributes:
        scores: float64 (c,).
        parts: Each part by name, float64 (c,); those of one candidate add up to its score.
    """

    scores: NDArray[np.float64]
    parts: Mapping[str, NDArray[np.float64]]

    def best(self, k: int) -> NDArray[np.intp]:
        """Indices of the `k` best candidates, best first, equal ones in order of insertion."""
        return top_k(self.scores, k)

    def parts_of(self, index: int) -> dict[str, float]:
        """The parts of one candidate's score that are not zero."""
        return {name: float(part[index]) for name, part in self.parts.items() if part[index]}


DEFAULT_WEIGHTS = Weights()


def rank(candidates: Candidates, signals: Signals, weights: Weights = DEFAULT_WEIGHTS) -> Ranking:
    """Scores candidates.

    Args:
        candidates: `c` candidates.
        signals: What else is known of them.
        weights: How much each part counts.

    Returns:
        Scores, and the parts that add up to them.
    """
    facts: dict[str, tuple[float, NDArray[Any]]] = {
        "dense": (weights.dense, standardised(candidates.dense, candidates.dense_spread)),
        "context": (weights.context, standardised(candidates.context, candidates.context_spread)),
        "lexical": (weights.lexical, candidates.lexical),
        "window": (weights.window, candidates.window),
        "speaker": (weights.speaker, signals.speaker_named),
        "question": (weights.asks, candidates.asks),
        "answer": (weights.answers, candidates.answers),
        "importance": (weights.importance, np.subtract(signals.importance, 1, dtype=np.float64)),
        "recency": (weights.recency, signals.recency),
        "pinned": (weights.pinned, signals.pinned),
    }
    parts = {name: np.multiply(fact, weight, dtype=np.float64) for name, (weight, fact) in facts.items()}
    # In their order, so that whoever adds them up again gets the same number.
    warm = parts["dense"].copy()
    for part in list(parts.values())[1:]:
        warm += part
    parts["cold"] = np.where(signals.cold, (weights.cold - 1) * np.abs(warm), 0.0)
    return Ranking(scores=warm + parts["cold"], parts=parts)


def standardised(cosines: FloatArray, spread: Spread) -> NDArray[np.float64]:
    """How many standard deviations each cosine is above the mean of the scope, float64 (c,)."""
    away = np.subtract(cosines, spread.mean, dtype=np.float64)
    away /= spread.deviation
    return away
