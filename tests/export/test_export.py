"""Exported files against torch, with real weights and small random models; and files that must not exist."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

from romaine import Embedder
from romaine.arrays import Pooling, l2_normalize, layer_norm
from romaine.errors import ModelFormatError, OptionError
from romaine.export import ExportReport, Limits, Parity, export_model
from romaine.export import export as exporting
from romaine.export.export import HEAD_FILE
from romaine.export.graph import EmbeddingGraph, trace
from tests import model_folders


def varied_texts(minilm: Path, count: int) -> list[str]:
    """Texts of 0 to 120 words drawn from the vocabulary, most of them short."""
    words = [
        word
        for word in (minilm / "vocab.txt").read_text("utf-8").splitlines()
        if word.isalpha() and len(word) > 2
    ]
    rng = random.Random(0)
    return [" ".join(rng.choices(words, k=int(120 * rng.random() ** 3))) for _ in range(count)]


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", one, other)


def test_minilm_files_keep_the_contract(minilm_export: ExportReport) -> None:
    fp32, int8 = minilm_export.files
    assert fp32.parity.holds(Limits(worst=0.9999, mean=0.9999))
    assert int8.parity.holds(Limits(worst=0.98, mean=0.995))
    assert int8.size <= 25e6
    assert minilm_export.notes == ()
    for item in minilm_export.files:
        session = ort.InferenceSession(str(item.path))
        assert [(x.name, x.type, x.shape) for x in session.get_inputs()] == [
            ("input_ids", "tensor(int64)", ["batch", "length"]),
            ("attention_mask", "tensor(int64)", ["batch", "length"]),
        ]
        assert [(x.name, x.shape) for x in session.get_outputs()] == [("sentence_embedding", ["batch", 384])]
        ones = np.ones((1, 1), dtype=np.int64)
        (vectors,) = session.run(None, {"input_ids": ones, "attention_mask": ones})
        assert vectors.shape == (1, 384)
    assert {path.name for path in minilm_export.folder.iterdir()} >= {
        "model.fp32.onnx",
        "model.int8.onnx",
        "tokenizer.json",
        "config.json",
        "romaine.json",
    }
    assert not list(minilm_export.folder.glob(".*"))


def test_minilm_against_torch_on_varied_texts(minilm_export: ExportReport, minilm_folder: Path) -> None:
    texts = varied_texts(minilm_folder, 150)
    reference = Embedder(minilm_folder, backend="torch").embed_documents(texts)
    fp32 = cosines(Embedder(minilm_export.folder, variant="fp32").embed_documents(texts), reference)
    int8 = cosines(Embedder(minilm_export.folder, variant="int8").embed_documents(texts), reference)
    assert fp32.min() >= 0.9999
    assert int8.min() >= 0.98
    assert int8.mean() >= 0.995


def test_int8_is_the_default_and_does_not_depend_on_the_batch(minilm_export: ExportReport) -> None:
    embedder = Embedder(minilm_export.folder)
    assert embedder.card.int8_holds
    assert embedder.backend == "onnx"
    texts = ["short", "the lantern swings over seven grey stairs while rain counts the panes " * 3, ""]
    together = embedder.embed_documents(texts)
    alone = np.concatenate([embedder.embed_documents([text]) for text in texts])
    assert cosines(together, alone).min() >= 0.999


@pytest.mark.parametrize("fuse", [False, True])
def test_nomic_follows_rotary_scaling(fuse: bool, nomic_folder: Path, tmp_path: Path) -> None:
    report = export_model(nomic_folder, tmp_path, fuse=fuse)
    assert report.files[0].parity.longest == 256  # four times what it was trained for
    assert report.notes == ()
    ours = Embedder(tmp_path)
    texts = ["a", "word " * 20, "word " * 100, "stone " * 101, "word " * 230, ""]
    reference = Embedder(nomic_folder, backend="torch").embed_documents(texts)
    assert cosines(ours.embed_documents(texts), reference).min() >= 0.9999


def test_modernbert_with_its_prompts(modernbert_folder: Path, tmp_path: Path) -> None:
    export_model(modernbert_folder, tmp_path, int8=True, fuse=True)
    texts = ["a", "word " * 20, "stone " * 90, ""]
    reference = Embedder(modernbert_folder, backend="torch")
    ours = Embedder(tmp_path, variant="fp32")
    assert cosines(ours.embed_queries(texts), reference.embed_queries(texts)).min() >= 0.9999
    assert cosines(ours.embed_documents(texts), reference.embed_documents(texts)).min() >= 0.9999
    assert ours.card.prompts == reference.card.prompts


class _Table(torch.nn.Module):
    """The least that looks like a transformers encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(200, 16)
        self.config = type("Config", (), {"_attn_implementation": "eager"})()

    def set_attn_implementation(self, name: str) -> None:
        self.config._attn_implementation = name

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
        return type("Output", (), {"last_hidden_state": self.table(input_ids) * attention_mask[..., None]})()


