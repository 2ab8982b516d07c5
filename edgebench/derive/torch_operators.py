"""The operators of image CNNs as layers and functions of torch, in the terms of `torch_import`.

Paddings that differ by side (as TensorFlow's "same" gives at stride 2) become a node of their own,
because torch's layers have none. Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgebench.derive import torch_shapes
from edgebench.derive.onnx_graph import Op, Value
from edgebench.derive.torch_import import Importer, Maker

_MATRIX = 2
_RELU6 = [0.0, 6.0]
_NEAREST = {
    # (coordinate_transformation_mode, nearest_mode): how torch names the same
    ("asymmetric", "floor"): "nearest",
    ("half_pixel", "round_prefer_floor"): "nearest-exact",
    ("half_pixel", "round_prefer_ceil"): "nearest-exact",
}
_ALIGNED = {"half_pixel": False, "pytorch_half_pixel": False, "align_corners": True}


class _Window(NamedTuple):
    """Where a kernel lies, (height, width) each; ``uneven`` as `nn.functional.pad` takes it."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    even: tuple[int, ...]
    uneven: tuple[int, ...] = ()


def _window(to: Importer, op: Op, kernel: tuple[int, ...]) -> _Window:
    if len(kernel) != _MATRIX:
        raise ValueError(f"a kernel of {len(kernel)} axes is no image's")
    one = [1] * len(kernel)
    stride, dilation = (op.get(name, one) for name in ("strides", "dilations"))
    auto = op.get("auto_pad", b"NOTSET").decode()
    pads = list(op.get("pads", [0, 0, 0, 0]))
    if auto.startswith("SAME"):
        sizes = map(int, to.source.shape(op.node.input[0])[2:])  # type: ignore[arg-type] # an open one fails
        spans = zip(sizes, kernel, stride, dilation, strict=True)
        total = [max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n) for n, k, s, d in spans]
        less, more = [n // 2 for n in total], [n - n // 2 for n in total]
        pads = [*less, *more] if auto == "SAME_UPPER" else [*more, *less]
    top, left, bottom, right = pads
    place = tuple(kernel), tuple(stride), tuple(dilation)
    if (top, left) == (bottom, right):
        return _Window(*place, (top, left))
    return _Window(*place, (0, 0), (left, right, top, bottom))


def _padded(to: Importer, value: Value, pads: tuple[int, ...], fill: float) -> Value:
    return to.call(nn.functional.pad, value, pads, value=fill) if any(pads) else value


def _parameter(array: NDArray[Any]) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(array.astype(np.float32)), requires_grad=False)


def _conv(to: Importer, op: Op) -> Value:
    weight, bias = op.args[1], op.arg(2)
    window, group = _window(to, op, weight.shape[2:]), int(op.get("group", 1))
    layer = nn.Conv2d(
        weight.shape[1] * group,
        weight.shape[0],
        window.kernel,
        window.stride,
        window.even,
        window.dilation,
        group,
        bias=bias is not None,
    )
    layer.weight = _parameter(weight)
    layer.bias = None if bias is None else _parameter(bias)
    return to.layer(layer, _padded(to, op.args[0], window.uneven, 0.0))


def _linear(to: Importer, op: Op) -> Value:
    """Gemm, or a MatMul with constant weights."""
    weight, bias = op.args[1], op.arg(2)
    if not isinstance(weight, np.ndarray) or weight.ndim != _MATRIX:
        if op.kind == "Gemm":
            raise ValueError("its weights are not constant")
        return to.call(torch.matmul, *op.args)
    if op.get("transA"):
        raise ValueError("its first operand is transposed")
    rows = weight if op.get("transB") else weight.T
    layer = nn.Linear(rows.shape[1], rows.shape[0], bias=False)
    layer.weight = _parameter(np.ascontiguousarray(rows * op.get("alpha", 1.0)))
    made = to.layer(layer, op.args[0])
    if bias is not None and not _take_bias(layer, bias * op.get("beta", 1.0)):
        raise ValueError(f"its bias is {bias.shape}")
    return made


def _take_bias(layer: nn.Module | None, constant: NDArray[Any]) -> bool:
    """Give a linear layer without a bias this one; False where it does not fit."""
    if not isinstance(layer, nn.Linear) or layer.bias is not None:
        return False
    if constant.size not in (1, layer.out_features) or constant.shape[-1:] != (constant.size,):
        return False
    layer.bias = _parameter(np.broadcast_to(constant.reshape(-1), (layer.out_features,)).copy())
    return True


