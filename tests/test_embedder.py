from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import pickle
import shutil
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from romaine import Embedder, TruncationWarning
from romaine.errors import (
    DimensionError,
    ModelError,
    OptionError,
    TextTooLongError,
    TextTypeError,
    UnknownNameError,
)
from romaine.precision import Precision, similarity

TEXTS = ["The key is under the third step.", "Where is the key?", "", "It rains. " * 30, "naïve 🗝️ Ключ"]


@pytest.fixture(scope="module")
def static(static_embedding_folder):
    return Embedder(static_embedding_folder, allow_untrained_dim=True)


@pytest.fixture(scope="module")
def minilm(minilm_folder):
    return Embedder(minilm_folder, backend="torch")


class TestVectors:
    def test_shape_type_and_norm(self, static):
        vectors = static.embed_documents(TEXTS)
        assert vectors.shape == (5, static.full_dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 1, 1], atol=1e-6)

    def test_slices_are_unit_length_and_share_the_model(self, static):
        narrow = static.with_dim(16)
        assert narrow.dim == 16
        full, sliced = static.embed_documents(TEXTS), narrow.embed_documents(TEXTS)
        expected = (
            full[:, : narrow.dim] / np.maximum(np.linalg.norm(full[:, : narrow.dim], axis=1), 1e-9)[:, None]
        )
        np.testing.assert_allclose(sliced, expected, atol=1e-6)
        assert narrow.fingerprint == static.fingerprint

    def test_nothing_in_nothing_out(self, static):
        assert static.embed_documents([]).shape == (0, static.full_dim)
        assert static.embed_queries(iter([])).shape == (0, static.full_dim)

    def test_one_query_is_a_row_of_many(self, static):
        assert (static.embed_query(TEXTS[1]) == static.embed_queries(TEXTS)[1]).all()

    def test_chunks_do_not_matter(self, static, monkeypatch):
        whole = static.embed_documents(TEXTS)
        monkeypatch.setattr("romaine.pipeline.TEXTS_PER_CHUNK", 2)
        assert (static.embed_documents(TEXTS) == whole).all()

    def test_batches_do_not_matter(self, minilm, minilm_folder):
        small = Embedder(minilm_folder, backend="torch", batch_tokens=16, batch_size=2)
        products = (small.embed_documents(TEXTS) * minilm.embed_documents(TEXTS)).sum(axis=1)
        assert products.min() >= 0.99999

    def test_async_is_sync(self, static):
        async def gather():
            return await asyncio.gather(
                static.aembed_documents(TEXTS), static.aembed_queries(TEXTS), static.aembed_query(TEXTS[0])
            )

        documents, queries, query = asyncio.run(gather())
        assert (documents == static.embed_documents(TEXTS)).all()
        assert (queries == static.embed_queries(TEXTS)).all()
        assert (query == static.embed_query(TEXTS[0])).all()

    def test_threads_load_one_model(self, static_embedding_folder, monkeypatch):
        from romaine.backends import registry

        opened = []
        original = registry.open_model
        monkeypatch.setattr(registry, "open_model", lambda *a, **k: opened.append(1) or original(*a, **k))
        embedder = Embedder(static_embedding_folder)
        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(lambda _: embedder.embed_query(TEXTS[0]), range(32)))
        assert len(opened) == 1
        assert all((result == results[0]).all() for result in results)

    def test_texts_are_not_changed_and_order_is_kept(self, static):
        texts = tuple(TEXTS)
        assert (static.embed_documents(texts)[::-1] == static.embed_documents(texts[::-1])).all()

    def test_count_tokens(self, static, minilm):
        assert static.count_tokens(["the key", ""]) == [2, 0]
        assert minilm.count_tokens(["the key", ""]) == [4, 2]


