"""What one inference of an ONNX graph costs, counted from the file: nothing is run.

Convolutions and dense layers are counted, at a batch of 1; what adds, activates or pools is not, as
in the papers that the figures are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import onnx
from onnx import TensorProto, shape_inference

Shapes = Mapping[str, tuple[int, ...]]
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_WEIGHTS = (*_FLOATS, TensorProto.INT8, TensorProto.UINT8)
_FLOAT_BYTE = 4
# Where the weights stand among an operator's inputs.
CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}
# They multiply, and how often is not in their shapes.
_UNCOUNTED = frozenset({"If", "Loop", "Scan", "LSTM", "GRU", "RNN", "Einsum", "Attention"})
# Their output is their first input under another shape or name.
_VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
# An output may overwrite an input of the same size that nobody needs any more.
_IN_PLACE = frozenset(
    {"Add", "Sub", "Mul", "Div", "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid"}
    | {"HardSigmoid", "HardSwish", "Tanh", "Erf", "Gelu", "Mish", "Softplus", "Softsign"}
    | {"BatchNormalization", "Softmax", "LogSoftmax", "Neg", "Abs", "Exp", "Sqrt", "Min", "Max"}
)


class Cost(NamedTuple):
    """Figures of one inference; None where a shape or an operator keeps one from being told."""

    macs: int | None
    """Multiply-accumulates of convolutions and dense layers."""
    parameters: int
    """Elements of the weights; scales and zero points of a quantised file are none."""
    activation_peak_byte: int | None
    """Largest sum of tensors, as float32, that must be alive at once in the file's order of
    operators. Weights are not counted."""


def cost(model: onnx.ModelProto, shapes: Shapes | None = None) -> Cost:
    """Count what one inference costs.

    Args:
        model: With or without its external data. It is not changed.
        shapes: Of inputs whose sizes the file leaves open, by name, one sample without the batch.

    Returns:
        The figures at a batch of 1.
    """
    graph = inferred(model, shapes or {})
    known = known_shapes(graph)
    constants = constant_shapes(graph)
    try:
        macs = sum(macs_of(node, known | constants) for node in graph.node)
    except KeyError:
        macs = None
    try:
        peak = _peak_elements(graph, known, constants)
    except KeyError:
        peak = None
    return Cost(macs, _parameters(graph), None if peak is None else peak * _FLOAT_BYTE)


def inferred(model: onnx.ModelProto, shapes: Shapes) -> onnx.GraphProto:
    """The graph with every size that follows from a batch of 1 and the shapes told."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    weights = {tensor.name for tensor in fixed.graph.initializer}
    for value in fixed.graph.input:
        sides = value.type.tensor_type.shape.dim
        if value.name in weights or not sides:
            continue
        for side, told in zip(sides[1:], shapes.get(value.name, ()), strict=False):
            side.dim_value = told
        if not sides[0].HasField("dim_value"):
            sides[0].dim_value = 1
    # What a file says of its inner sizes is of any batch.
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return shape_inference.infer_shapes(fixed, data_prop=True).graph
    except shape_inference.InferenceError:  # an operator that ONNX knows nothing of
        return fixed.graph


def known_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes without an open side, by name."""
    found = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        sides = tensor.shape.dim
        if tensor.HasField("shape") and all(side.HasField("dim_value") for side in sides):
            found[value.name] = tuple(side.dim_value for side in sides)
    return found


def constant_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of what the file itself holds, by name."""
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" else ():
            # Of rank 0 where it is no tensor but a number.
            found[node.output[0]] = tuple(attribute.t.dims)
    return found


def macs_of(node: onnx.NodeProto, shapes: Shapes) -> int:
    """Multiply-accumulates of one operator.

    Raises:
        KeyError: A shape that it needs is not known, or nobody knows how often it multiplies.
    """
    kind = node.op_type
    if kind in _UNCOUNTED or node.domain not in {"", "ai.onnx"}:
        raise KeyError(kind)
    if kind in CONVOLUTIONS:
        weights = shapes[node.input[CONVOLUTIONS[kind]]]
        return math.prod(shapes[node.output[0]]) * math.prod(weights[1:])
    if kind == "ConvTranspose":
        # Each element that comes in is spread over one kernel of every filter of its group.
        return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])
    if kind == "Gemm":
        turned = any(a.name == "transA" and a.i for a in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if turned else 1]
    if kind in PRODUCTS:
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return 0


def _parameters(graph: onnx.GraphProto) -> int:
    """Elements of weights: what is no scalar, and whole numbers only where they are quantised."""
    scales = {
        name
        for node in graph.node
        if node.op_type in {"QuantizeLinear", "DequantizeLinear"}
        for name in node.input[1:]
    }
    inner = (a.t for n in graph.node if n.op_type == "Constant" for a in n.attribute)
    tensors = (*(t for t in graph.initializer if t.name not in scales), *inner)
    weights = (t for t in tensors if t.dims and t.data_type in _WEIGHTS)
    return sum(math.prod(tensor.dims) for tensor in weights)


def _peak_elements(graph: onnx.GraphProto, shapes: Shapes, constants: Collection[str]) -> int:
    """Largest sum of elements of float tensors that are alive at once.

    Raises:
        KeyError: A shape is not known.
    """
    values = (*graph.input, *graph.value_info, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    roots = _roots(graph)
    last = _last_uses(graph, roots)

    def elements(names: Iterable[str]) -> dict[str, int]:
        floats = (n for n in names if n and n not in constants and types[n] in _FLOATS)
        return {name: math.prod(shapes[name]) for name in floats if roots[name] == name}

    alive = elements(value.name for value in graph.input)
    peak = sum(alive.values())
    for place, node in enumerate(graph.node):
        made = elements(node.output)
        if node.op_type in _IN_PLACE:
            taken = {roots[name] for name in node.input if name in roots}
            free = (one for one in taken & alive.keys() if last[one] <= place)
            fits = (one for one in free if alive[one] in made.values())
            alive.pop(next(fits, ""), None)
        alive |= made
        peak = max(peak, sum(alive.values()))
        alive = {one: count for one, count in alive.items() if last[one] > place}
    return peak


def _roots(graph: onnx.GraphProto) -> dict[str, str]:
    """Of every value the one whose storage it shares: itself, where it is no view."""
    roots = {value.name: value.name for value in graph.input}
    for node in graph.node:
        for name in node.output:
            view = node.op_type in _VIEWS and name == node.output[0]
            roots[name] = roots.get(node.input[0], name) if view else name
    return roots


def _last_uses(graph: onnx.GraphProto, roots: Mapping[str, str]) -> dict[str, int]:
    """Of every storage the place of the last operator that touches it; outputs outlive all."""
    last = {value.name: -1 for value in graph.input}
    for place, node in enumerate(graph.node):
        for name in (*node.input, *node.output):
            if name in roots:
                last[roots[name]] = place
    for value in graph.output:
        last[roots.get(value.name, value.name)] = len(graph.node)
    return last
