"""The stores as Haystack has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contract import Found, Item, Kind, Place
from haystack import Document
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret
from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder
from haystack_integrations.components.retrievers.chroma import ChromaEmbeddingRetriever
from haystack_integrations.components.retrievers.faiss import FAISSEmbeddingRetriever
from haystack_integrations.components.retrievers.pgvector import PgvectorEmbeddingRetriever
from haystack_integrations.components.retrievers.qdrant import QdrantEmbeddingRetriever
from haystack_integrations.document_stores.chroma import ChromaDocumentStore
from haystack_integrations.document_stores.faiss import FAISSDocumentStore
from haystack_integrations.document_stores.pgvector import PgvectorDocumentStore
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore
from milvus_haystack import MilvusDocumentStore, MilvusEmbeddingRetriever
from milvus_lite.server_manager import server_manager_instance


class HaystackStore:
    """What all of them have in common."""

    def __init__(self, store: Any, retriever: type, dim: int) -> None:
        self.store = store
        self.retriever = retriever(document_store=store)
        self.documents = RomaineDocumentEmbedder(dim=dim)
        self.queries = RomaineTextEmbedder(dim=dim)

    def add(self, items: Sequence[Item]) -> None:
        self.write(items, DuplicatePolicy.FAIL)

    def replace(self, item: Item) -> None:
        self.write([item], DuplicatePolicy.OVERWRITE)

    def write(self, items: Sequence[Item], policy: DuplicatePolicy) -> None:
        documents = [Document(id=i.id, content=i.text, meta={"speaker": i.speaker}) for i in items]
        self.store.write_documents(self.documents.run(documents)["documents"], policy)

    def delete(self, ids: Sequence[str]) -> None:
        self.store.delete_documents(list(ids))

    def find(self, query: str, k: int, *, speaker: str | None = None) -> list[Found]:
        filters = {"field": "meta.speaker", "operator": "==", "value": speaker} if speaker else None
        embedding = self.queries.run(query)["embedding"]
        hits = self.retriever.run(query_embedding=embedding, top_k=k, filters=filters)["documents"]
        return [
            Found(id=hit.id, text=hit.content, speaker=hit.meta["speaker"], score=hit.score) for hit in hits
        ]

    def close(self) -> None:
        self.store.close()


class HaystackChroma(HaystackStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        store = ChromaDocumentStore(
            name, persist_path=str(place.folder / "chroma"), distance_function="cosine"
        )
        super().__init__(store, ChromaEmbeddingRetriever, dim)

    def close(self) -> None:
        self.store._client.close()


class HaystackFaiss(HaystackStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.path = place.folder / f"faiss-{name}"
        store = FAISSDocumentStore(index_path=str(self.path), embedding_dim=dim)
        super().__init__(store, FAISSEmbeddingRetriever, dim)

    def close(self) -> None:
        self.store.save(self.path)


class HaystackQdrant(HaystackStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        store = QdrantDocumentStore(
            path=str(place.folder / f"qdrant-{name}"), index=name, embedding_dim=dim, progress_bar=False
        )
        super().__init__(store, QdrantEmbeddingRetriever, dim)

    def close(self) -> None:
        self.store._client.close()


class HaystackMilvus(HaystackStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.path = str(place.folder / "milvus.db")
        store = MilvusDocumentStore(
            name,
            connection_args={"uri": self.path},
            index_params={"index_type": "FLAT", "metric_type": "COSINE"},
        )
        super().__init__(store, MilvusEmbeddingRetriever, dim)

    def close(self) -> None:
        self.store._milvus_client.close()
        server_manager_instance.release_server(self.path)


class HaystackPostgres(HaystackStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        store = PgvectorDocumentStore(
            connection_string=Secret.from_token(place.postgres),
            table_name=f"haystack_{name}",
            embedding_dimension=dim,
            keyword_index_name=f"words_{name}",  # the same name for two tables is an error
        )
        super().__init__(store, PgvectorEmbeddingRetriever, dim)


KINDS = {
    "chroma": Kind(open=HaystackChroma, cosine=lambda distance: 1 - distance),
    "faiss": Kind(open=HaystackFaiss, cosine=lambda score: 1 - (1 / score - 1) / 2),
    "qdrant": Kind(open=HaystackQdrant, cosine=lambda score: score),
    "milvus": Kind(open=HaystackMilvus, cosine=lambda score: 2 * score - 1),
    "pgvector": Kind(open=HaystackPostgres, cosine=lambda score: score),
}
