"""Fits when a memory should say nothing, and measures how well that works.

All figures are leave-one-conversation-out, or a tenth of them if there are many: a conversation is judged by
what was fitted without it and its questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError
from romaine.evaluate.memory import Source, conversations_of
from romaine.evaluate.trials import Trials, gather
from romaine.memory.abstention import FEATURES, FEW, Calibration, HitCalibration, calibration_for

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_RIDGE = 1e-3
_NEWTON_STEPS = 30
_PARTS = 10  # conversations are left out one by one, or in so many parts


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """A calibration and what it does to conversations it was not fitted on.

    Attributes:
        calibration: Fitted on all of them.
        answerable: How many answerable questions were asked.
        unanswerable: How many others.
        silent: Share of the unanswerable for which nothing is returned, leave-one-conversation-out.
        recall: Recall@5 of the answerable without abstaining, see `Trials`.
        lost: How much of that abstaining costs, leave-one-conversation-out.
        shipped_silent: The same with the calibration that the model has now.
        shipped_lost: How much of the recall that costs.
        hit_error: How far the confidence of hits is from the share of them that are evidence, on average over
            ten bins of it (the expected calibration error of Naeini et al. 2015), leave-one-conversation-out.
    """

    calibration: Calibration
    answerable: int
    unanswerable: int
    silent: float
    recall: float
    lost: float
    shipped_silent: float
    shipped_lost: float
    hit_error: float

    def to_json(self) -> dict[str, Any]:
        """The figures, and the calibration as `calibrations.json` keeps it."""
        fitted, hit = self.calibration, self.calibration.hit
        return {
            "answerable": self.answerable,
            "unanswerable": self.unanswerable,
            "silent": self.silent,
            "recall@5": self.recall,
            "lost": self.lost,
            "shipped": {"silent": self.shipped_silent, "lost": self.shipped_lost},
            "hit_error": self.hit_error,
            "calibration": _logistic_json(fitted)
            | {
                "threshold": round(fitted.threshold, 4),
                "hit": _logistic_json(hit) | {"behind": round(hit.behind, 4)},
            },
        }


def calibrate(
    files: Iterable[Source],
    *,
    embedder: Embedder,
    loss: float = 0.02,
    features: Iterable[str] = FEATURES,
) -> CalibrationReport:
    """Fits a calibration for a model and judges it on conversations left out.

    Args:
        files: What `conversations_of` reads, with at least three conversations together.
        embedder: The model. One that was trained on these questions would promise too much.
        loss: How much recall@5 of the answerable questions may be lost where it is fitted.
        features: Those of `FEATURES` to use; the weight of the others is 0.

    Raises:
        OptionError: If there are fewer than three conversations, or a feature is unknown.
        FormatError: If a file cannot be read.
    """
    conversations = conversations_of(files)
    if len(conversations) < 3:
        raise OptionError(
            f"{len(conversations)} conversations are too few: at least 3 are needed, two to fit on"
            " and one to judge"
        )
    used = _feature_mask(features)
    trials = gather(conversations, embedder)
    silent = lost = 0.0
    sure: list[NDArray[np.float64]] = []
    right: list[NDArray[np.bool_]] = []
    asked_in, asked_about = trials.asked_in % _PARTS, trials.asked_about % _PARTS
    for left_out in range(min(len(conversations), _PARTS)):
        involved = (asked_in == left_out) | (asked_about == left_out)
        calibration = fit(trials.where(~involved), loss=loss, used=used)
        judged = trials.where(asked_in == left_out)
        quiet = cautious(calibration, judged) < calibration.threshold
        silent += float((quiet & ~judged.answerable).sum())
        lost += float(judged.recall[quiet].sum())
        there = ~np.isnan(judged.behind)
        sure.append(_hit_confidences(calibration.hit, judged)[there])
        right.append(judged.found[there])
    answerable = int(trials.answerable.sum())
    unanswerable = len(trials.recall) - answerable
    shipped = shipped_calibration(embedder)
    quiet = cautious(shipped, trials) < shipped.threshold
    return CalibrationReport(
        calibration=fit(trials, loss=loss, used=used),
        answerable=answerable,
        unanswerable=unanswerable,
        silent=silent / unanswerable,
        recall=float(trials.recall.sum()) / answerable,
        lost=lost / answerable,
        shipped_silent=float((quiet & ~trials.answerable).sum()) / unanswerable,
        shipped_lost=float(trials.recall[quiet].sum()) / answerable,
        hit_error=_calibration_error(np.concatenate(sure), np.concatenate(right)),
    )


def shipped_calibration(embedder: Embedder) -> Calibration:
    """What a memory that opens with this embedder and every default judges by."""
    return calibration_for(embedder.card.id, late=embedder.token_dim is not None)


def fit(trials: Trials, *, loss: float, used: NDArray[np.bool_]) -> Calibration:
    """Fits a logistic model and the threshold that costs `loss` of recall@5.

    An answerable question weighs as much as there is to lose by silence, its recall; the unanswerable
    together weigh about as much as the answerable.

    Args:
        trials: What to fit on.
        loss: See `calibrate`.
        used: Which features may have a weight, bool (features,).
    """
    answerable = trials.answerable
    weights = np.where(answerable, trials.recall, answerable.sum() / max((~answerable).sum(), 1))
    intercept, slopes = _fitted(trials.evidence, answerable, weights, used)
    calibration = Calibration(
        intercept=intercept,
        weights=tuple(slopes.tolist()),
        threshold=0.0,
        hit=_fit_hits(trials, used),
    )
    sureness = cautious(calibration, trials)[answerable]
    order = np.argsort(sureness)
    lost = np.cumsum(trials.recall[answerable][order]) / len(order)
    first_kept = min(int(np.searchsorted(lost, loss, side="right")), len(order) - 1)
    return replace(calibration, threshold=float(sureness[order[first_kept]]))


def _fit_hits(trials: Trials, used: NDArray[np.bool_]) -> HitCalibration:
    """Fits the model of single hits, those of answerable and of unanswerable questions in equal parts."""
    trial, rank = np.nonzero(~np.isnan(trials.behind))
    x = np.column_stack([trials.evidence[trial], trials.behind[trial, rank]])
    answerable = trials.answerable[trial]
    weights = np.where(answerable, 1.0, answerable.sum() / max((~answerable).sum(), 1))
    intercept, slopes = _fitted(x, trials.found[trial, rank], weights, np.append(used, True))
    return HitCalibration(
        intercept=intercept,
        weights=tuple(slopes[:-1].tolist()),
        behind=min(float(slopes[-1]), 0.0),
    )


def _fitted(
    x: NDArray[np.float64], y: NDArray[np.bool_], weights: NDArray[np.float64], used: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float64]]:
    """Intercept and slopes of a logistic model in which the columns of `x` not `used` have no part."""
    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    intercept, slopes = _logistic_regression((x - mean) / deviation * used, y.astype(np.float64), weights)
    slopes = slopes * used / deviation
    return intercept - float(slopes @ mean), slopes


def _logistic_regression(
    x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Weighted logistic regression with a small ridge, by Newton's method: intercept and slopes."""
    x = np.column_stack([np.ones(len(x)), x])
    ridge = np.eye(x.shape[1]) * _RIDGE * weights.sum()
    beta = np.zeros(x.shape[1])
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weights * (p - y)) + ridge @ beta
        hessian = (x * (weights * p * (1 - p))[:, None]).T @ x + ridge
        beta -= np.linalg.solve(hessian, gradient)
    return float(beta[0]), beta[1:]


