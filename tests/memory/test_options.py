from __future__ import annotations

from datetime import datetime

import pytest

from romaine.errors import OptionError, UnknownNameError
from romaine.memory import Kind, RoleplayMemory, Scope
from romaine.memory.options import RecallOptions

from .conftest import said

PARTY = Scope(user="ana", chat="party")


@pytest.fixture
def chat(memory: RoleplayMemory) -> RoleplayMemory:
    """Facts and lore that Cassian knows or does not, in time or later, superseded or not."""
    memory.add_turns(PARTY, [said("one"), said("two")])
    for kind, add in (("fact", memory.add_fact), ("lore", memory.add_lore)):
        for known_by in ((), ("Brona",)):
            who = "secret " if known_by else ""
            old = add(PARTY, f"{who}{kind} of a {kind}y gate, long gone", known_by=known_by).memory
            add(PARTY, f"{who}{kind} of harbours now", known_by=known_by, supersedes=old.id)
            coming = add(PARTY, f"{who}{kind} of moons to come", known_by=known_by).memory
            memory.update(PARTY, coming.id, valid_from=90)
    memory.add_turns(PARTY, [said("three")])
    memory.add_fact(PARTY, "fact of late", speaker="Ana")
    return memory


def explained(memory: RoleplayMemory, **options: object) -> tuple[set[str], dict[str, str]]:
    found = memory.recall("fact lore gate", PARTY, k=50, explain=True, **options)
    return {hit.memory.text for hit in found.hits}, {left.memory.text: left.reason for left in found.rejected}


def test_what_was_asked_for_is_found_or_told_why_not_and_nothing_else_is(chat: RoleplayMemory) -> None:
    assert explained(chat, kinds=["fact"], as_character="Cassian") == (
        {"fact of harbours now", "fact of late"},
        {
            "fact of a facty gate, long gone": "superseded",
            "fact of moons to come": "time",
            "secret fact of a facty gate, long gone": "witness",
            "secret fact of harbours now": "witness",
            "secret fact of moons to come": "witness",
        },
    )


def test_what_was_neither_asked_for_nor_witnessed_is_not_told_of(memory: RoleplayMemory) -> None:
    old = memory.add_lore(PARTY, "secret lore of a gate", known_by=("Brona",)).memory
    memory.add_lore(PARTY, "lore of another gate", supersedes=old.id)
    memory.add_fact(PARTY, "fact of a gate")
    assert explained(memory, kinds=["fact"], as_character="Cassian") == ({"fact of a gate"}, {})


def test_as_of_leaves_out_what_came_later(chat: RoleplayMemory) -> None:
    hits, rejected = explained(chat, kinds=["fact", "turn"], as_of=1, as_character="Brona")
    assert hits == {"one", "two", "fact of harbours now", "secret fact of harbours now"}
    assert {text for text, reason in rejected.items() if reason == "time"} == {
        "three", "fact of late", "fact of moons to come", "secret fact of moons to come",
    }  # fmt: skip


def test_what_was_superseded_or_is_not_valid_can_be_asked_for(chat: RoleplayMemory) -> None:
    hits, rejected = explained(chat, kinds=["lore"], include_superseded=True)
    assert len(hits) == 6
    assert rejected == {}


def test_speakers_are_those_asked_for(chat: RoleplayMemory) -> None:
    assert explained(chat, speakers=["Ana"]) == ({"fact of late"}, {})
    assert explained(chat, speakers=["Nobody"]) == (set(), {})


def test_validity_begins_with_its_first_position_and_ends_before_its_last(memory: RoleplayMemory) -> None:
    memory.add_turns(PARTY, [said(str(n)) for n in range(5)])
    memory.add_fact(Scope(user="ana"), "The gate is shut.", valid_from=1, valid_to=3)
    shut = [bool(memory.recall("gate", PARTY, kinds=["fact"], as_of=n)) for n in range(5)]
    assert shut == [False] * 1 + [True] * 2 + [False] * 2


@pytest.mark.parametrize(
    "options",
    [
        {"min_score": float("nan")}, {"min_score": True}, {"min_score": "1"}, {"min_score": [1]},
        {"diversity": 0}, {"dim": 0}, {"k": -1}, {"neighbours": -1}, {"token_budget": -1}, {"as_of": -1},
        {"as_of": True}, {"kinds": 3}, {"kinds": b"fact"}, {"where": 3}, {"as_character": ""},
    ],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        RecallOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"order": "best"}, {"kinds": ["facts"]}])
def test_names_are_of_those_there_are(options: dict[str, object]) -> None:
    with pytest.raises(UnknownNameError):
        RecallOptions(**options)  # type: ignore[arg-type]


def test_the_least_and_the_usual() -> None:
    options = RecallOptions(
        k=0, neighbours=0, token_budget=0, diversity=1, dim=1, min_score=0, as_of=0, kinds=["fact", Kind.LORE]
    )
    assert options.kinds == {Kind.FACT, Kind.LORE}
    assert (RecallOptions().k, RecallOptions().neighbours, RecallOptions().token_budget) == (5, 0, None)
    at = RecallOptions(as_of=datetime(2025, 5, 1)).as_of
    assert isinstance(at, datetime)
    assert at.tzinfo is not None
