from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from romaine.errors import OptionError
from romaine.memory import Kind, RoleplayMemory, Scope

from .conftest import said


@pytest.fixture
def party(memory: RoleplayMemory) -> Scope:
    """A chat of 60 turns, every third of them Brona's alone, with notes of all kinds in and around it."""
    scope = Scope(user="ana", chat="party")
    for n in range(60):
        known_by = {"Brona"} if n % 3 == 0 else {"Brona", "Cassian"} if n % 3 == 1 else set()
        memory.add_turns(scope, [said(f"Guest {n} comes in.", str(n))], known_by=known_by)
    old = memory.add_fact(scope, "The duke is here.", parent_id="10").memory
    memory.add_fact(scope, "The duke has left again.", parent_id="20", supersedes=old.id, known_by={"Brona"})
    memory.pin(scope, memory.add_fact(scope, "The wine is poisoned.", known_by={"Brona"}).memory.id)
    memory.add_fact(replace(scope, character="Cassian"), "Cassian is tired.")
    memory.add_lore(Scope(user="ana"), "The house has four doors.")
    memory.add_summary(replace(scope, chat="later"), "It was a feast.")
    return scope


@pytest.mark.parametrize("character", [None, "Cassian", "Brona", "Ilse"])
@pytest.mark.parametrize("kinds", [None, [Kind.TURN], [Kind.FACT, Kind.LORE]])
@pytest.mark.parametrize("include_superseded", [True, False])
def test_a_part_of_a_list_is_that_part_of_the_whole(
    memory: RoleplayMemory,
    party: Scope,
    character: str | None,
    kinds: list[Kind] | None,
    include_superseded: bool,
) -> None:
    scope = replace(party, character=character)
    everything = memory.list(scope)
    assert all(not m.known_by or character in (None, *m.known_by) for m in everything)
    wanted = [
        m
        for m in everything
        if (kinds is None or m.kind in kinds) and (include_superseded or m.superseded_by is None)
    ]
    options = {"kinds": kinds, "include_superseded": include_superseded}
    assert memory.list(scope, **options) == wanted
    assert memory.list(scope, limit=10, **options) == wanted[:10]
    assert memory.list(scope, offset=7, limit=10, **options) == wanted[7:17]
    assert memory.list(scope, offset=len(wanted), limit=10, **options) == []
    assert memory.list(scope, limit=0, **options) == []


@pytest.mark.parametrize(
    ("character", "turns", "facts", "superseded", "pinned"),
    [(None, 60, 3, 1, 1), ("Brona", 60, 3, 1, 1), ("Cassian", 40, 2, 0, 0), ("Ilse", 20, 1, 0, 0)],
)
def test_figures_are_those_of_what_is_seen(
    memory: RoleplayMemory,
    party: Scope,
    character: str | None,
    turns: int,
    facts: int,
    superseded: int,
    pinned: int,
) -> None:
    scope = replace(party, character=character)
    stats, seen = memory.stats(scope), memory.list(scope)
    assert dict(stats.memories) == {Kind.TURN: turns, Kind.FACT: facts, Kind.LORE: 1}
    assert (stats.superseded, stats.pinned) == (superseded, pinned)
    assert dict(stats.memories) == Counter(m.kind for m in seen)
    assert stats.tokens == sum(m.token_count for m in seen)
    assert stats.total == len(seen)


def test_scopes_are_those_of_one_user_that_hold_something(memory: RoleplayMemory, party: Scope) -> None:
    shared = Scope(user="ana")
    fork = memory.branch(party, at=10, to_chat="what if")
    memory.forget(
        Scope(user="ana", chat="later"),
        [one.id for one in memory.list(replace(party, chat="later")) if one.scope.chat == "later"],
    )
    assert [(each.scope, each.memories) for each in memory.scopes("ana")] == [
        (shared, 1),
        (party, 63),
        (replace(party, character="Cassian"), 1),
        (fork, 0),
    ]
    assert memory.scopes("bob") == []
    with pytest.raises(OptionError, match="user"):
        memory.scopes("")


def test_a_window_of_the_story(memory: RoleplayMemory, party: Scope) -> None:
    listed = memory.list(party, kinds=["turn"], after=9, before=13)
    assert [each.position for each in listed] == [10, 11, 12]
    assert [each.position for each in memory.list(party, after=57, kinds=["turn"])] == [58, 59]
    assert all(each.position is not None for each in memory.list(party, before=2))
    assert memory.list(party, after=9, before=10) == []
    assert memory.stats(party).last_position == 59
    assert memory.stats(Scope(user="nobody")).last_position is None
    with pytest.raises(OptionError):
        memory.list(party, after=-1)


def test_users_and_forks_are_told(memory: RoleplayMemory, party: Scope) -> None:
    memory.branch(party, at=3, to_chat="what if")
    held = {each.scope.chat: each for each in memory.scopes("ana") if each.scope.character is None}
    assert (held["what if"].forked_from, held["what if"].forked_at) == ("party", 3)
    assert (held["party"].forked_from, held["party"].forked_at) == (None, None)
    memory.add_lore(Scope(user="bo"), "Rain falls upwards here.")
    assert memory.users() == ["ana", "bo"]
