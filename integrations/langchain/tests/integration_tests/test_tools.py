"""The tools `recall` and `remember`: what a model sees of them, and what they answer."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_romaine import create_recall_tool, create_remember_tool
from pydantic import ValidationError

from romaine import RoleplayMemory, Scope
from romaine.errors import OptionError

ANA = Scope(user="ana", character="Cassian")
NAMES = {"user": "ana", "character": "Cassian"}
CONFIG: RunnableConfig = {"configurable": NAMES}


@pytest.fixture
def recall(cassian: RoleplayMemory) -> BaseTool:
    return create_recall_tool(cassian)


@pytest.fixture
def remember(cassian: RoleplayMemory) -> BaseTool:
    return create_remember_tool(cassian)


def test_a_model_sees_what_to_look_for_and_what_to_keep_alone(recall: BaseTool, remember: BaseTool) -> None:
    schemas = [convert_to_openai_tool(tool)["function"] for tool in (recall, remember)]
    assert [(schema["name"], list(schema["parameters"]["properties"])) for schema in schemas] == [
        ("recall", ["query", "top_k"]),
        ("remember", ["text"]),
    ]
    assert all(schema["description"] for schema in schemas)
    assert all("description" in each for s in schemas for each in s["parameters"]["properties"].values())


async def test_recall_answers_in_lines_with_the_documents_beside(recall: BaseTool) -> None:
    call: Any = {"type": "tool_call", "name": "recall", "id": "1", "args": {"query": "the key", "top_k": 2}}
    for message in (recall.invoke(call, CONFIG), await recall.ainvoke(call, CONFIG)):
        lines = message.content.splitlines()
        assert lines[0] == "- Cassian: I left the silver key under the third step."
        assert len(lines) == len(message.artifact) == 2
        assert 0 <= message.artifact[0].metadata["confidence"] <= 1
    nobody = {"configurable": {"user": "ben"}}
    assert recall.invoke({"query": "the key"}, nobody) == "Nothing is remembered about this."


async def test_remember_keeps_a_fact_once(remember: BaseTool, cassian: RoleplayMemory) -> None:
    assert remember.invoke({"text": "Ana fears bees."}, CONFIG) == "Remembered."
    assert await remember.ainvoke({"text": "ana fears bees"}, CONFIG) == "That is known already."
    assert [fact.text for fact in cassian.list(ANA, kinds=["fact"])] == ["Ana fears bees."]
    assert cassian.recall("bees", ANA, kinds=["fact"])


@pytest.mark.parametrize(
    "more", [{"user": "ben"}, {"scope": {"user": "ben"}}, {"filters": {}}, {"config": CONFIG}]
)
def test_a_model_can_say_nothing_else(recall: BaseTool, remember: BaseTool, more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        recall.invoke({"query": "the key"} | more, CONFIG)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        remember.invoke({"text": "the key"} | more, CONFIG)


@pytest.mark.parametrize(
    "args", [{"query": 7}, {"query": "key", "top_k": 0}, {"query": "key", "top_k": 1000}, {}]
)
def test_wrong_values_are_refused(recall: BaseTool, args: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        recall.invoke(args, CONFIG)


async def test_nobody_is_answered_without_a_user(recall: BaseTool, remember: BaseTool) -> None:
    for tool, args in ((recall, {"query": "key"}), (remember, {"text": "key"})):
        with pytest.raises(OptionError, match="no user"):
            tool.invoke(args)
        with pytest.raises(OptionError, match="no user"):
            await tool.ainvoke(args, {"configurable": {"character": "Cassian"}})


def test_names_of_ones_own_and_bound_scopes(cassian: RoleplayMemory) -> None:
    own = create_recall_tool(cassian, **NAMES, name="look_back", description="Looks back.")
    assert (own.name, own.description) == ("look_back", "Looks back.")
    assert "silver key" in own.invoke({"query": "key", "top_k": 1})
    with pytest.raises(OptionError, match="is not the user that is bound here"):
        own.invoke({"query": "key"}, {"configurable": {"user": "ben"}})
    with pytest.raises(OptionError, match=r"memory=RoleplayMemory\('x\.db'\)"):
        create_remember_tool("x.db")  # type: ignore[arg-type]
