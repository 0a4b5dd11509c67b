"""int8 for exported graphs, so that vectors keep their direction and the multiplications run in int8.

Weights are rounded symmetrically, each output column by its own scale; embedding tables each row by its own.
What costs quality is rounding the activations: ONNX Runtime's usual dynamic quantising has one scale for a
whole batch, so that a few outlying components leave little resolution for the rest, and a text's vector
depends on the texts beside it. Two ways around that are used:

* ROW: each token's state is divided by its own largest component first, so that one scale fits all.
* BLOCK: `MatMulNBits` at accuracy level 4 rounds every 32 neighbouring components by themselves: nearly
  exact, and slower.

On all-MiniLM-L6-v2 half of what ROW loses is lost in the value projections of attention, a twelfth of the
work: their errors are alike for all tokens, so that attention and pooling do not average them out. They are
therefore done by block.
"""

from __future__ import annotations

from collections import defaultdict
from enum import Enum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_CONTRIB = "com.microsoft"
_BLOCK_SIZE = 32
_LEVEL_INT8 = 4  # MatMulNBits' accuracy_level: compute in int8
_LARGEST = 127.0
_ZERO_POINT = 128  # of uint8 activations and of 8-bit blocks
_MIN_TABLE_ROWS = 1024  # smaller tables are not worth a rounding error
_LEAST_PEAK = 1e-12
_GELU_MINIMUM = 0.17  # Gelu is never below -0.17
_RESHAPING = frozenset({"Add", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Identity"})


class Rounding(str, Enum):
    """Ways to round a whole graph, the fastest first."""

    ROW = "int8 by row, values by block"
    BLOCK = "int8 by block"


def quantize(model: onnx.ModelProto, rounding: Rounding) -> onnx.ModelProto:
    """Returns the graph with int8 weights and tables; `model` is left alone.

    Args:
        model: A float32 graph whose weights are initializers.
        rounding: How its multiplications by weights are done; rows that do not fill blocks are done by row.
    """
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    _Quantizer(copied, rounding).run()
    if not any(item.domain == _CONTRIB for item in copied.opset_import):
        copied.opset_import.append(helper.make_opsetid(_CONTRIB, 1))
    return copied


class _Quantizer:
    """One pass over one graph; nodes are rewritten into `nodes`, in order."""

    def __init__(self, model: onnx.ModelProto, rounding: Rounding) -> None:
        self.graph = model.graph
        self.rounding = rounding
        self.constants = {item.name: item for item in self.graph.initializer}
        self.producers = {name: node for node in self.graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.graph.node:
            for name in dict.fromkeys(node.input):
                self.consumers[name].append(node)
        self.nodes: list[onnx.NodeProto] = []
        self.made: set[str] = set()
        self.rounded: set[str] = set()

    def run(self) -> None:
        for node in self.graph.node:
            if node.op_type == "Gather" and self._is_table(node):
                self._table(node)
            elif not self._is_weighted(node):
                self.nodes.append(node)
            elif self._fills_blocks(node) and (self.rounding is Rounding.BLOCK or self._gives_values(node)):
                self._by_block(node)
            else:
                self._by_row(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        constants = [item for item in self.graph.initializer if item.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(constants)
        del self.graph.value_info[:]

    # --- recognising ----------------------------------------------------------------------------------------

    def _is_weighted(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "MatMul" or node.input[1] not in self.constants:
            return False
        weight = self.constants[node.input[1]]
        return len(weight.dims) == 2 and weight.data_type == onnx.TensorProto.FLOAT

    def _is_table(self, node: onnx.NodeProto) -> bool:
        table = self.constants.get(node.input[0])
        return table is not None and len(table.dims) == 2 and table.dims[0] >= _MIN_TABLE_ROWS

    def _fills_blocks(self, node: onnx.NodeProto) -> bool:
        return bool(self.constants[node.input[1]].dims[0] % _BLOCK_SIZE == 0)

    def _gives_values(self, node: onnx.NodeProto) -> bool:
        """Whether attention averages what a node gives, with nothing but a bias and new axes between."""
        name = node.output[0]
        while len(found := self.consumers.get(name, [])) == 1:
            user = found[0]
            if user.op_type == "MultiHeadAttention":
                return bool(user.input[2] == name)
            if user.op_type == "MatMul":
                weights = self.producers.get(user.input[0])
                return user.input[1] == name and weights is not None and weights.op_type == "Softmax"
            if user.op_type not in _RESHAPING or name not in user.input[:1]:
                return False
            name = user.output[0]
        return False

    # --- rewriting ------------------------------------------------------------------------------------------

    def _table(self, node: onnx.NodeProto) -> None:
        """Rows are fetched as int8 and only those fetched become float."""
        name = node.input[0]
        codes, scales = round_symmetric(self._array(name), axis=1)
        self._constant(f"{name}.codes", codes)
        self._constant(f"{name}.scales", scales)
        out = node.output[0]
        self._add("Gather", [f"{name}.codes", node.input[1]], [f"{out}.codes"])
        self._add("Gather", [f"{name}.scales", node.input[1]], [f"{out}.scales"])
        self._add("Cast", [f"{out}.codes"], [f"{out}.float"], to=onnx.TensorProto.FLOAT)
        self._add("Mul", [f"{out}.float", f"{out}.scales"], [out])

    def _by_row(self, node: onnx.NodeProto) -> None:
        states, name, out = node.input[0], node.input[1], node.output[0]
        codes, scales = round_symmetric(self._array(name), axis=0)
        self._constant(f"{name}.codes", codes)
        self._constant(f"{name}.scales", scales[0])
        if states not in self.rounded:
            self.rounded.add(states)
            self._round_rows(states)
        operands = [f"{states}.by_row", f"{name}.codes", "int8.step", f"{name}.scales", "int8.zero"]
        self._add("MatMulIntegerToFloat", operands, [f"{out}.unscaled"], domain=_CONTRIB)
        self._add("Mul", [f"{out}.unscaled", f"{states}.peaks"], [out])

    def _round_rows(self, states: str) -> None:
        self._constant("int8.step", np.array(1 / _LARGEST, dtype=np.float32))
        self._constant("int8.zero", np.array(_ZERO_POINT, dtype=np.uint8))
        self._constant("int8.last_axis", np.array([-1], dtype=np.int64))
        sizes, least = states, _LEAST_PEAK
        if states in self.producers and self.producers[states].op_type == "Gelu":
            least = _GELU_MINIMUM  # nothing below it is negative, so absolute values need not be taken
        else:
            sizes = f"{states}.abs"
            self._add("Abs", [states], [sizes])
        self._constant(f"int8.least_{least}", np.array(least, dtype=np.float32))
        self._add("ReduceMax", [sizes, "int8.last_axis"], [f"{states}.peak"], keepdims=1)
        self._add("Max", [f"{states}.peak", f"int8.least_{least}"], [f"{states}.peaks"])
        self._add("Div", [states, f"{states}.peaks"], [f"{states}.even"])
        self._add("QuantizeLinear", [f"{states}.even", "int8.step", "int8.zero"], [f"{states}.by_row"])

    def _by_block(self, node: onnx.NodeProto) -> None:
        name = node.input[1]
        rows, columns = self.constants[name].dims
        blocks = self._array(name).T.reshape(columns, -1, _BLOCK_SIZE)
        codes, scales = round_symmetric(blocks, axis=2)
        self._constant(f"{name}.blocks", (codes.astype(np.int16) + _ZERO_POINT).astype(np.uint8))
        self._constant(f"{name}.block_scales", scales.reshape(columns, -1))
        self._add(
            "MatMulNBits",
            [node.input[0], f"{name}.blocks", f"{name}.block_scales"],
            [node.output[0]],
            domain=_CONTRIB,
            K=rows,
            N=columns,
            bits=8,
            block_size=_BLOCK_SIZE,
            accuracy_level=_LEVEL_INT8,
        )

    # --- small change ---------------------------------------------------------------------------------------

    def _array(self, name: str) -> NDArray[np.float32]:
        return np.asarray(numpy_helper.to_array(self.constants[name]), dtype=np.float32)

    def _constant(self, name: str, array: NDArray[Any]) -> None:
        if name not in self.made:
            self.made.add(name)
            self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))

    def _add(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=f"{outputs[0]}.node", **attributes))


def round_symmetric(array: NDArray[np.float32], *, axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rounds to int8 codes from -127 to 127 with one scale for all values along `axis`.

    Returns:
        Codes of the same shape, and scales with `axis` of length 1; codes * scales is close to `array`.
    """
    scales = np.abs(array).max(axis=axis, keepdims=True) / _LARGEST
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    return np.rint(array / scales).astype(np.int8), scales
