from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from romaine.backends.base import Backend, LoadOptions, Truncate
from romaine.backends.sentence_transformers import SentenceTransformersBackend, Texts, load
from romaine.embedder import Embedder
from romaine.errors import IntegrityError, ModelFormatError, OptionError, TextTooLongError, UnsafeModelError
from tests.backends.local import local_model

TEXTS = ["The key is under the third step.", "x", "", "Where did she hide it? " * 6]
LONG = "the lantern swings over seven grey stairs while rain counts the panes " * 30


def open_folder(folder: Path, full_dim: int = 64, **options: object) -> SentenceTransformersBackend:
    model = local_model(folder, full_dim=full_dim)
    return load(model, model.card, LoadOptions(**options))  # type: ignore[arg-type]


def vectors_of(backend: SentenceTransformersBackend, texts: list[str]) -> np.ndarray:
    return backend.encode(backend.split(texts, Truncate.END).inputs)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def modernbert(modernbert_folder: Path) -> SentenceTransformersBackend:
    return open_folder(modernbert_folder)


@pytest.fixture
def copied(dense_folder: Path, tmp_path: Path) -> Path:
    """A folder to spoil."""
    return Path(shutil.copytree(dense_folder, tmp_path / "copied"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_is_a_backend(modernbert: SentenceTransformersBackend) -> None:
    assert isinstance(modernbert, Backend)
    assert (modernbert.full_dim, modernbert.max_tokens, modernbert.pads) == (64, 128, True)


def test_equals_the_library(modernbert_folder: Path, modernbert: SentenceTransformersBackend) -> None:
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(modernbert_folder), device="cpu")
    expected = library.encode(TEXTS, prompt="")
    np.testing.assert_allclose(vectors_of(modernbert, TEXTS), expected, atol=1e-5)
    prompted = library.encode(TEXTS, prompt_name="document")
    ours = vectors_of(modernbert, ["search_document: " + text for text in TEXTS])
    np.testing.assert_allclose(ours, prompted, atol=1e-5)


def test_the_default_prompt_is_not_added_again(
    modernbert_folder: Path, modernbert: SentenceTransformersBackend
) -> None:
    from sentence_transformers import SentenceTransformer

    by_default = SentenceTransformer(str(modernbert_folder), device="cpu").encode(TEXTS[:1])
    assert not np.allclose(vectors_of(modernbert, TEXTS[:1]), by_default, atol=1e-3)


def test_dense_layer_and_normalising_are_part_of_it(dense_folder: Path) -> None:
    backend = open_folder(dense_folder, 48)
    vectors = vectors_of(backend, TEXTS)
    assert (backend.full_dim, vectors.shape) == (48, (4, 48))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_static_embedding_of_the_library(static_embedding_folder: Path) -> None:
    backend = open_folder(static_embedding_folder)
    assert (backend.max_tokens, backend.pads) == (None, False)
    table = load_file(static_embedding_folder / "0_StaticEmbedding" / "model.safetensors")["embedding.weight"]
    ids = backend._rust.encode("the key", add_special_tokens=False).ids
    np.testing.assert_allclose(vectors_of(backend, ["the key"])[0], table[ids].mean(dim=0), atol=1e-5)
    assert backend.count_tokens(["the key", ""]) == [2, 0]


def test_no_texts_give_no_vectors(modernbert: SentenceTransformersBackend) -> None:
    assert modernbert.encode(Texts([])).shape == (0, 64)


def test_a_truncate_dim_in_the_config_is_ignored(copied: Path) -> None:
    edit(copied / "config_sentence_transformers.json", truncate_dim=8)
    assert vectors_of(open_folder(copied, 48), TEXTS).shape == (4, 48)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_reaches_every_module(dense_folder: Path, dtype: str) -> None:
    half = open_folder(dense_folder, 48, dtype=dtype)
    assert {parameter.dtype for parameter in half.model.parameters()} == {getattr(torch, dtype)}
    similar = (vectors_of(half, TEXTS) * vectors_of(open_folder(dense_folder, 48), TEXTS)).sum(axis=1)
    assert similar.min() > 0.99


def test_threads_take_turns(modernbert: SentenceTransformersBackend) -> None:
    expected = vectors_of(modernbert, TEXTS)
    with ThreadPoolExecutor(32) as threads:
        found = list(threads.map(lambda _: vectors_of(modernbert, TEXTS), range(48)))
    for vectors in found:
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


# --- windows -----------------------------------------------------------------------------------------------


def test_counts_and_limits(modernbert: SentenceTransformersBackend) -> None:
    assert modernbert.count_tokens(["", "hello world"]) == [2, 4]
    pieces = modernbert.split([LONG, "short"], Truncate.END)
    assert (pieces.truncated, pieces.lengths.tolist()) == (1, [128, 3])
    with pytest.raises(TextTooLongError, match="text 1 has 3"):
        modernbert.split(["short", LONG], Truncate.ERROR)


def test_windows_cover_the_text_without_overlap(modernbert: SentenceTransformersBackend) -> None:
    texts = ["short", LONG, "", "an unbelievablyantidisestablishmentarian word " * 60]
    pieces = modernbert.split(texts, Truncate.POOL)
    assert pieces.truncated == 0
    assert pieces.lengths.max() <= 128
    assert sorted(set(pieces.owner.tolist())) == [0, 1, 2, 3]
    windows = pieces.inputs.texts  # type: ignore[attr-defined]
    for index, text in enumerate(texts):
        own = [window for window, owner in zip(windows, pieces.owner, strict=True) if owner == index]
        assert "".join(own) == text
    total = sum(modernbert.count_tokens(texts)) - 2 * len(texts)
    assert int(pieces.lengths.sum()) - 2 * len(windows) == total


def test_a_word_longer_than_the_window_is_cut_all_the_same(modernbert: SentenceTransformersBackend) -> None:
    text = "1234567890" * 9 + "e" + "ab" * 4
    pieces = modernbert.split([text * 1 + " " + "é-" * 200], Truncate.POOL)
    assert "".join(pieces.inputs.texts) == text + " " + "é-" * 200  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["lone \ud800 surrogate", "\x00", "\u200b", "👩‍👩‍👧‍👦", "שלום"])
