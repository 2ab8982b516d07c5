"""ONNX's operators that move values about, by TensorFlow's.

Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from edgebench.derive.onnx_graph import Op, Value
from edgebench.derive.tensorflow_values import (
    IMAGE_RANK,
    PLACES,
    TO_FIRST,
    TO_LAST,
    Held,
    axis_of,
    channels_last,
    first,
    static,
    stays_last,
)


def _reshape(_: Op, value: Value, shape: Value) -> Held:
    plain = first(value)
    if isinstance(shape, Held) and (known := tf.get_static_value(shape.tensor)) is not None:
        shape = known
    if isinstance(shape, Held):
        return Held(tf.reshape(plain, first(shape)), last=False)
    sizes: list[Value] = [
        plain.shape[place] if size == 0 else int(size) for place, size in enumerate(shape)
    ]
    if None in sizes:
        whole = tf.shape(plain)
        free = -1 not in sizes and sizes.count(None) == 1
        sizes = [
            (-1 if free else whole[place]) if size is None else size
            for place, size in enumerate(sizes)
        ]
    return Held(tf.reshape(plain, sizes), last=False)


def _flatten(op: Op, value: Held) -> Held:
    plain, axis = first(value), op.get("axis", 1)
    width = plain.shape[axis:].num_elements()
    if axis < 1 or width is None:
        raise ValueError("an open shape is not known here")
    return Held(tf.reshape(plain, (-1, width)), last=False)


def _transpose(op: Op, value: Held) -> Held:
    order = tuple(op.get("perm", range(value.tensor.shape.rank)[::-1]))
    if value.last and order == TO_LAST:
        return Held(value.tensor, last=False)
    if not value.last and order == TO_FIRST:
        return Held(value.tensor, last=True)
    return Held(tf.transpose(first(value), order), last=False)


def _concat(op: Op, *values: Value) -> Held:
    axis = op.attributes["axis"]
    last = stays_last(*values) and all(isinstance(one, Held) for one in values)
    parts = [channels_last(one) if last else first(one) for one in values]
    place = PLACES[axis % IMAGE_RANK] if last else axis
    return Held(tf.concat(parts, place), last)


def _split(op: Op, value: Held, sizes: Value = None) -> list[Held]:
    last = stays_last(value)
    tensor = value.tensor if last else first(value)
    given = op.get("split") if sizes is None else [int(size) for size in static(sizes)]
    place = axis_of(value, op.get("axis", 0), last=last)
    return [Held(one, last) for one in tf.split(tensor, given or len(op.node.output), place)]


def _slice(_: Op, value: Held, starts: Value, ends: Value, *rest: Value) -> Held:
    begin, end = static(starts), static(ends)
    axes = static(rest[0]) if rest else range(len(begin))
    steps = static(rest[1]) if len(rest) > 1 else [1] * len(begin)
    last = value.last
    tensor = value.tensor
    cuts = [slice(None)] * len(tensor.shape)
    for axis, a, b, step in zip(axes, begin, end, steps, strict=True):
        # ONNX means by a huge number: up to the end.
        until = None if abs(int(b)) >= np.iinfo(np.int32).max else int(b)
        cuts[axis_of(value, int(axis), last=last)] = slice(int(a), until, int(step))
    return Held(tensor[tuple(cuts)], last)


def _pad(op: Op, value: Held, pads: Value = None, fill: Value = None, *_: Value) -> Held:
    mode = op.get("mode", b"constant").decode()
    if mode not in {"constant", "reflect"} or _:
        raise ValueError("only a constant and a mirror on all axes are known here")
    sizes = [int(one) for one in static(pads)]
    pairs = list(zip(sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :], strict=True))
    last = stays_last(value)
    if last:
        pairs = [pairs[axis] for axis in TO_LAST]
    number = 0.0 if fill is None else float(static(fill))
    tensor = value.tensor if last else first(value)
    return Held(tf.pad(tensor, pairs, mode.upper(), constant_values=number), last)


def _squeeze(op: Op, value: Held, axes: Value = None) -> Held:
    chosen = op.get("axes") if axes is None else [int(axis) for axis in static(axes)]
    if chosen is None:
        raise ValueError("it names no axes")  # without, a batch of 1 would be squeezed too
    return Held(tf.squeeze(first(value), chosen), last=False)


def _unsqueeze(op: Op, value: Held, axes: Value = None) -> Held:
    chosen = op.get("axes") if axes is None else [int(axis) for axis in static(axes)]
    tensor = first(value)
    for axis in sorted(chosen):
        tensor = tf.expand_dims(tensor, axis)
    return Held(tensor, last=False)


def _shape(op: Op, value: Held) -> Held:
    sizes = tf.shape(value.tensor, tf.int64)
    ordered = tf.gather(sizes, PLACES) if value.last else sizes
    return Held(ordered[op.get("start", 0) : op.get("end")], last=False)


def _gather(op: Op, value: Value, places: Value) -> Held:
    return Held(tf.gather(first(value), first(places), axis=op.get("axis", 0)), last=False)


def _cast(op: Op, value: Held) -> Held:
    kinds = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_}
    kind = kinds.get(op.attributes["to"])
    if kind is None:
        raise ValueError(f"the type {op.attributes['to']} is not known here")
    return Held(tf.cast(value.tensor, kind), value.last)


def _expand(_: Op, value: Value, shape: Value) -> Held:
    plain, sizes = first(value), static(shape)
    whole = tf.broadcast_static_shape(plain.shape, tf.TensorShape(list(map(int, sizes))))
    return Held(tf.broadcast_to(plain, whole), last=False)


def _to_space(op: Op, value: Held) -> Held:
    if op.get("mode", b"DCR") != b"DCR":
        raise ValueError("only the mode DCR is known here")
    return Held(tf.nn.depth_to_space(channels_last(value), op.attributes["blocksize"]), last=True)


def _best(op: Op, value: Held) -> Held:
    axis = op.get("axis", 0)
    out = tf.argmax(first(value), axis)
    return Held(tf.expand_dims(out, axis) if op.get("keepdims", 1) else out, last=False)


OPERATORS: Mapping[str, Callable[..., Value]] = {
    "ArgMax": _best,
    "Cast": _cast,
    "Concat": _concat,
    "DepthToSpace": _to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
