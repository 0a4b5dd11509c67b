"""The tools, called by the SDK's own client, over a real memory."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from romaine.mcp.tools import TOOLS, OpenMemory
from romaine.memory import RoleplayMemory, Scope, Turn
from tests.mcp.conftest import SCOPE

KEY = "Cassian left the silver key under the third step."


def turn(text: str, number: int, speaker: str = "Cassian") -> dict:
    return {"text": text, "speaker": speaker, "role": "character", "source_id": str(number)}


def test_there_are_at_most_ten_and_their_schemas_are_strict(ask):
    tools = ask(lambda client: client.list_tools()).tools
    assert len(tools) <= 10
    assert {tool.name for tool in tools} >= {
        "add_memory",
        "search_memories",
        "get_memories",
        "update_memory",
        "delete_memory",
        "add_turns",
    }
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema["type"] == "object"
        assert tool.description
        assert tool.title


def test_no_argument_names_whose_memory_it_is(ask):
    for tool in ask(lambda client: client.list_tools()).tools:
        assert not {"user", "character", "chat", "scope"} & set(tool.input_schema["properties"])


def test_hints_say_what_reads_and_what_destroys(ask):
    hints = {tool.name: tool.annotations for tool in ask(lambda client: client.list_tools()).tools}
    reading = {name for name, hint in hints.items() if hint.read_only_hint}
    assert reading == {"search_memories", "get_memories", "get_memory", "memory_stats"}
    destroying = {name for name, hint in hints.items() if hint.destructive_hint}
    assert destroying == {"add_turns", "update_memory", "delete_memory", "retract_turns"}
    assert all(not hint.open_world_hint for hint in hints.values())


def test_what_is_added_is_found(call, memory):
    added = call("add_memory", text=KEY, category="plot_event", speaker="Cassian")
    assert added["stored"]
    found = call("search_memories", query="Where is the silver key?")
    assert found["memories"][0]["text"] == KEY
    assert found["memories"][0]["id"] == added["id"]
    assert 0 < found["memories"][0]["confidence"] <= 1
    stored = memory.get(SCOPE, added["id"])
    assert (stored.scope, stored.category, stored.speaker) == (SCOPE, "plot_event", "Cassian")


@pytest.mark.parametrize("kind", ["fact", "lore", "summary"])
def test_every_kind_of_note(call, memory, kind):
    added = call("add_memory", text=KEY, kind=kind, importance=0.5, pinned=True)
    stored = memory.get(SCOPE, added["id"])
    assert (stored.kind, stored.importance, stored.pinned) == (kind, 0.5, True)


def test_the_same_note_again_names_the_one_that_is_there(call):
    first = call("add_memory", text=KEY)
    again = call("add_memory", text=KEY.upper())
    assert again == {"id": first["id"], "stored": False, "reason": "same text"}


def test_a_correction_leaves_the_old_one_out(call):
    old = call("add_memory", text=KEY)["id"]
    new = call("add_memory", text="Ana has the silver key now.", supersedes=[old])["id"]
    found = call("search_memories", query="Who has the silver key?")
    assert [memory["id"] for memory in found["memories"]] == [new]
    assert call("get_memory", memory_id=old)["superseded_by"] == new


def test_turns_are_recorded_once_and_edited_in_place(call):
    turns = [turn("The soup is leek.", 1), turn("Again?", 2, "Ana")]
    first = call("add_turns", turns=turns)
    assert (first["added"], len(first["ids"])) == (2, 2)
    turns[0]["text"] = "The soup is onion."
    again = call("add_turns", turns=turns)
    assert (again["added"], again["edited"], again["unchanged"]) == (0, 1, 1)
    assert again["ids"] == first["ids"]
    assert call("retract_turns", source_ids=["1"]) == {"memories": 1}
    assert [memory["text"] for memory in call("get_memories")["memories"]] == ["Again?"]


def test_lists_that_come_as_json_text_are_taken(call):
    assert call("add_turns", turns=json.dumps([turn("The soup is leek.", 1)]))["added"] == 1
    assert call("search_memories", query='["Well?", "What soup?"]', kinds='["turn"]')["memories"]


def test_an_answer_keeps_to_its_token_budget(call):
    call("add_turns", turns=[turn(f"The key number {n} " + "is of old iron " * 20, n) for n in range(30)])
    whole = call("search_memories", query="key", limit=30, token_budget=8000)
    assert len(whole["memories"]) == 30
    assert whole["left_out"] == 0
    small = call("search_memories", query="key", limit=30, token_budget=300)
    assert 0 < small["tokens"] <= 300
    assert len(small["memories"]) + small["left_out"] <= 30
    assert small["left_out"]
    assert "token_budget" in call("search_memories", query="key", token_budget=1_000_000)


def test_pages_go_through_everything_once(call):
    call("add_turns", turns=[turn(f"Message number {n}.", n) for n in range(25)])
    seen, offset = [], 0
    while offset is not None:
        page = call("get_memories", offset=offset, limit=10, token_budget=40)
        seen += [memory["source_id"] for memory in page["memories"]]
        offset = page.get("next_offset")
    assert seen == [str(n) for n in range(25)]


def test_a_page_holds_one_memory_at_least(call):
    call("add_turns", turns=[turn("long " * 500, 1), turn("long " * 500, 2)])
    page = call("get_memories", token_budget=10)
    assert len(page["memories"]) == 1
    assert page["next_offset"] == 1


def test_only_what_is_pinned_is_listed_if_that_is_asked(call, memory):
    call("add_turns", turns=[turn("The soup is leek.", 1), turn("Again?", 2)])
    ids = [memory["id"] for memory in call("get_memories")["memories"]]
    call("update_memory", memory_id=ids[1], pinned=True)
    lore = call("add_memory", text="The tavern has no windows.", kind="lore", pinned=True)["id"]
    assert {m["id"] for m in call("get_memories", pinned=True)["memories"]} == {ids[1], lore}
    assert [m["id"] for m in call("get_memories", pinned=True, kinds=["turn"])["memories"]] == [ids[1]]
    call("update_memory", memory_id=ids[1], pinned=False)
    assert [m["id"] for m in call("get_memories", pinned=True)["memories"]] == [lore]
    assert [m.id for m in OpenMemory(memory=memory, scope=SCOPE).pinned()] == [lore]


def test_an_update_changes_what_is_given(call):
    id_ = call("add_memory", text=KEY, category="plot_event")["id"]
    changed = call("update_memory", memory_id=id_, text="The key is under the second step.", importance=0.2)
    assert (changed["text"], changed["importance"]) == ("The key is under the second step.", 0.2)
    assert changed["category"] == "plot_event"
    assert "category" not in call("update_memory", memory_id=id_, category=None)
    assert "nothing to change" in call("update_memory", memory_id=id_)


def test_what_is_deleted_is_gone(call):
    id_ = call("add_memory", text=KEY)["id"]
    assert call("delete_memory", memory_id=id_) == {"memories": 1}
    assert "no memory of this id" in call("delete_memory", memory_id=id_)
    assert call("memory_stats") == {"total": 0, "kinds": {}, "pinned": 0, "superseded": 0, "tokens": 0}


def test_nothing_is_said_where_nothing_fits(call):
    call("add_turns", turns=[turn("The soup is leek.", 1), turn("Again?", 2, "Ana")])
    found = call("search_memories", query="Which year did the submarine leave port?", only_if_sure=True)
    assert found == {"memories": [], "tokens": 0, "left_out": found["left_out"]}


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("add_memory", {}, "text: Field required"),
        ("add_memory", {"text": KEY, "user": "bob"}, "user: Extra inputs"),
        ("add_memory", {"text": KEY, "scope": {"user": "bob"}}, "scope: Extra inputs"),
        ("search_memories", {"query": KEY, "character": "Mira"}, "character: Extra inputs"),
        ("add_memory", {"text": KEY, "kind": "turn"}, "kind"),
        ("add_memory", {"text": KEY, "importance": 2}, "importance"),
        ("add_memory", {"text": KEY, "kind": "lore", "speaker": "Ana"}, "speaker goes with"),
        ("add_memory", {"text": "x" * 60_000}, "text"),
        ("add_memory", {"text": KEY, "supersedes": ["0" * 36]}, "supersedes.0: String should match"),
        ("add_turns", {"turns": []}, "turns"),
        ("add_turns", {"turns": [{"text": KEY}]}, "turns.0.speaker: Field required"),
        ("get_memory", {"memory_id": "1"}, "memory_id"),
        ("search_memories", {"query": 3}, "query"),
        ("search_memories", {"query": "x", "limit": 5000}, "limit"),
        ("get_memories", {"offset": -1}, "offset"),
        ("retract_turns", {"source_ids": "1"}, "source_ids"),
    ],
)
def test_wrong_arguments_are_told_and_not_repeated(call, memory, name, arguments, says):
    said = call(name, **arguments)
    assert isinstance(said, str)
    assert says in said
    assert KEY not in said
    assert memory.stats(SCOPE).total == 0


def test_nothing_of_others_is_reached_by_id(call, memory: RoleplayMemory):
    others = [
        Scope(user="bob", character="Cassian", chat="tavern"),
        Scope(user="ana", character="Mira", chat="tavern"),
        Scope(user="ana", character="Cassian", chat="harbour"),
    ]
    for scope in others:
        memory.add_turns(scope, [Turn(KEY, speaker="Cassian", role="character", source_id="1")])
        theirs = memory.add_fact(scope, "Cassian fears the sea.").memory
        before = memory.list(scope)
        for name in ("get_memory", "delete_memory"):
            assert "no memory of this id" in call(name, memory_id=theirs.id)
        assert "no memory of this id" in call("update_memory", memory_id=theirs.id, text="He does not.")
        assert "no memory of this id" in call("add_memory", text="No.", supersedes=[theirs.id])
        assert call("retract_turns", source_ids=["1"]) == {"memories": 0}
        assert memory.list(scope) == before
    assert call("search_memories", query="silver key")["memories"] == []
    assert call("get_memories") == {"memories": []}
    assert call("memory_stats")["total"] == 0


def test_texts_that_utf8_cannot_hold_are_shown_as_far_as_it_can(call, memory):
    memory.add_turns(SCOPE, [Turn("half \ud83d of\x00 a pair", speaker="Ana\udc00", role="user")])
    (shown,) = call("get_memories")["memories"]
    assert shown["text"] == "half \ufffd of\x00 a pair"
    assert shown["speaker"] == "Ana\ufffd"


def test_every_tool_has_a_test_here():
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f'call("{name}"' in source for name in TOOLS)