@pytest.mark.parametrize("pooling", list(Pooling))
def test_layer_norm_and_every_pooling_are_inside(pooling: Pooling) -> None:
    graph = EmbeddingGraph(_Table(), pooling=pooling, layer_norm=True).eval()
    session = ort.InferenceSession(trace(graph, fuse=False).SerializeToString())
    ids = np.arange(12).reshape(3, 4)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]])
    (found,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    with torch.inference_mode():
        np.testing.assert_allclose(found, graph(torch.from_numpy(ids), torch.from_numpy(mask)), atol=1e-5)
    assert graph.module.config._attn_implementation == "eager"
    plain = EmbeddingGraph(graph.module, pooling=pooling, layer_norm=False)
    with torch.inference_mode():
        unit = plain(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    np.testing.assert_allclose(l2_normalize(layer_norm(unit)), found, atol=1e-2)


def broken(graph: EmbeddingGraph, *, fuse: bool) -> onnx.ModelProto:
    """A graph whose first matrix has been turned around."""
    model = trace(graph, fuse=fuse)
    name = next(node.input[1] for node in model.graph.node if node.op_type == "MatMul")
    weight = next(item for item in model.graph.initializer if item.name == name)
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight)[::-1].copy(), name))
    return model


def test_a_file_that_differs_is_not_written(
    nomic_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "trace", broken)
    with pytest.raises(ModelFormatError, match=r"model.fp32.onnx is not written: .* 0\.\d+ at worst"):
        export_model(nomic_folder, tmp_path)
    assert not list(tmp_path.iterdir())


def test_int8_falls_back_to_what_is_more_exact_and_is_refused_when_nothing_holds(
    nomic_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "INT8", Limits(worst=0.99999, mean=0.99999))
    with pytest.raises(ModelFormatError, match=r"by row.*at worst.*by block.*at worst") as refused:
        export_model(nomic_folder, tmp_path, int8=True)
    assert not (tmp_path / "model.int8.onnx").exists()
    by_row, by_block = map(float, re.findall(r"torch's of (\S+) at worst", str(refused.value)))
    monkeypatch.setattr(exporting, "INT8", Limits(worst=(by_row + by_block) / 2, mean=0.9))
    report = export_model(nomic_folder, tmp_path, int8=True)
    assert report.files[1].how.endswith("int8 by block")


def test_nan_never_holds() -> None:
    assert not Parity(worst=float("nan"), mean=float("nan"), texts=1, longest=1).holds(
        Limits(worst=0, mean=0)
    )


def test_what_cannot_be_exported_says_why(dense_folder: Path, nomic_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="torch: "):
        export_model(dense_folder, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="folder"):
        export_model(nomic_folder, tmp_path / "file")


@pytest.mark.slow
def test_full_size_nomic_at_4096_tokens(minilm_folder: Path, tmp_path: Path) -> None:
    """137 million parameters with rotary scaling from 2,048 on; exporting compares up to 4,096 tokens."""
    source = model_folders.write_nomic(
        tmp_path / "source", minilm_folder, width=768, heads=12, layers=12, inner=3072, scaling=2.0
    )
    (source / "tokenizer_config.json").unlink()  # says 512, MiniLM's window
    report = export_model(source, tmp_path / "out", fuse=True)
    assert report.files[0].parity.longest == 4096
    assert report.files[0].parity.worst >= 0.9999
    assert Embedder(report.folder).max_tokens == 8192


def test_a_token_head_gives_a_second_output_that_is_checked_too(
    tmp_path: Path, modernbert_folder: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(modernbert_folder, source)
    width = Embedder(source, backend="torch").dim
    head = torch.randn(8, width, generator=torch.Generator().manual_seed(0))
    save_file({"weight": head}, source / HEAD_FILE)
    report = export_model(source, tmp_path / "out", int8=True)
    assert all(item.parity.tokens is not None for item in report.files)
    assert report.files[0].parity.tokens == pytest.approx(1, abs=1e-5)
    embedder = Embedder(tmp_path / "out")
    assert embedder.token_dim == 8
    [found] = embedder.embed_tokens(["a silver key"])
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    (source / HEAD_FILE).write_bytes(b"damaged")
    with pytest.raises(ModelFormatError, match=HEAD_FILE):
        export_model(source, tmp_path / "other")
