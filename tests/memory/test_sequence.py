from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from romaine.memory import RoleplayMemory, Scope
from romaine.memory.codec import SqlText, decode_text, encode_names
from romaine.memory.rows import StoredMemory
from romaine.memory.sequence import (
    followers,
    last_position,
    next_position,
    previous_turn,
    shares_with,
    spoken,
)
from romaine.memory.views import view_of

from .conftest import CHAT, said

PARTY = Scope(user="ana", chat="party")
CASSIAN = replace(PARTY, character="Cassian")
BRONA = replace(PARTY, character="Brona")


@dataclass(frozen=True)
class Audience:
    character: SqlText | None = None
    known_by: SqlText | None = None


def names(*who: str) -> SqlText | None:
    return encode_names(frozenset(who))


@pytest.mark.parametrize(
    ("before", "turn", "shared"),
    [
        (Audience(), Audience(), True),
        (Audience(), Audience("Cassian"), True),
        (Audience(), Audience(known_by=names("Brona")), True),
        (Audience("Cassian"), Audience("Cassian"), True),
        (Audience("Cassian"), Audience(), False),
        (Audience("Cassian"), Audience("Brona"), False),
        (Audience("Brona"), Audience("Cassian"), False),
        (Audience(known_by=names("Brona")), Audience(), False),
        (Audience(known_by=names("Brona")), Audience(known_by=names("Brona")), True),
        (Audience(known_by=names("Brona", "Ana")), Audience(known_by=names("Ana", "Brona")), True),
        (Audience(known_by=names("Brona", "Ana")), Audience(known_by=names("Brona")), False),
        (Audience("Cassian", names("Brona")), Audience("Cassian"), False),
        (Audience("Brona", names("Brona")), Audience("Cassian", names("Brona")), False),
    ],
)
def test_context_is_what_all_who_see_a_turn_see(before: Audience, turn: Audience, shared: bool) -> None:
    assert shares_with(before, turn) == shared


def rows_of(memory: RoleplayMemory, scope: Scope = PARTY) -> dict[str, StoredMemory]:
    with memory._store.read() as connection:
        view = view_of(connection, scope).with_everyone()
        return {decode_text(row.text): row for row in view.all_rows(connection)}


@pytest.fixture
def chat(memory: RoleplayMemory) -> RoleplayMemory:
    memory.add_turns(PARTY, [said("one")])
    memory.add_turns(CASSIAN, [said("Cassian's")])
    memory.add_turns(PARTY, [said("secret")], known_by={"Brona"})
    memory.add_turns(BRONA, [said("Brona's")])
    memory.add_turns(PARTY, [said("two")])
    memory.add_turns(PARTY, [said("more secret")], known_by={"Brona"})
    memory.add_turns(CASSIAN, [said("Cassian's last")])
    memory.add_fact(PARTY, "A note.")
    memory.add_turns(PARTY, [said("three")])
    memory.add_turns(Scope(user="ana"), [said("outside"), said("beyond")])
    return memory


def test_the_turn_before_is_the_nearest_that_is_shared(chat: RoleplayMemory) -> None:
    rows = rows_of(chat)
    with chat._store.read() as connection:
        view = view_of(connection, PARTY).with_everyone()
        before = {text: previous_turn(connection, view, row) for text, row in rows.items()}
    assert {text: None if row is None else decode_text(row.text) for text, row in before.items()} == {
        "one": None, "Cassian's": "one", "secret": "one", "Brona's": "one", "two": "one",
        "more secret": "two", "Cassian's last": "two", "A note.": None, "three": "two",
        "outside": None, "beyond": "outside",
    }  # fmt: skip


def test_followers_are_all_that_may_look_back_to_a_turn(chat: RoleplayMemory) -> None:
    rows = rows_of(chat)
    with chat._store.read() as connection:
        view = view_of(connection, PARTY).with_everyone()
        after = {
            text: [decode_text(follower.text) for follower in followers(connection, view, row)]
            for text, row in rows.items()
        }
    assert after == {
        "one": ["Cassian's", "secret", "Brona's", "two"], "Cassian's": [], "secret": [], "Brona's": [],
        "two": ["more secret", "Cassian's last", "three"], "more secret": [], "Cassian's last": [],
        "A note.": [], "three": [], "outside": ["beyond"], "beyond": [],
    }  # fmt: skip


def test_beyond_a_turn_that_as_many_share_nothing_looks_back(memory: RoleplayMemory) -> None:
    memory.add_turns(PARTY, [said("a"), said("b"), said("c")], known_by={"Brona"})
    memory.add_turns(PARTY, [said("d"), said("e")])
    rows = rows_of(memory)
    with memory._store.read() as connection:
        view = view_of(connection, PARTY).with_everyone()
        after = {
            text: [decode_text(f.text) for f in followers(connection, view, row)]
            for text, row in rows.items()
        }
    assert after == {"a": ["b"], "b": ["c"], "c": [], "d": ["e"], "e": []}


def test_whatever_looks_back_to_a_turn_is_among_its_followers(chat: RoleplayMemory) -> None:
    rows = rows_of(chat)
    with chat._store.read() as connection:
        view = view_of(connection, PARTY).with_everyone()
        for row in rows.values():
            before = previous_turn(connection, view, row)
            assert before is None or row.no in [f.no for f in followers(connection, view, before)]


def test_positions_go_on_and_are_never_given_twice(memory: RoleplayMemory, scope: Scope) -> None:
    def positions(asked: Scope) -> tuple[int, int | None]:
        with memory._store.read() as connection:
            view = view_of(connection, asked)
            return next_position(connection, asked, view), last_position(connection, view)

    assert positions(scope) == (0, None)
    memory.add_turns(scope, CHAT)
    assert positions(scope) == (4, 3)
    memory.retract(scope, ["4"])
    assert positions(scope) == (4, 2)
    fork = memory.branch(scope, at=1, to_chat="fork")
    assert positions(fork) == (2, 1)
    memory.add_turns(fork, [said("x"), said("y")])
    assert positions(fork) == (4, 3)
    assert positions(Scope(user="ana")) == (0, None)
    memory.add_turns(Scope(user="ana"), [said("outside")])
    assert positions(Scope(user="ana")) == (1, 0)
    road = replace(scope, chat="road")
    assert positions(road) == (0, None)
    memory.add_turns(road, [said(str(n)) for n in range(100)])
    assert positions(road) == (100, 99)


def test_the_last_position_is_of_what_was_witnessed(chat: RoleplayMemory) -> None:
    chat.add_turns(PARTY, [said("hush")], known_by={"Brona"})
    with chat._store.read() as connection:
        assert last_position(connection, view_of(connection, BRONA)) == rows_of(chat)["hush"].position
        assert last_position(connection, view_of(connection, CASSIAN)) == rows_of(chat)["three"].position


def test_what_has_no_place_stands_before_and_after_nothing(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    row = rows_of(memory, scope)[CHAT[0].text]
    with memory._store.read() as connection:
        assert previous_turn(connection, view_of(connection, scope), row._replace(position=None)) is None
        assert [*followers(connection, view_of(connection, scope), row._replace(position=None))] == []
    assert spoken(row) == f"Cassian: {CHAT[0].text}"
    assert spoken(row._replace(speaker=None)) == CHAT[0].text
