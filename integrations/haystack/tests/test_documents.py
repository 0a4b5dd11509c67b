# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""A Document is one thing: in the store and among what is recalled it has one id, one meta, one filter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from haystack import Document
from haystack.dataclasses import ByteStream, ChatMessage
from haystack.document_stores.types import DuplicatePolicy
from romaine import Memory, Scope, Turn
from romaine.errors import OptionError
from romaine.memory import Kind

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore

QUESTION = "Where is the key?"
KEY = Document(
    id="doc-1",
    content="The silver key is under the third step.",
    meta={"page": 7, "speaker": "Cassian", "nested": {"shelf": 2}},
    embedding=[0.25, 0.5],
)
SOUP = Document(
    id="doc-2", content="Leek soup needs an hour on a low fire.", meta={"page": 8, "user": "cook"}
)


@pytest.fixture
def store(memory_file: RomaineMemoryFile) -> RomaineMemoryStore:
    store = RomaineMemoryStore(memory_file, user="ana")
    store.write_documents([KEY, SOUP])
    return store


@pytest.fixture
def retriever(memory_file: RomaineMemoryFile) -> RomaineMemoryRetriever:
    return RomaineMemoryRetriever(memory_file, user="ana")


def test_a_document_is_found_as_it_was_written(
    store: RomaineMemoryStore, retriever: RomaineMemoryRetriever
) -> None:
    found = retriever.run(QUESTION)["documents"]
    assert [document.id for document in found] == ["doc-1", "doc-2"]
    for document, written in zip(found, [KEY, SOUP], strict=True):
        assert document.content == written.content
        assert document.embedding == written.embedding
        assert {name: document.meta[name] for name in written.meta} == written.meta
        assert document.meta["kind"] == "lore"
        assert "source_id" not in document.meta
        assert "metadata" not in document.meta
        assert 0 <= (document.score or 0) <= 1
        assert sum(document.meta["parts"].values()) == pytest.approx(document.meta["score"])
        memory = store.memory_file.open().get(store.scope, document.meta["memory_id"])
        assert memory.text == written.content


def test_deleting_by_the_found_id_deletes_it(
    store: RomaineMemoryStore, retriever: RomaineMemoryRetriever
) -> None:
    store.delete_documents([retriever.run(QUESTION, top_k=1)["documents"][0].id])
    assert store.filter_documents() == [SOUP]
    assert [document.id for document in retriever.run(QUESTION)["documents"]] == ["doc-2"]


def test_written_by_the_writer_it_is_the_same(memory_file: RomaineMemoryFile) -> None:
    RomaineMemoryWriter(memory_file, user="ana").run(documents=[KEY])
    (found,) = RomaineMemoryRetriever(memory_file, user="ana").run(QUESTION)["documents"]
    assert (found.id, found.meta["page"], found.meta["speaker"]) == ("doc-1", 7, "Cassian")


def test_a_found_document_is_changed_and_written_again(
    store: RomaineMemoryStore, retriever: RomaineMemoryRetriever
) -> None:
    (found,) = retriever.run(QUESTION, top_k=1)["documents"]
    store.write_documents([found], DuplicatePolicy.OVERWRITE)
    assert store.filter_documents() == [KEY, SOUP]
    changed = replace(found, meta={**found.meta, "page": 9, "read": True})
    store.write_documents([changed], DuplicatePolicy.OVERWRITE)
    assert store.filter_documents() == [replace(KEY, meta={**KEY.meta, "page": 9, "read": True}), SOUP]
    (again,) = retriever.run(QUESTION, top_k=1)["documents"]
    assert again.meta["read"] is True
    assert again.meta["score"] == pytest.approx(found.meta["score"])


