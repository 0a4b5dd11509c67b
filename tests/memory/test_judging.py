"""Rankers and rerankers of others: what they may do, and what becomes of what they should not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.embedder import Embedder
from romaine.errors import OptionError, RankingError, RomaineError
from romaine.memory import (
    Candidates,
    LearnedRanker,
    Memory,
    Query,
    Ranking,
    RoleplayMemory,
    Scope,
    Signals,
    WeightedRanker,
    Weights,
)
from romaine.memory.judging import Judges
from tests.memory.conftest import CHAT, said
from tests.memory.test_ranking import QUERY, candidates, rank, signals

MONDAY = datetime(2025, 1, 6, tzinfo=timezone.utc)
KEY = "Where is the silver key?"


class Answer:
    """A ranker or reranker that always says the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        return self.answer

    def rerank(self, query: Query, memories: Sequence[Memory]) -> Any:
        return self.answer


class Failing:
    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        raise KeyError("no such mood")

    rerank = rank


class Watching:
    """A reranker that turns the order around, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[Query, list[Memory]]] = []

    def rerank(self, query: Query, memories: Sequence[Memory]) -> list[float]:
        self.shown.append((query, list(memories)))
        return [float(place) for place in range(len(memories))]


class OldestFirst:
    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        age = 10.0 * (1 - signals.recency)
        return Ranking(scores=age, parts={"age": age})


def opened(gem: Embedder, scope: Scope, **judges: Any) -> RoleplayMemory:
    memory = RoleplayMemory(":memory:", embedder=gem, **judges)
    memory.add_turns(scope, [replace(turn, at=MONDAY + timedelta(days=n)) for n, turn in enumerate(CHAT)])
    return memory


def texts(found: Sequence[Any]) -> list[str]:
    return [hit.memory.text for hit in found]


# --- rankers ---------------------------------------------------------------------------------------------


def test_weights_are_values_of_the_ranker_below_the_default_one(gem: Embedder, scope: Scope) -> None:
    ranker = WeightedRanker(Weights(lexical=1.4))
    with opened(gem, scope, ranker=WeightedRanker()) as usual, opened(gem, scope, ranker=ranker) as other:
        ((hit,), (lifted,)) = (memory.recall(KEY, scope, k=1) for memory in (usual, other))
        assert lifted.parts["lexical"] == pytest.approx(2 * hit.parts["lexical"])
        assert lifted.score - hit.score == pytest.approx(hit.parts["lexical"])
    with opened(gem, scope, ranker=LearnedRanker()) as same, opened(gem, scope) as default:
        assert [(h.score, h.parts) for h in default.recall(KEY, scope)] == [
            (h.score, h.parts) for h in same.recall(KEY, scope)
        ]


def test_a_ranker_decides_the_order_and_the_parts(gem: Embedder, scope: Scope) -> None:
    with opened(gem, scope, ranker=OldestFirst()) as memory:
        hits = memory.recall("tomorrow", scope, k=9)
        assert texts(hits) == [turn.text for turn in CHAT]
        assert hits[0].parts == {"age": 10.0}
        assert texts(memory.recall("tomorrow", scope, min_score=9.0)) == [CHAT[0].text]
        found = asyncio.run(memory.arecall("tomorrow", scope, k=1))
        assert texts(found) == [CHAT[0].text]


def test_every_option_of_a_recall_holds_with_a_ranker(gem: Embedder, scope: Scope) -> None:
    with opened(gem, scope, ranker=OldestFirst(), reranker=Watching(), rerank=2) as memory:
        memory.add_fact(scope, "Brona alone knows of the well.", known_by=["Brona", "Cassian"])
        for options in (
            {"k": 2, "explain": True},
            {"k": 3, "token_budget": 15, "neighbours": 1},
            {"diversity": 1, "order": "chronological"},
            {"as_of": 1, "speakers": ["Ana"], "kinds": ["turn"]},
            {"where": lambda memory: "key" in memory.text},
            {"k": 0},
        ):
            found = memory.recall(KEY, scope, **options)
            for hit in found.hits if options.get("explain") else found:
                assert sum(hit.parts.values()) == pytest.approx(hit.score)
        told = memory.recall(KEY, scope, k=1, explain=True)
        assert {left.reason for left in told.rejected} == {"rank"}
        assert all(sum(left.parts.values()) == pytest.approx(left.score) for left in told.rejected)


def test_auto_judges_by_the_default_ranker_whatever_ranks(gem: Embedder, scope: Scope) -> None:
    unknown = "Which university did Professor Okonkwo teach thermodynamics at?"
    with opened(gem, scope) as usual, opened(gem, scope, ranker=OldestFirst()) as memory:
        for query, count in ((unknown, 0), (KEY, 4)):
            found = memory.recall(query, scope, min_score="auto", explain=True)
            assert len(found.hits) == count
            assert found.evidence == usual.recall(query, scope, explain=True).evidence


def test_a_ranker_is_not_asked_where_there_is_nothing(gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(":memory:", embedder=gem, ranker=Failing(), reranker=Failing()) as memory:
        assert memory.recall(KEY, scope) == []


PLAIN = rank(candidates(4), signals(4))
NUMBERS = np.arange(4.0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "NoneType; needed is a romaine.memory.Ranking"),
        (NUMBERS, "ndarray; needed"),
        (replace(PLAIN, parts=[NUMBERS]), "needed is a romaine.memory.Ranking"),
        (replace(PLAIN, scores=np.zeros(3)), r"scores of shape \(3,\); needed are 4"),
        (replace(PLAIN, scores=np.zeros((4, 1))), r"scores of shape \(4, 1\)"),
        (replace(PLAIN, scores="high"), "no numbers"),
        (replace(PLAIN, scores=np.array([0, 1, np.nan, 2])), "NaN or infinite"),
        (replace(PLAIN, scores=np.array([0, 1, np.inf, 2])), "NaN or infinite"),
        (Ranking(scores=NUMBERS, parts={"mood": NUMBERS[:2]}), r"part 'mood' of shape \(2,\)"),
        (Ranking(scores=NUMBERS, parts={"mood": 2 * NUMBERS}), "candidate 1 score 1, but parts .* up to 2"),
        (Ranking(scores=NUMBERS, parts={}), "must add up"),
        (Ranking(scores=NUMBERS, parts={"rerank": NUMBERS}), "choose another name"),
    ],
)
def test_a_ranker_with_a_bad_answer_is_told(gem: Embedder, scope: Scope, answer: Any, told: str) -> None:
    with opened(gem, scope, ranker=Answer(answer)) as memory:
        with pytest.raises(RankingError, match="ranker Answer gave .*" + told):
            memory.recall(KEY, scope)
        with pytest.raises(RomaineError):
            asyncio.run(memory.arecall(KEY, scope))


def test_float32_parts_may_be_off_by_their_rounding() -> None:
    parts = {name: np.array([0.1, 7.3, 1e4], np.float32) for name in "abc"}
    scores = np.float32(0.1) + sum(part.astype(np.float64) for part in parts.values()) - np.float32(0.1)
    judges = Judges(ranker=Answer(Ranking(scores=scores.astype(np.float32), parts=parts)))
    ranking = judges.rank(QUERY, candidates(), signals())
    assert ranking.scores.dtype == ranking.parts["a"].dtype == np.float64


def test_what_fails_in_a_ranker_is_told_with_its_cause(gem: Embedder, scope: Scope) -> None:
    for judges in ({"ranker": Failing()}, {"reranker": Failing()}):
        with opened(gem, scope, **judges) as memory:
            with pytest.raises(RankingError, match=r"ranker Failing failed with \w+: ") as failed:
                memory.recall(KEY, scope)
            assert failed.value.__cause__ is not None


# --- rerankers -------------------------------------------------------------------------------------------


def test_the_first_follow_the_reranker_and_the_others_stay_behind(gem: Embedder, scope: Scope) -> None:
    watching = Watching()
    with opened(gem, scope) as usual, opened(gem, scope, reranker=watching, rerank=3) as memory:
        before = usual.recall(KEY, scope, k=4)
        messages = ["I went to the well.", "Nothing.", KEY]
        after = memory.recall(KEY, scope, k=4)
        assert texts(after) == [texts(before)[place] for place in (2, 1, 0, 3)]
        assert [hit.score for hit in after] == [hit.score for hit in before]
        for hit in after:
            assert sum(hit.parts.values()) == pytest.approx(hit.score)
        assert "rerank" not in after[3].parts
        memory.recall(messages, scope, k=1)
    (query, shown), (several, _) = watching.shown
    assert (query.text, query.messages) == (KEY, (KEY,))
    assert [memory.text for memory in shown] == texts(before)[:3]
    assert (several.text, several.messages) == (KEY, tuple(messages))


def test_as_many_reach_a_threshold_as_without_a_reranker(gem: Embedder, scope: Scope) -> None:
    with opened(gem, scope) as usual, opened(gem, scope, reranker=Watching()) as memory:
        scores = [hit.score for hit in usual.recall(KEY, scope)]
        for limit in (scores[0], scores[1], scores[3], scores[0] + 1):
            count = len(usual.recall(KEY, scope, min_score=limit))
            assert len(memory.recall(KEY, scope, min_score=limit)) == count
        assert texts(memory.recall(KEY, scope, min_score=scores[0])) == [
            usual.recall(KEY, scope)[3].memory.text
        ]


def test_a_reranker_sees_nothing_that_who_asks_may_not(gem: Embedder) -> None:
    watching = Watching()
    party = Scope(user="ana", chat="party")
    with RoleplayMemory(":memory:", embedder=gem, reranker=watching) as memory:
        memory.add_turns(party, [said("The wine is poisoned, Brona.", "1")], known_by={"Brona"})
        memory.add_turns(party, [said("A toast to the duke and his wine!", "2")])
        memory.recall("wine", party, as_character="Cassian", explain=True)
        memory.recall("wine", replace(party, character="Cassian"))
    assert [[m.source_id for m in shown] for _, shown in watching.shown] == [["2"], ["2"]]


def test_a_reranker_is_not_asked_in_vain(gem: Embedder, scope: Scope) -> None:
    unknown = "Which university did Professor Okonkwo teach thermodynamics at?"
    with opened(gem, scope, reranker=Failing()) as memory:
        assert memory.recall(unknown, scope, min_score="auto") == []
        assert memory.recall(KEY, scope, k=0) == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "no numbers|shape"),
        ([1, 2], r"shape \(2,\); needed are 4 finite numbers"),
        ([[1.0]] * 4, "shape"),
        (["a", "b", "c", "d"], "no numbers"),
        ([1, 2, 3, float("nan")], "NaN"),
        (7.0, "shape"),
    ],
)
def test_a_reranker_with_a_bad_answer_is_told(gem: Embedder, scope: Scope, answer: Any, told: str) -> None:
    with opened(gem, scope, reranker=Answer(answer)) as memory, pytest.raises(RankingError, match=told):
        memory.recall(KEY, scope)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.integers(1, 14), st.data())
def test_reranking_is_a_new_order_of_the_first(lexical: list[int], first: int, data: st.DataObject) -> None:
    count = len(lexical)
    ranking = rank(candidates(count, lexical=lexical), signals(count))
    best = ranking.best(min(first, count))
    opinions = data.draw(st.lists(st.integers(-2, 2), min_size=len(best), max_size=len(best)))
    judges = Judges(reranker=Answer(opinions), first=first)
    after = judges.rerank(QUERY, ranking, best, [None] * len(best))  # type: ignore[list-item]
    order = after.best(count)
    of = dict(zip(best.tolist(), opinions, strict=True))
    assert [of[i] for i in order[: len(best)].tolist()] == sorted(opinions, reverse=True)
    assert order[len(best) :].tolist() == ranking.best(count)[len(best) :].tolist()
    assert after.scores[order].tolist() == ranking.scores[ranking.best(count)].tolist()
    for i in range(count):
        assert sum(after.parts_of(i).values()) == pytest.approx(after.scores[i])


# --- who may judge ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("judges", "told"),
    [
        ({"ranker": Weights()}, r"ranker=Weights\(.*method rank\(\)"),
        ({"ranker": WeightedRanker}, "must be an object"),
        ({"ranker": len}, "method rank"),
        ({"reranker": OldestFirst()}, r"method rerank\(\); romaine.memory.Reranker"),
        ({"reranker": Watching(), "rerank": 0}, "rerank=0"),
        ({"rerank": 1.5}, "rerank=1.5"),
    ],
)
def test_who_cannot_judge_is_told_before_anything_is_opened(
    path: Path, gem: Embedder, judges: dict[str, Any], told: str
) -> None:
    with pytest.raises(OptionError, match=told):
        RoleplayMemory(path, embedder=gem, **judges)
    assert not path.exists()
