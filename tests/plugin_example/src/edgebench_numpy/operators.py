"""The operators, on float32 arrays in ONNX's layout: (batch, channels, height, width)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]
Attributes = Mapping[str, Sequence[int]]


def _windows(image: Array, attributes: Attributes) -> Array:
    """Shape (batch, channels, rows, columns, kernel height, kernel width)."""
    if set(attributes.get("dilations", (1,))) != {1} or attributes.get("group", (1,)) != [1]:
        raise ValueError("only plain convolutions are implemented: no dilations, no groups")
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    padded = np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)))
    down, across = attributes.get("strides", (1, 1))
    every = sliding_window_view(padded, tuple(attributes["kernel_shape"]), axis=(2, 3))
    return np.asarray(every[:, :, ::down, ::across])


def _conv(attributes: Attributes, image: Array, weights: Array, bias: Array) -> Array:
    windows = _windows(image, attributes)
    out = np.tensordot(windows, weights, axes=([1, 4, 5], [1, 2, 3])) + bias
    return np.moveaxis(out, 3, 1)


def _max_pool(attributes: Attributes, image: Array) -> Array:
    return np.asarray(_windows(image, {"group": [1], **attributes}).max(axis=(4, 5)))


def _reshape(_: Attributes, array: Array, shape: Array) -> Array:
    return array.reshape([array.shape[at] if n == 0 else n for at, n in enumerate(shape.tolist())])


OPERATORS: dict[str, Callable[..., Array]] = {
    "Add": lambda _, a, b: a + b,
    "Conv": _conv,
    "MatMul": lambda _, a, b: a @ b,
    "MaxPool": _max_pool,
    "Relu": lambda _, a: np.maximum(a, 0),
    "Reshape": _reshape,
    "Transpose": lambda attributes, a: a.transpose(attributes["perm"]),
}
