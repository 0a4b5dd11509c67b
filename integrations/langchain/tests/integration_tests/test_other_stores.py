"""LangChain's vector stores on slices rank as the first stage of romaine's own search does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from langchain_romaine import RomaineEmbeddings

from romaine import Embedder
from romaine.arrays import top_k
from romaine.memory.index import VectorIndex

QUERIES = ("Where is the silver key?", "Who repaired the violin?", "What was sold at the market?", "honey")
TIE = 1e-5  # cosines closer than this may come in any order

Fill = Callable[[list[str], RomaineEmbeddings], AbstractContextManager[VectorStore]]


@contextmanager
def in_memory(texts: list[str], embeddings: RomaineEmbeddings) -> Iterator[VectorStore]:
    yield InMemoryVectorStore.from_texts(texts, embeddings)


@contextmanager
def qdrant(texts: list[str], embeddings: RomaineEmbeddings) -> Iterator[VectorStore]:
    from langchain_qdrant import QdrantVectorStore

    store = QdrantVectorStore.from_texts(texts, embeddings, location=":memory:", collection_name="turns")
    yield store
    store.client.close()


@contextmanager
def faiss(texts: list[str], embeddings: RomaineEmbeddings) -> Iterator[VectorStore]:
    from langchain_community.vectorstores import FAISS

    yield FAISS.from_texts(texts, embeddings)


@pytest.mark.parametrize("dim", [64, 256, None])
@pytest.mark.parametrize("fill", [in_memory, qdrant, faiss])
def test_a_store_of_slices_ranks_as_our_first_stage(fill: Fill, dim: int | None, texts: list[str]) -> None:
    full = Embedder()
    index = VectorIndex(full_dim=full.full_dim, dim=dim or full.full_dim)
    index.add(full.embed_documents(texts))
    with fill(texts, RomaineEmbeddings(dim=dim)) as store:
        for query in QUERIES:
            cosines = index.scan(full.embed_query(query))
            found = store.similarity_search(query, k=len(texts))
            rows = [texts.index(document.page_content) for document in found]
            assert sorted(rows) == list(range(len(texts)))
            np.testing.assert_allclose(cosines[rows], cosines[top_k(cosines, len(texts))], atol=TIE)


@pytest.mark.parametrize("fill", [in_memory, qdrant, faiss])
async def test_stores_search_off_the_event_loop_too(fill: Fill, texts: list[str]) -> None:
    with fill(texts, RomaineEmbeddings(dim=64)) as store:
        alone = store.similarity_search(QUERIES[0], k=5)
        assert await store.asimilarity_search(QUERIES[0], k=5) == alone


QUERY, THREE = "Where is the key?", ["I left the silver key under the third step.", "Leek soup.", "Bees."]


def test_faiss_gives_a_relevance_with_the_function_that_the_page_names() -> None:
    from langchain_community.vectorstores import FAISS

    embeddings = RomaineEmbeddings(dim=64)
    store = FAISS.from_texts(THREE, embeddings, relevance_score_fn=lambda squared: 1 - squared / 4)
    _assert_relevance(store, embeddings)


def test_qdrant_gives_a_relevance_as_it_is() -> None:
    embeddings = RomaineEmbeddings(dim=64)
    with qdrant(THREE, embeddings) as store:
        _assert_relevance(store, embeddings)


def test_milvus_gives_a_relevance_as_it_is(tmp_path: Path) -> None:
    from langchain_milvus import Milvus

    embeddings = RomaineEmbeddings(dim=64)
    uri = {"uri": str(tmp_path / "milvus.db")}
    _assert_relevance(Milvus.from_texts(THREE, embeddings, connection_args=uri), embeddings)


def _assert_relevance(store: VectorStore, embeddings: RomaineEmbeddings) -> None:
    """From 0 for opposite to 1 for the same, which is what a threshold is compared with."""
    cosines = dict(
        zip(THREE, np.array(embeddings.embed_documents(THREE)) @ embeddings.embed_query(QUERY), strict=True)
    )
    found = store.similarity_search_with_relevance_scores(QUERY, k=3)
    assert len(found) == 3
    for document, relevance in found:
        assert relevance == pytest.approx((1 + cosines[document.page_content]) / 2, abs=1e-4)
    options = {"k": 3, "score_threshold": float(found[0][1] + found[1][1]) / 2}
    retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs=options)
    assert [document.page_content for document in retriever.invoke(QUERY)] == [THREE[0]]


def test_retrievers_of_stores_come_for_free(texts: list[str]) -> None:
    retriever = InMemoryVectorStore.from_texts(texts, RomaineEmbeddings(dim=64)).as_retriever(
        search_kwargs={"k": 3}
    )
    assert all("violin" in document.page_content for document in retriever.invoke("violin"))
