"""A `ModelCard` for a model that is in no catalog, read from the files beside its weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from romaine.arrays import Pooling
from romaine.errors import ModelFormatError
from romaine.models.card import ModelCard, Prompts
from romaine.models.card_json import CARD_FILE, card_from_json
from romaine.models.late_layout import late_layout
from romaine.models.matching import Match
from romaine.models.soundness import read_header
from romaine.models.tree import FileTree, join

UNKNOWN_DIM = 1
"""`full_dim` of a card whose files do not say it (an ONNX file without a config); the backend knows."""

_POOLING_KEYS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "lasttoken",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
}
_POOLINGS = {"mean": Pooling.MEAN, "cls": Pooling.CLS, "lasttoken": Pooling.LAST, "max": Pooling.MAX}
_DIM_KEYS = ("hidden_size", "n_embd", "d_model", "dim", "hidden_dim", "embedding_dim", "embedding_dimension")
_WINDOW_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len")
_MATRYOSHKA_KEYS = ("matryoshka_dimensions", "matryoshka_dims")
_QUERY_PROMPTS = ("query", "search_query", "retrieval.query", "retrieval_query", "s2p_query", "queries")
_DOCUMENT_PROMPTS = (
    *("document", "passage", "search_document", "retrieval.passage", "retrieval_document"),
    *("corpus", "documents"),
)
_TABLE_TENSORS = ("table", "codes", "embedding.weight", "embeddings.weight", "embeddings")
_CODES_A_BYTE = 2  # 4-bit tables
_MAX_COUNT = 2**53  # beyond it, numbers in a config mean nothing
_MAX_PLAUSIBLE_WINDOW = 10**7  # tokenizers write 1e30 where they mean "no limit"
_KINDS = {
    "nomic_bert": "NomicBERT",
    "modernbert": "ModernBERT",
    "bert": "BERT",
    "gemma3_text": "Gemma3",
    "model2vec": "Model2Vec",
}


def card_from_files(model_id: str, tree: FileTree, match: Match, *, backend_pools: bool = False) -> ModelCard:
    """Describes the model in `tree`, which was recognised as `match`.

    With `backend_pools`, the backend does its own pooling, so that any kind will do.

    Raises:
        ModelFormatError: If a config is malformed or asks for a pooling there is none of here.
    """
    if "card" in match.paths:
        card = card_from_json(tree.json(match.paths["card"]), source=str(tree.folder / CARD_FILE))
        return replace(card, bundled=False)  # only the wheel's own files are, whatever a folder says
    is_static = "static" in match.layout.backends
    late = late_layout(tree) if match.layout.backends == ("onnx",) else None
    full_dim = _full_dim(tree, match, is_static=is_static) if late is None else late.token_dim
    model_type = str(tree.config.get("model_type", ""))
    static_kind = "SSE" if match.layout.name == "SSE" else "static"
    return ModelCard(
        id=model_id,
        kind=static_kind if is_static else _KINDS.get(model_type, model_type or match.layout.name),
        full_dim=full_dim,
        dims=_dims(tree, full_dim),
        max_tokens=None if is_static else (late and late.max_tokens) or _max_tokens(tree, match),
        token_dim=None if late is None else late.token_dim,
        pooling=Pooling.MEAN if is_static else _pooling(tree, any_kind=backend_pools),
        prompts=_prompts(tree) if late is None else late.prompts,
        files=match.paths,
        backends=match.layout.backends,
    )


def _full_dim(tree: FileTree, match: Match, *, is_static: bool) -> int:
    if is_static and "weights" in match.paths:
        columns = _table_dim(tree.folder / match.paths["weights"])
        if columns is not None:
            return columns
    dense = next((module for module in reversed(tree.modules) if module.kind == "Dense"), None)
    stated = [tree.config.get(key) for key in _DIM_KEYS]
    if dense is not None:
        stated.insert(0, tree.json_object(join(dense.path, "config.json")).get("out_features"))
    return next(_counts(stated), UNKNOWN_DIM)


def _table_dim(weights: Path) -> int | None:
    """Components of a static table, from the header of its safetensors file; None if it does not say."""
    try:
        header, _ = read_header(weights, repair="")
        columns = [
            header[name]["shape"][1] * (_CODES_A_BYTE if header[name]["dtype"] == "U8" else 1)
            for name in _TABLE_TENSORS
            if name in header and len(header[name]["shape"]) == 2
        ]
        # A table kept in another file still has one parameter of its dynamic tanh for each component.
        tanh = [entry["shape"][0] for name, entry in header.items() if name.endswith("dyt.alpha")]
        return next(_counts([*columns, *tanh]), None)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None  # `soundness` says what is wrong with the file


def _dims(tree: FileTree, full_dim: int) -> tuple[int, ...]:
    sources = (
        tree.json_object("config_sentence_transformers.json"),
        tree.json_object("config.json"),
        tree.config,
    )
    for source in sources:
        for key in _MATRYOSHKA_KEYS:
            listed = source.get(key)
            if isinstance(listed, list) and listed and all(_is_count(dim) for dim in listed):
                return tuple(sorted({dim for dim in listed if dim < full_dim} | {full_dim}))
    return (full_dim,)


def _max_tokens(tree: FileTree, match: Match) -> int | None:
    """The sentence model's own window; without one, the smallest that tokenizer or positions allow."""
    sentence_config = tree.json_object(match.paths.get("sentence_bert_config", ""))
    tokenizer_config = tree.json_object(match.paths.get("tokenizer_config", ""))
    own = next(_windows([sentence_config.get("max_seq_length")]), None)
    others = [tokenizer_config.get("model_max_length"), *(tree.config.get(key) for key in _WINDOW_KEYS)]
    return own or min(_windows(others), default=None)


def _windows(values: Iterable[Any]) -> Iterator[int]:
    return (value for value in _counts(values) if value < _MAX_PLAUSIBLE_WINDOW)


def _pooling(tree: FileTree, *, any_kind: bool) -> Pooling:
    """The pooling that the files state; of a kind there is none of here, MEAN where `any_kind` will do."""
    folder = next((module.path for module in tree.modules if module.kind == "Pooling"), "1_Pooling")
    config = tree.json_object(join(folder, "config.json"))
    named = config.get("pooling_mode")
    modes = [named] if isinstance(named, str) else named
    if not isinstance(modes, list):
        modes = [mode for key, mode in _POOLING_KEYS.items() if config.get(key)] or ["mean"]
    named_modes = [mode if isinstance(mode, str) else type(mode).__name__ for mode in modes]
    if len(modes) != 1 or named_modes[0] not in _POOLINGS:
        if any_kind:
            return Pooling.MEAN
        raise ModelFormatError(
            f"{tree.folder / folder}: pooling {' and '.join(named_modes)} is not supported; "
            f"allowed: one of {', '.join(_POOLINGS)}. backend='sentence-transformers' runs any."
        )
    return _POOLINGS[named_modes[0]]


def _prompts(tree: FileTree) -> Prompts:
    listed = tree.json_object("config_sentence_transformers.json").get("prompts")
    prompts: Mapping[str, Any] = listed if isinstance(listed, dict) else {}
    by_name = {name.lower(): text for name, text in prompts.items() if isinstance(text, str) and text}
    query, document = (
        next((by_name[name] for name in names if name in by_name), "")
        for names in (_QUERY_PROMPTS, _DOCUMENT_PROMPTS)
    )
    return Prompts(query=query, document=document)


def _counts(values: Iterable[Any]) -> Iterator[int]:
    """Those of `values` that are whole numbers above zero."""
    return (value for value in values if _is_count(value))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_COUNT
