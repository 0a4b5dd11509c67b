# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from haystack import Document
from haystack.components.retrievers import FilterRetriever
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.testing.document_store import DocumentStoreBaseTests
from haystack.testing.document_store_async import (
    CountDocumentsAsyncTest,
    DeleteDocumentsAsyncTest,
    FilterDocumentsAsyncTest,
    WriteDocumentsAsyncTest,
)
from romaine.errors import OptionError

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.document_stores.romaine import RomaineMemoryStore


@pytest.fixture
def document_store(memory_file: RomaineMemoryFile) -> RomaineMemoryStore:
    return RomaineMemoryStore(memory_file, user="ana")


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RomaineMemoryFile]:
    """One file for all tests of Haystack's suites: each is a user of its own."""
    file = RomaineMemoryFile(tmp_path_factory.mktemp("shared") / "memories.db")
    yield file
    file.close()


class TestByHaystacksSuite(DocumentStoreBaseTests):
    @pytest.fixture
    def document_store(
        self, shared_file: RomaineMemoryFile, request: pytest.FixtureRequest
    ) -> RomaineMemoryStore:
        return RomaineMemoryStore(shared_file, user=request.node.nodeid)

    def test_write_documents(self, document_store: RomaineMemoryStore) -> None:
        """The suite leaves open what the policy NONE does; here it fails, as in InMemoryDocumentStore."""
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


class TestByHaystacksAsyncSuites(
    CountDocumentsAsyncTest, WriteDocumentsAsyncTest, DeleteDocumentsAsyncTest, FilterDocumentsAsyncTest
):
    @pytest.fixture
    def document_store(
        self, shared_file: RomaineMemoryFile, request: pytest.FixtureRequest
    ) -> RomaineMemoryStore:
        return RomaineMemoryStore(shared_file, user=request.node.nodeid)

    @pytest.mark.asyncio
    async def test_write_documents_async(self, document_store: RomaineMemoryStore) -> None:
        """The suite leaves open what the policy NONE does; here it fails, as in InMemoryDocumentStore."""
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])
        self.assert_documents_are_equal(await document_store.filter_documents_async(), [document])


FULL = Document(
    id="not a UUID: \u00e4 / \ud83d\ude00 '; DROP TABLE memory",
    content="The key\x00 is \ud800 under the step.\r\n",
    blob=ByteStream(b"\x00\xff\x80", meta={"from": "scan"}, mime_type="image/png"),
    meta={"page": 7, "nested": {"list": [1, 2.5, None, "x"]}, "flag": True},
    score=0.1 + 0.2,
    embedding=[0.1, 1 / 3, -0.0, 1e-300],
    sparse_embedding=SparseEmbedding(indices=[3, 9], values=[0.5, 0.25]),
)


@pytest.mark.parametrize(
    "document",
    [
        FULL,
        Document(id="1", content=None),
        Document(id="2", content=""),
        Document(id="3", content=None, blob=ByteStream(b"", mime_type=None)),
        Document(id="4", content="x", embedding=[]),
    ],
)
def test_all_of_a_document_comes_back_from_the_disk(tmp_path: Path, document: Document) -> None:
    file = RomaineMemoryFile(tmp_path / "memories.db")
    RomaineMemoryStore(file, user="ana").write_documents([document])
    file.close()
    again = RomaineMemoryFile(tmp_path / "memories.db")
    assert RomaineMemoryStore(again, user="ana").filter_documents() == [document]
    again.close()


def test_no_field_of_a_document_is_forgotten() -> None:
    known = {"id", "content", "blob", "meta", "score", "embedding", "sparse_embedding"}
    assert {field.name for field in fields(Document)} == known
    assert all(getattr(FULL, name) is not None for name in known)


def test_tuples_come_back_as_lists(document_store: RomaineMemoryStore) -> None:
    document_store.write_documents([Document(content="x", meta={"range": (0, 5)})])
    assert document_store.filter_documents()[0].meta == {"range": [0, 5]}


@pytest.mark.parametrize("meta", [{"when": object()}, {"share": float("nan")}, {"_haystack": {}}])
def test_a_meta_that_cannot_be_kept_is_refused_before_anything_is_written(
    document_store: RomaineMemoryStore, meta: dict[str, object]
) -> None:
    with pytest.raises(OptionError, match="meta"):
        document_store.write_documents([Document(content="good"), Document(content="bad", meta=meta)])
    assert document_store.count_documents() == 0


def test_near_doubles_are_documents_of_their_own(document_store: RomaineMemoryStore) -> None:
    twins = [Document(content="Leek soup again.", meta={"page": page}) for page in range(5)]
    assert document_store.write_documents(twins) == 5
    assert document_store.filter_documents() == twins


