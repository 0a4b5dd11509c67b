# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""What a model can and cannot do with a memory: a fake one that tries every argument."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.components.agents import Agent
from haystack.components.generators.chat import MockChatGenerator
from haystack.dataclasses import ChatMessage, ToolCall
from haystack.tools import ComponentTool, PipelineTool, Tool, Toolset
from haystack.tools.errors import ToolInvocationError
from romaine import Memory, RoleplayMemory, Scope, Turn
from romaine.errors import OptionError

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.tools.romaine import RomaineRecallTool, RomaineRememberTool

OWN = Scope(user="ana", character="Cassian", chat="tavern")
OTHERS = [
    Scope(user="ben"),
    Scope(user="ben", character="Cassian", chat="tavern"),
    Scope(user="ana", character="Brona"),
    Scope(user="ana", character="Brona", chat="tavern"),
    Scope(user="ana", character="Cassian", chat="cellar"),
]
MINE = "The silver key is under the third step."
HIDDEN = "The silver key of the duke opens the crypt."
QUERY = "Where is the silver key?"
WHO = {"user": "ana", "character": "Cassian", "chat": "tavern"}


@pytest.fixture
def memory() -> Iterator[RoleplayMemory]:
    with RoleplayMemory(":memory:") as memory:
        memory.add_turns(OWN, [Turn(MINE, speaker="Cassian", role="character")])
        memory.add_turns(OWN, [Turn(HIDDEN, speaker="Duke", role="character")])
        for number, scope in enumerate(OTHERS):
            memory.add_turns(scope, [Turn(f"SECRET {number}: the key.", speaker="Cassian", role="character")])
        yield memory


def everything(memory: RoleplayMemory) -> list[str]:
    return [
        held.text
        for scope in [OWN, *OTHERS]
        for held in memory.list(scope)
        if held.text not in (MINE, HIDDEN)
    ]


def not_by_the_duke(memory: Memory) -> bool:
    return memory.speaker != "Duke"


def attacks(tool: Tool) -> list[dict[str, Any]]:
    """Every argument that anything on the way takes, and some that something might."""
    good: dict[str, Any] = (
        {"query": QUERY} if "query" in tool.parameters["properties"] else {"text": "I pry."}
    )
    if "messages" in tool.parameters["properties"]:
        good = {"documents": [{"id": "x", "content": "I pry."}]}
    others: list[dict[str, Any]] = [
        {"user": "ben"},
        {"character": "Brona"},
        {"chat": "cellar"},
        {"user": "ben", "character": "Cassian", "chat": "tavern"},
        {"user": "ana", "character": "Brona", "chat": "tavern"},
        {"scope": {"user": "ben"}},
        {"scope": {"user": "ana", "character": "Brona"}},
        {"user_id": "ben"},
        {"user": ["ana", "ben"]},
        {"user": {"$ne": ""}},
        {"user": "%"},
        {"user": ""},
        {"state": {"user": "ben"}},
        {
            "state": {
                "schema": {"user": {"type": "str"}},
                "data": {"user": "ben", "hook_context": {"user": "ben"}},
            }
        },
        {"hook_context": {"user": "ben"}},
        {"filters": {"field": "meta.user", "operator": "==", "value": "ben"}},
        {"filters": {"field": "content", "operator": "!=", "value": ""}},
        {"filters": {}},
        {"top_k": 1000},
        {"where": "builtins.bool"},
        {"without_sources": ["1"]},
        {"known_by": ["Brona"]},
        {"memory_file": "other.db"},
        {"as_character": "Brona", "include_superseded": True, "speakers": ["Cassian"]},
        {"messages": [{"role": "user", "content": [{"text": "I pry."}]}], "user": "ben"},
    ]
    return [good, *(good | other for other in others)]


def attacked(tools: list[Tool], **options: Any) -> Agent:
    """An Agent whose model tries everything with every tool, and then stops."""
    calls = [ToolCall(tool.name, arguments) for tool in tools for arguments in attacks(tool)]
    tried = ChatMessage.from_assistant(tool_calls=calls)
    return Agent(
        chat_generator=MockChatGenerator([tried, "I give up."]),
        tools=tools,
        state_schema={"user": {"type": str}, "character": {"type": str}, "chat": {"type": str}},
        **options,
    )


def results(ran: dict[str, Any]) -> list[str]:
    found = [str(message.tool_call_result.result) for message in ran["messages"] if message.tool_call_result]
    assert len(found) > 20
    return found


def ready(memory: RoleplayMemory, bound: dict[str, str]) -> list[Tool]:
    retriever = RomaineMemoryRetriever(memory, where=not_by_the_duke, **bound)
    return [RomaineRecallTool(retriever), RomaineRememberTool(RomaineMemoryWriter(memory, **bound))]


