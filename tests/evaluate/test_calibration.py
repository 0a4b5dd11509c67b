from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder
from romaine.errors import OptionError
from romaine.evaluate.calibration import Trials, calibrate, fit, gather
from romaine.formats.locomo import Conversation, Question, Session, read_conversation
from romaine.memory.abstention import FEATURES
from romaine.memory.records import Turn

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
    logits = calibration.intercept + known.evidence @ np.array(calibration.weights)
    quiet = 1 / (1 + np.exp(-logits)) < calibration.threshold
    lost = known.recall[quiet].sum() / known.answerable.sum()
    assert lost <= loss + 1e-9
    assert (quiet & ~known.answerable).sum() > 0


def test_features_left_out_have_no_weight() -> None:
    used = EVERY.copy()
    used[0] = False
    assert fit(trials(), loss=0.02, used=used).weights[0] == 0


def test_hits_are_judged_by_the_figure_that_tells_and_by_how_far_they_are_behind() -> None:
    hit = fit(trials(4000), loss=0.02, used=EVERY).hit
    assert np.abs(hit.weights).argmax() == 0
    assert hit.behind < -0.3


def test_every_question_is_put_to_every_conversation(files: list[Path]) -> None:
    gathered = gather([read_conversation(file) for file in files], Embedder())
    assert len(gathered.recall) == 18
    assert gathered.answerable.sum() == 6
    assert not gathered.recall[~gathered.answerable].any()


def test_a_message_of_the_chat_is_not_put_to_it(files: list[Path]) -> None:
    chats = [read_conversation(file) for file in files]
    first = chats[0]
    said = first.turns[2]
    message = Question(text=said.text, evidence=(str(first.turns[0].source_id),), before=said.source_id)
    with_message = [replace(first, questions=(*first.questions, message)), *chats[1:]]
    assert len(gather(with_message, Embedder()).recall) == len(gather(chats, Embedder()).recall)


def test_a_question_is_not_put_to_another_chat_that_holds_its_answer(files: list[Path]) -> None:
    chats = [read_conversation(file) for file in files]
    asked = gather([*chats, replace(chats[0], name="the same again")], Embedder())
    assert not ((asked.asked_in == 0) & (asked.asked_about == len(chats))).any()
    assert ((asked.asked_in == 1) & (asked.asked_about == len(chats))).any()


def test_half_of_the_questions_of_other_chats_are_about_strangers() -> None:
    def chat(name: str) -> Conversation:
        turns = tuple(
            Turn(f"{name}, number {number}.", speaker="Bruno Vega", role="user", source_id=str(number))
            for number in range(3)
        )
        asked = tuple(
            Question(text=f"What has Bruno to do with {n} and the sea?", evidence=("1",)) for n in range(40)
        )
        session = Session(number=1, at=None, turns=turns)
        return Conversation(
            name=name, speakers=("Bruno Vega",), sessions=(session,), questions=asked, skipped=()
        )

    trials = gather([chat("Ship"), chat("Harbour")], Embedder())
    named = trials.evidence[:, FEATURES.index("named")]
    assert (named[trials.answerable] == 1).all()
    about_bruno = (named[~trials.answerable] == 1).mean()
    assert 0.3 < about_bruno < 0.7
    assert set(named[~trials.answerable]) == {1, -1}


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
