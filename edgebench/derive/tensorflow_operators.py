"""ONNX's operators of CNNs by TensorFlow's, channels last where the value is an image.

Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from edgebench.derive import tensorflow_more, tensorflow_shapes
from edgebench.derive.onnx_graph import Op, Value
from edgebench.derive.tensorflow_more import elementwise
from edgebench.derive.tensorflow_values import (
    IMAGE_RANK,
    Held,
    axis_of,
    channels_last,
    first,
    static,
    stays_last,
)


def _add(op: Op, left: Value, right: Value) -> Value:
    """A sum; with a constant by channel it is a bias, which TensorFlow fuses."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Held) and isinstance(other, np.ndarray):
            last = stays_last(one, other)
            tensor, bias = (
                (channels_last(one), channels_last(other)) if last else (first(one), other)
            )
            rank, channels = tensor.shape.rank, tensor.shape[-1]
            if rank in {2, IMAGE_RANK} and bias.shape[-1:] == (channels,) == (bias.size,):
                return Held(tf.nn.bias_add(tensor, bias.reshape(-1)), last)
    return elementwise(tf.add)(op, left, right)


def _pads(op: Op, sizes: Sequence[int], kernel: Sequence[int]) -> Value:
    """``SAME``, ``VALID`` or explicit pads ``((top, bottom), (left, right))``."""
    auto = op.get("auto_pad", b"NOTSET").decode()
    pads = op.get("pads", [0, 0, 0, 0])
    if auto == "SAME_UPPER":
        return "SAME"
    if auto == "VALID" or (auto == "NOTSET" and not any(pads)):
        return "VALID"
    if auto != "NOTSET" or len(sizes) != 2:  # noqa: PLR2004 - height and width
        raise ValueError(f"auto_pad {auto} is not known here")
    top, left, bottom, right = pads
    wanted = []
    for size, step, over, wide in zip(
        sizes, op.get("strides", [1, 1]), op.get("dilations", [1, 1]), kernel, strict=True
    ):
        missing = max((-(-size // step) - 1) * step + (wide - 1) * over + 1 - size, 0)
        wanted.append((missing // 2, missing - missing // 2))
    explicit = ((top, bottom), (left, right))
    return "SAME" if tuple(wanted) == explicit else explicit


def _convolution(op: Op, value: Value, weights: Value, bias: Value = None) -> Held:
    kernel = static(weights).transpose(2, 3, 1, 0)
    tensor, groups = channels_last(value), op.get("group", 1)
    pads = _pads(op, tensor.shape[1:3], kernel.shape[:2])
    padding = pads if isinstance(pads, str) else ((0, 0), *pads, (0, 0))
    strides, dilations = op.get("strides", [1, 1]), op.get("dilations", [1, 1])
    channels = tensor.shape[-1]
    if groups == 1:
        out = tf.nn.conv2d(tensor, kernel, strides, padding, dilations=dilations)
    elif groups == channels and strides[0] == strides[1]:
        times = kernel.shape[3] // groups
        deep = kernel.reshape(*kernel.shape[:2], groups, times)
        steps = (1, *strides, 1)
        if not isinstance(padding, str):  # TensorFlow's kernel aborts on explicit pads
            tensor, padding = tf.pad(tensor, padding), "VALID"
        out = tf.nn.depthwise_conv2d(tensor, deep, steps, padding, dilations=dilations)
    else:
        parts = zip(tf.split(tensor, groups, -1), np.split(kernel, groups, -1), strict=True)
        convolved = [tf.nn.conv2d(a, b, strides, padding, dilations=dilations) for a, b in parts]
        out = tf.concat(convolved, -1)
    return Held(out if bias is None else tf.nn.bias_add(out, static(bias)), last=True)


def _transposed(op: Op, value: Value, weights: Value, bias: Value = None) -> Held:
    """A convolution the other way round: the whole of what it gives, then cut to its pads."""
    kernel = static(weights).transpose(2, 3, 1, 0)
    tensor, strides = channels_last(value), op.get("strides", [1, 1])
    if op.get("group", 1) != 1 or set(op.get("dilations", [1])) != {1}:
        raise ValueError("groups and dilations are not known here")
    if op.get("auto_pad", b"NOTSET") != b"NOTSET" or "output_shape" in op.attributes:
        raise ValueError("only explicit pads are known here")
    sizes = [
        (size - 1) * step + wide
        for size, step, wide in zip(tensor.shape[1:3], strides, kernel.shape[:2], strict=True)
    ]
    shape = (tf.shape(tensor)[0], *sizes, kernel.shape[2])
    whole = tf.nn.conv2d_transpose(tensor, kernel, shape, strides, "VALID")
    top, left, bottom, right = op.get("pads", [0, 0, 0, 0])
    more = op.get("output_padding", [0, 0])
    below, beside = bottom - more[0], right - more[1]
    padded = tf.pad(whole, ((0, 0), (0, max(-below, 0)), (0, max(-beside, 0)), (0, 0)))
    ends = sizes[0] - max(below, 0) + max(-below, 0), sizes[1] - max(beside, 0) + max(-beside, 0)
    out = padded[:, top : ends[0], left : ends[1], :]
    return Held(out if bias is None else tf.nn.bias_add(out, static(bias)), last=True)


def _normalise(op: Op, value: Value, *weights: Value) -> Held:
    scale, offset, mean, variance = map(static, weights)
    out, *_ = tf.compat.v1.nn.fused_batch_norm(
        channels_last(value),
        scale,
        offset,
        mean,
        variance,
        op.get("epsilon", 1e-5),
        is_training=False,
    )
    return Held(out, last=True)


def _pool(op: Op, value: Value) -> Held:
    tensor, kernel = channels_last(value), op.attributes["kernel_shape"]
    strides, mode = op.get("strides", [1, 1]), op.kind
    pads = _pads(op, tensor.shape[1:3], kernel)
    if op.get("ceil_mode", 0):
        pads = _ceiled(op, tensor.shape[1:3], kernel)
    if mode == "MaxPool":
        padding = pads if isinstance(pads, str) else ((0, 0), *pads, (0, 0))
        dilations = op.get("dilations", [1, 1])
        if set(dilations) == {1}:
            return Held(tf.nn.max_pool2d(tensor, kernel, strides, padding), last=True)
        out = tf.nn.pool(tensor, kernel, "MAX", strides, pads, dilations=dilations)
        return Held(out, last=True)
    if isinstance(pads, str) and not (pads == "SAME" and op.get("count_include_pad", 0)):
        return Held(tf.nn.avg_pool2d(tensor, kernel, strides, pads), last=True)
    if not op.get("count_include_pad", 0) or op.get("ceil_mode", 0):
        raise ValueError("pads that do not count are not known here")
    (top, left, bottom, right) = op.attributes["pads"]
    padded = tf.pad(tensor, ((0, 0), (top, bottom), (left, right), (0, 0)))
    return Held(tf.nn.avg_pool2d(padded, kernel, strides, "VALID"), last=True)


def _ceiled(op: Op, sizes: Sequence[int], kernel: Sequence[int]) -> Value:
    """Explicit pads of a pooling whose last window may hang over the edge."""
    top, left, bottom, right = op.get("pads", [0, 0, 0, 0])
    made = []
    for size, step, wide, before, after in zip(
        sizes, op.get("strides", [1, 1]), kernel, (top, left), (bottom, right), strict=True
    ):
        over = (size + before + after - wide) % step
        made.append((before, after + (step - over if over else 0)))
    return tuple(made) if any(map(any, made)) else "VALID"


def _gemm(op: Op, value: Value, weights: Value, bias: Value = None) -> Held:
    left, right = first(value), first(weights)
    out = tf.matmul(left, right, bool(op.get("transA", 0)), bool(op.get("transB", 0)))
    if op.get("alpha", 1.0) != 1.0:
        out = out * op.attributes["alpha"]
    if bias is None:
        return Held(out, last=False)
    scaled = static(bias) * np.float32(op.get("beta", 1.0))
    return _add(op, Held(out, last=False), scaled)  # type: ignore[no-any-return]


def _softmax(op: Op, value: Held) -> Held:
    last = stays_last(value)
    axis = axis_of(value, op.get("axis", -1), last=last)
    return Held(tf.nn.softmax(value.tensor if last else first(value), axis), last)


def _resize(op: Op, value: Held, *rest: Value) -> Held:
    tensor = channels_last(value)
    given = [static(one) for one in rest[-2:]]
    if op.kind == "Upsample" or given[-1] is None or len(rest) < 3:  # noqa: PLR2004 - no sizes
        scales = given[-1] if given[-1] is not None else given[0]
        sizes = [int(size * by) for size, by in zip(tensor.shape[1:3], scales[2:], strict=True)]
    else:
        sizes = [int(size) for size in given[-1][2:]]
    places = op.get("coordinate_transformation_mode", b"half_pixel").decode()
    mode = op.get("mode", b"nearest").decode()
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
        raise ValueError(f"the mode {mode} is not known here")
    return Held(out, last=True)


def _clip(op: Op, value: Value, low: Value = None, high: Value = None) -> Held:
    least = op.get("min") if low is None else float(static(low))
    most = op.get("max") if high is None else float(static(high))
    tensor = value.tensor
    if (least, most) == (0.0, 6.0):
        return Held(tf.nn.relu6(tensor), value.last)  # which TensorFlow fuses
    tensor = tensor if least is None else tf.maximum(tensor, np.float32(least))
    return Held(tensor if most is None else tf.minimum(tensor, np.float32(most)), value.last)


def _same(_: Op, value: Value, *__: Value) -> Value:
    return value


OPERATORS: Mapping[str, Callable[..., Value]] = {
    **tensorflow_shapes.OPERATORS,
    **tensorflow_more.OPERATORS,
    "Add": _add,
    "AveragePool": _pool,
    "BatchNormalization": _normalise,
    "Clip": _clip,
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Dropout": _same,
    "Gemm": _gemm,
    "Identity": _same,
    "MatMul": lambda _, *values: Held(tf.matmul(*map(first, values)), last=False),
    "MaxPool": _pool,
    "Resize": _resize,
    "Softmax": _softmax,
    "Upsample": _resize,
}