class TestPrompts:
    def test_prompts_are_prepended_by_role(self, static_embedding_folder):
        plain = Embedder(static_embedding_folder)
        prompted = Embedder(static_embedding_folder, query_prompt="query: ", document_prompt="passage: ")
        assert (prompted.embed_query("key") == plain.embed_query("query: key")).all()
        assert (prompted.embed_documents(["key"]) == plain.embed_documents(["passage: key"])).all()
        assert prompted.fingerprint != plain.fingerprint


class TestLongTexts:
    def test_end_cuts_and_warns_once(self, minilm_folder):
        embedder = Embedder(minilm_folder, backend="torch")
        long = "word " * 600
        with pytest.warns(TruncationWarning, match=r"1 texts exceed the 256 tokens .*truncate=\"pool\""):
            cut = embedder.embed_documents([long, "short"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            embedder.embed_documents([long, long])
        assert embedder.truncated == 3
        np.testing.assert_allclose(cut[0], embedder.embed_query("word " * 254), atol=1e-5)

    def test_error_names_the_text(self, minilm_folder):
        embedder = Embedder(minilm_folder, backend="torch", truncate="error")
        with pytest.raises(TextTooLongError, match="602"):
            embedder.embed_documents(["short", "word " * 600])

    def test_pool_is_the_mean_of_windows_weighted_by_tokens(self, minilm_folder):
        embedder = Embedder(minilm_folder, backend="torch", truncate="pool")
        windows = embedder.embed_documents(["word " * 254, "word " * 46])
        expected = 256 * windows[0] + 48 * windows[1]
        pooled = embedder.embed_documents(["short", "word " * 300])[1]
        np.testing.assert_allclose(pooled, expected / np.linalg.norm(expected), atol=1e-5)


class TestPrecision:
    @pytest.mark.parametrize(
        ("precision", "dtype", "worst"),
        [("float16", np.float16, 1e-3), ("int8", np.int8, 0.03), ("binary", np.uint8, 0.5)],
    )
    def test_codes_compare_like_vectors(self, static_embedding_folder, static, precision, dtype, worst):
        texts = [text for text in TEXTS if text]
        codes = Embedder(static_embedding_folder, precision=precision).embed_documents(texts)
        assert codes.dtype == dtype
        exact = static.embed_documents(texts)
        approximate = similarity(codes, codes, Precision(precision), dim=static.dim)
        assert np.abs(approximate - exact @ exact.T).max() < worst

    def test_int8_codes_do_not_depend_on_the_batch(self, static_embedding_folder):
        embedder = Embedder(static_embedding_folder, precision="int8")
        assert (embedder.embed_documents(TEXTS)[1] == embedder.embed_query(TEXTS[1])).all()


class TestBadInput:
    @pytest.mark.parametrize("texts", ["one text", b"bytes", None, 3, 3.5])
    def test_not_a_list(self, static, texts):
        with pytest.raises(TextTypeError, match="a list of texts is needed"):
            static.embed_documents(texts)

    @pytest.mark.parametrize("item", [None, b"bytes", 7, ["nested"], float("nan")])
    def test_not_a_text_names_the_place_and_not_the_value(self, static, item):
        with pytest.raises(TextTypeError, match=rf"texts\[1\] is {type(item).__name__}"):
            static.embed_queries(["fine", item])
        with pytest.raises(TextTypeError):
            static.embed_query(item)

    @pytest.mark.parametrize("dim", [0, -1, 1.5, "64", True])
    def test_dim_is_no_dimension(self, dim):
        with pytest.raises(OptionError, match="dim="):
            Embedder(dim=dim)

    def test_dim_too_large_or_untrained(self, minilm_folder):
        with pytest.raises(DimensionError, match="choose 1 to 384"):
            Embedder(minilm_folder, backend="torch", dim=385).warm_up()
        with pytest.raises(DimensionError, match=r"not trained for dim=64.*allow_untrained_dim=True"):
            Embedder(minilm_folder, backend="torch", dim=64).embed_query("x")
        allowed = Embedder(minilm_folder, backend="torch", dim=64, allow_untrained_dim=True)
        assert allowed.embed_query("x").shape == (64,)

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("precision", "int4"),
            ("truncate", "middle"),
            ("batch_tokens", 0),
            ("batch_size", -1),
            ("threads", 0),
            ("device", "gpu"),
            ("device", "cuda:x"),
            ("dtype", "f8"),
            ("variant", "q4"),
        ],
    )
    def test_options(self, option, value):
        with pytest.raises(OptionError, match=option):
            Embedder(**{option: value})

    def test_a_typo_is_an_error(self):
        with pytest.raises(TypeError, match="dimension"):
            Embedder(dimension=64)

    def test_unknown_model_and_backend(self, tmp_path):
        with pytest.raises(ModelError):
            Embedder(tmp_path / "nothing").warm_up()
        with pytest.raises(UnknownNameError, match=r"backend 'onyx'.*Did you mean 'onnx'"):
            Embedder(backend="onyx")

    @pytest.mark.filterwarnings("ignore::romaine.UnfamiliarTextWarning")
    @pytest.mark.parametrize(
        "text",
        [
            "\ud800 lone",
            "NUL\x00inside",
            "👩‍👩‍👧‍👦🏳️‍🌈",
            "שלום עולם",
            "世界你好",
            "\u202eabc\u202c",
            " \t\n",
            "a" * 5000,
        ],
    )
    def test_any_text_gives_a_finite_vector(self, static, text):
        vectors = static.embed_documents([text, "normal"])
        assert np.isfinite(vectors).all()
        np.testing.assert_array_equal(vectors[1], static.embed_query("normal"))

    def test_ten_megabytes(self, static):
        text = "The innkeeper counts the silver coins again and again. " * 190_000
        assert len(text) > 10_000_000
        assert np.linalg.norm(static.embed_query(text)) == pytest.approx(1, abs=1e-5)


