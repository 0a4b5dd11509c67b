"""Words beside meaning in stores of others: Qdrant and Milvus, both in local files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from langchain_milvus import Milvus
from langchain_qdrant import QdrantVectorStore, RetrievalMode
from langchain_romaine import RomaineEmbeddings, RomaineMilvusSparse, RomaineQdrantSparse
from qdrant_client.models import Modifier

from romaine import SparseEncoder
from romaine.errors import TextTypeError

TEXTS = [
    "I hid the silver keys under the third step.",
    "The soup is leek again.",
    "Brona keeps bees.",
    "The end.",
]
QUERY = "a key"


async def test_vectors_are_those_of_the_encoder() -> None:
    encoder = SparseEncoder().fit(TEXTS)
    qdrant, milvus = RomaineQdrantSparse(encoder), RomaineMilvusSparse(encoder)
    for documents, found, queries in (
        (qdrant.embed_documents(TEXTS), milvus.embed_documents(TEXTS), [qdrant.embed_query(QUERY)]),
        (
            await qdrant.aembed_documents(TEXTS),
            await milvus.aembed_documents(TEXTS),
            [await qdrant.aembed_query(QUERY)],
        ),
    ):
        for vector, weights, expected in zip(documents, found, encoder.encode_documents(TEXTS), strict=True):
            assert vector.indices == list(weights) == expected.indices.tolist()
            np.testing.assert_array_equal(vector.values, expected.values)
            assert list(weights.values()) == vector.values
            assert {type(index) for index in vector.indices} == {int}
            assert {type(value) for value in vector.values} == {float}
        assert queries[0].indices == list(milvus.embed_query(QUERY)) == list(await milvus.aembed_query(QUERY))
    assert qdrant.embed_documents([]) == milvus.embed_documents([]) == []
    with pytest.raises(TextTypeError):
        qdrant.embed_documents("key")  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", [RetrievalMode.SPARSE, RetrievalMode.HYBRID])
def test_qdrant_finds_words(mode: RetrievalMode) -> None:
    store = QdrantVectorStore.from_texts(
        TEXTS,
        RomaineEmbeddings(dim=64),
        sparse_embedding=RomaineQdrantSparse(),
        sparse_vector_params={"modifier": Modifier.IDF},
        retrieval_mode=mode,
        location=":memory:",
        collection_name="turns",
    )
    found = store.similarity_search(QUERY, k=4)
    store.client.close()
    assert found[0].page_content == TEXTS[0]  # keys, and the query says key
    assert len(found) == (1 if mode is RetrievalMode.SPARSE else 4)


@pytest.mark.filterwarnings("ignore:The 'ranker_type'")  # Milvus Lite has no rankers of the newer kind
def test_milvus_finds_words_and_takes_texts_without(tmp_path: Path) -> None:
    store = Milvus.from_texts(
        [*TEXTS, "", "…"],
        [RomaineEmbeddings(dim=64), RomaineMilvusSparse(SparseEncoder().fit(TEXTS))],
        vector_field=["dense", "sparse"],
        index_params=[
            {"index_type": "FLAT", "metric_type": "COSINE"},
            {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "IP"},
        ],
        connection_args={"uri": str(tmp_path / "milvus.db")},
    )
    # Milvus Lite takes no default parameters of a sparse search
    parameters = [{"metric_type": "COSINE"}, {"metric_type": "IP", "params": {}}]
    found = store.similarity_search(QUERY, k=4, ranker_type="rrf", param=parameters)
    assert found[0].page_content == TEXTS[0]
    assert len(found) == 4
    assert store.similarity_search("…", ranker_type="rrf", param=parameters)[0].page_content == "…"
