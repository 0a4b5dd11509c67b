"""When nothing fits, say nothing: `min_score="auto"`.

A logistic model over a few figures of a ranking tells how likely the question has an answer in the scope at
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
from romaine.memory.query import Query
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
        named: 1 if the query names who said one of the candidates, -1 if it names others alone, else 0.
        stands_out: How far the highest BM25 is above the tenth, over the sum of the query's idf.
        asked: The sum of the query's idf in nats: one that asks for more scores more.
        size: The natural logarithm of how many memories were searched, of 6 at least: of more the best is
            better by chance.
        late: The highest late interaction of the query with a turn of the first candidates, -1 to 1; 0
            without late interaction.
    """

    cosine: float
    word_share: float
    score: float
    known_share: float
    unknown_name: float
    named: float = 0.0
    stands_out: float = 0.0
    asked: float = 0.0
    size: float = 0.0
    late: float = 0.0

    def to_array(self) -> NDArray[np.float64]:
        """The figures in the order of the attributes, float64 (10,)."""
        return np.array([*vars(self).values()])


FEATURES = tuple(field.name for field in fields(Evidence))


_CROWD = 10  # rank of the candidate that the best one by words stands out against
_FEWEST = 6  # chats of fewer are as sure as these: there were hardly any to fit on
FEW = 24
"""A scope of fewer memories must be as sure as if it had these: few messages have to do with so little."""


def evidence_of(
    query: Query, candidates: Candidates, ranking: Ranking, *, late: float = 0.0
) -> Evidence | None:
    """Sums a ranking up, or returns None if there are no candidates at all.

    Args:
        query: What is looked for.
        candidates: What was found.
        ranking: By the usual ranker.
        late: See `Evidence`.
    """
    if not len(candidates):
        return None
    scale = candidates.best_possible or 1.0
    # sorted, since most are 0: looking for a place among equal ones takes ten times as long
    words = np.sort(candidates.lexical)[-_CROWD:]
    names_speaker = bool(ranking.parts["speaker"].any())
    return Evidence(
        cosine=float(candidates.dense.max()),
        word_share=float(words[-1]) / scale,
        score=float(ranking.scores.max()),
        known_share=candidates.known_share,
        unknown_name=float(candidates.unknown_name),
        named=1.0 if names_speaker else -1.0 if query.names else 0.0,
        stands_out=float(words[-1] - words[0]) / scale,
        asked=candidates.best_possible,
        size=math.log(max(candidates.searched or 0, len(candidates), _FEWEST)),
        late=late,
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
        threshold: Confidence, 0 to 1, under which nothing is returned, for a scope of `FEW` memories or more.
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

    def least(self, evidence: Evidence | None) -> float:
        """Confidence, 0 to 1, under which nothing is returned: a small scope must be surer.

        It must be as sure as it would be of the same figures if it had `FEW` memories.
        """
        missing = 0.0 if evidence is None else max(0.0, math.log(FEW) - evidence.size)
        slope = self.weights[FEATURES.index("size")]
        return _logistic(math.log(self.threshold / (1 - self.threshold)) - missing * slope)

    def speaks(self, evidence: Evidence | None) -> bool:
        """Tells whether anything should be returned."""
        return evidence is not None and self.confidence(evidence) >= self.least(evidence)


def _logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def calibration_for(model_id: str, *, late: bool = False) -> Calibration:
    """Returns the calibration of a model, the generic one if it has none.

    Args:
        model_id: `ModelCard.id`.
        late: Whether there is late interaction; one that was fitted with it is no use without.
    """
    known = _calibrations()
    own = known.get(model_id, known[GENERIC])
    return own if late or not own.weights[FEATURES.index("late")] else known[GENERIC]


@cache
def _calibrations() -> dict[str, Calibration]:
    text = resources.files("romaine.memory").joinpath("calibrations.json").read_text(encoding="utf-8")
    return {
        model: Calibration(
            intercept=entry["intercept"],
            weights=tuple(entry["weights"].get(name, 0.0) for name in FEATURES),
            threshold=entry["threshold"],
            hit=HitCalibration(
                intercept=entry["hit"]["intercept"],
                weights=tuple(entry["hit"]["weights"].get(name, 0.0) for name in FEATURES),
                behind=entry["hit"]["behind"],
            ),
        )
        for model, entry in json.loads(text).items()
    }
