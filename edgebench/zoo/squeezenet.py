"""SqueezeNet 1.1: fire modules, which squeeze to few channels before they expand to many.

Source: Iandola et al. 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters"; version
1.1 is its authors' own, with 2.4 times fewer multiplications.
"""

from __future__ import annotations

from typing import Any

import keras

# Filters squeezed to, and of each expanding half; None stands for a pooling.
_FIRES = ((16, 64), (16, 64), None, (32, 128), (32, 128), None)
_LATER_FIRES = ((48, 192), (48, 192), (64, 256), (64, 256))


def network(inputs: Any, classes: int) -> Any:  # noqa: ANN401 - Keras tensors
    """The whole network.

    Args:
        inputs: (batch, 224, 224, 3).
        classes: Of the answer.

    Returns:
        Logits, (batch, classes). They are averages of what a ReLU let through, as in the source.
    """
    x = keras.layers.Conv2D(64, 3, strides=2, activation="relu")(inputs)
    x = _pooled(x)
    for fire in (*_FIRES, *_LATER_FIRES):
        x = _pooled(x) if fire is None else _fire(x, *fire)
    x = keras.layers.Conv2D(classes, 1, activation="relu", name="head")(x)
    return keras.layers.GlobalAveragePooling2D(name="logits")(x)


def _pooled(x: Any) -> Any:  # noqa: ANN401
    return keras.layers.MaxPooling2D(3, strides=2)(x)


def _fire(x: Any, squeezed: int, expanded: int) -> Any:  # noqa: ANN401
    x = keras.layers.Conv2D(squeezed, 1, activation="relu")(x)
    halves = [
        keras.layers.Conv2D(expanded, side, padding="same", activation="relu")(x) for side in (1, 3)
    ]
    return keras.layers.Concatenate()(halves)
