"""The memory's ranking over documents of other retrievers."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_romaine import RomaineEmbeddings, RomaineReranker
from pydantic import ValidationError

from romaine import DocumentRanker
from romaine.errors import OptionError

TEXTS = [
    "The soup is leek again.",
    "I left the silver key under the third step.",
    "The harbour master owes me forty gold pieces.",
    "The end.",
]
QUERY = "Where is the silver key?"


@pytest.fixture(scope="module")
def reranker() -> RomaineReranker:
    return RomaineReranker()


def documents() -> list[Document]:
    return [Document(text, id=str(n), metadata={"page": n}) for n, text in enumerate(TEXTS)]


def test_scores_are_those_of_the_core_and_documents_stay_as_they_are(reranker: RomaineReranker) -> None:
    assert isinstance(reranker, BaseDocumentCompressor)
    given = documents()
    found = reranker.compress_documents(given, QUERY)
    expected = DocumentRanker().rank(QUERY, TEXTS)
    assert [document.id for document in found] == [str(ranked.index) for ranked in expected]
    assert found[0].page_content == TEXTS[1]
    for document, ranked in zip(found, expected, strict=True):
        score = document.metadata["relevance_score"]
        assert document.metadata == {"page": ranked.index, "relevance_score": score}
        assert score == pytest.approx(ranked.score)
    assert given == documents()


async def test_it_compresses_what_a_retriever_finds(reranker: RomaineReranker) -> None:
    store = InMemoryVectorStore(RomaineEmbeddings(dim=64))
    store.add_documents(documents())
    retriever = ContextualCompressionRetriever(
        base_compressor=reranker.model_copy(update={"top_n": 2}),
        base_retriever=store.as_retriever(search_kwargs={"k": 4}),
    )
    found = retriever.invoke(QUERY)
    assert found[0].id == "1"
    assert len(found) == 2
    assert await retriever.ainvoke(QUERY) == found


def test_speaker_and_time_come_from_metadata() -> None:
    said = [
        Document(
            "We walked to the lake.", metadata={"speaker": who, "created_at": f"2023-08-{day}T12:00:00Z"}
        )
        for who, day in [("Ana", 15), ("Cassian", 15), ("Cassian", 10), ("Ana", 16)]
    ]
    plain = RomaineReranker(score_key=None)
    (first, *_) = plain.compress_documents(said, "What did Cassian say yesterday?")
    assert first == said[1]
    blind = RomaineReranker(speaker_key=None, time_key=None, previous_key=None)
    scores = {
        round(document.metadata["relevance_score"], 6)
        for document in blind.compress_documents(said, "What did Cassian say yesterday?")
    }
    assert len(scores) == 1


def test_odd_documents(reranker: RomaineReranker) -> None:
    assert reranker.compress_documents([], QUERY) == []
    same = [Document("a key"), Document("a key"), Document(""), Document("key " * 250_000)]
    found = reranker.compress_documents(same, QUERY)
    assert len(found) == 4
    assert found[-1].page_content == ""
    assert RomaineReranker(top_n=0).compress_documents(same, QUERY) == []


@pytest.mark.parametrize("wrong", [{"top_n": -1}, {"speaker_key": 3}, {"embeddings": "little-gem"}])
def test_values_that_are_not_allowed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RomaineReranker(**wrong)


@pytest.mark.parametrize("name", ["top_k", "k", "model"])
def test_names_that_are_not_known(name: str) -> None:
    with pytest.raises(OptionError, match=name):
        RomaineReranker(**{name: 3})
