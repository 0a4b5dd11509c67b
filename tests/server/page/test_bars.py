from __future__ import annotations

import pytest

from romaine.memory import WeightedRanker, Weights
from romaine.server.page.bars import PARTS, WIDTH, budget_bar, score_bars


def test_parts_are_stacked_to_both_sides_of_one_line():
    first, second = score_bars(
        [{"dense": 3.0, "lexical": 1.0, "question": -1.0}, {"dense": 1.0, "cold": -0.5}]
    )
    assert first.zero == second.zero == pytest.approx(WIDTH / 5)
    assert sum(piece.width for piece in first.pieces) == pytest.approx(WIDTH)
    assert min(piece.start for piece in first.pieces) == pytest.approx(0)
    ends = [(piece.start, piece.start + piece.width) for piece in first.pieces if piece.family != "talk"]
    assert ends == [pytest.approx((20, 80)), pytest.approx((80, 100))]
    assert [part[0] for part in first.parts] == ["dense", "lexical", "question"]


def test_a_part_that_is_not_known_is_told_by_its_name():
    (bar,) = score_bars([{"my_ranker": 2.0}])
    assert bar.pieces[0].family == "other"
    assert bar.pieces[0].title == "My ranker +2.00"


def test_nothing_scored_is_nothing_drawn():
    assert score_bars([]) == []
    assert score_bars([{}])[0].pieces == []


def test_every_part_of_the_default_ranker_has_words():
    named = {"asks": "question", "answers": "answer"}
    assert {named.get(name, name) for name in vars(Weights())} <= set(PARTS)
    assert WeightedRanker().weights == Weights()


def test_tokens_are_pieces_of_the_budget():
    bar = budget_bar([100, 50], 600)
    assert bar.used == 150
    assert [(piece.start, piece.width) for piece in bar.pieces] == [
        pytest.approx((0, 100 / 6)),
        pytest.approx((100 / 6, 50 / 6)),
    ]
    assert budget_bar([], 0).pieces == []
