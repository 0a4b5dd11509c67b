from __future__ import annotations

import json
import sys
import tempfile
import types
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from romaine.backends import spec as spec_module
from romaine.backends.base import LoadOptions
from romaine.backends.registry import (
    available_backends,
    backend_names,
    load_model,
    open_model,
    resolve_model,
    spec,
)
from romaine.embedder import Embedder
from romaine.errors import (
    BackendError,
    MissingExtraError,
    ModelFormatError,
    OptionError,
    RejectedModelError,
    RomaineError,
    UnknownNameError,
    UnsafeModelError,
)
from romaine.models.card_json import write_card
from tests.models.conftest import safetensors, transformer_files, write_files

INT8 = LoadOptions(variant="int8")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "romaine-cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def without(monkeypatch):
    """Makes runtimes look as if they were not installed."""

    def hide(*modules: str) -> None:
        real = spec_module._is_importable
        monkeypatch.setattr(spec_module, "_is_importable", lambda name: name not in modules and real(name))

    return hide


@pytest.fixture
def both(tmp_path):
    """Weights for torch beside fp32 and int8 ONNX files."""
    onnx = {"onnx/model.fp32.onnx": b"\x12\x04fp32", "onnx/model.int8.onnx": b"\x12\x04int8"}
    return write_files(tmp_path / "both", {**transformer_files(), **onnx})


def holds_int8(folder):
    card = resolve_model(folder, options=LoadOptions(backend="torch")).local.card
    write_card(replace(card, int8_holds=True), folder)


def test_the_built_in_backends():
    assert backend_names()[:4] == ("static", "onnx", "torch", "sentence-transformers")
    assert set(available_backends()) <= set(backend_names())


@pytest.mark.parametrize("name", ["onx", "", None, 3, "AUTO", "romaine.backends.onnx"])
def test_an_unknown_backend_lists_the_known(name):
    with pytest.raises(UnknownNameError, match="Allowed: 'auto', 'static', 'onnx'"):
        spec(name)


@pytest.mark.parametrize(
    ("fixture", "backend"),
    [
        ("static_embedding_folder", "static"),
        ("model2vec_folder", "static"),
        ("sse_folder", "static"),
        ("minilm_folder", "torch"),
        ("minilm_int8_folder", "onnx"),
        ("nomic_folder", "torch"),
        ("dense_folder", "sentence-transformers"),
    ],
)
def test_auto_takes_the_lightest_that_fits(fixture, backend, request):
    assert resolve_model(request.getfixturevalue(fixture)).spec.name == backend


def test_an_onnx_file_comes_before_torch(both):
    resolved = resolve_model(both)
    assert resolved.spec.name == "onnx"
    assert set(resolved.local.files) & {"onnx:fp32", "onnx:int8"} == {"onnx:fp32"}


@pytest.mark.parametrize(
    ("options", "variant"),
    [
        (LoadOptions(), "onnx:int8"),
        (LoadOptions(device="cpu"), "onnx:int8"),
        (LoadOptions(providers=("CPUExecutionProvider",)), "onnx:int8"),
        (LoadOptions(device="cuda"), "onnx:fp32"),
        (LoadOptions(providers=("CUDAExecutionProvider", "CPUExecutionProvider")), "onnx:fp32"),
        (LoadOptions(variant="fp32"), "onnx:fp32"),
    ],
)
def test_int8_is_for_cpus_and_for_cards_that_say_it_holds(options, variant, both):
    holds_int8(both)
    files = resolve_model(both, options=options).local.files
    assert [use for use in files if use.startswith("onnx:")] == [variant]


def test_a_variant_is_only_for_onnx(both, folder_without_onnx):
    assert "onnx:int8" in resolve_model(both, options=INT8).local.files
    with pytest.raises(OptionError, match="variant='int8' names an ONNX file"):
        resolve_model(both, options=LoadOptions(backend="torch", variant="int8"))
    with pytest.raises(UnknownNameError, match=r"'int4'.*Did you mean"):
        resolve_model(both, options=LoadOptions(variant="int4"))
    with pytest.raises(ModelFormatError, match="variant 'int8'"):
        resolve_model(folder_without_onnx, options=INT8)


