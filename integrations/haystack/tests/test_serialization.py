# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import inspect
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from haystack import Pipeline, default_to_dict
from haystack.components.retrievers import FilterRetriever
from haystack.components.writers import DocumentWriter
from haystack.core.serialization import allow_deserialization_module
from haystack.dataclasses import ChatMessage
from haystack.document_stores.types import DuplicatePolicy, FilterPolicy
from haystack.utils import ComponentDevice, Secret
from romaine import Embedder, Memory, RoleplayMemory, Scope
from romaine.errors import OptionError
from romaine.memory import WeightedRanker, Weights

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter
from haystack_integrations.document_stores.romaine import RomaineMemoryStore


def said_in_a_tavern(memory: Memory) -> bool:
    """A condition that a pipeline can hold: a function of a module."""
    return memory.scope.chat == "tavern"


EMBEDDER: dict[str, Any] = {
    "model": "some/model",
    "backend": "onnx",
    "dim": 64,
    "precision": "int8",
    "truncate": "pool",
    "batch_tokens": 1024,
    "batch_size": 8,
    "threads": 2,
    "device": ComponentDevice.from_str("cuda:1"),
    "providers": ["CPUExecutionProvider"],
    "dtype": "float16",
    "variant": "int8",
    "cache_folder": "models",
    "local_files_only": True,
    "revision": "main",
    "token": Secret.from_env_var("MY_TOKEN"),
    "progress_bar": True,
    "allow_untrained_dim": True,
    "allow_rejected": True,
    "require_verified": True,
    "allow_pickle": True,
    "trust_remote_code": True,
}
AROUND: dict[str, Any] = {"prefix": "find: ", "suffix": "!"}
FILE: dict[str, Any] = {name: value for name, value in EMBEDDER.items() if name != "precision"} | {
    "query_prompt": "find: ",
    "document_prompt": "text: ",
    "path": "memories.db",
    "vector_format": "int8",
    "late_interaction": "computed",
    "cache_bytes": 1000,
    "lock_timeout": 1.0,
    "read_only": True,
    "ranker": WeightedRanker(Weights(lexical=0.9)),
    "rerank": 7,
    "analyzer": "default",
}
SCOPE: dict[str, Any] = {"user": "ana", "character": "Cassian", "chat": "tavern"}
RETRIEVER: dict[str, Any] = SCOPE | {
    "filters": {"field": "meta.speaker", "operator": "==", "value": "Cassian"},
    "top_k": 3,
    "filter_policy": FilterPolicy.MERGE,
    "token_budget": 100,
    "min_score": "auto",
    "kinds": ["fact", "turn"],
    "speakers": ["Brona", "Cassian"],
    "as_character": "Brona",
    "as_of": datetime(2026, 1, 1, tzinfo=timezone.utc),
    "include_superseded": True,
    "neighbours": 2,
    "order": "chronological",
    "diversity": 2,
    "dim": 32,
}
WRITER: dict[str, Any] = SCOPE | {
    "roles": ["assistant"],
    "meta_fields_to_keep": ["mood"],
    "policy": DuplicatePolicy.SKIP,
}
FOR_DOCUMENTS: dict[str, Any] = {"meta_fields_to_embed": ["title"], "embedding_separator": " / "}


class Reversed:
    """A reranker that a pipeline can hold."""

    def rerank(self, query: Any, memories: Sequence[Any]) -> list[int]:
        return list(range(len(memories)))

    def to_dict(self) -> dict[str, Any]:
        return default_to_dict(self)


class Unheld:
    def rerank(self, query: Any, memories: Sequence[Any]) -> list[int]:
        return list(range(len(memories)))


def made(kind: type, **others: Any) -> Any:
    """One of a kind, with every parameter other than its default, but for what needs a permission."""
    file = RomaineMemoryFile(**FILE | others)
    return {
        RomaineTextEmbedder: lambda: RomaineTextEmbedder(**EMBEDDER, **AROUND),
        RomaineDocumentEmbedder: lambda: RomaineDocumentEmbedder(**EMBEDDER, **AROUND, **FOR_DOCUMENTS),
        RomaineMemoryFile: lambda: file,
        RomaineMemoryRetriever: lambda: RomaineMemoryRetriever(
            file, where=said_in_a_tavern if others else None, **RETRIEVER
        ),
        RomaineMemoryWriter: lambda: RomaineMemoryWriter(file, **WRITER),
        RomaineMemoryStore: lambda: RomaineMemoryStore(file, **SCOPE),
    }[kind]()


