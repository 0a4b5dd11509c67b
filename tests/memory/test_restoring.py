from __future__ import annotations

from dataclasses import replace

import pytest

from romaine.errors import MemoryNotFoundError, OptionError
from romaine.memory import Memory, RoleplayMemory, Scope

from .conftest import CHAT, said


def seen(memory: RoleplayMemory, scope: Scope) -> list[Memory]:
    return memory.list(scope)


def recalled(memory: RoleplayMemory, scope: Scope) -> list[tuple[str, float]]:
    hits = memory.recall("Where is the silver key?", scope, k=10)
    return [(hit.memory.id, round(hit.score, 4)) for hit in hits]


@pytest.fixture
def told(memory: RoleplayMemory, scope: Scope) -> RoleplayMemory:
    memory.add_turns(scope, CHAT)
    old = memory.add_fact(scope, "The key is under the third step.", parent_id="1").memory
    memory.add_fact(scope, "Ana took the silver key away.", supersedes=old.id, pinned=True, importance=0.4)
    return memory


def test_what_would_go_along(told: RoleplayMemory, scope: Scope) -> None:
    first = told.list(scope, source_ids=["1"])[0]
    gone = told.derived(scope, [first.id])
    assert {each.text for each in gone} == {CHAT[0].text, "The key is under the third step."}
    with pytest.raises(MemoryNotFoundError):
        told.derived(scope, ["01a2003c-5c62-7c97-ad15-67ece870e079"])


@pytest.mark.parametrize("forked", [False, True])
def test_a_retraction_is_undone(told: RoleplayMemory, scope: Scope, forked: bool) -> None:
    if forked:
        fork = told.branch(scope, at=3, to_chat="what if")
    before, found = seen(told, scope), recalled(told, scope)
    gone = told.derived(scope, [told.list(scope, source_ids=["1"])[0].id])
    assert told.retract(scope, ["1"]) == 2
    assert told.restore(scope, gone) == 2
    assert seen(told, scope) == before
    assert recalled(told, scope) == found
    assert told.restore(scope, gone) == 0
    assert told.verify().is_sound
    if forked:  # forgetting reaches the forks as if nothing had happened
        told.forget(scope, gone[0].id)
        assert CHAT[0].text not in {each.text for each in told.list(fork)}


def test_a_forgotten_memory_comes_back_with_what_it_replaced(told: RoleplayMemory, scope: Scope) -> None:
    before = seen(told, scope)
    old, new = (each for each in before if each.kind == "fact")
    gone = told.derived(scope, [new.id])
    told.forget(scope, new.id)
    assert told.get(scope, old.id).superseded_by is None
    assert told.restore(scope, gone, superseded={old.id: new.id}) == 1
    assert seen(told, scope) == before
    assert told.get(scope, new.id).pinned


def test_an_edit_is_undone_whoever_may_see_it_now(told: RoleplayMemory, scope: Scope) -> None:
    before = seen(told, scope)
    told.update(scope, before[0].id, text="Nothing was ever hidden.", known_by=["Mira"], importance=0.1)
    assert before[0].id not in {each.id for each in seen(told, scope)}
    assert told.restore(scope, [before[0]]) == 1
    assert seen(told, scope) == before


def test_a_pin_of_a_cold_memory_is_undone(told: RoleplayMemory, scope: Scope) -> None:
    fact = next(each for each in seen(told, scope) if each.kind == "fact")
    cold = replace(fact, cold=True, superseded_by=None)
    told.restore(scope, [cold])
    told.pin(scope, fact.id)
    told.restore(scope, [cold])
    back = told.get(scope, fact.id)
    assert back.cold
    assert not back.pinned


def test_what_a_fork_dropped_comes_back_there_only(told: RoleplayMemory, scope: Scope) -> None:
    fork = told.branch(scope, at=3, to_chat="what if")
    before = seen(told, scope)
    texts = [each.text for each in seen(told, fork)]
    gone = told.derived(fork, [before[0].id])
    told.forget(fork, before[0].id)
    assert told.restore(fork, gone) == len(gone)
    assert [each.text for each in seen(told, fork)] == texts
    assert [each.id for each in seen(told, fork)] == [each.id for each in before]
    assert seen(told, scope) == before


def test_a_turn_comes_back_between_the_others(told: RoleplayMemory, scope: Scope) -> None:
    gone = told.derived(scope, [told.list(scope, source_ids=["2"])[0].id])
    told.retract(scope, ["2"])
    told.add_turns(scope, [said("Later.", "5")])
    told.restore(scope, gone)
    listed = told.list(scope, kinds=["turn"])
    assert [each.source_id for each in listed] == ["1", "2", "3", "4", "5"]
    assert told.verify().is_sound


def test_only_memories_of_the_scope_are_taken(told: RoleplayMemory, scope: Scope) -> None:
    memory = seen(told, scope)[0]
    for other in (replace(scope, user="bob"), replace(scope, character="Mira")):
        with pytest.raises(OptionError, match="is not of"):
            told.restore(other, [memory])
    with pytest.raises(OptionError, match="not a Memory"):
        told.restore(scope, ["x"])  # type: ignore[list-item]
