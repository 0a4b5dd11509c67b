"""Telling late-interaction models, which give a vector for each token, by the files they are published with.

Three ways are in use, and only their JSON is looked at:

- PyLate: `modules.json` lists a Transformer and Dense layers, no Pooling; `config_sentence_transformers.json`
  has the prefixes and lengths.
- pylate-onnx-export: `model.onnx` with `onnx_config.json`, or with the same keys in
  `config_sentence_transformers.json`; nothing else.
- Stanford's ColBERT: `artifact.metadata`, or the architecture HF_ColBERT in `config.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from romaine.models.card import Prompts
from romaine.models.tree import FileTree, Module, join

ONNX_CONFIG = "onnx_config.json"
COLBERT_CONFIG = "artifact.metadata"
_PROMPTS = "config_sentence_transformers.json"
_USUAL_DIM = 128  # of ColBERT
_MARKERS = ("[unused0]", "[unused1]")  # what ColBERT puts before queries and documents
_MOST_DIM = 1 << 16


@dataclass(frozen=True)
class LateLayout:
    """What such files say.

    Attributes:
        token_dim: Components of a token's vector, as far as the files tell.
        prompts: What is put before queries and documents.
        max_tokens: Its window in tokens, special tokens counted, or None if the files do not say.
    """

    token_dim: int
    prompts: Prompts
    max_tokens: int | None


def late_layout(tree: FileTree) -> LateLayout | None:
    """What the files say of a late-interaction model; None if they are of another one.

    Raises:
        ModelFormatError: If a JSON file is malformed.
    """
    if (ONNX_CONFIG in tree.paths or _PROMPTS in tree.paths) and not _pools(tree):
        for name in (ONNX_CONFIG, _PROMPTS):
            settings = tree.json_object(name)
            if isinstance(settings.get("query_prefix"), str):
                return _of_pylate(tree, settings)
    if COLBERT_CONFIG in tree.paths or _is_colbert(tree):
        settings = tree.json_object(COLBERT_CONFIG)
        query, document = (
            _text(settings, name, usual)
            for name, usual in zip(("query_token_id", "doc_token_id"), _MARKERS, strict=True)
        )
        return LateLayout(
            _count(settings, "dim") or _USUAL_DIM,
            Prompts(query=query, document=document),
            _count(settings, "doc_maxlen"),
        )
    return None


def projections(tree: FileTree) -> tuple[Module, ...]:
    """The layers that make of the transformer's states the vectors of tokens, in order."""
    return tuple(module for module in tree.modules if module.kind == "Dense")


def _of_pylate(tree: FileTree, settings: Mapping[str, Any]) -> LateLayout:
    dense = [tree.json_object(join(module.path, "config.json")) for module in projections(tree)]
    return LateLayout(
        _count(settings, "embedding_dim")
        or (_count(dense[-1], "out_features") if dense else None)
        or _USUAL_DIM,
        Prompts(query=_text(settings, "query_prefix", ""), document=_text(settings, "document_prefix", "")),
        _count(settings, "document_length"),
    )


def _pools(tree: FileTree) -> bool:
    return any(module.kind == "Pooling" for module in tree.modules)


def _is_colbert(tree: FileTree) -> bool:
    architectures = tree.config.get("architectures")
    return isinstance(architectures, list) and "HF_ColBERT" in architectures


def _text(settings: Mapping[str, Any], name: str, usual: str) -> str:
    value = settings.get(name)
    return value if isinstance(value, str) else usual


def _count(settings: Mapping[str, Any], name: str) -> int | None:
    value = settings.get(name)
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_DIM
    return value if is_count else None
