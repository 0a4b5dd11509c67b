"""NomicBERT as it is published: original keys and names, rotary scaling, against a second implementation."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from romaine.backends.base import Truncate
from romaine.backends.torch import TorchBackend
from romaine.errors import ModelFormatError
from tests.backends.nomic_reference import Reference
from tests.backends.torch_helpers import LONG, TEXTS, cosines, edit_config, open_folder, vectors_of


@pytest.fixture(scope="module")
def nomic(nomic_folder: Path) -> TorchBackend:
    return open_folder(nomic_folder, 64)


@pytest.fixture
def copied(nomic_folder: Path, tmp_path: Path) -> Path:
    """A NomicBERT folder to spoil."""
    return Path(shutil.copytree(nomic_folder, tmp_path / "copied"))


@pytest.mark.parametrize("fixture", ["nomic_folder", "nomic_odd_folder"])
def test_nomic_equals_the_reference(fixture: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(fixture)
    reference = Reference(folder)
    backend = open_folder(folder, reference.config["n_embd"])
    pieces = backend.split([*TEXTS, LONG], Truncate.END)
    for index, ids in enumerate(pieces.inputs.to_lists()):  # type: ignore[attr-defined]
        ours = backend.encode(pieces.inputs.take(np.array([index])))  # type: ignore[arg-type]
        np.testing.assert_allclose(ours[0], reference.vector(ids).numpy(), atol=2e-4)


def test_every_length_around_the_trained_one_equals_the_reference(
    nomic_folder: Path, nomic: TorchBackend
) -> None:
    reference = Reference(nomic_folder)
    ids = torch.arange(1000, 1150)[None]
    for length in (1, 2, 63, 64, 65, 66, 128, 150):
        states = nomic.module(input_ids=ids[:, :length]).last_hidden_state[0]
        expected = reference.token_states(ids[0, :length].tolist())
        np.testing.assert_allclose(states.numpy(), expected.numpy(), atol=1e-3)


def test_rotary_scaling_is_asked_for_by_the_config_only(nomic_folder: Path, copied: Path) -> None:
    edit_config(copied, rotary_scaling_factor=None)
    plain = open_folder(copied, 64)
    assert plain.uniform_above is None
    scaled = open_folder(nomic_folder, 64)
    assert scaled.uniform_above == 64
    assert cosines(vectors_of(plain, TEXTS[:1]), vectors_of(scaled, TEXTS[:1]))[0] > 0.99999
    assert cosines(vectors_of(plain, [LONG]), vectors_of(scaled, [LONG]))[0] < 0.999


def test_results_do_not_depend_on_earlier_calls(nomic: TorchBackend) -> None:
    before = vectors_of(nomic, TEXTS[:1])
    long_before = vectors_of(nomic, [LONG[:400]])
    vectors_of(nomic, [LONG])
    np.testing.assert_array_equal(vectors_of(nomic, TEXTS[:1]), before)
    np.testing.assert_array_equal(vectors_of(nomic, [LONG[:400]]), long_before)


def test_threads_of_different_lengths_do_not_disturb_each_other(nomic: TorchBackend) -> None:
    texts = [LONG[: 40 * (index + 1)] for index in range(16)]
    expected = [vectors_of(nomic, [text]) for text in texts]
    with ThreadPoolExecutor(32) as threads:
        found = list(threads.map(lambda text: vectors_of(nomic, [text]), texts * 4))
    for index, vector in enumerate(found):
        assert cosines(vector, expected[index % 16])[0] > 0.99999


@pytest.mark.parametrize("prefix", ["", "bert.", "nomic_bert.", "model.bert."])
def test_weights_may_have_a_prefix_and_training_heads(copied: Path, nomic: TorchBackend, prefix: str) -> None:
    weights = load_file(copied / "model.safetensors")
    renamed = {prefix + name: tensor for name, tensor in weights.items()}
    renamed["cls.predictions.decoder.bias"] = torch.zeros(3)
    save_file(renamed, copied / "model.safetensors")
    np.testing.assert_allclose(
        vectors_of(open_folder(copied, 64), TEXTS), vectors_of(nomic, TEXTS), atol=1e-5
    )


def test_config_in_transformers_own_keys(copied: Path, nomic: TorchBackend) -> None:
    config = nomic.module.config.to_dict()  # type: ignore[union-attr, operator]
    config |= {"_name_or_path": "somebody/else", "attn_implementation": "kernels-community/flash-attn"}
    (copied / "config.json").write_text(json.dumps(config))
    save_file(dict(nomic.module.state_dict()), copied / "model.safetensors")
    native = open_folder(copied, 64)
    assert native.uniform_above == 64
    np.testing.assert_allclose(vectors_of(native, [LONG]), vectors_of(nomic, [LONG]), atol=1e-5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prenorm", True),
        ("rotary_emb_interleaved", True),
        ("rotary_emb_fraction", 0.5),
        ("activation_function", "geglu"),
        ("qkv_proj_bias", True),
        ("mlp_fc2_bias", True),
        ("causal", True),
        ("use_rms_norm", True),
    ],
)
def test_unsupported_config_values_are_named(copied: Path, key: str, value: object) -> None:
    edit_config(copied, **{key: value})
    with pytest.raises(ModelFormatError, match=f"{key}={value!r}"):
        open_folder(copied, 64)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_head": 7},
        {"n_head": 0},
        {"n_embd": "wide"},
        {"n_layer": None},
        {"rotary_emb_base": None},
        {"n_layer": 4},
    ],
)
def test_impossible_config_values(copied: Path, changes: dict[str, object]) -> None:
    edit_config(copied, **changes)
    with pytest.raises(ModelFormatError):
        open_folder(copied, 64)
