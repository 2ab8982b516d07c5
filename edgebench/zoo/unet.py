"""A small U-Net: what is seen from afar is put together with where it was.

Source: Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation";
smaller, padded so that the output has the input's size, normalised (Ioffe, Szegedy 2015), and made
larger by the nearest pixel and a convolution, which every runtime has, not by a transposed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from edgebench.zoo.folding import convolved

FILTERS = (8, 16, 32, 64)
"""Of each level; each has half the side of the one before."""


@keras.saving.register_keras_serializable(package="edgebench")
class Doubled(keras.layers.Layer):  # type: ignore[misc]
    """Twice the height and width by the nearest pixel, as one operator of every format.

    ``keras.layers.UpSampling2D`` repeats rows and columns in several.
    """

    def call(self, inputs: Any) -> Any:  # noqa: ANN401 - a Keras tensor of any backend
        """Resize (batch, h, w, c) to (batch, 2 h, 2 w, c)."""
        rows, columns = inputs.shape[1:3]
        # The plain operator: Keras takes centres of pixels, which ONNX names anew in each version
        # and which is the same when a side is doubled.
        return tf.raw_ops.ResizeNearestNeighbor(images=inputs, size=(2 * rows, 2 * columns))

    def compute_output_shape(self, input_shape: Sequence[int]) -> tuple[int, int, int, int]:
        """Give (batch, 2 h, 2 w, c) for an input of (batch, h, w, c)."""
        batch, rows, columns, channels = input_shape
        return (batch, 2 * rows, 2 * columns, channels)


def segmenter(
    shape: tuple[int, int, int],
    classes: int,
    *,
    folded: bool = True,
    batch: int | None = None,
) -> Any:  # noqa: ANN401 - a Keras model
    """Build the topology with fresh weights.

    Args:
        shape: Height, width, channels; sides that 8 divides.
        classes: Background included.
        folded: Without normalisations, as it ships; it is trained with them.
        batch: A fixed batch, or None for any.

    Returns:
        A Keras model from (batch, height, width, channels) to (batch, height, width, classes)
        logits.
    """
    image = keras.Input(shape, batch_size=batch, name="input")
    x, kept = image, []
    for filters in FILTERS[:-1]:
        x = _twice(x, filters, folded=folded)
        kept.append(x)
        x = keras.layers.MaxPooling2D(2)(x)
    x = _twice(x, FILTERS[-1], folded=folded)
    for filters, seen in zip(FILTERS[-2::-1], reversed(kept), strict=True):
        x = _once(Doubled()(x), filters, folded=folded)
        x = _twice(keras.layers.Concatenate()([seen, x]), filters, folded=folded)
    return keras.Model(image, keras.layers.Conv2D(classes, 1)(x))


def _once(x: Any, filters: int, *, folded: bool) -> Any:  # noqa: ANN401 - Keras tensors
    layer = keras.layers.Conv2D(
        filters, 3, padding="same", use_bias=folded, kernel_initializer="he_normal"
    )
    return convolved(x, layer, folded=folded)


def _twice(x: Any, filters: int, *, folded: bool) -> Any:  # noqa: ANN401
    return _once(_once(x, filters, folded=folded), filters, folded=folded)
