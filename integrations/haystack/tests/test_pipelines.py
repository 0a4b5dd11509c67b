# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.components.agents import Agent
from haystack.components.builders import ChatPromptBuilder
from haystack.components.embedders.types import DocumentEmbedder, TextEmbedder
from haystack.components.generators.chat import MockChatGenerator
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers import InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ChatMessage, ToolCall
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.tools import ComponentTool

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore

BOOK = Document(
    content="The silver key is under the third step. Nobody looks there.\n\n"
    "Leek soup needs an hour on a low fire. Stir it often.\n\n"
    "The harbour closes its gates at dusk. Late ships wait outside.",
    meta={"title": "The heron"},
)
QUESTION = "Where is the silver key?"
KEY = "I left the silver key under the third step."


@pytest.fixture
def store() -> Iterator[InMemoryDocumentStore]:
    store = InMemoryDocumentStore(shared=False, embedding_similarity_function="cosine")
    yield store
    store.shutdown()


def indexing(store: Any, *, overlap: int = 0) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_component(
        "splitter", DocumentSplitter(split_by="passage", split_length=1 + overlap, split_overlap=overlap)
    )
    pipeline.add_component("embedder", RomaineDocumentEmbedder(dim=128, meta_fields_to_embed=["title"]))
    pipeline.add_component("writer", DocumentWriter(store))
    pipeline.connect("splitter.documents", "embedder.documents")
    pipeline.connect("embedder.documents", "writer.documents")
    return pipeline


def querying(store: InMemoryDocumentStore) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_component("embedder", RomaineTextEmbedder(dim=128))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=1))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    return pipeline


def test_an_index_is_built_and_asked(store: InMemoryDocumentStore) -> None:
    assert indexing(store).run({"splitter": {"documents": [BOOK]}}) == {"writer": {"documents_written": 3}}
    assert all(len(document.embedding or []) == 128 for document in store.filter_documents())
    (found,) = querying(store).run({"embedder": {"text": QUESTION}})["retriever"]["documents"]
    assert found.content.startswith("The silver key")
    assert found.meta["title"] == "The heron"


def test_an_index_is_built_and_asked_on_an_event_loop(store: InMemoryDocumentStore) -> None:
    async def both() -> Any:
        await indexing(store).run_async({"splitter": {"documents": [BOOK]}})
        return await querying(store).run_async({"embedder": {"text": QUESTION}})

    (found,) = asyncio.run(both())["retriever"]["documents"]
    assert found.content.startswith("The silver key")


def test_an_index_is_built_in_the_memory(memory_file: RomaineMemoryFile) -> None:
    """The splitter's tuples and the embeddings go through the file, and recall finds the passages."""
    store = RomaineMemoryStore(memory_file, user="ana")
    indexing(store, overlap=1).run({"splitter": {"documents": [BOOK]}})
    assert [len(document.embedding or []) for document in store.filter_documents()] == [128] * 2
    assert "_split_overlap" in store.filter_documents()[0].meta
    best = RomaineMemoryRetriever(memory_file, user="ana").run(QUESTION)["documents"][0]
    assert best.content.startswith("The silver key")
    assert best.meta["title"] == "The heron"


def test_embedders_are_what_haystack_calls_embedders() -> None:
    text: TextEmbedder = RomaineTextEmbedder()
    documents: DocumentEmbedder = RomaineDocumentEmbedder()
    assert len(text.run("x")["embedding"]) == len(documents.run([BOOK])["documents"][0].embedding)


# --- agents ------------------------------------------------------------------------------------------------


def remembering(memory_file: RomaineMemoryFile) -> RomaineMemoryRetriever:
    said = [ChatMessage.from_assistant(KEY), ChatMessage.from_assistant("The soup is leek again.")]
    RomaineMemoryWriter(memory_file).run(said, user="ana", character="Cassian", chat="tavern")
    return RomaineMemoryRetriever(memory_file, character="Cassian", chat="tavern", top_k=1)


def answer(messages: list[ChatMessage]) -> str:
    """What a model would say that reads its prompt and nothing else."""
    return "It is there: " + (messages[-1].text or "")


def conversation(retriever: RomaineMemoryRetriever, writer: RomaineMemoryWriter) -> Pipeline:
    prompt = (
        "Remembered: {% for d in documents %}{{ d.meta.speaker }}: {{ d.content }}{% endfor %} {{ query }}"
    )
    pipeline = Pipeline()
    pipeline.add_component("memory", retriever)
    pipeline.add_component(
        "prompt", ChatPromptBuilder([ChatMessage.from_user(prompt)], required_variables=["query"])
    )
    pipeline.add_component("generator", MockChatGenerator(response_fn=answer))
    pipeline.add_component("writer", writer)
    pipeline.connect("memory.documents", "prompt.documents")
    pipeline.connect("prompt.prompt", "generator.messages")
    pipeline.connect("generator.replies", "writer.messages")
    return pipeline


def test_a_conversation_reads_and_writes_the_memory(memory_file: RomaineMemoryFile) -> None:
    retriever = remembering(memory_file)
    writer = RomaineMemoryWriter(memory_file, character="Cassian", chat="tavern")
    pipeline = conversation(retriever, writer)

    def run(user: str) -> dict[str, Any]:
        return pipeline.run(
            {
                "memory": {"query": QUESTION, "user": user},
                "prompt": {"query": QUESTION},
                "writer": {"user": user},
            },
            include_outputs_from={"generator", "memory"},
        )

    result = run("ana")
    assert f"Cassian: {KEY}" in result["generator"]["replies"][0].text
    assert result["writer"]["messages_written"] == 1
    assert run("ben")["memory"]["documents"] == []
    later = retriever.run("It is there", top_k=9, user="ana")["documents"]
    assert len(later) == 3
    assert any((document.content or "").startswith("It is there: ") for document in later)


def agent(retriever: RomaineMemoryRetriever) -> Agent:
    tool = ComponentTool(
        retriever,
        name="remember",
        description="Finds what was said.",
        inputs_from_state={"user": "user"},
        outputs_to_state={"documents": {"source": "documents"}},
    )
    assert "user" not in tool.parameters["properties"]  # the model cannot name another
    call = ChatMessage.from_assistant(tool_calls=[ToolCall("remember", {"query": QUESTION})])
    return Agent(
        chat_generator=MockChatGenerator([call, "Under the third step."]),
        tools=[tool],
        state_schema={"user": {"type": str}, "documents": {"type": list[Document]}},
    )


def test_an_agent_remembers_for_the_user_it_speaks_with(memory_file: RomaineMemoryFile) -> None:
    retriever = remembering(memory_file)
    result = agent(retriever).run([ChatMessage.from_user(QUESTION)], user="ana")
    assert [document.content for document in result["documents"]] == [KEY]
    assert result["last_message"].text == "Under the third step."
    other = agent(retriever).run([ChatMessage.from_user(QUESTION)], user="ben")
    assert not other.get("documents")


def test_an_agent_remembers_on_an_event_loop(memory_file: RomaineMemoryFile) -> None:
    made = agent(remembering(memory_file))
    result = asyncio.run(made.run_async([ChatMessage.from_user(QUESTION)], user="ana"))
    assert [document.content for document in result["documents"]] == [KEY]
