from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from romaine import Embedder
from romaine.errors import IntegrityError, ModelFormatError, UnverifiedModelError
from romaine.models.onnx_data import external_data
from romaine.models.verdicts import Verdict, save, verdict_key

DIM = 8
TABLE = np.random.default_rng(0).standard_normal((30522, DIM)).astype(np.float32)


def external(location: str, name: str = "table", values: np.ndarray = TABLE) -> TensorProto:
    """A tensor whose values lie elsewhere."""
    tensor = numpy_helper.from_array(values, name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(values.nbytes))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def graph(*nodes: onnx.NodeProto, tensors: tuple[TensorProto, ...] = (), name: str = "g") -> onnx.GraphProto:
    return helper.make_graph(list(nodes), name, [], [], list(tensors))


def in_initializer(tensor: TensorProto) -> onnx.ModelProto:
    return helper.make_model(graph(tensors=(tensor,)))


def in_constant(tensor: TensorProto) -> onnx.ModelProto:
    return helper.make_model(graph(helper.make_node("Constant", [], ["c"], value=tensor)))


def in_list_of_tensors(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Custom", [], ["c"], domain="d")
    node.attribute.add(name="values", type=onnx.AttributeProto.TENSORS, tensors=[tensor])
    return helper.make_model(graph(node))


def in_branches(tensor: TensorProto) -> onnx.ModelProto:
    inner = graph(tensors=(tensor,), name="inner")
    for depth in range(15):
        node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=graph(name="no"))
        inner = graph(node, name=f"depth{depth}")
    return helper.make_model(inner)


def in_list_of_graphs(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Custom", [], ["c"], domain="d")
    node.attribute.add(name="bodies", type=onnx.AttributeProto.GRAPHS, graphs=[graph(tensors=(tensor,))])
    return helper.make_model(graph(node))


def in_sparse(tensor: TensorProto) -> onnx.ModelProto:
    model = helper.make_model(graph())
    model.graph.sparse_initializer.add(values=tensor, indices=numpy_helper.from_array(np.arange(2)), dims=[9])
    return model


def in_sparse_attribute(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["c"])
    attribute = node.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    attribute.sparse_tensor.indices.CopyFrom(tensor)
    return helper.make_model(graph(node))


def in_function(tensor: TensorProto) -> onnx.ModelProto:
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    function = helper.make_function("d", "f", [], ["y"], [node], [helper.make_opsetid("", 18)])
    return helper.make_model(graph(), functions=[function])


def in_functions_default(tensor: TensorProto) -> onnx.ModelProto:
    function = helper.make_function("d", "f", [], [], [], [helper.make_opsetid("", 18)])
    function.attribute_proto.add(name="value", type=onnx.AttributeProto.TENSOR, t=tensor)
    return helper.make_model(graph(), functions=[function])


@pytest.mark.parametrize(
    "place",
    [
        in_initializer,
        in_constant,
        in_list_of_tensors,
        in_branches,
        in_list_of_graphs,
        in_sparse,
        in_sparse_attribute,
        in_function,
        in_functions_default,
    ],
)
def test_a_tensor_elsewhere_is_found_wherever_it_is_named(
    place: Callable[[TensorProto], onnx.ModelProto], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(place(external("weights.bin")).SerializeToString())
    assert external_data(path) == ("weights.bin",)
    path.write_bytes(place(numpy_helper.from_array(TABLE[:2])).SerializeToString())
    assert external_data(path) == ()


def test_a_message_in_two_halves_hides_nothing(tmp_path: Path) -> None:
    """Readers of protobuf merge a field that comes twice: here the location, then that it counts."""
    whole = external("weights.bin")
    location, flag = TensorProto(external_data=whole.external_data), TensorProto(data_location=1)
    halves = [onnx.AttributeProto(name="value", type=4, t=half) for half in (location, flag)]
    attribute = b"".join(half.SerializeToString() for half in halves)
    node = b"\x2a" + bytes([len(attribute)]) + attribute
    whole_graph = b"\x0a" + bytes([len(node)]) + node
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x3a" + bytes([len(whole_graph)]) + whole_graph)
    merged = onnx.load(path, load_external_data=False).graph.node[0].attribute[0].t
    assert (merged.data_location, merged.external_data[0].value) == (TensorProto.EXTERNAL, "weights.bin")
    assert external_data(path) == ("weights.bin",)


@pytest.mark.parametrize("content", [b"\xff" * 30, b"\x3a\x05ab", b"\x3b", b"\x0d\x01", b"x"])
def test_what_is_no_graph_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match=r"not a readable ONNX file .*Download it again"):
        external_data(path)


# --- a whole model -----------------------------------------------------------------------------------------


def write_model(folder: Path, minilm: Path, location: str = "weights.bin") -> Path:
    """An ONNX model whose only table lies in `location`, which is not written."""
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])
    states = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["batch", "length", DIM])
    gather = helper.make_node("Gather", ["table", "input_ids"], ["states"])
    whole = helper.make_graph([gather], "g", [ids], [states], [external(location)])
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    shutil.copy(minilm / "tokenizer.json", folder)
    return folder


@pytest.fixture
def model(tmp_path: Path, minilm_folder: Path) -> Path:
    folder = write_model(tmp_path / "model", minilm_folder)
    (folder / "weights.bin").write_bytes(TABLE.tobytes())
    return folder


def test_a_swapped_data_file_of_any_name_is_noticed(model: Path) -> None:
    first = Embedder(model, backend="onnx")
    assert first.opened.local.path("onnx:fp32:data:0") == model / "weights.bin"
    (model / "weights.bin").write_bytes(TABLE[::-1].tobytes())
    with pytest.raises(IntegrityError, match=r"weights\.bin has changed"):
        Embedder(model, backend="onnx").warm_up()


def test_it_is_part_of_fingerprint_and_verdict(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Embedder(model, backend="onnx")
    local = first.opened.local
    save(Verdict(key=verdict_key(local, "onnx"), passed=True, backend="onnx", at="2026-01-01"), local)
    verified = Embedder(model, backend="onnx", require_verified=True)
    assert verified.fingerprint == first.fingerprint
    (model / "weights.bin").write_bytes(TABLE[::-1].tobytes())
    monkeypatch.setenv("ROMAINE_CACHE", str(tmp_path / "new"))  # as after 'romaine models forget'
    assert Embedder(model, backend="onnx").fingerprint != first.fingerprint
    with pytest.raises(UnverifiedModelError, match="for other files"):
        Embedder(model, backend="onnx", require_verified=True).warm_up()


def test_a_missing_data_file_is_named(model: Path) -> None:
    (model / "weights.bin").unlink()
    with pytest.raises(ModelFormatError, match=r"keeps tensors in weights\.bin, which is missing"):
        Embedder(model, backend="onnx").warm_up()


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/weights.bin", "a/../../weights.bin", "c:weights", ""]
)
def test_a_location_outside_the_folder_is_refused(location: str, tmp_path: Path, minilm_folder: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(TABLE.tobytes())
    folder = write_model(tmp_path / "model", minilm_folder, location)
    with pytest.raises(ModelFormatError, match=r"outside the model's folder|which is missing"):
        Embedder(folder, backend="onnx").warm_up()


@pytest.mark.parametrize("name", ["weights.bin", "model.onnx", "tokenizer.json"])
def test_a_link_out_of_the_folder_is_refused(name: str, model: Path, tmp_path: Path) -> None:
    (model / name).rename(tmp_path / name)
    (model / name).symlink_to(tmp_path / name)
    with pytest.raises(ModelFormatError, match="outside the model's folder"):
        Embedder(model, backend="onnx").warm_up()
