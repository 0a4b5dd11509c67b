from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from romaine.memory import Memory, RoleplayMemory, Scope
from romaine.memory.sequence import (
    followers,
    last_position,
    next_position,
    previous_turn,
    shares_with,
    spoken,
)
from romaine.memory.stored import StoredMemory
from romaine.memory.views import view_of

from .conftest import CHAT, said

PARTY = Scope(user="ana", chat="party")
CASSIAN = replace(PARTY, character="Cassian")
BRONA = replace(PARTY, character="Brona")


def audience(character: str | None = None, known_by: frozenset[str] = frozenset()) -> StoredMemory:
    scope = replace(PARTY, character=character)
    return StoredMemory(1, 1, 1, 1, None, Memory(scope=scope, kind="turn", text="Hm.", known_by=known_by))


def names(*who: str) -> frozenset[str]:
    return frozenset(who)


@pytest.mark.parametrize(
    ("before", "turn", "shared"),
    [
        (audience(), audience(), True),
        (audience(), audience("Cassian"), True),
        (audience(), audience(known_by=names("Brona")), True),
        (audience("Cassian"), audience("Cassian"), True),
        (audience("Cassian"), audience(), False),
        (audience("Cassian"), audience("Brona"), False),
        (audience("Brona"), audience("Cassian"), False),
        (audience(known_by=names("Brona")), audience(), False),
        (audience(known_by=names("Brona")), audience(known_by=names("Brona")), True),
        (audience(known_by=names("Brona", "Ana")), audience(known_by=names("Ana", "Brona")), True),
        (audience(known_by=names("Brona", "Ana")), audience(known_by=names("Brona")), False),
        (audience("Cassian", names("Brona")), audience("Cassian"), False),
        (audience("Brona", names("Brona")), audience("Cassian", names("Brona")), False),
    ],
)
def test_context_is_what_all_who_see_a_turn_see(
    before: StoredMemory, turn: StoredMemory, shared: bool
) -> None:
    assert shares_with(before, turn) == shared


def rows_of(memory: RoleplayMemory, scope: Scope = PARTY) -> dict[str, StoredMemory]:
    with memory._store.storage.read() as snapshot:
        view = view_of(snapshot, scope).with_everyone()
        return {row.memory.text: row for row in view.story(snapshot)}


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
    with chat._store.storage.read() as snapshot:
        view = view_of(snapshot, PARTY).with_everyone()
        before = {text: previous_turn(snapshot, view, row) for text, row in rows.items()}
    assert {text: None if row is None else row.memory.text for text, row in before.items()} == {
        "one": None, "Cassian's": "one", "secret": "one", "Brona's": "one", "two": "one",
        "more secret": "two", "Cassian's last": "two", "A note.": None, "three": "two",
        "outside": None, "beyond": "outside",
    }  # fmt: skip


def test_followers_are_all_that_may_look_back_to_a_turn(chat: RoleplayMemory) -> None:
    rows = rows_of(chat)
    with chat._store.storage.read() as snapshot:
        view = view_of(snapshot, PARTY).with_everyone()
        after = {
            text: [follower.memory.text for follower in followers(snapshot, view, row)]
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
    with memory._store.storage.read() as snapshot:
        view = view_of(snapshot, PARTY).with_everyone()
        after = {text: [f.memory.text for f in followers(snapshot, view, row)] for text, row in rows.items()}
    assert after == {"a": ["b"], "b": ["c"], "c": [], "d": ["e"], "e": []}


def test_all_turns_of_the_next_position_look_back(memory: RoleplayMemory, path: Path) -> None:
    memory.add_turns(PARTY, [said("a"), said("b"), said("c"), said("d")])
    file = path.with_suffix(".jsonl")
    memory.export_jsonl(file, PARTY)
    file.write_text(file.read_text().replace('"position": 2', '"position": 1'))
    memory.import_jsonl(file, scope=BRONA)
    rows = rows_of(memory, BRONA)
    with memory._store.storage.read() as snapshot:
        view = view_of(snapshot, BRONA).with_everyone()
        after = [row.memory.text for row in followers(snapshot, view, rows["a"])]
    assert after == ["b", "c"]


def test_whatever_looks_back_to_a_turn_is_among_its_followers(chat: RoleplayMemory) -> None:
    rows = rows_of(chat)
    with chat._store.storage.read() as snapshot:
        view = view_of(snapshot, PARTY).with_everyone()
        for row in rows.values():
            before = previous_turn(snapshot, view, row)
            assert before is None or row.row_id in [f.row_id for f in followers(snapshot, view, before)]


def test_positions_go_on_and_are_never_given_twice(memory: RoleplayMemory, scope: Scope) -> None:
    def positions(asked: Scope) -> tuple[int, int | None]:
        with memory._store.storage.read() as snapshot:
            view = view_of(snapshot, asked)
            return next_position(view), last_position(snapshot, view)

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
    with chat._store.storage.read() as snapshot:
        assert last_position(snapshot, view_of(snapshot, BRONA)) == rows_of(chat)["hush"].position
        assert last_position(snapshot, view_of(snapshot, CASSIAN)) == rows_of(chat)["three"].position


def without(row: StoredMemory, field: str) -> StoredMemory:
    return replace(row, memory=row.memory.with_checked(**{field: None}))


def test_what_has_no_place_stands_before_and_after_nothing(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    row = rows_of(memory, scope)[CHAT[0].text]
    with memory._store.storage.read() as snapshot:
        assert previous_turn(snapshot, view_of(snapshot, scope), without(row, "position")) is None
        assert [*followers(snapshot, view_of(snapshot, scope), without(row, "position"))] == []
    assert spoken(row) == f"Cassian: {CHAT[0].text}"
    assert spoken(without(row, "speaker")) == CHAT[0].text