@pytest.fixture
def folder_without_onnx(tmp_path):
    return write_files(tmp_path / "plain", transformer_files())


def test_torch_stands_in_where_onnxruntime_is_missing(both, without):
    without("onnxruntime")
    assert resolve_model(both).spec.name == "torch"


def test_a_missing_extra_names_the_line_to_type(both, folder_without_onnx, without):
    without("torch", "onnxruntime")
    with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[torch\]'"):
        resolve_model(folder_without_onnx)
    with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[torch\]'"):
        resolve_model(both, options=LoadOptions(backend="torch"))
    with pytest.raises(MissingExtraError, match=r"romaine\[sentence-transformers\]"):
        resolve_model(both, options=LoadOptions(backend="sentence-transformers"))


def test_where_nothing_fits_every_backend_says_why(tmp_path):
    folder = write_files(tmp_path / "m", {"config.json": b"{}", "tokenizer.json": b"{}"})
    with pytest.raises(
        ModelFormatError, match=r"static: .*onnx: .*torch: .*weights.*sentence-transformers: "
    ):
        resolve_model(folder)
    with pytest.raises(ModelFormatError, match="static: no static embedding table"):
        resolve_model(folder, options=LoadOptions(backend="static"))


def test_a_pickle_is_refused_and_says_why(tmp_path):
    files = {**transformer_files(), "model_quantized.pt": b"\x80"}
    del files["model.safetensors"]
    folder = write_files(tmp_path / "m", files)
    for options in ({}, {"allow_rejected": True}, {"backend": "torch"}):
        with pytest.raises(UnsafeModelError, match=r"pickle.*any code.*allow_pickle=True"):
            resolve_model(folder, options=LoadOptions(**options))
    allowed = resolve_model(folder, options=LoadOptions(allow_pickle=True))
    assert allowed.local.path("weights").name == "model_quantized.pt"


def test_safetensors_are_taken_where_a_pickle_lies_beside_them(tmp_path):
    folder = write_files(tmp_path / "m", {**transformer_files(), "pytorch_model.bin": b"\x80"})
    assert resolve_model(folder).local.path("weights").name == "model.safetensors"


def test_a_folder_whose_card_admits_failure_is_rejected(folder_without_onnx):
    from romaine.models.card import Measure

    card = resolve_model(folder_without_onnx).local.card
    write_card(
        replace(card, measured=(Measure(name="STSBenchmark Spearman", value=0.2),)), folder_without_onnx
    )
    with pytest.raises(RejectedModelError, match=r"0.2"):
        resolve_model(folder_without_onnx)
    resolve_model(folder_without_onnx, options=LoadOptions(allow_rejected=True))


def test_a_config_with_remote_code_is_read_and_its_code_is_not_run(tmp_path):
    files = transformer_files(auto_map={"AutoModel": "evil.Model"})
    folder = write_files(tmp_path / "m", {**files, "evil.py": b"raise SystemExit('ran')"})
    assert "evil.py" not in {path.name for path in resolve_model(folder).local.files.values()}


def test_opening_a_static_model(static_embedding_folder):
    opened = open_model(static_embedding_folder)
    assert (opened.backend_name, opened.backend.full_dim) == ("static", 64)
    assert len(opened.fingerprint(query_prompt="", document_prompt="")) == 64


def test_the_dimension_comes_from_the_weights_unless_a_card_states_it(folder_without_onnx, monkeypatch):
    fake = types.ModuleType("fake_backend")
    fake.load = lambda model, card, options: types.SimpleNamespace(full_dim=12)
    monkeypatch.setitem(sys.modules, "fake_backend", fake)
    resolved = resolve_model(folder_without_onnx)
    resolved = replace(resolved, spec=replace(resolved.spec, module="fake_backend"))
    assert load_model(resolved).local.card.dims == (12,)
    with pytest.raises(ModelFormatError, match="12 components, its card says 8"):
        load_model(replace(resolved, card_is_stated=True))


