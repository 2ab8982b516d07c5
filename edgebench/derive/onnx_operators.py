"""ONNX's operators of CNNs by TensorFlow's, channels last where the value is an image.

Reference: https://onnx.ai/onnx/operators/. A value is an array (a weight, a shape) or `Held`. What
has no channels-last form here is brought back into ONNX's order first: right, if not fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from edgebench.errors import ModelRefusedError

_IMAGE_RANK = 4
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_PLACES = (0, 3, 1, 2)
"""Where ONNX's axes lie in a tensor with channels last."""


class Held(NamedTuple):
    """A tensor that depends on the input."""

    tensor: Any
    last: bool
    """Whether it lies as (batch, h, w, c) and not in ONNX's order."""


class Node(NamedTuple):
    """One operator of the graph."""

    kind: str
    attributes: Mapping[str, Any]
    outputs: int
    opset: int

    def get(self, name: str, default: Any) -> Any:  # noqa: ANN401 - each attribute has its type
        """An attribute."""
        return self.attributes.get(name, default)


def first(value: Any) -> Any:  # noqa: ANN401 - an array or Held
    """A tensor in ONNX's order."""
    if not isinstance(value, Held):
        return value
    if not value.last:
        return value.tensor
    _, height, width, channels = value.tensor.shape
    if height == width == 1:
        return tf.reshape(value.tensor, (-1, channels, 1, 1))
    return tf.transpose(value.tensor, _TO_FIRST)


def _last(value: Any) -> Any:  # noqa: ANN401 - as above
    """A tensor of rank 4 with channels last; of an array, what broadcasts like it."""
    if isinstance(value, Held):
        return value.tensor if value.last else tf.transpose(value.tensor, _TO_LAST)
    array = np.asarray(value)
    return array.reshape((1,) * (_IMAGE_RANK - array.ndim) + array.shape).transpose(_TO_LAST)


def _is_last(*values: Any) -> bool:  # noqa: ANN401 - as above
    """Whether an operator on these values can stay with channels last."""
    held = [one for one in values if isinstance(one, Held)]
    arrays = [one for one in values if not isinstance(one, Held) and one is not None]
    return (
        any(one.last for one in held)
        and all(one.last or one.tensor.shape.rank == _IMAGE_RANK for one in held)
        and all(np.ndim(one) <= _IMAGE_RANK for one in arrays)
    )


def _static(value: Any) -> Any:  # noqa: ANN401 - an array or None
    """An array that must not depend on the input."""
    if isinstance(value, Held):
        known = tf.get_static_value(value.tensor)
        if known is None:
            raise ModelRefusedError("an operator's parameter depends on the input")
        return known
    return value


def _elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operator that knows no axes."""

    def run(_: Node, *values: Any) -> Any:  # noqa: ANN401 - arrays or Held
        if not any(isinstance(one, Held) for one in values):
            return np.asarray(function(*values))
        last = _is_last(*values)
        return Held(function(*(map(_last if last else first, values))), last)

    return run


def _add(node: Node, left: Any, right: Any) -> Any:  # noqa: ANN401 - arrays or Held
    """A sum; with a constant by channel it is a bias, which TensorFlow fuses."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Held) and isinstance(other, np.ndarray):
            last = _is_last(one, other)
            tensor, bias = (_last(one), _last(other)) if last else (first(one), other)
            rank, channels = tensor.shape.rank, tensor.shape[-1]
            if rank in {2, _IMAGE_RANK} and bias.shape[-1:] == (channels,) == (bias.size,):
                return Held(tf.nn.bias_add(tensor, bias.reshape(-1)), last)
    return _elementwise(tf.add)(node, left, right)


def _axis(value: Any, axis: int, *, last: bool) -> int:  # noqa: ANN401 - as above
    """ONNX's axis in the tensor that an operator works on."""
    rank = value.tensor.shape.rank if isinstance(value, Held) else np.ndim(value)
    return _PLACES[axis % rank] if last else axis % rank


