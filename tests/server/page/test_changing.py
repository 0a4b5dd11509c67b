"""Each thing that can be done to a memory, and that undoing it leaves it as it was."""

from __future__ import annotations

import html
import re

import pytest

from romaine.memory import Memory, RoleplayMemory, Scope
from tests.server.page.conftest import CHAT, TAVERN, about, turn, turns


@pytest.fixture
def told(memory: RoleplayMemory) -> RoleplayMemory:
    old = memory.add_fact(TAVERN, "The key is under the third step.", parent_id="2").memory
    memory.add_fact(TAVERN, "Ana took the key away.", supersedes=old.id, importance=0.4)
    memory.add_lore(Scope(user="ana", character="Cassian"), "The tavern has no windows.")
    return memory


@pytest.fixture
def do(ana):
    def done(action: str, on: Memory, scope: Scope = TAVERN, **fields: object) -> str:
        """Does it; returns what undoes it."""
        answer = ana.post(f"/page/memory/{on.id}/{action}", params=about(scope), data=fields)
        assert answer.status_code == 200, answer.text
        assert "memory-changed" in answer.headers["hx-trigger-after-swap"]
        return undo_of(answer.text)

    return done


@pytest.fixture
def undo(ana):
    def undone(what: str, scope: Scope = TAVERN) -> None:
        answer = ana.post("/page/undo", params=about(scope), data={"undo": what})
        assert answer.status_code == 200, answer.text

    return undone


def undo_of(shown: str) -> str:
    return html.unescape(re.search(r'name="undo" value="([^"]*)"', shown)[1])


def fact(memory: RoleplayMemory) -> Memory:
    return next(each for each in memory.list(TAVERN, kinds=["fact"]) if "took" in each.text)


ACTIONS = {
    "pin": {},
    "unpin": {},
    "edit": {"text": "Ana sold the key.", "importance": "0.9", "category": "plot_event"},
    "witnesses": {"known_by": "Mira, Bo"},
    "supersede": {"text": "Ana has lost the key."},
    "forget": {},
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("on", ["fact", "turn"])
def test_what_is_done_is_undone(told, do, undo, action, on):
    target = fact(told) if on == "fact" else turn(told, "2")
    if action == "unpin":
        target = told.pin(TAVERN, target.id)
    before = told.list(TAVERN)
    way_back = do(action, target, **ACTIONS[action])
    assert told.list(TAVERN) != before
    undo(way_back)
    assert told.list(TAVERN) == before


def test_each_does_what_it_says(told, do):
    target = fact(told)
    do("pin", target)
    assert told.get(TAVERN, target.id).pinned
    do("edit", target, **ACTIONS["edit"])
    changed = told.get(TAVERN, target.id)
    assert (changed.text, changed.importance) == ("Ana sold the key.", 0.9)
    assert changed.category == "plot_event"
    do("witnesses", target, known_by="Cassian,, Mira ")
    assert told.get(TAVERN, target.id).known_by == {"Cassian", "Mira"}
    do("supersede", target, text="Ana has lost the key.")
    newer = told.get(TAVERN, told.get(TAVERN, target.id).superseded_by or "")
    assert newer.text == "Ana has lost the key."


def test_a_retraction_and_what_was_made_from_it_come_back(told, do, undo):
    before = told.list(TAVERN)
    way_back = do("retract", turn(told, "2"))
    assert len(told.list(TAVERN)) == len(before) - 2
    undo(way_back)
    assert told.list(TAVERN) == before


def test_a_fork_drops_and_takes_back_its_own_view_alone(told, do, undo):
    fork = told.branch(TAVERN, at=3, to_chat="what if")
    before, in_fork = told.list(TAVERN), told.list(fork)
    way_back = do("forget", turn(told, "2", fork), fork)
    assert told.list(TAVERN) == before
    undo(way_back, fork)
    assert [each.id for each in told.list(fork)] == [each.id for each in in_fork]
    assert told.list(TAVERN) == before


def test_changes_are_undone_one_after_another(told, do, undo):
    before = told.list(TAVERN)
    ways = [
        do("pin", fact(told)),
        do("edit", fact(told), text="Ana took the key home."),
        do("forget", fact(told)),
    ]
    for way_back in reversed(ways):
        undo(way_back)
    assert told.list(TAVERN) == before


def test_an_odd_text_that_nobody_touched_is_not_changed(memory, do):
    odd = "\nfirst\r\nlast\rend \0 \udc80"
    memory.add_turns(TAVERN, turns(*CHAT, ("Ana", "user", odd)))
    target = turn(memory, "5")
    shown = "\nfirst\nlast\nend \ufffd \ufffd"
    do("edit", target, text=shown.replace("\n", "\r\n"), importance="0.5")
    assert memory.get(TAVERN, target.id).text == odd
    assert memory.get(TAVERN, target.id).importance == 0.5


def test_a_note_is_added_once(ana, memory):
    before = memory.list(TAVERN)
    asked = {"params": about(), "data": {"kind": "lore", "text": "Rain falls upwards here."}}
    added = ana.post("/page/note", **asked)
    assert "Added" in added.text
    again = ana.post("/page/note", **asked)
    assert again.status_code == 400
    assert "there is a note with the same text already" in again.text
    ana.post("/page/undo", params=about(), data={"undo": undo_of(added.text)})
    assert memory.list(TAVERN) == before


@pytest.mark.parametrize(
    ("action", "fields", "said"),
    [
        ("edit", {"text": "  "}, "the text is empty"),
        ("edit", {"importance": "much"}, "importance is a number"),
        ("edit", {"importance": "7"}, "importance"),
        ("supersede", {"text": ""}, "the text is empty"),
        ("explode", {}, "nothing that can be done"),
    ],
)
def test_what_cannot_be_done_says_why(ana, told, action, fields, said):
    before = told.list(TAVERN)
    answer = ana.post(f"/page/memory/{fact(told).id}/{action}", params=about(), data=fields)
    assert answer.status_code in (400, 404)
    assert said in answer.text
    assert told.list(TAVERN) == before


def test_only_a_message_can_be_retracted(ana, told):
    answer = ana.post(f"/page/memory/{fact(told).id}/retract", params=about())
    assert answer.status_code == 400
    assert "forget this one" in answer.text


@pytest.mark.parametrize(
    "given", ["", "[]", "{}", '{"memories": [{}], "superseded": {}, "added": []}', "x" * 9]
)
def test_what_undoes_nothing_is_refused(ana, told, given):
    before = told.list(TAVERN)
    assert ana.post("/page/undo", params=about(), data={"undo": given}).status_code == 400
    assert told.list(TAVERN) == before


def test_nobody_undoes_into_anothers_memory(client, keys, told, do):
    way_back = do("forget", fact(told))
    client.headers["Authorization"] = f"Bearer {keys.make('bob')}"
    theirs = about(Scope(user="bob", character="Cassian", chat="tavern"))
    assert client.post("/page/undo", params=theirs, data={"undo": way_back}).status_code == 400
    assert client.post("/page/undo", params=about(), data={"undo": way_back}).status_code == 403
    assert told.scopes("bob") == []


def test_what_is_too_long_to_come_back_says_so(ana, memory):
    memory.add_turns(TAVERN, turns(*CHAT, ("Ana", "user", "ž" * 600_000)))
    answer = ana.post(f"/page/memory/{turn(memory, '5').id}/forget", params=about())
    assert "too long to be undone" in answer.text
    assert 'name="undo"' not in answer.text
