"""int8 graphs: how close, how independent of a batch, and which weights project values."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper, numpy_helper

from romaine.export.quantize import Rounding, quantize, round_symmetric

RNG = np.random.default_rng(0)
WIDTH, INNER, ROWS = 64, 128, 2048


def model_of(
    nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], inputs: dict[str, int]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs.items()],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def run(model: onnx.ModelProto, **feeds: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.fixture
def layers() -> onnx.ModelProto:
    """Two layers with Gelu between them."""
    nodes = [
        helper.make_node("MatMul", ["x", "up"], ["wide"]),
        helper.make_node("Gelu", ["wide"], ["act"]),
        helper.make_node("MatMul", ["act", "down"], ["out"]),
    ]
    constants = {"up": normal(WIDTH, INNER) / 8, "down": normal(INNER, WIDTH) / 11}
    return model_of(nodes, constants, {"x": TensorProto.FLOAT})


@pytest.mark.parametrize("rounding", Rounding)
def test_close_to_float(rounding: Rounding, layers: onnx.ModelProto) -> None:
    x = normal(3, 5, WIDTH)
    exact, rounded = run(layers, x=x), run(quantize(layers, rounding), x=x)
    error = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
    assert 1e-6 < error < 0.02


@pytest.mark.parametrize("rounding", Rounding)
def test_a_row_does_not_depend_on_its_neighbours(rounding: Rounding, layers: onnx.ModelProto) -> None:
    model = quantize(layers, rounding)
    x = normal(4, 3, WIDTH)
    x[1:] *= 50  # would coarsen a scale shared by the batch
    np.testing.assert_allclose(run(model, x=x)[:1], run(model, x=x[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rounding", Rounding)
def test_zero_rows_stay_zero(rounding: Rounding, layers: onnx.ModelProto) -> None:
    out = run(quantize(layers, rounding), x=np.zeros((1, 2, WIDTH), dtype=np.float32))
    np.testing.assert_allclose(out, 0, atol=1e-6)


def test_the_original_is_left_alone(layers: onnx.ModelProto) -> None:
    before = layers.SerializeToString()
    quantize(layers, Rounding.ROW)
    assert layers.SerializeToString() == before


def test_tables_are_kept_as_int8_by_row() -> None:
    table = normal(ROWS, WIDTH) * RNG.uniform(0.01, 10, (ROWS, 1)).astype(np.float32)
    node = helper.make_node("Gather", ["table", "ids"], ["out"])
    model = model_of([node], {"table": table}, {"ids": TensorProto.INT64})
    smaller = quantize(model, Rounding.ROW)
    assert smaller.ByteSize() < model.ByteSize() / 3
    ids = np.array([[0, 5, ROWS - 1]])
    found = run(smaller, ids=ids)
    assert (np.abs(found - table[ids]) <= np.abs(table[ids]).max(axis=-1, keepdims=True) / 127).all()


def test_a_small_table_stays_float() -> None:
    node = helper.make_node("Gather", ["table", "ids"], ["out"])
    model = model_of([node], {"table": normal(16, WIDTH)}, {"ids": TensorProto.INT64})
    assert [item.name for item in quantize(model, Rounding.ROW).graph.initializer] == ["table"]


def test_rows_that_do_not_fill_blocks_are_done_by_row() -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["out"])
    model = model_of([node], {"w": normal(50, 30)}, {"x": TensorProto.FLOAT})
    kinds = {item.op_type for item in quantize(model, Rounding.BLOCK).graph.node}
    assert "MatMulIntegerToFloat" in kinds
    assert "MatMulNBits" not in kinds


@pytest.mark.parametrize("fused", [True, False])
def test_value_projections_are_found(fused: bool) -> None:
    constants = {name: normal(WIDTH, WIDTH) for name in "qkvo"}
    nodes = [helper.make_node("MatMul", ["x", name], [f"{name}x"]) for name in "qkv"]
    if fused:
        nodes.append(
            helper.make_node(
                "MultiHeadAttention", ["qx", "kx", "vx"], ["mixed"], domain="com.microsoft", num_heads=4
            )
        )
    else:
        nodes += [
            helper.make_node("Transpose", ["kx"], ["kt"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["qx", "kt"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
            helper.make_node("MatMul", ["weights", "vx"], ["mixed"]),
        ]
    nodes.append(helper.make_node("MatMul", ["mixed", "o"], ["out"]))
    model = model_of(nodes, constants, {"x": TensorProto.FLOAT})
    rounded = quantize(model, Rounding.ROW)
    blocks = [node.input[1] for node in rounded.graph.node if node.op_type == "MatMulNBits"]
    assert blocks == ["v.blocks"]
    # q and k share one rounding of x
    assert sum(node.op_type == "QuantizeLinear" for node in rounded.graph.node) == 2
    x = normal(2, 5, WIDTH) / 8
    exact, found = run(model, x=x), run(rounded, x=x)
    assert np.linalg.norm(found - exact) / np.linalg.norm(exact) < 0.05


@given(
    arrays.arrays(np.float32, (5, 7), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)),
    st.sampled_from([0, 1]),
)
def test_round_symmetric(array: np.ndarray, axis: int) -> None:
    codes, scales = round_symmetric(array, axis=axis)
    assert codes.dtype == np.int8
    assert codes.min() >= -127
    peaks = np.abs(array).max(axis=axis, keepdims=True)
    assert (np.abs(codes * scales - array) <= peaks / 127 * 0.501 + 1e-30).all()
