"""Writes small late-interaction models in the layouts real ones are published in, with MiniLM's tokenizer.

A token's vector is its row of a random table with some of the mean of the text's, so that the same token is
nearly the same everywhere and what stands around it shows all the same.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from tests.model_folders import VOCAB, write_json

TOKEN_DIM = 10
STATES = 16
MARKERS = ("[Q] ", "[D] ")
PYLATE = {
    "query_prefix": MARKERS[0],
    "document_prefix": MARKERS[1],
    "query_length": 32,
    "document_length": 40,
    "attend_to_expansion_tokens": False,
    "skiplist_words": ["!", "?"],
}
COLBERT = {
    "query_token_id": "[unused0]",
    "doc_token_id": "[unused1]",
    "dim": TOKEN_DIM,
    "query_maxlen": 32,
    "doc_maxlen": 40,
}


def write_graph(
    folder: Path, *, outputs: tuple[str, ...], projected: bool = True, name: str = "model.onnx"
) -> Path:
    """A graph that gives `outputs`, "sentence_embedding" and another name for the tokens, or one of both."""
    rng = np.random.default_rng(7)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["rows", "mask3"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "one"], ["sum"], keepdims=1),
        helper.make_node("ReduceSum", ["mask3", "one"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("Mul", ["mean", "share"], ["some"]),
        helper.make_node("Add", ["rows", "some"], ["mixed"]),
    ]
    tokens = next(each for each in outputs if each != "sentence_embedding")
    if projected:
        nodes += [
            helper.make_node("MatMul", ["mixed", "layer"], ["narrow"]),
            helper.make_node("LpNormalization", ["narrow"], [tokens], axis=-1),
        ]
    else:
        nodes += [helper.make_node("Identity", ["mixed"], [tokens])]
    if "sentence_embedding" in outputs:
        nodes += [
            helper.make_node("Squeeze", ["mean", "one"], ["flat"]),
            helper.make_node("LpNormalization", ["flat"], ["sentence_embedding"], axis=-1),
        ]
    width = TOKEN_DIM if projected else STATES
    shapes = {tokens: ("batch", "length", width), "sentence_embedding": ("batch", STATES)}
    initializers = {
        "table": rng.standard_normal((VOCAB + 2, STATES)).astype(np.float32),
        "layer": layer(),
        "last": np.array([2], dtype=np.int64),
        "one": np.array([1], dtype=np.int64),
        "share": np.array(0.5, dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "late",
        [
            helper.make_tensor_value_info(each, TensorProto.INT64, ["batch", "length"])
            for each in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info(each, TensorProto.FLOAT, list(shapes[each])) for each in outputs],
        [numpy_helper.from_array(array, each) for each, array in initializers.items()],
    )
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / name)
    return folder / name


def layer() -> np.ndarray:
    """What the dense layer multiplies by, (STATES, TOKEN_DIM)."""
    return np.random.default_rng(8).standard_normal((STATES, TOKEN_DIM)).astype(np.float32)


def write_tokenizer(folder: Path, minilm: Path, *, markers: bool) -> None:
    """MiniLM's tokenizer, with PyLate's markers as tokens of their own if wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    if not markers:
        shutil.copy(minilm / "tokenizer.json", folder)
        return
    settings = json.loads((minilm / "tokenizer.json").read_text(encoding="utf-8"))
    for number, marker in enumerate(MARKERS):
        flags = {
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": False,
        }
        settings["added_tokens"].append({"id": VOCAB + number, "content": marker, **flags})
    write_json(folder / "tokenizer.json", settings)


def write_own(folder: Path, minilm: Path, *, token_dim: int = TOKEN_DIM) -> Path:
    """As ours are: one graph for both, and a card that says so."""
    write_graph(folder, outputs=("sentence_embedding", "token_embeddings"))
    write_tokenizer(folder, minilm, markers=False)
    write_json(
        folder / "romaine.json",
        {
            "schema": 1,
            "id": folder.name,
            "kind": "BERT",
            "full_dim": STATES,
            "dims": [8, STATES],
            "max_tokens": 32,
            "token_dim": token_dim,
            "backends": ["onnx"],
            "files": {"tokenizer": "tokenizer.json", "onnx:fp32": "model.onnx"},
        },
    )
    return folder


def write_export(folder: Path, minilm: Path, *, config: str = "onnx_config.json") -> Path:
    """As pylate-onnx-export leaves them: the graph, the tokenizer, the settings."""
    write_graph(folder, outputs=("output",))
    write_tokenizer(folder, minilm, markers=True)
    write_json(folder / config, {**PYLATE, "model_type": "ColBERT", "embedding_dim": TOKEN_DIM})
    return folder


def write_pylate(folder: Path, minilm: Path, *, projected: bool, activation: str = "Identity") -> Path:
    """As PyLate saves them, an ONNX file beside it, whole or of the transformer alone."""
    write_graph(folder / "onnx", outputs=("last_hidden_state",), projected=projected)
    write_tokenizer(folder, minilm, markers=True)
    write_json(folder / "config.json", {"model_type": "bert", "hidden_size": STATES})
    write_json(
        folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
        ],
    )
    write_json(folder / "config_sentence_transformers.json", {**PYLATE, "prompts": {}})
    write_json(
        folder / "1_Dense" / "config.json",
        {
            "in_features": STATES,
            "out_features": TOKEN_DIM,
            "bias": False,
            "activation_function": f"torch.nn.modules.linear.{activation}",
        },
    )
    weight = np.ascontiguousarray(layer().T)
    save_file({"linear.weight": weight}, folder / "1_Dense" / "model.safetensors")
    return folder


def write_colbert(folder: Path, minilm: Path, *, metadata: bool = True) -> Path:
    """As Stanford's ColBERT saves them; its markers are words of the vocabulary."""
    write_graph(folder, outputs=("contextual",))
    write_tokenizer(folder, minilm, markers=False)
    write_json(folder / "config.json", {"model_type": "bert", "architectures": ["HF_ColBERT"]})
    if metadata:
        write_json(folder / "artifact.metadata", COLBERT)
    return folder
