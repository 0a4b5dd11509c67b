"""Sound models and the same models broken in one way each, from real weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from safetensors.numpy import load_file, save_file

from romaine.evaluate.contract import BLANK, ODD, TEXTS
from romaine.evaluate.probes import load_probes
from romaine.memory.terms import document_text
from romaine.models.card import ModelCard
from romaine.models.card_json import read_card, write_card
from romaine.models.catalog import BUNDLED_FOLDER
from romaine.models.tables import read_table, write_table
from romaine.text.tokenizer import Tokenizer

INT8 = Path("onnx") / "model_int8.onnx"
TOKEN_STATES = "last_hidden_state"


def bundled_matrix() -> np.ndarray:
    return read_table(BUNDLED_FOLDER / "model.safetensors").matrix


def write_static(
    folder: Path,
    matrix: np.ndarray,
    *,
    bits: int,
    changed: Callable[[ModelCard], ModelCard] = lambda card: card,
) -> Path:
    """The bundled model with another table."""
    folder.mkdir(parents=True)
    shutil.copy(BUNDLED_FOLDER / "tokenizer.json", folder)
    write_table(folder, matrix=matrix, bits=bits)
    card = read_card(BUNDLED_FOLDER / "romaine.json")
    write_card(changed(replace(card, sha256={}, bundled=False)), folder)
    return folder


def claiming(folder: Path, *languages: str) -> Path:
    """The bundled model, which knows English, with a card that says more."""
    said = ("en", *languages)
    return write_static(folder, bundled_matrix(), bits=8, changed=lambda card: replace(card, languages=said))


def shuffled_table(folder: Path) -> Path:
    matrix = bundled_matrix()
    return write_static(folder, np.random.default_rng(0).permutation(matrix), bits=8)


def reversed_components(folder: Path) -> Path:
    """As good as ever at full dim; the dims it claims were not trained."""
    return write_static(folder, bundled_matrix()[:, ::-1], bits=8)


def nan_table_row(folder: Path) -> Path:
    """One row of a static table is not a number."""
    write_static(folder, bundled_matrix(), bits=32)
    weights = load_file(folder / "model.safetensors")
    table = weights["table"].copy()
    table[len(table) // 2] = np.nan
    save_file({"table": table}, folder / "model.safetensors")
    return folder


def nan_embedding_row(source: Path, folder: Path, *, swept: int) -> Path:
    """One row of the int8 file's embeddings is not a number, that of a token no other check ever meets.

    It is among those that a sweep of so many tokens runs.
    """
    shutil.copytree(source, folder)
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    met = tokenizer.encode(every_text()).ids
    run = np.linspace(0, tokenizer.vocab_size - 1, swept).astype(np.int64)
    unmet = np.setdiff1d(run[run > 2000], met)
    graph = onnx.load(folder / INT8)
    name = "inner.embeddings.word_embeddings.weight_scale"
    scales = next(item for item in graph.graph.initializer if item.name == name)
    values = numpy_helper.to_array(scales).copy()
    values[unmet[0]] = np.nan
    scales.CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(graph, folder / INT8)
    return folder


def nan_in_a_pickle(source: Path, folder: Path, *, token: int) -> Path:
    """The same in the weights of a transformer that are kept in a pickle, which nobody can look into."""
    import torch

    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    weights = {
        name: torch.from_numpy(value) for name, value in load_file(source / "model.safetensors").items()
    }
    next(value for name, value in weights.items() if name.endswith("word_embeddings.weight"))[token] = (
        torch.nan
    )
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def clipped_vectors(folder: Path) -> Path:
    """Its card says that components of 0.01 are the largest, so that int8 vectors keep little but signs."""

    def clipped(card: ModelCard) -> ModelCard:
        return replace(card, int8_ranges={card.full_dim: 0.01})

    return write_static(folder, bundled_matrix(), bits=8, changed=clipped)


def every_text() -> list[str]:
    probes = load_probes()
    calibration = (BUNDLED_FOLDER.parent / "calibration.txt").read_text(encoding="utf-8").splitlines()
    pairs = [text for pair in probes.pairs for text in (pair.first, pair.second)]
    turns = [document_text(turn.text, turn.speaker) for turn in probes.turns]
    return [*pairs, *turns, *(item.text for item in probes.questions), *calibration, *TEXTS, *BLANK, *ODD]


def swapped_layers(source: Path, folder: Path) -> Path:
    """The first and the last layer change places."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    names = {"layer.0.": "layer.5.", "layer.5.": "layer.0."}
    weights = load_file(source / "model.safetensors")
    save_file(
        {_renamed(name, names): tensor for name, tensor in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return folder


def pooled_by_first_token(source: Path, folder: Path) -> Path:
    """Its config asks for the first token's state, the model was trained for the mean."""
    shutil.copytree(source, folder)
    path = folder / "1_Pooling" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    modes = {key: key == "pooling_mode_cls_token" for key in config if key.startswith("pooling_mode")}
    path.write_text(json.dumps(config | modes), encoding="utf-8")
    return folder


def with_full_precision(source: Path, minilm: Path, folder: Path) -> Path:
    """The int8 file and the weights that it was made of in one folder."""
    shutil.copytree(source, folder)
    shutil.copy(minilm / "model.safetensors", folder)
    return folder


def calibrated_wrongly(source: Path, folder: Path) -> Path:
    """The scales of three of the int8 file's matrices are half of what they should be."""
    shutil.copytree(source, folder)
    wrong = {"val_180_scale", "val_251_scale", "val_322_scale"}
    graph = onnx.load(folder / INT8)
    tensors = [item for item in graph.graph.initializer if item.name in wrong]
    assert len(tensors) == len(wrong)
    for tensor in tensors:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) / 2, tensor.name))
    onnx.save(graph, folder / INT8)
    return folder


def pooled_graph(source: Path, folder: Path, *, normalised: bool, masked: bool = True) -> Path:
    """The int8 file with the mean over its token states inside; `modules.json` claims unit vectors."""
    shutil.copytree(source, folder)
    model = onnx.load(folder / INT8)
    mask = "pool_mask" if masked else "pool_all"
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["pool_flat"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["pool_flat", "pool_axis"], ["pool_mask"]),
        helper.make_node("Max", ["pool_mask", "pool_unit"], ["pool_all"]),  # ones, where padding is, too
        helper.make_node("Mul", [TOKEN_STATES, mask], ["pool_kept"]),
        helper.make_node("ReduceSum", ["pool_kept", "pool_one"], ["pool_sum"], keepdims=0),
        helper.make_node("ReduceSum", [mask, "pool_one"], ["pool_count"], keepdims=0),
    ]
    last = "pool_mean" if normalised else "sentence_embedding"
    nodes.append(helper.make_node("Div", ["pool_sum", "pool_count"], [last]))
    if normalised:
        nodes.append(helper.make_node("LpNormalization", [last], ["sentence_embedding"], axis=-1, p=2))
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([2], dtype=np.int64), "pool_axis"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "pool_one"),
            numpy_helper.from_array(np.array([1], dtype=np.float32), "pool_unit"),
        ]
    )
    model.graph.output.append(
        helper.make_tensor_value_info("sentence_embedding", onnx.TensorProto.FLOAT, ["batch", 384])
    )
    onnx.save(model, folder / INT8)
    return folder


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if old in name:
            return name.replace(old, new)
    return name
