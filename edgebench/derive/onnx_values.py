"""Values of an ONNX graph in TensorFlow, and the order that their axes lie in.

An image has its channels last, as TensorFlow's kernels want it; what has no such form is brought
back into ONNX's order first: right, if not fastest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from edgebench.errors import ModelRefusedError

IMAGE_RANK = 4
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
PLACES = (0, 3, 1, 2)
"""Where ONNX's axes lie in a tensor with channels last."""

Value = Any
"""An array, `Held`, or None for an input that is left out; or a tensor of TensorFlow's."""


class Held(NamedTuple):
    """A tensor that depends on the input."""

    tensor: Value
    last: bool
    """Whether it lies as (batch, h, w, c) and not in ONNX's order."""


class Node(NamedTuple):
    """One operator of the graph."""

    kind: str
    attributes: Mapping[str, Value]
    outputs: int
    opset: int

    def get(self, name: str, default: Value) -> Value:
        """An attribute."""
        return self.attributes.get(name, default)


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
    """An array that must not depend on the input."""
    if isinstance(value, Held):
        known = tf.get_static_value(value.tensor)
        if known is None:
            raise ModelRefusedError("an operator's parameter depends on the input")
        return known
    return value


def axis_of(value: Value, axis: int, *, last: bool) -> int:
    """ONNX's axis in the tensor that an operator works on."""
    rank = value.tensor.shape.rank if isinstance(value, Held) else np.ndim(value)
    return PLACES[axis % rank] if last else axis % rank
