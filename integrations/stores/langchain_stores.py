"""The stores as LangChain has them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import faiss
from contract import Found, Item, Kind, Place
from langchain_chroma import Chroma
from langchain_community.docstore.in_memory import InMemoryDocstore
from langchain_community.vectorstores import FAISS
from langchain_community.vectorstores.utils import DistanceStrategy
from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore
from langchain_milvus import Milvus
from langchain_postgres import Column, PGEngine, PGVectorStore
from langchain_qdrant import QdrantVectorStore
from langchain_romaine import RomaineEmbeddings
from milvus_lite.server_manager import server_manager_instance
from qdrant_client import QdrantClient, models
from sqlalchemy.exc import ProgrammingError


class LangChainStore:
    """What all of them have in common."""

    def __init__(self, store: Any) -> None:
        self.store: VectorStore = store

    def add(self, items: Sequence[Item]) -> None:
        documents = [Document(item.text, id=item.id, metadata={"speaker": item.speaker}) for item in items]
        self.store.add_documents(documents, ids=[item.id for item in items])

    def replace(self, item: Item) -> None:
        self.add([item])

    def delete(self, ids: Sequence[str]) -> None:
        self.store.delete(ids=list(ids))

    def find(self, query: str, k: int, *, speaker: str | None = None) -> list[Found]:
        where = self.where(speaker) if speaker else {}
        hits = self.store.similarity_search_with_score(query, k=k, **where)
        return [
            Found(id=self.id_of(d), text=d.page_content, speaker=d.metadata["speaker"], score=float(score))
            for d, score in hits
        ]

    def id_of(self, document: Document) -> str:
        return document.id or ""

    def where(self, speaker: str) -> dict[str, Any]:
        return {"filter": {"speaker": speaker}}


class LangChainChroma(LangChainStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        super().__init__(
            Chroma(
                name,
                RomaineEmbeddings(dim=dim),
                persist_directory=str(place.folder / "chroma"),
                collection_configuration={"hnsw": {"space": "cosine"}},
            )
        )

    def close(self) -> None:
        self.store._client.close()


class LangChainFaiss(LangChainStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.folder = str(place.folder / "faiss" / name)
        embeddings = RomaineEmbeddings(dim=dim)
        # not kept in the folder, so that both ways to open it need them
        cosine: dict[str, Any] = {
            "distance_strategy": DistanceStrategy.MAX_INNER_PRODUCT,
            "relevance_score_fn": lambda score: min(max(float(score), 0.0), 1.0),
        }
        if Path(self.folder).exists():
            store = FAISS.load_local(self.folder, embeddings, allow_dangerous_deserialization=True, **cosine)
        else:
            store = FAISS(embeddings, faiss.IndexFlatIP(dim), InMemoryDocstore(), {}, **cosine)
        super().__init__(store)

    def replace(self, item: Item) -> None:
        self.store.delete([item.id])
        self.add([item])

    def where(self, speaker: str) -> dict[str, Any]:
        return {"filter": {"speaker": speaker}, "fetch_k": self.store.index.ntotal}  # it filters afterwards

    def close(self) -> None:
        self.store.save_local(self.folder)


class LangChainQdrant(LangChainStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        client = QdrantClient(path=str(place.folder / f"qdrant-{name}"))
        if not client.collection_exists(name):
            client.create_collection(
                name, vectors_config=models.VectorParams(size=dim, distance=models.Distance.COSINE)
            )
        super().__init__(QdrantVectorStore(client, name, RomaineEmbeddings(dim=dim)))

    def id_of(self, document: Document) -> str:
        return document.metadata["_id"]

    def where(self, speaker: str) -> dict[str, Any]:
        match = models.FieldCondition(key="metadata.speaker", match=models.MatchValue(value=speaker))
        return {"filter": models.Filter(must=[match])}

    def close(self) -> None:
        self.store.client.close()


class LangChainMilvus(LangChainStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.path = str(place.folder / "milvus.db")
        super().__init__(
            Milvus(
                RomaineEmbeddings(dim=dim),
                name,
                connection_args={"uri": self.path},
                index_params={"index_type": "FLAT", "metric_type": "COSINE"},
            )
        )

    def replace(self, item: Item) -> None:
        self.store.upsert([item.id], [Document(item.text, metadata={"speaker": item.speaker})])

    def id_of(self, document: Document) -> str:
        return document.metadata["pk"]

    def where(self, speaker: str) -> dict[str, Any]:
        return {"expr": f'speaker == "{speaker}"'}

    def close(self) -> None:
        self.store.client.close()
        server_manager_instance.release_server(self.path)


class LangChainPostgres(LangChainStore):
    def __init__(self, place: Place, name: str, dim: int) -> None:
        self.engine = PGEngine.from_connection_string(place.postgres.replace("://", "+psycopg://"))
        table = f"langchain_{name}"
        with suppress(ProgrammingError):  # it is there
            self.engine.init_vectorstore_table(table, dim, metadata_columns=[Column("speaker", "TEXT")])
        embeddings = RomaineEmbeddings(dim=dim)
        super().__init__(
            PGVectorStore.create_sync(self.engine, embeddings, table, metadata_columns=["speaker"])
        )

    def close(self) -> None:
        asyncio.run(self.engine.close())


KINDS = {
    "chroma": Kind(open=LangChainChroma, cosine=lambda distance: 1 - distance),
    "faiss": Kind(open=LangChainFaiss, cosine=lambda score: score),
    "qdrant": Kind(open=LangChainQdrant, cosine=lambda score: score),
    "milvus": Kind(open=LangChainMilvus, cosine=lambda score: score),
    "pgvector": Kind(open=LangChainPostgres, cosine=lambda distance: 1 - distance),
}
