# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml
from haystack import Document, Pipeline
from haystack.components.embedders.types import DocumentEmbedder
from haystack.components.writers import DocumentWriter
from romaine import SparseEncoder
from romaine.errors import OptionError

from haystack_integrations.components.embedders.romaine import (
    RomaineDocumentEmbedder,
    RomaineSparseDocumentEmbedder,
    RomaineSparseTextEmbedder,
    RomaineTextEmbedder,
)
from haystack_integrations.components.retrievers.qdrant import (
    QdrantHybridRetriever,
    QdrantSparseEmbeddingRetriever,
)
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore

TEXTS = [
    "The silver key is under the third step.",
    "The harbour master owes me forty gold pieces.",
    "Leek soup needs an hour on a low fire, and then the soup needs salt.",
    "The harbour closes its gates at dusk.",
]


def documents() -> list[Document]:
    return [Document(content=text, meta={"title": f"part {n}"}) for n, text in enumerate(TEXTS)]


def test_embeddings_are_the_encoders() -> None:
    encoder = SparseEncoder().fit(TEXTS)
    query = RomaineSparseTextEmbedder(encoder).run("Who owes gold?")["sparse_embedding"]
    assert query.indices == encoder.encode_query("Who owes gold?").indices.tolist()
    assert query.values == encoder.encode_query("Who owes gold?").values.tolist()
    embedded = RomaineSparseDocumentEmbedder(encoder).run(documents())["documents"]
    for document, vector in zip(embedded, encoder.encode_documents(TEXTS), strict=True):
        assert document.sparse_embedding is not None
        assert document.sparse_embedding.indices == vector.indices.tolist()
        assert document.sparse_embedding.values == vector.values.tolist()
        assert {type(index) for index in document.sparse_embedding.indices} == {int}


def test_documents_stay_as_they_are_and_meta_is_embedded_where_named() -> None:
    given = documents()
    embedder = RomaineSparseDocumentEmbedder(meta_fields_to_embed=["title"], embedding_separator=" / ")
    embedded = embedder.run(given)["documents"]
    assert given == documents()
    (vector,) = SparseEncoder().encode_documents([f"part 0 / {TEXTS[0]}"])
    assert embedded[0].sparse_embedding is not None
    assert embedded[0].sparse_embedding.indices == vector.indices.tolist()
    (empty,) = embedder.run([Document(content=None)])["documents"]
    assert empty.sparse_embedding is not None
    assert empty.sparse_embedding.indices == []


def test_async_gives_what_sync_gives() -> None:
    text, document = RomaineSparseTextEmbedder(), RomaineSparseDocumentEmbedder()
    assert asyncio.run(text.run_async("key")) == text.run("key")
    assert asyncio.run(document.run_async(documents())) == document.run(documents())


@pytest.mark.parametrize("encoder", [None, SparseEncoder(k1=1.2, b=0.75).fit(TEXTS)])
def test_they_are_saved_and_loaded(encoder: SparseEncoder | None) -> None:
    pipeline = Pipeline()
    pipeline.add_component("text", RomaineSparseTextEmbedder(encoder))
    pipeline.add_component(
        "documents", RomaineSparseDocumentEmbedder(encoder, meta_fields_to_embed=["title"])
    )
    again = Pipeline.loads(pipeline.dumps())
    assert again.dumps() == pipeline.dumps()
    assert yaml.safe_load(again.dumps())
    for name, given in {"text": "Where is the key?", "documents": documents()}.items():
        assert again.get_component(name).run(given) == pipeline.get_component(name).run(given)
    init = {"type": "x.RomaineSparseTextEmbedder", "init_parameters": {}}
    assert RomaineSparseTextEmbedder.from_dict(
        init | {"type": RomaineSparseTextEmbedder().to_dict()["type"]}
    ).run("key")


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: RomaineSparseTextEmbedder().run(7), TypeError, "RomaineSparseDocumentEmbedder"),  # type: ignore[arg-type]
        (lambda: RomaineSparseDocumentEmbedder().run("x"), TypeError, "RomaineSparseTextEmbedder"),  # type: ignore[arg-type]
        (lambda: RomaineSparseTextEmbedder("bm25"), OptionError, "SparseEncoder"),  # type: ignore[arg-type]
        (lambda: RomaineSparseDocumentEmbedder(meta_fields_to_embed="title"), OptionError, "meta_fields"),
    ],
)
def test_wrong_values_are_told(make: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        make()


# --- in a store of others ----------------------------------------------------------------------------------


def test_they_are_what_haystack_calls_document_embedders() -> None:
    embedder: DocumentEmbedder = RomaineSparseDocumentEmbedder()
    assert embedder.run(documents())


# Qdrant's local mode says that it builds no indexes
@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
def test_words_and_meaning_together_in_qdrant() -> None:
    store = QdrantDocumentStore(
        ":memory:", embedding_dim=64, use_sparse_embeddings=True, sparse_idf=True, similarity="cosine"
    )
    indexing = Pipeline()
    indexing.add_component("words", RomaineSparseDocumentEmbedder())
    indexing.add_component("meaning", RomaineDocumentEmbedder(dim=64))
    indexing.add_component("writer", DocumentWriter(store))
    indexing.connect("words", "meaning")
    indexing.connect("meaning", "writer")
    indexing.run({"words": {"documents": documents()}})

    asking = Pipeline()
    asking.add_component("words", RomaineSparseTextEmbedder())
    asking.add_component("meaning", RomaineTextEmbedder(dim=64))
    asking.add_component("sparse", QdrantSparseEmbeddingRetriever(store, top_k=2))
    asking.add_component("hybrid", QdrantHybridRetriever(store, top_k=2))
    asking.connect("words", "sparse.query_sparse_embedding")
    asking.connect("words", "hybrid.query_sparse_embedding")
    asking.connect("meaning", "hybrid.query_embedding")
    question = "What does the harbour master owe?"
    found = asking.run({"words": {"text": question}, "meaning": {"text": question}})
    assert found["sparse"]["documents"][0].content == TEXTS[1]
    assert found["hybrid"]["documents"][0].content == TEXTS[1]
    assert found["sparse"]["documents"][0].score > found["sparse"]["documents"][1].score
