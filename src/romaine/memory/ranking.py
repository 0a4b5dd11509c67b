"""The order of what is recalled: a ranker scores candidates, a reranker looks at the first of them again.

A score is a sum of named parts. Those of `WeightedRanker`, the default, are in units that compare: cosines
count in standard deviations over the scope (models spread theirs differently), words in nats of BM25 (a
log-likelihood ratio, so the same in every scope).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from romaine.arrays import FloatArray, top_k
from romaine.errors import OptionError
from romaine.memory.candidates import Candidates, Spread
from romaine.memory.query import Query
from romaine.memory.records import Memory

NO_TURN = -1
"""Stands for the position of what is no turn of a chat."""


@dataclass(frozen=True, kw_only=True)
class Signals:
    """What is known of each candidate besides its text, `c` values each.

    Attributes:
        speaker_named: Whether the query names who said it, bool.
        importance: 0 to 1, float32.
        recency: 0 for the oldest to 1 for the newest of the scope, float32.
        pinned: Bool.
        cold: Bool.
        time: What being of a time that the query names says for it, in nats, float32; None if it names none,
            or none that tells some of the scope from others.
        late: How many standard deviations late interaction puts it above the mean of the candidates that were
            compared so, float64; None without.
        late_own: The same by the tokens of the candidate itself, over the mean of `late`; None without.
        late_around: The same by those of the candidate and of the turns beside it; None without.
        positions: Where it stands in the chat, int64; `NO_TURN` if it is no turn of one; None if unknown.
    """

    speaker_named: NDArray[np.bool_]
    importance: FloatArray
    recency: FloatArray
    pinned: NDArray[np.bool_]
    cold: NDArray[np.bool_]
    time: FloatArray | None = None
    late: NDArray[np.float64] | None = None
    late_own: NDArray[np.float64] | None = None
    late_around: NDArray[np.float64] | None = None
    positions: NDArray[np.int64] | None = None


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Scores of candidates and what they are made of.

    Attributes:
        scores: float64 (c,), finite; higher is better.
        parts: Each part by name, float64 (c,); those of one candidate add up to its score.
        leading: Indices of the candidates that a reranker has put first, in its order, intp (n,).
    """

    scores: NDArray[np.float64]
    parts: Mapping[str, NDArray[np.float64]]
    leading: NDArray[np.intp] | None = None

    def best(self, k: int) -> NDArray[np.intp]:
        """Indices of the `k` best candidates, best first, equal ones in order of insertion."""
        if self.leading is None:
            return top_k(self.scores, k)
        others = top_k(self.scores, k + len(self.leading))
        return np.append(self.leading, others[~np.isin(others, self.leading)])[:k]

    def parts_of(self, index: int) -> dict[str, float]:
        """The parts of one candidate's score that are not zero."""
        return self.parts_of_each(np.array([index]))[0]

    def parts_of_each(self, indices: NDArray[np.intp]) -> list[dict[str, float]]:
        """The parts of some candidates' scores that are not zero, of each in the order of `indices` (n,)."""
        of = getattr(self.parts, "of", None)  # of parts that are made only when they are looked at
        parts = of(indices) if of else {name: part[indices] for name, part in self.parts.items()}
        table = np.array([*parts.values()], dtype=np.float64).reshape(len(parts), len(indices))
        return [{name: x for name, x in zip(parts, each, strict=True) if x} for each in table.T.tolist()]

    def with_part(self, name: str, values: ArrayLike) -> Ranking:
        """The ranking with one part more, or more of one that is there.

        Args:
            name: The part's name in `Hit.parts`.
            values: What each score gains, float (c,).
        """
        gained = np.asarray(values, dtype=np.float64)
        part = self.parts[name] + gained if name in self.parts else gained
        return Ranking(scores=self.scores + gained, parts={**self.parts, name: part})


class Ranker(Protocol):
    """What decides the order of a recall: ``RoleplayMemory(path, ranker=...)``.

    Asked once in every recall that finds candidates, from whichever thread recalls, so it must be safe to
    call from many; it must not call the memory.
    """

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """Scores candidates.

        Args:
            query: What is looked for.
            candidates: `c` candidates, one at least, and what speaks for each.
            signals: What else is known of them.

        Returns:
            `c` finite scores, and the parts that add up to them.
        """
        ...


class Reranker(Protocol):
    """What looks at the first candidates again, e.g. a cross-encoder: ``RoleplayMemory(path, reranker=...)``.

    As with a `Ranker`, many threads may call it and it must not call the memory. While it works, recalls of
    the same scope that have something new to take in wait for it.
    """

    def rerank(self, query: Query, memories: Sequence[Memory]) -> ArrayLike:
        """Judges memories.

        Args:
            query: What is looked for: `text` is the latest message, `messages` are all that were given.
            memories: The first `n`, one at least, the best first; whoever asks may see all of them.

        Returns:
            A finite score for each, float (n,), in any unit; higher is better.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How much each part of a score of `WeightedRanker` counts.

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
        time: Per nat that a memory's time says, if the query names one.
        importance: For importance 1 rather than 0.
        recency: For the newest rather than the oldest.
        pinned: For a pinned memory.
        cold: What is left of a cold memory's score; a negative one is lowered by as much.
        late: Per standard deviation of late interaction, where there is any.

    Raises:
        OptionError: If one is not a finite number.
    """

    dense: float = 0.3
    context: float = 1.0
    lexical: float = 0.7
    window: float = 0.3
    speaker: float = 1.2
    asks: float = -1.0
    answers: float = 1.0
    time: float = 0.7
    importance: float = 0.5
    recency: float = 0.1
    pinned: float = 0.5
    cold: float = 0.7
    late: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise OptionError(f"{name}={value!r} is no weight: give a finite number")


@dataclass(frozen=True)
class WeightedRanker:
    """The default ranker: each signal times its weight.

    Attributes:
        weights: How much each part counts.
    """

    weights: Weights = Weights()

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:  # noqa: ARG002
        """Scores candidates; see `Ranker.rank`."""
        weights = self.weights
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
        if signals.time is not None:
            facts["time"] = (weights.time, signals.time)
        if signals.late is not None:
            facts["late"] = (weights.late, signals.late)
        table = np.empty((len(facts), len(candidates)))
        for row, (_, fact) in zip(table, facts.values(), strict=True):
            row[:] = fact
        table *= np.array([weight for weight, _ in facts.values()])[:, None]
        parts = dict(zip(facts, table, strict=True))
        warm = table[0].copy()
        for part in table[1:]:  # in their order, so that whoever adds them up again gets the same number
            warm += part
        parts["cold"] = np.where(signals.cold, (weights.cold - 1) * np.abs(warm), 0.0)
        return Ranking(scores=warm + parts["cold"], parts=parts)


DEFAULT_RANKER = WeightedRanker()
"""What ranks first where the caller gives nothing else, and what calibrations judge by whatever ranks."""


def standardised(cosines: FloatArray, spread: Spread) -> NDArray[np.float64]:
    """How many standard deviations each cosine is above the mean of the scope, float64 (c,)."""
    away = np.subtract(cosines, spread.mean, dtype=np.float64)
    away /= spread.deviation
    return away
