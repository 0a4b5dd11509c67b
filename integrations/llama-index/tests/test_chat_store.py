from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import Memory
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from llama_index.memory.romaine import RomaineMemoryBlock
from llama_index.storage.chat_store.romaine import RomaineChatStore
from llama_index.tools.romaine import RomaineMemoryToolSpec
from scripted_llm import ScriptedLLM, call
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from romaine import RoleplayMemory, Scope, Turn

USER = Scope(user="ana", character="Cassian")
KEY = "I left the silver key under the third step."
QUESTION = "Where did you leave the silver key?"


def said(text: str | None, role: str = "user", **kwargs: Any) -> ChatMessage:
    return ChatMessage(content=text, role=MessageRole(role), additional_kwargs=kwargs)


@pytest.fixture
def block(memory: RoleplayMemory) -> RomaineMemoryBlock:
    return RomaineMemoryBlock(memory=memory, scope=USER)


@asynccontextmanager
async def opened(
    block: RomaineMemoryBlock, session: str = "monday", *, uri: str | None = None, **options: Any
) -> AsyncIterator[Memory]:
    store = RomaineChatStore(block, async_database_uri=uri)
    settings = {"token_limit": 4000} | options
    yield Memory(session_id=session, memory_blocks=[block], sql_store=store, **settings)
    await store.aclose()


@asynccontextmanager
async def storing(block: RomaineMemoryBlock) -> AsyncIterator[RomaineChatStore]:
    store = RomaineChatStore(block)
    yield store
    await store.aclose()


def stored(memory: RoleplayMemory, scope: Scope = USER) -> list[str]:
    return [m.text for m in memory.list(scope)]


# --- writing -----------------------------------------------------------------------------------------------


def test_every_message_is_in_the_memory_at_once_and_only_what_was_said(
    block: RomaineMemoryBlock, memory: RoleplayMemory
) -> None:
    calls = said("", "assistant", tool_calls=[{"id": "1"}])
    prompt, asked, told = said("You are Cassian.", "system"), said(QUESTION), said(KEY, "assistant")

    async def chat() -> list[ChatMessage]:
        async with opened(block) as window:
            assert isinstance(window.sql_store, AsyncDBChatStore)
            await window.aput(prompt)
            await window.aput(asked)
            assert stored(memory) == [QUESTION]
            await window.aput_messages([calls, said("3 rows", "tool", tool_call_id="1"), told])
            return await window.aget_all()

    # the session is kept whole, prompts and tool calls included
    assert asyncio.run(chat()) == [prompt, asked, calls, said("3 rows", "tool", tool_call_id="1"), told]
    assert [(m.speaker, m.role and m.role.value, m.text) for m in memory.list(USER)] == [
        ("ana", "user", QUESTION),
        ("Cassian", "character", KEY),
    ]
    assert all((m.source_id or "").startswith("monday:") for m in memory.list(USER))


def test_what_falls_out_of_the_window_is_not_written_twice(
    block: RomaineMemoryBlock, memory: RoleplayMemory
) -> None:
    lines = [f"Day {n}: rain again, and we walk on." for n in range(20)]

    async def chat() -> int:
        async with opened(block, token_limit=60, token_flush_size=10, tokenizer_fn=str.split) as window:
            for n, line in enumerate(lines):
                await window.aput(said(line, "assistant" if n % 2 else "user"))
            return len(await window.aget_all(status=MessageStatus.ARCHIVED))

    assert asyncio.run(chat()) > 5  # they did fall out
    assert stored(memory) == lines


