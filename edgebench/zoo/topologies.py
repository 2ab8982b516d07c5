"""The literature's classifiers that are not trained here, as Keras models that end at the logits.

Where ``keras.applications`` has the network, its layers are taken and the head is our own: the
averages are flattened without a fixed batch, so that a TFLite file can be resized.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from edgebench.errors import UsageError
from edgebench.zoo import efficientnet, squeezenet


def _dense(x: Any, classes: int) -> Any:  # noqa: ANN401 - Keras tensors
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.layers.Dense(classes, name="logits")(x)


def _mobilenet_v1_025(inputs: Any, classes: int) -> Any:  # noqa: ANN401
    body = keras.applications.MobileNet(
        input_tensor=inputs, alpha=0.25, include_top=False, weights=None
    )
    return _dense(body.output, classes)


def _mobilenet_v2(inputs: Any, classes: int) -> Any:  # noqa: ANN401
    body = keras.applications.MobileNetV2(input_tensor=inputs, include_top=False, weights=None)
    return _dense(body.output, classes)


def _mobilenet_v3_small(inputs: Any, classes: int) -> Any:  # noqa: ANN401
    body = keras.applications.MobileNetV3Small(
        input_tensor=inputs, include_top=False, weights=None, include_preprocessing=False
    )
    x = keras.layers.GlobalAveragePooling2D()(body.output)
    x = keras.layers.Dense(1024, activation="hard_swish")(x)
    return keras.layers.Dense(classes, name="logits")(x)


def _resnet50(inputs: Any, classes: int) -> Any:  # noqa: ANN401
    body = keras.applications.ResNet50(input_tensor=inputs, include_top=False, weights=None)
    return _dense(body.output, classes)


_NETWORKS: dict[str, Callable[[Any, int], Any]] = {
    "mobilenet_v1_025_96": _mobilenet_v1_025,
    "mobilenet_v2": _mobilenet_v2,
    "mobilenet_v3_small": _mobilenet_v3_small,
    "efficientnet_lite0": efficientnet.network,
    "squeezenet": squeezenet.network,
    "resnet50": _resnet50,
}


def model(name: str, shape: tuple[int, ...], classes: int, batch: int | None) -> Any:  # noqa: ANN401
    """Build a topology with fresh weights.

    Args:
        name: The workload.
        shape: Height, width, channels.
        classes: Of the answer.
        batch: A fixed batch, or None for any.

    Returns:
        A Keras model from (batch, height, width, channels) to (batch, classes) logits.

    Raises:
        UsageError: The workload has no topology here.
    """
    if name not in _NETWORKS:
        message = f"the zoo has no network for the workload {name!r}"
        raise UsageError(message, remedy=f"take one of: {', '.join(_NETWORKS)}")
    # Layer names end up in the files: counting them afresh keeps a rebuild's bytes the same.
    keras.utils.clear_session()
    keras.config.set_image_data_format("channels_last")
    inputs = keras.Input(shape, batch_size=batch, name="input")
    return keras.Model(inputs, _NETWORKS[name](inputs, classes))