def wrapped(memory: RoleplayMemory, bound: dict[str, str]) -> list[Tool]:
    """What Haystack makes of components; the model may give whatever it likes, and goes before the state."""
    retriever = RomaineMemoryRetriever(
        memory, filters={"field": "meta.speaker", "operator": "!=", "value": "Duke"}, **bound
    )
    given = {name: name for name in WHO.keys() - bound.keys()}
    return [
        ComponentTool(retriever, name="recall", inputs_from_state=given),
        ComponentTool(RomaineMemoryWriter(memory, **bound), name="write", inputs_from_state=given),
        ComponentTool(RomaineMemoryRetriever(memory, where=not_by_the_duke, **bound), name="unmapped"),
    ]


@pytest.mark.parametrize("make", [ready, wrapped])
@pytest.mark.parametrize("bound", [WHO, {"user": "ana"}, {"user": "ana", "character": "Cassian"}, {}])
@pytest.mark.parametrize("by", ["state", "hook_context"])
@pytest.mark.parametrize("on_a_loop", [False, True])
def test_no_argument_leads_to_another_memory(
    memory: RoleplayMemory, make: Any, bound: dict[str, str], by: str, on_a_loop: bool
) -> None:
    before = {scope: memory.list(scope) for scope in OTHERS}
    agent = attacked(make(memory, bound))
    given: dict[str, Any] = WHO if by == "state" else {"hook_context": WHO}
    asked = [ChatMessage.from_user("Tell me all secrets.")]
    ran = asyncio.run(agent.run_async(asked, **given)) if on_a_loop else agent.run(asked, **given)
    shown = results(ran)
    assert any(MINE in result for result in shown)
    # what the application left out stays out, and what is told of a refused call is what the model said
    assert not any("SECRET" in result or HIDDEN in result for result in shown)
    assert {scope: memory.list(scope) for scope in OTHERS} == before
    assert any("I pry." in held.text for held in memory.list(OWN))  # what it may write went where it may


@pytest.mark.parametrize("make", [ready, wrapped])
def test_without_a_user_nothing_is_read_or_written(memory: RoleplayMemory, make: Any) -> None:
    before = everything(memory)
    shown = results(attacked(make(memory, {})).run([ChatMessage.from_user("Tell me all.")]))
    assert not any("SECRET" in result or MINE in result for result in shown)
    assert any("no user is named" in result for result in shown)
    assert everything(memory) == before


def test_an_agent_for_another_than_the_bound_user_is_told(memory: RoleplayMemory) -> None:
    agent = attacked(ready(memory, {"user": "ana"}), raise_on_tool_invocation_failure=True)
    with pytest.raises(ToolInvocationError, match="bound"):
        agent.run([ChatMessage.from_user("Hello.")], user="ben")


def test_what_is_bound_need_not_be_a_name_in_the_state(memory: RoleplayMemory) -> None:
    """An application may keep something else under that key."""
    (recall, _) = ready(memory, WHO)
    call = ChatMessage.from_assistant(tool_calls=[ToolCall("recall", {"query": QUERY})])
    agent = Agent(
        chat_generator=MockChatGenerator([call, "There."]),
        tools=[recall],
        state_schema={"user": {"type": dict}},
    )
    ran = agent.run([ChatMessage.from_user(QUERY)], user={"id": 7})
    assert MINE in str(ran["messages"][2].tool_call_result.result)


def test_the_model_is_shown_one_argument(memory: RoleplayMemory) -> None:
    recall, remember = ready(memory, {})
    assert list(recall.tool_spec["parameters"]["properties"]) == ["query"]
    assert list(remember.tool_spec["parameters"]["properties"]) == ["text"]


def test_outside_an_agent_only_what_is_bound_counts(memory: RoleplayMemory) -> None:
    recall, remember = ready(memory, WHO)
    assert [d.content for d in recall.invoke(query=QUERY)["documents"]] == [MINE]
    for tool in (recall, remember):
        for arguments in attacks(tool)[1:]:
            with pytest.raises(ToolInvocationError):
                tool.invoke(**arguments)


def test_a_fact_is_noted_once_and_recalled(memory: RoleplayMemory) -> None:
    recall, remember = ready(memory, WHO)
    assert remember.invoke(text="The dog is called Pip.") == "It is noted."
    assert remember.invoke(text="the dog is called Pip") == "It was noted before."
    assert recall.invoke(query="What is the dog called?")["documents"][0].content == "The dog is called Pip."


def test_the_model_reads_lines_and_no_names_of_scopes(memory: RoleplayMemory) -> None:
    call = ChatMessage.from_assistant(
        tool_calls=[ToolCall("recall", {"query": QUERY}), ToolCall("recall", {"query": "\n"})]
    )
    recall = RomaineRecallTool(
        RomaineMemoryRetriever(memory, top_k=1, where=not_by_the_duke), documents_to_state="found"
    )
    agent = Agent(
        chat_generator=MockChatGenerator([call, "There."]),
        tools=[recall],
        state_schema={"found": {"type": list[Document]}},
    )
    ran = agent.run([ChatMessage.from_user(QUERY)], hook_context=WHO)
    said = str(ran["messages"][2].tool_call_result.result)
    assert said.endswith(f"] Cassian: {MINE}")
    assert "ana" not in said
    assert "tavern" not in said
    assert MINE in [document.content for document in ran["found"]]
    nothing = agent.run([ChatMessage.from_user(QUERY)], hook_context={"user": "nobody"})
    assert nothing["messages"][2].tool_call_result.result == "Nothing is remembered of that."


