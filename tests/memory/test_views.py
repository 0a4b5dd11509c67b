from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from romaine.memory import RoleplayMemory, Scope
from romaine.memory.storage import Snapshot
from romaine.memory.stored import NOTES, Segment, Wanted
from romaine.memory.views import View, view_of

from .conftest import said

OUTSIDE = Scope(user="ana")
PARTY = Scope(user="ana", chat="party")
CASSIAN = replace(PARTY, character="Cassian")


@pytest.fixture
def chat(memory: RoleplayMemory) -> RoleplayMemory:
    memory.add_fact(OUTSIDE, "Ana paints.", source_id="x9")
    memory.add_turns(PARTY, [said("one", "1"), said("two", "2")])
    memory.add_turns(PARTY, [said("three", "3")], known_by={"Brona"})
    memory.add_turns(CASSIAN, [said("four", "4", parent_id="1")])
    memory.add_fact(PARTY, "A note.", source_id="x2", pinned=True)
    memory.add_turns(PARTY, [said("five", "5")])
    memory.add_turns(OUTSIDE, [said("outside", "6"), said("beyond", "7")])
    return memory


@contextmanager
def seen(memory: RoleplayMemory, scope: Scope) -> Iterator[tuple[Snapshot, View]]:
    with memory._store.storage.read() as snapshot:
        yield snapshot, view_of(snapshot, scope)


def space_of(snapshot: Snapshot, user: str, chat: str | None) -> int | None:
    space = snapshot.space(user, chat)
    return None if space is None else space.row_id


def versions_of(snapshot: Snapshot, root: int) -> list[int]:
    return [row.row_id for row in snapshot.rows(None, Wanted(root=root))]


def words(rows: object) -> list[str]:
    return [row.memory.text for row in rows]


def test_a_view_tells_the_story_in_order_and_what_has_no_place_last(chat: RoleplayMemory) -> None:
    with seen(chat, PARTY) as (snapshot, view):
        assert words(view.story(snapshot)) == [
            "one", "outside", "two", "beyond", "three", "A note.", "five", "Ana paints.",
        ]  # fmt: skip
    with seen(chat, CASSIAN) as (snapshot, view):
        assert "three" not in words(view.story(snapshot))
        assert "four" in words(view.story(snapshot))


def test_a_view_has_what_is_outside_first_and_the_chat_last(chat: RoleplayMemory) -> None:
    with seen(chat, CASSIAN) as (snapshot, view):
        spaces = [space_of(snapshot, "ana", name) for name in (None, "party")]
        assert None not in spaces
        assert view.segments == (
            Segment(spaces[0], "Cassian", in_chat=False),
            Segment(spaces[1], "Cassian"),
        )
        assert (view.own.row_id, view.fork) == (spaces[1], None)
        assert all(segment.everyone for segment in view.with_everyone().segments)
        assert [replace(s, everyone=False) for s in view.with_everyone().segments] == [*view.segments]
        assert space_of(snapshot, "ana", "road") is None
        assert view_of(snapshot, Scope(user="ben", chat="party")).segments == ()


def test_what_a_fork_sees_of_its_parents(chat: RoleplayMemory) -> None:
    fork = chat.branch(PARTY, at=3, to_chat="fork")
    chat.retract(fork, ["1"])
    inner = chat.branch(fork, at=1, to_chat="inner")
    chat.retract(fork, ["2"])
    with seen(chat, inner) as (snapshot, view):
        outside, party, middle, own = view.segments
        at = {name: space_of(snapshot, "ana", name) for name in ("party", "fork", "inner")}
        assert [s.space for s in (party, middle, own)] == list(at.values())
        assert [s.until for s in (outside, party, middle, own)] == [None, 1, 1, None]
        assert [s.in_chat for s in view.segments] == [False, True, True, True]
        assert party.as_of < middle.as_of
        assert (outside.as_of, own.as_of) == (None, None)
        assert len(party.hidden) >= 1
        assert middle.hidden == own.hidden == frozenset()
        assert view.fork is not None
        assert (view.fork.space, view.fork.at) == (own.space, 1)
        assert words(view.turns_before(snapshot, 9, in_chat=True)) == ["two"]
        assert all(
            view.owns(row) == (row.space == own.space or not row.in_chat) for row in view.story(snapshot)
        )