KINDS = [
    RomaineTextEmbedder,
    RomaineDocumentEmbedder,
    RomaineMemoryFile,
    RomaineMemoryRetriever,
    RomaineMemoryWriter,
    RomaineMemoryStore,
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_init_parameter_is_there_and_comes_back(kind: Any) -> None:
    allow_deserialization_module(__name__)
    data = made(kind, reranker=Reversed()).to_dict()
    parameters = inspect.signature(kind.__init__).parameters
    assert data["type"] == f"{kind.__module__}.{kind.__name__}"
    # a scope is written by its names
    assert data["init_parameters"].keys() == parameters.keys() - {"self", "scope"}
    for name, value in data["init_parameters"].items():
        assert value != parameters[name].default, name
    assert kind.from_dict(data).to_dict() == data
    assert yaml.safe_load(yaml.safe_dump(data)) == data


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_parameters_are_refused(kind: Any) -> None:
    data = made(kind).to_dict()
    data["init_parameters"]["truncate_dim"] = 64
    with pytest.raises(TypeError, match="truncate_dim"):
        kind.from_dict(data)


def test_tokens_are_never_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    assert "hf_secret" not in str(made(RomaineMemoryRetriever).to_dict())
    with pytest.raises(ValueError, match="token"):
        RomaineTextEmbedder(token=Secret.from_token("hf_secret")).to_dict()


def test_pipelines_are_loaded_without_further_permission() -> None:
    pipeline = Pipeline()
    for kind in KINDS:
        if kind not in (RomaineMemoryFile, RomaineMemoryStore):
            pipeline.add_component(kind.__name__, made(kind))
    pipeline.add_component("writer", DocumentWriter(made(RomaineMemoryStore), DuplicatePolicy.SKIP))
    pipeline.add_component("filter", FilterRetriever(made(RomaineMemoryStore)))
    pipeline.connect("RomaineDocumentEmbedder", "writer")
    text = pipeline.dumps()
    again = Pipeline.loads(text)
    assert again == pipeline
    assert again.dumps() == text
    assert type(again.get_component("RomaineMemoryRetriever")) is RomaineMemoryRetriever


def test_a_path_comes_back_as_a_file(tmp_path: Path) -> None:
    retriever = RomaineMemoryRetriever(tmp_path / "memories.db")
    again = RomaineMemoryRetriever.from_dict(retriever.to_dict())
    assert again.memory_file.path == str(tmp_path / "memories.db")
    assert list(tmp_path.iterdir()) == []  # nothing was opened


def test_weights_of_the_default_ranker_are_plain_numbers() -> None:
    data = RomaineMemoryFile("memories.db", ranker={"lexical": 0.9}).to_dict()
    assert data["init_parameters"]["ranker"]["lexical"] == 0.9
    assert RomaineMemoryFile.from_dict(data).ranker == WeightedRanker(Weights(lexical=0.9))
    with pytest.raises(OptionError, match=r"unknown weight 'lexicon'.*'lexical'"):
        RomaineMemoryFile("memories.db", ranker={"lexicon": 0.9})


def test_what_no_file_can_hold_is_told() -> None:
    file = RomaineMemoryFile("memories.db", reranker=Unheld())
    with pytest.raises(OptionError, match=r"reranker=.*Unheld.*to_dict"):
        file.to_dict()


@pytest.mark.parametrize("where", [lambda memory: True, Unheld().rerank])
def test_a_condition_that_no_file_can_hold_is_told(where: Any) -> None:
    with pytest.raises(OptionError, match=r"where=.* cannot be serialized.*filters"):
        RomaineMemoryRetriever("memories.db", user="ana", where=where).to_dict()


@pytest.mark.parametrize("kind", [RomaineMemoryRetriever, RomaineMemoryWriter, RomaineMemoryStore])
def test_an_open_memory_is_taken_and_stays_its_makers(kind: Any) -> None:
    with RoleplayMemory(":memory:") as memory:
        made = kind(memory, user="ana")
        assert made.memory_file.open() is memory
        made.close()
        memory.add_fact(Scope(user="ana"), "It is open still.")
        with pytest.raises(OptionError, match=r"open memory.*cannot be serialized.*RomaineMemoryFile"):
            made.to_dict()


def test_an_open_memory_is_what_a_pipeline_reads_and_writes() -> None:
    with RoleplayMemory(":memory:", embedder=Embedder(dim=32)) as memory:
        pipeline = Pipeline()
        pipeline.add_component("writer", RomaineMemoryWriter(memory, user="ana"))
        said = [ChatMessage.from_user("The key is under the third step.")]
        pipeline.run({"writer": {"messages": said}})
        found = RomaineMemoryRetriever(memory, user="ana").run("Where is the key?")["documents"]
        assert [document.content for document in found] == [said[0].text]


def test_rankers_are_used(tmp_path: Path) -> None:
    file = RomaineMemoryFile(tmp_path / "memories.db", ranker={"lexical": 0.0}, reranker=Reversed(), rerank=2)
    said = [ChatMessage.from_user(text) for text in ("The key is here.", "A boat.", "The mill and the key.")]
    RomaineMemoryWriter(file, user="ana").run(messages=said)
    found = RomaineMemoryRetriever(file, user="ana").run("Where is the key?")["documents"]
    assert len(found) == 3
    for document in found:
        assert "lexical" not in document.meta["parts"]
        assert sum(document.meta["parts"].values()) == pytest.approx(document.meta["score"])
    assert "rerank" in found[0].meta["parts"]
    file.close()
