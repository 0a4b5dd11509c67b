"""Settings of `RomaineEmbeddings`: checked, serialised and copied, without loading a model."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps, load
from langchain_core.load.serializable import Serializable
from langchain_romaine import RomaineEmbeddings
from pydantic import SecretStr, ValidationError

from romaine import Embedder
from romaine.errors import MissingExtraError, OptionError

EVERY_SETTING: dict[str, Any] = {
    "model": "nomic-ai/modernbert-embed-base",
    "backend": "onnx",
    "dim": 256,
    "query_prompt": "query: ",
    "document_prompt": "document: ",
    "precision": "float16",
    "truncate": "pool",
    "batch_tokens": 4096,
    "batch_size": 8,
    "threads": 1,
    "device": "cpu",
    "providers": ["CPUExecutionProvider"],
    "dtype": "float16",
    "variant": "int8",
    "cache_folder": "models",
    "local_files_only": True,
    "revision": "main",
    "token": "hf_secret",
    "show_progress": True,
    "allow_untrained_dim": True,
    "allow_rejected": True,
    "require_verified": True,
    "allow_pickle": True,
    "trust_remote_code": True,
}


def revived(data: Any, **options: Any) -> Any:
    if "allowed_objects" in inspect.signature(load).parameters:  # since langchain-core 1.2
        options["allowed_objects"] = [RomaineEmbeddings]
    return load(data, valid_namespaces=["langchain_romaine"], **options)


def test_every_option_of_embedder_is_a_field_with_the_same_default() -> None:
    options = inspect.signature(Embedder.__init__).parameters
    expected = {name: p.default for name, p in options.items() if name != "self"}
    fields = {name: field.default for name, field in RomaineEmbeddings.model_fields.items()}
    assert fields == expected
    assert set(EVERY_SETTING) == set(expected)


def test_every_setting_reaches_the_embedder() -> None:
    made = RomaineEmbeddings(**EVERY_SETTING).embedder
    expected = Embedder(**EVERY_SETTING)
    assert (made.model, made._options) == (expected.model, expected._options)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(OptionError, match=r"RomaineEmbeddings has no option dimm=\. Did you mean dim="):
        RomaineEmbeddings(**dict[str, Any](dimm=64))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("model_name", "Did you mean model="),
        ("model_kwargs", r"write its entries as settings of their own: device=\.\.\."),
        ("encode_kwargs", r"batch_size=\.\.\., document_prompt=\.\.\."),
        ("truncate_dim", "Did you mean dim="),
        ("normalize_embeddings", "vectors always have unit length"),
        ("query_instruction", "Did you mean query_prompt="),
    ],
)
def test_names_of_other_classes_get_ours(name: str, remedy: str) -> None:
    with pytest.raises(OptionError, match=rf"{name}=.*{remedy}"):
        RomaineEmbeddings(**dict[str, Any]({name: 64}))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("dim", 0, "dim=0 is not allowed: it must be an int of at least 1"),
        ("dim", "64", "dim='64' is not allowed"),
        ("dim", 64.0, r"dim=64\.0 is not allowed"),
        ("truncate", "x", "unknown truncate 'x'. Allowed: 'end', 'error', 'pool'"),
        ("backend", "onx", "unknown backend 'onx'. Did you mean 'onnx'?"),
        ("batch_tokens", 0, "batch_tokens=0 is not allowed"),
        ("batch_size", -1, "batch_size=-1 is not allowed"),
        ("threads", True, "threads=True is not allowed"),
        ("query_prompt", 3, "query_prompt must be a str or None, got int"),
        ("show_progress", "yes", "show_progress\n  Input should be a valid boolean"),
        ("providers", "CPU", "providers='CPU' is not allowed"),
        ("providers", 5, "providers=5 is not allowed"),
        ("cache_folder", 5, "cache_folder"),
        ("token", 5, "token must be a str or None, got int"),
        ("model", 5, "model"),
    ],
)
def test_wrong_values_are_refused_at_once(setting: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("?", r"\?")):
        RomaineEmbeddings(**{setting: value})


@pytest.mark.parametrize("model", ["little-gem", "nomic-ai/modernbert-embed-base"])
def test_a_dimension_that_a_known_model_cannot_give_is_refused_at_once(model: str) -> None:
    with pytest.raises(
        ValidationError, match=r"was not trained for dim=100; it was for .* allow_untrained_dim"
    ):
        RomaineEmbeddings(model=model, dim=100)
    with pytest.raises(ValidationError, match="dim=5000 is not possible"):
        RomaineEmbeddings(model=model, dim=5000, allow_untrained_dim=True)
    assert RomaineEmbeddings(model=model, dim=100, allow_untrained_dim=True).dim == 100
    assert RomaineEmbeddings(model="./unknown", dim=100).dim == 100  # comes up when it is loaded


def test_settings_cannot_change_under_a_loaded_model() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RomaineEmbeddings().dim = 64


def test_making_one_loads_nothing() -> None:
    made = RomaineEmbeddings(model="no-such/model", local_files_only=True)
    assert made.embedder._model._open is None


def test_warm_up_says_what_is_wrong_with_the_model(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no folder"):
        RomaineEmbeddings(model=tmp_path / "missing").warm_up()


def test_what_to_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("torch", "transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):  # romaine asks before it reads them
        (tmp_path / name).write_text('{"model_type": "bert"}', encoding="utf-8")
    embeddings = RomaineEmbeddings(model=tmp_path, backend="torch")
    with pytest.raises(MissingExtraError, match=r"backend 'torch' needs: pip install 'romaine\[torch\]'"):
        embeddings.embed_query("Where is the key?")


# --- serialising ---------------------------------------------------------------------------------------


def test_round_trip_through_dumpd_and_load() -> None:
    embeddings = RomaineEmbeddings(**EVERY_SETTING)
    assert isinstance(embeddings, Serializable)
    assert RomaineEmbeddings.is_lc_serializable()
    data = dumpd(embeddings)
    assert data["id"] == ["langchain_romaine", "embeddings", "RomaineEmbeddings"]
    again = revived(data, secrets_map={"HF_TOKEN": "hf_secret"})
    assert again == embeddings
    assert dumpd(again) == data


def test_the_token_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    embeddings = RomaineEmbeddings(token=SecretStr("hf_secret"), dim=64)
    shown = [repr(embeddings), str(embeddings), dumps(embeddings), repr(embeddings.embedder)]
    shown.append(embeddings.model_dump_json())
    with pytest.raises(ValidationError) as error:
        RomaineEmbeddings(**EVERY_SETTING | {"dim": 0})
    shown += [str(error.value), repr(error.value.errors())]
    with pytest.raises(OptionError) as unknown:
        RomaineEmbeddings(**EVERY_SETTING | {"model_kwargs": {}})
    shown += [str(unknown.value), repr(unknown.value)]
    assert not any("hf_secret" in text for text in shown)
    assert dumpd(embeddings)["kwargs"]["token"] == {"lc": 1, "type": "secret", "id": ["HF_TOKEN"]}
    assert revived(dumpd(embeddings)).token is None
    assert revived(dumpd(embeddings), secrets_map={"HF_TOKEN": "hf_secret"}) == embeddings


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (Path("little-gem"), "./little-gem"),
        (Path("./models/mine"), "./models/mine"),
        (Path("../mine"), "./../mine"),
        (Path("~/mine"), "~/mine"),
        (Path("/models/mine"), "/models/mine"),
        ("little-gem", "little-gem"),
    ],
)
def test_a_path_stays_a_path_as_text(given: str | Path, kept: str) -> None:
    embeddings = RomaineEmbeddings(model=given)
    assert embeddings.model == kept
    assert revived(dumpd(embeddings)) == embeddings


# --- copying -------------------------------------------------------------------------------------------


def test_copies_share_the_model_and_pickles_take_settings_only() -> None:
    embeddings = RomaineEmbeddings(dim=64).warm_up()
    for copied in (copy.copy(embeddings), copy.deepcopy(embeddings), embeddings.model_copy()):
        assert copied == embeddings
        assert copied.embedder is embeddings.embedder
    pickled = pickle.dumps(embeddings)
    assert len(pickled) < 5_000
    again = pickle.loads(pickled)
    assert again == embeddings
    assert hash(again) == hash(embeddings)
    assert again.embed_query("Where is the key?") == embeddings.embed_query("Where is the key?")


def test_a_copy_with_other_settings_uses_and_checks_them() -> None:
    embeddings = RomaineEmbeddings(dim=64, truncate="pool")
    other = embeddings.model_copy(update={"dim": 32})
    assert (other.dim, other.truncate, len(other.embed_query("key"))) == (32, "pool", 32)
    with pytest.raises(ValidationError, match="dim=0"):
        embeddings.model_copy(update={"dim": 0})
