from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle, TextNode
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.retrievers.romaine import RomaineMemoryRetriever
from llama_index.vector_stores.romaine import RomaineVectorStore

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
    assert [node.score for node in found] == [hit.confidence for hit in hits]
    assert [node.node.metadata["score"] for node in found] == [hit.score for hit in hits]
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


def raw_score(found: list[NodeWithScore]) -> float:
    return float(found[0].node.metadata["score"])


def test_an_embedding_is_not_used_unasked(remembered: RoleplayMemory, scope: Scope) -> None:
    """It may be of another model; nobody can tell from the numbers."""
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=3)
    expected = retriever.retrieve(QUESTION)
    for embedding in ([0.5] * 256, [0.1] * 384, RomaineEmbedding().get_query_embedding(GOLD)):
        assert retriever.retrieve(QueryBundle(QUESTION, embedding=embedding)) == expected
        assert asyncio.run(retriever.aretrieve(QueryBundle(QUESTION, embedding=embedding))) == expected


def test_an_embedding_is_searched_with_where_that_is_asked(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=1, use_query_embedding=True)
    elsewhere = RomaineEmbedding().get_query_embedding(GOLD)
    assert texts_of(retriever.retrieve(QueryBundle("", embedding=elsewhere))) == [GOLD]
    own = RomaineEmbedding().get_query_embedding(QUESTION)
    by_vector, by_text = (
        retriever.retrieve(QueryBundle(QUESTION, embedding=own)),
        retriever.retrieve(QUESTION),
    )
    assert texts_of(by_vector) == texts_of(by_text)
    assert raw_score(by_vector) == pytest.approx(
        raw_score(by_text), abs=1e-6
    )  # a unit vector made unit again
    sliced = RomaineEmbedding(dim=64).get_query_embedding(QUESTION)
    with pytest.raises(VectorError, match="dim=None"):
        retriever.retrieve(QueryBundle(QUESTION, embedding=sliced))


def test_embedding_strings_are_searched_with(remembered: RoleplayMemory, scope: Scope) -> None:
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=1, use_query_embedding=True)
    assert texts_of(retriever.retrieve(QueryBundle("", custom_embedding_strs=[GOLD]))) == [GOLD]
    both = ["Hidden below a stair.", QUESTION]
    mean = RomaineEmbedding().get_agg_embedding_from_queries(both)
    by_texts = retriever.retrieve(QueryBundle(QUESTION, custom_embedding_strs=both))
    by_mean = retriever.retrieve(QueryBundle(QUESTION, embedding=mean))
    assert texts_of(by_texts) == texts_of(by_mean)
    assert raw_score(by_texts) == pytest.approx(raw_score(by_mean), abs=1e-5)
    none = QueryBundle(QUESTION, custom_embedding_strs=[])
    assert retriever.retrieve(none) == retriever.retrieve(QUESTION)


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
        "without_sources": ["5"],
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


# --- whose memories ----------------------------------------------------------------------------------------


def test_a_scope_is_given_whole_or_by_its_names(memory: RoleplayMemory) -> None:
    by_names = RomaineMemoryRetriever(memory, user="ana", character="Cassian", chat="tavern")
    assert by_names.scope == Scope(user="ana", character="Cassian", chat="tavern")
    assert RomaineMemoryRetriever(memory, scope=by_names.scope).scope == by_names.scope
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
        retriever, llm=MockLLM(), node_postprocessors=[SimilarityPostprocessor(similarity_cutoff=0.0)]
    )
    response = engine.query(QUESTION)
    assert "speaker: Cassian" in str(response)
    assert "I left the silver key under the third step." in str(response)
    assert "token_count" not in str(response)
    assert len(response.source_nodes) == 2
    assert str(asyncio.run(engine.aquery(QUESTION))) == str(response)


def test_a_score_is_a_relevance_from_0_to_1(remembered: RoleplayMemory, scope: Scope) -> None:
    """So that a cutoff means the same in every scope, and takes out what has nothing to do with it."""
    retriever = RomaineMemoryRetriever(remembered, scope=scope, similarity_top_k=50)
    found = retriever.retrieve(QUESTION)
    scores = [node.score or 0.0 for node in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    answer, *others = found
    assert "silver key" in answer.node.get_content()
    limit = (scores[0] + scores[1]) / 2
    kept = SimilarityPostprocessor(similarity_cutoff=limit).postprocess_nodes(found, query_str=QUESTION)
    assert kept == [answer]
    strange = retriever.retrieve("Which quarks does a proton hold?")
    assert (strange[0].score or 0) < (answer.score or 0)
    assert others[0].node.metadata["parts"]


@pytest.mark.parametrize("mode", list(FUSION_MODES))
@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("use_async", [False, True])
def test_a_vector_retriever_beside_it_changes_nothing(
    remembered: RoleplayMemory,
    scope: Scope,
    transformer_folder: Path,
    mode: FUSION_MODES,
    foreign: bool,
    use_async: bool,
) -> None:
    """It writes its model's vector into the query they share: of 256 components, or of as many as ours."""
    others = RomaineEmbedding(dim=256)
    if foreign:
        others = RomaineEmbedding(model_name=str(transformer_folder), backend="onnx")
        assert others.embedder.full_dim == remembered.embedder.full_dim
    documents = [Document(text="The soup is leek again."), Document(text="Keys are cut by the smith.")]
    index = VectorStoreIndex.from_documents(documents, embed_model=others)
    heard: list[list[NodeWithScore]] = []

    class Heard(RomaineMemoryRetriever):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            heard.append(super()._retrieve(query_bundle))
            return heard[-1]

    alone = RomaineMemoryRetriever(remembered, scope=scope).retrieve(QUESTION)
    fusion = QueryFusionRetriever(
        [index.as_retriever(), Heard(remembered, scope=scope)],
        llm=MockLLM(),
        num_queries=1,
        use_async=use_async,
        mode=mode,
        similarity_top_k=7,
    )
    fused = fusion.retrieve(QUESTION)
    assert [[n.node for n in found] for found in heard] == [[n.node for n in alone]]
    assert "I left the silver key under the third step." in texts_of(fused)
    assert all(0 <= (node.score or 0.0) <= 1 for node in fused)


def test_what_a_vector_store_wrote_comes_back_under_its_id(memory: RoleplayMemory, scope: Scope) -> None:
    """One memory has one id and one metadata, whoever finds it."""
    node = TextNode(
        id_="page-7",
        text="The key of the archive hangs in the porter's lodge.",
        metadata={"page": 7, "score": "B flat"},
        excluded_llm_metadata_keys=["page"],
    )
    store = RomaineVectorStore(memory=memory, scope=scope)
    store.add([node])
    (found,) = RomaineMemoryRetriever(memory, scope=scope).retrieve("Where is the archive's key?")
    assert found.node.node_id == "page-7"
    assert found.node.metadata["page"] == 7
    assert found.node.metadata["score"] == "B flat"  # the node's own goes before what we know of the hit
    assert found.node.metadata["confidence"] == found.score
    assert "_node_content" not in found.node.metadata
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        assert found.node.get_content(mode) == node.get_content(mode)
    store.delete_nodes([found.node.node_id])
    assert RomaineMemoryRetriever(memory, scope=scope).retrieve("archive") == []
