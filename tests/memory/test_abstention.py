from __future__ import annotations

import math
from dataclasses import replace

import pytest

from romaine import RoleplayMemory, Scope, Turn
from romaine.memory.abstention import (
    FEATURES,
    GENERIC,
    Calibration,
    Evidence,
    HitCalibration,
    calibration_for,
    evidence_of,
)
from tests.memory.test_ranking import QUERY, candidates, rank, signals

STRONG = Evidence(
    cosine=0.9,
    word_share=1.0,
    score=12.0,
    known_share=1.0,
    unknown_name=0.0,
    named=1.0,
    stands_out=0.6,
    asked=9.0,
    size=6.0,
    late=0.9,
)
WEAK = Evidence(cosine=0.1, word_share=0.1, score=1.0, known_share=0.2, unknown_name=1.0, asked=9.0, size=6.0)


@pytest.mark.parametrize("model", ["little-gem", "sentence-transformers/all-MiniLM-L6-v2", "somebody/else"])
def test_every_model_speaks_on_strong_evidence_and_is_silent_on_weak(model: str) -> None:
    calibration = calibration_for(model)
    assert calibration.speaks(STRONG)
    assert not calibration.speaks(WEAK)
    assert 0 < calibration.confidence(WEAK) < calibration.threshold < calibration.confidence(STRONG) < 1


def test_a_model_without_a_calibration_gets_the_generic_one_that_ignores_cosines() -> None:
    calibration = calibration_for("somebody/else")
    assert calibration == calibration_for(GENERIC)
    assert dict(zip(FEATURES, calibration.weights, strict=True))["cosine"] == 0


def test_nothing_found_is_nothing_to_say() -> None:
    assert evidence_of(QUERY, candidates(0), rank(candidates(0), signals(0))) is None
    calibration = calibration_for(GENERIC)
    assert calibration.confidence(None) == 0
    assert not calibration.speaks(None)


def test_evidence_sums_a_ranking_up() -> None:
    found = candidates(dense=[0.1, 0.8, 0.2], lexical=[0, 1.5, 3], best_possible=6.0, known_share=0.5)
    ranking = rank(found, signals())
    assert evidence_of(QUERY, found, ranking, late=0.7) == Evidence(
        cosine=pytest.approx(0.8),
        word_share=pytest.approx(0.5),
        score=float(ranking.scores.max()),
        known_share=0.5,
        unknown_name=0.0,
        named=0.0,
        stands_out=0.5,
        asked=6.0,
        size=pytest.approx(math.log(20)),
        late=0.7,
    )


def test_the_size_is_that_of_all_that_was_searched() -> None:
    found = candidates(searched=500)
    evidence = evidence_of(QUERY, found, rank(found, signals()))
    assert evidence is not None
    assert evidence.size == pytest.approx(math.log(500))


def test_the_best_by_words_stands_out_from_the_tenth() -> None:
    found = candidates(12, lexical=[*range(12)], best_possible=10.0)
    evidence = evidence_of(QUERY, found, rank(found, signals(12)))
    assert evidence is not None
    assert evidence.stands_out == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("named", "names", "figure"), [(True, True, 1), (True, False, 1), (False, True, -1), (False, False, 0)]
)
def test_it_speaks_for_an_answer_that_a_speaker_is_named_and_against_it_that_others_are(
    named: bool, names: bool, figure: float
) -> None:
    query = replace(QUERY, names=((1,),) if names else ())
    found = candidates()
    evidence = evidence_of(query, found, rank(found, signals(speaker_named=[False, named, False])))
    assert evidence is not None
    assert evidence.named == figure


def test_a_chat_that_has_just_begun_is_not_silent() -> None:
    scope = Scope(user="ana", character="Cassian")
    said = ["Where did you put the silver key?", "Under the third step.", "The soup is leek again."]
    with RoleplayMemory(":memory:") as memory:
        memory.add_turns(scope, [Turn(text, speaker="Cassian", role="character") for text in said])
        assert memory.recall("Where is the key?", scope, min_score="auto")
        assert not memory.recall("What is the capital of Mongolia?", scope, min_score="auto")


def test_a_query_without_words_divides_by_nothing() -> None:
    found = candidates(best_possible=0.0)
    evidence = evidence_of(QUERY, found, rank(found, signals()))
    assert evidence is not None
    assert evidence.word_share == 0
    assert evidence.stands_out == 0


def test_a_calibration_fitted_with_late_interaction_is_for_that_alone() -> None:
    with_late = calibration_for("oakleaf", late=True)
    assert dict(zip(FEATURES, with_late.weights, strict=True))["late"] > 0
    assert with_late.speaks(STRONG)
    assert not with_late.speaks(WEAK)
    assert calibration_for("oakleaf") == calibration_for(GENERIC)


def test_extreme_evidence_does_not_overflow() -> None:
    hit = HitCalibration(intercept=0.0, weights=(0.0,) * len(FEATURES), behind=-1e6)
    calibration = Calibration(
        intercept=0.0, weights=(1e6, *(0.0,) * (len(FEATURES) - 1)), threshold=0.5, hit=hit
    )
    assert calibration.confidence(STRONG) == pytest.approx(1)
    against = Calibration(intercept=-1e6, weights=(0.0,) * len(FEATURES), threshold=0.5, hit=hit)
    assert against.confidence(STRONG) == pytest.approx(1 / (1 + math.exp(60)), rel=1e-9, abs=0)
    assert [hit.judge(STRONG)(score) for score in (12.0, 1e9, -1e9)] == pytest.approx([0.5, 1.0, 0.0])
    assert hit.judge(None)(3.0) == 0


@pytest.mark.parametrize("model", ["little-gem", "sentence-transformers/all-MiniLM-L6-v2", "somebody/else"])
def test_a_hit_is_the_surer_the_higher_its_score_and_the_stronger_the_evidence(model: str) -> None:
    hit = calibration_for(model).hit
    strong = list(map(hit.judge(STRONG), (12.0, 9.0, 3.0)))
    weak = list(map(hit.judge(WEAK), (1.0, 0.5, -3.0)))
    for confidences in (strong, weak):
        assert 1 > confidences[0] > confidences[1] > confidences[2] > 0
    assert strong[0] > 3 * weak[0]
