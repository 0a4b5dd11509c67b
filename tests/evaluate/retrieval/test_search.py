from __future__ import annotations

import numpy as np
import pytest

from romaine import Embedder, slice_dim
from romaine.evaluate.retrieval import search as module
from romaine.evaluate.retrieval.beir import Document
from romaine.evaluate.retrieval.search import search
from romaine.evaluate.speed_worker import chat_texts


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder().warm_up()


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return [Document(id=f"d{number}", text=text) for number, text in enumerate(chat_texts(60))]


@pytest.fixture(scope="module")
def queries() -> dict[str, str]:
    return {f"q{number}": text for number, text in enumerate(chat_texts(7, seed=5))}


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_finds_what_an_exact_scan_finds(
    embedder: Embedder,
    documents: list[Document],
    queries: dict[str, str],
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    dims = [embedder.dims[0], embedder.full_dim]
    searched = search(queries, iter(documents), embedder=embedder, dims=dims, k=9)
    vectors = embedder.embed_documents([document.text for document in documents])
    asked = embedder.embed_queries(queries.values())
    for dim in dims:
        scores = slice_dim(asked, dim) @ slice_dim(vectors, dim).T
        for row, query in zip(scores, queries, strict=True):
            best = np.argsort(-row, kind="stable")[:9]
            found = searched.found[dim][query]
            assert list(found) == [documents[place].id for place in best]
            assert list(found.values()) == pytest.approx(row[best].tolist(), abs=1e-5)
    assert searched.ids == [document.id for document in documents]
    assert searched.timed_documents == len(documents)
    assert all(latency is not None for latency in searched.latency_ms.values())


def test_a_query_does_not_find_itself(embedder: Embedder, documents: list[Document]) -> None:
    queries = {documents[3].id: documents[3].text}
    found = search(queries, documents, embedder=embedder, dims=[embedder.full_dim], k=4)
    ids = list(found.found[embedder.full_dim][documents[3].id])
    assert len(ids) == 4
    assert documents[3].id not in ids


def test_no_more_are_found_than_there_are(embedder: Embedder, documents: list[Document]) -> None:
    found = search({"q": "a key"}, documents[:3], embedder=embedder, dims=[32], k=100)
    assert len(found.found[32]["q"]) == 3
