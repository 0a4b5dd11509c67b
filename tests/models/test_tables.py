"""Each layout that static tables are published in, and what damaged ones say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from safetensors.numpy import save_file

from romaine.errors import ModelFormatError, OptionError, VectorError
from romaine.models.tables import SSE_CODES, DyT, StaticTable, read_table, write_table

VOCAB, DIM = 30, 8
RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((VOCAB, DIM)).astype(np.float32)
VECTORS = RNG.standard_normal((5, DIM)).astype(np.float32)


def read(folder: Path, config: Path | None = None, **tensors: NDArray[Any]) -> StaticTable:
    path = folder / "model.safetensors"
    save_file({name.replace("__", "."): np.ascontiguousarray(t) for name, t in tensors.items()}, path)
    return read_table(path, config=config)


# --- published layouts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_static_embedding(tmp_path: Path, dtype: Any) -> None:
    table = read(tmp_path, embedding__weight=MATRIX.astype(dtype))
    assert table.matrix.dtype == np.float32
    assert_array_equal(table.matrix, MATRIX.astype(dtype).astype(np.float32))
    assert (table.dyt, table.drops_unknown, table.max_tokens) == (None, False, None)


def test_model2vec_folds_mapping_and_weights(tmp_path: Path) -> None:
    mapping, weights = RNG.integers(0, VOCAB, 50), RNG.random(50).astype(np.float32)
    table = read(tmp_path, embeddings=MATRIX.astype(np.float16), mapping=mapping, weights=weights)
    assert_allclose(table.matrix, MATRIX.astype(np.float16)[mapping] * weights[:, None], rtol=1e-3)
    assert table.drops_unknown


def test_model2vec_in_int8(tmp_path: Path) -> None:
    codes = np.rint(MATRIX * 40).astype(np.int8)
    assert_array_equal(read(tmp_path, embeddings=codes).matrix, codes.astype(np.float32))


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, 512), ({"max_length": 64}, 64), ({"max_length": None}, None)]
)
def test_model2vec_window(tmp_path: Path, settings: dict[str, Any], expected: int | None) -> None:
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert read(tmp_path, config=tmp_path / "config.json", embeddings=MATRIX).max_tokens == expected
    assert read(tmp_path, embeddings=MATRIX).max_tokens == 512


@pytest.mark.parametrize("content", ["{", "[]", '{"max_length": "long"}', '{"max_length": 0}'])
def test_model2vec_with_a_damaged_config(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelFormatError, match=r"config\.json"):
        read(tmp_path, config=tmp_path / "config.json", embeddings=MATRIX)


def test_sse_under_its_own_names(tmp_path: Path) -> None:
    alpha, beta, bias = RNG.standard_normal((3, DIM)).astype(np.float32)
    dyt = read(tmp_path, embedding__weight=MATRIX, dyt__alpha=alpha, dyt__beta=beta, dyt__bias=bias).dyt
    assert dyt is not None
    assert_allclose(dyt(VECTORS), beta * np.tanh(alpha * VECTORS + bias), rtol=1e-5)


def test_dynamic_tanh_under_the_paper_s_names(tmp_path: Path) -> None:
    alpha, beta, gamma = RNG.standard_normal((3, DIM)).astype(np.float32)
    dyt = read(tmp_path, embedding__weight=MATRIX, dyt__alpha=alpha, dyt__beta=beta, dyt__gamma=gamma).dyt
    assert dyt is not None
    assert_allclose(dyt(VECTORS), gamma * np.tanh(alpha * VECTORS + beta), rtol=1e-5)


def test_missing_parameters_are_identity_scale_and_zero_shift(tmp_path: Path) -> None:
    dyt = read(tmp_path, embedding__weight=MATRIX, dyt__alpha=np.float32([0.5])).dyt
    assert dyt is not None
    assert_allclose(dyt(VECTORS), np.tanh(0.5 * VECTORS), rtol=1e-5)


def test_sse_in_four_bits(tmp_path: Path) -> None:
    alpha, beta, bias = RNG.standard_normal((3, DIM)).astype(np.float32)
    codes = RNG.integers(0, 16, (VOCAB, DIM), dtype=np.uint8)
    scales = RNG.random(VOCAB).astype(np.float32)
    packed = (codes[:, 0::2] << 4) | codes[:, 1::2]
    (tmp_path / SSE_CODES).write_bytes(packed.tobytes() + scales.tobytes())
    table = read(tmp_path, dyt__alpha=alpha, dyt__beta=beta, dyt__bias=bias)
    assert_allclose(table.matrix, (codes / 7.5 - 1) * scales[:, None], atol=1e-6)
    assert table.dyt is not None
    assert_array_equal(table.dyt.gain, beta)
    elsewhere = (tmp_path / SSE_CODES).rename(tmp_path / "codes")
    assert_array_equal(read_table(tmp_path / "model.safetensors", codes=elsewhere).matrix, table.matrix)


def test_sse_in_four_bits_cut_short(tmp_path: Path) -> None:
    (tmp_path / SSE_CODES).write_bytes(bytes(VOCAB * (DIM // 2 + 4) - 1))
    with pytest.raises(ModelFormatError, match="whole rows"):
        read(tmp_path, dyt__alpha=np.ones(DIM, dtype=np.float32))
    with pytest.raises(ModelFormatError, match=r"dyt\.alpha"):
        read(tmp_path, dyt__beta=np.ones(DIM, dtype=np.float32))


# --- our own layout ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bits", "kept"), [(4, 0.99), (8, 0.9999), (16, 0.999999), (32, 1)])
def test_own_layout_comes_back(tmp_path: Path, bits: int, kept: float) -> None:
    path = write_table(tmp_path / "new" / "folder", matrix=MATRIX, bits=bits)
    restored = read_table(path).matrix
    cosine = (restored * MATRIX).sum(1) / np.linalg.norm(restored, axis=1) / np.linalg.norm(MATRIX, axis=1)
    assert cosine.mean() >= kept - 1e-6
    assert restored.shape == MATRIX.shape


def test_own_layout_with_weights_and_dynamic_tanh(tmp_path: Path) -> None:
    weights = RNG.random(VOCAB).astype(np.float32)
    alpha, gain, shift = RNG.standard_normal((3, DIM)).astype(np.float32)
    dyt = DyT(alpha=alpha, gain=gain, shift=shift)
    table = read_table(write_table(tmp_path, matrix=MATRIX, bits=32, weights=weights, dyt=dyt))
    assert_array_equal(table.matrix, MATRIX * weights[:, None])
    assert table.dyt is not None
    assert_array_equal(table.dyt(VECTORS), dyt(VECTORS))
    assert not table.drops_unknown


def test_writing_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="bits=5"):
        write_table(tmp_path, matrix=MATRIX, bits=5)
    with pytest.raises(VectorError, match=r"\(vocab, dim\)"):
        write_table(tmp_path, matrix=MATRIX[0], bits=8)
    with pytest.raises(VectorError, match="NaN"):
        write_table(tmp_path, matrix=np.full((2, 2), np.nan, dtype=np.float32), bits=8)
    assert not list(tmp_path.iterdir())


# --- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file(tmp_path: Path, keep: int) -> None:
    path = write_table(tmp_path, matrix=MATRIX, bits=32)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFormatError, match="Download the model's files again"):
        read_table(path)


def test_garbage_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)) * 20)
    for name in ("model.safetensors", "missing.safetensors"):
        with pytest.raises(ModelFormatError, match=name):
            read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"something": MATRIX}, "no static table"),
        ({"embedding__weight": MATRIX[0]}, r"\(vocab, dim\)"),
        ({"embedding__weight": MATRIX[:0]}, r"\(vocab, dim\)"),
        ({"embedding__weight": np.where(np.arange(DIM) == 3, np.nan, MATRIX)}, "30 of 30 .* NaN"),
        ({"embeddings": MATRIX, "mapping": np.array([0, VOCAB])}, "rows 0 to 30"),
        ({"embeddings": MATRIX, "mapping": np.array([-1, 0])}, "rows -1"),
        ({"embeddings": MATRIX, "mapping": np.array([0.5])}, "integers"),
        ({"embeddings": MATRIX, "weights": np.ones(VOCAB - 1)}, "weights"),
        ({"embeddings": MATRIX, "weights": np.full(VOCAB, np.inf)}, "infinite"),
        ({"embedding__weight": MATRIX, "dyt__alpha": np.ones(DIM - 1)}, "dyt.alpha"),
        ({"embedding__weight": MATRIX, "dyt__alpha": np.full(DIM, np.nan)}, "NaN"),
        ({"embedding__weight": MATRIX, "dyt__delta": np.ones(DIM)}, "delta"),
        ({"codes": MATRIX.astype(np.int8)}, "'scales' is missing"),
        ({"codes": MATRIX.astype(np.int8), "scales": np.full((VOCAB, 1), np.nan)}, "NaN"),
        ({"codes": MATRIX.astype(np.int8), "scales": np.ones((VOCAB - 1, 1))}, "do not belong"),
        ({"codes": MATRIX.astype(np.uint8), "scales": np.ones((VOCAB, 1))}, "'levels' is missing"),
        ({"codes": MATRIX.astype(np.int16), "scales": np.ones((VOCAB, 1))}, "int16"),
        ({"codes": np.zeros(3, dtype=np.int8), "scales": np.ones((3, 1))}, "codes have the shape"),
    ],
)
def test_tensors_that_make_no_table(tmp_path: Path, tensors: dict[str, NDArray[Any]], words: str) -> None:
    with pytest.raises(ModelFormatError, match=words):
        read(tmp_path, **tensors)


def test_a_small_mapping_that_makes_a_huge_table_is_refused(tmp_path: Path) -> None:
    wide = np.ones((1, 4096), dtype=np.float32)
    with pytest.raises(
        ModelFormatError, match=r"makes a table of 32768000000 bytes of 2000000 tokens; \d+ are"
    ):
        read(tmp_path, embeddings=wide, mapping=np.zeros(2_000_000, dtype=np.uint8))


@pytest.mark.parametrize("length", ["1e999", "[" * 100_000, "true", str(10**30), '"512"', "0"])
def test_model2vec_with_a_window_that_is_none(tmp_path: Path, length: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(f'{{"max_length": {length}}}')
    with pytest.raises(ModelFormatError, match=r"config\.json"):
        read(tmp_path, config, embeddings=MATRIX)
