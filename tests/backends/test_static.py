"""Static tables against the libraries they come from, and what every batch must have in common."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from safetensors.numpy import save_file

from romaine.backends.base import Backend, LoadOptions, Truncate
from romaine.backends.static import load, sum_rows
from romaine.errors import ModelFormatError, TextTooLongError
from romaine.models.tables import DyT, write_table
from romaine.text.ragged import Ragged
from tests.backends.local import local_model

DIM, VOCAB = 32, 30522
TABLE = np.random.default_rng(0).standard_normal((VOCAB, DIM)).astype(np.float32)
UNKNOWN = "\u4e5a"  # a character BERT's vocabulary lacks
TEXTS = [
    "The key is under the third step!",
    "",
    "   \n\t ",
    "Don't tell her, OK? She'd never forgive us...",
    f"the key {UNKNOWN} {UNKNOWN}",
    "café naïve ΑΣ 中文 👩\u200d🚀 שלום مرحبا",
    "nul \x00 and lone \ud800 surrogate",
    "word " * 700,
]


@pytest.fixture
def folder(tmp_path: Path, minilm_folder: Path) -> Path:
    shutil.copy(minilm_folder / "tokenizer.json", tmp_path)
    return tmp_path


def opened(folder: Path, *, full_dim: int = DIM, **tensors: NDArray[Any]) -> Backend:
    if tensors:
        save_file({name.replace("__", "."): t for name, t in tensors.items()}, folder / "model.safetensors")
    model = local_model(folder, full_dim=full_dim)
    return load(model, model.card, LoadOptions(threads=2))


def embed(backend: Backend, texts: list[str], truncate: Truncate = Truncate.END) -> NDArray[np.float32]:
    return backend.encode(backend.split(texts, truncate).inputs)


def ids_of(folder: Path, text: str) -> list[int]:
    rust = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    rust.no_truncation()
    rust.no_padding()
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    ids: list[int] = rust.encode(clean, add_special_tokens=False).ids
    return ids


def means(folder: Path) -> NDArray[np.float64]:
    rows = [ids_of(folder, text) for text in TEXTS]
    return np.stack([TABLE[ids].astype(np.float64).mean(0) if ids else np.zeros(DIM) for ids in rows])


# --- the vectors ---------------------------------------------------------------------------------------


def test_static_embedding_is_the_mean_and_empty_is_zero(folder: Path) -> None:
    backend = opened(folder, embedding__weight=TABLE)
    vectors = embed(backend, TEXTS)
    assert vectors.dtype == np.float32
    assert_allclose(vectors, means(folder), atol=1e-5, rtol=1e-4)
    assert not vectors[1:3].any()
    assert backend.count_tokens(TEXTS) == [len(ids_of(folder, text)) for text in TEXTS]
    assert embed(backend, []).shape == (0, DIM)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_same_as_sentence_transformers(folder: Path) -> None:
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding

    backend = opened(folder, embedding__weight=TABLE)
    theirs = SentenceTransformer(
        modules=[
            StaticEmbedding(
                tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), embedding_weights=TABLE
            )
        ],
        device="cpu",
    )
    theirs[0].tokenizer.no_truncation()
    texts = [text for text in TEXTS if "\ud800" not in text]
    assert_allclose(embed(backend, texts), theirs.encode(texts), atol=1e-5)


def test_same_as_model2vec(folder: Path) -> None:
    model2vec = pytest.importorskip("model2vec")
    rng = np.random.default_rng(1)
    mapping, weights = rng.integers(0, 500, VOCAB), rng.random(VOCAB).astype(np.float32)
    rust = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs = model2vec.StaticModel(TABLE[:500], rust, weights=weights, token_mapping=mapping)
    theirs.save_pretrained(folder)
    backend = opened(folder)
    assert backend.max_tokens == 512
    texts = [text for text in TEXTS if "\ud800" not in text]
    assert_allclose(embed(backend, texts), theirs.encode(texts), atol=1e-5)


def test_model2vec_leaves_unknown_tokens_out(folder: Path) -> None:
    backend = opened(folder, embeddings=TABLE)
    with_unknown, without, only = embed(backend, [f"the {UNKNOWN} key {UNKNOWN}", "the key", UNKNOWN])
    assert_array_equal(with_unknown, without)
    assert not only.any()


def test_dynamic_tanh_follows_the_mean_but_not_an_empty_text(folder: Path) -> None:
    alpha, gain, shift = np.random.default_rng(2).standard_normal((3, DIM)).astype(np.float32)
    write_table(folder, matrix=TABLE, bits=32, dyt=DyT(alpha=alpha, gain=gain, shift=shift))
    wanted = gain * np.tanh(alpha * means(folder) + shift)
    wanted[1:3] = 0
    assert_allclose(embed(opened(folder), TEXTS), wanted, atol=1e-5)


@pytest.mark.parametrize(("bits", "kept"), [(4, 0.99), (8, 0.9999), (16, 0.99999)])
def test_quantised_tables_point_the_same_way(folder: Path, bits: int, kept: float) -> None:
    write_table(folder, matrix=TABLE, bits=bits)
    vectors, exact = embed(opened(folder), TEXTS), means(folder)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(exact, axis=1)
    cosines = (vectors * exact).sum(1)[norms > 0] / norms[norms > 0]
    assert cosines.mean() > kept


# --- windows -------------------------------------------------------------------------------------------


def test_there_is_no_window(folder: Path) -> None:
    backend = opened(folder, embedding__weight=TABLE)
    assert (backend.max_tokens, backend.pads, backend.uniform_above) == (None, False, None)
    assert backend.split(TEXTS, Truncate.ERROR).truncated == 0


def test_model2vec_has_its_window(folder: Path) -> None:
    backend = opened(folder, embeddings=TABLE)
    assert backend.split(TEXTS, Truncate.END).truncated == 1
    pooled = backend.split(TEXTS, Truncate.POOL)
    assert pooled.truncated == 0
    assert pooled.lengths[-2:].tolist() == [512, 188]
    with pytest.raises(TextTooLongError, match="text 7 has 700 tokens"):
        backend.split(TEXTS, Truncate.ERROR)


# --- summing -------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 40) | st.integers(500, 1600), min_size=1, max_size=40),
    st.integers(0, 99),
)
def test_a_sequence_has_the_same_bits_in_any_batch(lengths: list[int], seed: int) -> None:
    matrix, rng = TABLE[:1000], np.random.default_rng(seed)
    tokens = Ragged.from_lists([rng.integers(0, 1000, length).tolist() for length in lengths])
    together = sum_rows(matrix, tokens)
    order = rng.permutation(len(lengths))
    assert_array_equal(sum_rows(matrix, tokens.take(order)), together[order])
    assert_array_equal(sum_rows(matrix, tokens.take(np.arange(1)))[0], together[0])
    for vector, ids in zip(together, tokens.to_lists(), strict=True):
        exact = matrix[np.array(ids, dtype=np.intp)].astype(np.float64).sum(axis=0)
        assert_allclose(vector, exact, atol=1e-2, rtol=1e-4)


def test_the_sign_of_a_zero_does_not_depend_on_the_batch_either() -> None:
    matrix = np.array([[-0.0, 1.0]], dtype=np.float32)
    alone, many = (sum_rows(matrix, Ragged.from_lists([[0]] * count)) for count in (1, 20))
    assert alone[0].tobytes() == many[0].tobytes()


def test_an_instance_serves_many_threads(folder: Path) -> None:
    backend = opened(folder, embedding__weight=TABLE)
    texts = [f"turn {n}: the key {n * 7 % 13} is under step {n % 5}" for n in range(300)]
    wanted = embed(opened(folder), texts)
    with ThreadPoolExecutor(32) as pool:
        parts = list(pool.map(lambda start: embed(backend, texts[start : start + 10]), range(0, 300, 10)))
    assert_array_equal(np.concatenate(parts), wanted)


def test_ten_megabytes_in_one_text(folder: Path) -> None:
    backend = opened(folder, embedding__weight=TABLE)
    text = "The key is under the third step! " * 310_000
    assert_allclose(embed(backend, [text])[0], embed(backend, [text[:33]])[0], atol=1e-4)


# --- files that do not fit -----------------------------------------------------------------------------


def test_a_tokenizer_of_another_vocabulary(folder: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"30522 tokens, the table vectors for 30521.*same model"):
        opened(folder, embedding__weight=TABLE[:-1].copy())


def test_a_card_of_another_dimension(folder: Path) -> None:
    with pytest.raises(ModelFormatError, match="32 components, its card says 64"):
        opened(folder, full_dim=64, embedding__weight=TABLE)


def test_a_missing_or_damaged_tokenizer(folder: Path) -> None:
    save_file({"embedding.weight": TABLE}, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelFormatError, match=r"tokenizer\.json"):
        opened(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelFormatError, match="no file for 'tokenizer'"):
        opened(folder)


def test_needs_neither_torch_nor_onnxruntime() -> None:
    code = (
        "import sys, romaine.backends.static; print('torch' in sys.modules or 'onnxruntime' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert answer.stdout.strip() == "False"