def cautious(calibration: Calibration, trials: Trials) -> NDArray[np.float64]:
    """How sure a memory is of each trial that the answer is there, of a small chat as if it had `FEW` turns.

    Where that is under the threshold, `Calibration.speaks` is False.

    Returns:
        float64 (n,), 0 to 1.
    """
    evidence = trials.evidence.copy()
    size = FEATURES.index("size")
    evidence[:, size] = np.maximum(evidence[:, size], np.log(FEW))
    return _logistic(calibration.intercept + evidence @ np.array(calibration.weights))


def _hit_confidences(hit: HitCalibration, trials: Trials) -> NDArray[np.float64]:
    """How sure a memory is of each hit, NaN where there is none, (n, 5)."""
    best = hit.intercept + trials.evidence @ np.array(hit.weights)
    return _logistic(best[:, None] + hit.behind * trials.behind)


def _logistic(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))


def _calibration_error(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    bins = np.minimum((sure * 10).astype(int), 9)
    return sum(abs(float((sure[bins == i] - right[bins == i]).sum())) for i in np.unique(bins)) / len(sure)


def _logistic_json(model: Calibration | HitCalibration) -> dict[str, Any]:
    weights = zip(FEATURES, model.weights, strict=True)
    return {
        "intercept": round(model.intercept, 4),
        "weights": {name: round(weight, 4) for name, weight in weights},
    }


def _feature_mask(features: Iterable[str]) -> NDArray[np.bool_]:
    wanted = set(features)
    unknown = wanted - set(FEATURES)
    if unknown or not wanted:
        raise OptionError(f"features={sorted(wanted)} is not possible: choose from {', '.join(FEATURES)}")
    return np.array([name in wanted for name in FEATURES])