def test_odd_text(modernbert: SentenceTransformersBackend, text: str) -> None:
    assert np.isfinite(vectors_of(modernbert, [text, text * 300])).all()


# --- refusals ----------------------------------------------------------------------------------------------


def test_classes_of_others_need_leave(copied: Path) -> None:
    modules = json.loads((copied / "modules.json").read_text())
    modules[1]["type"] = "os.path.join"
    (copied / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UnsafeModelError, match="trust_remote_code"):
        open_folder(copied, 48)


def test_original_nomic_keys_are_left_to_torch(nomic_folder: Path) -> None:
    with pytest.raises(ModelFormatError, match="backend='torch'"):
        open_folder(nomic_folder)


def test_pickles_in_any_module(copied: Path) -> None:
    path = copied / "2_Dense" / "model.safetensors"
    torch.save(load_file(path), copied / "2_Dense" / "pytorch_model.bin")
    path.unlink()
    with pytest.raises(UnsafeModelError, match="allow_pickle=True"):
        open_folder(copied, 48)
    assert vectors_of(open_folder(copied, 48, allow_pickle=True), TEXTS).shape == (4, 48)


def without_safetensors(copied: Path, name: str) -> None:
    """Has the dense layer's weights in a pickle of that name only."""
    path = copied / "2_Dense" / "model.safetensors"
    torch.save(load_file(path), copied / "2_Dense" / name)
    path.unlink()


@pytest.mark.parametrize("decoy", ["2_Dense/decoy.safetensors", "2_Dense/model.safetensors.index.json"])
def test_no_decoy_makes_a_pickle_safe(decoy: str, copied: Path) -> None:
    """The library opens `pytorch_model.bin` wherever `model.safetensors` is not in the same folder."""
    without_safetensors(copied, "pytorch_model.bin")
    shutil.copy(copied / "model.safetensors", copied / decoy)
    with pytest.raises(UnsafeModelError, match=r"2_Dense/pytorch_model\.bin is a pickle without"):
        open_folder(copied, 48)