def test_constructing_touches_nothing(tmp_path):
    embedder = Embedder(tmp_path / "not there yet")
    assert "not there yet" in repr(embedder)


def test_progress_bar_only_on_request(static_embedding_folder, capsys):
    Embedder(static_embedding_folder).embed_documents(TEXTS)
    assert capsys.readouterr().err == ""
    Embedder(static_embedding_folder, show_progress=True).embed_documents(TEXTS)
    assert "embedding" in capsys.readouterr().err


def test_a_pickle_holds_the_settings_and_not_the_model(static_embedding_folder):
    embedder = Embedder(static_embedding_folder, dim=32, allow_untrained_dim=True)
    before = embedder.embed_documents(TEXTS)
    pickled = pickle.dumps(embedder)
    assert len(pickled) < 4096
    np.testing.assert_array_equal(pickle.loads(pickled).embed_documents(TEXTS), before)


def test_a_copy_shares_the_model(static_embedding_folder):
    embedder = Embedder(static_embedding_folder, dim=32, allow_untrained_dim=True).warm_up()
    for copied in (copy.copy(embedder), copy.deepcopy(embedder)):
        assert copied.card is embedder.card
        np.testing.assert_array_equal(copied.embed_query("Where?"), embedder.embed_query("Where?"))


# --- fingerprint -------------------------------------------------------------------------------------------


