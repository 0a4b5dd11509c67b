"""A chain that writes what is said into the memory and recalls it in a later conversation."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import (
    ConfigurableFieldSpec,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnablePassthrough,
)
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_romaine import SCOPE_FIELDS, RomaineChatMessageHistory, RomaineMemoryRetriever

from romaine import RoleplayMemory
from romaine.errors import OptionError

ANSWERS = ["I hid the silver key under the third step.", "As I told you: under the third step."]
SESSION = ConfigurableFieldSpec(id="session_id", annotation=str)


class Companion:
    """A character with a memory, and the prompts its model was given."""

    def __init__(self, memory: RoleplayMemory) -> None:
        self.memory = memory
        self.prompts: list[str] = []
        retriever = RomaineMemoryRetriever(memory=memory, scope_from_config=True, k=3)
        prompt = ChatPromptTemplate.from_messages(
            [
                ("system", "You are Cassian. You remember:\n{memories}"),
                MessagesPlaceholder("history"),
                ("human", "{input}"),
            ]
        )
        chain: Runnable[Any, Any] = (
            RunnablePassthrough.assign(memories=itemgetter("input") | retriever | _lines)
            | prompt
            | RunnableLambda(self._note)
            | FakeListChatModel(responses=ANSWERS)
        )
        self.chain = RunnableWithMessageHistory(
            chain,
            self.history,
            input_messages_key="input",
            history_messages_key="history",
            history_factory_config=[*SCOPE_FIELDS[:2], SESSION],
        )

    def history(self, user: str, character: str, session_id: str) -> RomaineChatMessageHistory:
        return RomaineChatMessageHistory(session_id, memory=self.memory, user=user, character=character)

    def _note(self, prompt: PromptValue) -> PromptValue:
        self.prompts.append(prompt.to_string())
        return prompt


def _lines(documents: list[Document]) -> str:
    return "\n".join(f"- {document.metadata['speaker']}: {document.page_content}" for document in documents)


def told(user: str, session: str) -> RunnableConfig:
    return {"configurable": {"user": user, "character": "Cassian", "session_id": session}}


def test_a_later_conversation_recalls_an_earlier_one(memory: RoleplayMemory) -> None:
    cassian = Companion(memory)
    question = {"input": "Where did you hide the silver key?"}
    assert cassian.chain.invoke(question, told("ana", "monday")).content == ANSWERS[0]
    assert cassian.chain.invoke(question, told("ana", "tuesday")).content == ANSWERS[1]
    first, second = cassian.prompts
    assert ANSWERS[0] not in first
    assert f"- Cassian: {ANSWERS[0]}" in second
    assert f"AI: {ANSWERS[0]}" not in second  # recalled, not carried along as history
    monday = cassian.history("ana", "Cassian", "monday").messages
    assert [message.content for message in monday] == [question["input"], ANSWERS[0]]


def test_the_same_conversation_goes_on(memory: RoleplayMemory) -> None:
    cassian = Companion(memory)
    for text in ("Where is the key?", "Say that again."):
        cassian.chain.invoke({"input": text}, told("ana", "monday"))
    assert f"AI: {ANSWERS[0]}\nHuman: Say that again." in cassian.prompts[1]
    assert len(cassian.history("ana", "Cassian", "monday").messages) == 4


async def test_async_and_streams_write_too(memory: RoleplayMemory) -> None:
    cassian = Companion(memory)
    await cassian.chain.ainvoke({"input": "Where is the key?"}, told("ana", "monday"))
    async for _ in cassian.chain.astream({"input": "Again?"}, told("ana", "monday")):
        pass
    for _ in cassian.chain.stream({"input": "Once more?"}, told("ana", "monday")):
        pass
    messages = cassian.history("ana", "Cassian", "monday").messages
    assert [message.content for message in messages] == [
        "Where is the key?",
        ANSWERS[0],
        "Again?",
        ANSWERS[1],
        "Once more?",
        ANSWERS[0],
    ]


async def test_another_user_gets_nothing_of_it(memory: RoleplayMemory) -> None:
    cassian = Companion(memory)
    cassian.chain.invoke({"input": "Where is the silver key?"}, told("ana", "monday"))
    configs = [told(user, "tuesday") for user in ("ben", "cleo") * 4]
    await cassian.chain.abatch([{"input": "Where is the silver key?"}] * 8, configs)
    assert not any("third step" in prompt.split("Human:")[0] for prompt in cassian.prompts[1:3])
    for user in ("ben", "cleo"):
        messages = cassian.history(user, "Cassian", "tuesday").messages
        assert len(messages) == 8
        assert len(cassian.history("ana", "Cassian", "tuesday").messages) == 0


def test_a_user_has_to_be_named(memory: RoleplayMemory) -> None:
    cassian = Companion(memory)
    with pytest.raises(ValueError, match=r"Missing keys \['user'\]"):
        cassian.chain.invoke({"input": "x"}, {"configurable": {"character": "Cassian", "session_id": "1"}})
    with pytest.raises(OptionError, match="user=''"):
        cassian.chain.invoke({"input": "x"}, told("", "monday"))
