"""What a search found of the evidence of questions, and the figures made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

CUTOFFS = (1, 5, 10)
"""How many turns are looked at."""

MOST = max(CUTOFFS)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The ranks of one question's evidence.

    Attributes:
        ranks: 1-based rank of each turn of evidence that was found, ascending.
        evidence: How many turns of evidence there are.
        category: The file's name for the kind of question, or None.
        seconds: How long the answer took.
    """

    ranks: tuple[int, ...]
    evidence: int
    category: str | None = None
    seconds: float = 0.0

    def recall(self, k: int) -> float:
        """Share of the evidence among the first `k` turns."""
        return sum(rank <= k for rank in self.ranks) / self.evidence

    @property
    def reciprocal_rank(self) -> float:
        """1 / rank of the first evidence, 0 if none was found."""
        return 1 / self.ranks[0] if self.ranks else 0.0


@dataclass(frozen=True, kw_only=True)
class RecallFigures:
    """Means over questions.

    Attributes:
        questions: How many.
        hit_at_1: Share of questions whose first turn is evidence.
        hit_at_10: Share of those with any evidence among the first 10.
        all_at_10: Share of those with all their evidence there.
        recall: Share of the evidence among the first k, at each k of `CUTOFFS`.
        mrr_at_10: Mean of 1 / rank of the first evidence, 0 where it is not among the first 10.
    """

    questions: int
    hit_at_1: float
    hit_at_10: float
    all_at_10: float
    recall: dict[int, float]
    mrr_at_10: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> RecallFigures:
        """The means over some outcomes, at least one."""
        return cls(
            questions=len(outcomes),
            hit_at_1=_mean(1 in outcome.ranks for outcome in outcomes),
            hit_at_10=_mean(bool(outcome.ranks) for outcome in outcomes),
            all_at_10=_mean(len(outcome.ranks) == outcome.evidence for outcome in outcomes),
            recall={k: _mean(outcome.recall(k) for outcome in outcomes) for k in CUTOFFS},
            mrr_at_10=_mean(outcome.reciprocal_rank for outcome in outcomes),
        )

    def to_json(self) -> dict[str, Any]:
        """The figures under the names they are published with."""
        return {
            "questions": self.questions,
            "hit@1": self.hit_at_1,
            **{f"recall@{k}": value for k, value in self.recall.items()},
            "mrr@10": self.mrr_at_10,
            "hit@10": self.hit_at_10,
            "recall_all@10": self.all_at_10,
        }


def by_category(outcomes: Sequence[Outcome]) -> dict[str, RecallFigures]:
    """The figures of each category, in the order of their names; nothing where there are not two."""
    names = {outcome.category for outcome in outcomes}
    if len(names) < 2:
        return {}
    return {
        name or "none": RecallFigures.of([outcome for outcome in outcomes if outcome.category == name])
        for name in sorted(names, key=lambda name: name or "")
    }


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
