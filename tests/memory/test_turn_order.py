from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from romaine.memory import RoleplayMemory, Scope
from romaine.memory.turn_order import NOWHERE, TurnOrder
from romaine.memory.views import view_of

from .conftest import said

PARTY = Scope(user="ana", chat="party")
CASSIAN = replace(PARTY, character="Cassian")
BOTH = pytest.mark.parametrize("at_once", [True, False])


@pytest.fixture
def chat(memory: RoleplayMemory) -> RoleplayMemory:
    """Turns 1 to 6 of a party, of which Cassian does not know 3, a note, and two turns outside any chat."""
    memory.add_turns(PARTY, [said("one", "1"), said("two", "2")])
    memory.add_turns(PARTY, [said("three", "3")], known_by={"Brona"})
    memory.add_fact(PARTY, "A note.", source_id="2")
    memory.add_turns(PARTY, [said("four", "4"), said("five", "5")], known_by={"Brona", "Cassian"})
    memory.add_turns(PARTY, [said("six", "6")])
    memory.add_turns(Scope(user="ana"), [said("outside", "7"), said("beyond", "8")])
    return memory


def links(memory: RoleplayMemory, scope: Scope, *, in_chat: bool, at_once: bool) -> list[tuple[str, str]]:
    """Each memory that is seen with the turn before it, by their texts."""
    with memory._store.storage.read() as snapshot:
        view = view_of(snapshot, scope)
        rows = list(view.story(snapshot))
        text = {NOWHERE: "", **{row.row_id: row.memory.text for row in rows}}
        order = TurnOrder(snapshot, view, in_chat, at_once=at_once)
        assert order.is_whole == at_once
        return [
            (row.memory.text, text[NOWHERE if not row.is_turn else order.of(row.row_id, row.position)])
            for row in rows
            if row.in_chat == in_chat
        ]


@BOTH
def test_the_turn_before_each_is_the_nearest_that_was_witnessed(chat: RoleplayMemory, at_once: bool) -> None:
    assert sorted(links(chat, PARTY, in_chat=True, at_once=at_once)) == [
        ("A note.", ""), ("five", "four"), ("four", "three"), ("one", ""), ("six", "five"),
        ("three", "two"), ("two", "one"),
    ]  # fmt: skip
    assert sorted(links(chat, CASSIAN, in_chat=True, at_once=at_once)) == [
        ("A note.", ""), ("five", "four"), ("four", "two"), ("one", ""), ("six", "five"), ("two", "one"),
    ]  # fmt: skip


@BOTH
def test_a_chat_and_what_is_outside_are_two_orders(chat: RoleplayMemory, at_once: bool) -> None:
    assert links(chat, PARTY, in_chat=False, at_once=at_once) == [("outside", ""), ("beyond", "outside")]


@BOTH
def test_in_a_fork_the_order_goes_on_from_its_parents(chat: RoleplayMemory, at_once: bool) -> None:
    fork = chat.branch(PARTY, at=3, to_chat="fork")
    chat.add_turns(fork, [said("two again", "2"), said("another end", "9")])
    assert sorted(links(chat, fork, in_chat=True, at_once=at_once)) == [
        ("A note.", ""), ("another end", "four"), ("four", "three"), ("one", ""), ("three", "two again"),
        ("two again", "one"),
    ]  # fmt: skip
    found = dict(links(chat, replace(fork, character="Cassian"), in_chat=True, at_once=at_once))
    assert (found["four"], found["another end"]) == ("two again", "four")


def test_nowhere_is_before_every_position() -> None:
    assert NOWHERE == -1  # as an index has it


def test_the_turn_after_a_position(chat: RoleplayMemory) -> None:
    with chat._store.storage.read() as snapshot:
        view = view_of(snapshot, CASSIAN)
        rows = [row for row in view.story(snapshot) if row.in_chat and row.is_turn]
        places = [(row.position, row.row_id) for row in rows]
        order = TurnOrder(snapshot, view, True, at_once=False)
        assert [position for position, _ in places] == [0, 1, 3, 4, 5]
        assert [order.after(position) for position in (-1, 0, 1, 2, 3, 4)] == [
            places[i] for i in (0, 1, 2, 2, 3, 4)
        ]
        assert order.after(5) == (NOWHERE, NOWHERE)
        assert order.before(places[0]) == NOWHERE
        assert order.before((9, 0)) == places[-1][1]


def test_followers_are_told_with_what_they_follow(chat: RoleplayMemory) -> None:
    with chat._store.storage.read() as snapshot:
        view = view_of(snapshot, CASSIAN)
        nos = [row.row_id for row in view.story(snapshot) if row.in_chat and row.is_turn]
        order = TurnOrder(snapshot, view, True, at_once=True)
        after, before = order.followers_of(np.array([nos[1], 10_000, nos[-1], nos[2]]))
        assert (after.tolist(), before.tolist()) == ([nos[2], nos[3]], [nos[1], nos[2]])
        assert after.dtype == before.dtype == np.int64
        nothing = order.followers_of(np.array([10_000]))
        assert [part.tolist() for part in nothing] == [[], []]
