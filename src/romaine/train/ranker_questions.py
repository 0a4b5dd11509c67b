"""Questions as a ranker sees them: the features of the first candidates, and which of these are evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.evaluate.memory import ConversationMemory
from romaine.formats.locomo import Conversation
from romaine.memory.candidates import Candidates
from romaine.memory.features import FIRST, features_of
from romaine.memory.query import Query
from romaine.memory.ranking import DEFAULT_RANKER, Ranking, Signals

if TYPE_CHECKING:
    from romaine.embedder import Embedder


@dataclass(frozen=True, eq=False)
class RankedQuestions:
    """Candidates of `q` questions, those of one after the other, the best of the usual ranking first.

    Attributes:
        features: float32 (n, features).
        scores: By the usual ranker, float64 (n,).
        right: Whether it is evidence, bool (n,).
        counts: Candidates of each question, int64 (q,).
        evidence: How many turns answer each, found or not, int64 (q,).
    """

    features: FloatArray
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    counts: NDArray[np.int64]
    evidence: NDArray[np.int64]

    @property
    def question(self) -> NDArray[np.int64]:
        """Number of the question of each candidate, int64 (n,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def rank(self) -> NDArray[np.int64]:
        """Place of each in the usual ranking, from 0, int64 (n,)."""
        starts = np.cumsum(self.counts) - self.counts
        return np.arange(len(self.scores)) - np.repeat(starts, self.counts)

    def first(self, count: int) -> RankedQuestions:
        """No more than `count` candidates of each question."""
        keep = self.rank < count
        return RankedQuestions(
            self.features[keep],
            self.scores[keep],
            self.right[keep],
            np.minimum(self.counts, count),
            self.evidence,
        )

    def recall(self, k: int, added: NDArray[np.float64] | float = 0.0) -> float:
        """Mean recall at `k` when so much is added to the usual scores, float64 (n,)."""
        scores, question = self.scores + added, self.question
        order = np.lexsort((self.rank, -scores, question))
        among = self.rank < k  # the k first places of each question
        found = np.bincount(question[order][among & self.right[order]], minlength=len(self.counts))
        return float((found / self.evidence).mean())


class _Collector:
    """Ranks as usual, and keeps what a learned ranker would see."""

    def __init__(self) -> None:
        self.seen: tuple[FloatArray, NDArray[np.float64], NDArray[np.int64]]

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """As the usual ranker."""
        usual = DEFAULT_RANKER.rank(query, candidates, signals)
        first = usual.best(FIRST)
        if signals.positions is not None:  # there are turns only
            number = np.searchsorted(np.sort(signals.positions), signals.positions[first])
            self.seen = features_of(query, candidates, signals, usual, first), usual.scores[first], number
        return usual


def ask_all(conversations: Sequence[Conversation], embedder: Embedder) -> RankedQuestions:
    """Asks every question of every conversation.

    Args:
        conversations: Each searched on its own.
        embedder: Must not have been trained on these questions: its cosines would promise too much.
    """
    features: list[FloatArray] = []
    scores: list[NDArray[np.float64]] = []
    right: list[NDArray[np.bool_]] = []
    evidence: list[int] = []
    for conversation in conversations:
        spoken = [turn.source_id for turn in conversation.turns if turn.text.strip()]
        collector = _Collector()
        with ConversationMemory(conversation, embedder, ranker=collector) as memory:
            for question in conversation.questions:
                memory.find(question.text, 1)
                wanted = {*question.evidence}
                described, usual, numbers = collector.seen
                features.append(described)
                scores.append(usual)
                right.append(np.array([spoken[number] in wanted for number in numbers.tolist()]))
                evidence.append(len(wanted))
    counts = [len(usual) for usual in scores]
    return RankedQuestions(
        np.concatenate(features),
        np.concatenate(scores),
        np.concatenate(right),
        np.array(counts, dtype=np.int64),
        np.array(evidence, dtype=np.int64),
    )