def test_content_and_blob_come_back(memory_file: RomaineMemoryFile) -> None:
    scan = Document(id="scan", blob=ByteStream(b"\x00\xff", mime_type="image/png"), meta={"page": 1})
    RomaineMemoryStore(memory_file, user="ana").write_documents([scan])
    (found,) = RomaineMemoryRetriever(memory_file, user="ana").run("a scan")["documents"]
    assert (found.id, found.content, found.blob) == ("scan", None, scan.blob)


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({"field": "meta.page", "operator": ">=", "value": 8}, ["doc-2"]),
        ({"field": "meta.speaker", "operator": "==", "value": "Cassian"}, ["doc-1"]),
        ({"field": "meta.user", "operator": "==", "value": "cook"}, ["doc-2"]),
        ({"field": "meta.user", "operator": "==", "value": "ana"}, ["doc-1"]),
        ({"field": "meta.nested.shelf", "operator": "==", "value": 2}, ["doc-1"]),
        ({"field": "meta.kind", "operator": "==", "value": "lore"}, ["doc-1", "doc-2"]),
        ({"field": "meta.created_at", "operator": ">", "value": "2020-01-01"}, ["doc-1", "doc-2"]),
        ({"field": "id", "operator": "in", "value": ["doc-1"]}, ["doc-1"]),
        ({"field": "content", "operator": "==", "value": SOUP.content}, ["doc-2"]),
        ({"field": "meta.read", "operator": "==", "value": True}, []),
    ],
)  # fmt: skip
def test_store_and_retriever_have_one_filter_language(
    store: RomaineMemoryStore,
    retriever: RomaineMemoryRetriever,
    filters: dict[str, Any],
    ids: list[str],
) -> None:
    assert [document.id for document in store.filter_documents(filters)] == ids
    assert sorted(document.id for document in retriever.run(QUESTION, filters)["documents"]) == ids


def test_turns_filter_by_the_same_names(memory_file: RomaineMemoryFile) -> None:
    said = ChatMessage.from_user("I hid the key.", name="Cassian", meta={"page": 7, "kind": "whisper"})
    writer = RomaineMemoryWriter(memory_file, user="ana", meta_fields_to_keep=["page", "kind"])
    writer.run([said], [KEY])
    by = {"field": "meta.speaker", "operator": "==", "value": "Cassian"}
    on = {"field": "meta.page", "operator": "==", "value": 7}
    for filters in (by, on, {"operator": "AND", "conditions": [by, on]}):
        found = RomaineMemoryRetriever(memory_file, user="ana").run(QUESTION, filters)["documents"]
        # of a turn, what the memory knows comes before what was kept with it
        assert {document.meta["kind"] for document in found} == {"turn", "lore"}


def test_documents_of_older_versions_are_the_same(memory_file: RomaineMemoryFile) -> None:
    """As 0.1.0 stored them before its retriever knew of Documents."""
    scope = Scope(user="ana")
    memory_file.open().add_notes(
        [
            Memory(
                scope=scope,
                kind=Kind.LORE,
                text="The silver key is under the third step.",
                source_id="haystack:doc-1",
                metadata={"page": 7, "_haystack": {"embedding": "AAAAAAAA0D8AAAAAAADgPw=="}},
            )
        ],
        keep_twins=True,
    )
    written = replace(KEY, meta={"page": 7})
    assert RomaineMemoryStore(memory_file, user="ana").filter_documents() == [written]
    (found,) = RomaineMemoryRetriever(memory_file, user="ana").run(QUESTION)["documents"]
    assert (found.id, found.meta["page"], found.embedding) == ("doc-1", 7, [0.25, 0.5])
    assert "_haystack" not in found.meta


def test_a_turn_is_no_document_whatever_its_source_says(memory_file: RomaineMemoryFile) -> None:
    turn = Turn("The key is here.", speaker="Ana", role="user", source_id="haystack:doc-1")
    memory_file.open().add_turns(Scope(user="ana"), [turn])
    (found,) = RomaineMemoryRetriever(memory_file, user="ana").run(QUESTION)["documents"]
    assert (found.meta["kind"], found.meta["source_id"]) == ("turn", "haystack:doc-1")
    assert found.id != "doc-1"
    assert RomaineMemoryStore(memory_file, user="ana").filter_documents() == []


def test_names_of_the_retrievers_own_are_refused(store: RomaineMemoryStore) -> None:
    with pytest.raises(OptionError, match="_romaine"):
        store.write_documents([Document(content="x", meta={"_romaine": "mine"})])