def test_a_runtime_that_cannot_be_imported_is_our_error(folder_without_onnx):
    resolved = resolve_model(folder_without_onnx)
    broken = replace(resolved, spec=replace(resolved.spec, module="romaine.backends.no_such_module"))
    with pytest.raises(BackendError, match="cannot be imported"):
        load_model(broken)


THEIR_BACKEND = """
import types

def load(model, card, options):
    return types.SimpleNamespace(full_dim=card.full_dim, model=model)
"""


def test_other_packages_may_bring_backends(folder_without_onnx, install):
    points = {"theirs": "their_backend", "onnx": "their_backend", "auto": "their_backend", "odd": "os:load"}
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    install("their_backend", f"[romaine.backends]\n{lines}", THEIR_BACKEND)
    assert backend_names()[4:] == ("theirs",)
    assert spec("onnx").module == "romaine.backends.onnx"
    opened = open_model(folder_without_onnx, options=LoadOptions(backend="theirs"))
    assert opened.backend_name == "theirs"
    assert opened.local.path("weights").name == "model.safetensors"
    assert resolve_model(folder_without_onnx).spec.name == "torch"


@pytest.mark.parametrize("code", ["import no_such_runtime", "def load(:", "1 / 0", "x = 1"])
def test_a_broken_backend_of_another_package_fails_where_it_is_used(folder_without_onnx, install, code):
    install("broken_backend", "[romaine.backends]\nbroken = broken_backend\n", code)
    assert "broken" in backend_names()
    assert resolve_model(folder_without_onnx).spec.name == "torch"
    with pytest.raises(BackendError, match="'broken' is installed and cannot be imported"):
        open_model(folder_without_onnx, options=LoadOptions(backend="broken"))


def test_a_static_table_in_our_own_layout(tmp_path):
    from romaine.models.card import ModelCard

    folder = write_files(
        tmp_path / "gem", {"model.safetensors": safetensors("table"), "tokenizer.json": b"{}"}
    )
    write_card(ModelCard(id="gem", kind="static", full_dim=8, dims=(4, 8), backends=("static",)), folder)
    resolved = resolve_model(folder)
    assert (resolved.spec.name, resolved.local.layout, resolved.local.card.dims) == (
        "static",
        "romaine",
        (4, 8),
    )
    assert np.isclose(resolved.local.path("weights").stat().st_size, len(safetensors("table")))


# --- whatever the files hold -------------------------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [0, -1, 5, 2**31, 2**63, 10**30, 0.5, float("inf"), float("nan"), "", "..", "/etc", "\0"]
    ),
    st.sampled_from(["", "[]", "{}"]).map(
        lambda text: json.loads("[" * 900 + text + "]" * 900) if text else []
    ),
    st.lists(st.sampled_from([None, 1, "x", {}, []]), max_size=3),
    st.dictionaries(st.sampled_from(["", "a", "type", "path"]), st.integers(), max_size=2),
)


def changed(draw: st.DrawFn, value: object) -> object:
    """The same value with one thing in it, at any depth, left out or replaced by something odd."""
    if not isinstance(value, (dict, list)) or not value or draw(st.integers(0, 3)) == 0:
        return draw(ODD)
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = draw(st.sampled_from(keys))
    copied = value.copy()
    if isinstance(copied, dict) and draw(st.integers(0, 5)) == 0:
        del copied[key]
    else:
        copied[key] = changed(draw, copied[key])
    return copied


def small_tokenizer() -> dict[str, object]:
    rust = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    steps = [tokenizers.normalizers.BertNormalizer(), tokenizers.normalizers.Replace("a", "b")]
    rust.normalizer = tokenizers.normalizers.Sequence(steps)
    rust.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    rust.post_processor = tokenizers.processors.TemplateProcessing(single="a $A", special_tokens=[("a", 1)])
    rust.enable_padding(length=3)
    return dict(json.loads(rust.to_str()))


