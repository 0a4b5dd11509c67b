from __future__ import annotations

import json
import logging as std_logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from romaine import arrays
from romaine.arrays import Pooling
from romaine.backends.base import Backend, LoadOptions, Truncate
from romaine.backends.torch import TorchBackend, load, load_module, pool
from romaine.errors import BackendError, ModelFormatError, OptionError, TextTooLongError, UnsafeModelError
from romaine.models.files import LocalModel
from tests.backends.local import local_model
from tests.backends.torch_helpers import LONG, TEXTS, cosines, edit_config, open_folder, vectors_of


@pytest.fixture(scope="module")
def minilm(minilm_folder: Path) -> TorchBackend:
    return open_folder(minilm_folder, 384)


@pytest.fixture(scope="module")
def nomic(nomic_folder: Path) -> TorchBackend:
    return open_folder(nomic_folder, 64)


@pytest.fixture
def copied(nomic_folder: Path, tmp_path: Path) -> Path:
    """A NomicBERT folder to spoil."""
    return Path(shutil.copytree(nomic_folder, tmp_path / "copied"))


# --- what it returns ---------------------------------------------------------------------------------------


def test_is_a_backend(minilm: TorchBackend) -> None:
    assert isinstance(minilm, Backend)
    assert (minilm.full_dim, minilm.max_tokens, minilm.pads, minilm.uniform_above) == (384, 512, True, None)


def test_vectors_are_float32_finite_and_independent_of_padding(minilm: TorchBackend) -> None:
    together = vectors_of(minilm, TEXTS)
    alone = np.concatenate([vectors_of(minilm, [text]) for text in TEXTS])
    assert together.dtype == np.float32
    assert together.shape == (4, 384)
    assert cosines(together, alone).min() > 0.99999


def test_no_texts_give_no_vectors(minilm: TorchBackend) -> None:
    assert vectors_of(minilm, []).shape == (0, 384)


def test_counts_special_tokens(minilm: TorchBackend) -> None:
    assert minilm.count_tokens(["", "hello world"]) == [2, 4]


def test_refuses_too_long_text_when_asked(minilm: TorchBackend) -> None:
    with pytest.raises(TextTooLongError, match="512"):
        minilm.split([LONG * 5], Truncate.ERROR)


