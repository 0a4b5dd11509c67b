from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from romaine.embedder import Embedder
from romaine.errors import OptionError
from romaine.memory import Kind, Lifecycle, Memory, RoleplayMemory, Scope
from romaine.memory.lifecycle import decayed, demoted, trimmed, used
from romaine.memory.records import utc_now

from .conftest import CHAT

NOW = utc_now()
FACT = Memory(scope=Scope(user="ana"), kind=Kind.FACT, text="x", token_count=10)


@pytest.mark.parametrize("count", [0, 1, 4, 100])
def test_what_is_used_often_fades_slower(count: int) -> None:
    faded = decayed(replace(FACT, access_count=count), Lifecycle())
    assert faded.importance == pytest.approx(1 - 0.08 / (1 + math.sqrt(count)))


def test_fading_ends_cold_and_never_below_nothing() -> None:
    memory = FACT
    for _ in range(9):
        memory = decayed(memory, Lifecycle())
    assert memory.importance == pytest.approx(0.28)
    assert memory.cold
    for _ in range(9):
        memory = decayed(memory, Lifecycle())
    assert memory.importance == 0


def test_pinned_is_warm() -> None:
    assert decayed(replace(FACT, pinned=True, cold=True), Lifecycle()) == replace(FACT, pinned=True)


def test_use_brings_back() -> None:
    warm = used(replace(FACT, importance=0.5), Lifecycle(), NOW)
    assert (warm.importance, warm.access_count, warm.last_used_at) == (0.7, 1, NOW)
    assert used(FACT, Lifecycle(), NOW).importance == 1
    revived = used(replace(FACT, importance=0.1, cold=True), Lifecycle(), NOW)
    assert (revived.importance, revived.cold) == (0.7, False)


def facts(count: int) -> list[Memory]:
    return [
        Memory(scope=FACT.scope, kind=Kind.FACT, text=str(n), token_count=10, created_at=NOW + timedelta(n))
        for n in range(count)
    ]


def test_the_budget_demotes_what_was_used_longest_ago() -> None:
    memories = facts(5)
    memories[0] = replace(memories[0], last_used_at=NOW + timedelta(99))
    memories[1] = replace(memories[1], pinned=True)
    cold = [m.text for m in demoted(memories, Lifecycle(hot_tokens=30)) if m.cold]
    assert cold == ["2", "3"]
    assert not any(m.cold for m in demoted(memories, Lifecycle(hot_tokens=None)))


def test_trimming_weighs_importance_and_recency() -> None:
    memories = facts(4)
    memories[0] = replace(memories[0], pinned=True, importance=0.0)
    memories[3] = replace(memories[3], importance=0.2)
    assert [m.text for m in trimmed(memories, Lifecycle(max_entries=2))] == ["3", "1"]
    assert trimmed(memories, Lifecycle()) == []


def test_settings_are_checked() -> None:
    with pytest.raises(OptionError, match="decay"):
        Lifecycle(decay=2)
    with pytest.raises(OptionError, match="max_entries"):
        Lifecycle(max_entries=-1)


def test_a_cycle_over_a_scope(gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(":memory:", embedder=gem, lifecycle=Lifecycle(decay=0.8, max_entries=2)) as memory:
        memory.add_turns(scope, CHAT)
        memory.add_lore(scope, "The river Orr is cursed.")
        memory.add_fact(Scope(user="ana"), "Ana paints.")
        kept = memory.add_fact(scope, "The key is silver.", pinned=True).memory
        memory.add_fact(scope, "The door is oak.")
        memory.add_fact(scope, "A cat sleeps by the fire.", importance=0.9)
        memory.add_summary(scope, "They talk about a debt.", importance=0.1)
        result = memory.decay(scope)
        assert (result.decayed, result.cooled, result.trimmed) == (3, 3, 2)
        left = {m.text: m for m in memory.list(scope)}
        assert left["The key is silver."] == kept
        faded = [m for m in left.values() if m.importance < 1]
        assert [(m.kind in Lifecycle().kinds, m.cold) for m in faded] == [(True, True)]


def test_recall_feeds_nothing_and_use_does(memory: RoleplayMemory, scope: Scope) -> None:
    fact = memory.add_fact(scope, "The key is silver.", importance=0.5).memory
    hits = memory.recall("key", scope)
    assert memory.get(scope, fact.id).access_count == 0
    assert memory.mark_used(scope, hits) == 1
    assert memory.get(scope, fact.id).access_count == 1
    assert memory.get(scope, fact.id).importance == 0.7
    memory.forget(scope, fact.id)
    assert memory.mark_used(scope, hits) == 0
    with pytest.raises(OptionError, match="not a Hit"):
        memory.mark_used(scope, ["x"])  # type: ignore[list-item]


def test_cold_scores_less(memory: RoleplayMemory, scope: Scope) -> None:
    fact = memory.add_fact(scope, "The key is silver.").memory
    memory.add_fact(scope, "The moon is full tonight.")
    warm = memory.recall("silver key", scope)[0]
    memory.lifecycle = Lifecycle(decay=0.0, hot_tokens=0)
    memory.decay(scope)
    cold = memory.recall("silver key", scope)[0]
    assert (warm.memory.id, cold.memory.id) == (fact.id, fact.id)
    assert cold.score == pytest.approx(0.7 * warm.score)
    assert cold.parts["cold"] < 0
