"""Convolutions that are trained with a batch normalisation and shipped without.

The normalisation of a trained network is a factor and a summand of each channel, which the
convolution's own weights can hold. Converters do that too, but not all for depthwise convolutions.
Source: Jacob et al. 2018, "Quantization and Training of Neural Networks ...", section 3.2.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

_NORM = "{}_norm"


def convolved(x: Any, layer: Any, *, folded: bool) -> Any:  # noqa: ANN401 - Keras tensors, layers
    """A convolution, its normalisation and ReLU.

    Args:
        x: (batch, height, width, channels).
        layer: The convolution; it has a bias where ``folded``, else none.
        folded: Without the normalisation, for weights that `fold` has put in.
    """
    x = layer(x)
    if not folded:
        norm = keras.layers.BatchNormalization(momentum=0.9, name=_NORM.format(layer.name))
        x = norm(x)
    return keras.layers.ReLU()(x)


def fold(trained: Any, bare: Any) -> None:  # noqa: ANN401 - Keras models
    """Give a network without normalisations the weights of one with them.

    Args:
        trained: With them.
        bare: The same topology without, its layers named alike; gets the weights.
    """
    norms = {layer.name: layer for layer in trained.layers}
    for layer in bare.layers:
        if not layer.weights:
            continue
        source = trained.get_layer(layer.name)
        norm = norms.get(_NORM.format(layer.name))
        if norm is None:
            layer.set_weights(source.get_weights())
            continue
        scale, offset, mean, variance = (w.astype(np.float64) for w in norm.get_weights())
        factor = scale / np.sqrt(variance + norm.epsilon)
        (kernel,) = source.get_weights()
        # A depthwise kernel is (h, w, channels, 1), any other (h, w, inputs, channels).
        deep = isinstance(source, keras.layers.DepthwiseConv2D)
        wide = factor[:, np.newaxis] if deep else factor
        layer.set_weights([kernel * wide, offset - mean * factor])
