"""The topologies of the bundled workloads, as Keras layers.

A network is a list of blocks. The training model ends in softmax and may have dropout; the
exported one has the same weights, no dropout and ends at the logits.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from edgebench.errors import UsageError
from edgebench.zoo import resnet8
from edgebench.zoo.flatten import FlattenAnyBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CLASSES = 10


def inference_model(name: str, shape: tuple[int, int, int], batch: int | None) -> Any:  # noqa: ANN401
    """Build the exported topology with fresh weights.

    Args:
        name: The workload, ``mnist_cnn``, ``cifar10_cnn`` or ``resnet8``.
        shape: Height, width, channels.
        batch: A fixed batch, or None for any.

    Returns:
        A Keras model from (batch, height, width, channels) to (batch, 10) logits.

    Raises:
        UsageError: The workload has no topology here.
    """
    last = keras.layers.Dense(CLASSES, name="logits")
    image = keras.Input(shape, batch_size=batch, name="input")
    if name == "resnet8":
        return keras.Model(image, last(resnet8.features(image, 0.0)))
    return keras.Sequential([image, *_blocks(name, 0.0), last])


def training_model(
    name: str, shape: tuple[int, int, int], dropout_ratio: float, decay: float = 0.0
) -> Any:  # noqa: ANN401
    """Build the model that is trained: dropout before the dense layers, softmax at the end.

    Args:
        name: The workload, ``mnist_cnn``, ``cifar10_cnn`` or ``resnet8``.
        shape: Height, width, channels.
        dropout_ratio: From 0 to 1; 0 puts no dropout in.
        decay: Of the squared kernels, added to the loss.

    Returns:
        A Keras model whose weights, in order, fit ``inference_model``.

    Raises:
        UsageError: The workload has no topology here.
    """
    last = keras.layers.Dense(CLASSES, activation="softmax", name="logits")
    image = keras.Input(shape, name="input")
    if name == "resnet8":
        return keras.Model(image, last(resnet8.features(image, decay)))
    return keras.Sequential([image, *_blocks(name, dropout_ratio), *_dropout(dropout_ratio), last])


def weights_of(model: Any) -> list[NDArray[np.float32]]:  # noqa: ANN401
    """Copy a model's weights out, float32, in layer order, statistics of batches included."""
    return [np.asarray(w, dtype=np.float32) for w in model.weights]


def source_sha256(weights: Sequence[NDArray[np.float32]]) -> str:
    """Name a set of weights: sha256 over float32 little-endian bytes in layer order."""
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()


def count_macs(model: Any) -> int:  # noqa: ANN401
    """Count the multiply-accumulates of one inference: convolutions and dense layers."""
    total = 0
    for layer in model.layers:
        kinds = keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.Dense
        if isinstance(layer, kinds):
            # A kernel's element is used once for each place of the output.
            places = int(np.prod(layer.output.shape[1:-1]))
            total += places * int(np.prod(layer.kernel.shape))
    return total


def _dropout(ratio: float) -> list[Any]:
    return [keras.layers.Dropout(ratio)] if ratio > 0 else []


def _conv(filters: int, padding: str) -> Any:  # noqa: ANN401
    return keras.layers.Conv2D(filters, 3, padding=padding, activation="relu")


def _blocks(name: str, dropout_ratio: float) -> list[Any]:
    pool = keras.layers.MaxPooling2D
    if name == "mnist_cnn":
        features = [
            _conv(32, "valid"),
            pool(2),
            _conv(64, "valid"),
            pool(2),
            _conv(64, "valid"),
        ]
        width = 64
    elif name == "cifar10_cnn":
        features = [
            _conv(32, "same"),
            pool(2),
            _conv(64, "same"),
            pool(2),
            _conv(128, "same"),
            pool(2),
        ]
        width = 128
    else:
        message = f"the zoo has no network for the workload {name!r}"
        raise UsageError(message, remedy="take one of: mnist_cnn, cifar10_cnn, resnet8")
    dense = keras.layers.Dense(width, activation="relu")
    return [*features, FlattenAnyBatch(), *_dropout(dropout_ratio), dense]