def test_tools_are_saved_and_loaded_with_their_agent(tmp_path: Path) -> None:
    file = RomaineMemoryFile(tmp_path / "memories.db", dim=32)

    def tools() -> list[Tool]:
        retriever, writer = (
            RomaineMemoryRetriever(file, user="ana", top_k=2),
            RomaineMemoryWriter(file, user="ana"),
        )
        recall = RomaineRecallTool(
            retriever, name="look_up", description="Looks it up.", documents_to_state="found"
        )
        return [recall, RomaineRememberTool(writer, name="note", description="Notes it.")]

    pipeline = Pipeline()
    for name, given in {"listed": tools(), "set": Toolset(tools())}.items():
        generator = MockChatGenerator("Hello.")
        pipeline.add_component(
            name,
            Agent(chat_generator=generator, tools=given, state_schema={"found": {"type": list[Document]}}),
        )
    again = Pipeline.loads(pipeline.dumps())
    assert again.dumps() == pipeline.dumps()
    look_up, note = again.get_component("listed").tools
    assert (look_up.name, look_up.description, look_up.retriever.top_k) == ("look_up", "Looks it up.", 2)
    assert (note.name, note.writer.scope.user) == ("note", "ana")
    assert note.invoke(text="The dog is called Pip.") == "It is noted."
    assert len(look_up.invoke(query="dog")["documents"]) == 1
    for tool in (look_up, note):
        tool.close()
    again.get_component("set").close()


def test_tools_open_and_close_their_file(tmp_path: Path) -> None:
    tool = RomaineRecallTool(RomaineMemoryRetriever(tmp_path / "memories.db", user="ana"))

    async def lifecycle() -> None:
        await tool.warm_up_async()
        assert (tmp_path / "memories.db").exists()
        await tool.close_async()

    asyncio.run(lifecycle())
    tool.warm_up()
    tool.close()


# PipelineTool says of every input with a default that its schema cannot show it
@pytest.mark.filterwarnings("ignore:Default value:UserWarning")
def test_a_pipeline_between_agent_and_memory_hands_the_state_on(memory: RoleplayMemory) -> None:
    for mapping in (None, {"query": ["memory.query"], "user": ["memory.user"], "state": ["memory.state"]}):
        pipeline = Pipeline()
        pipeline.add_component("memory", RomaineMemoryRetriever(memory, character="Cassian", chat="tavern"))
        tool = PipelineTool(
            pipeline,
            name="recall",
            description="Recalls.",
            input_mapping=mapping,
            inputs_from_state={"user": "user"},
        )
        shown = results(attacked([tool]).run([ChatMessage.from_user("Tell me all.")], user="ana"))
        assert any(MINE in result for result in shown)
        assert not any("SECRET" in result for result in shown)


def test_a_key_of_the_state_that_is_left_open_names_nobody(memory: RoleplayMemory) -> None:
    """A pipeline fills in None for what nobody connects."""
    pipeline = Pipeline()
    call = ChatMessage.from_assistant(tool_calls=[ToolCall("recall", {"query": QUERY})])
    pipeline.add_component(
        "agent",
        Agent(
            chat_generator=MockChatGenerator([call, "There."]),
            tools=ready(memory, {}),
            state_schema={"user": {"type": str}},
        ),
    )
    asked = {"messages": [ChatMessage.from_user(QUERY)], "hook_context": WHO}
    ran = pipeline.run({"agent": asked})["agent"]
    assert MINE in str(ran["messages"][2].tool_call_result.result)


def test_another_key_of_the_state_is_told(memory: RoleplayMemory) -> None:
    """Haystack cannot tell us whether the state or the model gave an argument, so the names must be ours."""
    tool = ComponentTool(RomaineMemoryRetriever(memory), inputs_from_state={"user_id": "user"})
    call = ChatMessage.from_assistant(tool_calls=[ToolCall(tool.name, {"query": QUERY})])
    agent = Agent(
        chat_generator=MockChatGenerator([call, "There."]),
        tools=[tool],
        state_schema={"user_id": {"type": str}},
        raise_on_tool_invocation_failure=True,
    )
    with pytest.raises(ToolInvocationError, match="comes from 'user' in hook_context or the state") as caught:
        agent.run([ChatMessage.from_user(QUERY)], user_id="ana")
    assert isinstance(caught.value.__cause__, OptionError)
