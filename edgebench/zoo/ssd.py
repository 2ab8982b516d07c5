"""A detector in the manner of SSDLite: depthwise separable blocks, three maps to predict on.

Source: Liu et al. 2016, "SSD: Single Shot MultiBox Detector"; Howard et al. 2017, "MobileNets"
(blocks of a depthwise and a pointwise convolution, each with its normalisation and ReLU).
"""

from __future__ import annotations

from typing import Any

import keras

from edgebench.zoo.flatten import Rows
from edgebench.zoo.folding import convolved

OUTPUTS = ("boxes", "scores")
_FIRST_FILTERS = 16
# Filters and stride of each block; a map to predict on ends each list.
_STAGES = (
    ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1), (128, 1), (128, 1)),
    ((256, 2), (256, 1)),
    ((256, 2),),
)
_NEGATIVES = 3
"""Anchors without a box that are learned from, for each one with a box: the worst ones."""
_OFFSETS = 4


def detector(
    shape: tuple[int, int, int],
    anchors: tuple[int, ...],
    classes: int,
    *,
    folded: bool = True,
    batch: int | None = None,
) -> Any:  # noqa: ANN401 - a Keras model
    """Build the topology with fresh weights.

    Args:
        shape: Height, width, channels; sides that 32 divides.
        anchors: How many at each place, for each of the three maps: sides / 8, / 16, / 32.
        classes: Without background.
        folded: Without normalisations, as it ships; it is trained with them.
        batch: A fixed batch, or None for any.

    Returns:
        A Keras model from (batch, height, width, channels) to ``boxes`` (batch, anchors, 4) and
        ``scores`` (batch, anchors, 1 + classes), logits.
    """
    image = keras.Input(shape, batch_size=batch, name="input")
    x = convolved(image, _conv(_FIRST_FILTERS, 3, 2, folded=folded), folded=folded)
    boxes, scores = [], []
    for stage, count in zip(_STAGES, anchors, strict=True):
        for filters, stride in stage:
            x = convolved(x, _deep(stride, folded=folded), folded=folded)
            x = convolved(x, _conv(filters, 1, folded=folded), folded=folded)
        boxes.append(Rows(_OFFSETS)(_head(x, count * _OFFSETS)))
        scores.append(Rows(1 + classes)(_head(x, count * (1 + classes))))
    joined = {
        name: keras.layers.Concatenate(axis=1, name=name)(parts)
        for name, parts in zip(OUTPUTS, (boxes, scores), strict=True)
    }
    return keras.Model(image, joined)


def _conv(filters: int, side: int, stride: int = 1, *, folded: bool) -> Any:  # noqa: ANN401
    return keras.layers.Conv2D(
        filters, side, stride, "same", use_bias=folded, kernel_initializer="he_normal"
    )


def _deep(stride: int, *, folded: bool) -> Any:  # noqa: ANN401
    return keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=folded)


def _head(x: Any, filters: int) -> Any:  # noqa: ANN401
    return keras.layers.Conv2D(filters, 3, padding="same")(x)


@keras.saving.register_keras_serializable(package="edgebench")  # type: ignore[untyped-decorator]
def box_loss(wanted: Any, offsets: Any) -> Any:  # noqa: ANN401
    """Smooth L1 of the offsets of anchors that have a box, a scene's mean over those.

    Args:
        wanted: (batch, anchors, 5): offsets, and 1 where the anchor has a box, else 0.
        offsets: (batch, anchors, 4).

    Returns:
        (batch,).
    """
    real = wanted[..., _OFFSETS]
    apart = keras.ops.abs(wanted[..., :_OFFSETS] - offsets)
    smooth = keras.ops.where(apart < 1.0, 0.5 * apart * apart, apart - 0.5)
    return _per_box(keras.ops.sum(smooth, axis=-1) * real, real)


@keras.saving.register_keras_serializable(package="edgebench")  # type: ignore[untyped-decorator]
def score_loss(wanted: Any, logits: Any) -> Any:  # noqa: ANN401
    """Cross entropy of anchors that have a box and of the three times as many worst others.

    Args:
        wanted: int32, (batch, anchors): 0 is background.
        logits: (batch, anchors, 1 + classes).

    Returns:
        (batch,), a scene's sum over its number of anchors with a box.
    """
    losses = keras.losses.sparse_categorical_crossentropy(wanted, logits, from_logits=True)
    real = keras.ops.cast(wanted > 0, "float32")
    others = keras.ops.stop_gradient(losses * (1.0 - real))
    ranked = keras.ops.flip(keras.ops.sort(others, axis=-1), axis=-1)
    kept = keras.ops.cast(keras.ops.sum(real, axis=-1, keepdims=True), "int32") * _NEGATIVES
    last = keras.ops.clip(kept, 1, ranked.shape[-1]) - 1
    worst = others >= keras.ops.maximum(keras.ops.take_along_axis(ranked, last, axis=-1), 1e-6)
    return _per_box(losses * (real + keras.ops.cast(worst, "float32")), real)


def _per_box(losses: Any, real: Any) -> Any:  # noqa: ANN401
    return keras.ops.sum(losses, axis=-1) / keras.ops.maximum(keras.ops.sum(real, axis=-1), 1.0)
