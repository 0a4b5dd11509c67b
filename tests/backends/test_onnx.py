"""The ONNX backend on graphs of every form, most of them built here node by node."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from romaine.arrays import Pooling, pool
from romaine.backends.base import LoadOptions, Truncate
from romaine.backends.onnx import (
    METADATA_MAX_TOKENS,
    METADATA_UNIFORM_ABOVE,
    OnnxBackend,
    load,
    physical_cores,
)
from romaine.errors import BackendError, ModelFormatError, OptionError, TextTooLongError, UnknownNameError
from romaine.models.files import LocalModel
from tests.backends.local import local_model

DIM = 8
VOCAB = 30522
TEXTS = ("the lantern swings", "hello", "seven grey stairs count the panes of rain tonight", "")
TABLE = np.random.default_rng(0).standard_normal((VOCAB, DIM)).astype(np.float32)


def write_graph(
    folder: Path,
    *,
    inputs: Mapping[str, int],
    outputs: Mapping[str, int],
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[object] = ("batch", "length"),
    rows: int = VOCAB,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A graph over an embedding table, saved as model.onnx. `outputs` gives each one's number of axes."""
    axes = {2: ("batch", DIM), 3: ("batch", "length", DIM)}
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, kind in inputs.items()],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(axes[count]))
            for name, count in outputs.items()
        ],
        [
            numpy_helper.from_array(TABLE[:rows], "table"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
            numpy_helper.from_array(np.array([-1], dtype=np.int64), "last"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, dict(metadata or {}))
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def gather(output: str = "states") -> onnx.NodeProto:
    return helper.make_node("Gather", ["table", "input_ids"], [output])


def open_graph(
    path: Path,
    minilm: Path,
    *,
    pooling: Pooling = Pooling.MEAN,
    max_tokens: int | None = None,
    use: str = "onnx:fp32",
    options: LoadOptions | None = None,
) -> OnnxBackend:
    shutil.copy(minilm / "tokenizer.json", path.parent)
    model = local_model(path.parent, full_dim=DIM, pooling=pooling, max_tokens=max_tokens)
    model = replace(model, files={**model.files, use: path})
    return load(model, model.card, options or LoadOptions(threads=1))


@pytest.fixture
def tokens_graph(tmp_path: Path) -> Path:
    return write_graph(
        tmp_path, inputs={"input_ids": TensorProto.INT64}, outputs={"states": 3}, nodes=[gather()]
    )


def encode(backend: OnnxBackend, texts: Sequence[str] = TEXTS) -> np.ndarray:
    return backend.encode(backend.split(texts, Truncate.END).inputs)


def expected(backend: OnnxBackend, pooling: Pooling) -> np.ndarray:
    ids, mask = backend.tokenizer.encode(TEXTS).padded(0)
    return pool(TABLE[ids], mask, pooling)


# --- what graphs take and give ---------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", list(Pooling))
def test_token_states_are_pooled_by_the_card(
    pooling: Pooling, tokens_graph: Path, minilm_folder: Path
) -> None:
    backend = open_graph(tokens_graph, minilm_folder, pooling=pooling)
    np.testing.assert_allclose(encode(backend), expected(backend, pooling), atol=1e-6)
    assert backend.full_dim == DIM
    assert backend.uniform_above is None


@pytest.mark.parametrize("name", ["sentence_embedding", "pooler", "vectors"])
def test_pooled_vectors_are_taken_as_they_are(name: str, tmp_path: Path, minilm_folder: Path) -> None:
    nodes = [gather(), helper.make_node("ReduceMax", ["states", "axis"], [name], keepdims=0)]
    path = write_graph(tmp_path, inputs={"input_ids": TensorProto.INT64}, outputs={name: 2}, nodes=nodes)
    backend = open_graph(path, minilm_folder, pooling=Pooling.MEAN)
    alone = encode(backend, TEXTS[:1])
    ids = backend.tokenizer.encode(TEXTS[:1]).ids
    np.testing.assert_allclose(alone[0], TABLE[ids].max(axis=0), atol=1e-6)


def test_a_named_embedding_wins_and_token_states_win_over_a_pooler(
    tmp_path: Path, minilm_folder: Path
) -> None:
    minus = helper.make_node("Neg", ["states"], ["minus"])
    nodes = [gather(), minus, helper.make_node("ReduceMax", ["minus", "axis"], ["other"], keepdims=0)]
    path = write_graph(
        tmp_path, inputs={"input_ids": TensorProto.INT64}, outputs={"other": 2, "states": 3}, nodes=nodes
    )
    backend = open_graph(path, minilm_folder)
    np.testing.assert_allclose(encode(backend), expected(backend, Pooling.MEAN), atol=1e-6)
    nodes[-1].output[0] = "sentence_embedding"
    outputs = {"states": 3, "sentence_embedding": 2}
    path = write_graph(tmp_path, inputs={"input_ids": TensorProto.INT64}, outputs=outputs, nodes=nodes)
    named = encode(open_graph(path, minilm_folder), ["hello"])
    ids = backend.tokenizer.encode(["hello"]).ids
    np.testing.assert_allclose(named[0], (-TABLE[ids]).max(axis=0), atol=1e-6)


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32])
def test_all_four_inputs_in_either_integer_type(kind: int, tmp_path: Path, minilm_folder: Path) -> None:
    def as_states(name: str) -> list[onnx.NodeProto]:
        return [
            helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", [f"{name}_f", "last"], [f"{name}_s"]),
        ]

    names = ("attention_mask", "token_type_ids", "position_ids")
    nodes = [gather("found"), *(node for name in names for node in as_states(name))]
    nodes.append(helper.make_node("Add", ["found", "attention_mask_s"], ["a"]))
    nodes.append(helper.make_node("Add", ["a", "token_type_ids_s"], ["b"]))
    nodes.append(helper.make_node("Add", ["b", "position_ids_s"], ["states"]))
    path = write_graph(
        tmp_path, inputs=dict.fromkeys(("input_ids", *names), kind), outputs={"states": 3}, nodes=nodes
    )
    backend = open_graph(path, minilm_folder)
    ids, mask = backend.tokenizer.encode(TEXTS).padded(0)
    states = TABLE[ids] + mask[..., None] + np.arange(ids.shape[1])[:, None]
    np.testing.assert_allclose(encode(backend), pool(states, mask, Pooling.MEAN), atol=1e-4)


