"""Agents that remember across conversations, and models that try to get at what is not theirs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime, tool
from langchain_core.messages import AIMessage
from langchain_core.tools import create_retriever_tool
from langchain_romaine import (
    RomaineEmbeddings,
    RomaineMemoryMiddleware,
    RomaineMemoryRetriever,
    RomaineStore,
    create_recall_tool,
    create_remember_tool,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.runtime import Runtime

from romaine import RoleplayMemory, Scope, Turn
from tests.scripted_model import ScriptedModel, calls

SECRETS = {
    Scope(user="ben", character="Cassian"): "Ben's secret password is swordfish.",
    Scope(user="ben"): "Ben's secret password for all characters is marmalade.",
    Scope(user="ana", character="Brona"): "Brona's secret password is honeycomb.",
    Scope(user="ana", character="Brona", chat="tavern"): "Brona's secret tavern password is juniper.",
    Scope(user="ana", character="Cassian", chat="mill"): "The secret mill password is rye.",
}
WORDS = ("swordfish", "marmalade", "honeycomb", "juniper", "rye")

ATTEMPTS: list[dict[str, Any]] = [
    {"user": "ben"},
    {"user_id": "ben"},
    {"character": "Brona"},
    {"as_character": "Brona"},
    {"chat": "mill"},
    {"scope": {"user": "ben", "character": "Cassian"}},
    {"scope": "ben"},
    {"filters": {"user": "ben"}},
    {"filter": {"user": {"$ne": "ana"}}},
    {"where": "true"},
    {"namespace": ["ben"]},
    {"namespace_prefix": ["ben"]},
    {"config": {"configurable": {"user": "ben", "character": "Cassian"}}},
    {"configurable": {"user": "ben"}},
    {"context": {"user": "ben"}},
    {"runtime": {"context": {"user": "ben"}}},
    {"state": {"user": "ben"}},
    {"run_manager": None},
    {"memory": "memories.db"},
    {"kwargs": {"user": "ben"}},
    {"args": ["ben"]},
    {"session_id": "ben"},
    {"thread_id": "ben"},
    {"source_ids": ["1"]},
    {"include_superseded": True},
]


@dataclass
class Context:
    user: str
    character: str | None = None


def test_an_agent_remembers_across_conversations_and_processes(
    tmp_path: Path, embeddings: RomaineEmbeddings
) -> None:
    """With what it was told, by the middleware, and with what it decided to remember, by the tools."""
    answers: list[AIMessage | str] = [
        calls("remember", text="Ana is allergic to honey."),
        "I will remember that.",
        calls("recall", query="What is Ana allergic to?", top_k=1),
        "You are allergic to honey.",
    ]
    prompts: list[str] = []
    for thread, question in (
        ("monday", "I am Ana, and honey makes me ill."),
        ("friday", "What may I not eat?"),
    ):
        with RoleplayMemory(tmp_path / "memories.db", embedder=embeddings.embedder) as memory:
            model = ScriptedModel(answers=answers[:2] if thread == "monday" else answers[2:])
            agent = create_agent(
                model,
                tools=[create_recall_tool(memory), create_remember_tool(memory)],
                middleware=[RomaineMemoryMiddleware(memory)],
                context_schema=Context,
            )
            config: Any = {"configurable": {"thread_id": thread}}
            state = agent.invoke({"messages": question}, config, context=Context("ana", "Cassian"))
            prompts += model.systems
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert state["messages"][2].content == "- Ana is allergic to honey."
    assert prompts[0] == ""
    assert "- ana: I am Ana, and honey makes me ill." in prompts[2]
    assert "- Ana is allergic to honey." in prompts[2]


@pytest.fixture
def secrets(memory: RoleplayMemory) -> RoleplayMemory:
    for scope, text in SECRETS.items():
        memory.add_turns(scope, [Turn(text, speaker="somebody", role="user", source_id="1")])
        memory.add_fact(scope, text)
    memory.add_fact(Scope(user="ana", character="Cassian"), "The key is under the third step.")
    return memory


async def test_a_model_that_tries_every_argument_gets_at_nothing(secrets: RoleplayMemory) -> None:
    def everything() -> dict[Scope, list[str]]:
        own = {scope: secrets.list(scope) for scope in SECRETS}
        return {scope: [found.text for found in seen if found.scope == scope] for scope, seen in own.items()}

    before = everything()
    retriever = RomaineMemoryRetriever(memory=secrets, scope_from_config=True)
    tools = [
        create_recall_tool(secrets),
        create_remember_tool(secrets),
        create_retriever_tool(retriever, "look_up", "Looks something up."),
    ]
    query = "What is the secret password of Ben, Brona and the mill?"
    tries = [{}, *ATTEMPTS, {name: value for attempt in ATTEMPTS for name, value in attempt.items()}]
    answers: list[str | AIMessage] = []
    for attempt in tries:
        answers += [calls("recall", query=query, **attempt), calls("look_up", query=query, **attempt)]
        answers += [calls("remember", text="Ben owes the model money.", **attempt), "Well."]
    model = ScriptedModel(answers=answers)
    agent = create_agent(
        model,
        tools=tools,
        middleware=[RomaineMemoryMiddleware(secrets, character="Cassian")],
        context_schema=Context,
        checkpointer=InMemorySaver(),
    )
    context = Context("ana", "Cassian")
    for number in range(len(tries)):
        config: Any = {"configurable": {"thread_id": str(number)}}
        if number % 2:
            agent.invoke({"messages": query}, config, context=context)
        else:
            await agent.ainvoke({"messages": query}, config, context=context)
    shown = "\n".join(str(message.text) for messages in model.shown for message in messages)
    assert "The key is under the third step." in shown  # so the tools were there and worked
    assert not any(word in shown for word in WORDS)
    assert everything() == before
    told = [found.text for found in secrets.list(Scope(user="ana", character="Cassian"), kinds=["fact"])]
    assert told == ["The key is under the third step.", "Ben owes the model money."]  # its own, once


def test_what_a_model_says_names_nobody(secrets: RoleplayMemory) -> None:
    """Names in messages change whose words they are shown as, never whose memory they are."""
    model = ScriptedModel(answers=[AIMessage("What does Ben hide?", name="Brona"), "Hm."])
    agent = create_agent(
        model, middleware=[RomaineMemoryMiddleware(secrets, character="Cassian")], context_schema=Context
    )
    asked: Any = [{"role": "user", "content": "What is Ben's secret password?", "name": "ben"}]
    for _ in range(2):
        agent.invoke({"messages": asked}, context=Context("ana"))
    assert not any(word in system for system in model.systems for word in WORDS)


def test_a_store_in_an_agent_is_the_users_own(memory: RoleplayMemory) -> None:
    """As LangChain's page on long-term memory has it: tools that read and write the runtime's store."""

    @tool
    def save_preference(text: str, runtime: ToolRuntime[Context]) -> str:
        """Saves a preference."""
        assert runtime.store is not None
        runtime.store.put((runtime.context.user, "preferences"), text, {"text": text})
        return "Saved."

    @tool
    def preferences(query: str, runtime: ToolRuntime[Context]) -> str:
        """Finds preferences."""
        assert runtime.store is not None
        found = runtime.store.search((runtime.context.user, "preferences"), query=query, limit=1)
        return "\n".join(item.value["text"] for item in found)

    answers = [
        calls("save_preference", text="I like tea."),
        calls("preferences", query="Which drink?"),
        "Tea.",
    ]
    agent = create_agent(
        ScriptedModel(answers=answers),
        tools=[save_preference, preferences],
        store=RomaineStore(memory),
        context_schema=Context,
    )
    state = agent.invoke({"messages": "Hello."}, context=Context("ana"))
    assert [m.content for m in state["messages"] if m.type == "tool"] == ["Saved.", "I like tea."]
    assert memory.recall("drink", Scope(user="ana", character="Cassian"))[0].memory.text == "I like tea."
    assert memory.scopes("ben") == []


async def test_a_retriever_in_a_graph_takes_the_runs_context(cassian: RoleplayMemory) -> None:
    retriever = RomaineMemoryRetriever(memory=cassian, scope_from_config=True, k=1)

    def look_up(state: MessagesState, runtime: Runtime[Context]) -> dict[str, Any]:
        found = retriever.invoke(str(state["messages"][-1].text))
        return {"messages": [AIMessage(found[0].page_content if found else "Nothing.")]}

    graph = StateGraph(MessagesState, context_schema=Context)
    graph.add_node("look_up", look_up)
    graph.add_edge(START, "look_up")
    compiled = graph.compile()
    asked: Any = {"messages": "Where is the key?"}
    for user, expected in (("ana", "I left the silver key under the third step."), ("ben", "Nothing.")):
        context = Context(user, "Cassian")
        for state in (
            compiled.invoke(asked, context=context),
            await compiled.ainvoke(asked, context=context),
        ):
            assert state["messages"][-1].content == expected
