# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""An Agent whose memory fills and is recalled by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from haystack import Pipeline
from haystack.components.agents import Agent
from haystack.components.agents.state import State
from haystack.components.generators.chat import MockChatGenerator
from haystack.dataclasses import ChatMessage, ImageContent, ToolCall
from haystack.hooks import hook
from haystack.tools import tool
from romaine import RoleplayMemory, Scope
from romaine.errors import OptionError

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.hooks.romaine import RomaineMemoryHook

KEY = "The silver key is under the third step."
QUESTION = "Where is the silver key?"
ANA = {"user": "ana"}


class Model:
    """What a model does that can only repeat the prompt, and keeps what it was shown."""

    def __init__(self, *calls: ChatMessage) -> None:
        self.seen: list[list[ChatMessage]] = []
        self.calls = list(calls)

    def __call__(self, messages: list[ChatMessage]) -> str | ChatMessage:
        self.seen.append(messages)
        if self.calls:
            return self.calls.pop(0)
        return "As I recall: " + KEY if KEY in (messages[-1].text or "") else "I do not know."


def memory_of(file: RomaineMemoryFile | RoleplayMemory, **bound: str) -> RomaineMemoryHook:
    return RomaineMemoryHook(RomaineMemoryRetriever(file, **bound), RomaineMemoryWriter(file, **bound))


def agent_of(memory: RomaineMemoryHook, model: Callable[..., Any], **options: Any) -> Agent:
    return Agent(chat_generator=MockChatGenerator(response_fn=model), hooks=memory.hooks, **options)


def texts(file: RomaineMemoryFile, **scope: str) -> list[str]:
    return [memory.text for memory in file.open().list(Scope(**scope))]


def ask(agent: Agent, text: str, **given: Any) -> str:
    return str(agent.run([ChatMessage.from_user(text)], **given)["last_message"].text)


