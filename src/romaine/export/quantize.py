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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


class Kind(str, Enum):
    """How one multiplication is done."""

    FLOAT = "float"
    TENSOR = "tensor"
    ROW = "row"
    BLOCK = "block"


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One multiplication by a constant matrix, as `quantize` asks about it.

    Attributes:
        index: Its place among all of them, in graph order.
        total: How many there are.
        rows: Components that go in.
        columns: Components that come out.
        is_value: Whether it projects the values of an attention.
    """

    index: int
    total: int
    rows: int
    columns: int
    is_value: bool


Plan = Callable[[Weight], Kind]


PLANS: Mapping[str, Plan] = {
    "int8 by row, values by block": lambda weight: Kind.BLOCK if weight.is_value else Kind.ROW,
    "int8 by block": lambda _: Kind.BLOCK,
}
"""Ways to round a whole graph, the fastest first."""


def quantize(model: onnx.ModelProto, plan: Plan) -> onnx.ModelProto:
    """Returns the graph with int8 weights and tables; `model` is left alone.

    Args:
        model: A float32 graph whose weights are initializers.
        plan: Says for each multiplication by a weight how it is to be done.
    """
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    _Quantizer(copied, plan).run()
    if not any(item.domain == _CONTRIB for item in copied.opset_import):
        copied.opset_import.append(helper.make_opsetid(_CONTRIB, 1))
    return copied


class _Quantizer:
    """One pass over one graph; nodes are rewritten into `nodes`, in order."""

    def __init__(self, model: onnx.ModelProto, plan: Plan) -> None:
        self.graph = model.graph
        self.plan = plan
        self.constants: Mapping[str, onnx.TensorProto] = {item.name: item for item in self.graph.initializer}
        self.producers = {name: node for node in self.graph.node for name in node.output}
        self.consumers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in self.graph.node:
            for name in dict.fromkeys(node.input):
                self.consumers[name].append(node)
        self.nodes: list[onnx.NodeProto] = []
        self.made: set[str] = set()
        self.rounded: dict[tuple[str, Kind], tuple[str, ...]] = {}

    def run(self) -> None:
        matmuls = [node for node in self.graph.node if self._is_weighted(node)]
        places = {id(node): index for index, node in enumerate(matmuls)}
        for node in self.graph.node:
            if node.op_type == "Gather" and self._is_table(node):
                self._table(node)
            elif id(node) in places:
                self._matmul(node, self._describe(node, places[id(node)], len(matmuls)))
            else:
                self.nodes.append(node)
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

    def _describe(self, node: onnx.NodeProto, index: int, total: int) -> Weight:
        rows, columns = self.constants[node.input[1]].dims
        is_value = self._leads_to_values(node)
        return Weight(index=index, total=total, rows=rows, columns=columns, is_value=is_value)

    def _leads_to_values(self, node: onnx.NodeProto) -> bool:
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

    def _matmul(self, node: onnx.NodeProto, weight: Weight) -> None:
        kind = self.plan(weight)
        if kind is Kind.BLOCK and weight.rows % _BLOCK_SIZE:
            kind = Kind.ROW
        if kind is Kind.FLOAT:
            self.nodes.append(node)
        elif kind is Kind.BLOCK:
            self._by_block(node, weight)
        else:
            self._by_int8(node, kind)

    def _by_int8(self, node: onnx.NodeProto, kind: Kind) -> None:
        states, name, out = node.input[0], node.input[1], node.output[0]
        codes, scales = round_symmetric(self._array(name), axis=0)
        self._constant(f"{name}.codes", codes)
        self._constant(f"{name}.scales", scales[0])
        rounded, scale, zero, *peaks = self._round(states, kind)
        product = f"{out}.unscaled" if peaks else out
        operands = [rounded, f"{name}.codes", scale, f"{name}.scales", zero]
        self._add("MatMulIntegerToFloat", operands, [product], domain=_CONTRIB)
        if peaks:
            self._add("Mul", [product, peaks[0]], [out])

    def _round(self, states: str, kind: Kind) -> tuple[str, ...]:
        """Names of the rounded states, their scale, zero point and, for ROW, each row's largest component."""
        if (states, kind) not in self.rounded:
            self.rounded[states, kind] = (
                self._round_rows(states) if kind is Kind.ROW else self._round_tensor(states)
            )
        return self.rounded[states, kind]

    def _round_tensor(self, states: str) -> tuple[str, ...]:
        names = tuple(f"{states}.{part}" for part in ("rounded", "scale", "zero"))
        self._add("DynamicQuantizeLinear", [states], list(names))
        return names

    def _round_rows(self, states: str) -> tuple[str, ...]:
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
        return f"{states}.by_row", "int8.step", "int8.zero", f"{states}.peaks"

    def _by_block(self, node: onnx.NodeProto, weight: Weight) -> None:
        name = node.input[1]
        blocks = self._array(name).T.reshape(weight.columns, -1, _BLOCK_SIZE)
        codes, scales = round_symmetric(blocks, axis=2)
        self._constant(f"{name}.blocks", (codes.astype(np.int16) + _ZERO_POINT).astype(np.uint8))
        self._constant(f"{name}.block_scales", scales.reshape(weight.columns, -1))
        self._add(
            "MatMulNBits",
            [node.input[0], f"{name}.blocks", f"{name}.block_scales"],
            [node.output[0]],
            domain=_CONTRIB,
            K=weight.rows,
            N=weight.columns,
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
