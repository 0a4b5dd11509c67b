from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import (
    BaseNode,
    ImageNode,
    MediaResource,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.vector_stores.romaine import RomaineVectorStore

from romaine import RoleplayMemory, Scope, Turn
from romaine.errors import OptionError

ANA = Scope(user="ana")
QUESTION = "Where is the silver key?"
DOCUMENTS = {
    "key": ("The silver key lies under the third step.", "house", 3),
    "soup": ("The soup is leek again, and nobody complains.", "kitchen", 7),
    "gold": ("The harbour master owes us forty gold pieces.", "harbour", 7),
    "bees": ("Brona keeps bees behind the mill.", "house", 12),
}


def node(name: str, document: str, **changes: Any) -> TextNode:
    text, place, page = DOCUMENTS[name]
    values: dict[str, Any] = {
        "id_": name,
        "text": text,
        "metadata": {"place": place, "page": page, "tags": [place, "story"]},
        "relationships": {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=document)},
    }
    return TextNode(**values | changes)


@pytest.fixture
def store(memory: RoleplayMemory) -> RomaineVectorStore:
    return RomaineVectorStore(memory=memory, scope=ANA)


@pytest.fixture
def nodes() -> list[BaseNode]:
    return [node(name, "book" if name in ("key", "soup") else "letter") for name in DOCUMENTS]


@pytest.fixture
def filled(store: RomaineVectorStore, nodes: list[BaseNode]) -> RomaineVectorStore:
    store.add(nodes)
    return store


def ask(store: RomaineVectorStore, text: str | None = QUESTION, **options: Any) -> list[str]:
    result = store.query(VectorStoreQuery(query_str=text, **{"similarity_top_k": 4} | options))
    assert result.nodes is not None
    assert result.ids == [found.node_id for found in result.nodes]
    assert result.similarities == sorted(result.similarities or [], reverse=True)
    assert all(0 <= similarity <= 1 for similarity in result.similarities)
    return list(result.ids or [])


def where(key: str, value: Any, operator: FilterOperator = FilterOperator.EQ) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


# --- nodes -------------------------------------------------------------------------------------------------


def test_a_node_comes_back_as_it_was_written(store: RomaineVectorStore) -> None:
    given: list[BaseNode] = [
        node("key", "book", excluded_llm_metadata_keys=["page"], text_template="{content}", start_char_idx=4),
        node("soup", "book", metadata={}),
        TextNode(id_="empty", text=""),
        TextNode(id_="odd", text="🙂 naïve \x00", metadata={"nested": {"a": [1, None, "x"]}}),
        ImageNode(id_="image", image_url="https://example.org/a.png", metadata={"place": "house"}),
        Node(id_="media", text_resource=MediaResource(text="A text of its own."), metadata={"page": 1}),
    ]
    assert isinstance(store, BasePydanticVectorStore)
    assert store.add(given) == ["key", "soup", "empty", "odd", "image", "media"]
    found = {each.node_id: each for each in store.get_nodes()}
    for each in given:
        assert found[each.node_id].to_dict() == each.to_dict(), each.node_id
        assert type(found[each.node_id]) is type(each)
    store.add([Document(id_="whole", text="A whole document.", metadata={"page": 1})])
    (whole,) = store.get_nodes(["whole"])  # which LlamaIndex reads as a TextNode, from any store
    assert (whole.get_content(), whole.metadata) == ("A whole document.", {"page": 1})


def test_adding_again_replaces(filled: RomaineVectorStore) -> None:
    filled.add([node("key", "book", text="The silver key is lost.", metadata={"place": "nowhere"})])
    assert len(filled.get_nodes()) == 4
    (found,) = filled.get_nodes(["key"])
    assert (found.get_content(), found.metadata) == ("The silver key is lost.", {"place": "nowhere"})
    assert ask(filled, "Is the key lost?")[0] == "key"
    assert filled.add([]) == []


def test_nodes_are_deleted_by_document_id_and_filter(
    filled: RomaineVectorStore, memory: RoleplayMemory
) -> None:
    memory.add_turns(ANA, [Turn("Said, not written.", speaker="Ana", role="user")])
    filled.delete("book")
    assert {each.node_id for each in filled.get_nodes()} == {"gold", "bees"}
    filled.delete("no such document")
    filled.delete_nodes(["gold", "no such node"], filters=where("place", "house"))
    assert len(filled.get_nodes()) == 2
    filled.delete_nodes(filters=where("place", "house"))
    assert [each.node_id for each in filled.get_nodes()] == ["gold"]
    with pytest.raises(OptionError, match=r"clear\(\)"):
        filled.delete_nodes()
    filled.clear()
    assert filled.get_nodes() == []
    assert ask(filled) == []
    assert [each.text for each in memory.list(ANA)] == ["Said, not written."]  # which is no node
    filled.clear()


