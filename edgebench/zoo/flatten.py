"""Layers that reshape whatever the batch is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


@keras.saving.register_keras_serializable(package="edgebench")
class FlattenAnyBatch(keras.layers.Layer):  # type: ignore[misc]
    """Flatten by reshaping to (-1, n).

    ``keras.layers.Flatten`` on a batch-1 input becomes a constant (1, n) in a TFLite file, and
    the file then cannot be resized to another batch.
    """

    def call(self, inputs: Any) -> Any:  # noqa: ANN401 - a Keras tensor of any backend
        """Reshape (batch, ...) to (batch, n)."""
        return keras.ops.reshape(inputs, (-1, int(np.prod(inputs.shape[1:]))))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, int]:
        """Give (batch, n) for an input of (batch, ...)."""
        return (input_shape[0], int(np.prod([side or 0 for side in input_shape[1:]])))


@keras.saving.register_keras_serializable(package="edgebench")
class Rows(keras.layers.Layer):  # type: ignore[misc]
    """Reshape a map to rows of so many values, for the reason that `FlattenAnyBatch` has.

    Args:
        values: Of a row; divides the map's channels.
    """

    def __init__(self, values: int, **options: Any) -> None:  # noqa: ANN401 - Keras's own
        super().__init__(**options)
        self.values = values

    def call(self, inputs: Any) -> Any:  # noqa: ANN401 - a Keras tensor of any backend
        """Reshape (batch, h, w, c) to (batch, rows, values)."""
        rows = int(np.prod(inputs.shape[1:])) // self.values
        return keras.ops.reshape(inputs, (-1, rows, self.values))

    def compute_output_shape(
        self, input_shape: Sequence[int | None]
    ) -> tuple[int | None, int, int]:
        """Give (batch, rows, values) for an input of (batch, h, w, c)."""
        size = int(np.prod([side or 0 for side in input_shape[1:]]))
        return (input_shape[0], size // self.values, self.values)

    def get_config(self) -> dict[str, Any]:
        """What the layer is made from again."""
        return {**super().get_config(), "values": self.values}
