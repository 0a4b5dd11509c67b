"""What the server offers besides tools, and how it fails."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from romaine.mcp import OpenMemory, memory_server, tools
from romaine.memory import RoleplayMemory, Scope, Turn
from tests.mcp.conftest import SCOPE

PINNED = "romaine://pinned"


@pytest.fixture
def pinned(memory: RoleplayMemory) -> str:
    """Id of Ana's pinned memory; Bob has one, too."""
    memory.add_fact(Scope(user="bob"), "Bob is allergic to nuts.", pinned=True)
    memory.add_turns(SCOPE, [Turn("Hello.", speaker="Ana", role="user")])
    return memory.add_fact(SCOPE, "Ana is allergic to bees.", pinned=True).memory.id


def test_pinned_memories_are_resources(ask, pinned):
    listed = ask(lambda client: client.list_resources()).resources
    assert [resource.uri for resource in listed] == [PINNED, f"romaine://memories/{pinned}"]
    assert listed[1].title == "Ana is allergic to bees."
    (content,) = ask(lambda client: client.read_resource(PINNED)).contents
    assert [memory["text"] for memory in json.loads(content.text)] == ["Ana is allergic to bees."]
    (content,) = ask(lambda client: client.read_resource(listed[1].uri)).contents
    assert json.loads(content.text)["id"] == pinned


def test_there_is_a_template_for_any_memory(ask, memory, pinned):
    (template,) = ask(lambda client: client.list_resource_templates()).resource_templates
    (said,) = memory.list(SCOPE, kinds=["turn"])
    uri = template.uri_template.replace("{id}", said.id)
    (content,) = ask(lambda client: client.read_resource(uri)).contents
    assert json.loads(content.text)["text"] == "Hello."


def test_resources_come_in_pages(ask, memory):
    memory.add_turns(SCOPE, [Turn(f"{n}", speaker="Ana", role="user") for n in range(150)])
    for said in memory.list(SCOPE):
        memory.pin(SCOPE, said.id)
    first = ask(lambda client: client.list_resources())
    second = ask(lambda client: client.list_resources(cursor=first.next_cursor))
    assert len(first.resources) == 100
    assert len(second.resources) == 51
    assert second.next_cursor is None
    with pytest.raises(MCPError, match="cursor"):
        ask(lambda client: client.list_resources(cursor="x"))


@pytest.mark.parametrize("uri", ["romaine://memories/1", "romaine://users/bob", "file:///etc/passwd"])
def test_other_resources_are_not_there(ask, uri):
    with pytest.raises(MCPError, match=r"not an id|no such resource"):
        ask(lambda client: client.read_resource(uri))


def test_a_resource_of_another_user_is_not_there(ask, memory, pinned):
    (theirs,) = memory.list(Scope(user="bob"))
    with pytest.raises(MCPError, match="no memory of this id"):
        ask(lambda client: client.read_resource(f"romaine://memories/{theirs.id}"))


def test_the_prompt_tells_how_and_holds_what_is_pinned(ask, pinned):
    (prompt,) = ask(lambda client: client.list_prompts()).prompts
    (message,) = ask(lambda client: client.get_prompt(prompt.name)).messages
    assert "search_memories" in message.content.text
    assert "Ana is allergic to bees." in message.content.text
    assert "nuts" not in message.content.text
    with pytest.raises(MCPError, match="use_memory"):
        ask(lambda client: client.get_prompt("other"))


def test_instructions_and_both_protocol_eras(memory):
    async def versions() -> list[str]:
        found = []
        for mode in ("auto", "legacy"):
            server = memory_server(lambda _: OpenMemory(memory=memory, scope=SCOPE))
            async with Client(server, mode=mode) as client:
                assert "search_memories" in (client.instructions or "")
                assert len((await client.list_tools()).tools) == len(tools.TOOLS)
                found.append(client.protocol_version)
        return found

    new, old = asyncio.run(versions())
    assert new > old


def test_an_unknown_tool_is_an_error_that_names_all(ask):
    with pytest.raises(MCPError, match="search_memories"):
        ask(lambda client: client.call_tool("delete_all_memories", {}))


def test_a_file_that_fails_is_told_without_its_place(call, memory, path, caplog):
    memory.close()
    said = call("memory_stats")
    assert said == "the memory cannot be used now: The memory has been closed."
    assert str(path) not in said


def test_no_texts_in_logs(call, ask, memory, pinned, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    secret = "bees-in-the-attic"

    def breaks(within, given):
        raise RuntimeError(f"broken at {given.text}")

    call("add_memory", text=secret)
    call("add_memory", text=secret, importance="much")
    call("search_memories", query=secret)
    tool = tools.TOOLS["add_memory"]
    object.__setattr__(tool, "run", breaks)
    try:
        said = ask(lambda client: client.call_tool("add_memory", {"text": secret}))
    finally:
        object.__setattr__(tool, "run", tools.add_memory)
    assert said.is_error
    assert "RuntimeError" in said.content[0].text
    assert "breaks" in caplog.text
    assert secret not in caplog.text
    assert secret not in said.content[0].text
