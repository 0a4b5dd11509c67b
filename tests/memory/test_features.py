from __future__ import annotations

import numpy as np
import pytest

from romaine.memory.candidates import Candidates
from romaine.memory.features import FEATURES, features_of
from romaine.memory.query import Query
from romaine.memory.ranking import Ranking, Signals
from tests.memory.test_ranking import candidates, signals

QUERY = Query(text="Where is the key?", vector=np.zeros(4, np.float32), terms=((1,), (2, 3)))


def described(scores: list[float], found: Candidates, known: Signals) -> dict[str, list[float]]:
    ranking = Ranking(scores=np.array(scores), parts={})
    rows = features_of(QUERY, found, known, ranking, ranking.best(len(scores)))
    assert rows.dtype == np.float32
    return dict(zip(FEATURES, np.round(rows.T, 4).tolist(), strict=True))


def test_neighbours_are_told_by_position() -> None:
    known = signals(4, positions=np.array([7, 8, 20, 10]))
    found = described([4.0, 2.0, 0.0, 1.0], candidates(4), known)  # in the order 7, 8, 10, 20
    e = np.exp(-np.array([0, 2, 3, 4]) / 2)
    assert found["gap"] == [0, -2, -3, -4]
    assert found["previous"] == [-4, 0, -4, -4]
    assert found["next"] == [-2, -4, -4, -4]
    assert found["near"] == pytest.approx([e[1] + e[2], e[0] + e[2], e[0] + e[1], 0], abs=1e-3)
    assert found["around"] == pytest.approx([e[1] + e[2], e[0] + e[2], e[0] + e[1] + e[3], e[2]], abs=1e-3)


def test_what_is_no_turn_stands_beside_nothing() -> None:
    for positions in (np.array([-1, -1, 3]), None):
        found = described([3.0, 2.0, 1.0], candidates(3), signals(3, positions=positions))
        assert found["near"] == found["around"] == [0, 0, 0]
        assert found["previous"] == found["next"] == [-2, -2, -2]


def test_says_what_is_known_of_each_and_of_the_query() -> None:
    facts = candidates(2, dense=[0.5, 1], lexical=[3, 0], lengths=[7, 0], asks=[True, False])
    known = signals(2, speaker_named=[False, True], positions=np.array([0, 5]))
    found = described([2.0, 1.0], facts, known)
    assert found["dense"] == [0.5, 1]
    assert found["lexical"] == [3, 0]
    assert found["length"] == [3, 0]
    assert found["asks"] == [1, 0]
    assert found["speaker"] == [-1, 1]
    assert found["query_asks"] == [1, 1]
    assert found["query_words"] == [2, 2]
    assert described([2.0, 1.0], facts, signals(2))["speaker"] == [0, 0]
