from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import MetadataMode, QueryBundle, TextNode
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.retrievers.romaine import RomaineMemoryRetriever

from romaine import RoleplayMemory, Scope, Turn
from romaine.errors import OptionError, RomaineError, VectorError
from romaine.memory.plain import hit_metadata

QUESTION = "Where is the key?"
GOLD = "The harbour master owes me forty gold pieces."


def texts_of(found: Any) -> list[str]:
    return [hit.node.get_content() for hit in found]


def test_it_finds_what_recall_finds(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=3)
    assert isinstance(retriever, BaseRetriever)
    found = retriever.retrieve(QUESTION)
    hits = remembered.recall(QUESTION, scope, k=3)
    assert [node.node.node_id for node in found] == [hit.memory.id for hit in hits]
    assert [node.score for node in found] == [hit.score for hit in hits]
    assert [node.node.metadata for node in found] == [hit_metadata(hit) for hit in hits]
    assert texts_of(found) == [hit.memory.text for hit in hits]
    assert texts_of(found)[0] == "I left the silver key under the third step."
    assert all(type(node.node) is TextNode for node in found)


def test_async_finds_the_same_for_many_at_once(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope)

    async def ask() -> list[Any]:
        return await asyncio.gather(*[retriever.aretrieve(QUESTION) for _ in range(32)])

    alone = retriever.retrieve(QUESTION)
    assert all(found == alone for found in asyncio.run(ask()))


def test_the_llm_sees_who_and_when_and_no_bookkeeping(remembered: RoleplayMemory, scope: Scope) -> None:
    (found,) = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=1).retrieve(QUESTION)
    shown = found.node.get_content(MetadataMode.LLM)
    created_at = found.node.metadata["created_at"]
    assert shown == (
        f"created_at: {created_at}\nspeaker: Cassian\n\nI left the silver key under the third step."
    ) or shown == (
        f"speaker: Cassian\ncreated_at: {created_at}\n\nI left the silver key under the third step."
    )
    embedded = found.node.get_content(MetadataMode.EMBED)
    assert embedded == "speaker: Cassian\n\nI left the silver key under the third step."


def test_neighbours_are_shown_to_the_llm_around_the_text(memory: RoleplayMemory, scope: Scope) -> None:
    said = ("Ask {anything}.", "The key is under the step.", "Thank you {content}.")
    memory.add_turns(scope, [Turn(text, speaker="Ana", role="user") for text in said])
    retriever = RomaineMemoryRetriever(memory, scope=scope, similarity_top_k=1, neighbours=1)
    (found,) = retriever.retrieve(QUESTION)
    shown = found.node.get_content(MetadataMode.LLM)
    assert shown.endswith("\n\nAna: Ask {anything}.\nThe key is under the step.\nAna: Thank you {content}.")
    assert found.node.get_content() == "The key is under the step."


# --- what is searched with ---------------------------------------------------------------------------------


def test_an_embedding_is_searched_with(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=1)
    elsewhere = RomaineEmbedding().get_query_embedding(GOLD)
    assert texts_of(retriever.retrieve(QueryBundle("", embedding=elsewhere))) == [GOLD]
    own = RomaineEmbedding().get_query_embedding(QUESTION)
    (by_vector,), (by_text,) = (
        retriever.retrieve(q) for q in (QueryBundle(QUESTION, embedding=own), QUESTION)
    )
    assert texts_of([by_vector]) == texts_of([by_text])
    assert by_vector.score == pytest.approx(by_text.score, abs=1e-6)  # making a unit vector unit again rounds


def test_embedding_strings_are_searched_with(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=1)
    assert texts_of(retriever.retrieve(QueryBundle("", custom_embedding_strs=[GOLD]))) == [GOLD]
    both = ["Hidden below a stair.", QUESTION]
    mean = RomaineEmbedding().get_agg_embedding_from_queries(both)
    by_texts = retriever.retrieve(QueryBundle(QUESTION, custom_embedding_strs=both))
    by_mean = retriever.retrieve(QueryBundle(QUESTION, embedding=mean))
    assert texts_of(by_texts) == texts_of(by_mean)
    assert by_texts[0].score == pytest.approx(by_mean[0].score, abs=1e-5)
    none = QueryBundle(QUESTION, custom_embedding_strs=[])
    assert retriever.retrieve(none) == retriever.retrieve(QUESTION)


def test_an_embedding_of_another_dimension_is_refused(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope)
    sliced = RomaineEmbedding(dim=64).get_query_embedding(QUESTION)
    with pytest.raises(VectorError, match="dim=None"):
        retriever.retrieve(QueryBundle(QUESTION, embedding=sliced))


