from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.errors import MissingExtraError
from romaine.evaluate.retrieval.metrics import METRICS, metric_means

IDS = [f"d{number:02}" for number in range(15)]


def by_hand(judged: dict[str, int], ranked: list[str]) -> dict[str, float]:
    """The metrics as their definitions say, for one query."""
    relevant = {id_ for id_, score in judged.items() if score > 0}
    hits = [rank for rank, id_ in enumerate(ranked, 1) if id_ in relevant]
    gained = sum(judged.get(id_, 0) / math.log2(rank + 1) for rank, id_ in enumerate(ranked[:10], 1))
    ideal = sorted((score for score in judged.values() if score > 0), reverse=True)[:10]
    figures = {
        "nDCG@10": gained / sum(score / math.log2(rank + 1) for rank, score in enumerate(ideal, 1)),
        "MRR@10": next((1 / rank for rank in hits if rank <= 10), 0.0),
        "MAP@100": sum((number + 1) / rank for number, rank in enumerate(hits)) / len(relevant),
    }
    recalls = {f"recall@{k}": sum(rank <= k for rank in hits) / len(relevant) for k in (1, 5, 10, 100)}
    return figures | recalls


judgements = st.dictionaries(st.sampled_from(IDS), st.integers(0, 3), min_size=1).filter(
    lambda judged: any(judged.values())
)


@given(st.lists(st.tuples(judgements, st.permutations(IDS)), min_size=1, max_size=4))
def test_the_metrics_are_what_their_names_say(queries: list[tuple[dict[str, int], list[str]]]) -> None:
    judged = {f"q{number}": judged for number, (judged, _) in enumerate(queries)}
    found = {
        f"q{number}": {id_: 1 - place / 100 for place, id_ in enumerate(ranked)}
        for number, (_, ranked) in enumerate(queries)
    }
    expected = [by_hand(*query) for query in queries]
    for name, mean in metric_means(judged, found).items():
        assert mean == pytest.approx(sum(figures[name] for figures in expected) / len(expected))


def test_a_query_that_found_nothing_counts_as_zero() -> None:
    means = metric_means({"q1": {"d1": 1}, "q2": {"d1": 1}}, {"q1": {"d1": 0.9}})
    assert means == dict.fromkeys(METRICS, 0.5)


def test_without_ir_measures_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[eval\]'"):
        metric_means({"q": {"d": 1}}, {})
