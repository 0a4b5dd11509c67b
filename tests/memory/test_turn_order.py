from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from romaine.memory import RoleplayMemory, Scope
from romaine.memory.scope_view import ScopeView
from romaine.memory.turn_order import NOWHERE, lines_of

from .conftest import said

PARTY = Scope(user="ana", chat="party")
CASSIAN = replace(PARTY, character="Cassian")


def test_turns_come_by_position_and_row_in_the_chat_and_outside() -> None:
    positions, ids = np.array([3, 0, 3, 1, 0]), np.array([8, 5, 7, 6, 9])
    in_chat = np.array([True, True, True, False, False])
    assert [line.tolist() for line in lines_of(positions, ids, in_chat)] == [[4, 3], [1, 2, 0]]
    assert [line.tolist() for line in lines_of(positions, ids, np.ones(5, np.bool_))] == [[1, 4, 3, 2, 0]]
    assert lines_of(positions[:0], ids[:0], in_chat[:0]) == []


def test_nowhere_is_before_every_position() -> None:
    assert NOWHERE == -1  # as an index has it


# --- as a view links them -----------------------------------------------------------------------------------


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


def links(memory: RoleplayMemory, scope: Scope, view: ScopeView | None = None) -> dict[str, str]:
    """The text of each memory that follows another, and that one's."""
    view = view or ScopeView(scope, full_dim=memory._store.embedder.full_dim, dim=8)
    text = {found.id: found.text for found in memory.list(scope)}
    with memory._store.storage.read(scope.user) as snapshot, view.at(snapshot):
        rows = np.flatnonzero(view.index.alive)
        ids = {row.row_id: row.memory.id for row in view.view.story(snapshot)}
        before = view.index.beside(rows)[:, 0]
        pairs = [(row, at) for row, at in zip(rows.tolist(), before.tolist(), strict=True) if at != -1]
        after = view.index.beside(np.array([at for _, at in pairs], np.intp))[:, 1]
        assert after.tolist() == [row for row, _ in pairs]
    name = [text.get(ids.get(row_id, ""), "gone") for row_id in view.index.ids.tolist()]
    return {name[row]: name[at] for row, at in pairs}


OUTSIDE = {"beyond": "outside"}


def test_the_turn_before_each_is_the_nearest_of_its_line_that_was_witnessed(chat: RoleplayMemory) -> None:
    told = {"two": "one", "three": "two", "four": "three", "five": "four", "six": "five"}
    assert links(chat, PARTY) == {**told, **OUTSIDE}
    del told["three"]
    assert links(chat, CASSIAN) == {**told, "four": "two", **OUTSIDE}


def test_in_a_fork_the_order_goes_on_from_its_parents(chat: RoleplayMemory) -> None:
    fork = chat.branch(PARTY, at=3, to_chat="fork")
    chat.add_turns(fork, [said("two again", "2"), said("another end", "9")])
    told = {"two again": "one", "three": "two again", "four": "three", "another end": "four", **OUTSIDE}
    assert links(chat, fork) == told
    del told["three"]
    assert links(chat, replace(fork, character="Cassian")) == {**told, "four": "two again"}


def test_what_comes_and_goes_parts_and_joins_others(chat: RoleplayMemory) -> None:
    view = ScopeView(CASSIAN, full_dim=chat._store.embedder.full_dim, dim=8)
    links(chat, CASSIAN, view)
    ids = {found.text: found.id for found in chat.list(PARTY)}
    chat.update(PARTY, ids["three"], known_by=())
    chat.update(PARTY, ids["six"], text="the end")
    chat.forget(PARTY, ids["five"])
    told = {"two": "one", "three": "two", "four": "three", "the end": "four", **OUTSIDE}
    assert links(chat, CASSIAN, view) == links(chat, CASSIAN) == told
    chat.retract(PARTY, ["2"])
    chat.add_turns(PARTY, [said("and on", "9")])
    told = {"three": "one", "four": "three", "the end": "four", "and on": "the end", **OUTSIDE}
    assert links(chat, CASSIAN, view) == links(chat, CASSIAN) == told
