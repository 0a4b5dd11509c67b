"""How well scores tell what matches from what does not, and where a threshold cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError
from romaine.evaluate.calibration import cautious, shipped_calibration
from romaine.evaluate.sts import ALIKE, UNLIKE, best_threshold
from romaine.evaluate.trials import gather
from romaine.formats.locomo import Conversation
from romaine.memory.terms import document_text

if TYPE_CHECKING:
    from romaine.embedder import Embedder
    from romaine.evaluate.sts import ScoredPairs


@dataclass(frozen=True, kw_only=True)
class Separation:
    """Scores of two kinds of pairs and the threshold that is to part them.

    Attributes:
        title: What was scored.
        score: What the score is.
        matching: Scores of pairs that belong together, float64 (n,), at least one.
        other: Scores of pairs that do not, float64 (m,), at least one.
        matching_name: What the former are, for people.
        other_name: What the latter are.
        threshold: Where the score is cut, or None.
        threshold_name: What the cut does.
    """

    title: str
    score: str
    matching: NDArray[np.float64]
    other: NDArray[np.float64]
    matching_name: str = "matching"
    other_name: str = "not matching"
    threshold: float | None = None
    threshold_name: str = "threshold"

    def __post_init__(self) -> None:
        for name, values in (("matching", self.matching), ("other", self.other)):
            if not len(values) or not bool(np.isfinite(values).all()):
                raise OptionError(f"{self.title}: {name} needs at least one score, all of them finite")

    @property
    def below(self) -> tuple[float, float] | None:
        """Shares of the matching and of the other pairs below the threshold; None if there is none."""
        if self.threshold is None:
            return None
        return float((self.matching < self.threshold).mean()), float((self.other < self.threshold).mean())

    @property
    def auc(self) -> float:
        """How likely a matching pair scores above another one, equal scores counting half: area under ROC."""
        order = np.sort(self.other)
        under = np.searchsorted(order, self.matching, side="left")
        up_to = np.searchsorted(order, self.matching, side="right")
        return float((under + up_to).mean() / 2 / len(order))

    def to_json(self) -> dict[str, Any]:
        """Counts, quartiles and what the threshold does; not the scores themselves."""
        below = self.below
        return {
            "title": self.title,
            "score": self.score,
            "matching": _summary(self.matching),
            "other": _summary(self.other),
            "auc": self.auc,
            "threshold": self.threshold,
            "matching_below": None if below is None else below[0],
            "other_below": None if below is None else below[1],
        }


def separation_of_questions(conversations: Sequence[Conversation], embedder: Embedder) -> Separation:
    """Puts every question to every chat: how sure is the memory that the answer is there?

    The score is the confidence on which ``min_score="auto"`` decides, the threshold the model's own.

    Raises:
        OptionError: If there are not two conversations, or questions of one only.
    """
    trials = gather(list(conversations), embedder)
    calibration = shipped_calibration(embedder)
    sureness = cautious(calibration, trials)
    return Separation(
        title="Questions put to a chat",
        score="confidence that the answer is there",
        matching=sureness[trials.answerable],
        other=sureness[~trials.answerable],
        matching_name="answered in this chat",
        other_name="about another chat",
        threshold=calibration.threshold,
        threshold_name='min_score="auto" says nothing below',
    )


def separation_of_turns(conversations: Sequence[Conversation], embedder: Embedder) -> Separation:
    """Cosines of questions and the turns of their chat, as a vector store compares them.

    Of a question that is a message of the chat those with the turns before it. The threshold is the cosine
    that best parts the turns that answer a question from all others.

    Raises:
        OptionError: If no turn answers a question, or all do.
    """
    matching, other = [], []
    for conversation in conversations:
        number = {turn.source_id: row for row, turn in enumerate(conversation.turns)}
        turns = embedder.embed_documents([document_text(t.text, t.speaker) for t in conversation.turns])
        cosines = embedder.embed_queries([question.text for question in conversation.questions]) @ turns.T
        answers = np.zeros(cosines.shape, dtype=np.bool_)
        there = np.ones_like(answers)
        for row, question in enumerate(conversation.questions):
            answers[row, [number[source_id] for source_id in question.evidence]] = True
            there[row, number.get(question.before, len(number)) :] = False
        matching.append(cosines[answers & there])
        other.append(cosines[~answers & there])
    best = best_threshold(np.concatenate(matching), np.concatenate(other))
    return Separation(
        title="Questions and turns",
        score="cosine",
        matching=np.concatenate(matching).astype(np.float64),
        other=np.concatenate(other).astype(np.float64),
        matching_name="answers the question",
        other_name="another turn of that chat",
        threshold=None if best is None else best.cosine,
        threshold_name="parts them best",
    )


def separation_of_pairs(pairs: ScoredPairs, embedder: Embedder) -> Separation:
    """Cosines of sentence pairs that people found alike and unlike, with the duplicate threshold.

    Raises:
        OptionError: If there is no pair of one kind.
    """
    left, right = embedder.embed_queries(pairs.left), embedder.embed_queries(pairs.right)
    cosines = np.einsum("ij,ij->i", left, right).astype(np.float64)
    return Separation(
        title="Pairs of sentences",
        score="cosine",
        matching=cosines[pairs.scores >= ALIKE],
        other=cosines[pairs.scores <= UNLIKE],
        matching_name=f"scored {ALIKE:g} or more of 5",
        other_name=f"scored {UNLIKE:g} or less",
        threshold=embedder.card.duplicate_threshold,
        threshold_name="two facts count as one from",
    )


def _summary(values: NDArray[np.float64]) -> dict[str, Any]:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return {"count": len(values), "lower_quartile": low, "median": middle, "upper_quartile": high}
