"""Values of an ONNX graph in TensorFlow, and the order that their axes lie in.

An image has its channels last, as TensorFlow's kernels want it; what has no such form is brought
back into ONNX's order first: right, if not fastest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from edgebench.derive.onnx_graph import Value

IMAGE_RANK = 4
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
PLACES = (0, 3, 1, 2)
"""Where ONNX's axes lie in a tensor with channels last."""


class Held(NamedTuple):
    """A tensor that depends on the input."""

    tensor: Any
    """TensorFlow's own."""
    last: bool
    """Whether it lies as (batch, h, w, c) and not in ONNX's order."""


def first(value: Value) -> Value:
    """A tensor in ONNX's order."""
    if not isinstance(value, Held):
        return value
    if not value.last:
        return value.tensor
    _, height, width, channels = value.tensor.shape
    if height == width == 1:
        return tf.reshape(value.tensor, (-1, channels, 1, 1))
    return tf.transpose(value.tensor, TO_FIRST)


def channels_last(value: Value) -> Value:
    """A tensor of rank 4 with channels last; of an array, what broadcasts like it."""
    if isinstance(value, Held):
        return value.tensor if value.last else tf.transpose(value.tensor, TO_LAST)
    array = np.asarray(value)
    return array.reshape((1,) * (IMAGE_RANK - array.ndim) + array.shape).transpose(TO_LAST)


def stays_last(*values: Value) -> bool:
    """Whether an operator on these values can stay with channels last."""
    held = [one for one in values if isinstance(one, Held)]
    arrays = [one for one in values if not isinstance(one, Held) and one is not None]
    return (
        any(one.last for one in held)
        and all(one.last or one.tensor.shape.rank == IMAGE_RANK for one in held)
        and all(np.ndim(one) <= IMAGE_RANK for one in arrays)
    )


def static(value: Value) -> Value:
    """An array that must not depend on the input; None for an input that is left out.

    Raises:
        ValueError: It does.
    """
    if isinstance(value, Held):
        known = tf.get_static_value(value.tensor)
        if known is None:
            raise ValueError("one of its parameters depends on the input")
        return known
    return value


def axis_of(value: Value, axis: int, *, last: bool) -> int:
    """ONNX's axis in the tensor that an operator works on."""
    rank = value.tensor.shape.rank if isinstance(value, Held) else np.ndim(value)
    return PLACES[axis % rank] if last else axis % rank
