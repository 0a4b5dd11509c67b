"""Writes small random models in the layouts real ones are published in. All use MiniLM's tokenizer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

VOCAB = 30522
PADDED_VOCAB = 30528
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")

NOMIC_CONFIG: dict[str, Any] = {
    "activation_function": "swiglu",
    "architectures": ["NomicBertModel"],
    "attn_pdrop": 0.0,
    "auto_map": {
        "AutoConfig": "nomic-ai/nomic-bert-2048--configuration_hf_nomic_bert.NomicBertConfig",
        "AutoModel": "nomic-ai/nomic-bert-2048--modeling_hf_nomic_bert.NomicBertModel",
    },
    "bos_token_id": None,
    "causal": False,
    "dense_seq_output": True,
    "embd_pdrop": 0.0,
    "eos_token_id": None,
    "fused_bias_fc": True,
    "fused_dropout_add_ln": True,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-12,
    "max_trained_positions": 2048,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "model_type": "nomic_bert",
    "n_positions": 8192,
    "pad_vocab_size_multiple": 64,
    "parallel_block": False,
    "parallel_block_tied_norm": False,
    "prenorm": False,
    "qkv_proj_bias": False,
    "resid_pdrop": 0.0,
    "rotary_emb_base": 1000,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None,
    "torch_dtype": "float32",
    "type_vocab_size": 2,
    "use_flash_attn": True,
    "use_rms_norm": False,
    "use_xentropy": True,
    "vocab_size": PADDED_VOCAB,
}


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def write_tokenizer(folder: Path, minilm: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copy(minilm / name, folder / name)


def write_nomic(
    folder: Path,
    minilm: Path,
    *,
    width: int,
    heads: int,
    layers: int,
    inner: int | None,
    scaling: float | None = None,
    trained: int = 2048,
    positions: int = 8192,
    prefix: str = "",
    seed: int = 0,
) -> Path:
    """NomicBERT in GPT-2's keys and original weight names; norms are random too, so that roles show."""
    write_tokenizer(folder, minilm)
    sizes = {"n_embd": width, "n_head": heads, "n_layer": layers, "n_inner": inner, "n_positions": positions}
    rotary = {"rotary_scaling_factor": scaling, "max_trained_positions": trained}
    write_json(folder / "config.json", {**NOMIC_CONFIG, **sizes, **rotary})
    hidden = -(-(inner or int(8 * width / 3)) // 256) * 256
    rng = np.random.default_rng(seed)
    save_file(
        {prefix + name: tensor for name, tensor in nomic_weights(rng, width, layers, hidden).items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return folder


def nomic_weights(rng: np.random.Generator, width: int, layers: int, hidden: int) -> dict[str, np.ndarray]:
    def matrix(rows: int, columns: int, scale: float = 1.0) -> np.ndarray:
        return (rng.standard_normal((rows, columns)) * scale / np.sqrt(columns)).astype(np.float32)

    def norm(name: str) -> dict[str, np.ndarray]:
        return {
            f"{name}.weight": rng.uniform(0.5, 1.5, width).astype(np.float32),
            f"{name}.bias": (0.1 * rng.standard_normal(width)).astype(np.float32),
        }

    weights = {
        "embeddings.word_embeddings.weight": matrix(PADDED_VOCAB, width, 8.0),
        "embeddings.token_type_embeddings.weight": matrix(2, width),
        **norm("emb_ln"),
    }
    for index in range(layers):
        layer = f"encoder.layers.{index}"
        weights |= {
            # Sharp attention: otherwise positions hardly matter and a wrong rotation would go unnoticed.
            f"{layer}.attn.Wqkv.weight": matrix(3 * width, width, 2.0),
            f"{layer}.attn.out_proj.weight": matrix(width, width),
            f"{layer}.mlp.fc11.weight": matrix(hidden, width),
            f"{layer}.mlp.fc12.weight": matrix(hidden, width),
            f"{layer}.mlp.fc2.weight": matrix(width, hidden),
            **norm(f"{layer}.norm1"),
            **norm(f"{layer}.norm2"),
        }
    return weights


def _modernbert_module(folder: Path, minilm: Path) -> None:
    import torch
    from transformers import ModernBertConfig, ModernBertModel

    config = ModernBertConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=256,
        local_attention=16,
        pad_token_id=0,
        bos_token_id=101,
        cls_token_id=101,
        eos_token_id=102,
        sep_token_id=102,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = ModernBertModel(config)
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", config.to_dict())
    write_tokenizer(folder, minilm)


def _module_list(*kinds: str) -> list[dict[str, object]]:
    return [
        {
            "idx": index,
            "name": str(index),
            "path": "" if kind == "Transformer" else f"{index}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for index, kind in enumerate(kinds)
    ]


def _write_pooling(folder: Path, width: int) -> None:
    modes = {"cls_token": False, "mean_tokens": True, "max_tokens": False, "mean_sqrt_len_tokens": False}
    settings = {f"pooling_mode_{mode}": on for mode, on in modes.items()}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **settings})


def write_modernbert(folder: Path, minilm: Path) -> Path:
    folder.mkdir(parents=True)
    _modernbert_module(folder, minilm)
    write_json(folder / "modules.json", _module_list("Transformer", "Pooling"))
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})
    prompts = {"query": "search_query: ", "document": "search_document: "}
    write_json(
        folder / "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": "query"}
    )
    _write_pooling(folder, 64)
    return folder


