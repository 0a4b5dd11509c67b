"""Downloading, with the hub's client replaced by one that copies from a folder and notes what was asked."""

from __future__ import annotations

import fnmatch
import importlib
import logging
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import ModelInfo
from huggingface_hub import errors as hub_errors

from romaine.backends.base import LoadOptions
from romaine.backends.registry import download_model, resolve_model
from romaine.embedder import Embedder
from romaine.errors import (
    ModelError,
    ModelFormatError,
    ModelNotFoundError,
    OfflineError,
    RejectedModelError,
    UnsafeModelError,
)
from romaine.models.hub import _unreachable, hub_cache

from .conftest import COMMIT, transformer_files, write_files

REMOTE = {
    **transformer_files(),
    "README.md": b"words",
    "onnx/model.onnx": b"\x12\x04fp32",
    "onnx/model_int8.onnx": b"\x12\x04int8",
    "onnx/model_q4.onnx": b"\x12\x02q4",
    "pytorch_model.bin": b"\x80pickle",
    "tf_model.h5": b"tensorflow",
    "modeling_custom.py": b"raise SystemExit",
}


class Hub:
    """Answers as the hub's client would and remembers which files were sent."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.sent: list[str] = []
        self.tokens: list[str | None] = []
        self.failure: Exception | None = None
        self.asked = 0

    def model_info(self, repo: str, *, revision: str, timeout: float) -> ModelInfo:
        self.asked += 1
        assert 0 < timeout <= 30
        if self.failure:
            raise self.failure
        return ModelInfo(id=repo, siblings=[{"rfilename": name} for name in self.files])

    def snapshot_download(
        self, repo, *, revision, cache_dir, allow_patterns, force_download, token, tqdm_class
    ) -> str:
        self.tokens.append(token)
        root = Path(cache_dir) / ("models--" + repo.replace("/", "--"))
        snapshot = root / "snapshots" / COMMIT
        wanted = [n for n in self.files if any(fnmatch.fnmatch(n, p) for p in allow_patterns)]
        self.sent += [n for n in wanted if force_download or not (snapshot / n).exists()]
        write_files(snapshot, {name: self.files[name] for name in wanted})
        write_files(root / "refs", {revision: COMMIT.encode()})
        return str(snapshot)


@pytest.fixture(autouse=True)
def _reachable():
    _unreachable["until"] = 0.0
    yield
    _unreachable["until"] = 0.0


@pytest.fixture
def hub(monkeypatch) -> Hub:
    fake = Hub(dict(REMOTE))

    def client(*, token):
        fake.tokens.append(token)
        return fake

    monkeypatch.setattr(huggingface_hub, "HfApi", client)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.snapshot_download)
    return fake


def test_exactly_what_the_backend_needs_is_downloaded(hub):
    resolve_model("some/model", options=LoadOptions(backend="onnx"))
    assert sorted(hub.sent) == ["config.json", "onnx/model.onnx", "tokenizer.json"]
    resolve_model("some/model", options=LoadOptions(backend="onnx"))
    assert len(hub.sent) == 3


def test_files_that_a_graph_keeps_tensors_in_are_downloaded_with_it(hub):
    location = b"\x0a\x08location\x12\x05extra"  # a tensor of the graph: external_data {key, value}
    tensor = b"\x6a" + bytes([len(location)]) + location
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    hub.files |= {"onnx/model.onnx": b"\x3a" + bytes([len(graph)]) + graph, "onnx/extra": b"numbers"}
    resolved = resolve_model("some/model", options=LoadOptions(backend="onnx"))
    assert sorted(hub.sent) == ["config.json", "onnx/extra", "onnx/model.onnx", "tokenizer.json"]
    assert resolved.local.path("onnx:fp32:data:0").read_bytes() == b"numbers"
    del hub.files["onnx/extra"]
    with pytest.raises(ModelFormatError, match="keeps tensors in onnx/extra, which is missing"):
        resolve_model("some/other", options=LoadOptions(backend="onnx"))


def test_a_token_goes_to_the_hub_and_nowhere_else(hub):
    with pytest.raises(ModelError) as refused:  # these weights are three bytes
        Embedder("some/model", backend="onnx", token="hf_secret").warm_up()
    assert set(hub.tokens) == {"hf_secret"}
    assert "hf_secret" not in str(refused.value)
    assert "hf_secret" not in repr(Embedder("some/model", token="hf_secret"))
    resolve_model("some/model", options=LoadOptions(backend="onnx", variant="int8"))
    assert hub.tokens[-1] is None


def test_another_backend_fetches_only_what_is_new(hub):
    resolve_model("some/model", options=LoadOptions(backend="onnx", variant="int8"))
    hub.sent.clear()
    resolve_model("some/model", options=LoadOptions(backend="torch"))
    assert hub.sent == ["model.safetensors"]


def test_what_is_here_is_preferred_over_downloading(hub):
    resolve_model("some/model", options=LoadOptions(backend="torch"))
    hub.sent.clear()
    assert resolve_model("some/model").spec.name == "torch"
    assert not hub.sent


def test_download_refreshes_and_force_sends_again(hub):
    download_model("some/model", options=LoadOptions(backend="torch"))
    hub.sent.clear()
    download_model("some/model", options=LoadOptions(backend="torch"))
    assert not hub.sent
    hub.files["tokenizer.json"] = b'{"changed": 1}'
    resolved = download_model("some/model", options=LoadOptions(backend="torch"), force=True)
    assert "model.safetensors" in hub.sent
    assert resolved.local.path("tokenizer").read_bytes() == b'{"changed": 1}'


def test_a_repository_of_pickles_is_refused_before_they_are_downloaded(hub):
    for name in ("model.safetensors", "onnx/model.onnx", "onnx/model_int8.onnx"):
        del hub.files[name]
    with pytest.raises(UnsafeModelError, match=r"any code.*allow_pickle=True"):
        resolve_model("some/model")
    assert "pytorch_model.bin" not in hub.sent
    assert resolve_model("some/model", options=LoadOptions(allow_pickle=True)).spec.name == "torch"


def test_the_failed_model_is_refused_before_the_hub_is_asked(hub):
    hub.failure = AssertionError("the hub was asked")
    name = "tss-deposium/gemma300-leaf-embeddings-test"
    with pytest.raises(RejectedModelError, match=r"0.223.*allow_rejected=True"):
        resolve_model(name)
    with pytest.raises(UnsafeModelError, match=r"model_quantized.pt.*allow_pickle=True"):
        resolve_model(name, options=LoadOptions(allow_rejected=True))


def test_a_repository_without_a_model(hub):
    hub.files = {"README.md": b"", "data.csv": b""}
    with pytest.raises(ModelFormatError, match=r"no backend can run.*static:.*onnx:.*torch:"):
        resolve_model("some/dataset")


# The HTTP library that this huggingface-hub stands on: httpx or its successor.
httpx = importlib.import_module(
    next(c.__module__.split(".")[0] for c in hub_errors.HfHubHTTPError.__mro__ if "httpx" in c.__module__)
)


def response(status: int):
    return httpx.Response(status, request=httpx.Request("GET", "https://hub.invalid"))


@pytest.mark.parametrize(
    ("failure", "expected", "words"),
    [
        (hub_errors.RepositoryNotFoundError("x", response=response(404)), ModelNotFoundError, "no model"),
        (hub_errors.RevisionNotFoundError("x", response=response(404)), ModelNotFoundError, "no revision"),
        (hub_errors.GatedRepoError("x", response=response(403)), ModelNotFoundError, "gated"),
        (hub_errors.HfHubHTTPError("x", response=response(500)), OfflineError, "did not answer"),
        (hub_errors.OfflineModeIsEnabled("x"), OfflineError, "did not answer"),
        (httpx.ConnectError("x"), OfflineError, "did not answer"),
        (httpx.ReadTimeout("x"), OfflineError, "did not answer"),
        (ConnectionResetError("x"), OfflineError, "did not answer"),
        (TimeoutError("x"), OfflineError, "did not answer"),
        (PermissionError(13, "Permission denied"), ModelFormatError, "cannot be written"),
    ],
)
def test_what_the_hub_answers(failure, expected, words, hub):
    hub.failure = failure
    with pytest.raises(expected, match=words):
        resolve_model("some/model")


def test_a_hub_that_does_not_answer_is_not_asked_again_at_once(hub, monkeypatch):
    hub.failure = OSError("no route")
    for _ in range(3):
        with pytest.raises(OfflineError, match="did not answer"):
            resolve_model("some/model")
    assert hub.asked == 1
    hub.failure = None
    monkeypatch.setitem(_unreachable, "until", 0.0)
    assert resolve_model("some/model")
    assert hub.asked == 2


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_the_real_client_meets_no_network_with_our_error():
    with pytest.raises(OfflineError, match="did not answer"):
        resolve_model("some/model")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HUGGINGFACE_HUB_CACHE": "/b"}, "/b"),
        ({"HF_HOME": "/c"}, "/c/hub"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_hub_keeps_it(variables, expected, monkeypatch):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_cache(None) == Path(expected)


def test_nothing_is_logged_about_a_model(hub, caplog):
    caplog.set_level(logging.INFO, logger="romaine")
    resolve_model("some/model", options=LoadOptions(backend="torch"))
    assert not caplog.records


def test_progress_bars_are_off(capsys):
    from romaine.models.hub import _silent_progress

    with _silent_progress()(total=3, desc="download") as bar:
        bar.update(3)
    assert list(_silent_progress()([1, 2])) == [1, 2]
    assert capsys.readouterr().err == ""