def test_a_deeper_fork_does_not_reach_further_than_the_one_between(chat: RoleplayMemory) -> None:
    fork = chat.branch(PARTY, at=1, to_chat="fork")
    chat.add_turns(fork, [said("another", "8"), said("end", "9")])
    inner = chat.branch(fork, at=3, to_chat="inner")
    with seen(chat, inner) as (snapshot, view):
        assert [segment.until for segment in view.segments] == [None, 1, 3, None]
        rows = view.turns_before(snapshot, 99, in_chat=True)
        assert words(rows) == ["end", "another", "two", "one"]
        assert words(view.turns_after(snapshot, 0, in_chat=True)) == ["two", "another", "end"]


def test_turns_around_a_position_do_not_include_it(chat: RoleplayMemory) -> None:
    with seen(chat, PARTY) as (snapshot, view):
        at = {row.memory.text: row.position for row in view.story(snapshot) if row.in_chat}
        assert words(view.turns_before(snapshot, at["three"], in_chat=True)) == ["two", "one"]
        assert words(view.turns_after(snapshot, at["two"], in_chat=True)) == ["three", "five"]
        assert words(view.turns_before(snapshot, 99, in_chat=False)) == ["beyond", "outside"]
        assert words(view.turns_after(snapshot, -1, in_chat=False)) == ["outside", "beyond"]


def test_rows_are_found_by_what_they_are_called(chat: RoleplayMemory) -> None:
    ids = {found.text: found.id for found in chat.list(PARTY)}
    with seen(chat, CASSIAN) as (snapshot, view):
        rows = list(view.story(snapshot))
        assert words(view.rows(snapshot, Wanted(row_ids=[rows[0].row_id, rows[2].row_id]))) == words(
            [rows[0], rows[2]]
        )
        found = view.row_of_id(snapshot, ids["two"])
        assert words([found]) == ["two"]
        assert view.row_of_id(snapshot, ids["three"]) is None
        assert words(view.rows_witnessed_or_not(snapshot, Wanted(source_id="2"))) == ["two"]
        assert words(view.rows_witnessed_or_not(snapshot, Wanted(source_id="3"))) == ["three"]
        assert words(view.rows(snapshot, Wanted(source_prefix="x"))) == ["Ana paints.", "A note."]
        assert words(view.rows(snapshot, Wanted(parent_id="1"))) == ["four"]
        assert words(view.rows(snapshot, Wanted(kinds=NOTES))) == ["Ana paints.", "A note."]


def test_the_newest_that_is_seen_supersedes(memory: RoleplayMemory) -> None:
    old = memory.add_fact(PARTY, "The gate is shut.").memory
    memory.add_turns(PARTY, [said("one", "1")])
    memory.branch(PARTY, at=0, to_chat="fork")
    second = memory.add_fact(PARTY, "The gate stands open.", supersedes=old.id).memory
    third = memory.add_fact(CASSIAN, "The gate has burnt down.", supersedes=old.id).memory
    assert memory.get(PARTY, old.id).superseded_by == second.id
    assert memory.get(CASSIAN, old.id).superseded_by == third.id
    assert memory.get(PARTY, second.id).superseded_by is None
    assert memory.get(replace(PARTY, chat="fork"), old.id).superseded_by is None
    with seen(memory, CASSIAN) as (snapshot, view):
        nos = [view.row_of_id(snapshot, m.id).row_id for m in (old, second, third)]
        assert view.superseders(snapshot) == {nos[0]: nos[1:]}
        assert view.superseded(snapshot) == {nos[0]: third.id}


def test_versions_are_story_of_a_memory(memory: RoleplayMemory) -> None:
    fact = memory.add_fact(PARTY, "The gate is shut.").memory
    memory.add_turns(PARTY, [said("one", "1")])
    fork = memory.branch(PARTY, at=0, to_chat="fork")
    with seen(memory, PARTY) as (snapshot, view):
        root = view.row_of_id(snapshot, fact.id).row_id
        assert versions_of(snapshot, root) == [root]
    memory.update(PARTY, fact.id, text="The gate stands open.")
    memory.update(fork, fact.id, text="The gate is gone.")
    with seen(memory, fork) as (snapshot, view):
        versions = versions_of(snapshot, root)
        assert root in versions
        assert len(versions) == len(set(versions)) >= 2
        assert view.row_of_id(snapshot, fact.id).row_id in versions