# --- queries -----------------------------------------------------------------------------------------------


def test_it_finds_by_meaning_and_words(filled: RomaineVectorStore) -> None:
    assert ask(filled)[0] == "key"
    assert ask(filled, similarity_top_k=1) == ["key"]
    assert ask(filled, "Who owes money?", similarity_top_k=1) == ["gold"]
    assert ask(filled, similarity_top_k=0) == []


def test_a_vector_of_another_model_is_not_used(filled: RomaineVectorStore) -> None:
    plain = filled.query(VectorStoreQuery(query_str=QUESTION, similarity_top_k=4))
    for vector in ([0.1] * 384, [0.5] * 256):
        query = VectorStoreQuery(query_str=QUESTION, query_embedding=vector, similarity_top_k=4)
        assert filled.query(query) == plain
    with pytest.raises(OptionError, match="query_str"):
        filled.query(VectorStoreQuery(query_embedding=[0.1] * 384))


@pytest.mark.parametrize("mode", ["default", "hybrid", "semantic_hybrid", "sparse", "text_search"])
def test_every_mode_finds(filled: RomaineVectorStore, mode: str) -> None:
    assert ask(filled, mode=VectorStoreQueryMode(mode))[0] == "key"


def test_words_and_meaning_can_be_asked_alone(filled: RomaineVectorStore) -> None:
    hybrid = VectorStoreQueryMode.HYBRID
    asked = "apiary honey insects"  # in none of the texts
    assert ask(filled, asked, mode=hybrid, alpha=1.0, similarity_top_k=1) == ["bees"]
    words = ask(filled, "third mill", mode=VectorStoreQueryMode.TEXT_SEARCH, similarity_top_k=2)
    assert set(words) == {"key", "bees"}
    assert ask(filled, "third mill", mode=hybrid, alpha=0.0, similarity_top_k=2) == words
    assert ask(filled, mode=hybrid, hybrid_top_k=2, similarity_top_k=1)[:1] == ["key"]
    assert len(ask(filled, mode=hybrid, hybrid_top_k=2, similarity_top_k=1)) == 2


def test_what_it_cannot_do_it_says(filled: RomaineVectorStore) -> None:
    with pytest.raises(OptionError, match=r"unknown mode 'svm'.*'hybrid'"):
        ask(filled, mode=VectorStoreQueryMode.SVM)
    with pytest.raises(OptionError, match=r"alpha=0\.3.*ranker="):
        ask(filled, mode=VectorStoreQueryMode.HYBRID, alpha=0.3)


def test_filters_choose_nodes_and_hits(filled: RomaineVectorStore) -> None:
    """By what a node's metadata says, and by its document; test_filters.py has all operators."""
    for filters, expected in (
        (where("place", "house"), {"key", "bees"}),
        (where("ref_doc_id", "letter"), {"gold", "bees"}),
        (MetadataFilters(filters=[]), set(DOCUMENTS)),
    ):
        assert set(ask(filled, filters=filters)) == expected
        assert {each.node_id for each in filled.get_nodes(filters=filters)} == expected


def test_ids_and_documents_narrow_a_query(filled: RomaineVectorStore) -> None:
    assert ask(filled, node_ids=["soup", "gold"])[0] in ("soup", "gold")
    assert set(ask(filled, node_ids=["soup", "gold"])) == {"soup", "gold"}
    assert set(ask(filled, doc_ids=["letter"])) == {"gold", "bees"}
    assert ask(filled, doc_ids=["letter"], node_ids=["key"]) == []


def test_other_lore_of_the_scope_takes_no_ones_place(
    filled: RomaineVectorStore, memory: RoleplayMemory
) -> None:
    for n in range(40):
        memory.add_lore(ANA, f"The silver key number {n} opens door {n}.")
    assert ask(filled, similarity_top_k=2)[0] == "key"
    assert len(ask(filled, similarity_top_k=4)) == 4


@pytest.mark.parametrize("every", [2, 50, 399])
def test_a_filter_finds_the_best_of_what_passes_however_few(store: RomaineVectorStore, every: int) -> None:
    store.add(
        [
            TextNode(id_=str(n), text=f"The silver key number {n} opens door {n}.", metadata={"n": n % every})
            for n in range(400)
        ]
    )
    passing = {str(n) for n in range(400) if n % every == 0}
    found = ask(store, filters=where("n", 0), similarity_top_k=3)
    assert set(found) <= passing
    assert len(found) == min(3, len(passing))


