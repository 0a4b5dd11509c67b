"""`RomaineChatMessageHistory`: each conversation's messages, in one memory with all others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_romaine import RomaineChatMessageHistory, RomaineEmbeddings

from romaine import RoleplayMemory, Scope
from romaine.errors import OptionError, StorageClosedError

SCOPE = Scope(user="ana", character="Cassian")
TALK: list[BaseMessage] = [
    SystemMessage("You are Cassian."),
    HumanMessage("Where is the key?", id="1"),
    AIMessage("", tool_calls=[{"name": "look_up", "args": {}, "id": "call-1"}], id="2"),
    ToolMessage("Under the third step.", tool_call_id="call-1", name="look_up"),
    AIMessage("Under the third step.", id="3", response_metadata={"model": "fake"}),
]


def history(memory: RoleplayMemory, session: str = "monday", **options: str) -> RomaineChatMessageHistory:
    return RomaineChatMessageHistory(
        session, memory=memory, **{"user": "ana", "character": "Cassian"} | options
    )


def test_messages_come_back_in_order_after_reopening(tmp_path: Path, embeddings: RomaineEmbeddings) -> None:
    for part in (TALK[:2], TALK[2:]):
        with RoleplayMemory(tmp_path / "m.db", embedder=embeddings.embedder) as memory:
            history(memory).add_messages(part)
    with RoleplayMemory(tmp_path / "m.db", embedder=embeddings.embedder) as memory:
        assert history(memory).messages == TALK
        turns = memory.list(SCOPE)
    assert [(turn.role, turn.speaker) for turn in turns] == [
        ("system", "system"),
        ("user", "ana"),
        ("character", "Cassian"),
        ("system", "look_up"),
        ("character", "Cassian"),
    ]


def test_the_shortcuts_of_langchain_work(memory: RoleplayMemory) -> None:
    talk = RomaineChatMessageHistory("monday", memory=memory, user="ana", human_name="Ana", ai_name="Bot")
    talk.add_user_message("Hello.")
    talk.add_ai_message("Good day.")
    assert [message.content for message in talk.messages] == ["Hello.", "Good day."]
    assert str(talk) == "Human: Hello.\nAI: Good day."
    assert [turn.speaker for turn in memory.list(Scope(user="ana"))] == ["Ana", "Bot"]


def test_adding_again_is_nothing_and_another_content_replaces(memory: RoleplayMemory) -> None:
    talk = history(memory)
    talk.add_messages(TALK[1:2])
    talk.add_messages(TALK[1:2])
    assert talk.messages == TALK[1:2]
    corrected = [HumanMessage("Where is the lantern?", id="1"), AIMessage("Here.", id="2")]
    talk.add_messages(corrected)
    assert talk.messages == corrected
    talk.add_messages([AIMessage("Here.", id="2", response_metadata={"model": "fake"})])
    assert talk.messages[1].response_metadata == {"model": "fake"}
    assert len(memory.list(SCOPE)) == 2


def test_the_same_words_without_an_id_are_said_twice(memory: RoleplayMemory) -> None:
    talk = history(memory)
    talk.add_messages([HumanMessage("Hm."), HumanMessage("Hm.")])
    talk.add_messages([HumanMessage("Hm.")])
    assert talk.messages == [HumanMessage("Hm.")] * 3
    talk.add_messages([])
    assert len(talk.messages) == 3


def test_conversations_scopes_and_users_are_apart(memory: RoleplayMemory) -> None:
    others = [
        history(memory, "tuesday"),
        history(memory, 'monday", "1'),
        history(memory, "mon"),
        history(memory, user="ben"),
        history(memory, character="Brona"),
        history(memory, chat="tavern"),
        history(memory, chat="mill"),
        RomaineChatMessageHistory("monday", memory=memory, user="ana"),
    ]
    for number, other in enumerate(others):
        other.add_messages([HumanMessage(f"Message {number}", id="1")])
    talk = history(memory)
    assert talk.messages == []
    talk.add_messages([HumanMessage("Mine", id="1")])
    assert [message.content for message in talk.messages] == ["Mine"]
    talk.clear()
    assert talk.messages == []
    expected = [[f"Message {number}"] for number in range(len(others))]
    assert [[message.content for message in other.messages] for other in others] == expected


def test_clearing_leaves_facts_alone(memory: RoleplayMemory) -> None:
    talk = history(memory)
    talk.add_messages(TALK)
    source = memory.list(SCOPE)[1].source_id
    drawn = memory.add_fact(SCOPE, "Ana looks for a key.", parent_id=source, source_id=source).memory
    shared = memory.add_fact(Scope(user="ana"), "Ana is allergic to honey.").memory
    talk.clear()
    assert talk.messages == []
    assert {fact.id for fact in memory.list(SCOPE)} == {drawn.id, shared.id}
    talk.clear()


def test_a_fork_has_the_past_and_clearing_it_leaves_the_parents(memory: RoleplayMemory) -> None:
    parent = history(memory, chat="tavern")
    parent.add_messages(TALK)
    memory.branch(Scope(user="ana", character="Cassian", chat="tavern"), at=2, to_chat="tavern 2")
    fork = history(memory, chat="tavern 2")
    assert fork.messages == TALK[:3]
    fork.add_messages([HumanMessage("And then?", id="4")])
    assert [message.content for message in fork.messages][-1] == "And then?"
    assert parent.messages == TALK
    fork.clear()
    assert fork.messages == []
    assert parent.messages == TALK


def test_without_a_chat_all_conversations_recall_with_one_only_that_chat(memory: RoleplayMemory) -> None:
    history(memory, "monday").add_messages([AIMessage("The silver key is under the third step.")])
    history(memory, "monday", chat="tavern").add_messages([AIMessage("The golden key is in the well.")])

    def recalled(chat: str | None) -> set[str]:
        scope = Scope(user="ana", character="Cassian", chat=chat)
        return {hit.memory.text.split()[1] for hit in memory.recall("Where is the key?", scope)}

    assert recalled(None) == recalled("mill") == {"silver"}
    assert recalled("tavern") == {"silver", "golden"}


def test_who_was_not_there_does_not_know(memory: RoleplayMemory) -> None:
    party = RomaineChatMessageHistory("feast", memory=memory, user="ana", known_by={"Brona"})
    party.add_messages([HumanMessage("The wine is poisoned.")])
    assert memory.recall("wine", Scope(user="ana", character="Brona"))
    assert not memory.recall("wine", Scope(user="ana", character="Cassian"))
    assert len(party.messages) == 1
    with pytest.raises(OptionError, match="known_by leaves out character='Cassian'"):
        RomaineChatMessageHistory("1", memory=memory, user="ana", character="Cassian", known_by={"Brona"})
    with pytest.raises(OptionError, match="must be a collection of names"):
        RomaineChatMessageHistory("1", memory=memory, user="ana", known_by="Brona")


async def test_async_equals_sync(memory: RoleplayMemory) -> None:
    talk = history(memory)
    await talk.aadd_messages(TALK)
    assert await talk.aget_messages() == talk.messages == TALK
    await talk.aclear()
    assert await talk.aget_messages() == []


async def test_conversations_write_at_the_same_time(memory: RoleplayMemory) -> None:
    talks = [history(memory, f"session {number}") for number in range(16)]
    for part in (TALK[:2], TALK[2:]):
        await asyncio.gather(*(talk.aadd_messages(part) for talk in talks))
    assert all(
        messages == TALK for messages in await asyncio.gather(*(talk.aget_messages() for talk in talks))
    )
    await asyncio.gather(*(talk.aclear() for talk in talks), *(talk.aclear() for talk in talks))
    assert memory.list(SCOPE) == []


@pytest.mark.parametrize("session", ["", None, 7])
def test_a_session_must_have_a_name(memory: RoleplayMemory, session: object) -> None:
    with pytest.raises(OptionError, match="must be a non-empty str"):
        RomaineChatMessageHistory(session, memory=memory, user="ana")  # type: ignore[arg-type]


def test_nothing_is_kept_for_nobody(memory: RoleplayMemory) -> None:
    with pytest.raises(OptionError, match="no user"):
        RomaineChatMessageHistory("monday", memory=memory)
    with pytest.raises(OptionError, match="user=''"):
        RomaineChatMessageHistory("monday", memory=memory, user="")
    with pytest.raises(OptionError, match=r"is a path; .* memory=RoleplayMemory\('memories\.db'\)"):
        RomaineChatMessageHistory("monday", memory="memories.db", user="ana")  # type: ignore[arg-type]


def test_a_scope_is_given_whole_or_by_its_names(memory: RoleplayMemory) -> None:
    whole = Scope(user="ana", character="Cassian")
    by_names = RomaineChatMessageHistory("monday", memory=memory, user="ana", character="Cassian")
    assert RomaineChatMessageHistory("monday", memory=memory, scope=whole).scope == by_names.scope == whole
    with pytest.raises(OptionError, match="leave out one or the other"):
        RomaineChatMessageHistory("monday", memory=memory, scope=whole, chat="tavern")


@pytest.mark.parametrize("wrong", [None, "Hello.", ["Hello."], [("human", "Hello.")]])
def test_what_is_no_message_is_refused(memory: RoleplayMemory, wrong: object) -> None:
    talk = history(memory)
    with pytest.raises(OptionError, match="messages must be a sequence of BaseMessage"):
        talk.add_messages(wrong)  # type: ignore[arg-type]
    assert talk.messages == []


def test_a_closed_memory_says_so(memory: RoleplayMemory) -> None:
    talk = history(memory)
    memory.close()
    with pytest.raises(StorageClosedError):
        _ = talk.messages
    with pytest.raises(StorageClosedError):
        talk.add_user_message("Hello.")
