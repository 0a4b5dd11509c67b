# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from romaine import DocumentRanker
from romaine.errors import OptionError

from haystack_integrations.components.rankers.romaine import RomaineRanker

TEXTS = [
    "The soup is leek again.",
    "I left the silver key under the third step.",
    "The harbour master owes me forty gold pieces.",
    "The end.",
]
QUERY = "Where is the silver key?"


def documents() -> list[Document]:
    return [Document(id=str(n), content=text, meta={"page": n}) for n, text in enumerate(TEXTS)]


def test_scores_are_those_of_the_core_and_documents_stay_as_they_are() -> None:
    ranker, given = RomaineRanker(), documents()
    ranker.warm_up()
    found = ranker.run(QUERY, given)["documents"]
    expected = DocumentRanker().rank(QUERY, TEXTS)
    assert [document.id for document in found] == [str(ranked.index) for ranked in expected]
    assert [document.score for document in found] == pytest.approx([ranked.score for ranked in expected])
    assert [document.meta for document in found] == [{"page": ranked.index} for ranked in expected]
    assert given == documents()
    asyncio.run(ranker.warm_up_async())
    assert asyncio.run(ranker.run_async(QUERY, given, top_k=2))["documents"] == found[:2]


def test_a_pipeline_is_the_same_from_yaml() -> None:
    store = InMemoryDocumentStore()
    store.write_documents(documents())
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=4))
    pipeline.add_component("ranker", RomaineRanker(top_k=2, speaker_key="who", threads=1))
    pipeline.connect("retriever.documents", "ranker.documents")
    asked = {"retriever": {"query": QUERY}, "ranker": {"query": QUERY}}
    found = pipeline.run(asked)["ranker"]["documents"]
    assert found[0].content == TEXTS[1]
    assert len(found) == 2
    text = pipeline.dumps()
    assert Pipeline.loads(text).dumps() == text
    again = RomaineRanker.from_dict(pipeline.get_component("ranker").to_dict())
    assert (again.top_k, again.speaker_key, again.settings) == (
        2,
        "who",
        pipeline.get_component("ranker").settings,
    )


def test_speaker_and_time_come_from_metadata() -> None:
    said = [
        Document(
            content="We walked to the lake.", meta={"speaker": who, "created_at": f"2023-08-{day}T12:00:00Z"}
        )
        for who, day in [("Ana", 15), ("Cassian", 15), ("Cassian", 10), ("Ana", 16)]
    ]
    query = "What did Cassian say yesterday?"
    assert RomaineRanker().run(query, said)["documents"][0].id == said[1].id
    blind = RomaineRanker(speaker_key=None, time_key=None, previous_key=None)
    assert len({document.score for document in blind.run(query, said)["documents"]}) == 1


def test_odd_documents() -> None:
    ranker = RomaineRanker()
    assert ranker.run(QUERY, []) == {"documents": []}
    odd = [Document(content=text) for text in (None, "a key", "key " * 250_000, "")]
    found = ranker.run(QUERY, odd)["documents"]
    assert len(found) == 4
    assert {document.content for document in found[2:]} == {None, ""}
    with pytest.raises(TypeError, match="list of Documents"):
        ranker.run(QUERY, ["text"])  # type: ignore[list-item]


@pytest.mark.parametrize("wrong", [{"top_k": 0}, {"speaker_key": 3}, {"model": 3}, {"threads": -1}])
def test_values_that_are_not_allowed(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        RomaineRanker(**wrong)


def test_a_ranker_says_which_name_is_meant() -> None:
    with pytest.raises(TypeError, match=r"no option top_n=\. Did you mean top_k=\?"):
        RomaineRanker(top_n=3)  # type: ignore[call-arg]
