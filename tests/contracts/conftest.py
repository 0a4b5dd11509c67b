"""ONNX folders of the models also run on torch: the graph pools and normalises, as lettuce's does."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import onnx
import pytest
import torch

from romaine.backends.base import LoadOptions
from romaine.backends.torch import load_module, pool
from romaine.models.card import ModelCard
from tests.backends.local import local_model


class _Pooled(torch.nn.Module):
    def __init__(self, module: torch.nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.module = module
        self.pooling = card.pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.module(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return torch.nn.functional.normalize(pool(states, attention_mask, self.pooling), dim=-1)


def _export(source: Path, folder: Path, *, full_dim: int) -> Path:
    shutil.copytree(
        source, folder, ignore=shutil.ignore_patterns("*.safetensors", "README.md", "data_config*")
    )
    model = local_model(source, full_dim=full_dim)
    module = load_module(model, model.card, LoadOptions())
    ids = torch.randint(1000, 2000, (2, 40))
    mask = torch.ones_like(ids)
    mask[1, 30:] = 0
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", min=1, max=512)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Pooled(module, model.card).eval(),
            (ids, mask),
            dynamo=True,
            verbose=False,
            dynamic_shapes=(axes, axes),
            input_names=["input_ids", "attention_mask"],
            output_names=["sentence_embedding"],
        )
    assert program is not None
    graph = program.model_proto
    trained = getattr(getattr(module, "rotary_emb", None), "trained", None)
    if trained is not None:
        onnx.helper.set_model_props(graph, {"romaine.uniform_above": str(trained)})
    (folder / "onnx").mkdir()
    onnx.save(graph, folder / "onnx" / "model.onnx")
    return folder


@pytest.fixture(scope="session")
def minilm_onnx_folder(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(minilm_folder, tmp_path_factory.mktemp("onnx") / "minilm", full_dim=384)


@pytest.fixture(scope="session")
def nomic_onnx_folder(nomic_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(nomic_folder, tmp_path_factory.mktemp("onnx") / "nomic", full_dim=64)


@pytest.fixture(scope="session")
def modernbert_onnx_folder(modernbert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _export(modernbert_folder, tmp_path_factory.mktemp("onnx") / "modernbert", full_dim=64)
