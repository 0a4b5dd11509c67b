"""The stores as LlamaIndex has them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import chromadb
import faiss
from contract import Found, Item, Kind, Place
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import ExactMatchFilter, MetadataFilters
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index.vector_stores.faiss import FaissMapVectorStore
from llama_index.vector_stores.milvus import MilvusVectorStore
from llama_index.vector_stores.postgres import PGVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from milvus_lite.server_manager import server_manager_instance
from qdrant_client import QdrantClient


class LlamaIndexStore:
    """What all of them have in common."""

    def __init__(self, store: Any, dim: int) -> None:
        self.store = store
        self.index = VectorStoreIndex.from_vector_store(store, embed_model=RomaineEmbedding(dim=dim))

    def add(self, items: Sequence[Item]) -> None:
        self.index.insert_nodes([node_of(item) for item in items])

    def replace(self, item: Item) -> None:
        self.delete([item.id])
        self.add([item])

    def delete(self, ids: Sequence[str]) -> None:
        self.index.delete_nodes(list(ids))

    def find(self, query: str, k: int, *, speaker: str | None = None) -> list[Found]:
        filters = (
            MetadataFilters(filters=[ExactMatchFilter(key="speaker", value=speaker)]) if speaker else None
        )
        hits = self.index.as_retriever(similarity_top_k=k, filters=filters).retrieve(query)
        return [
            Found(
                id=hit.node_id,
                text=hit.get_content(),
                speaker=hit.metadata["speaker"],
                score=float(hit.score),
            )
            for hit in hits
        ]


def node_of(item: Item) -> TextNode:
    # LlamaIndex embeds metadata with the text unless it is told not to
    return TextNode(
        id_=item.id,
        text=item.text,
        metadata={"speaker": item.speaker},
        excluded_embed_metadata_keys=["speaker"],
    )


class LlamaIndexChroma(LlamaIndexStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.client = chromadb.PersistentClient(str(place.folder / "chroma"))
        collection = self.client.get_or_create_collection(name, configuration={"hnsw": {"space": "cosine"}})
        super().__init__(ChromaVectorStore(chroma_collection=collection), dim)

    def close(self) -> None:
        self.client.close()


class LlamaIndexFaiss(LlamaIndexStore):
    """It keeps vectors alone, so that the index has to keep the texts."""

    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.folder = str(place.folder / "faiss" / name)
        embedding = RomaineEmbedding(dim=dim)
        if Path(self.folder).exists():
            self.store = FaissMapVectorStore.from_persist_dir(self.folder)
            context = StorageContext.from_defaults(vector_store=self.store, persist_dir=self.folder)
            self.index = load_index_from_storage(context, embed_model=embedding)
        else:
            self.store = FaissMapVectorStore(faiss.IndexIDMap2(faiss.IndexFlatIP(dim)))
            context = StorageContext.from_defaults(vector_store=self.store)
            self.index = VectorStoreIndex([], storage_context=context, embed_model=embedding)

    def delete(self, ids: Sequence[str]) -> None:
        self.index.delete_nodes(list(ids), delete_from_docstore=True)

    def close(self) -> None:
        self.index.storage_context.persist(self.folder)


class LlamaIndexQdrant(LlamaIndexStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.client = QdrantClient(path=str(place.folder / f"qdrant-{name}"))
        super().__init__(QdrantVectorStore(name, client=self.client), dim)

    def close(self) -> None:
        self.client.close()


class LlamaIndexMilvus(LlamaIndexStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.path = str(place.folder / "milvus.db")
        store = MilvusVectorStore(
            self.path,
            collection_name=name,
            dim=dim,
            similarity_metric="COSINE",
            use_async_client=False,
        )
        store.client.load_collection(name)  # Milvus-lite asks for it in each new process, the class does not
        super().__init__(store, dim)

    def close(self) -> None:
        self.store.client.close()
        server_manager_instance.release_server(self.path)


class LlamaIndexPostgres(LlamaIndexStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        store = PGVectorStore(
            place.postgres.replace("://", "+psycopg2://"),
            place.postgres.replace("://", "+asyncpg://"),
            table_name=f"llama_index_{name}",
            embed_dim=dim,
        )
        super().__init__(store, dim)

    def close(self) -> None:
        asyncio.run(self.store.close())


KINDS = {
    "chroma": Kind(open=LlamaIndexChroma, cosine=lambda score: 1 + math.log(score)),
    "faiss": Kind(open=LlamaIndexFaiss, cosine=lambda score: score, filters=False, replaces=False),
    "qdrant": Kind(open=LlamaIndexQdrant, cosine=lambda score: score),
    "milvus": Kind(open=LlamaIndexMilvus, cosine=lambda score: score),
    "pgvector": Kind(open=LlamaIndexPostgres, cosine=lambda score: score),
}
