"""Train a bundled network from its recipe, seeded, on the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from edgebench.errors import UsageError
from edgebench.zoo.datasets import to_input
from edgebench.zoo.networks import training_model, weights_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgebench.zoo.manifest import Recipe
    from edgebench.zoo.splits import TrainingSets


def train(
    name: str, recipe: Recipe, sets: TrainingSets, say: Callable[[str], None]
) -> list[NDArray[np.float32]]:
    """Train for the recipe's number of epochs; nothing is selected on any figure.

    The same machine and thread count give the same weights; another processor may sum in
    another order and differ in the last bits.

    Args:
        name: The workload, which names the topology.
        recipe: Every number of the training.
        sets: The images; validation images are only reported on.
        say: Gets one line an epoch.

    Returns:
        The weights, float32, in layer order.

    Raises:
        UsageError: The recipe names an optimiser or schedule that is not known.
    """
    keras.utils.clear_session()
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    rows, columns, channels = sets.train_images.shape[1:]
    model = training_model(name, (rows, columns, channels), recipe.dropout_ratio)
    steps = recipe.epochs * -(-len(sets.train_images) // recipe.batch)
    model.compile(optimizer=_optimiser(recipe, steps), loss=recipe.loss, metrics=["accuracy"])
    generator = np.random.default_rng(recipe.seed)
    check = (to_input(sets.validation_images), sets.validation_labels)
    for epoch in range(recipe.epochs):
        inputs = to_input(_augment(sets.train_images, recipe, generator))
        history = model.fit(
            inputs, sets.train_labels, batch_size=recipe.batch, verbose=0, shuffle=True
        ).history
        _, accuracy = model.evaluate(*check, batch_size=500, verbose=0)
        say(
            f"epoch {epoch + 1}/{recipe.epochs}: training loss {history['loss'][0]:.4f}, "
            f"validation top-1 {accuracy:.4f}"
        )
    return weights_of(model)


def _optimiser(recipe: Recipe, steps: int) -> Any:  # noqa: ANN401 - a Keras optimiser
    schedules = {
        "constant": recipe.learning_rate,
        "cosine": keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps),
    }
    if recipe.schedule not in schedules:
        message = f"unknown schedule {recipe.schedule!r} in the recipe"
        raise UsageError(message, remedy=f"take one of: {', '.join(schedules)}")
    rate = schedules[recipe.schedule]
    if recipe.optimiser == "adam":
        return keras.optimizers.Adam(rate)
    if recipe.optimiser == "sgd":
        return keras.optimizers.SGD(rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    message = f"unknown optimiser {recipe.optimiser!r} in the recipe"
    raise UsageError(message, remedy="take one of: adam, sgd")


def _augment(
    images: NDArray[np.uint8], recipe: Recipe, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Shift each image by up to shift_px in both axes (edges reflected) and flip half of them."""
    count, (rows, columns) = len(images), images.shape[1:3]
    pad = recipe.shift_px
    widened = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    offsets: NDArray[np.int64] = generator.integers(0, 2 * pad + 1, size=(2, count))
    down, right = offsets
    flipped = generator.random(count) < (0.5 if recipe.flip else 0.0)
    row_index = down[:, None] + np.arange(rows)
    along = np.arange(columns)
    column_index = right[:, None] + np.where(flipped[:, None], along[::-1], along)
    moved: NDArray[np.uint8] = widened[
        np.arange(count)[:, None, None], row_index[:, :, None], column_index[:, None, :]
    ]
    return moved
