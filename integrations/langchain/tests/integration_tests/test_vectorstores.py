"""`RomaineVectorStore`: documents beside what was said. LangChain's own suite is in test_standard."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever, RomaineVectorStore

from romaine import RoleplayMemory, Scope
from romaine.errors import OptionError, VectorError
from tests.heartbeat import LIMIT, shortest_of

TEXTS = [
    "The silver key is under the third step.",
    "The soup is leek again.",
    "Brona keeps bees behind the mill.",
    "The golden key is in the well.",
]
METADATAS: list[dict[str, Any]] = [{"page": page, "kind": "note"} for page in range(1, 5)]


@pytest.fixture
def store(memory: RoleplayMemory) -> RomaineVectorStore:
    store = RomaineVectorStore(memory, user="ana")
    store.add_texts(TEXTS, METADATAS, ids=["1", "2", "3", "4"])
    return store


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_documents_are_there_when_the_file_is_opened_again(
    tmp_path: Path, embeddings: RomaineEmbeddings
) -> None:
    with RoleplayMemory(tmp_path / "m.db", embedder=embeddings.embedder) as memory:
        store = RomaineVectorStore.from_texts(TEXTS, embeddings, METADATAS, memory=memory, user="ana")
        found = store.similarity_search("Where is the silver key?", k=1)
    with RoleplayMemory(tmp_path / "m.db", embedder=embeddings.embedder) as memory:
        again = RomaineVectorStore(memory, user="ana")
        assert again.similarity_search("Where is the silver key?", k=1) == found
        assert found[0].metadata == METADATAS[0]
        again.delete([str(found[0].id)])
        assert again.similarity_search("Where is the silver key?", k=1) != found


def test_scores_are_confidences_from_0_to_1(store: RomaineVectorStore) -> None:
    found = store.similarity_search_with_relevance_scores("Where is the silver key?", k=4)
    assert found == store.similarity_search_with_score("Where is the silver key?", k=4)
    scores = [score for _, score in found]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    between = (scores[0] + scores[1]) / 2
    options = {"k": 4, "score_threshold": between}
    retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs=options)
    assert ids(retriever.invoke("Where is the silver key?")) == ["1"]


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (None, {"1", "2", "3", "4"}),
        ({}, {"1", "2", "3", "4"}),
        ({"page": 3}, {"3"}),
        ({"page": {"$gte": 2, "$lt": 4}, "kind": "note"}, {"2", "3"}),
        ({"page": {"$in": [1, 4]}}, {"1", "4"}),
        (lambda document: "key" in document.page_content, {"1", "4"}),
        (lambda document: document.metadata["page"] > 2 and document.id != "4", {"3"}),
        ({"missing": 1}, set()),
    ],
)
def test_filters(store: RomaineVectorStore, accepted: Any, expected: set[str]) -> None:
    assert set(ids(store.similarity_search("key", k=10, filter=accepted))) == expected
    retriever = store.as_retriever(search_kwargs={"k": 10, "filter": accepted})
    assert set(ids(retriever.invoke("key"))) == expected


def test_the_same_text_may_stand_under_many_ids(store: RomaineVectorStore) -> None:
    store.add_texts([TEXTS[0]] * 3, ids=["a", "b", "c"])
    assert set(ids(store.similarity_search(TEXTS[0], k=4))) == {"1", "a", "b", "c"}
    assert len(store.similarity_search(TEXTS[0], k=2)) == 2


def test_marginal_relevance_takes_what_differs(store: RomaineVectorStore) -> None:
    store.add_texts(["The silver key is under the third step of the stairs."], ids=["5"])
    query = "Where is the silver key?"
    assert set(ids(store.similarity_search(query, k=2))) == {"1", "5"}
    different = store.max_marginal_relevance_search(query, k=2, lambda_mult=0.3)
    assert different[0].id in {"1", "5"}
    assert different[1].id not in {"1", "5"}
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 2, "lambda_mult": 1.0})
    assert set(ids(retriever.invoke(query))) == {"1", "5"}
    assert store.max_marginal_relevance_search(query, filter={"page": 9}) == []


def test_search_by_a_vector(store: RomaineVectorStore) -> None:
    full = RomaineEmbeddings()
    vector = full.embed_query("Who keeps bees?")
    assert ids(store.similarity_search_by_vector(vector, k=1)) == ["3"]
    assert ids(store.similarity_search_by_vector(vector, k=1, filter={"page": 2})) == ["2"]
    with pytest.raises(VectorError, match="dim=None"):
        store.similarity_search_by_vector(vector[:64])


def test_documents_and_what_was_said_are_one_memory(cassian: RoleplayMemory) -> None:
    """One id and one metadata in the store and in the retriever; the store finds documents alone."""
    store = RomaineVectorStore(cassian, user="ana", character="Cassian")
    store.add_documents([Document("The silver key opens the cellar.", metadata={"page": 3}, id="cellar")])
    assert ids(store.similarity_search("Where is the silver key?")) == ["cellar"]
    retriever = RomaineMemoryRetriever(memory=cassian, user="ana", character="Cassian", k=2)
    found = {document.id: document for document in retriever.invoke("What does the silver key open?")}
    assert len(found) == 2
    assert found["cellar"].metadata["page"] == 3
    assert found["cellar"].metadata["kind"] == "lore"
    store.delete(["cellar"])
    assert "cellar" not in ids(retriever.invoke("What does the silver key open?"))


def test_a_store_is_of_one_scope(memory: RoleplayMemory) -> None:
    stores = {
        scope: RomaineVectorStore(memory, scope=scope)
        for scope in (
            Scope(user="ana"),
            Scope(user="ben"),
            Scope(user="ana", character="Cassian"),
            Scope(user="ana", character="Cassian", chat="tavern"),
        )
    }
    for scope, store in stores.items():
        store.add_texts([f"The key of {scope}."], ids=["1"])
    for scope, store in stores.items():
        assert [d.page_content for d in store.similarity_search("key")] == [f"The key of {scope}."]
        assert [d.page_content for d in store.get_by_ids(["1"])] == [f"The key of {scope}."]
    stores[Scope(user="ana", character="Cassian")].delete(["1"])
    assert [len(store.get_by_ids(["1"])) for store in stores.values()] == [1, 1, 0, 1]


async def test_async_equals_sync(store: RomaineVectorStore) -> None:
    query = "Where is the silver key?"
    assert await store.asimilarity_search(query) == store.similarity_search(query)
    assert await store.asimilarity_search_with_score(query) == store.similarity_search_with_score(query)
    assert await store.amax_marginal_relevance_search(query) == store.max_marginal_relevance_search(query)
    assert await store.aget_by_ids(["2", "1", "x"]) == store.get_by_ids(["2", "1", "x"])
    assert ids(store.get_by_ids(["2", "1", "x"])) == ["2", "1"]
    assert await store.adelete(["1"])
    assert store.get_by_ids(["1"]) == []


async def test_an_event_loop_is_never_blocked(store: RomaineVectorStore, texts: list[str]) -> None:
    await store.aadd_texts(texts)

    async def several() -> None:
        await asyncio.gather(*(store.asimilarity_search(text) for text in texts[:32]))

    assert await shortest_of(5, several) <= LIMIT


def test_what_beginners_write_is_answered(store: RomaineVectorStore, memory: RoleplayMemory) -> None:
    for options, message in (
        ({"top_k": 3}, "Did you mean k="),
        ({"where": None}, "Did you mean filter="),
        ({"namespace": "ben"}, "the scope is the store's own"),
        ({"scope": Scope(user="ben")}, "the scope is the store's own"),
        ({"pages": 3}, "no option pages=. It takes k, filter"),
        ({"filter": {"page": {"$regex": "x"}}}, "unknown operator"),
    ):
        with pytest.raises(OptionError, match=message):
            store.similarity_search("key", **dict[str, Any](options))
    with pytest.raises(OptionError, match="ids=None is not allowed"):
        store.delete()
    with pytest.raises(OptionError, match="2 texts and 1 ids"):
        store.add_texts(["a", "b"], ids=["1"])
    with pytest.raises(OptionError, match="what JSON can hold"):
        store.add_texts(["a"], [{"page": object()}])
    with pytest.raises(OptionError, match=r"memory=RoleplayMemory\('x\.db'\)"):
        RomaineVectorStore("x.db", user="ana")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="no user"):
        RomaineVectorStore(memory)
    with pytest.raises(OptionError, match=r"must be a romaine\.RoleplayMemory"):
        RomaineVectorStore.from_texts(["a"], RomaineEmbeddings())
    with pytest.raises(OptionError, match="is not that of the memory"):
        RomaineVectorStore.from_texts(["a"], DeterministicFakeEmbedding(size=6), memory=memory, user="ana")