def test_the_same_words_said_twice_are_two_turns(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    async def chat() -> None:
        async with opened(block) as window:
            for text in ("Shall we go?", "Yes.", "Is it far?", "Yes."):
                await window.aput(said(text))

    asyncio.run(chat())
    assert stored(memory) == ["Shall we go?", "Yes.", "Is it far?", "Yes."]


def test_a_history_that_is_set_again_adds_what_is_new(
    block: RomaineMemoryBlock, memory: RoleplayMemory
) -> None:
    """A server without a state gives the whole history, or the end of it, with every request."""
    history = [said("Yes."), said("No.", "assistant"), said("Yes.")]

    async def chat() -> None:
        async with opened(block) as window:
            await window.aset(history)
            await window.aset([*history, said(KEY, "assistant")])
            await window.aset([said("Yes."), said(KEY, "assistant"), said("Thanks.")])  # its end only
            await window.areset()

    asyncio.run(chat())
    assert stored(memory) == ["Yes.", "No.", "Yes.", KEY, "Thanks."]


def test_a_message_with_an_id_is_kept_once_and_an_edit_replaces_it(
    block: RomaineMemoryBlock, memory: RoleplayMemory
) -> None:
    async def chat() -> None:
        async with opened(block) as window:
            await window.aput(said(QUESTION, id="1"))
            for _ in range(2):
                await window.aset([said("Where is the key?", id="1"), said(KEY, "assistant", id="2")])

    asyncio.run(chat())
    assert stored(memory) == ["Where is the key?", KEY]
    assert [m.source_id for m in memory.list(USER)] == ["monday:1", "monday:2"]


def test_many_write_at_once(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    texts = [f"Turn {n}." for n in range(20)]

    async def chat() -> None:
        async with storing(block) as store:
            await store.count_messages("monday")  # LlamaIndex's store makes its table at first use, once
            await asyncio.gather(*[store.add_message("monday", said(text)) for text in texts])
            await store.set_messages("monday", [said(text) for text in texts])

    asyncio.run(chat())
    assert sorted(stored(memory)) == sorted(texts)


def test_sessions_with_names_alike_are_kept_apart(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    async def chat() -> int:
        async with storing(block) as store:
            for session in ("a", "a:b", "a%3Ab"):
                await store.set_messages(session, [said("Hello.", id="1"), said("Bye.")])
            return await store.aforget("a")

    assert asyncio.run(chat()) == 2
    assert len(stored(memory)) == 4


def test_a_session_is_forgotten_for_good(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    memory.add_turns(USER, [Turn("Said elsewhere.", speaker="Ana", role="user")])

    async def chat() -> list[ChatMessage]:
        async with storing(block) as store:
            await store.add_message("monday", said("My pin is 4711."))
            await store.add_message("tuesday", said("Good morning."))
            assert await store.aforget("monday") == 1
            await store.add_message("monday", said("My pin is 4711."))  # and may be said again
            assert await store.aforget("monday") == 1
            return await store.get_messages("monday")

    assert asyncio.run(chat()) == []
    assert stored(memory) == ["Said elsewhere.", "Good morning."]


# --- reading -----------------------------------------------------------------------------------------------


def shown_in(messages: list[ChatMessage]) -> str:
    return "\n".join(str(message.content) for message in messages if message.role == MessageRole.SYSTEM)


def test_what_the_window_shows_is_not_shown_again(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    block.similarity_top_k = 50

    async def chat() -> tuple[list[ChatMessage], list[ChatMessage]]:
        async with opened(block, "monday") as monday, opened(block, "tuesday") as tuesday:
            await monday.aput_messages([said(QUESTION), said(KEY, "assistant")])
            here = await monday.aget()
            await tuesday.aput(said(QUESTION))
            return here, await tuesday.aget()

    here, there = asyncio.run(chat())
    assert [message.content for message in here] == [QUESTION, KEY]  # nothing but the window
    assert f"Cassian: {KEY}" in shown_in(there)
    assert shown_in(there).count(QUESTION) == 1  # Monday's question; today's is in the window


def test_a_session_goes_on_in_a_new_process(tmp_path: Path, memory: RoleplayMemory) -> None:
    """With a database the window is there again; another block knows nothing but the memory's file."""
    uri = f"sqlite+aiosqlite:///{tmp_path / 'sessions.db'}"

    async def chat(*texts: str) -> list[ChatMessage]:
        block = RomaineMemoryBlock(memory=memory, scope=USER, similarity_top_k=50)
        async with opened(block, uri=uri) as window:
            for text in texts:
                await window.aput(said(text))
            return await window.aget()

    asyncio.run(chat("Good morning.", "It rains."))
    assert [message.content for message in asyncio.run(chat())] == ["Good morning.", "It rains."]
    assert len(asyncio.run(chat("Still."))) == 3
    assert stored(memory) == ["Good morning.", "It rains.", "Still."]


def test_it_takes_what_llamaindex_s_store_takes(block: RomaineMemoryBlock) -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)

    async def chat() -> tuple[list[str], dict[str, Any]]:
        store = RomaineChatStore(block, table_name="chats", async_engine=engine)
        await store.add_message("monday", said("Hello."))
        dumped = store.model_dump()
        keys = await store.get_keys()
        await engine.dispose()
        return keys, dumped

    keys, dumped = asyncio.run(chat())
    assert keys == ["monday"]
    assert dumped["table_name"] == "chats"
    assert RomaineChatStore.class_name() == "RomaineChatStore"


@pytest.mark.skipif(
    "chat_store" not in signature(Memory.from_defaults).parameters, reason="of newer cores only"
)
def test_memory_takes_it_by_its_own_name(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    async def chat() -> None:
        async with storing(block) as store:
            window = Memory.from_defaults(session_id="monday", chat_store=store, memory_blocks=[block])
            await window.aput(said(QUESTION))

    asyncio.run(chat())
    assert stored(memory) == [QUESTION]


# --- agents and engines ------------------------------------------------------------------------------------


def test_a_tool_finds_nothing_that_the_window_shows(
    block: RomaineMemoryBlock, memory: RoleplayMemory
) -> None:
    """The question itself would be the best hit for it."""
    memory.add_turns(USER, [Turn(KEY, speaker="Cassian", role="character")])
    tools = RomaineMemoryToolSpec(memory, block=block, scope=USER).to_tool_list()
    llm = ScriptedLLM(steps=[call("recall", query=QUESTION), lambda prompt: str(prompt[-1].content)])

    async def chat() -> str:
        async with opened(block) as window:
            return str(await FunctionAgent(llm=llm, tools=tools).run(QUESTION, memory=window))

    found = asyncio.run(chat())
    assert KEY in found
    assert QUESTION not in found
    assert QUESTION in RomaineMemoryToolSpec(memory, scope=USER).recall(QUESTION)  # without the block


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Any]:
    """Opens the memory's file as each process would."""
    open_now: list[RoleplayMemory] = []

    def reopen() -> RoleplayMemory:
        while open_now:
            open_now.pop().close()
        open_now.append(RoleplayMemory(tmp_path / "agent.db"))
        return open_now[0]

    yield reopen
    while open_now:
        open_now.pop().close()


def test_an_agent_remembers_across_conversations(reopened: Any) -> None:
    """No code but the parts: what was said on Monday is in Tuesday's prompt, and found by its tool."""

    async def talk(session: str, user: str, llm: ScriptedLLM, *questions: str) -> list[str]:
        memory = reopened()
        block = RomaineMemoryBlock(memory=memory, user=user, character="Cassian")
        tools = RomaineMemoryToolSpec(memory, user=user, character="Cassian").to_tool_list()
        agent = FunctionAgent(llm=llm, tools=tools, system_prompt="You are Cassian.")
        async with opened(block, session) as window:
            return [str(await agent.run(question, memory=window)) for question in questions]

    monday = ScriptedLLM(
        steps=[
            f"{KEY} Tell nobody.",
            call("remember", text="Ana cannot eat honey."),
            "I shall cook without.",
        ]
    )
    told = asyncio.run(
        talk("monday", "ana", monday, "Where did you hide the key?", "I am allergic to honey.")
    )
    assert told == [f"{KEY} Tell nobody.", "I shall cook without."]

    def from_prompt(prompt: list[ChatMessage]) -> str:
        lines = shown_in(prompt).splitlines()
        return next(line for line in lines if "third step" in line)

    tuesday = ScriptedLLM(
        steps=[from_prompt, call("recall", query="What must Ana not eat?"), lambda prompt: prompt[-1].content]
    )
    told = asyncio.run(talk("tuesday", "ana", tuesday, "Where is the key?", "What may I cook for Ana?"))
    assert told[0] == f"Cassian: {KEY} Tell nobody."
    assert "Ana cannot eat honey." in told[1]

    ben = ScriptedLLM(steps=[call("recall", query="Where did you hide the key?"), lambda prompt: str(prompt)])
    (told_ben,) = asyncio.run(talk("tuesday", "ben", ben, "Where did you hide the key?"))
    assert "third step" not in told_ben
    assert "honey" not in told_ben

    texts = stored(reopened())
    assert texts.count("Where is the key?") == 1
    assert not any(
        "What must Ana not eat?" in text for text in texts
    )  # tools' calls and answers are not said


@pytest.mark.filterwarnings("ignore:.*deleted before being closed:ResourceWarning")  # one in every event loop
def test_a_chat_engine_remembers(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    """The engines without async, which run every call in an event loop of its own."""
    memory.add_turns(USER, [Turn(KEY, speaker="Cassian", role="character")])
    window = Memory(token_limit=4000, memory_blocks=[block], sql_store=RomaineChatStore(block))
    llm = ScriptedLLM(steps=[shown_in])  # it says what its prompt tells of the memory
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=window)
    assert KEY in str(engine.chat(QUESTION))
    assert stored(memory)[1:2] == [QUESTION]
    assert len(stored(memory)) == 3
    del engine, window
    gc.collect()