# --- options -----------------------------------------------------------------------------------------------


def test_options_are_those_of_recall(remembered: RoleplayMemory, scope: Scope) -> None:
    options: dict[str, Any] = {
        "token_budget": 40,
        "min_score": -100.0,
        "kinds": ["turn"],
        "speakers": ["Cassian"],
        "as_character": "Cassian",
        "as_of": 2,
        "include_superseded": True,
        "neighbours": 1,
        "order": "chronological",
        "diversity": 1,
        "dim": 32,
        "where": lambda memory: memory.source_id != "3",
    }
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=2, **options)
    hits = remembered.recall(QUESTION, scope, k=2, **options)
    assert [node.node.metadata for node in retriever.retrieve(QUESTION)] == [hit_metadata(h) for h in hits]
    assert texts_of(retriever.retrieve(QUESTION)) == ["I left the silver key under the third step."]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"similarity_top_k": -1}, "k=-1"),
        ({"min_score": "high"}, "min_score='high'"),
        ({"kinds": ["rumour"]}, "unknown kind 'rumour'"),
        ({"order": "random"}, "unknown order 'random'"),
        ({"neighbours": -1}, "neighbours=-1"),
    ],
)
def test_what_is_not_allowed_is_refused_at_once(
    memory: RoleplayMemory, scope: Scope, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        RomaineMemoryRetriever(memory, scope=scope, **options)


@pytest.mark.parametrize("wrong", [None, "memories.db"])
def test_the_memory_must_be_one(scope: Scope, wrong: Any) -> None:
    with pytest.raises(OptionError, match=r"must be a romaine\.RoleplayMemory"):
        RomaineMemoryRetriever(wrong, scope=scope)


def test_unknown_names_are_refused(memory: RoleplayMemory, scope: Scope) -> None:
    with pytest.raises(TypeError, match="top_k"):
        RomaineMemoryRetriever(memory, scope=scope, top_k=2)  # type: ignore[call-arg]


# --- whose memories ----------------------------------------------------------------------------------------


def test_there_is_no_retriever_without_a_user(memory: RoleplayMemory) -> None:
    with pytest.raises(OptionError, match="no user"):
        RomaineMemoryRetriever(memory)
    with pytest.raises(OptionError, match=r"scope=\.\.\. and user=\.\.\. both"):
        RomaineMemoryRetriever(memory, scope=Scope(user="ana"), user="ana")
    by_names = RomaineMemoryRetriever(memory, user="ana", character="Cassian", chat="tavern")
    assert by_names.scope == Scope(user="ana", character="Cassian", chat="tavern")
    for scope in (None, "ana", {"user": "ana"}):
        with pytest.raises(OptionError, match="Scope"):
            RomaineMemoryRetriever(memory, scope=scope)  # type: ignore[arg-type]
    with pytest.raises(RomaineError, match="user"):
        RomaineMemoryRetriever(memory, scope=Scope(user=""))


def test_users_never_see_each_others_memories(remembered: RoleplayMemory, scope: Scope) -> None:
    other = Scope(user="ben", character="Cassian", chat="tavern")
    secret = Turn("The key is in the well.", speaker="Cassian", role="character")
    remembered.add_turns(other, [secret])
    for_ana = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=50)
    for_ben = RomaineMemoryRetriever(remembered, scope=other, similarity_top_k=50)
    assert len(for_ana.retrieve(QUESTION)) == 4
    assert texts_of(for_ben.retrieve(QUESTION)) == ["The key is in the well."]
    vector = RomaineEmbedding().get_query_embedding("The key is in the well.")
    by_vector = for_ana.retrieve(QueryBundle("well", embedding=vector))
    assert "The key is in the well." not in texts_of(by_vector)
    everyone = Scope(user="*")
    assert RomaineMemoryRetriever(remembered, scope=everyone).retrieve(QUESTION) == []


# --- in the framework --------------------------------------------------------------------------------------


def test_a_query_engine_answers_from_it(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=2)
    engine = RetrieverQueryEngine.from_args(
        retriever, llm=MockLLM(), node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=-100)]
    )
    response = engine.query(QUESTION)
    assert "speaker: Cassian" in str(response)
    assert "I left the silver key under the third step." in str(response)
    assert "token_count" not in str(response)
    assert len(response.source_nodes) == 2
    assert str(asyncio.run(engine.aquery(QUESTION))) == str(response)


def test_it_can_be_fused_with_others(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope)
    fusion = QueryFusionRetriever(
        [retriever, retriever], llm=MockLLM(), num_queries=1, use_async=False, mode="reciprocal_rerank"
    )
    assert texts_of(fusion.retrieve(QUESTION))[0] == "I left the silver key under the third step."
