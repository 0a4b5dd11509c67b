from __future__ import annotations

from dataclasses import replace

import pytest

from romaine.errors import MemoryNotFoundError, OptionError
from romaine.memory import Kind, Memory, RoleplayMemory, Scope
from romaine.memory.records import uuid7

from .conftest import CHAT, said


@pytest.mark.parametrize(
    ("again", "reason"),
    [
        ("  ana LIKES black tea ", "same text"),
        ("Black tea Ana likes", "same words"),
        ("Ana likes  black tea!", "same text"),
    ],
)
def test_a_fact_is_stored_once(memory: RoleplayMemory, scope: Scope, again: str, reason: str) -> None:
    first = memory.add_fact(scope, "Ana likes black tea.")
    second = memory.add_fact(scope, again)
    assert first.stored
    assert not second.stored
    assert (second.reason, second.twin_id) == (reason, first.memory.id)
    assert len(memory.list(scope)) == 1


def test_what_a_wider_scope_knows_is_a_double(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_fact(Scope(user="ana"), "Ana is a painter.")
    assert not memory.add_fact(scope, "Ana is a painter.").stored


def test_other_scopes_have_their_own(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_fact(scope, "Ana is a painter.")
    for other in (
        Scope(user="ben", character="Cassian", chat="tavern"),
        replace(scope, character="Brona"),
        replace(scope, chat="road"),
    ):
        assert memory.add_fact(other, "Ana is a painter.").stored


def test_what_only_another_knows_is_no_double(memory: RoleplayMemory) -> None:
    party = Scope(user="ana", chat="party")
    assert memory.add_fact(party, "The duke is a spy.", known_by={"Brona"}).stored
    assert memory.add_fact(party, "The duke is a spy.", known_by={"Cassian"}).stored
    assert not memory.add_fact(party, "The duke is a spy.", known_by={"Brona"}).stored


def test_a_correction_replaces_what_it_names(memory: RoleplayMemory, scope: Scope) -> None:
    old = memory.add_fact(scope, "Ana likes black tea.").memory
    new = memory.add_fact(scope, "Ana likes black tea no more.", supersedes=old.id)
    assert new.stored
    assert memory.get(scope, old.id).superseded_by == new.memory.id
    found = {hit.memory.id for hit in memory.recall("tea", scope)}
    assert found == {new.memory.id}
    both = {hit.memory.id for hit in memory.recall("tea", scope, include_superseded=True)}
    assert both == {old.id, new.memory.id}


def test_a_superseded_or_retracted_fact_blocks_nothing(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    old = memory.add_fact(scope, "The key is under the step.", parent_id="1").memory
    new = memory.add_fact(scope, "The key is in the well.", supersedes=[old.id]).memory
    assert memory.add_fact(scope, "The key is under the step.", supersedes=new.id).stored
    memory.add_fact(scope, "Ana is tired.", parent_id="2")
    memory.retract(scope, ["2"])
    assert memory.add_fact(scope, "Ana is tired.").stored


def test_only_what_the_scope_sees_can_be_superseded(memory: RoleplayMemory, scope: Scope) -> None:
    theirs = memory.add_fact(replace(scope, user="ben"), "Ben is tall.").memory
    with pytest.raises(MemoryNotFoundError):
        memory.add_fact(scope, "Ben is short.", supersedes=theirs.id)
    with pytest.raises(MemoryNotFoundError):
        memory.add_fact(scope, "Ben is short.", supersedes=uuid7())
    assert memory.list(scope) == []


def test_a_fact_stands_where_its_turn_does(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    assert memory.add_fact(scope, "There is a key.", parent_id="1").memory.position == 0
    assert memory.add_summary(scope, "They plan to collect a debt.").memory.position == 3
    assert memory.add_lore(scope, "The river Orr is cursed.").memory.position is None


def test_a_lorebook_read_again_edits_its_entries(memory: RoleplayMemory, scope: Scope) -> None:
    def entry(text: str) -> Memory:
        return Memory(scope=scope, kind=Kind.LORE, text=text, source_id="book:7")

    first = memory.add_notes([entry("The river Orr is cursed.")])
    assert not memory.add_notes([entry("The river Orr is cursed.")])[0].stored
    edited = memory.add_notes([entry("The river Orr is holy now, they say.")])
    assert edited[0].memory.id == first[0].memory.id
    assert [m.text for m in memory.list(scope)] == ["The river Orr is holy now, they say."]


def test_a_turn_is_no_note(memory: RoleplayMemory, scope: Scope) -> None:
    with pytest.raises(OptionError, match="use add_turns"):
        memory.add_notes([Memory(scope=scope, kind="turn", text="hi")])  # type: ignore[arg-type]


def test_a_batch_of_notes_knows_its_own(memory: RoleplayMemory, scope: Scope) -> None:
    notes = [Memory(scope=scope, kind=Kind.FACT, text=text) for text in ("A dog barks.", "a dog barks")]
    assert [added.stored for added in memory.add_notes(notes)] == [True, False]


def test_twins_are_kept_where_every_source_has_its_own(memory: RoleplayMemory, scope: Scope) -> None:
    def note(source: str, text: str, **metadata: object) -> Memory:
        return Memory(scope=scope, kind=Kind.LORE, text=text, source_id=source, metadata=metadata)

    first = memory.add_notes(
        [note("a", "Leek soup."), note("b", "Leek soup."), note("b", "Leek soup!")], keep_twins=True
    )
    assert [added.stored for added in first] == [True, True, True]
    assert first[1].memory.id == first[2].memory.id
    (again,) = memory.add_notes([note("a", "Leek soup.", page=2)], keep_twins=True)
    assert (again.memory.id, again.memory.metadata) == (first[0].memory.id, {"page": 2})
    assert [m.text for m in memory.list(scope, source_ids=["b"])] == ["Leek soup!"]
    assert len(memory.list(scope)) == 2


def test_listing_what_comes_from_a_source(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    memory.add_fact(scope, "Ana paints.", source_id="card-1")
    memory.add_fact(scope, "Brona spies.", source_id="card-2", known_by={"Brona"})
    assert [m.text for m in memory.list(scope, source_ids={"card-1", "card-2", "none"})] == ["Ana paints."]
    assert memory.list(scope, source_ids=[]) == []
    assert memory.list(Scope(user="ben"), source_ids=["card-1"]) == []
    with pytest.raises(OptionError, match="source_ids"):
        memory.list(scope, source_ids="card-1")


def test_lists_are_narrowed_to_sources_that_begin_alike(memory: RoleplayMemory, scope: Scope) -> None:
    ids = ["card-1", "card-2", "cärd-3", "card-\ud800", "c%rd-5", None]
    for number, source in enumerate(ids):
        memory.add_turns(scope, [said(f"Turn {number}.", source)])
    found = {prefix: memory.list(scope, source_prefix=prefix) for prefix in ("card-", "c", "cä", "c%", "x")}
    assert {prefix: [m.source_id for m in memories] for prefix, memories in found.items()} == {
        "card-": ["card-1", "card-2", "card-\ud800"],
        "c": ids[:5],
        "cä": ["cärd-3"],
        "c%": ["c%rd-5"],
        "x": [],
    }
    assert memory.list(Scope(user="ben"), source_prefix="card-") == []
    with pytest.raises(OptionError, match="give one of them"):
        memory.list(scope, source_prefix="card-", source_ids=["card-1"])
    with pytest.raises(OptionError, match="source_prefix=''"):
        memory.list(scope, source_prefix="")


def test_a_fact_that_holds_for_a_while_yet_is_a_twin(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)  # the story is at 3
    first = memory.add_fact(scope, "The gate is shut until spring.", valid_to=100)
    again = memory.add_fact(scope, "The gate is shut until spring.", valid_to=100)
    assert (again.stored, again.twin_id) == (False, first.memory.id)
    memory.add_fact(scope, "The bridge is down.", valid_to=3)
    assert memory.add_fact(scope, "The bridge is down.").stored  # the first no longer holds


@pytest.mark.parametrize("by", ["source_id", "id"])
def test_a_fact_stands_where_the_turn_it_names_does(memory: RoleplayMemory, scope: Scope, by: str) -> None:
    ids = memory.add_turns(scope, CHAT).ids
    parent = {"source_id": CHAT[1].source_id, "id": ids[1]}[by]
    assert memory.add_fact(scope, "The door is locked.", parent_id=parent).memory.position == 1
    assert memory.add_summary(scope, "They part for the night.", parent_id=parent).memory.position == 1
