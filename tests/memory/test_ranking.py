from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.errors import OptionError
from romaine.memory.candidates import Candidates, Spread
from romaine.memory.query import Query
from romaine.memory.ranking import DEFAULT_RANKER, Ranking, Signals, WeightedRanker, Weights


def candidates(count: int = 3, **changes: Any) -> Candidates:
    zeros = np.zeros(count, dtype=np.float32)
    plain = Candidates(
        rows=np.arange(count),
        ids=np.arange(count),
        dense=zeros,
        context=zeros,
        lexical=zeros,
        window=zeros,
        asks=np.zeros(count, dtype=np.bool_),
        answers=np.zeros(count, dtype=np.bool_),
        dense_spread=Spread(mean=0.0, deviation=1.0),
        context_spread=Spread(mean=0.0, deviation=1.0),
        best_possible=1.0,
        known_share=1.0,
        unknown_name=False,
    )
    arrays = {name: np.asarray(v) if isinstance(v, (list, np.ndarray)) else v for name, v in changes.items()}
    return replace(plain, **arrays)


def signals(count: int = 3, **changes: Any) -> Signals:
    no = np.zeros(count, dtype=np.bool_)
    plain = Signals(
        speaker_named=no,
        importance=np.ones(count, dtype=np.float32),
        recency=np.zeros(count, dtype=np.float32),
        pinned=no,
        cold=no,
    )
    arrays = {name: None if value is None else np.asarray(value) for name, value in changes.items()}
    return replace(plain, **arrays)


QUERY = Query(text="Where is the key?", vector=np.zeros(4, np.float32), terms=())


def rank(found: Candidates, known: Signals, weights: Weights = DEFAULT_RANKER.weights) -> Ranking:
    return WeightedRanker(weights).rank(QUERY, found, known)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"dense": [0, 1, 0]}, {}),
        ({"context": [0, 1, 0]}, {}),
        ({"lexical": [0, 1, 0]}, {}),
        ({"window": [0, 1, 0]}, {}),
        ({"answers": [False, True, False]}, {}),
        ({"asks": [True, False, True]}, {}),
        ({}, {"speaker_named": [False, True, False]}),
        ({}, {"importance": [0.5, 1, 0.5]}),
        ({}, {"recency": [0.5, 1, 0.5]}),
        ({}, {"pinned": [False, True, False]}),
        ({"dense": [1, 1, 1]}, {"cold": [True, False, True]}),
        ({"dense": [-1, -1, -1]}, {"cold": [True, False, True]}),
    ],
)
def test_each_part_lifts_the_one_it_speaks_for(changes: dict[str, Any], facts: dict[str, Any]) -> None:
    assert rank(candidates(**changes), signals(**facts)).best(3).tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("part", "changes", "facts", "value"),
    [
        ("dense", {"dense": [2, 0, 0]}, {}, 0.6),
        ("context", {"context": [2, 0, 0]}, {}, 2.0),
        ("lexical", {"lexical": [2, 0, 0]}, {}, 1.4),
        ("window", {"window": [2, 0, 0]}, {}, 0.6),
        ("speaker", {}, {"speaker_named": [True, False, False]}, 1.2),
        ("question", {"asks": [True, False, False]}, {}, -1.0),
        ("answer", {"answers": [True, False, False]}, {}, 1.0),
        ("importance", {}, {"importance": [0.25, 1, 1]}, -0.375),
        ("recency", {}, {"recency": [0.5, 0, 0]}, 0.05),
        ("pinned", {}, {"pinned": [True, False, False]}, 0.5),
        ("cold", {"context": [2, 0, 0]}, {"cold": [True, False, False]}, -0.6),
    ],
)
def test_what_each_part_adds(part: str, changes: dict[str, Any], facts: dict[str, Any], value: float) -> None:
    ranking = rank(candidates(**changes), signals(**facts))
    assert ranking.parts_of(0)[part] == pytest.approx(value)
    assert ranking.scores[0] == pytest.approx(sum(ranking.parts_of(0).values()))
    assert ranking.scores[1:].tolist() == [0, 0]
    assert ranking.parts_of(1) == {}


def test_equal_scores_keep_the_order_of_insertion() -> None:
    assert rank(candidates(5), signals(5)).best(3).tolist() == [0, 1, 2]


def test_a_cold_memory_keeps_seven_tenths() -> None:
    warm = rank(candidates(dense=[2, 2, 2]), signals())
    cold = rank(candidates(dense=[2, 2, 2]), signals(cold=[True, False, False]))
    assert cold.scores[0] == pytest.approx(0.7 * warm.scores[0])
    assert cold.scores[1] == warm.scores[1]
    assert cold.parts_of(0)["cold"] < 0


def test_cosines_count_in_deviations_from_the_scope() -> None:
    spread = Spread(mean=0.5, deviation=0.1)
    found = rank(candidates(dense=[0.7, 0.5, 0.4], dense_spread=spread), signals(), Weights(dense=2.0))
    np.testing.assert_allclose(found.parts["dense"], [4, 0, -2], atol=1e-5)


numbers = st.floats(-3, 3, width=32)


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, st.booleans(), st.booleans()), min_size=1))
def test_parts_add_up_to_the_score_exactly(rows: list[tuple[float, ...]]) -> None:
    dense, context, lexical, window, flag, cold = (np.array(column) for column in zip(*rows, strict=True))
    count = len(rows)
    ranking = rank(
        candidates(count, dense=dense, context=context, lexical=lexical, window=window, asks=flag),
        signals(count, cold=cold, pinned=~flag),
    )
    for i, score in enumerate(ranking.scores.tolist()):
        assert sum(ranking.parts_of(i).values()) == score


def test_an_unchanged_name_for_every_part() -> None:
    assert list(rank(candidates(), signals()).parts) == [
        "dense", "context", "lexical", "window", "speaker", "question", "answer", "importance", "recency",
        "pinned", "cold",
    ]  # fmt: skip


def test_no_candidates_rank_to_nothing() -> None:
    assert rank(candidates(0), signals(0)).best(5).size == 0


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), "0.9", None, True])
def test_a_weight_is_a_finite_number(weight: Any) -> None:
    with pytest.raises(OptionError, match="lexical="):
        Weights(lexical=weight)


def test_a_part_is_added_under_its_name() -> None:
    usual = rank(candidates(lexical=[1, 2, 3]), signals())
    lifted = usual.with_part("mood", [5, 0, 0]).with_part("mood", np.array([1, 0, 0]))
    assert lifted.best(3).tolist() == [0, 2, 1]
    assert lifted.parts_of(0) == usual.parts_of(0) | {"mood": 6.0}
    assert lifted.parts_of(1) == usual.parts_of(1)
    assert lifted.scores[0] == pytest.approx(usual.scores[0] + 6)
    assert "mood" not in usual.parts


def test_what_a_reranker_put_first_stays_first_and_the_others_follow() -> None:
    zeros = np.zeros(5)
    ranking = Ranking(scores=np.array([0.0, 3, 3, 9, 3]), parts={"a": zeros}, leading=np.array([4, 1]))
    assert ranking.best(5).tolist() == [4, 1, 3, 2, 0]
    assert ranking.best(3).tolist() == [4, 1, 3]
    assert ranking.best(1).tolist() == [4]
    assert ranking.best(0).size == 0