def _add(to: Importer, op: Op) -> Value:
    """A sum; a constant after a linear layer is its bias, so that int8 rounds once."""
    for value, constant in (op.args, op.args[::-1]):
        if isinstance(constant, np.ndarray) and _take_bias(to.layer_of(value), constant):
            return value
    return to.call(torch.add, *op.args)


def _batch_norm(to: Importer, op: Op) -> Value:
    scale, shift, mean, variance = op.args[1:5]
    layer = nn.BatchNorm2d(len(scale), eps=float(op.get("epsilon", 1e-5)))
    layer.weight, layer.bias = _parameter(scale), _parameter(shift)
    layer.running_mean = torch.from_numpy(mean.copy())
    layer.running_var = torch.from_numpy(variance.copy())
    return to.layer(layer, op.args[0])


def _max_pool(to: Importer, op: Op) -> Value:
    window = _window(to, op, tuple(op.attributes["kernel_shape"]))
    layer = nn.MaxPool2d(
        window.kernel,
        window.stride,
        window.even,
        window.dilation,
        ceil_mode=bool(op.get("ceil_mode")),
    )
    return to.layer(layer, _padded(to, op.args[0], window.uneven, -math.inf))


def _average_pool(to: Importer, op: Op) -> Value:
    window = _window(to, op, tuple(op.attributes["kernel_shape"]))
    count = bool(op.get("count_include_pad"))
    if window.uneven and not count:
        raise ValueError("paddings that differ by side are left out of an average")
    layer = nn.AvgPool2d(
        window.kernel,
        window.stride,
        window.even,
        ceil_mode=bool(op.get("ceil_mode")),
        count_include_pad=count,
    )
    return to.layer(layer, _padded(to, op.args[0], window.uneven, 0.0))


def _mean(to: Importer, op: Op) -> Value:
    keep = bool(op.get("keepdims", 1))
    return to.call(torch.mean, op.args[0], op.numbers("axes", 1), keepdim=keep)


def _clip(to: Importer, op: Op) -> Value:
    low, high = ((op.numbers(name, at) or [None])[0] for name, at in (("min", 1), ("max", 2)))
    if [low, high] == _RELU6:
        return to.layer(nn.ReLU6(), op.args[0])
    return to.call(torch.clamp, op.args[0], low, high)