@pytest.mark.parametrize("pooling", Pooling)
def test_pooling_equals_the_one_of_arrays(pooling: Pooling) -> None:
    rng = np.random.default_rng(0)
    states = rng.standard_normal((4, 6, 5)).astype(np.float32)
    mask = (np.arange(6) < np.array([6, 3, 1, 0])[:, None]).astype(np.int64)
    ours = pool(torch.from_numpy(states), torch.from_numpy(mask), pooling).numpy()
    np.testing.assert_allclose(ours, arrays.pool(states, mask, pooling), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", [Pooling.CLS, Pooling.LAST, Pooling.MAX])
def test_the_card_decides_on_pooling(minilm_folder: Path, pooling: Pooling, minilm: TorchBackend) -> None:
    model = local_model(minilm_folder, full_dim=384, pooling=pooling)
    backend = TorchBackend(minilm.module, minilm.tokenizer, pooling=model.card.pooling, max_tokens=256)
    other = vectors_of(backend, TEXTS[:1])
    assert cosines(other, vectors_of(minilm, TEXTS[:1]))[0] < 0.99


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_close(nomic_folder: Path, nomic: TorchBackend, dtype: str) -> None:
    half = open_folder(nomic_folder, 64, dtype=dtype)
    assert {parameter.dtype for parameter in half.module.parameters()} == {getattr(torch, dtype)}
    vectors = vectors_of(half, TEXTS)
    assert vectors.dtype == np.float32
    assert cosines(vectors, vectors_of(nomic, TEXTS)).min() > 0.99


def test_modernbert(modernbert_folder: Path) -> None:
    backend = open_folder(modernbert_folder, 64)
    together = vectors_of(backend, TEXTS)
    alone = np.concatenate([vectors_of(backend, [text]) for text in TEXTS])
    assert cosines(together, alone).min() > 0.99999


def test_other_encoders_load_with_their_own_position_limit(minilm_folder: Path, tmp_path: Path) -> None:
    """XLM-RoBERTa keeps the first positions for padding; its checkpoints may carry a prefix and a head."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    config = XLMRobertaConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=130,
        pad_token_id=1,
    )
    weights = {f"roberta.{name}": tensor for name, tensor in XLMRobertaModel(config).state_dict().items()}
    save_file({**weights, "lm_head.bias": torch.zeros(3)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    shutil.copy(minilm_folder / "tokenizer.json", tmp_path)
    backend = open_folder(tmp_path, 32)
    assert backend.max_tokens == 128
    assert np.isfinite(vectors_of(backend, [LONG])).all()


# --- refusals ----------------------------------------------------------------------------------------------


def test_missing_and_unexpected_weights(copied: Path) -> None:
    weights = load_file(copied / "model.safetensors")
    incomplete = {name: tensor for name, tensor in weights.items() if "layers.1.norm2" not in name}
    save_file(incomplete, copied / "model.safetensors")
    with pytest.raises(ModelFormatError, match="2 missing"):
        open_folder(copied, 64)
    save_file({**weights, "encoder.layers.0.attn.Wqkv.bias": torch.zeros(192)}, copied / "model.safetensors")
    with pytest.raises(ModelFormatError, match="not part of this architecture"):
        open_folder(copied, 64)


def test_weights_of_another_shape(copied: Path) -> None:
    edit_config(copied, n_embd=32)
    with pytest.raises(ModelFormatError, match="another shape"):
        open_folder(copied, 32)


def test_truncated_weights(copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelFormatError, match="not a complete safetensors"):
        open_folder(copied, 64)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00"])
def test_damaged_config(copied: Path, content: str) -> None:
    (copied / "config.json").write_text(content)
    with pytest.raises(ModelFormatError, match=r"config.json"):
        open_folder(copied, 64)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_missing_file(copied: Path, missing: str) -> None:
    (copied / missing).unlink()
    with pytest.raises(ModelFormatError):
        open_folder(copied, 64)


def test_unknown_architecture(copied: Path) -> None:
    edit_config(copied, model_type="lettuce_wrap")
    with pytest.raises(UnsafeModelError, match="trust_remote_code"):
        open_folder(copied, 64)
    edit_config(copied, model_type="t5")
    with pytest.raises(ModelFormatError):
        open_folder(copied, 64)


def test_tokenizer_of_a_larger_vocabulary(copied: Path) -> None:
    edit_config(copied, vocab_size=2000, pad_vocab_size_multiple=1)
    weights = load_file(copied / "model.safetensors")
    name = "embeddings.word_embeddings.weight"
    save_file({**weights, name: weights[name][:2000].clone()}, copied / "model.safetensors")
    with pytest.raises(ModelFormatError, match="ids up to 30521"):
        open_folder(copied, 64)


def test_a_card_of_another_dim(nomic_folder: Path) -> None:
    with pytest.raises(ModelFormatError, match="card says 128"):
        open_folder(nomic_folder, 128)


def test_a_dense_layer_is_not_left_out_silently(dense_folder: Path) -> None:
    with pytest.raises(ModelFormatError, match="Dense"):
        open_folder(dense_folder, 64)


class _RunsCode:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("unpickled",))


def test_pickles(copied: Path, nomic: TorchBackend, capsys: pytest.CaptureFixture[str]) -> None:
    weights = load_file(copied / "model.safetensors")
    (copied / "model.safetensors").unlink()
    torch.save(weights, copied / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match="allow_pickle=True"):
        open_folder(copied, 64)
    allowed = open_folder(copied, 64, allow_pickle=True)
    np.testing.assert_array_equal(vectors_of(allowed, TEXTS), vectors_of(nomic, TEXTS))
    torch.save({"embeddings": _RunsCode()}, copied / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match="more than tensors"):
        open_folder(copied, 64, allow_pickle=True)
    assert "unpickled" not in capsys.readouterr().out


def test_sharded_weights(copied: Path, nomic: TorchBackend) -> None:
    weights = load_file(copied / "model.safetensors")
    (copied / "model.safetensors").unlink()
    names = sorted(weights)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, part in halves.items():
        save_file({name: weights[name] for name in part}, copied / file)
    index = {"weight_map": {name: file for file, part in halves.items() for name in part}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    np.testing.assert_array_equal(vectors_of(open_folder(copied, 64), TEXTS), vectors_of(nomic, TEXTS))
    index["weight_map"][names[0]] = "../elsewhere.safetensors"
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFormatError, match="same folder"):
        open_folder(copied, 64)


@pytest.mark.parametrize("device", ["cuda:99", "dml", "cpu:7"])
def test_device_that_is_not_there(nomic_folder: Path, device: str) -> None:
    with pytest.raises(OptionError, match="available: cpu"):
        open_folder(nomic_folder, 64, device=device)


@pytest.mark.parametrize("device", ["gpu", "xpu", "meta"])
def test_device_that_is_none(nomic_folder: Path, device: str) -> None:
    with pytest.raises(OptionError, match="'cpu', 'cuda', 'mps'"):
        open_folder(nomic_folder, 64, device=device)


def test_unknown_dtype(nomic_folder: Path) -> None:
    with pytest.raises(OptionError, match="float32"):
        open_folder(nomic_folder, 64, dtype="int8")


def test_threads_are_set_for_the_process(nomic_folder: Path) -> None:
    before = torch.get_num_threads()
    try:
        open_folder(nomic_folder, 64)
        assert torch.get_num_threads() == before
        open_folder(nomic_folder, 64, threads=1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_failing_runtime_gives_a_typed_error(nomic: TorchBackend) -> None:
    class Failing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = nomic.module.config
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, **_inputs: object) -> object:
            raise RuntimeError("out of memory")

    backend = TorchBackend(Failing(), nomic.tokenizer, pooling=Pooling.MEAN, max_tokens=64)
    with pytest.raises(BackendError, match="batch_tokens"):
        vectors_of(backend, TEXTS)


def test_load_module_is_quiet_and_leaves_settings_alone(
    nomic_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    said: list[str] = []
    listener = std_logging.Handler()
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    std_logging.getLogger("transformers").addHandler(listener)
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        model: LocalModel = local_model(nomic_folder, full_dim=64)
        module = load_module(model, model.card, LoadOptions())
    finally:
        std_logging.getLogger("transformers").removeHandler(listener)
    assert not module.training
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert said == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", ["[" * 100_000, "5", "null"])
@pytest.mark.parametrize("name", ["config.json", "modules.json"])
def test_odd_json_is_our_error(name: str, content: str, copied: Path) -> None:
    (copied / name).write_text(content)
    model = local_model(copied, full_dim=64)
    with pytest.raises(ModelFormatError, match=name.replace(".", r"\.")):
        load(model, model.card, LoadOptions())


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "[]",
        "{}",
        '{"weight_map": 5}',
        '{"weight_map": {"a": {}}}',
        '{"weight_map": {"a": "../x"}}',
    ],
)
def test_an_odd_index_of_shards_is_our_error(content: str, copied: Path) -> None:
    index = copied / "model.safetensors.index.json"
    index.write_text(content)
    model = local_model(copied, full_dim=64)
    model = replace(model, files={**model.files, "weights": index})
    with pytest.raises(ModelFormatError, match=r"index\.json"):
        load(model, model.card, LoadOptions())