CARD = {
    "schema": 1,
    "id": "x",
    "kind": "static",
    "full_dim": 4,
    "dims": [2, 4],
    "max_tokens": None,
    "pooling": "mean",
    "prompts": {"query": "q"},
    "files": {"weights": "model.safetensors"},
    "backends": ["static"],
    "quality": [{"name": "q", "value": 0.5}],
    "sha256": {},
    "bundled": False,
    "int8_ranges": {"2": 0.4},
    "layer_norm": False,
    "duplicate_threshold": 0.9,
}
OURS = {"romaine.json": CARD}
MODEL2VEC = {"config.json": {"model_type": "model2vec", "hidden_dim": 4, "max_length": 9}}
STATIC_EMBEDDING = {
    "modules.json": [
        {"idx": 0, "path": "", "type": "sentence_transformers.models.StaticEmbedding"},
        {"idx": 1, "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"},
    ],
    "config_sentence_transformers.json": {"prompts": {"query": "q: "}, "matryoshka_dimensions": [2, 4]},
    "config.json": {"model_type": "x"},
}
TABLE = np.arange(12, dtype=np.float32).reshape(3, 4)
TENSORS = {
    "table": TABLE,
    "embedding.weight": TABLE,
    "embeddings": TABLE,
    "mapping": np.arange(3),
    "weights": np.ones(3),
    "dyt.alpha": np.ones(4, dtype=np.float32),
}


@st.composite
def spoiled_folders(draw: st.DrawFn) -> dict[str, bytes]:
    """A static model in one of three layouts, with something odd in one or two of its files."""
    layout = draw(st.sampled_from([OURS, MODEL2VEC, STATIC_EMBEDDING]))
    weights = save(TENSORS)
    begin = 8 + int.from_bytes(weights[:8], "little")
    values = {
        **layout,
        "tokenizer.json": small_tokenizer(),
        "model.safetensors": json.loads(weights[8:begin]),
    }
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(values)))
        values[name] = changed(draw, values[name])
    files = {name: json.dumps(value).encode() for name, value in values.items()}
    header = files["model.safetensors"]
    files["model.safetensors"] = len(header).to_bytes(8, "little") + header + weights[begin:]
    return files


@settings(max_examples=150)
@given(spoiled_folders())
def test_whatever_the_files_hold_only_our_errors_come_out(files):
    with tempfile.TemporaryDirectory() as folder, suppress(RomaineError):
        embedder = Embedder(write_files(Path(folder) / "model", files), backend="static")
        vectors = embedder.embed_documents(["a b", "", "no such word"])
        assert vectors.shape == (3, embedder.full_dim)
        assert len(embedder.fingerprint) == 64


@pytest.mark.parametrize(
    "spoiled",
    [
        {"romaine.json": json.dumps({**CARD, "backends": 5}).encode()},
        {"romaine.json": json.dumps(CARD).replace('"max_tokens": null', '"max_tokens": 1e999').encode()},
        {"romaine.json": b'{"id": ' * 100_000},
        {"tokenizer.json": b"[" * 100_000},
        {"tokenizer.json": b'{"normalizer": ' * 100_000},
        {"modules.json": b"[" * 100_000},
        {"config.json": b"[" * 100_000},
    ],
)
def test_odd_files_are_named(spoiled, tmp_path):
    whole = {"romaine.json": CARD, "tokenizer.json": small_tokenizer()}
    files = {name: json.dumps(value).encode() for name, value in whole.items()}
    weights = {"model.safetensors": save({"table": TABLE})}
    assert open_model(write_files(tmp_path / "whole", {**files, **weights})).backend.full_dim == 4
    with pytest.raises(ModelFormatError):
        Embedder(write_files(tmp_path / "odd", {**files, **weights, **spoiled})).warm_up()
