"""ONNX's operators that move values about, by TensorFlow's.

Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from onnx import numpy_helper

from edgebench.derive.onnx_values import (
    IMAGE_RANK,
    PLACES,
    TO_FIRST,
    TO_LAST,
    Held,
    Node,
    Value,
    axis_of,
    channels_last,
    first,
    static,
    stays_last,
)
from edgebench.errors import ModelRefusedError


def _reshape(_: Node, value: Value, shape: Value) -> Value:
    plain = first(value)
    if not isinstance(shape, Held):
        sizes: list[Value] = [int(size) for size in shape]
        known = plain.shape if isinstance(value, Held) else np.shape(value)
        sizes = [known[place] if size == 0 else size for place, size in enumerate(sizes)]
        if None in sizes:
            whole = tf.shape(plain)
            free = -1 not in sizes and sizes.count(None) == 1
            sizes = [
                (-1 if free else whole[place]) if size is None else size
                for place, size in enumerate(sizes)
            ]
        if not isinstance(value, Held):
            return np.reshape(value, sizes)
        return Held(tf.reshape(plain, sizes), last=False)
    return Held(tf.reshape(plain, first(shape)), last=False)


def _flatten(node: Node, value: Held) -> Held:
    plain, axis = first(value), node.get("axis", 1)
    width = plain.shape[axis:].num_elements()
    if axis < 1 or width is None:
        raise ModelRefusedError("Flatten of an open shape is not known here")
    return Held(tf.reshape(plain, (-1, width)), last=False)


def _transpose(node: Node, value: Value) -> Value:
    if not isinstance(value, Held):
        return np.transpose(value, node.get("perm", None))
    order = tuple(node.get("perm", range(value.tensor.shape.rank)[::-1]))
    if value.last and order == TO_LAST:
        return Held(value.tensor, last=False)
    if not value.last and order == TO_FIRST:
        return Held(value.tensor, last=True)
    return Held(tf.transpose(first(value), order), last=False)


def _concat(node: Node, *values: Value) -> Value:
    axis = node.attributes["axis"]
    if not any(isinstance(one, Held) for one in values):
        return np.concatenate(values, axis)
    last = stays_last(*values) and all(isinstance(one, Held) for one in values)
    parts = [channels_last(one) if last else first(one) for one in values]
    place = PLACES[axis % IMAGE_RANK] if last else axis
    return Held(tf.concat(parts, place), last)


def _split(node: Node, value: Held, sizes: Value = None) -> list[Held]:
    last = stays_last(value)
    tensor = value.tensor if last else first(value)
    given = node.get("split", None) if sizes is None else [int(size) for size in static(sizes)]
    place = axis_of(value, node.get("axis", 0), last=last)
    return [Held(one, last) for one in tf.split(tensor, given or node.outputs, place)]


def _slice(_: Node, value: Value, starts: Value, ends: Value, *rest: Value) -> Value:
    begin, end = static(starts), static(ends)
    axes = static(rest[0]) if rest else range(len(begin))
    steps = static(rest[1]) if len(rest) > 1 else [1] * len(begin)
    last = isinstance(value, Held) and value.last
    tensor = value.tensor if last else first(value)
    cuts = [slice(None)] * len(tensor.shape)
    for axis, a, b, step in zip(axes, begin, end, steps, strict=True):
        # ONNX means by a huge number: up to the end.
        until = None if abs(int(b)) >= np.iinfo(np.int32).max else int(b)
        cuts[axis_of(value, int(axis), last=last)] = slice(int(a), until, int(step))
    return Held(tensor[tuple(cuts)], last) if isinstance(value, Held) else tensor[tuple(cuts)]


def _pad(node: Node, value: Held, pads: Value = None, fill: Value = None, *_: Value) -> Held:
    if node.get("mode", b"constant") != b"constant" or _:
        raise ModelRefusedError("only Pad with a constant on all axes is known here")
    sizes = [int(one) for one in static(pads)]
    pairs = list(zip(sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :], strict=True))
    last = stays_last(value)
    if last:
        pairs = [pairs[axis] for axis in TO_LAST]
    number = 0.0 if fill is None else float(static(fill))
    return Held(tf.pad(value.tensor if last else first(value), pairs, constant_values=number), last)


def _squeeze(node: Node, value: Value, axes: Value = None) -> Value:
    chosen = node.get("axes", None) if axes is None else [int(axis) for axis in static(axes)]
    if isinstance(value, Held):
        return Held(tf.squeeze(first(value), chosen), last=False)
    return np.squeeze(value, None if chosen is None else tuple(chosen))


def _unsqueeze(node: Node, value: Value, axes: Value = None) -> Value:
    chosen = node.get("axes", None) if axes is None else [int(axis) for axis in static(axes)]
    if not isinstance(value, Held):
        return np.expand_dims(value, tuple(chosen))
    tensor = first(value)
    for axis in sorted(chosen):
        tensor = tf.expand_dims(tensor, axis)
    return Held(tensor, last=False)


def _shape(_: Node, value: Value) -> Value:
    if not isinstance(value, Held):
        return np.asarray(np.shape(value), np.int64)
    sizes = tf.shape(value.tensor, tf.int64)
    return Held(tf.gather(sizes, PLACES) if value.last else sizes, last=False)


def _gather(node: Node, value: Value, places: Value) -> Value:
    axis = node.get("axis", 0)
    if isinstance(value, Held) or isinstance(places, Held):
        return Held(tf.gather(first(value), first(places), axis=axis), last=False)
    return np.take(value, places, axis)


def _cast(node: Node, value: Value) -> Value:
    kinds = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_}
    kind = kinds.get(node.attributes["to"])
    if kind is None:
        raise ModelRefusedError(f"Cast to type {node.attributes['to']} is not known here")
    if isinstance(value, Held):
        return Held(tf.cast(value.tensor, kind), value.last)
    return np.asarray(value).astype(kind)


def _constant(node: Node) -> Value:
    if "value" in node.attributes:
        return numpy_helper.to_array(node.attributes["value"])
    (one,) = node.attributes.values()
    return np.asarray(one)


OPERATORS: Mapping[str, Callable[..., Value]] = {
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
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
