from __future__ import annotations

import json

import pytest

from romaine.errors import ModelFormatError
from romaine.models.matching import matches
from romaine.models.tree import FileTree

from .conftest import safetensors, transformer_files, write_files

TRANSFORMER = transformer_files()


def modules(*kinds: str, path: str = "") -> bytes:
    listed = [
        {"idx": i, "path": path if i == 0 else f"{i}_{kind}", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    return json.dumps(listed).encode()


def found(folder, known=None):
    return {m.layout.name: m for m in matches(FileTree.of_folder(folder), known or {}) if m.complete}


def names(tmp_path, files):
    return list(found(write_files(tmp_path / "m", files)))


def test_plain_transformer(tmp_path):
    assert names(tmp_path, TRANSFORMER) == ["transformers"]


def test_sentence_transformers_with_plain_modules_runs_on_torch_too(tmp_path):
    files = {
        **TRANSFORMER,
        "modules.json": modules("Transformer", "Pooling", "Normalize"),
        "1_Pooling/config.json": b"{}",
    }
    assert names(tmp_path, files) == ["transformers", "sentence-transformers"]


def test_the_first_modules_folder_is_where_its_files_are(tmp_path):
    inner = {f"0_Transformer/{name}": content for name, content in TRANSFORMER.items()}
    folder = write_files(
        tmp_path / "m", {**inner, "modules.json": modules("Transformer", "Pooling", path="0_Transformer")}
    )
    assert found(folder)["transformers"].paths["weights"] == "0_Transformer/model.safetensors"


def test_a_dense_layer_needs_sentence_transformers(tmp_path):
    files = {
        **TRANSFORMER,
        "modules.json": modules("Transformer", "Pooling", "Dense"),
        "2_Dense/config.json": b'{"out_features": 4}',
        "2_Dense/model.safetensors": safetensors(),
        "onnx/model.onnx": b"onnx",
    }
    layouts = found(write_files(tmp_path / "m", files))
    assert list(layouts) == ["sentence-transformers"]
    assert layouts["sentence-transformers"].paths["module:2_Dense:model"] == "2_Dense/model.safetensors"


@pytest.mark.parametrize(
    ("path", "use"),
    [
        ("onnx/model.onnx", "onnx:fp32"),
        ("onnx/model.fp32.onnx", "onnx:fp32"),
        ("model.onnx", "onnx:fp32"),
        ("model.fp32.onnx", "onnx:fp32"),
        ("onnx/model.int8.onnx", "onnx:int8"),
        ("onnx/model_int8.onnx", "onnx:int8"),
        ("onnx/model_quantized.onnx", "onnx:int8"),
        ("model.int8.onnx", "onnx:int8"),
    ],
)
def test_onnx_files_under_every_published_name(path, use, tmp_path):
    folder = write_files(tmp_path / "m", {path: b"onnx", "tokenizer.json": b"{}"})
    assert found(folder)["ONNX"].paths[use] == path


def test_onnx_weights_in_a_file_of_their_own(tmp_path):
    folder = write_files(
        tmp_path / "m", {"onnx/model.onnx": b"o", "onnx/model.onnx_data": b"d", "tokenizer.json": b"{}"}
    )
    assert found(folder)["ONNX"].paths["onnx:fp32:data"] == "onnx/model.onnx_data"


def test_the_cards_own_paths_come_first(tmp_path):
    files = {**TRANSFORMER, "special/model.onnx": b"a", "onnx/model.onnx": b"b"}
    folder = write_files(tmp_path / "m", files)
    assert (
        found(folder, {"onnx:fp32": "special/model.onnx"})["ONNX"].paths["onnx:fp32"] == "special/model.onnx"
    )


@pytest.mark.parametrize(
    ("fixture", "layout"),
    [
        ("sse_folder", "SSE"),
        ("static_embedding_folder", "StaticEmbedding"),
        ("model2vec_folder", "Model2Vec"),
        ("dense_folder", "sentence-transformers"),
        ("nomic_folder", "transformers"),
        ("minilm_folder", "transformers"),
        ("minilm_int8_folder", "ONNX"),
    ],
)
def test_real_layouts(fixture, layout, request):
    assert next(iter(found(request.getfixturevalue(fixture)))) == layout


def test_static_table_without_modules(tmp_path):
    files = {"0_StaticEmbedding/model.safetensors": safetensors(), "0_StaticEmbedding/tokenizer.json": b"{}"}
    assert names(tmp_path, files) == ["StaticEmbedding without modules.json"]


def test_four_bit_sse_keeps_its_codes_in_a_raw_file(tmp_path):
    files = {
        "model_rest.safetensors": safetensors("dyt.alpha"),
        "embedding.q4_k_m.bin": b"codes",
        "tokenizer.json": b"{}",
    }
    folder = write_files(tmp_path / "m", files)
    assert found(folder)["SSE, 4-bit"].paths["codes"] == "embedding.q4_k_m.bin"
    assert not found(folder)["SSE, 4-bit"].is_pickle


def test_sharded_weights(tmp_path):
    index = {
        "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}
    }
    files = {
        **TRANSFORMER,
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-1.safetensors": b"x",
    }
    del files["model.safetensors"]
    folder = write_files(tmp_path / "m", files)
    assert not found(folder)
    (folder / "model-2.safetensors").write_bytes(b"x")
    paths = found(folder)["transformers"].paths
    assert paths["weights"] == "model.safetensors.index.json"
    assert (paths["weights:0"], paths["weights:1"]) == ("model-1.safetensors", "model-2.safetensors")


@pytest.mark.parametrize("name", ["model_quantized.pt", "pytorch_model.bin", "model.pkl", "model.pt"])
def test_pickles_are_a_layout_of_their_own(name, tmp_path):
    files = {**TRANSFORMER, name: b"\x80"}
    del files["model.safetensors"]
    layouts = found(write_files(tmp_path / "m", files))
    assert list(layouts) == ["pickle"]
    assert layouts["pickle"].is_pickle


@pytest.mark.parametrize("index", ["pytorch_model.bin.index.json", "model.safetensors.index.json"])
def test_shards_that_are_pickles_make_the_weights_one(index, tmp_path):
    """The index itself is JSON, and its name may say what it likes."""
    shards = json.dumps({"weight_map": {"a": "part.bin"}}).encode()
    files = {**TRANSFORMER, index: shards, "part.bin": b"\x80"}
    del files["model.safetensors"]
    match = next(iter(found(write_files(tmp_path / "m", files)).values()))
    assert match.is_pickle


def test_all_files_of_later_modules_belong_to_the_model(tmp_path):
    dense = {
        "2_Dense/config.json": b"{}",
        "2_Dense/model.safetensors": safetensors(),
        "2_Dense/inner/vocab.txt": b"a",
    }
    beside = {"2_Dense/README.md": b"words", "2_Dense/pytorch_model.bin": b"\x80"}
    listed = [{"type": "x.Transformer", "path": ""}, {"type": "x.Dense", "path": "2_Dense"}]
    files = {**TRANSFORMER, **dense, **beside, "modules.json": json.dumps(listed).encode()}
    paths = found(write_files(tmp_path / "m", files))["sentence-transformers"].paths
    assert {use: path for use, path in paths.items() if use.startswith("module:")} == {
        "module:2_Dense:config": "2_Dense/config.json",
        "module:2_Dense:model": "2_Dense/model.safetensors",
        "module:2_Dense:file:inner/vocab.txt": "2_Dense/inner/vocab.txt",
    }


def test_a_routers_modules_belong_to_the_model(tmp_path):
    routed = {"router_config.json": b"{}", "query_0_Dense/pytorch_model.bin": b"\x80"}
    listed = [{"type": "sentence_transformers.models.Router", "path": ""}]
    files = {**TRANSFORMER, **routed, "modules.json": json.dumps(listed).encode()}
    match = found(write_files(tmp_path / "m", files))["sentence-transformers"]
    assert {"router_config.json", "query_0_Dense/pytorch_model.bin"} <= set(match.paths.values())
    assert match.is_pickle


@pytest.mark.parametrize("path", ["checkpoints", "a/.git", "a/b/c"])
def test_a_module_where_nobody_looks_is_refused(path, tmp_path):
    files = {**TRANSFORMER, "modules.json": json.dumps([{"type": "x.Transformer", "path": path}]).encode()}
    with pytest.raises(ModelFormatError, match="move the module"):
        found(write_files(tmp_path / "m", files))


@pytest.mark.parametrize("backends", [5, None, "static", {"static": 1}, [["static"]]])
def test_backends_of_a_card_that_are_no_list(backends, tmp_path):
    files = {**TRANSFORMER, "romaine.json": json.dumps({"backends": backends}).encode()}
    assert "romaine" not in found(write_files(tmp_path / "m", files))


@pytest.mark.parametrize("path", ["../other", "/etc", "a/../../b", "..", "C:\\x", "a\0b", 5, None])
def test_a_module_outside_the_folder_is_refused(path, tmp_path):
    files = {**TRANSFORMER, "modules.json": json.dumps([{"type": "x.Transformer", "path": path}]).encode()}
    with pytest.raises(ModelFormatError, match="outside the model's folder"):
        names(tmp_path, files)


def test_a_module_behind_a_link_is_refused(tmp_path):
    folder = write_files(
        tmp_path / "m", {**TRANSFORMER, "modules.json": modules("Transformer", path="inner")}
    )
    write_files(tmp_path / "elsewhere", TRANSFORMER)
    (folder / "inner").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFormatError, match="outside"):
        found(folder)


def test_a_shard_outside_the_folder_is_refused(tmp_path):
    index = {"weight_map": {"a": "../../secret.safetensors"}}
    files = {**TRANSFORMER, "model.safetensors.index.json": json.dumps(index).encode()}
    del files["model.safetensors"]
    with pytest.raises(ModelFormatError, match="outside"):
        names(tmp_path, files)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"[1]", b"\xff", b"[" * 100_000])
def test_damaged_modules(content, tmp_path):
    with pytest.raises(ModelFormatError, match=r"modules.json"):
        names(tmp_path, {**TRANSFORMER, "modules.json": content})


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff"])
def test_a_damaged_config(content, tmp_path):
    with pytest.raises(ModelFormatError, match=r"config.json"):
        names(tmp_path, {**TRANSFORMER, "config.json": content})
