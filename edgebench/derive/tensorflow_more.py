"""ONNX's operators without weights that know no axes, or only those they reduce, by TensorFlow's.

Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from edgebench.derive.onnx_graph import Op, Value
from edgebench.derive.tensorflow_values import (
    Held,
    axis_of,
    channels_last,
    first,
    static,
    stays_last,
)


def elementwise(function: Callable[..., Value]) -> Callable[..., Value]:
    """An operator that knows no axes."""

    def run(_: Op, *values: Value) -> Held:
        last = stays_last(*values)
        return Held(function(*(map(channels_last if last else first, values))), last)

    return run


def _reduce(function: Callable[..., Value], axes: Sequence[int] | None) -> Callable[..., Value]:
    """A reduction; ``axes`` where the operator has them by its name."""

    def run(op: Op, value: Held, given: Value = None) -> Held:
        # A pooling's axes are an image's; rows have fewer.
        chosen = axes[: value.tensor.shape.rank - 2] if axes else static(given)
        chosen = list(op.get("axes", [])) if chosen is None else list(chosen)
        keep = bool(op.get("keepdims", 1))
        last = stays_last(value) and keep
        tensor = value.tensor if last else first(value)
        places = [axis_of(value, axis, last=last) for axis in chosen]
        return Held(function(tensor, places or None, keepdims=keep), last)

    return run


def _activation(function: Callable[..., Value], **defaults: float) -> Callable[[Op, Held], Held]:
    """An operator on one value, with numbers as attributes."""

    def run(op: Op, value: Held) -> Held:
        numbers = [op.get(name, default) for name, default in defaults.items()]
        return Held(function(value.tensor, *numbers), value.last)

    return run


def _hard_sigmoid(tensor: Value, alpha: float = 1 / 6, beta: float = 0.5) -> Value:
    if alpha == 1 / 6 or abs(alpha - 1 / 6) < 1e-6:  # noqa: PLR2004 - float32 of a sixth
        return tf.nn.relu6(tensor + beta * 6.0) * np.float32(1 / 6)
    return tf.clip_by_value(alpha * tensor + beta, 0.0, 1.0)


def _prelu(value: Value, slope: Value) -> Value:
    return tf.maximum(value, 0.0) + slope * tf.minimum(value, 0.0)


def _folded(function: Callable[..., Value]) -> Callable[..., Value]:
    """An operator on any number of values, two at a time."""

    def run(*values: Value) -> Value:
        out, *rest = values
        for one in rest:
            out = function(out, one)
        return out

    return elementwise(run)


def _where(_: Op, condition: Value, yes: Value, no: Value) -> Held:
    return Held(tf.where(*map(first, (condition, yes, no))), last=False)


def _gelu(op: Op, value: Held) -> Held:
    approximate = op.get("approximate", b"none") == b"tanh"
    return Held(tf.nn.gelu(value.tensor, approximate), value.last)


def _layer_norm(op: Op, value: Held, scale: Value, shift: Value = None) -> Held:
    tensor = first(value)
    axes = list(range(op.get("axis", -1) % tensor.shape.rank, tensor.shape.rank))
    mean, variance = tf.nn.moments(tensor, axes, keepdims=True)
    out = (tensor - mean) * tf.math.rsqrt(variance + op.get("epsilon", 1e-5)) * first(scale)
    return Held(out if shift is None else out + first(shift), last=False)


def _instance_norm(op: Op, value: Held, scale: Value, shift: Value) -> Held:
    tensor = channels_last(value)
    mean, variance = tf.nn.moments(tensor, [1, 2], keepdims=True)
    out = (tensor - mean) * tf.math.rsqrt(variance + op.get("epsilon", 1e-5))
    return Held(out * static(scale) + static(shift), last=True)


OPERATORS: Mapping[str, Callable[..., Value]] = {
    "Abs": _activation(tf.abs),
    "And": elementwise(tf.logical_and),
    "Ceil": _activation(tf.math.ceil),
    "Cos": _activation(tf.cos),
    "Div": elementwise(tf.divide),
    "Elu": _activation(tf.nn.elu),
    "Exp": _activation(tf.exp),
    "GlobalAveragePool": _reduce(tf.reduce_mean, (2, 3)),
    "GlobalMaxPool": _reduce(tf.reduce_max, (2, 3)),
    "HardSigmoid": _activation(_hard_sigmoid, alpha=0.2, beta=0.5),
    "HardSwish": _activation(lambda x: x * _hard_sigmoid(x)),
    "LeakyRelu": _activation(tf.nn.leaky_relu, alpha=0.01),
    "Mul": elementwise(tf.multiply),
    "PRelu": elementwise(_prelu),
    "Pow": elementwise(tf.pow),
    "ReduceMax": _reduce(tf.reduce_max, None),
    "ReduceMean": _reduce(tf.reduce_mean, None),
    "ReduceSum": _reduce(tf.reduce_sum, None),
    "Relu": _activation(tf.nn.relu),
    "Sigmoid": _activation(tf.sigmoid),
    "Sqrt": _activation(tf.sqrt),
    "Sub": elementwise(tf.subtract),
    "Tanh": _activation(tf.tanh),
    "Equal": elementwise(tf.equal),
    "Erf": _activation(tf.math.erf),
    "Floor": _activation(tf.floor),
    "Gelu": _gelu,
    "Greater": elementwise(tf.greater),
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "Less": elementwise(tf.less),
    "Log": _activation(tf.math.log),
    "Max": _folded(tf.maximum),
    "Min": _folded(tf.minimum),
    "Mish": _activation(lambda x: x * tf.tanh(tf.nn.softplus(x))),
    "Neg": _activation(tf.negative),
    "Not": _activation(tf.logical_not),
    "Reciprocal": _activation(tf.math.reciprocal),
    "ReduceMin": _reduce(tf.reduce_min, None),
    "Sin": _activation(tf.sin),
    "Softplus": _activation(tf.nn.softplus),
    "Sum": _folded(tf.add),
    "Where": _where,
}