def test_an_agent_remembers_across_conversations(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    for text, answer in ((KEY, "As I recall: " + KEY), (QUESTION, "As I recall: " + KEY)):
        memory = memory_of(RomaineMemoryFile(path))  # a new process knows no more than the file
        assert ask(agent_of(memory, Model()), text, hook_context=ANA) == answer
        memory.close()
    memory = memory_of(RomaineMemoryFile(path))
    assert ask(agent_of(memory, Model()), QUESTION, hook_context={"user": "ben"}) == "I do not know."
    memory.close()


def test_it_does_so_on_an_event_loop(memory_file: RomaineMemoryFile) -> None:
    agent = agent_of(memory_of(memory_file), Model(), state_schema={"user": {"type": str}})

    async def both() -> str:
        await agent.run_async([ChatMessage.from_user(KEY)], user="ana")
        result = await agent.run_async([ChatMessage.from_user(QUESTION)], user="ana")
        await agent.close_async()
        return str(result["last_message"].text)

    assert asyncio.run(both()) == "As I recall: " + KEY


def test_many_runs_at_once_keep_apart(memory_file: RomaineMemoryFile) -> None:
    agent = agent_of(memory_of(memory_file), Model())
    users = [f"user {number}" for number in range(8)]

    async def together() -> None:
        await asyncio.gather(
            *(
                agent.run_async([ChatMessage.from_user(f"I am {user}.")], hook_context={"user": user})
                for user in users
            )
        )

    asyncio.run(together())
    for user in users:
        assert texts(memory_file, user=user) == [f"I am {user}.", "I do not know."]


def test_every_message_is_written_once_however_the_history_is_kept(memory_file: RomaineMemoryFile) -> None:
    model = Model()
    agent = agent_of(memory_of(memory_file, character="Cassian"), model)
    first = agent.run([ChatMessage.from_user("Yes.")], hook_context=ANA)["messages"]
    # the result, goes on
    second = agent.run([*first, ChatMessage.from_user("Yes.")], hook_context=ANA)["messages"]
    # saved and loaded
    saved = [ChatMessage.from_dict(message.to_dict()) for message in second]
    agent.run([*saved, ChatMessage.from_user("No.")], hook_context=ANA)
    # made anew of texts, by an application that keeps its own
    rebuilt = [
        ChatMessage.from_user("No."),
        ChatMessage.from_assistant("I do not know."),
        ChatMessage.from_user("Well."),
        ChatMessage.from_user("Then?"),
    ]
    agent.run(rebuilt, hook_context=ANA)
    reply = "I do not know."
    said = ["Yes.", reply, "Yes.", reply, "No.", reply, "Well.", "Then?", reply]
    assert texts(memory_file, user="ana", character="Cassian") == said
    speakers = [memory.speaker for memory in memory_file.open().list(Scope(user="ana", character="Cassian"))]
    assert speakers == ["Cassian" if text == reply else "ana" for text in said]


def test_the_running_conversation_is_not_recalled(memory_file: RomaineMemoryFile) -> None:
    model = Model()
    agent = agent_of(memory_of(memory_file), model)
    messages = agent.run([ChatMessage.from_user(KEY)], hook_context=ANA)["messages"]
    agent.run([*messages, ChatMessage.from_user(QUESTION)], hook_context=ANA)
    assert model.seen[-1][-1].text == QUESTION  # all there is to recall stands above it
    rebuilt = [ChatMessage.from_user(KEY), ChatMessage.from_assistant("As I recall: " + KEY)]
    agent.run([*rebuilt, ChatMessage.from_user(QUESTION)], hook_context=ANA)
    told = model.seen[-1][-1].text or ""
    assert KEY not in told.splitlines()
    assert f"ana: {KEY}" not in told


def test_the_model_alone_reads_what_is_remembered(memory_file: RomaineMemoryFile) -> None:
    model = Model()
    agent = agent_of(memory_of(memory_file), model, system_prompt="You are Cassian.")
    ask(agent, KEY, hook_context=ANA)
    image = ImageContent(base64_image="aGk=", mime_type="image/png", validation=False)
    asked = ChatMessage.from_user(content_parts=[image, QUESTION], name="Ana", meta={"mood": "calm"})
    result = agent.run([asked], hook_context=ANA)
    (system, told) = model.seen[-1]
    assert system.text == "You are Cassian."
    assert (told.text or "").splitlines()[0].startswith("(You remember")
    assert (told.text or "").endswith("\n\n" + QUESTION)
    assert told.images == [image]
    assert [message.text for message in result["messages"][:2]] == ["You are Cassian.", QUESTION]
    back = result["messages"][1]
    assert (back.name, back.images, back.meta["mood"]) == ("Ana", [image], "calm")
    assert asked.meta == {"mood": "calm"}  # the caller's own stays as it is


def test_a_prompt_may_be_given(memory_file: RomaineMemoryFile) -> None:
    model = Model()
    memory = RomaineMemoryHook(
        RomaineMemoryRetriever(memory_file, user="ana", top_k=1), prompt="<known>{memories}</known>"
    )
    memory_file.open().add_fact(Scope(user="ana"), KEY)
    ask(agent_of(memory, model), QUESTION)
    assert model.seen[0][-1].text == f"<known>- {KEY}</known>\n\n{QUESTION}"
    with pytest.raises(OptionError, match="memories"):
        RomaineMemoryHook(prompt="What you know:")


def test_neighbours_are_told_in_the_order_of_the_story(memory_file: RomaineMemoryFile) -> None:
    said = [ChatMessage.from_user(f"Then the key number {n} was lost.") for n in range(3)]
    RomaineMemoryWriter(memory_file, user="ana").run(messages=said)
    model = Model()
    retriever = RomaineMemoryRetriever(memory_file, user="ana", top_k=1, neighbours=1)
    ask(agent_of(RomaineMemoryHook(retriever), model), "Was the key number 1 lost?")
    told = (model.seen[0][-1].text or "").splitlines()[1:4]
    assert [line.partition(": ")[2] for line in told] == [message.text for message in said]
    assert [line[:2] for line in told] == ["- ", "  ", "  "]


def test_tools_prompts_and_other_hooks_are_no_part_of_the_conversation(
    memory_file: RomaineMemoryFile,
) -> None:
    @tool
    def look(at: str) -> str:
        """Looks."""
        return f"The {at} has three steps."

    @hook
    def insist(state: State) -> None:
        if state.data["step_count"] == 2:
            state.set("messages", [ChatMessage.from_user("Say it again.")])
            state.set("continue_run", True)

    call = ChatMessage.from_assistant(tool_calls=[ToolCall("look", {"at": "stair"})])
    memory = memory_of(memory_file, user="ana")
    agent = Agent(
        chat_generator=MockChatGenerator(response_fn=Model(call)),
        tools=[look],
        hooks=memory.hooks | {"on_exit": [insist]},
    )
    agent.run([ChatMessage.from_system("You are Cassian."), ChatMessage.from_user("Look around.")])
    assert texts(memory_file, user="ana") == ["Look around.", "I do not know.", "I do not know."]


def test_reading_and_writing_may_be_had_alone(memory_file: RomaineMemoryFile) -> None:
    ask(agent_of(RomaineMemoryHook(writer=RomaineMemoryWriter(memory_file)), Model()), KEY, hook_context=ANA)
    assert len(texts(memory_file, user="ana")) == 2
    reading = RomaineMemoryHook(RomaineMemoryRetriever(memory_file))
    assert KEY in ask(agent_of(reading, Model()), QUESTION, hook_context=ANA)
    assert len(texts(memory_file, user="ana")) == 2


def test_what_another_agent_was_told_stays_its_own(memory_file: RomaineMemoryFile) -> None:
    """An Agent that only recalls gives back what its model read; one that writes may go on from there."""
    memory_file.open().add_fact(Scope(user="ana"), KEY)
    reading = RomaineMemoryHook(RomaineMemoryRetriever(memory_file, user="ana"))
    first = Agent(chat_generator=MockChatGenerator("Aye."), hooks={"before_run": [reading]})
    messages = first.run([ChatMessage.from_user(QUESTION)])["messages"]
    agent = agent_of(memory_of(memory_file, user="ana"), Model())
    after = agent.run([*messages, ChatMessage.from_user("Sure?")])["messages"]
    assert [message.text for message in after[:3]] == [*(message.text for message in messages), "Sure?"]


def test_two_memories_do_not_see_each_others_words(memory_file: RomaineMemoryFile, tmp_path: Path) -> None:
    other = RomaineMemoryFile(tmp_path / "world.db")
    other.open().add_lore(Scope(user="world"), "Silver keys open the doors of the moon.")
    shared = RomaineMemoryHook(RomaineMemoryRetriever(other, user="world"))
    own = memory_of(memory_file, user="ana")
    model = Model()
    agent = Agent(
        chat_generator=MockChatGenerator(response_fn=model),
        hooks={"before_run": [own, shared], "after_run": [own, shared]},
    )
    ask(agent, KEY)
    ask(agent, QUESTION)
    told = model.seen[-1][-1].text or ""
    assert told.count("You remember") == 2
    assert told.endswith(QUESTION)
    assert texts(memory_file, user="ana")[2] == QUESTION
    other.close()


def test_an_agent_without_a_user_is_told(memory_file: RomaineMemoryFile) -> None:
    with pytest.raises(OptionError, match="hook_context"):
        ask(agent_of(memory_of(memory_file), Model()), KEY)
    with pytest.raises(OptionError, match="bound"):
        ask(agent_of(memory_of(memory_file, user="ana"), Model()), KEY, hook_context={"user": "ben"})


def test_a_hook_that_does_not_see_the_beginning_is_told(memory_file: RomaineMemoryFile) -> None:
    memory = memory_of(memory_file, user="ana")
    agent = Agent(chat_generator=MockChatGenerator("Hello."), hooks={"after_run": [memory]})
    with pytest.raises(OptionError, match=r"after_run.*hook\.hooks"):
        ask(agent, KEY)
    with pytest.raises(ValueError, match="before_llm"):
        Agent(chat_generator=MockChatGenerator("Hello."), hooks={"before_llm": [memory]})


def test_nothing_asked_is_nothing_recalled(memory_file: RomaineMemoryFile) -> None:
    image = ImageContent(base64_image="aGk=", mime_type="image/png", validation=False)
    agent = agent_of(memory_of(memory_file, user="ana"), Model())
    agent.run([ChatMessage.from_user(content_parts=[image])])
    agent.run([ChatMessage.from_user("Hello."), ChatMessage.from_assistant("Well met.")])
    assert texts(memory_file, user="ana") == ["I do not know."] * 2


def test_it_is_saved_and_loaded_with_its_agent(tmp_path: Path) -> None:
    memory = memory_of(RomaineMemoryFile(tmp_path / "memories.db", dim=32), character="Cassian")
    pipeline = Pipeline()
    pipeline.add_component("agent", Agent(chat_generator=MockChatGenerator("Aye."), hooks=memory.hooks))
    again = Pipeline.loads(pipeline.dumps())
    assert again.dumps() == pipeline.dumps()
    told = [ChatMessage.from_user(KEY)]
    for _ in range(2):
        again.run({"agent": {"messages": told, "hook_context": ANA}})
    assert memory.writer is not None
    assert texts(memory.writer.memory_file, user="ana", character="Cassian") == [KEY, "Aye."] * 2
    again.get_component("agent").close()
    memory.close()
