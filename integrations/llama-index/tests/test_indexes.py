from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.schema import TextNode
from llama_index.core.storage import StorageContext
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import AsyncQdrantClient, QdrantClient

from romaine import Embedder, slice_dim

TEXTS = [
    "I left the silver key under the third step.",
    "The soup is leek again, and nobody complains.",
    "The harbour master owes me forty gold pieces.",
    "A storm took the roof of the chapel last winter.",
    "Ana taught the raven to count to seven.",
    "We bought two horses and sold them at a loss.",
]
QUESTION = "Where did you hide the key?"
DIMS = (64, 256, 384)
StoreOf = Callable[[int], Any]


def simple(dim: int) -> SimpleVectorStore:
    return SimpleVectorStore()


def qdrant(dim: int) -> QdrantVectorStore:
    return QdrantVectorStore("turns", client=QdrantClient(":memory:"))


def flat_faiss(dim: int) -> FaissVectorStore:
    return FaissVectorStore(faiss_index=faiss.IndexFlatIP(dim))


def nodes() -> list[TextNode]:
    return [TextNode(id_=f"0000000{n}-0000-4000-8000-000000000000", text=t) for n, t in enumerate(TEXTS)]


def expected_order(dim: int) -> list[str]:
    """By the cosine of slices of the full vectors: the first stage of romaine's own search."""
    embedder = Embedder()
    documents = slice_dim(embedder.embed_documents(TEXTS), dim)
    scores = documents @ slice_dim(embedder.embed_query(QUESTION), dim)
    return [TEXTS[i] for i in np.argsort(-scores)]


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("store_of", [simple, qdrant, flat_faiss])
def test_an_index_ranks_as_the_slices_do(store_of: StoreOf, dim: int) -> None:
    embedding = RomaineEmbedding(dim=dim)
    context = StorageContext.from_defaults(vector_store=store_of(dim))
    index = VectorStoreIndex(nodes(), storage_context=context, embed_model=embedding)
    found = index.as_retriever(similarity_top_k=len(TEXTS)).retrieve(QUESTION)
    assert [hit.get_content() for hit in found] == expected_order(dim)
    assert found[0].get_content() == TEXTS[0]


def test_async_qdrant() -> None:
    async def find() -> list[str]:
        client = AsyncQdrantClient(":memory:")
        context = StorageContext.from_defaults(vector_store=QdrantVectorStore("turns", aclient=client))
        index = VectorStoreIndex(
            [], storage_context=context, embed_model=RomaineEmbedding(dim=64), use_async=True
        )
        await index.ainsert_nodes(nodes())
        found = await index.as_retriever(similarity_top_k=len(TEXTS)).aretrieve(QUESTION)
        await client.close()
        return [hit.get_content() for hit in found]

    assert asyncio.run(find()) == expected_order(64)


def pipeline(embedding: RomaineEmbedding, cache: IngestionCache | None = None) -> IngestionPipeline:
    splitter = TokenTextSplitter(chunk_size=24, chunk_overlap=0)
    return IngestionPipeline(transformations=[splitter, embedding], cache=cache or IngestionCache())


def documents() -> list[Document]:
    return [
        Document(text=" ".join(TEXTS[:3]), doc_id="first"),
        Document(text=" ".join(TEXTS[3:]), doc_id="second"),
    ]


def vectors_of(ran: Any) -> dict[str, list[float]]:
    return {node.get_content(): node.embedding for node in ran}


def test_a_pipeline_splits_and_embeds() -> None:
    ran = vectors_of(pipeline(RomaineEmbedding(dim=64)).run(documents=documents()))
    assert len(ran) > len(documents())
    embedder = Embedder(dim=64)
    assert list(ran.values()) == embedder.embed_documents(list(ran)).tolist()
    assert vectors_of(asyncio.run(pipeline(RomaineEmbedding(dim=64)).arun(documents=documents()))) == ran


def test_a_pipelines_cache_knows_the_settings() -> None:
    cache = IngestionCache()
    pipeline(RomaineEmbedding(dim=64), cache).run(documents=documents())
    entries = len(cache.cache.get_all(cache.collection))
    pipeline(RomaineEmbedding(dim=64), cache).run(documents=documents())
    assert len(cache.cache.get_all(cache.collection)) == entries  # both steps were found
    wider = pipeline(RomaineEmbedding(dim=128), cache).run(documents=documents())
    assert {len(node.embedding or []) for node in wider} == {128}
    assert len(cache.cache.get_all(cache.collection)) == entries + 1


def test_a_pipeline_over_processes_gives_the_same() -> None:
    embedding = RomaineEmbedding(dim=64, embeddings_cache=SimpleKVStore()).warm_up()
    alone = vectors_of(pipeline(RomaineEmbedding(dim=64)).run(documents=documents()))
    together = vectors_of(pipeline(embedding).run(documents=documents(), num_workers=2))
    assert together == alone
