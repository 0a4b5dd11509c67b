from __future__ import annotations

import asyncio

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base_sparse import BaseSparseEmbedding
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.sparse_embeddings.romaine import RomaineSparseEmbedding
from llama_index.vector_stores.qdrant import QdrantVectorStore
from pydantic import ValidationError
from qdrant_client import QdrantClient
from qdrant_client.models import Modifier, SparseVectorParams

from romaine import SparseEncoder

TEXTS = [
    "The silver key lies under the third step.",
    "The soup is leek again, and nobody complains.",
    "Keys and keys and more keys hang in the smithy.",
    "Brona keeps bees behind the mill.",
]


def test_it_gives_what_the_encoder_gives() -> None:
    words, encoder = RomaineSparseEmbedding(), SparseEncoder()
    assert isinstance(words, BaseSparseEmbedding)
    expected = [
        dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))
        for vector in encoder.encode_documents(TEXTS)
    ]
    assert words.get_text_embedding_batch(TEXTS) == expected
    assert asyncio.run(words.aget_text_embedding_batch(TEXTS)) == expected
    assert words.get_text_embedding(TEXTS[0]) == expected[0]
    query = encoder.encode_query("Where is the key?")
    assert words.get_query_embedding("Where is the key?") == dict.fromkeys(query.indices.tolist(), 1.0)
    assert asyncio.run(words.aget_query_embedding("the key")) == words.get_query_embedding("the key")
    assert asyncio.run(words.aget_text_embedding("")) == {}
    similarity = words.similarity(words.get_query_embedding("key"), expected[0])
    assert similarity > words.similarity(words.get_query_embedding("key"), expected[1]) == 0


def test_a_fitted_encoder_goes_along() -> None:
    fitted = RomaineSparseEmbedding(encoder=SparseEncoder().fit(TEXTS))
    rare, common = (min(fitted.get_query_embedding(word).values()) for word in ("soup", "key"))
    assert rare > common
    again = RomaineSparseEmbedding(**{k: v for k, v in fitted.model_dump().items() if k != "class_name"})
    assert again.get_query_embedding("soup") == fitted.get_query_embedding("soup")
    assert fitted.to_payload()["model_name"] == "romaine-bm25" if hasattr(fitted, "to_payload") else True
    with pytest.raises(ValidationError):
        RomaineSparseEmbedding(analyser="default")  # type: ignore[call-arg]


def test_qdrant_finds_by_words_and_meaning() -> None:
    words = RomaineSparseEmbedding()
    client = QdrantClient(location=":memory:")
    store = QdrantVectorStore(
        "turns",
        client=client,
        enable_hybrid=True,
        sparse_doc_fn=words.sparse_doc_fn,
        sparse_query_fn=words.sparse_query_fn,
        sparse_config=SparseVectorParams(modifier=Modifier.IDF),
    )
    index = VectorStoreIndex.from_documents(
        [Document(text=text) for text in TEXTS],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=RomaineEmbedding(dim=64),
    )

    def found(mode: str, question: str) -> list[str]:
        retriever = index.as_retriever(similarity_top_k=2, vector_store_query_mode=mode, sparse_top_k=2)
        return [node.text for node in retriever.retrieve(question)]

    assert found("sparse", "Which mills are there?") == [TEXTS[3]]  # by the stem
    assert found("sparse", "silver keys")[0] == TEXTS[0]
    assert TEXTS[0] in found("hybrid", "Where is the silver key?")
    client.close()
