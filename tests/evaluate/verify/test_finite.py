from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from romaine import Embedder
from romaine.errors import ModelFormatError
from romaine.evaluate.verify.finite import sweep_vocabulary, unsound_tensors
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel

CARD = ModelCard(id="m", kind="static", full_dim=4, dims=(4,))


def local(*paths: Path) -> LocalModel:
    files = {f"weights:{number}": path for number, path in enumerate(paths)}
    return LocalModel(id="m", folder=paths[0].parent, layout="test", card=CARD, files=files)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_finds_the_tensor(dtype: type[np.floating], value: float, tmp_path: Path) -> None:
    wrong = np.ones((40, 3), dtype=dtype)
    wrong[17, 1] = value
    path = tmp_path / "model.safetensors"
    save_file({"a": np.ones((5, 2), dtype=dtype), "b": wrong, "ids": np.arange(9)}, path)
    assert unsound_tensors(local(path)) == ["b"]


def test_finds_it_in_bfloat16(tmp_path: Path) -> None:
    """numpy does not know the type; NaN and infinity have all eight exponent bits set."""
    largest, one, infinite = 0x7F7F, 0x3F80, 0xFF80
    values = np.array([largest, one, infinite], dtype="<u2").tobytes()
    header = {
        "good": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
        "bad": {"dtype": "BF16", "shape": [1], "data_offsets": [4, 6]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)
    assert unsound_tensors(local(path)) == ["bad"]


def test_sound_weights_of_several_files_are_sound(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.safetensors" for number in range(2)]
    for path in paths:
        save_file({"a": np.ones((5, 2), dtype=np.float32), "empty": np.ones((0, 2), np.float32)}, path)
    assert unsound_tensors(local(*paths, tmp_path / "tokenizer.json")) == []


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\x05\x00\x00\x00\x00\x00\x00\x00hello")
    with pytest.raises(ModelFormatError, match=r"damaged safetensors header .* Download"):
        unsound_tensors(local(path))


class NanAtToken:
    """A table one of whose rows is not a number."""

    def __init__(self, inner: object, token: int) -> None:
        self.inner = inner
        self.token = token
        self.max_tokens = None

    def split(self, texts, truncate):
        return self.inner.split(texts, truncate)

    def encode(self, inputs):
        vectors = self.inner.encode(inputs).copy()
        for row, ids in enumerate(inputs.to_lists()):
            if self.token in ids:
                vectors[row] = np.nan
        return vectors


@pytest.mark.parametrize("token", [0, 12_345, 30_521])
def test_the_sweep_meets_every_token(token: int) -> None:
    opened = Embedder().opened
    tokenizer = opened.local.path("tokenizer")
    found = sweep_vocabulary(NanAtToken(opened.backend, token), tokenizer)
    assert found.tokens == 30_522
    assert len(found.unsound) == 1
    assert found.unsound[0] <= token < found.unsound[0] + 64
    assert sweep_vocabulary(opened.backend, tokenizer).unsound == ()


def test_of_a_large_vocabulary_a_part_is_run() -> None:
    opened = Embedder().opened
    found = sweep_vocabulary(opened.backend, opened.local.path("tokenizer"), max_tokens=1000)
    assert found.tokens == 1000


def test_a_backend_that_takes_texts_is_not_swept(static_embedding_folder: Path) -> None:
    opened = Embedder(static_embedding_folder, backend="sentence-transformers").opened
    assert sweep_vocabulary(opened.backend, opened.local.path("tokenizer")).tokens == 0
