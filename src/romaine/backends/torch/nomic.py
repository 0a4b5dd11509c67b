"""NomicBERT as it is published: a config in GPT-2's keys and weights under their original names.

Both are put into the names of transformers' own NomicBERT. Roles and rules follow the published model code
(nomic-ai/contrastors): post-norm blocks, fc12 gates fc11 in the SwiGLU, Wqkv stacks queries, keys and values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from romaine.errors import ModelFormatError

MODEL_TYPE = "nomic_bert"

_CONFIG_KEYS = {
    "n_embd": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "vocab_size": "vocab_size",
}
_OPTIONAL_CONFIG_KEYS = {"type_vocab_size": "type_vocab_size", "initializer_range": "initializer_range"}

_ONLY_SUPPORTED: dict[str, Any] = {
    "activation_function": "swiglu",
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "prenorm": False,
    "parallel_block": False,
    "parallel_block_tied_norm": False,
    "use_rms_norm": False,
    "causal": False,
    "qkv_proj_bias": False,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
}
"""Values transformers' class is built for. An absent key is let through: a bias, learned positions or an
ungated MLP then show in the weights, and the rest is absent only where it has this value."""

_LAYER_NORM_EPS = 1e-5  # of GPT-2's config class, from which the published one inherits
_POSITIONS_IF_UNSET = 2048
_MLP_MULTIPLE = 256  # the published gated MLP rounds its width up to a multiple of this

_WEIGHT_NAMES = (
    (re.compile(r"^emb_ln\."), "embeddings.LayerNorm."),
    (re.compile(r"^encoder\.layers\."), "layers."),
    (re.compile(r"\.attn\.out_proj\."), ".self_attn.o_proj."),
    (re.compile(r"\.mlp\.fc11\."), ".mlp.up_proj."),
    (re.compile(r"\.mlp\.fc12\."), ".mlp.gate_proj."),
    (re.compile(r"\.mlp\.fc2\."), ".mlp.down_proj."),
    (re.compile(r"\.norm1\."), ".post_attention_layernorm."),
    (re.compile(r"\.norm2\."), ".post_mlp_layernorm."),
)
_STACKED = re.compile(r"\.attn\.Wqkv\.")
_WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"


def has_original_keys(config: Mapping[str, Any]) -> bool:
    """Whether a NomicBERT config is in GPT-2's keys rather than in transformers' own."""
    return "n_embd" in config


def translate_config(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Puts a published config into the keys of transformers' `NomicBertConfig`.

    Args:
        config: The content of `config.json`.
        weights: The model's weights as `translate_weights` gives them; they know the width of the MLP.

    Raises:
        ModelFormatError: If a key is missing, or has a value that transformers' class cannot express.
    """
    _refuse_unsupported(config)
    missing = [key for key in (*_CONFIG_KEYS, "rotary_emb_base") if config.get(key) is None]
    if missing:
        raise ModelFormatError(f"the NomicBERT config lacks {', '.join(missing)}; download config.json again")
    own: dict[str, Any] = {new: int(config[old]) for old, new in _CONFIG_KEYS.items()}
    own |= {new: config[old] for old, new in _OPTIONAL_CONFIG_KEYS.items() if old in config}
    heads, width = own["num_attention_heads"], own["hidden_size"]
    if heads < 1 or width % heads or (width // heads) % 2:
        raise ModelFormatError(f"n_embd={width} cannot be split into n_head={heads} heads of even size")
    own["vocab_size"] = _round_up(own["vocab_size"], int(config.get("pad_vocab_size_multiple") or 1))
    own["intermediate_size"] = _mlp_width(config, weights)
    own["layer_norm_eps"] = float(config.get("layer_norm_epsilon", _LAYER_NORM_EPS))
    positions = int(config.get("n_positions") or 0)
    own["max_position_embeddings"] = positions if positions > 0 else _POSITIONS_IF_UNSET
    own["rope_parameters"] = _rope_parameters(config)
    return own


def translate_weights(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Puts weights under the names of transformers' `NomicBertModel`; those that have them already stay.

    Args:
        weights: By original name, perhaps all under one prefix such as `bert.`.
    """
    prefix = next(
        (name.removesuffix(_WORD_EMBEDDINGS) for name in weights if name.endswith(_WORD_EMBEDDINGS)), ""
    )
    translated: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        new = name.removeprefix(prefix)
        for pattern, replacement in _WEIGHT_NAMES:
            new = pattern.sub(replacement, new)
        if not _STACKED.search(new):
            translated[new] = tensor
            continue
        if tensor.shape[0] % 3:
            raise ModelFormatError(
                f"{name} has {tensor.shape[0]} rows; queries, keys and values need a multiple of 3"
            )
        for part, chunk in zip(("q", "k", "v"), tensor.chunk(3), strict=True):
            translated[_STACKED.sub(f".self_attn.{part}_proj.", new)] = chunk
    return translated


def _refuse_unsupported(config: Mapping[str, Any]) -> None:
    refused = [
        f"{key}={config[key]!r} (only {value!r} is supported)"
        for key, value in _ONLY_SUPPORTED.items()
        if key in config and config[key] != value
    ]
    if refused:
        raise ModelFormatError(
            f"this NomicBERT needs {'; '.join(refused)}. Export it to ONNX with its own code and use"
            " backend='onnx'."
        )


def _rope_parameters(config: Mapping[str, Any]) -> dict[str, Any]:
    base = float(config["rotary_emb_base"])
    factor = config.get("rotary_scaling_factor")
    if not factor:
        return {"rope_type": "default", "rope_theta": base}
    return {
        "rope_type": "dynamic",
        "rope_theta": base,
        "factor": float(factor),
        "original_max_position_embeddings": int(config.get("max_trained_positions") or _POSITIONS_IF_UNSET),
    }


def _mlp_width(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> int:
    """Width of the gated MLP: as the config asks, rounded up unless the weights are exactly as asked."""
    asked = int(config.get("n_inner") or 8 * int(config["n_embd"]) / 3)
    stored = weights.get("layers.0.mlp.up_proj.weight")
    if stored is not None and stored.shape[0] == asked:
        return asked
    return _round_up(asked, _MLP_MULTIPLE)


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