def _hard_sigmoid(to: Importer, op: Op) -> Value:
    alpha, beta = op.get("alpha", 0.2), op.get("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-5) and beta == 0.5:  # noqa: PLR2004 - torch's own
        return to.layer(nn.Hardsigmoid(), op.args[0])
    scaled = to.call(torch.add, to.call(torch.mul, op.args[0], alpha), beta)
    return to.call(torch.clamp, scaled, 0.0, 1.0)


def _pad(to: Importer, op: Op) -> Value:
    pads = op.numbers("pads", 1) or []
    fill = (op.numbers("value", 2) or [0.0])[0]
    top, left, bottom, right = (*pads[2:4], *pads[6:8])
    if op.get("mode", b"constant") != b"constant" or any((*pads[:2], *pads[4:6])):
        raise ValueError("only a constant around the image is known")
    return _padded(to, op.args[0], (left, right, top, bottom), fill)


def _resize(to: Importer, op: Op) -> Value:
    """To the size that ONNX infers."""
    asked = {name: value.decode() for name, value in op.attributes.items() if type(value) is bytes}
    size, mode = to.source.shape(op.node.output[0])[2:], asked.get("mode", "nearest")
    turned = asked.get("coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        known = _NEAREST[turned, asked.get("nearest_mode", "round_prefer_floor")]
        return to.call(nn.functional.interpolate, op.args[0], size=size, mode=known)
    if mode != "linear":
        raise ValueError(f"the mode {mode} is not known")
    corners = _ALIGNED[turned]
    return to.call(
        nn.functional.interpolate, op.args[0], size=size, mode="bilinear", align_corners=corners
    )


def _layer(make: Callable[[Op], nn.Module]) -> Maker:
    """A layer that has no weights."""
    return lambda to, op: to.layer(make(op), op.args[0])


def _function(function: Callable[..., Any]) -> Maker:
    """A function of the operator's inputs alone."""
    return lambda to, op: to.call(function, *op.args)


def _conv_transpose(to: Importer, op: Op) -> Value:
    weight, bias = op.args[1], op.arg(2)
    top, left, bottom, right = op.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right) or op.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ValueError("paddings that differ by side are not known here")
    group = int(op.get("group", 1))
    layer = nn.ConvTranspose2d(
        weight.shape[0],
        weight.shape[1] * group,
        weight.shape[2:],
        tuple(op.get("strides", [1, 1])),
        (top, left),
        tuple(op.get("output_padding", [0, 0])),
        group,
        bias=bias is not None,
        dilation=tuple(op.get("dilations", [1, 1])),
    )
    layer.weight = _parameter(weight)
    layer.bias = None if bias is None else _parameter(bias)
    return to.layer(layer, op.args[0])


def _reduced(function: Callable[..., Any]) -> Maker:
    """A reduction over named axes."""
    return lambda to, op: to.call(
        function, op.args[0], op.numbers("axes", 1), keepdim=bool(op.get("keepdims", 1))
    )


def _whole(layer: Callable[[int], nn.Module], function: Callable[..., Any]) -> Maker:
    """A pooling over all of an image, or of whatever has channels."""

    def run(to: Importer, op: Op) -> Value:
        rank = len(to.source.shape(op.node.input[0]))
        if rank == _MATRIX + 2:
            return to.layer(layer(1), op.args[0])
        return to.call(function, op.args[0], list(range(2, rank)), keepdim=True)

    return run


def _folded(function: Callable[..., Any]) -> Maker:
    """An operator on any number of values, two at a time."""

    def run(to: Importer, op: Op) -> Value:
        # torch's largest and least are of tensors, and no numbers.
        held = [to.held(one) if isinstance(one, np.ndarray) else one for one in op.args]
        out, *rest = held
        for one in rest:
            out = to.call(function, out, one)
        return out

    return run


def _prelu(to: Importer, op: Op) -> Value:
    low = to.call(torch.mul, to.call(torch.clamp, op.args[0], None, 0.0), op.args[1])
    return to.call(torch.add, to.call(torch.clamp, op.args[0], 0.0), low)


def _layer_norm(to: Importer, op: Op) -> Value:
    scale, shift = op.args[1], op.arg(2)
    layer = nn.LayerNorm(scale.shape, eps=float(op.get("epsilon", 1e-5)), bias=shift is not None)
    layer.weight = _parameter(scale)
    if shift is not None:
        layer.bias = _parameter(shift)
    return to.layer(layer, op.args[0])


MAKERS: dict[str, Maker] = {
    **torch_shapes.MAKERS,
    "Abs": _function(torch.abs),
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": _function(torch.div),
    "Dropout": lambda _, op: op.args[0],
    "Equal": _function(torch.eq),
    "Elu": _layer(lambda op: nn.ELU(op.get("alpha", 1.0))),
    "Erf": _function(torch.erf),
    "Exp": _function(torch.exp),
    "Floor": _function(torch.floor),
    "Greater": _function(torch.gt),
    "Less": _function(torch.lt),
    "Gemm": _linear,
    "GlobalAveragePool": _whole(nn.AdaptiveAvgPool2d, torch.mean),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _layer(lambda _: nn.Hardswish()),
    "Identity": lambda _, op: op.args[0],
    "GlobalMaxPool": _whole(nn.AdaptiveMaxPool2d, torch.amax),
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _layer(lambda op: nn.LeakyReLU(op.get("alpha", 0.01))),
    "MatMul": _linear,
    "Log": _function(torch.log),
    "Max": _folded(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _folded(torch.minimum),
    "Mul": _function(torch.mul),
    "Neg": _function(torch.neg),
    "PRelu": _prelu,
    "Pad": _pad,
    "Pow": _function(torch.pow),
    "Reciprocal": _function(torch.reciprocal),
    "ReduceMax": _reduced(torch.amax),
    "ReduceMean": _mean,
    "ReduceMin": _reduced(torch.amin),
    "ReduceSum": _reduced(torch.sum),
    "Relu": _layer(lambda _: nn.ReLU()),
    "Resize": _resize,
    "Sigmoid": _layer(lambda _: nn.Sigmoid()),
    "Softmax": _layer(lambda op: nn.Softmax(op.get("axis", -1))),
    "Softplus": _layer(lambda _: nn.Softplus()),
    "Sqrt": _function(torch.sqrt),
    "Sub": _function(torch.sub),
    "Sum": _folded(torch.add),
    "Tanh": _layer(lambda _: nn.Tanh()),
    "Where": _function(torch.where),
}
"""By ONNX's name."""
