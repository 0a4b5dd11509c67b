from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.postprocessor.romaine import RomaineRerank
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


def nodes() -> list[NodeWithScore]:
    return [
        NodeWithScore(node=TextNode(text=text, id_=str(n), metadata={"page": n}), score=0.5)
        for n, text in enumerate(TEXTS)
    ]


def test_scores_are_those_of_the_core_and_nodes_stay_as_they_are() -> None:
    rerank, given = RomaineRerank(), nodes()
    assert isinstance(rerank, BaseNodePostprocessor)
    found = rerank.postprocess_nodes(given, query_str=QUERY)
    expected = DocumentRanker().rank(QUERY, TEXTS)
    assert [each.node_id for each in found] == [str(ranked.index) for ranked in expected]
    assert [each.score for each in found] == pytest.approx([ranked.score for ranked in expected])
    assert [each.metadata for each in found] == [{"page": ranked.index} for ranked in expected]
    assert given == nodes()
    assert asyncio.run(rerank.apostprocess_nodes(given, QueryBundle(QUERY))) == found


def test_it_reranks_what_an_index_finds() -> None:
    index = VectorStoreIndex.from_documents(
        [Document(text=text) for text in TEXTS], embed_model=RomaineEmbedding(dim=64)
    )
    found = index.as_retriever(similarity_top_k=4).retrieve(QUERY)
    best = RomaineRerank(top_n=1).postprocess_nodes(found, query_str=QUERY)
    assert [each.node.get_content() for each in best] == [TEXTS[1]]


def test_speaker_and_time_come_from_metadata() -> None:
    said = [
        NodeWithScore(
            node=TextNode(
                text="We walked to the lake.",
                metadata={"speaker": who, "created_at": f"2023-08-{day}T12:00:00Z"},
            )
        )
        for who, day in [("Ana", 15), ("Cassian", 15), ("Cassian", 10), ("Ana", 16)]
    ]
    query = "What did Cassian say yesterday?"
    assert RomaineRerank().postprocess_nodes(said, query_str=query)[0].node == said[1].node
    blind = RomaineRerank(speaker_key=None, time_key=None, previous_key=None)
    assert len({each.score for each in blind.postprocess_nodes(said, query_str=query)}) == 1


def test_odd_nodes() -> None:
    rerank = RomaineRerank()
    assert rerank.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(OptionError, match="no query"):
        rerank.postprocess_nodes(nodes())
    texts = ["a key", "a key", "key " * 250_000]
    odd = [
        NodeWithScore(node=ImageNode(image_path="x.png")),
        *(NodeWithScore(node=TextNode(text=t)) for t in texts),
    ]
    found = rerank.postprocess_nodes(odd, query_str=QUERY)
    assert len(found) == 4
    assert isinstance(found[-1].node, ImageNode)
    assert RomaineRerank(top_n=0).postprocess_nodes(odd, query_str=QUERY) == []


@pytest.mark.parametrize("wrong", [{"top_n": -1}, {"speaker_key": 3}, {"embed_model": "x"}, {"top_k": 3}])
def test_values_that_are_not_allowed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RomaineRerank(**wrong)


def test_settings_survive_a_round_trip() -> None:
    rerank = RomaineRerank(top_n=3, speaker_key="who", embed_model=RomaineEmbedding(dim=64, threads=1))
    again = RomaineRerank.from_json(rerank.to_json())
    assert (again.top_n, again.speaker_key, again.class_name()) == (3, "who", "RomaineRerank")
    assert again.embed_model.to_dict() == rerank.embed_model.to_dict()
