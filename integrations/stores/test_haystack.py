"""Words as the clients of the stores take them: dot products are exact, a text without words does no harm.

Here and not for each framework, as these are the newest clients of all three.
"""

from __future__ import annotations

import psycopg
import pytest
from contract import ITEMS, Place
from pgvector import SparseVector as Column
from pgvector.psycopg import register_vector
from pymilvus import DataType, MilvusClient
from qdrant_client import QdrantClient, models

from romaine import SparseEncoder
from romaine.memory.sparse import SPARSE_DIM, SparseVector

TEXTS = [item.text for item in ITEMS] + [""]
QUESTIONS = ("Where did you hide the keys?", "honey bees and violins", "東京の猫")


def exact(query: SparseVector, documents: list[SparseVector]) -> dict[int, float]:
    """The dot products that are not 0, by number of the document."""
    weights = dict(zip(query.indices.tolist(), query.values.tolist(), strict=True))
    scores = [
        sum(weights.get(i, 0.0) * v for i, v in zip(d.indices.tolist(), d.values.tolist(), strict=True))
        for d in documents
    ]
    return {number: score for number, score in enumerate(scores) if score > 0}


class Qdrant:
    def __init__(self, place: Place) -> None:
        self.client = QdrantClient(path=str(place.folder / "qdrant-words"))

    def fill(self, documents: list[SparseVector]) -> None:
        self.client.create_collection(
            "words", vectors_config={}, sparse_vectors_config={"words": models.SparseVectorParams()}
        )
        self.client.upsert(
            "words",
            [models.PointStruct(id=n, vector={"words": self.of(d)}) for n, d in enumerate(documents)],
        )

    def of(self, vector: SparseVector) -> models.SparseVector:
        return models.SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())

    def scores(self, query: SparseVector) -> dict[int, float]:
        found = self.client.query_points("words", query=self.of(query), using="words", limit=50).points
        return {point.id: point.score for point in found}

    def close(self) -> None:
        self.client.close()


class Milvus:
    def __init__(self, place: Place) -> None:
        self.client = MilvusClient(str(place.folder / "words.db"))

    def fill(self, documents: list[SparseVector]) -> None:
        schema = self.client.create_schema()
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        index = self.client.prepare_index_params()
        index.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        self.client.create_collection("words", schema=schema, index_params=index)
        self.client.insert("words", [{"id": n, "words": self.of(d)} for n, d in enumerate(documents)])

    def of(self, vector: SparseVector) -> dict[int, float]:
        weights = dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True))
        return weights or {SPARSE_DIM: 1.0}  # it refuses a vector without components; no word has this one

    def scores(self, query: SparseVector) -> dict[int, float]:
        self.client.load_collection("words")
        (found,) = self.client.search("words", [self.of(query)], limit=50, anns_field="words")
        return {hit["id"]: hit["distance"] for hit in found}

    def close(self) -> None:
        self.client.close()


class Pgvector:
    def __init__(self, place: Place) -> None:
        self.db = psycopg.connect(place.postgres, autocommit=True)
        register_vector(self.db)

    def fill(self, documents: list[SparseVector]) -> None:
        self.db.execute(f"CREATE TABLE words (id bigint PRIMARY KEY, words sparsevec({SPARSE_DIM}))")
        for number, document in enumerate(documents):
            self.db.execute("INSERT INTO words VALUES (%s, %s)", (number, self.of(document)))

    def of(self, vector: SparseVector) -> Column:
        return Column(dict(zip(vector.indices.tolist(), vector.values.tolist(), strict=True)), SPARSE_DIM)

    def scores(self, query: SparseVector) -> dict[int, float]:
        found = self.db.execute("SELECT id, -(words <#> %s) FROM words", (self.of(query),)).fetchall()
        return {number: score for number, score in found if score > 0}

    def close(self) -> None:
        self.db.close()


@pytest.mark.parametrize("store", [Qdrant, Milvus, Pgvector])
def test_words_score_as_dot_products_after_reopening(
    store: type[Qdrant | Milvus | Pgvector], place: Place
) -> None:
    encoder = SparseEncoder().fit(TEXTS)
    documents = encoder.encode_documents(TEXTS)
    opened = store(place)
    opened.fill(documents)
    opened.close()
    opened = store(place)
    for question in QUESTIONS:
        query = encoder.encode_query(question)
        assert opened.scores(query) == pytest.approx(exact(query, documents), rel=1e-5)
    opened.close()
