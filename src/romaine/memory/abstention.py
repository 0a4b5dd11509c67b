"""When nothing fits, say nothing: `min_score="auto"`.

A logistic model over five figures of a ranking tells how likely the question has an answer in the scope at
all. Its parameters are data, fitted per model by `romaine.evaluate.calibration.calibrate` and kept in
`calibrations.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from romaine.memory.candidates import Candidates
from romaine.memory.ranking import Ranking

GENERIC = "generic"
"""Name of the calibration of models without one of their own; it does not look at cosines."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What speaks for an answer being there.

    Attributes:
        cosine: The highest cosine of query and memory.
        word_share: The highest BM25 over the sum of the query's idf, about 0 to 1.5.
        score: The highest score of the ranking.
        known_share: Share of the query's idf in words that the scope knows, 0 to 1.
        unknown_name: 1 if the query names somebody or something the scope does not know, else 0.
    """

    cosine: float
    word_share: float
    score: float
    known_share: float
    unknown_name: float

    def to_array(self) -> NDArray[np.float64]:
        """The five figures in the order of the attributes, float64 (5,)."""
        return np.array([*vars(self).values()])


FEATURES = tuple(field.name for field in fields(Evidence))


def evidence_of(candidates: Candidates, ranking: Ranking) -> Evidence | None:
    """Sums a ranking up, or returns None if there are no candidates at all."""
    if not len(candidates):
        return None
    scale = candidates.best_possible or 1.0
    return Evidence(
        cosine=float(candidates.dense.max()),
        word_share=float(candidates.lexical.max()) / scale,
        score=float(ranking.scores.max()),
        known_share=candidates.known_share,
        unknown_name=float(candidates.unknown_name),
    )


@dataclass(frozen=True, kw_only=True)
class HitCalibration:
    """A fitted logistic model of how likely a hit holds an answer.

    Attributes:
        intercept: Its constant.
        weights: One for each of `FEATURES`.
        behind: For each point of score that a hit is behind the best one, 0 or less.
    """

    intercept: float
    weights: tuple[float, ...]
    behind: float

    def judge(self, evidence: Evidence | None) -> Callable[[float], float]:
        """Returns what makes of a hit's score by the default ranker how likely it holds an answer.

        Args:
            evidence: Of the recall; None only where there are no hits.

        Returns:
            A function to 0 to 1, the higher the higher the score.
        """
        if evidence is None:
            return lambda _: 0.0
        best = self.intercept + float(np.dot(self.weights, evidence.to_array()))
        return lambda score: _logistic(best + self.behind * (evidence.score - score))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted logistic model and where to cut it.

    Attributes:
        intercept: Its constant.
        weights: One for each of `FEATURES`.
        threshold: Confidence, 0 to 1, under which nothing is returned.
        hit: What judges single hits.
    """

    intercept: float
    weights: tuple[float, ...]
    threshold: float
    hit: HitCalibration

    def confidence(self, evidence: Evidence | None) -> float:
        """How likely the answer is in the scope, 0 to 1; 0 without evidence."""
        if evidence is None:
            return 0.0
        return _logistic(self.intercept + float(np.dot(self.weights, evidence.to_array())))

    def speaks(self, evidence: Evidence | None) -> bool:
        """Tells whether anything should be returned."""
        return evidence is not None and self.confidence(evidence) >= self.threshold


def _logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def calibration_for(model_id: str) -> Calibration:
    """Returns the calibration of a model, the generic one if it has none.

    Args:
        model_id: `ModelCard.id`.
    """
    known = _calibrations()
    return known.get(model_id, known[GENERIC])


@cache
def _calibrations() -> dict[str, Calibration]:
    text = resources.files("romaine.memory").joinpath("calibrations.json").read_text(encoding="utf-8")
    return {
        model: Calibration(
            intercept=entry["intercept"],
            weights=tuple(entry["weights"][name] for name in FEATURES),
            threshold=entry["threshold"],
            hit=HitCalibration(
                intercept=entry["hit"]["intercept"],
                weights=tuple(entry["hit"]["weights"][name] for name in FEATURES),
                behind=entry["hit"]["behind"],
            ),
        )
        for model, entry in json.loads(text).items()
    }