@pytest.mark.parametrize(
    "name",
    [
        "adapter_model.bin",
        "2_Dense/weights.PT",
        "2_Dense/inner/pytorch_model.bin",
        "2_Dense/other.pkl",
        "unlisted/pytorch_model.bin.index.json",
        "unlisted/pytorch_model-00001-of-00002.bin",
    ],
)
def test_a_pickle_without_its_safetensors_is_refused(name: str, copied: Path) -> None:
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_bytes(b"\x80pickle")
    with pytest.raises(UnsafeModelError, match="allow_pickle=True"):
        open_folder(copied, 48)
    assert open_folder(copied, 48, allow_pickle=True).full_dim == 48


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "pytorch_model-00001-of-00002.bin",
        "2_Dense/pytorch_model.bin",
        "training_args.bin",
        "optimizer.pt",
        "rng_state_0.pth",
    ],
)
def test_a_pickle_that_safetensors_stand_in_for_is_passed_over(name: str, copied: Path) -> None:
    (copied / name).write_bytes(b"\x80 whatever this is, nobody opens it")
    assert vectors_of(open_folder(copied, 48), TEXTS).shape == (4, 48)


def test_the_embedder_refuses_a_later_modules_pickle_before_reading_it(copied: Path) -> None:
    without_safetensors(copied, "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match="allow_pickle=True"):
        Embedder(copied).warm_up()
    allowed = Embedder(copied, allow_pickle=True)
    first = allowed.fingerprint
    assert allowed.opened.local.path("module:2_Dense:file:pytorch_model.bin").is_file()
    weights = torch.load(copied / "2_Dense" / "pytorch_model.bin", weights_only=True)
    torch.save({name: -tensor for name, tensor in weights.items()}, copied / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(IntegrityError, match="has changed"):
        Embedder(copied, allow_pickle=True).warm_up()
    assert first


@pytest.mark.parametrize("name", ["2_Dense/model.safetensors", "vocab.txt", "unlisted.json", "2_Dense"])
def test_what_is_really_elsewhere_is_refused(name: str, copied: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    path = copied / name
    if path.exists():
        path.rename(target)
    else:
        target.touch()
    path.symlink_to(target)
    with pytest.raises(ModelFormatError, match="outside the model's folder"):
        open_folder(copied, 48)


def test_a_tokenizer_that_grows_without_bound_is_refused(copied: Path) -> None:
    tenfold = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    edit(copied / "tokenizer.json", normalizer={"type": "Sequence", "normalizers": [tenfold] * 20})
    with pytest.raises(ModelFormatError, match="are allowed"):
        open_folder(copied, 48)


@pytest.mark.parametrize("content", ["[" * 100_000, "5", '["x"]', '[{"type": {}}, 3]', "null"])
@pytest.mark.parametrize("name", ["modules.json", "config.json"])
def test_odd_json_is_our_error(name: str, content: str, copied: Path) -> None:
    (copied / name).write_text(content)
    with pytest.raises((ModelFormatError, UnsafeModelError)):
        open_folder(copied, 48)


def test_truncated_weights(copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelFormatError, match="cannot load"):
        open_folder(copied, 48)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "2_Dense/config.json"])
def test_missing_file(copied: Path, missing: str) -> None:
    (copied / missing).unlink()
    with pytest.raises(ModelFormatError):
        open_folder(copied, 48)


def test_a_prompt_left_out_of_the_pooling_is_refused(copied: Path) -> None:
    edit(copied / "1_Pooling" / "config.json", include_prompt=False)
    with pytest.raises(ModelFormatError, match="include_prompt"):
        open_folder(copied, 48)


@pytest.mark.parametrize("options", [{"device": "gpu"}, {"dtype": "int4"}])
def test_options_without_meaning(modernbert_folder: Path, options: dict[str, str]) -> None:
    with pytest.raises(OptionError):
        open_folder(modernbert_folder, **options)


def test_importing_without_the_library_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['sentence_transformers'] = None\n"
        "from romaine.errors import MissingExtraError\n"
        "try:\n    import romaine.backends.sentence_transformers\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'romaine[sentence-transformers]'" in done.stdout
