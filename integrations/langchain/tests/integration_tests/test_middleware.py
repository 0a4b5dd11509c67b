"""`RomaineMemoryMiddleware`: what a model is shown of other conversations, and what is kept of this."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_romaine import RomaineChatMessageHistory, RomaineMemoryMiddleware
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from romaine import RoleplayMemory, Scope
from romaine.errors import OptionError
from tests.heartbeat import LIMIT, shortest_of
from tests.scripted_model import ScriptedModel, calls

ANA = Scope(user="ana", character="Cassian")
HIDDEN = "I hid the silver key under the third step."
HEADING = "You remember from earlier:"


@dataclass
class Context:
    user: str
    character: str | None = None
    chat: str | None = None


class PydanticContext(BaseModel):
    user: str
    character: str | None = None


@tool
def roll(sides: int) -> str:
    """Rolls a die."""
    return f"A die of {sides} sides shows 4."


def companion(memory: RoleplayMemory, *answers: AIMessage | str, **options: Any) -> tuple[Any, ScriptedModel]:
    """An agent that plays Cassian, with a checkpointer, and its model."""
    model = ScriptedModel(answers=list(answers) or [HIDDEN])
    given: dict[str, Any] = {
        "system_prompt": "You are Cassian.",
        "checkpointer": InMemorySaver(),
        "context_schema": Context,
        "middleware": [RomaineMemoryMiddleware(memory, character="Cassian")],
    }
    return create_agent(model, **given | options), model


def ask(agent: Any, text: str | list[Any], *, user: str = "ana", thread: str | None = "monday") -> Any:
    config = {"configurable": {} if thread is None else {"thread_id": thread}}
    return agent.invoke({"messages": text}, config, context=Context(user))


def texts(memory: RoleplayMemory, scope: Scope = ANA) -> list[str]:
    return [turn.text for turn in memory.list(scope)]


# --- what the model is shown ---------------------------------------------------------------------------


def test_another_conversation_is_remembered(memory: RoleplayMemory) -> None:
    agent, model = companion(memory, HIDDEN, "As I told you.")
    ask(agent, "Where is the silver key?", thread="monday")
    ask(agent, "Where is the key?", thread="tuesday")
    assert model.systems[0] == "You are Cassian."
    assert model.systems[1].startswith(f"You are Cassian.\n\n{HEADING}\n- ")
    assert f"- Cassian: {HIDDEN}" in model.systems[1]
    assert "- ana: Where is the silver key?" in model.systems[1]


def test_what_is_shown_as_messages_is_not_recalled(memory: RoleplayMemory) -> None:
    agent, model = companion(memory)
    for _ in range(3):
        ask(agent, "Where is the silver key?")
    assert model.systems == ["You are Cassian."] * 3
    assert len(model.shown[2]) == 1 + 5


def test_what_was_trimmed_from_the_messages_is_recalled(memory: RoleplayMemory) -> None:
    summing_up = SummarizationMiddleware(
        ScriptedModel(answers=["They talked."]), trigger=("messages", 4), keep=("messages", 1)
    )
    agent, model = companion(
        memory,
        HIDDEN,
        "Good night.",
        "There.",
        middleware=[summing_up, RomaineMemoryMiddleware(memory, character="Cassian")],
    )
    for text in ("Where is the silver key?", "Good night.", "Where was the key again?"):
        ask(agent, text)
    assert [str(m.text) for m in model.shown[2]][1:] != []
    assert "They talked." in str(model.shown[2][1].text)
    assert f"- Cassian: {HIDDEN}" in model.systems[2]
    assert not any("They talked." in text for text in texts(memory))


def test_nothing_recalled_stays_in_the_state(memory: RoleplayMemory) -> None:
    agent, _ = companion(memory)
    ask(agent, "Where is the silver key?", thread="monday")
    state = ask(agent, "Where is the key?", thread="tuesday")
    assert [message.type for message in state["messages"]] == ["human", "ai"]
    assert texts(memory) == ["Where is the silver key?", HIDDEN, "Where is the key?", HIDDEN]


def test_limits_of_what_is_shown(cassian: RoleplayMemory) -> None:
    def shown(**options: Any) -> int:
        agent, model = companion(
            cassian,
            middleware=[RomaineMemoryMiddleware(cassian, character="Cassian", write=False, **options)],
        )
        ask(agent, "Where is the key?")
        return model.systems[0].count("\n- ")

    assert shown() == 5
    assert shown(k=2) == 2
    assert shown(k=8, token_budget=30) < shown(k=8, token_budget=None) == 8
    assert shown(k=0) == 0
    assert shown(min_score=1000) == 0


def test_a_prompt_of_ones_own(cassian: RoleplayMemory) -> None:
    own = RomaineMemoryMiddleware(cassian, character="Cassian", k=1, prompt="<memory>{memories}</memory> {x}")
    agent, model = companion(cassian, middleware=[own], system_prompt=None)
    ask(agent, "Where is the key?")
    assert model.systems == ["<memory>- Cassian: I left the silver key under the third step.</memory> {x}"]
    with pytest.raises(OptionError, match=r'must hold "{memories}"'):
        RomaineMemoryMiddleware(cassian, prompt="You remember:")


def test_blocks_of_a_system_prompt_are_kept(cassian: RoleplayMemory) -> None:
    blocks: list[Any] = [{"type": "text", "text": "You are Cassian.", "cache_control": {"type": "ephemeral"}}]
    agent, model = companion(cassian, system_prompt=SystemMessage(blocks))
    ask(agent, "Where is the key?")
    (system, *_) = model.shown[0]
    assert system.content[0] == blocks[0]
    assert "third step" in system.text


def test_tools_of_the_agent_see_the_same_memories(cassian: RoleplayMemory) -> None:
    agent, model = companion(cassian, calls("roll", sides=6), "A four!", tools=[roll])
    ask(agent, "Where is the key? Roll for it.")
    assert len(model.systems) == 2
    assert model.systems[0] == model.systems[1]
    assert "third step" in model.systems[0]


# --- what is kept --------------------------------------------------------------------------------------


def test_tools_and_empty_messages_are_left_out(memory: RoleplayMemory) -> None:
    agent, _ = companion(memory, calls("roll", sides=6), "A four!", tools=[roll])
    state = ask(agent, "Roll for it.")
    assert [message.type for message in state["messages"]] == ["human", "ai", "tool", "ai"]
    assert texts(memory) == ["Roll for it.", "A four!"]
    turns = memory.list(ANA)
    assert [(turn.speaker, turn.role) for turn in turns] == [("ana", "user"), ("Cassian", "character")]
    history = RomaineChatMessageHistory("monday", memory=memory, scope=ANA)
    assert [message.type for message in history.messages] == ["human", "ai"]


def test_only_words_are_kept(memory: RoleplayMemory) -> None:
    answer = AIMessage(
        [{"type": "reasoning", "reasoning": "A secret."}, {"type": "text", "text": "Here."}],
        usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        tool_calls=[{"name": "roll", "args": {"sides": 6}, "id": "1"}],
    )
    agent, _ = companion(memory, answer, "Done.", tools=[roll])
    ask(agent, [HumanMessage("Where?", id="q", name="Ana", additional_kwargs={"secret": 1})])
    turns = memory.list(ANA)
    assert [turn.text for turn in turns] == ["Where?", "Here.", "Done."]
    assert [turn.speaker for turn in turns] == ["Ana", "Cassian", "Cassian"]
    assert turns[0].metadata == {"langchain": {"type": "human", "data": {"id": "q", "name": "Ana"}}}
    assert set(turns[1].metadata["langchain"]["data"]) == {"id"}


def test_nothing_is_kept_twice_in_a_thread(memory: RoleplayMemory) -> None:
    agent, _ = companion(memory, "Hm.")
    config = {"configurable": {"thread_id": "monday"}}
    for _ in range(3):
        ask(agent, "Hm.")
    assert texts(memory) == ["Hm."] * 6  # said six times
    last = agent.get_state(config)
    agent.invoke(None, next(iter(agent.get_state_history(config))).config, context=Context("ana"))
    agent.invoke({"messages": last.values["messages"]}, config, context=Context("ana"))
    assert len(texts(memory)) == 6 + 1  # the model answered once more


def test_a_run_that_failed_may_be_repeated(memory: RoleplayMemory) -> None:
    class Failing(ScriptedModel):
        failures: int = 1

        def _generate(self, *args: Any, **options: Any) -> Any:
            if self.failures:
                self.failures -= 1
                raise ConnectionError("the model is away")
            return super()._generate(*args, **options)

    middleware = [RomaineMemoryMiddleware(memory, user="ana", character="Cassian")]
    agent = create_agent(Failing(answers=["Here."]), middleware=middleware, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "monday"}}
    with pytest.raises(ConnectionError):
        agent.invoke({"messages": "Where is the key?"}, config)
    assert texts(memory) == []
    agent.invoke(None, config)
    assert texts(memory) == ["Where is the key?", "Here."]


@pytest.mark.parametrize("thread", [None, "monday"])
def test_without_a_checkpointer_the_whole_history_may_be_given_again(
    memory: RoleplayMemory, thread: str | None
) -> None:
    agent, model = companion(memory, "One.", "Two.", "Three.", checkpointer=None)
    told: list[Any] = []
    for question in ("First?", "Second?", "Second?"):
        told.append({"role": "user", "content": question})
        answer = ask(agent, told, thread=thread)["messages"][-1]
        told.append({"role": "assistant", "content": answer.text})
    assert texts(memory) == ["First?", "One.", "Second?", "Two.", "Second?", "Three."]
    assert model.systems == ["You are Cassian."] * 3  # all of it was shown as messages
    ask(agent, told[:5], thread=thread)
    assert texts(memory)[6:] == ["One."]  # the model's other answer to the same


def test_it_may_be_told_not_to_write(cassian: RoleplayMemory) -> None:
    before = texts(cassian)
    agent, model = companion(
        cassian, middleware=[RomaineMemoryMiddleware(cassian, character="Cassian", write=False)]
    )
    ask(agent, "Where is the key?")
    assert "third step" in model.systems[0]
    assert texts(cassian) == before


def test_speakers_and_witnesses(memory: RoleplayMemory) -> None:
    party = RomaineMemoryMiddleware(
        memory, user="ana", known_by={"Brona"}, human_name="Ana", ai_name="Narrator"
    )
    agent, _ = companion(memory, "The wine is poisoned.", middleware=[party])
    ask(agent, "What about the wine?")
    assert [turn.speaker for turn in memory.list(Scope(user="ana"))] == ["Ana", "Narrator"]
    assert memory.recall("wine", Scope(user="ana", character="Brona"))
    assert not memory.recall("wine", Scope(user="ana", character="Cassian"))


# --- whose memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "context"),
    [
        (dict, {"user": "ana", "character": "Cassian"}),
        (Context, Context("ana", "Cassian")),
        (PydanticContext, PydanticContext(user="ana", character="Cassian")),
    ],
)
async def test_the_context_says_whose(memory: RoleplayMemory, schema: Any, context: Any) -> None:
    agent, _ = companion(memory, context_schema=schema, middleware=[RomaineMemoryMiddleware(memory)])
    agent.invoke({"messages": "One?"}, {"configurable": {"thread_id": "1"}}, context=context)
    await agent.ainvoke({"messages": "Two?"}, {"configurable": {"thread_id": "2"}}, context=context)
    assert texts(memory) == ["One?", HIDDEN, "Two?", HIDDEN]


def test_the_config_may_say_it_too(memory: RoleplayMemory) -> None:
    agent, _ = companion(memory, middleware=[RomaineMemoryMiddleware(memory)], context_schema=None)
    told = {"configurable": {"thread_id": "1", "user": "ana", "character": "Cassian", "chat": "tavern"}}
    agent.invoke({"messages": "One?"}, told)
    assert texts(memory, Scope(user="ana", character="Cassian", chat="tavern")) == ["One?", HIDDEN]
    assert texts(memory) == []


def test_a_function_may_say_it(memory: RoleplayMemory) -> None:
    middleware = RomaineMemoryMiddleware(
        memory, scope=lambda runtime: Scope(user=runtime.context["user_id"], character="Cassian")
    )
    agent, _ = companion(memory, middleware=[middleware], context_schema=dict)
    agent.invoke({"messages": "One?"}, {"configurable": {"thread_id": "1"}}, context={"user_id": "ana"})
    assert texts(memory) == ["One?", HIDDEN]


async def test_a_run_without_a_user_or_with_another_is_an_error(memory: RoleplayMemory) -> None:
    agent, model = companion(memory, context_schema=None)
    bound, _ = companion(memory, middleware=[RomaineMemoryMiddleware(memory, user="ana")])
    config = {"configurable": {"thread_id": "monday"}}
    with pytest.raises(OptionError, match="no user"):
        agent.invoke({"messages": "One?"}, config)
    with pytest.raises(OptionError, match="no user"):
        await agent.ainvoke({"messages": "One?"}, config)
    with pytest.raises(OptionError, match="is not the user that is bound here"):
        ask(bound, "One?", user="ben")
    assert model.shown == []
    assert memory.scopes("ana") == memory.scopes("ben") == []


async def test_concurrent_runs_never_mix(memory: RoleplayMemory) -> None:
    users = ("ana", "ben", "cleo", "dora")
    for user in users:
        agent, _ = companion(memory, f"The key of {user} is in the well.")
        ask(agent, "Where is the key?", user=user)
    agent, model = companion(memory, "Hm.")
    await asyncio.gather(
        *(
            agent.ainvoke(
                {"messages": f"Where is the key? ({user})"},
                {"configurable": {"thread_id": f"{user} {number}"}},
                context=Context(user),
            )
            for number in range(4)
            for user in users
        )
    )
    assert len(model.shown) == 16
    for shown, system in zip(model.shown, model.systems, strict=True):
        own = str(shown[-1].text).split("(")[1].rstrip(")")
        assert f"The key of {own} is in the well." in system
        assert not any(f"key of {user}" in system for user in users if user != own)


async def test_async_equals_sync_and_streams_write_too(memory: RoleplayMemory) -> None:
    agent, model = companion(memory)
    config = {"configurable": {"thread_id": "tuesday"}}
    ask(agent, "Where is the silver key?", thread="monday")
    await agent.ainvoke({"messages": "Where is the key?"}, config, context=Context("ana"))
    async for _ in agent.astream({"messages": "Again?"}, config, context=Context("ana")):
        pass
    for _ in agent.stream({"messages": "Once more?"}, config, context=Context("ana")):
        pass
    assert HIDDEN in model.systems[1]
    assert texts(memory)[2:] == ["Where is the key?", HIDDEN, "Again?", HIDDEN, "Once more?", HIDDEN]


async def test_an_event_loop_is_never_blocked(memory: RoleplayMemory, texts: list[str]) -> None:
    agent, _ = companion(memory)
    numbers = iter(range(1000))

    async def several() -> None:
        said: list[BaseMessage] = [HumanMessage(text) for text in texts[:100]]
        thread = {"configurable": {"thread_id": str(next(numbers))}}
        await agent.ainvoke({"messages": said}, thread, context=Context("ana"))

    await several()
    assert await shortest_of(5, several) <= LIMIT


def test_a_memory_has_to_be_one() -> None:
    with pytest.raises(OptionError, match=r"memory=RoleplayMemory\('x\.db'\)"):
        RomaineMemoryMiddleware("x.db")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"k=-1"):
        RomaineMemoryMiddleware(RoleplayMemory(":memory:"), k=-1)
