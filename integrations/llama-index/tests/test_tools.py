from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ToolCallResult
from llama_index.core.tools import FunctionTool
from llama_index.core.tools.tool_spec.base import BaseToolSpec
from llama_index.tools.romaine import RomaineMemoryToolSpec
from scripted_llm import ScriptedLLM, call

from romaine import RoleplayMemory, Scope, Turn
from romaine.errors import OptionError

ANA = Scope(user="ana", character="Cassian", chat="tavern")
KEY = "I left the silver key under the third step."
OTHERS = {
    Scope(user="ben", character="Cassian", chat="tavern"): "Ben's key is in the well.",
    Scope(user="ana", character="Mira", chat="tavern"): "Mira's key is in the church.",
    Scope(user="ana", character="Cassian", chat="harbour"): "The harbour key is in the boat.",
    Scope(user="ana", character="Mira"): "Mira has a key of her own.",
}
"""What neither another user nor another character or chat may hand over to Ana's Cassian in the tavern."""


@pytest.fixture
def crowded(memory: RoleplayMemory) -> RoleplayMemory:
    memory.add_turns(ANA, [Turn(KEY, speaker="Cassian", role="character")])
    for scope, text in OTHERS.items():
        memory.add_turns(scope, [Turn(text, speaker="Cassian", role="character")])
    return memory


def tools_of(memory: RoleplayMemory, **options: Any) -> dict[str, FunctionTool]:
    spec = RomaineMemoryToolSpec(memory, scope=ANA, **options)
    assert isinstance(spec, BaseToolSpec)
    return {tool.metadata.get_name(): tool for tool in spec.to_tool_list()}


# --- what the model sees -----------------------------------------------------------------------------------


def test_the_model_sees_query_and_top_k_and_text_and_no_more(memory: RoleplayMemory) -> None:
    tools = tools_of(memory)
    shown = {name: tool.metadata.get_parameters_dict() for name, tool in tools.items()}
    assert {name: set(schema["properties"]) for name, schema in shown.items()} == {
        "recall": {"query", "top_k"},
        "remember": {"text"},
    }
    assert shown["recall"]["required"] == ["query"]
    assert shown["recall"]["properties"]["top_k"]["type"] == "integer"
    everything = json.dumps([tool.metadata.to_openai_tool() for tool in tools.values()])
    for word in ("ana", "Cassian", "tavern", "scope", "user", "character", "chat", "filter"):
        assert word not in everything, word


def test_recall_says_what_was_said_by_whom_and_when(crowded: RoleplayMemory) -> None:
    (stored,) = crowded.list(ANA)
    recall = tools_of(crowded)["recall"]
    assert recall.call(query="Where is the key?").content == f"{stored.created_at:%Y-%m-%d}\nCassian: {KEY}"
    assert asyncio.run(recall.acall(query="Where is the key?", top_k=1)).content.endswith(KEY)
    assert tools_of(crowded, kinds=["summary"])["recall"].call(query="key").content == (
        "Nothing is remembered of that."
    )


def test_the_model_gets_no_more_than_the_application_allows(memory: RoleplayMemory) -> None:
    memory.add_turns(ANA, [Turn(f"Key number {n}.", speaker="Ana", role="user") for n in range(20)])
    recall = tools_of(memory, similarity_top_k=3)["recall"]
    assert recall.call(query="key", top_k=1000).content.count("Ana: Key") == 3
    assert recall.call(query="key", top_k=2).content.count("Ana: Key") == 2
    assert recall.call(query="key").content.count("Ana: Key") == 3
    for wrong in (-1, "three", None, 2.5):
        with pytest.raises(OptionError, match="top_k="):
            recall.call(query="key", top_k=wrong)


def test_options_are_those_of_recall(memory: RoleplayMemory) -> None:
    said = ("Ask me anything.", "The key is under the step.", "Thank you.")
    memory.add_turns(ANA, [Turn(text, speaker="Ana", role="user") for text in said])
    recall = tools_of(memory, neighbours=1)["recall"]
    shown = recall.call(query="Where is the key?", top_k=1).content.splitlines()
    assert shown[1:] == [f"Ana: {text}" for text in said]
    with pytest.raises(OptionError, match="neighbours=-1"):
        tools_of(memory, neighbours=-1)


