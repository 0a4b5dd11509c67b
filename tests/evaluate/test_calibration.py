from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder
from romaine.errors import OptionError
from romaine.evaluate.calibration import calibrate, cautious, fit
from romaine.evaluate.trials import Trials
from romaine.memory.abstention import FEATURES, FEW, Evidence

EVERY = np.ones(len(FEATURES), dtype=np.bool_)


def trials(count: int = 400, seed: int = 0) -> Trials:
    """Questions whose answerability shows in the first feature, with noise, and in no other."""
    random = np.random.default_rng(seed)
    asked_in = random.integers(0, 2, size=count)
    asked_about = random.integers(0, 2, size=count)
    answerable = asked_in == asked_about
    evidence = random.normal(size=(count, len(FEATURES)))
    evidence[:, 0] += 3 * answerable
    behind = np.sort(random.exponential(size=(count, 5)), axis=1)
    behind -= behind[:, :1]
    behind[::7, 3:] = np.nan  # chats of three turns
    return Trials(
        asked_in=asked_in,
        asked_about=asked_about,
        evidence=evidence,
        recall=np.where(answerable, random.choice([0.0, 1.0], p=[0.3, 0.7], size=count), 0.0),
        behind=behind,
        found=answerable[:, None] & (random.random((count, 5)) < np.exp(-behind)),
    )


def test_finds_the_figure_that_tells() -> None:
    weights = np.abs(fit(trials(), loss=0.02, used=EVERY).weights)
    assert weights.argmax() == 0
    assert weights[0] > 4 * weights[1:].max()


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.1])
def test_the_threshold_costs_what_it_may(loss: float) -> None:
    known = trials()
    calibration = fit(known, loss=loss, used=EVERY)
    quiet = cautious(calibration, known) < calibration.threshold
    lost = known.recall[quiet].sum() / known.answerable.sum()
    assert lost <= loss + 1e-9
    assert (quiet & ~known.answerable).sum() > 0


def test_trials_are_silent_where_a_memory_is() -> None:
    known = trials()
    size = FEATURES.index("size")
    known.evidence[:, size] = np.log(np.arange(len(known.evidence)) % (2 * FEW) + 1)
    calibration = fit(known, loss=0.1, used=EVERY)
    quiet = cautious(calibration, known) < calibration.threshold
    assert 0 < quiet.sum() < len(quiet)
    rows = [Evidence(**dict(zip(FEATURES, row, strict=True))) for row in known.evidence.tolist()]
    speaks = [calibration.speaks(evidence) for evidence in rows]
    assert (quiet == ~np.array(speaks)).all()


def test_features_left_out_have_no_weight() -> None:
    used = EVERY.copy()
    used[0] = False
    assert fit(trials(), loss=0.02, used=used).weights[0] == 0


def test_hits_are_judged_by_the_figure_that_tells_and_by_how_far_they_are_behind() -> None:
    hit = fit(trials(4000), loss=0.02, used=EVERY).hit
    assert np.abs(hit.weights).argmax() == 0
    assert hit.behind < -0.3


def test_says_what_the_present_calibration_does(files: list[Path]) -> None:
    figures = calibrate(files, embedder=Embedder()).to_json()["shipped"]
    assert 0 < figures["silent"] <= 1
    assert 0 <= figures["lost"] <= 1


def test_calibrates_a_model(files: list[Path]) -> None:
    report = calibrate(files, embedder=Embedder(), loss=0.0)
    assert (report.answerable, report.unanswerable) == (6, 12)
    assert 0 <= report.silent <= 1
    assert 0 <= report.lost <= report.recall <= 1
    assert 0 <= report.hit_error <= 0.5
    assert set(report.to_json()["calibration"]["hit"]) == {"intercept", "weights", "behind"}
    assert set(report.to_json()["calibration"]["weights"]) == set(FEATURES)


def test_too_little_to_judge_by_is_refused(files: list[Path]) -> None:
    with pytest.raises(OptionError, match="at least 3"):
        calibrate(files[:2], embedder=Embedder())


def test_unknown_features_are_refused(files: list[Path]) -> None:
    with pytest.raises(OptionError, match="cosine"):
        calibrate(files, embedder=Embedder(), features=["moon"])
