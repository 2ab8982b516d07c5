"""ONNX's operators that move values about, by torch's, in the terms of `torch_import`.

Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import operator

import numpy as np
import torch
from numpy.typing import NDArray

from edgebench.derive.onnx_graph import Op, Value
from edgebench.derive.torch_import import Importer, Maker

_TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
}
"""By ONNX's number."""


def _shape(to: Importer, op: Op) -> NDArray[np.int64]:
    """A shape as a constant: its batch is -1, which a later Reshape fills in."""
    shape = to.source.shape(op.node.input[0])
    if None in shape[1:]:
        raise ValueError(f"{shape} is open beside its batch")
    sizes = np.array([-1 if size is None else size for size in shape], np.int64)
    return sizes[op.get("start", 0) : op.get("end")]


def _reshape(to: Importer, op: Op) -> Value:
    """Sizes by what ONNX infers; the one that is open there is what torch fills in."""
    sizes = [-1 if size is None else size for size in to.source.shape(op.node.output[0])]
    if sizes.count(-1) > 1:
        sizes = op.numbers("shape", 1) or sizes
    return to.call(torch.reshape, op.args[0], tuple(sizes))


def _flatten(to: Importer, op: Op) -> Value:
    if op.get("axis", 1) != 1:
        raise ValueError("its axis is not 1")
    return to.call(torch.flatten, op.args[0], 1)


def _squeeze(to: Importer, op: Op) -> Value:
    axes = op.numbers("axes", 1)
    if axes is None:
        raise ValueError("it names no axes")  # without, a batch of 1 would be squeezed too
    return to.call(torch.squeeze, op.args[0], tuple(axes))


def _unsqueeze(to: Importer, op: Op) -> Value:
    value = op.args[0]
    for axis in sorted(op.numbers("axes", 1) or []):
        value = to.call(torch.unsqueeze, value, axis)
    return value


def _split(to: Importer, op: Op) -> Value:
    axis = int(op.get("axis", 0))
    sizes = [to.source.shape(name)[axis] for name in op.node.output]
    parts = to.call(torch.split, op.args[0], sizes, dim=axis)
    return [to.call(operator.getitem, parts, place) for place in range(len(sizes))]


def _concat(to: Importer, op: Op) -> Value:
    return to.call(torch.cat, list(op.args), dim=int(op.attributes["axis"]))


def _slice(to: Importer, op: Op) -> Value:
    starts, ends = op.numbers("starts", 1) or [], op.numbers("ends", 2) or []
    axes = op.numbers("axes", 3) or list(range(len(starts)))
    steps = op.numbers("steps", 4) or [1] * len(starts)
    value = op.args[0]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step != 1:
            raise ValueError(f"a step of {step} is not known here")
        # ONNX means by a huge number: up to the end.
        until = min(end, np.iinfo(np.int64).max)
        value = to.call(torch.ops.aten.slice.Tensor, value, axis, start, until, 1)
    return value


def _gather(to: Importer, op: Op) -> Value:
    places, axis = op.args[1], int(op.get("axis", 0))
    if not isinstance(places, np.ndarray):
        raise ValueError("its places depend on the input")  # noqa: TRY004 - not a type that a user gave
    if places.ndim == 0:
        return to.call(torch.select, op.args[0], axis, int(places))
    if places.ndim > 1:
        raise ValueError("places of several axes are not known here")
    return to.call(torch.index_select, op.args[0], axis, to.held(places.astype(np.int64)))


def _cast(to: Importer, op: Op) -> Value:
    return to.call(torch.Tensor.to, op.args[0], _TYPES[op.attributes["to"]])


def _expand(to: Importer, op: Op) -> Value:
    sizes = [-1 if size is None else size for size in to.source.shape(op.node.output[0])]
    return to.call(torch.Tensor.expand, op.args[0], tuple(sizes))


MAKERS: dict[str, Maker] = {
    "Cast": _cast,
    "Expand": _expand,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Shape": _shape,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": lambda to, op: to.call(torch.permute, op.args[0], tuple(op.attributes["perm"])),
    "Unsqueeze": _unsqueeze,
}
"""By ONNX's name."""