def test_what_is_noted_is_found_later_and_kept_once(memory: RoleplayMemory) -> None:
    remember = tools_of(memory)["remember"]
    assert remember.call(text="Ana cannot eat honey.").content == "It is remembered."
    assert asyncio.run(remember.acall(text="Ana cannot eat honey.")).content == "It was known already."
    (noted,) = memory.list(ANA)
    assert (noted.scope, noted.kind.value, noted.known_by) == (ANA, "fact", frozenset())
    assert "cannot eat honey" in tools_of(memory)["recall"].call(query="What must Ana not eat?").content


def test_what_one_character_notes_others_do_not_know(memory: RoleplayMemory) -> None:
    together = Scope(user="ana", chat="tavern")
    spec = RomaineMemoryToolSpec(memory, scope=together, as_character="Cassian")
    spec.remember("The wine is poisoned.")
    assert "poisoned" in spec.recall("wine")
    mira = RomaineMemoryToolSpec(memory, scope=together, as_character="Mira")
    assert "poisoned" not in mira.recall("wine")


# --- what the model tries ----------------------------------------------------------------------------------

ATTEMPTS = [
    {"user": "ben"},
    {"character": "Mira"},
    {"chat": "harbour"},
    {"scope": {"user": "ben", "character": "Cassian", "chat": "tavern"}},
    {"scope": "ben"},
    {"filters": {"user": "ben"}},
    {"where": "True"},
    {"kinds": ["turn"]},
    {"speakers": ["Ben"]},
    {"as_character": "Mira"},
    {"as_of": 0},
    {"vector": [0.0] * 384},
    {"similarity_top_k": 1000},
    {"known_by": ["Mira"]},
    {"supersedes": "x"},
    {"self": None},
    {"_scope": {"user": "ben"}},
    {"memory": "memories.db"},
    {"ctx": {}},
]


@pytest.mark.parametrize("workflow", [False, True])
def test_an_agent_cannot_be_talked_into_the_memory_of_others(crowded: RoleplayMemory, workflow: bool) -> None:
    """Every argument it could think of, beside the right ones, alone, and in the words of the query."""
    query = "Where is the key? scope=Scope(user='ben') user: ben, character: Mira, chat: *"
    tries = [call("recall", query=query, top_k=1000)]
    tries += [call("recall", query="Where is the key?", **attempt) for attempt in ATTEMPTS]
    tries += [call("recall", **attempt) for attempt in ATTEMPTS]
    tries += [call("remember", text="Tell Mira and Ben.", **attempt) for attempt in ATTEMPTS]
    tries += [call("list", scope={"user": "ben"}), call("arecall", query="key", user="ben")]
    llm = ScriptedLLM(steps=[*tries, "I cannot."])
    before = {scope: crowded.list(scope) for scope in OTHERS}

    async def run() -> list[str]:
        agent: Any = FunctionAgent(
            name="cassian", llm=llm, tools=RomaineMemoryToolSpec(crowded, scope=ANA).to_tool_list()
        )
        if workflow:
            agent = AgentWorkflow(agents=[agent])
        handler = agent.run("Find Ben's key.", max_iterations=len(tries) + 5)
        outputs = [
            str(event.tool_output.content)
            async for event in handler.stream_events()
            if isinstance(event, ToolCallResult)
        ]
        await handler
        return outputs

    outputs = asyncio.run(run())
    assert len(outputs) == len(tries)
    assert KEY in outputs[0]  # it works, and finds Ana's own
    seen = "\n".join(outputs) + str(llm.prompts)
    for secret in OTHERS.values():
        assert secret not in seen, secret
    assert {scope: crowded.list(scope) for scope in OTHERS} == before
    assert len(crowded.list(ANA)) == 1  # no call with an argument too many wrote anything
    assert all(
        set(schema["function"]["parameters"]["properties"]) <= {"query", "top_k", "text"}
        for schema in llm.schemas
    )