def edited(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def with_other_weights(folder):
    path, rng = folder / "model.safetensors", np.random.default_rng(0)
    tensors = load_file(path)
    noisy = {name: tensor + 0.1 * rng.standard_normal(tensor.shape) for name, tensor in tensors.items()}
    save_file({name: tensor.astype(np.float32) for name, tensor in noisy.items()}, path)


def with_other_tokenizer(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def stated(**changes):
    return lambda folder: edited(folder / "romaine.json", **changes)


@pytest.fixture
def stating_card(modernbert_folder, tmp_path, monkeypatch):
    """A small ModernBERT with a card that states what is done with it."""
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    shutil.copytree(modernbert_folder, folder)
    with_other_weights(folder)  # or the last norm leaves nothing for a layer norm to do
    card = {"id": "m", "kind": "ModernBERT", "full_dim": 64, "dims": [64], "max_tokens": 64}
    (folder / "romaine.json").write_text(json.dumps({**card, "files": {}}))
    return folder


def fingerprint_of(folder, tmp_path, monkeypatch, **options):
    monkeypatch.setenv("ROMAINE_CACHE", tempfile.mkdtemp(dir=tmp_path))  # as after 'romaine models forget'
    return Embedder(folder, backend="torch", **options).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(with_other_weights, id="weights"),
        pytest.param(with_other_tokenizer, id="tokenizer"),
        pytest.param(stated(pooling="cls"), id="pooling"),
        pytest.param(stated(layer_norm=True), id="layer norm"),
        pytest.param(stated(max_tokens=32), id="window"),
        pytest.param(stated(prompts={"query": "q: "}), id="query prompt"),
        pytest.param(stated(prompts={"document": "d: "}), id="document prompt"),
        pytest.param(lambda folder: edited(folder / "config.json", norm_eps=0.1), id="config"),
    ],
)
def test_the_fingerprint_follows_what_changes_a_vector(change, stating_card, tmp_path, monkeypatch):
    texts = ["The Key is under the third step. " * 12]  # more than either window

    def vectors():
        embedder = Embedder(stating_card, backend="torch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncationWarning)
            return np.concatenate([embedder.embed_documents(texts), embedder.embed_queries(texts)])

    before, first = fingerprint_of(stating_card, tmp_path, monkeypatch), vectors()
    change(stating_card)
    after = fingerprint_of(stating_card, tmp_path, monkeypatch)
    assert not np.allclose(first, vectors(), atol=1e-6)
    assert after != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "README.md").write_text("words"), id="readme"),
        pytest.param(lambda folder: edited(folder / "romaine.json", note="words"), id="note"),
        pytest.param(stated(unit_output=True), id="what others need not normalise"),
        pytest.param(stated(duplicate_threshold=0.9), id="threshold"),
        pytest.param(stated(int8_ranges={"64": 0.2}), id="int8 ranges"),
    ],
)
def test_the_fingerprint_stays_for_the_rest(change, stating_card, tmp_path, monkeypatch):
    before = fingerprint_of(stating_card, tmp_path, monkeypatch)
    change(stating_card)
    assert fingerprint_of(stating_card, tmp_path, monkeypatch) == before


@pytest.mark.parametrize(
    "options",
    [
        {"truncate": "pool"},
        {"batch_size": 1},
        {"batch_tokens": 64},
        {"threads": 1},
        {"precision": "int8"},
        {"dtype": "bfloat16"},
        {"allow_untrained_dim": True, "dim": 50},
    ],
)
def test_the_fingerprint_is_not_of_one_run(options, stating_card, tmp_path, monkeypatch):
    plain = fingerprint_of(stating_card, tmp_path, monkeypatch)
    assert fingerprint_of(stating_card, tmp_path, monkeypatch, **options) == plain


def test_what_the_fingerprint_was_in_earlier_versions(static_embedding_folder):
    embedder = Embedder(static_embedding_folder)
    weights = static_embedding_folder / "0_StaticEmbedding" / "model.safetensors"
    parts = [static_embedding_folder.name, [hashlib.sha256(weights.read_bytes()).hexdigest()], 64, "", ""]
    first = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    assert embedder.legacy_fingerprints == (first,)
    assert embedder.with_dim(32).legacy_fingerprints == (first,)
    assert pickle.loads(pickle.dumps(embedder)).legacy_fingerprints == (first,)
    assert embedder.fingerprint not in embedder.legacy_fingerprints
    assert embedder.with_prompts(query="q: ").legacy_fingerprints != (first,)