def _pads(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> Any:  # noqa: ANN401
    """``SAME``, ``VALID`` or explicit pads ``((top, bottom), (left, right))``."""
    auto = node.get("auto_pad", b"NOTSET").decode()
    pads = node.get("pads", [0, 0, 0, 0])
    if auto == "SAME_UPPER":
        return "SAME"
    if auto == "VALID" or (auto == "NOTSET" and not any(pads)):
        return "VALID"
    if auto != "NOTSET" or len(sizes) != 2:  # noqa: PLR2004 - height and width
        raise ModelRefusedError(f"{node.kind} with auto_pad {auto} is not known here")
    top, left, bottom, right = pads
    wanted = []
    for size, step, over, wide in zip(
        sizes, node.get("strides", [1, 1]), node.get("dilations", [1, 1]), kernel, strict=True
    ):
        missing = max((-(-size // step) - 1) * step + (wide - 1) * over + 1 - size, 0)
        wanted.append((missing // 2, missing - missing // 2))
    explicit = ((top, bottom), (left, right))
    return "SAME" if tuple(wanted) == explicit else explicit


def _convolution(node: Node, value: Any, weights: Any, bias: Any = None) -> Held:  # noqa: ANN401
    kernel = _static(weights).transpose(2, 3, 1, 0)
    tensor, groups = _last(value), node.get("group", 1)
    pads = _pads(node, tensor.shape[1:3], kernel.shape[:2])
    padding = pads if isinstance(pads, str) else ((0, 0), *pads, (0, 0))
    strides, dilations = node.get("strides", [1, 1]), node.get("dilations", [1, 1])
    channels = tensor.shape[-1]
    if groups == 1:
        out = tf.nn.conv2d(tensor, kernel, strides, padding, dilations=dilations)
    elif groups == channels and strides[0] == strides[1]:
        times = kernel.shape[3] // groups
        deep = kernel.reshape(*kernel.shape[:2], groups, times)
        steps = (1, *strides, 1)
        out = tf.nn.depthwise_conv2d(tensor, deep, steps, padding, dilations=dilations)
    else:
        parts = zip(tf.split(tensor, groups, -1), np.split(kernel, groups, -1), strict=True)
        convolved = [tf.nn.conv2d(a, b, strides, padding, dilations=dilations) for a, b in parts]
        out = tf.concat(convolved, -1)
    return Held(out if bias is None else tf.nn.bias_add(out, _static(bias)), last=True)


def _normalise(node: Node, value: Any, *weights: Any) -> Held:  # noqa: ANN401
    scale, offset, mean, variance = map(_static, weights)
    out, *_ = tf.compat.v1.nn.fused_batch_norm(
        _last(value), scale, offset, mean, variance, node.get("epsilon", 1e-5), is_training=False
    )
    return Held(out, last=True)


def _pool(node: Node, value: Any) -> Held:  # noqa: ANN401
    tensor, kernel = _last(value), node.attributes["kernel_shape"]
    strides, mode = node.get("strides", [1, 1]), node.kind
    pads = _pads(node, tensor.shape[1:3], kernel)
    if node.get("ceil_mode", 0):
        pads = _ceiled(node, tensor.shape[1:3], kernel)
    if mode == "MaxPool":
        padding = pads if isinstance(pads, str) else ((0, 0), *pads, (0, 0))
        dilations = node.get("dilations", [1, 1])
        if set(dilations) == {1}:
            return Held(tf.nn.max_pool2d(tensor, kernel, strides, padding), last=True)
        out = tf.nn.pool(tensor, kernel, "MAX", strides, pads, dilations=dilations)
        return Held(out, last=True)
    if isinstance(pads, str) and not (pads == "SAME" and node.get("count_include_pad", 0)):
        return Held(tf.nn.avg_pool2d(tensor, kernel, strides, pads), last=True)
    if not node.get("count_include_pad", 0) or node.get("ceil_mode", 0):
        raise ModelRefusedError("AveragePool with pads that do not count is not known here")
    (top, left, bottom, right) = node.attributes["pads"]
    padded = tf.pad(tensor, ((0, 0), (top, bottom), (left, right), (0, 0)))
    return Held(tf.nn.avg_pool2d(padded, kernel, strides, "VALID"), last=True)


def _ceiled(node: Node, sizes: Sequence[int], kernel: Sequence[int]) -> Any:  # noqa: ANN401
    """Explicit pads of a pooling whose last window may hang over the edge."""
    top, left, bottom, right = node.get("pads", [0, 0, 0, 0])
    made = []
    for size, step, wide, before, after in zip(
        sizes, node.get("strides", [1, 1]), kernel, (top, left), (bottom, right), strict=True
    ):
        over = (size + before + after - wide) % step
        made.append((before, after + (step - over if over else 0)))
    return tuple(made) if any(map(any, made)) else "VALID"


def _reduce(function: Callable[..., Any], axes: Sequence[int] | None) -> Callable[..., Any]:
    """A reduction; ``axes`` where the operator has them by its name."""

    def run(node: Node, value: Held, given: Any = None) -> Held:  # noqa: ANN401
        chosen = axes or _static(given)
        chosen = list(node.get("axes", [])) if chosen is None else list(chosen)
        keep = bool(node.get("keepdims", 1))
        last = _is_last(value) and keep
        tensor = value.tensor if last else first(value)
        places = [_axis(value, axis, last=last) for axis in chosen]
        return Held(function(tensor, places or None, keepdims=keep), last)

    return run


def _gemm(node: Node, value: Any, weights: Any, bias: Any = None) -> Held:  # noqa: ANN401
    left, right = first(value), first(weights)
    out = tf.matmul(left, right, bool(node.get("transA", 0)), bool(node.get("transB", 0)))
    if node.get("alpha", 1.0) != 1.0:
        out = out * node.attributes["alpha"]
    if bias is None:
        return Held(out, last=False)
    scaled = _static(bias) * np.float32(node.get("beta", 1.0))
    return _add(node, Held(out, last=False), scaled)  # type: ignore[no-any-return]


def _reshape(_: Node, value: Any, shape: Any) -> Any:  # noqa: ANN401
    plain = first(value)
    if not isinstance(shape, Held):
        sizes = [int(size) for size in shape]
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


def _transpose(node: Node, value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, Held):
        return np.transpose(value, node.get("perm", None))
    order = tuple(node.get("perm", range(value.tensor.shape.rank)[::-1]))
    if value.last and order == _TO_LAST:
        return Held(value.tensor, last=False)
    if not value.last and order == _TO_FIRST:
        return Held(value.tensor, last=True)
    return Held(tf.transpose(first(value), order), last=False)


def _concat(node: Node, *values: Any) -> Any:  # noqa: ANN401 - arrays or Held
    axis = node.attributes["axis"]
    if not any(isinstance(one, Held) for one in values):
        return np.concatenate(values, axis)
    last = _is_last(*values) and all(isinstance(one, Held) for one in values)
    parts = [_last(one) if last else first(one) for one in values]
    place = _PLACES[axis % _IMAGE_RANK] if last else axis
    return Held(tf.concat(parts, place), last)


def _softmax(node: Node, value: Held) -> Held:
    last = _is_last(value)
    axis = _axis(value, node.get("axis", -1), last=last)
    return Held(tf.nn.softmax(value.tensor if last else first(value), axis), last)


def _split(node: Node, value: Held, sizes: Any = None) -> list[Held]:  # noqa: ANN401
    last = _is_last(value)
    tensor = value.tensor if last else first(value)
    given = node.get("split", None) if sizes is None else [int(size) for size in _static(sizes)]
    place = _axis(value, node.get("axis", 0), last=last)
    return [Held(one, last) for one in tf.split(tensor, given or node.outputs, place)]


def _slice(_: Node, value: Any, starts: Any, ends: Any, *rest: Any) -> Any:  # noqa: ANN401
    begin, end = _static(starts), _static(ends)
    axes = _static(rest[0]) if rest else range(len(begin))
    steps = _static(rest[1]) if len(rest) > 1 else [1] * len(begin)
    last = isinstance(value, Held) and value.last
    tensor = value.tensor if last else first(value)
    cuts = [slice(None)] * len(tensor.shape)
    for axis, a, b, step in zip(axes, begin, end, steps, strict=True):
        # ONNX means by a huge number: up to the end.
        until = None if abs(int(b)) >= np.iinfo(np.int32).max else int(b)
        cuts[_axis(value, int(axis), last=last)] = slice(int(a), until, int(step))
    return Held(tensor[tuple(cuts)], last) if isinstance(value, Held) else tensor[tuple(cuts)]


def _pad(node: Node, value: Held, pads: Any = None, fill: Any = None, *_: Any) -> Held:  # noqa: ANN401
    if node.get("mode", b"constant") != b"constant" or _:
        raise ModelRefusedError("only Pad with a constant on all axes is known here")
    sizes = [int(one) for one in _static(pads)]
    pairs = list(zip(sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :], strict=True))
    last = _is_last(value)
    if last:
        pairs = [pairs[axis] for axis in _TO_LAST]
    number = 0.0 if fill is None else float(_static(fill))
    return Held(tf.pad(value.tensor if last else first(value), pairs, constant_values=number), last)


def _resize(node: Node, value: Held, *rest: Any) -> Held:  # noqa: ANN401 - region, scales, sizes
    tensor = _last(value)
    given = [_static(one) for one in rest[-2:]]
    if node.kind == "Upsample" or given[-1] is None or len(rest) < 3:  # noqa: PLR2004 - no sizes
        scales = given[-1] if given[-1] is not None else given[0]
        sizes = [int(size * by) for size, by in zip(tensor.shape[1:3], scales[2:], strict=True)]
    else:
        sizes = [int(size) for size in given[-1][2:]]
    places = node.get("coordinate_transformation_mode", b"half_pixel").decode()
    mode = node.get("mode", b"nearest").decode()
    half, corners = places in {"half_pixel", "pytorch_half_pixel"}, places == "align_corners"
    if mode == "linear":
        out = tf.raw_ops.ResizeBilinear(
            images=tensor, size=sizes, align_corners=corners, half_pixel_centers=half
        )
    elif mode == "nearest":
        # Where the rounding differs, the comparison at the end finds it.
        out = tf.raw_ops.ResizeNearestNeighbor(
            images=tensor, size=sizes, align_corners=corners, half_pixel_centers=False
        )
    else:
        raise ModelRefusedError(f"Resize with mode {mode} is not known here")
    return Held(out, last=True)


def _squeeze(node: Node, value: Any, axes: Any = None) -> Any:  # noqa: ANN401
    chosen = node.get("axes", None) if axes is None else [int(axis) for axis in _static(axes)]
    if isinstance(value, Held):
        return Held(tf.squeeze(first(value), chosen), last=False)
    return np.squeeze(value, None if chosen is None else tuple(chosen))


def _unsqueeze(node: Node, value: Any, axes: Any = None) -> Any:  # noqa: ANN401
    chosen = node.get("axes", None) if axes is None else [int(axis) for axis in _static(axes)]
    if not isinstance(value, Held):
        return np.expand_dims(value, tuple(chosen))
    tensor = first(value)
    for axis in sorted(chosen):
        tensor = tf.expand_dims(tensor, axis)
    return Held(tensor, last=False)


def _shape(_: Node, value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, Held):
        return np.asarray(np.shape(value), np.int64)
    sizes = tf.shape(value.tensor, tf.int64)
    return Held(tf.gather(sizes, _PLACES) if value.last else sizes, last=False)


def _gather(node: Node, value: Any, places: Any) -> Any:  # noqa: ANN401
    axis = node.get("axis", 0)
    if isinstance(value, Held) or isinstance(places, Held):
        return Held(tf.gather(first(value), first(places), axis=axis), last=False)
    return np.take(value, places, axis)


def _cast(node: Node, value: Any) -> Any:  # noqa: ANN401
    kinds = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_}
    kind = kinds.get(node.attributes["to"])
    if kind is None:
        raise ModelRefusedError(f"Cast to type {node.attributes['to']} is not known here")
    if isinstance(value, Held):
        return Held(tf.cast(value.tensor, kind), value.last)
    return np.asarray(value).astype(kind)


def _constant(node: Node) -> Any:  # noqa: ANN401 - of any type
    from onnx import numpy_helper  # noqa: PLC0415 - the one place that needs a message

    if "value" in node.attributes:
        return numpy_helper.to_array(node.attributes["value"])
    (one,) = node.attributes.values()
    return np.asarray(one)


def _clip(node: Node, value: Any, low: Any = None, high: Any = None) -> Held:  # noqa: ANN401
    least = node.get("min", None) if low is None else float(_static(low))
    most = node.get("max", None) if high is None else float(_static(high))
    tensor = value.tensor
    if (least, most) == (0.0, 6.0):
        return Held(tf.nn.relu6(tensor), value.last)  # which TensorFlow fuses
    tensor = tensor if least is None else tf.maximum(tensor, np.float32(least))
    return Held(tensor if most is None else tf.minimum(tensor, np.float32(most)), value.last)


def _activation(
    function: Callable[..., Any], **defaults: float
) -> Callable[[Node, Held], Held]:
    """An operator on one value, with numbers as attributes."""

    def run(node: Node, value: Held) -> Held:
        numbers = [node.get(name, default) for name, default in defaults.items()]
        return Held(function(value.tensor, *numbers), value.last)

    return run


def _hard_sigmoid(tensor: Any, alpha: float = 1 / 6, beta: float = 0.5) -> Any:  # noqa: ANN401
    if alpha == 1 / 6 or abs(alpha - 1 / 6) < 1e-6:  # noqa: PLR2004 - float32 of a sixth
        return tf.nn.relu6(tensor + beta * 6.0) * np.float32(1 / 6)
    return tf.clip_by_value(alpha * tensor + beta, 0.0, 1.0)


def _prelu(value: Any, slope: Any) -> Any:  # noqa: ANN401
    return tf.maximum(value, 0.0) + slope * tf.minimum(value, 0.0)


def _same(_: Node, value: Any, *__: Any) -> Any:  # noqa: ANN401 - Dropout has two more
    return value


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "Add": _add,
    "AveragePool": _pool,
    "BatchNormalization": _normalise,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "Conv": _convolution,
    "Div": _elementwise(tf.divide),
    "Dropout": _same,
    "Elu": _activation(tf.nn.elu),
    "Exp": _activation(tf.exp),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _reduce(tf.reduce_mean, (2, 3)),
    "GlobalMaxPool": _reduce(tf.reduce_max, (2, 3)),
    "HardSigmoid": _activation(_hard_sigmoid, alpha=0.2, beta=0.5),
    "HardSwish": _activation(lambda x: x * _hard_sigmoid(x)),
    "Identity": _same,
    "LeakyRelu": _activation(tf.nn.leaky_relu, alpha=0.01),
    "MatMul": lambda _, *values: Held(tf.matmul(*map(first, values)), last=False),
    "MaxPool": _pool,
    "Mul": _elementwise(tf.multiply),
    "PRelu": _elementwise(_prelu),
    "Pad": _pad,
    "Pow": _elementwise(tf.pow),
    "ReduceMax": _reduce(tf.reduce_max, None),
    "ReduceMean": _reduce(tf.reduce_mean, None),
    "ReduceSum": _reduce(tf.reduce_sum, None),
    "Relu": _activation(tf.nn.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": _shape,
    "Sigmoid": _activation(tf.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _activation(tf.sqrt),
    "Squeeze": _squeeze,
    "Sub": _elementwise(tf.subtract),
    "Tanh": _activation(tf.tanh),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Upsample": _resize,
}
