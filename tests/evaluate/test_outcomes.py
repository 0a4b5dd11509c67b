from __future__ import annotations

import pytest

from romaine.evaluate.outcomes import Outcome, RecallFigures, by_category

FOUND = [
    Outcome(ranks=(1, 4), evidence=2, category="1"),
    Outcome(ranks=(6,), evidence=3, category="2"),
    Outcome(ranks=(), evidence=1),
]


def test_counts_the_evidence_among_the_first() -> None:
    outcome = Outcome(ranks=(2, 6), evidence=4)
    assert [outcome.recall(k) for k in (1, 5, 10)] == [0, 0.25, 0.5]
    assert outcome.reciprocal_rank == 0.5
    assert Outcome(ranks=(), evidence=1).reciprocal_rank == 0


def test_figures_are_means_over_questions() -> None:
    figures = RecallFigures.of(FOUND)
    assert (figures.questions, figures.hit_at_1) == (3, pytest.approx(1 / 3))
    assert figures.hit_at_10 == pytest.approx(2 / 3)
    assert figures.all_at_10 == pytest.approx(1 / 3)
    assert figures.recall == {1: pytest.approx(1 / 6), 5: pytest.approx(1 / 3), 10: pytest.approx(4 / 9)}
    assert figures.mrr_at_10 == pytest.approx((1 + 1 / 6) / 3)
    assert figures.to_json()["recall_all@10"] == figures.all_at_10


def test_categories_are_told_apart_where_there_are_some() -> None:
    assert list(by_category(FOUND)) == ["none", "1", "2"]
    assert by_category(FOUND)["2"].recall[10] == pytest.approx(1 / 3)
    assert by_category(FOUND[:1]) == {}