@pytest.mark.parametrize("shape", [(3, "length"), (1, "length"), ("batch", 16), (1, 16)])
def test_fixed_sizes_are_kept(shape: tuple[object, object], tmp_path: Path, minilm_folder: Path) -> None:
    path = write_graph(
        tmp_path,
        inputs={"input_ids": TensorProto.INT64},
        outputs={"states": 3},
        nodes=[gather()],
        shape=shape,
    )
    backend = open_graph(path, minilm_folder)
    np.testing.assert_allclose(encode(backend), expected(backend, Pooling.MEAN), atol=1e-6)
    assert backend.max_tokens == (16 if shape[1] == 16 else None)
    assert len(encode(backend, ["word " * 40] * 5)) == 5


def test_metadata_of_our_own_files(tmp_path: Path, minilm_folder: Path) -> None:
    path = write_graph(
        tmp_path,
        inputs={"input_ids": TensorProto.INT64},
        outputs={"states": 3},
        nodes=[gather()],
        metadata={METADATA_UNIFORM_ABOVE: "64", METADATA_MAX_TOKENS: "128"},
    )
    backend = open_graph(path, minilm_folder, max_tokens=512)
    assert (backend.uniform_above, backend.max_tokens) == (64, 128)


@pytest.mark.parametrize("value", ["0", "-1", "1e9", "", "9" * 16, "9" * 5000])
def test_metadata_that_names_no_window(value: str, tmp_path: Path, minilm_folder: Path) -> None:
    facts = {METADATA_UNIFORM_ABOVE: value, METADATA_MAX_TOKENS: value}
    inputs, outputs = {"input_ids": TensorProto.INT64}, {"states": 3}
    path = write_graph(tmp_path, inputs=inputs, outputs=outputs, nodes=[gather()], metadata=facts)
    backend = open_graph(path, minilm_folder, max_tokens=512)
    assert (backend.uniform_above, backend.max_tokens) == (None, 512)


