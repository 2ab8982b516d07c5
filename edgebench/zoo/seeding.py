"""Weights for a network that nobody trains here: seeded, and in the range that trained ones keep.

Kernels are He-normal (He et al. 2015, "Delving Deep into Rectifiers"). Every batch normalisation
takes its statistics from photographs, layer after layer, and so does the head: signals then neither
vanish nor explode, answers differ between inputs, and quantisers meet usual ranges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOGIT_SPREAD = 3.0
OFFSET = 1.5
"""Of normalised values. Random layers that cut half of what comes in are chaotic: rounding the
weights to float16 grew to a quarter of MobileNetV1's answer, and is 1 % of it with the offset."""
_HEADS = ("logits", "head")
_LEAST_SPREAD = 1e-6


def seed(model: Any, inputs: NDArray[np.float32], number: int) -> None:  # noqa: ANN401
    """Fill a Keras model with weights; the same arguments give the same ones.

    Args:
        model: With a last layer with a kernel that is named ``logits`` or ``head``.
        inputs: float32, (n, height, width, channels), preprocessed photographs.
        number: The seed.
    """
    generator = np.random.default_rng(number)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            shape = tuple(layer.kernel.shape)
            # Of a depthwise kernel (rows, columns, channels, 1) each channel takes in only its own.
            deep = isinstance(layer, keras.layers.DepthwiseConv2D)
            fan_in = int(np.prod(shape[:2] if deep else shape[:-1]))
            drawn = generator.standard_normal(shape) * np.sqrt(2.0 / fan_in)
            layer.kernel.assign(drawn.astype(np.float32))
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(np.full(layer.beta.shape, OFFSET, np.float32))
            # One pass then replaces the statistics instead of nudging them.
            layer.momentum = 0.0
    model(inputs, training=True)
    _settle_head(model, inputs)


def _settle_head(model: Any, inputs: NDArray[np.float32]) -> None:  # noqa: ANN401
    """Centre and scale each class over the photographs, or one class would win them all."""
    head = next(layer for layer in model.layers if layer.name in _HEADS and layer.weights)
    kernel = np.asarray(head.kernel)
    entering = keras.Model(model.input, head.input).predict(inputs, verbose=0, batch_size=8)
    plain = np.tensordot(entering, kernel.reshape(kernel.shape[-2:]), axes=1)
    plain = plain.reshape(-1, plain.shape[-1])
    scale = LOGIT_SPREAD / np.maximum(plain.std(axis=0), _LEAST_SPREAD)
    head.kernel.assign(kernel * scale)
    head.bias.assign(-plain.mean(axis=0) * scale)
