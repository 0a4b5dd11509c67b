"""`RomaineSparseEmbedding`: BM25 terms of romaine's analyzer, for stores that search by words and meaning."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.base.embeddings.base_sparse import BaseSparseEmbedding, SparseEmbedding
from llama_index.core.bridge.pydantic import ConfigDict, Field, field_serializer, field_validator

from romaine.memory import SparseEncoder, SparseVector


class RomaineSparseEmbedding(BaseSparseEmbedding):
    """The words of a text as the memory finds them: stems of many languages, weighed as BM25 weighs them.

    Stores that know how rare a word is, as Qdrant with `Modifier.IDF`, weigh queries by that themselves. For
    others give `encoder=SparseEncoder().fit(texts)`.

    Examples:
        `pip install llama-index-embeddings-romaine llama-index-vector-stores-qdrant`

        ```python
        from llama_index.sparse_embeddings.romaine import RomaineSparseEmbedding
        from llama_index.vector_stores.qdrant import QdrantVectorStore
        from qdrant_client.models import Modifier, SparseVectorParams

        words = RomaineSparseEmbedding()
        store = QdrantVectorStore(
            "turns",
            client=client,
            enable_hybrid=True,
            sparse_doc_fn=words.sparse_doc_fn,
            sparse_query_fn=words.sparse_query_fn,
            sparse_config=SparseVectorParams(modifier=Modifier.IDF),
        )
        ```
    """

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", protected_namespaces=("pydantic_model_",)
    )

    model_name: str = Field(default="romaine-bm25", description="For logs.")
    encoder: SparseEncoder = Field(
        default_factory=SparseEncoder, description="Finds the words and weighs them."
    )

    @field_validator("encoder", mode="before")
    @classmethod
    def _from_dict(cls, encoder: object) -> object:
        return SparseEncoder.from_dict(encoder) if isinstance(encoder, dict) else encoder

    @field_serializer("encoder")
    def _to_dict(self, encoder: SparseEncoder) -> dict[str, Any]:
        return encoder.to_dict()

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised components."""
        return "RomaineSparseEmbedding"

    def sparse_doc_fn(self, texts: list[str]) -> tuple[list[list[int]], list[list[float]]]:
        """Indices and weights of texts that are to be found, as `QdrantVectorStore` asks for them."""
        return _columns(self.encoder.encode_documents(texts))

    def sparse_query_fn(self, texts: list[str]) -> tuple[list[list[int]], list[list[float]]]:
        """Indices and weights of texts that search."""
        return _columns([self.encoder.encode_query(text) for text in texts])

    def _get_query_embedding(self, query: str) -> SparseEmbedding:
        return _as_dict(self.encoder.encode_query(query))

    def _get_text_embedding(self, text: str) -> SparseEmbedding:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[SparseEmbedding]:
        return [_as_dict(vector) for vector in self.encoder.encode_documents(texts)]

    async def _aget_query_embedding(self, query: str) -> SparseEmbedding:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> SparseEmbedding:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[SparseEmbedding]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)


def _as_dict(vector: SparseVector) -> SparseEmbedding:
    return dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))


def _columns(vectors: list[SparseVector]) -> tuple[list[list[int]], list[list[float]]]:
    return [vector.indices.tolist() for vector in vectors], [vector.values.tolist() for vector in vectors]
