"""What each operator of an ONNX file multiplies, and under which names runtimes know it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx

from edgebench.derive import onnx_cost
from edgebench.derive.onnx_cost import CONVOLUTIONS, PRODUCTS, Shapes
from edgebench.protocols import OpWork, WorkKind

_FOLLOWING = frozenset(
    {"Add", "Mul", "Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "HardSwish", "HardSigmoid"}
    | {"BatchNormalization", "QuantizeLinear", "DequantizeLinear", "Cast"}
)
"""Operators that runtimes fuse into the product before them, which then may bear their names."""
_LARGE_BYTE = 4096
"""Weights from which only the shape is kept; smaller constants may say what a shape will be."""


def of_file(path: Path, shapes: Shapes | None = None) -> tuple[OpWork, ...]:
    """`operators` of a file, without its external data.

    Args:
        path: An ONNX file.
        shapes: As `operators` takes them.

    Returns:
        Nothing where the file cannot be read or understood: a profile is worth having without.
    """
    try:
        return operators(onnx.load(str(path), load_external_data=False), shapes)
    except Exception:  # noqa: BLE001 - parser and inference raise what they like on a strange file
        return ()


def operators(model: onnx.ModelProto, shapes: Shapes | None = None) -> tuple[OpWork, ...]:
    """Convolutions and dense layers in the file's order, with their multiply-accumulates.

    Args:
        model: Its large weights are dropped, its operators put in order.
        shapes: Of inputs whose sizes the file leaves open, by name, one sample without the batch.
    """
    constants = onnx_cost.constant_shapes(model.graph)
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > _LARGE_BYTE:
            tensor.ClearField("raw_data")
    _put_in_order(model.graph)
    graph = onnx_cost.inferred(model, shapes or {})
    known = onnx_cost.known_shapes(graph) | constants
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    kinds = [_kind(node, known) for node in graph.node]
    fixed = _fixed(graph, [place for place, kind in enumerate(kinds) if kind is not None])
    found = []
    for place, (node, kind) in enumerate(zip(graph.node, kinds, strict=True)):
        if kind is not None:
            names = tuple(dict.fromkeys(filter(None, _names(node, readers))))
            macs = _macs(node, known)
            found.append(OpWork(names=names, kind=kind, macs=macs, fixed=place in fixed))
    return tuple(found)


def _put_in_order(graph: onnx.GraphProto) -> None:
    """Operators after those that they read: tools append casts at the end, where none looks."""
    pending = {name for node in graph.node for name in node.output}
    left, done = list(graph.node), []
    while left:
        ready = []
        for node in left:
            if not pending.intersection(node.input):
                ready.append(node)
                pending.difference_update(node.output)
        if not ready:  # a circle: as it stands
            return
        done += ready
        kept = {id(node) for node in ready}
        left = [node for node in left if id(node) not in kept]
    del graph.node[:]
    graph.node.extend(done)


def _fixed(graph: onnx.GraphProto, products: Sequence[int]) -> set[int]:
    """Of some operators those that come before or after every other one, whatever the order.

    Args:
        graph: Its operators stand in an order in which they may run.
        products: Places of operators in the graph.
    """
    bits = {place: 1 << at for at, place in enumerate(products)}
    made: dict[str, int] = {}
    before: dict[int, int] = {}
    for place, node in enumerate(graph.node):
        mask = 0
        for name in node.input:
            mask |= made.get(name, 0)
        before[place] = mask
        made |= dict.fromkeys(node.output, mask | bits.get(place, 0))
    after = Counter(
        at for place in products for at in range(len(products)) if before[place] >> at & 1
    )
    others = len(products) - 1
    counts = {place: before[place].bit_count() + after[at] for at, place in enumerate(products)}
    return {place for place, count in counts.items() if count == others}


def _macs(node: onnx.NodeProto, shapes: Shapes) -> int | None:
    try:
        return onnx_cost.macs_of(node, shapes)
    except KeyError:
        return None


def _kind(node: onnx.NodeProto, shapes: Shapes) -> WorkKind | None:
    """None for whatever is not counted."""
    kind = node.op_type
    if kind == "Gemm" or kind in PRODUCTS:
        return "dense"
    if kind not in CONVOLUTIONS and kind != "ConvTranspose":
        return None
    place = CONVOLUTIONS.get(kind, 1)
    weights = shapes.get(node.input[place], ())
    groups = next((one.i for one in node.attribute if one.name == "group"), 1)
    if kind == "ConvTranspose":
        return "transposed"
    if groups > 1:
        return "depthwise" if weights[1:2] == (1,) else "grouped"
    return "pointwise" if weights[2:] and set(weights[2:]) == {1} else "convolution"


def _names(node: onnx.NodeProto, readers: Mapping[str, list[onnx.NodeProto]]) -> Iterator[str]:
    """Of the operator, and of those after it for as long as one alone reads the one before."""
    yield node.name
    yield from node.output
    after = readers.get(node.output[0], [])
    while len(after) == 1 and after[0].op_type in _FOLLOWING:
        yield after[0].name
        yield from after[0].output
        after = readers.get(after[0].output[0], [])