def test_empty_batch(tokens_graph: Path, minilm_folder: Path) -> None:
    backend = open_graph(tokens_graph, minilm_folder)
    assert encode(backend, []).shape == (0, DIM)


def test_window(tokens_graph: Path, minilm_folder: Path) -> None:
    backend = open_graph(tokens_graph, minilm_folder, max_tokens=6)
    text = TEXTS[2]
    assert backend.split([text], Truncate.END).truncated == 1
    assert len(backend.split([text], Truncate.POOL).inputs) == 3
    with pytest.raises(TextTooLongError, match="6"):
        backend.split([text], Truncate.ERROR)
    assert backend.count_tokens([text, ""]) == [12, 2]


# --- real weights ----------------------------------------------------------------------------------------


def minilm_int8(folder: Path, options: LoadOptions | None = None) -> OnnxBackend:
    model = local_model(folder, full_dim=384, max_tokens=256)
    model = replace(model, files={**model.files, "onnx:int8": folder / "onnx" / "model_int8.onnx"})
    return load(model, model.card, options or LoadOptions(threads=1))


def test_many_threads_get_what_one_gets(minilm_int8_folder: Path) -> None:
    backend = minilm_int8(minilm_int8_folder)
    texts = [f"{text} {number}" for number in range(8) for text in TEXTS]
    alone = [encode(backend, [text]) for text in texts]
    with ThreadPoolExecutor(32) as pool_of_threads:
        together = list(pool_of_threads.map(lambda text: encode(backend, [text]), texts))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_batch_over_a_portion_keeps_its_order(minilm_int8_folder: Path) -> None:
    backend = minilm_int8(minilm_int8_folder)
    texts = [f"{'long ' * (number * 7 % 60)}turn {number}" for number in range(40)]
    together = encode(backend, texts)
    alone = np.concatenate([encode(backend, [text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_text_over_the_position_table_is_a_backend_error(minilm_int8_folder: Path) -> None:
    backend = minilm_int8(minilm_int8_folder)
    backend.max_tokens = None
    with pytest.raises(BackendError, match="max_tokens"):
        encode(backend, ["word " * 600])


# --- what is refused -------------------------------------------------------------------------------------


def test_unexpected_inputs_are_listed(tmp_path: Path, minilm_folder: Path) -> None:
    path = write_graph(
        tmp_path,
        inputs={"input_ids": TensorProto.INT64, "pixel_values": TensorProto.INT64},
        outputs={"states": 3},
        nodes=[gather()],
    )
    with pytest.raises(ModelFormatError, match=r"pixel_values.*attention_mask"):
        open_graph(path, minilm_folder)


@pytest.mark.parametrize("name", ["ids", "attention_mask"])
def test_a_graph_without_ids_is_refused(name: str, tmp_path: Path, minilm_folder: Path) -> None:
    node = helper.make_node("Gather", ["table", name], ["states"])
    path = write_graph(tmp_path, inputs={name: TensorProto.INT64}, outputs={"states": 3}, nodes=[node])
    with pytest.raises(ModelFormatError, match="input_ids"):
        open_graph(path, minilm_folder)


def test_a_graph_of_floats_is_refused(tmp_path: Path, minilm_folder: Path) -> None:
    cast = helper.make_node("Cast", ["input_ids"], ["whole"], to=TensorProto.INT64)
    node = helper.make_node("Gather", ["table", "whole"], ["states"])
    path = write_graph(
        tmp_path, inputs={"input_ids": TensorProto.FLOAT}, outputs={"states": 3}, nodes=[cast, node]
    )
    with pytest.raises(ModelFormatError, match="float"):
        open_graph(path, minilm_folder)


def test_a_tokenizer_of_another_vocabulary(tmp_path: Path, minilm_folder: Path) -> None:
    path = write_graph(
        tmp_path,
        inputs={"input_ids": TensorProto.INT64},
        outputs={"states": 3},
        nodes=[gather()],
        rows=1000,
    )
    with pytest.raises(ModelFormatError, match="do not belong together"):
        open_graph(path, minilm_folder)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x09garbage" * 50])
def test_garbage(content: bytes, tmp_path: Path, minilm_folder: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match="again"):
        open_graph(path, minilm_folder)


def test_cut_off(tokens_graph: Path, minilm_folder: Path) -> None:
    tokens_graph.write_bytes(tokens_graph.read_bytes()[:100_000])
    with pytest.raises(ModelFormatError, match="again"):
        open_graph(tokens_graph, minilm_folder)


def test_tensors_outside_the_folder_are_not_read(tmp_path: Path, minilm_folder: Path) -> None:
    inner = tmp_path / "model"
    inner.mkdir()
    path = write_graph(
        inner, inputs={"input_ids": TensorProto.INT64}, outputs={"states": 3}, nodes=[gather()]
    )
    model = onnx.load(path)
    (tmp_path / "outside.data").write_bytes(TABLE.tobytes())
    table = model.graph.initializer[0]
    table.ClearField("raw_data")
    table.data_location = TensorProto.EXTERNAL
    del table.external_data[:]
    for key, value in (("location", "../outside.data"), ("offset", "0"), ("length", str(TABLE.nbytes))):
        table.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelFormatError, match="folder"):
        open_graph(path, minilm_folder)


def test_no_onnx_file(minilm_folder: Path) -> None:
    model: LocalModel = local_model(minilm_folder, full_dim=384)
    with pytest.raises(ModelFormatError, match="onnx:fp32"):
        load(model, model.card, LoadOptions())


# --- options ---------------------------------------------------------------------------------------------


def test_providers(tokens_graph: Path, minilm_folder: Path) -> None:
    chosen = LoadOptions(threads=1, providers=("CPUExecutionProvider",))
    assert encode(open_graph(tokens_graph, minilm_folder, options=chosen)).shape == (len(TEXTS), DIM)
    for options in (LoadOptions(providers=("MagicExecutionProvider",)), LoadOptions(providers=())):
        with pytest.raises(OptionError, match=r"available: .*CPUExecutionProvider"):
            open_graph(tokens_graph, minilm_folder, options=options)


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", "dml"])
def test_a_device_that_is_not_there(device: str, tokens_graph: Path, minilm_folder: Path) -> None:
    if len(ort.get_available_providers()) > 2:
        pytest.skip("this build of ONNX Runtime has accelerators")
    with pytest.raises(OptionError, match=r"available: .*CPUExecutionProvider"):
        open_graph(tokens_graph, minilm_folder, options=LoadOptions(device=device))


@pytest.mark.parametrize("device", ["tpu", "cuda:x", ""])
def test_a_device_that_does_not_exist(device: str, tokens_graph: Path, minilm_folder: Path) -> None:
    if not device:
        assert open_graph(tokens_graph, minilm_folder, options=LoadOptions(device=None)).full_dim == DIM
        return
    with pytest.raises(UnknownNameError, match="coreml"):
        open_graph(tokens_graph, minilm_folder, options=LoadOptions(device=device))


def test_variants(tokens_graph: Path, minilm_folder: Path) -> None:
    int8 = LoadOptions(threads=1, variant="int8")
    assert open_graph(tokens_graph, minilm_folder, use="onnx:int8", options=int8).full_dim == DIM
    assert open_graph(tokens_graph, minilm_folder, use="onnx:int8").full_dim == DIM
    with pytest.raises(ModelFormatError, match="onnx:int8"):
        open_graph(tokens_graph, minilm_folder, options=int8)
    with pytest.raises(UnknownNameError, match="fp32"):
        open_graph(tokens_graph, minilm_folder, options=LoadOptions(variant="int4"))


def test_physical_cores() -> None:
    assert physical_cores() >= 1
