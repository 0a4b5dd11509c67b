# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from haystack import Document
from haystack.dataclasses import ChatMessage, ImageContent, ToolCall
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from romaine import Scope
from romaine.errors import OptionError, UnknownNameError
from romaine.memory import Kind, Role

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore

ANA = {"user": "ana", "character": "Cassian", "chat": "tavern"}
SCOPE = Scope(**ANA)


@pytest.fixture
def writer(memory_file: RomaineMemoryFile) -> RomaineMemoryWriter:
    return RomaineMemoryWriter(memory_file, **ANA)


def test_messages_become_turns(writer: RomaineMemoryWriter, chat: list[ChatMessage]) -> None:
    written = writer.run(messages=chat)
    memories = writer.memory_file.open().list(SCOPE)
    assert written == {
        "messages_written": 4,
        "documents_written": 0,
        "memory_ids": [memory.id for memory in memories],
    }
    assert [memory.text for memory in memories] == [message.text for message in chat]
    assert [memory.speaker for memory in memories] == ["Cassian", "ana", "Cassian", "ana"]
    assert [memory.role for memory in memories] == [Role.CHARACTER, Role.USER] * 2
    assert [memory.position for memory in memories] == [0, 1, 2, 3]
    assert [memory.source_id for memory in memories] == ["1", "2", "3", "4"]
    assert all(memory.metadata == {} for memory in memories)


def test_a_conversation_may_be_written_again_and_again(
    writer: RomaineMemoryWriter, chat: list[ChatMessage]
) -> None:
    first = writer.run(messages=chat)
    again = writer.run(messages=chat)
    assert (again["messages_written"], again["memory_ids"]) == (0, first["memory_ids"])
    edited = ChatMessage.from_assistant("The key is in the well.", meta=chat[0].meta)
    assert writer.run(messages=[edited])["messages_written"] == 1
    assert writer.memory_file.open().get(SCOPE, first["memory_ids"][0]).text == "The key is in the well."


def test_the_same_words_may_be_said_twice(writer: RomaineMemoryWriter) -> None:
    said = ChatMessage.from_user("Yes.")
    assert writer.run(messages=[said, said])["messages_written"] == 2


def test_names_times_and_origins_are_kept(writer: RomaineMemoryWriter) -> None:
    message = ChatMessage.from_user(
        "Aye.",
        name="Brona",
        meta={"created_at": "2026-03-01T20:00:00+01:00", "parent_id": "1", "source_id": "2"},
    )
    (id_,) = writer.run(messages=[message], known_by=["Cassian", "Brona"])["memory_ids"]
    memory = writer.memory_file.open().get(SCOPE, id_)
    assert memory.speaker == "Brona"
    assert memory.created_at == datetime(2026, 3, 1, 19, tzinfo=timezone.utc)
    assert (memory.source_id, memory.parent_id) == ("2", "1")
    assert memory.known_by == {"Cassian", "Brona"}


def test_meta_is_kept_where_it_is_named(memory_file: RomaineMemoryFile, chat: list[ChatMessage]) -> None:
    writer = RomaineMemoryWriter(memory_file, meta_fields_to_keep=["mood", "none"], **ANA)
    writer.run(messages=chat[:1])
    assert [memory.metadata for memory in memory_file.open().list(SCOPE)] == [{"mood": "calm"}]


def test_prompts_and_tools_are_no_part_of_the_story(memory_file: RomaineMemoryFile) -> None:
    call = ToolCall("look", {"at": "stairs"})
    messages = [
        ChatMessage.from_system("You are Cassian."),
        ChatMessage.from_assistant(tool_calls=[call]),
        ChatMessage.from_tool("Three steps.", origin=call),
        ChatMessage.from_assistant("Three steps, I count."),
    ]
    only = RomaineMemoryWriter(memory_file, **ANA)
    assert only.run(messages=messages)["messages_written"] == 1
    prompts = RomaineMemoryWriter(memory_file, roles=["system"], user="ana")
    prompts.run(messages=messages, character="Cassian", chat="prompts")
    (found,) = memory_file.open().list(replace(SCOPE, chat="prompts"))
    assert (found.role, found.speaker, found.text) == (Role.SYSTEM, "system", "You are Cassian.")