def test_scopes_are_kept_apart(memory: RoleplayMemory, nodes: list[BaseNode]) -> None:
    stores = [
        RomaineVectorStore(memory=memory, scope=scope)
        for scope in (ANA, Scope(user="ben"), Scope(user="ana", character="Cassian"))
    ]
    for number, each in enumerate(stores):
        each.add([node("key", "book", text=f"The silver key of store {number}.")])
    for number, each in enumerate(stores):
        result = each.query(VectorStoreQuery(query_str=QUESTION, similarity_top_k=9))
        assert [found.get_content() for found in result.nodes or []] == [f"The silver key of store {number}."]
    stores[1].clear()
    assert [len(each.get_nodes()) for each in stores] == [1, 0, 1]


def test_async_does_the_same(store: RomaineVectorStore, nodes: list[BaseNode]) -> None:
    async def use() -> None:
        assert await store.async_add(nodes) == list(DOCUMENTS)
        found = await store.aquery(VectorStoreQuery(query_str=QUESTION, similarity_top_k=4))
        assert found == store.query(VectorStoreQuery(query_str=QUESTION, similarity_top_k=4))
        assert [each.node_id for each in await store.aget_nodes(["soup"])] == ["soup"]
        await store.adelete("book")
        await store.adelete_nodes(["gold"])
        assert [each.node_id for each in await store.aget_nodes()] == ["bees"]
        await store.aclear()
        assert await store.aget_nodes() == []

    asyncio.run(use())


# --- in an index -------------------------------------------------------------------------------------------

REOPENED = """
import sys
from llama_index.core import VectorStoreIndex
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.vector_stores.romaine import RomaineVectorStore
from romaine import RoleplayMemory

with RoleplayMemory(sys.argv[1]) as memory:
    store = RomaineVectorStore(memory=memory, user="ana")
    index = VectorStoreIndex.from_vector_store(store, embed_model=RomaineEmbedding(dim=64))
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("Where is the silver key?")
    print(found.node.node_id, found.node.ref_doc_id, found.node.metadata, found.text)
    index.delete_ref_doc("book")
"""


@pytest.mark.filterwarnings("ignore:Call to deprecated method get_doc_id:DeprecationWarning")  # older cores
@pytest.mark.parametrize("dim", [64, 256, None])
def test_an_index_goes_round_and_is_there_in_a_new_process(tmp_path: Path, dim: int | None) -> None:
    path = tmp_path / "index.db"
    embed_model = RomaineEmbedding(dim=dim)
    documents = [
        Document(id_="book", text=DOCUMENTS["key"][0], metadata={"page": 3}),
        Document(id_="letter", text=DOCUMENTS["gold"][0], metadata={"page": 7}),
    ]
    with RoleplayMemory(path) as memory:
        store = RomaineVectorStore(memory=memory, user="ana")
        index = VectorStoreIndex.from_documents(
            documents,
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=embed_model,
        )
        (found,) = index.as_retriever(similarity_top_k=1).retrieve(QUESTION)
        index.update_ref_doc(Document(id_="letter", text=DOCUMENTS["bees"][0]))
    asked = subprocess.run(
        [sys.executable, "-c", REOPENED, str(path)], capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip() == f"{found.node.node_id} book {{'page': 3}} {DOCUMENTS['key'][0]}"
    assert [each.name for each in tmp_path.iterdir()] == ["index.db"]  # nothing else is kept
    with RoleplayMemory(path) as memory:
        left = RomaineVectorStore(memory=memory, user="ana").get_nodes()
        assert [each.get_content() for each in left] == [DOCUMENTS["bees"][0]]


def test_an_index_filters_and_chooses_its_mode(filled: RomaineVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(filled, embed_model=MockEmbedding(embed_dim=1))
    found = index.as_retriever(
        similarity_top_k=1, vector_store_query_mode="text_search", filters=where("place", "house")
    ).retrieve("mill")
    assert [each.node.node_id for each in found] == ["bees"]
    answer = index.as_query_engine(llm=MockLLM(), similarity_top_k=1).query(QUESTION)
    assert DOCUMENTS["key"][0] in str(answer)
    answer = asyncio.run(index.as_query_engine(llm=MockLLM(), similarity_top_k=1).aquery(QUESTION))
    assert DOCUMENTS["key"][0] in str(answer)


def test_a_pipeline_writes_into_it(store: RomaineVectorStore) -> None:
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(chunk_size=64, chunk_overlap=0), RomaineEmbedding(dim=64)],
        vector_store=store,
    )
    pipeline.run(documents=[Document(id_="book", text=DOCUMENTS["key"][0])])
    (found,) = store.get_nodes()
    assert (found.ref_doc_id, found.get_content()) == ("book", DOCUMENTS["key"][0])