def test_overwriting_keeps_the_place_and_the_memory(
    document_store: RomaineMemoryStore, documents: list[Document]
) -> None:
    document_store.write_documents(documents)
    memory, scope = document_store.memory_file.open(), document_store.scope
    before = [found.id for found in memory.list(scope)]
    changed = replace(documents[0], content="The key is in the well.", meta={})
    assert document_store.write_documents([changed], DuplicatePolicy.OVERWRITE) == 1
    assert document_store.filter_documents() == [changed, *documents[1:]]
    assert [found.id for found in memory.list(scope)] == before
    assert memory.recall("Where is the key?", scope)[0].memory.text == "The key is in the well."


def test_failing_writes_nothing(document_store: RomaineMemoryStore, documents: list[Document]) -> None:
    document_store.write_documents(documents[:1])
    with pytest.raises(DuplicateDocumentError, match=documents[0].id):
        document_store.write_documents([documents[1], documents[0]])
    with pytest.raises(DuplicateDocumentError):
        document_store.write_documents([documents[2], documents[2]])
    assert document_store.count_documents() == 1
    assert document_store.write_documents(documents, DuplicatePolicy.SKIP) == 2


def test_deleted_text_is_gone_from_the_file(
    document_store: RomaineMemoryStore, documents: list[Document], tmp_path: Path
) -> None:
    document_store.write_documents(documents)
    document_store.delete_documents([documents[0].id, "nobody"])
    assert document_store.filter_documents() == documents[1:]
    document_store.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"silver key" not in held
    assert b"Leek soup" in held


@pytest.mark.parametrize("wrong", [None, "1", 1, [1]])
def test_what_is_no_list_of_ids_deletes_nothing(
    document_store: RomaineMemoryStore, documents: list[Document], wrong: object
) -> None:
    document_store.write_documents([*documents, Document(id="1", content="One.")])
    with pytest.raises(OptionError, match="document_ids"):
        document_store.delete_documents(wrong)  # type: ignore[arg-type]
    document_store.delete_documents([])
    assert document_store.count_documents() == len(documents) + 1


def test_a_scope_has_its_own_documents(memory_file: RomaineMemoryFile, documents: list[Document]) -> None:
    stores = [
        RomaineMemoryStore(memory_file, user=user, character=character, chat=chat)
        for user in ("ana", "ben")
        for character in (None, "Cassian")
        for chat in (None, "tavern")
    ]
    for number, store in enumerate(stores):
        store.write_documents([replace(documents[0], content=f"The key is in chest {number}.")])
    for number, store in enumerate(stores):
        assert [found.content for found in store.filter_documents()] == [f"The key is in chest {number}."]
    stores[0].delete_documents([documents[0].id])
    assert [store.count_documents() for store in stores] == [0] + [1] * 7


def test_what_is_no_document_is_left_alone(document_store: RomaineMemoryStore) -> None:
    memory, scope = document_store.memory_file.open(), document_store.scope
    memory.add_lore(scope, "Dragons sleep in winter.", source_id="1")
    document_store.write_documents([Document(id="1", content="Dragons sleep in summer.")])
    assert document_store.count_documents() == 1
    document_store.delete_documents(["1"])
    assert [found.text for found in memory.list(scope)] == ["Dragons sleep in winter."]


@pytest.mark.parametrize("user", ["", None, 7])
def test_there_is_no_store_without_a_user(memory_file: RomaineMemoryFile, user: object) -> None:
    with pytest.raises(OptionError, match="user"):
        RomaineMemoryStore(memory_file, user=user)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="no user"):
        RomaineMemoryStore(memory_file)


def test_haystacks_own_components_take_it(
    document_store: RomaineMemoryStore, documents: list[Document]
) -> None:
    assert DocumentWriter(document_store).run(documents=documents) == {"documents_written": 3}
    found = FilterRetriever(document_store).run({"field": "meta.page", "operator": ">", "value": 1})
    assert found == {"documents": documents[1:]}


def test_threads_write_each_id_once(document_store: RomaineMemoryStore) -> None:
    async def write() -> list[int]:
        calls = (
            document_store.write_documents_async([Document(id="one", content="x")], DuplicatePolicy.SKIP)
            for _ in range(16)
        )
        return await asyncio.gather(*calls)

    assert sorted(asyncio.run(write())) == [0] * 15 + [1]
    assert document_store.count_documents() == 1


@pytest.fixture
def store_in_memory() -> Iterator[RomaineMemoryStore]:
    store = RomaineMemoryStore(":memory:", user="ana")
    yield store
    store.close()


def test_a_store_may_be_in_memory(store_in_memory: RomaineMemoryStore, documents: list[Document]) -> None:
    store_in_memory.write_documents(documents)
    assert store_in_memory.filter_documents() == documents
