from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from romaine.memory import RoleplayMemory, Scope
from romaine.memory.codec import decode_text, encode_id, encode_text
from romaine.memory.views import Segment, View, space_of, versions_of, view_of

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
def seen(memory: RoleplayMemory, scope: Scope) -> Iterator[tuple[sqlite3.Connection, View]]:
    with memory._store.read() as connection:
        yield connection, view_of(connection, scope)


def words(rows: object) -> list[str]:
    return [decode_text(row.text) for row in rows]


def test_a_view_tells_the_story_in_order_and_what_has_no_place_last(chat: RoleplayMemory) -> None:
    with seen(chat, PARTY) as (connection, view):
        assert words(view.all_rows(connection)) == [
            "one", "outside", "two", "beyond", "three", "A note.", "five", "Ana paints.",
        ]  # fmt: skip
    with seen(chat, CASSIAN) as (connection, view):
        assert "three" not in words(view.all_rows(connection))
        assert "four" in words(view.all_rows(connection))


def test_a_view_has_what_is_outside_first_and_the_chat_last(chat: RoleplayMemory) -> None:
    with seen(chat, CASSIAN) as (connection, view):
        spaces = [space_of(connection, "ana", name) for name in (None, "party")]
        assert None not in spaces
        assert view.segments == (
            Segment(spaces[0], "Cassian", in_chat=False),
            Segment(spaces[1], "Cassian"),
        )
        assert (view.own, view.fork) == (spaces[1], None)
        assert all(segment.everyone for segment in view.with_everyone().segments)
        assert [replace(s, everyone=False) for s in view.with_everyone().segments] == [*view.segments]
        assert space_of(connection, "ana", "road") is None
        assert view_of(connection, Scope(user="ben", chat="party")).segments == ()


def test_what_a_fork_sees_of_its_parents(chat: RoleplayMemory) -> None:
    fork = chat.branch(PARTY, at=3, to_chat="fork")
    chat.retract(fork, ["1"])
    inner = chat.branch(fork, at=1, to_chat="inner")
    chat.retract(fork, ["2"])
    with seen(chat, inner) as (connection, view):
        outside, party, middle, own = view.segments
        at = {name: space_of(connection, "ana", name) for name in ("party", "fork", "inner")}
        assert [s.space for s in (party, middle, own)] == list(at.values())
        assert [s.until for s in (outside, party, middle, own)] == [None, 1, 1, None]
        assert [s.in_chat for s in view.segments] == [False, True, True, True]
        assert party.as_of < middle.as_of
        assert (outside.as_of, own.as_of) == (None, None)
        assert len(party.hidden) >= 1
        assert middle.hidden == own.hidden == frozenset()
        assert view.fork is not None
        assert (view.fork.space, view.fork.at) == (own.space, 1)
        assert words(view.turns_before(connection, 9, in_chat=True)) == ["two"]
        assert all(
            view.owns(row) == (row.space == own.space or not row.in_chat) for row in view.all_rows(connection)
        )
        early = view_of(connection, inner, as_of=party.as_of - 1)
        assert {segment.as_of for segment in early.segments} == {party.as_of - 1}
        # a fork of late is seen as its parents were at the earlier of both moments
        late = view_of(connection, inner, as_of=10_000)
        assert [s.as_of for s in late.segments] == [10_000, party.as_of, middle.as_of, 10_000]


def test_a_deeper_fork_does_not_reach_further_than_the_one_between(chat: RoleplayMemory) -> None:
    fork = chat.branch(PARTY, at=1, to_chat="fork")
    chat.add_turns(fork, [said("another", "8"), said("end", "9")])
    inner = chat.branch(fork, at=3, to_chat="inner")
    with seen(chat, inner) as (connection, view):
        assert [segment.until for segment in view.segments] == [None, 1, 3, None]
        rows = view.turns_before(connection, 99, in_chat=True)
        assert words(rows) == ["end", "another", "two", "one"]
        assert words(view.turns_after(connection, 0, in_chat=True)) == ["two", "another", "end"]


def test_turns_around_a_position_do_not_include_it(chat: RoleplayMemory) -> None:
    with seen(chat, PARTY) as (connection, view):
        at = {decode_text(row.text): row.position for row in view.all_rows(connection) if row.in_chat}
        assert words(view.turns_before(connection, at["three"], in_chat=True)) == ["two", "one"]
        assert words(view.turns_after(connection, at["two"], in_chat=True)) == ["three", "five"]
        assert words(view.turns_before(connection, 99, in_chat=False)) == ["beyond", "outside"]
        assert words(view.turns_after(connection, -1, in_chat=False)) == ["outside", "beyond"]


def test_rows_are_found_by_what_they_are_called(chat: RoleplayMemory) -> None:
    ids = {found.text: found.id for found in chat.list(PARTY)}
    with seen(chat, CASSIAN) as (connection, view):
        rows = list(view.all_rows(connection))
        assert words(view.rows_of(connection, [rows[0].no, rows[2].no])) == words([rows[0], rows[2]])
        found = view.row_of_id(connection, encode_id(ids["two"]))
        assert words([found]) == ["two"]
        assert view.row_of_id(connection, encode_id(ids["three"])) is None
        assert words(view.rows_of_source(connection, encode_text("2"))) == ["two"]
        assert words(view.rows_of_source(connection, encode_text("3"))) == ["three"]  # witnessed or not
        assert words(view.rows_of_source_prefix(connection, "x")) == ["Ana paints.", "A note."]
        assert words(view.children_of(connection, encode_text("1"))) == ["four"]
        assert words(view.notes(connection)) == ["Ana paints.", "A note."]


def test_counts_are_those_of_what_was_witnessed(chat: RoleplayMemory) -> None:
    def counted(scope: Scope) -> dict[str, tuple[int, int]]:
        with seen(chat, scope) as (connection, view):
            counts = list(view.counts(connection))
        return {
            kind: (sum(c[1] for c in counts if c[0] == kind), sum(c[2] for c in counts if c[0] == kind))
            for kind in ("turn", "fact")
        }

    assert counted(PARTY) == {"turn": (6, 0), "fact": (2, 1)}
    assert counted(CASSIAN) == {"turn": (6, 0), "fact": (2, 1)}
    assert counted(replace(PARTY, character="Brona")) == {"turn": (6, 0), "fact": (2, 1)}
    assert counted(replace(PARTY, character="Duke")) == {"turn": (5, 0), "fact": (2, 1)}


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
    with seen(memory, CASSIAN) as (connection, view):
        nos = [view.row_of_id(connection, encode_id(m.id)).no for m in (old, second, third)]
        assert view.superseders(connection) == {nos[0]: nos[1:]}
        assert view.superseded(connection) == {nos[0]: third.id}


def test_versions_are_all_rows_of_a_memory(memory: RoleplayMemory) -> None:
    fact = memory.add_fact(PARTY, "The gate is shut.").memory
    memory.add_turns(PARTY, [said("one", "1")])
    fork = memory.branch(PARTY, at=0, to_chat="fork")
    with seen(memory, PARTY) as (connection, view):
        root = view.row_of_id(connection, encode_id(fact.id)).no
        assert versions_of(connection, root) == [root]
    memory.update(PARTY, fact.id, text="The gate stands open.")
    memory.update(fork, fact.id, text="The gate is gone.")
    with seen(memory, fork) as (connection, view):
        versions = versions_of(connection, root)
        assert root in versions
        assert len(versions) == len(set(versions)) >= 2
        assert view.row_of_id(connection, encode_id(fact.id)).no in versions
