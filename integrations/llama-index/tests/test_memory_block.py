from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock
from llama_index.core.memory import BaseMemoryBlock, Memory
from llama_index.memory.romaine import RomaineMemoryBlock
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import create_async_engine

from romaine import Embedder, RoleplayMemory, Scope
from romaine.errors import OptionError

USER = Scope(user="ana", character="Cassian")
KEY = "I left the silver key under the third step."
QUESTION = "Where did you leave the silver key?"


def said(text: str | None, role: str = "user", **kwargs: Any) -> ChatMessage:
    return ChatMessage(content=text, role=MessageRole(role), additional_kwargs=kwargs)


def words(text: str) -> list[str]:
    return text.split()


def texts_of(content: Any) -> list[str]:
    return [block.text for block in content]


@pytest.fixture
def block(memory: RoleplayMemory) -> RomaineMemoryBlock:
    return RomaineMemoryBlock(memory=memory, scope=USER)


def stored(memory: RoleplayMemory, scope: Scope = USER) -> list[tuple[str | None, str | None, str]]:
    return [(m.speaker, m.role and m.role.value, m.text) for m in memory.list(scope)]


# --- writing -----------------------------------------------------------------------------------------------


def test_messages_become_turns(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    messages = [
        said("You are Cassian.", "system"),
        said("Where is the key?"),
        said(KEY, "assistant"),
        said("Says who?", name="Ben"),
        said("3 rows", "tool"),
        said("  "),
        said(None, "assistant"),
        ChatMessage(role="assistant", blocks=[]),
        said("Me.", "model"),
    ]
    asyncio.run(block.aput(messages))
    assert stored(memory) == [
        ("ana", "user", "Where is the key?"),
        ("Cassian", "character", KEY),
        ("Ben", "user", "Says who?"),
        ("Cassian", "character", "Me."),
    ]


def test_names_and_roles_can_be_chosen(memory: RoleplayMemory) -> None:
    block = RomaineMemoryBlock(
        memory=memory,
        scope=Scope(user="id-7"),
        user_name="Ana",
        character_name="The narrator",
        roles={"user": "user", "assistant": "narrator", "tool": "system"},
    )
    asyncio.run(block.aput([said("Hello."), said("Rain.", "assistant"), said("3 rows", "tool")]))
    assert stored(memory, Scope(user="id-7")) == [
        ("Ana", "user", "Hello."),
        ("narrator", "narrator", "Rain."),
        ("system", "system", "3 rows"),
    ]


def test_a_message_with_an_id_is_kept_once(block: RomaineMemoryBlock, memory: RoleplayMemory) -> None:
    first = [said("Where is the key?", id="1"), said(KEY, "assistant", id="2")]
    edited = [said("Where is the silver key?", id="1"), said(KEY, "assistant", id="2")]

    async def put(messages: list[ChatMessage], session: str) -> None:
        await block.aput([m.model_copy(deep=True) for m in messages], session_id=session)

    asyncio.run(put(first, "monday"))
    asyncio.run(put(first, "monday"))
    asyncio.run(put(edited, "monday"))
    assert [text for _, _, text in stored(memory)] == ["Where is the silver key?", KEY]
    asyncio.run(put(first, "tuesday"))  # ids count from one in every session
    assert len(stored(memory)) == 4
    assert {m.source_id for m in memory.list(USER)} == {"monday:1", "monday:2", "tuesday:1", "tuesday:2"}


# --- reading -----------------------------------------------------------------------------------------------


def test_the_latest_messages_are_the_query(block: RomaineMemoryBlock) -> None:
    assert asyncio.run(block.aget([])) == []
    assert asyncio.run(block.aget(None)) == []
    assert asyncio.run(block.aget([said("A prompt.", "system")])) == []
    assert asyncio.run(block.aget([said(QUESTION)])) == []

    asyncio.run(block.aput([said(f"Day {n}: rain again on the road.") for n in range(20)]))
    asyncio.run(block.aput([said(KEY, "assistant")]))
    assert isinstance(block, BaseMemoryBlock)
    shown = texts_of(asyncio.run(block.aget([said("Hello."), said(QUESTION), said("x", "tool")])))
    assert f"Cassian: {KEY}" in shown
    assert len(shown) == 5


def test_what_is_shown_is_in_the_order_of_the_story(memory: RoleplayMemory) -> None:
    scope = Scope(user="ana", character="Cassian", chat="tavern")
    block = RomaineMemoryBlock(memory=memory, scope=scope, similarity_top_k=1, neighbours=1)
    asyncio.run(block.aput([said("Tell me."), said(KEY, "assistant"), said("Thank you."), said("Bye.")]))
    shown = texts_of(asyncio.run(block.aget([said(QUESTION)])))
    assert shown == ["ana: Tell me.", f"Cassian: {KEY}", "ana: Thank you."]


def test_the_budget_is_the_llms_tokens(memory: RoleplayMemory) -> None:
    block = RomaineMemoryBlock(
        memory=memory, scope=USER, token_budget=15, tokenizer_fn=words, similarity_top_k=10
    )
    asyncio.run(block.aput([said(f"The silver key opens door number {n}.") for n in range(9)]))
    asyncio.run(block.aput([said(KEY, "assistant")]))
    shown = texts_of(asyncio.run(block.aget([said(QUESTION)])))
    assert shown
    assert sum(len(words(text)) for text in shown) <= 15
    assert f"Cassian: {KEY}" in shown  # the best come first, whatever the order shown


def test_the_framework_can_ask_for_less(block: RomaineMemoryBlock) -> None:
    block = block.model_copy(update={"tokenizer_fn": words})
    content = [TextBlock(text=f"ana: line {n}") for n in range(4)]  # three words each
    assert asyncio.run(block.atruncate(content, 4)) == content[2:]
    assert asyncio.run(block.atruncate(content, 12)) is None
    assert len(content) == 4


# --- settings and users ------------------------------------------------------------------------------------


def test_there_is_no_block_without_a_user(memory: RoleplayMemory) -> None:
    for options in ({}, {"scope": None}, {"scope": {"user": ""}}, {"scope": {"character": "Cassian"}}):
        with pytest.raises(ValidationError):
            RomaineMemoryBlock(memory=memory, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 3}, "top_k"),
        ({"similarity_top_k": -1}, "k=-1"),
        ({"min_score": "high"}, "min_score='high'"),
        ({"kinds": ["rumour"]}, "unknown kind 'rumour'"),
        ({"token_budget": 0}, "token_budget"),
        ({"roles": {"user": "villain"}}, "roles"),
    ],
)
def test_what_is_not_allowed_is_refused_at_once(
    memory: RoleplayMemory, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        RomaineMemoryBlock(memory=memory, scope=USER, **options)


def test_options_that_are_changed_later_hold_and_are_checked(block: RomaineMemoryBlock) -> None:
    asyncio.run(block.aput([said(f"The silver key opens door number {n}.") for n in range(9)]))
    block.similarity_top_k = 2
    assert len(asyncio.run(block.aget([said(QUESTION)]))) == 2
    copy = block.model_copy(update={"similarity_top_k": 1})
    assert len(asyncio.run(copy.aget([said(QUESTION)]))) == 1
    block.similarity_top_k = -1
    with pytest.raises(OptionError, match="k=-1"):
        asyncio.run(block.aget([said(QUESTION)]))


def test_users_never_see_each_others_memories(memory: RoleplayMemory) -> None:
    anas = RomaineMemoryBlock(memory=memory, scope=USER)
    bens = RomaineMemoryBlock(memory=memory, scope=Scope(user="ben", character="Cassian"))
    asyncio.run(anas.aput([said(KEY, "assistant")]))
    assert asyncio.run(bens.aget([said(QUESTION)])) == []
    assert texts_of(asyncio.run(anas.aget([said(QUESTION)]))) == [f"Cassian: {KEY}"]


# --- in the framework --------------------------------------------------------------------------------------


@asynccontextmanager
async def short_term(block: RomaineMemoryBlock, **options: Any) -> AsyncIterator[Memory]:
    """A `Memory` in an SQLite of its own, which it would leave open by default."""
    engine = create_async_engine("sqlite+aiosqlite://")
    yield Memory.from_defaults(memory_blocks=[block], async_engine=engine, **options)
    await engine.dispose()


def long_chat() -> list[ChatMessage]:
    filler = "We walked on along the river and talked about the weather, number {}."
    chat = [said("Where did you leave it?"), said(KEY, "assistant")]
    for n in range(40):
        chat += [said(filler.format(n)), said(f"So we did, {n} times.", "assistant")]
    return chat


def test_memory_keeps_what_leaves_its_window(memory: RoleplayMemory, block: RomaineMemoryBlock) -> None:
    async def converse() -> tuple[list[ChatMessage], list[ChatMessage]]:
        async with short_term(block, token_limit=600, token_flush_size=100) as chat:
            for message in long_chat():
                await chat.aput(message)
            return await chat.aget(input=QUESTION), await chat.aget_all()

    shown, everything = asyncio.run(converse())
    assert len(everything) == 82
    window = [message for message in shown if message.role != MessageRole.SYSTEM]
    assert KEY not in [message.content for message in window]
    (system,) = [message for message in shown if message.role == MessageRole.SYSTEM]
    assert f"Cassian: {KEY}" in (system.content or "")
    assert "<LongTermMemory>" in (system.content or "")
    texts = [text for _, _, text in stored(memory)]
    assert texts == [message.content for message in long_chat()][: len(texts)]  # in order, each once
    assert len(texts) + len(window) == 82


def test_a_later_session_remembers(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"

    async def first() -> None:
        with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
            block = RomaineMemoryBlock(memory=memory, scope=USER)
            async with short_term(block, token_limit=300, token_flush_size=50) as chat:
                await chat.aput_messages(long_chat())

    async def second() -> str:
        with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
            block = RomaineMemoryBlock(memory=memory, scope=USER)
            async with short_term(block, token_limit=300) as chat:
                await chat.aput(said(QUESTION))
                return str((await chat.aget())[0].content)

    asyncio.run(first())
    assert KEY in asyncio.run(second())


def test_a_full_prompt_drops_memories_one_by_one(memory: RoleplayMemory) -> None:
    block = RomaineMemoryBlock(memory=memory, scope=USER, priority=1, similarity_top_k=20)
    asyncio.run(block.aput([said(f"The silver key opens door number {n}.") for n in range(20)]))

    async def shown(limit: int) -> str:
        async with short_term(block, token_limit=limit) as chat:
            await chat.aput(said(QUESTION))
            return str((await chat.aget())[0].content)

    generous, tight = asyncio.run(shown(5000)), asyncio.run(shown(120))
    assert 0 < tight.count("silver key opens") < generous.count("silver key opens")


def test_reading_and_writing_happen_off_the_loop(tmp_path: Path) -> None:
    threads: list[int] = []

    class Watched(Embedder):
        def _embed(self, *args: Any, **kwargs: Any) -> Any:
            threads.append(threading.get_ident())
            return super()._embed(*args, **kwargs)

    def counted(text: str) -> list[str]:
        threads.append(threading.get_ident())
        return words(text)

    async def use() -> None:
        with RoleplayMemory(tmp_path / "memories.db", embedder=Watched(dim=64)) as memory:
            block = RomaineMemoryBlock(memory=memory, scope=USER, tokenizer_fn=counted)
            await block.aput([said(KEY, "assistant")])
            await block.aget([said(QUESTION)])

    asyncio.run(use())
    assert len(threads) >= 3
    assert threading.get_ident() not in threads


def test_many_at_once(block: RomaineMemoryBlock) -> None:
    async def use() -> list[Any]:
        await asyncio.gather(*[block.aput([said(f"Turn {n}.", id=str(n))]) for n in range(8)])
        return await asyncio.gather(*[block.aget([said("Turn 3.")]) for _ in range(32)])

    results = asyncio.run(use())
    assert all(texts_of(result) == texts_of(results[0]) for result in results)
    assert "ana: Turn 3." in texts_of(results[0])