def write_dense(folder: Path, minilm: Path) -> Path:
    write_modernbert(folder, minilm)
    write_json(folder / "modules.json", _module_list("Transformer", "Pooling", "Dense", "Normalize"))
    (folder / "3_Normalize").mkdir()
    activation = "torch.nn.modules.activation.Tanh"
    write_json(
        folder / "2_Dense" / "config.json",
        {"in_features": 64, "out_features": 48, "bias": True, "activation_function": activation},
    )
    rng = np.random.default_rng(2)
    weights = {
        "linear.weight": rng.standard_normal((48, 64)).astype(np.float32) / 8,
        "linear.bias": rng.standard_normal(48).astype(np.float32) / 8,
    }
    save_file(weights, folder / "2_Dense" / "model.safetensors", metadata={"format": "pt"})
    return folder


def _table(seed: int, dim: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((VOCAB, dim)).astype(np.float32)


def write_sse(folder: Path, minilm: Path, *, dim: int = 64) -> Path:
    inner = folder / "0_SSE"
    inner.mkdir(parents=True)
    rng = np.random.default_rng(3)
    weights = {
        "embedding.weight": _table(4, dim),
        "dyt.alpha": rng.uniform(0.5, 1.5, dim).astype(np.float32),
        "dyt.beta": (0.1 * rng.standard_normal(dim)).astype(np.float32),
        "dyt.gamma": rng.uniform(0.5, 1.5, dim).astype(np.float32),
    }
    save_file(weights, inner / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(minilm / "tokenizer.json", inner / "tokenizer.json")
    write_json(folder / "modules.json", [{"idx": 0, "name": "0", "path": "0_SSE", "type": "SSE.SSE"}])
    return folder


def write_static_embedding(folder: Path, minilm: Path, *, dim: int = 64) -> Path:
    inner = folder / "0_StaticEmbedding"
    inner.mkdir(parents=True)
    save_file({"embedding.weight": _table(5, dim)}, inner / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(minilm / "tokenizer.json", inner / "tokenizer.json")
    write_json(folder / "modules.json", _module_list("StaticEmbedding"))
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "sentence_transformers.models.StaticEmbedding"
    write_json(folder / "modules.json", modules)
    write_json(folder / "config_sentence_transformers.json", {"prompts": {}, "similarity_fn_name": "cosine"})
    return folder


def write_model2vec(folder: Path, minilm: Path, *, dim: int = 64) -> Path:
    folder.mkdir(parents=True)
    save_file({"embeddings": _table(6, dim)}, folder / "model.safetensors")
    shutil.copy(minilm / "tokenizer.json", folder / "tokenizer.json")
    write_json(
        folder / "config.json",
        {"model_type": "model2vec", "hidden_dim": dim, "normalize": True, "seq_length": 1_000_000},
    )
    return folder