def test_all_texts_of_a_message_are_taken(writer: RomaineMemoryWriter) -> None:
    image = ImageContent(base64_image="aGk=", mime_type="image/png", validation=False)
    message = ChatMessage.from_user(content_parts=["Look:", image, "a key."])
    (id_,) = writer.run(messages=[message])["memory_ids"]
    assert writer.memory_file.open().get(SCOPE, id_).text == "Look:\na key."


def test_documents_become_lore_that_the_store_shows(
    writer: RomaineMemoryWriter, documents: list[Document]
) -> None:
    written = writer.run(documents=documents)
    assert written["documents_written"] == 3
    memories = writer.memory_file.open().list(SCOPE)
    assert [memory.id for memory in memories] == written["memory_ids"]
    assert {memory.kind for memory in memories} == {Kind.LORE}
    store = RomaineMemoryStore(writer.memory_file, **ANA)
    assert store.filter_documents() == documents
    assert writer.run(documents=documents)["memory_ids"] == written["memory_ids"]
    assert store.filter_documents() == documents


def test_messages_and_documents_are_written_together(
    writer: RomaineMemoryWriter, chat: list[ChatMessage], documents: list[Document]
) -> None:
    written = writer.run(chat, documents)
    texts = [writer.memory_file.open().get(SCOPE, id_).text for id_ in written["memory_ids"]]
    assert texts == [*(message.text for message in chat), *(document.content for document in documents)]


def test_nothing_is_nothing(writer: RomaineMemoryWriter) -> None:
    assert writer.run() == {"messages_written": 0, "documents_written": 0, "memory_ids": []}


def test_a_refused_document_keeps_the_messages_out(
    memory_file: RomaineMemoryFile, chat: list[ChatMessage], documents: list[Document]
) -> None:
    writer = RomaineMemoryWriter(memory_file, policy=DuplicatePolicy.FAIL, **ANA)
    writer.run(documents=documents)
    with pytest.raises(DuplicateDocumentError):
        writer.run(chat, documents)
    assert len(memory_file.open().list(SCOPE)) == len(documents)


def test_nobody_writes_without_a_user(memory_file: RomaineMemoryFile, chat: list[ChatMessage]) -> None:
    writer = RomaineMemoryWriter(memory_file)
    with pytest.raises(OptionError, match="user"):
        writer.run(messages=chat)
    writer.run(messages=chat, user="ana")
    with pytest.raises(OptionError, match="bound"):
        RomaineMemoryWriter(memory_file, user="ana").run(messages=chat, user="ben")
    assert memory_file.open().list(Scope(user="ben")) == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"messages": ["hello"]}, TypeError),
        ({"messages": [Document(content="hello")]}, TypeError),
        ({"messages": ChatMessage.from_user("hello")}, TypeError),
        ({"documents": ["hello"]}, ValueError),
        ({"documents": [ChatMessage.from_user("hello")]}, ValueError),
        ({"messages": [ChatMessage.from_user("x", meta={"created_at": "soon"})]}, OptionError),
        ({"messages": [ChatMessage.from_user("x", meta={"source_id": 7})]}, OptionError),
    ],
)
def test_what_is_neither_is_refused(
    writer: RomaineMemoryWriter, given: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        writer.run(**given)
    assert writer.memory_file.open().list(SCOPE) == []


@pytest.mark.parametrize("options", [{"roles": ["bard"]}, {"policy": "maybe"}])
def test_wrong_options_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownNameError, match=next(iter(options)).rstrip("s")):
        RomaineMemoryWriter("never-made.db", **options)
