"""ResNet-8 as MLPerf Tiny has it for image classification: three residual stacks on 32x32 pixels.

Source: He et al. 2016, "Deep Residual Learning for Image Recognition"; MLPerf Tiny's own variant
(Banbury et al. 2021, "MLPerf Tiny Benchmark", 16, 32 and 64 filters, one block a stack).
"""

from __future__ import annotations

from typing import Any

import keras

from edgebench.zoo.flatten import FlattenAnyBatch

_FILTERS = (16, 32, 64)


def features(inputs: Any, decay: float) -> Any:  # noqa: ANN401 - Keras tensors
    """All but the last layer.

    Args:
        inputs: (batch, 32, 32, 3).
        decay: Of the squared kernels, added to the loss while training; 0 in an exported network.

    Returns:
        (batch, 64).
    """
    x = _activated(_convolved(inputs, _FILTERS[0], 3, 1, decay))
    for filters in _FILTERS:
        stride = 1 if filters == _FILTERS[0] else 2
        y = _activated(_convolved(x, filters, 3, stride, decay))
        y = _convolved(y, filters, 3, 1, decay)
        if stride > 1:
            x = keras.layers.Conv2D(filters, 1, strides=stride, padding="same", **_kernel(decay))(x)
        x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    return FlattenAnyBatch()(keras.layers.AveragePooling2D(8)(x))


def _kernel(decay: float) -> dict[str, Any]:
    regularizer = keras.regularizers.L2(decay) if decay else None
    return {"kernel_initializer": "he_normal", "kernel_regularizer": regularizer}


def _convolved(x: Any, filters: int, side: int, stride: int, decay: float) -> Any:  # noqa: ANN401
    x = keras.layers.Conv2D(filters, side, strides=stride, padding="same", **_kernel(decay))(x)
    return keras.layers.BatchNormalization()(x)


def _activated(x: Any) -> Any:  # noqa: ANN401
    return keras.layers.ReLU()(x)
