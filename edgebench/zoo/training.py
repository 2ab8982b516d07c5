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
    from pathlib import Path

    from numpy.typing import NDArray

    from edgebench.zoo.manifest import Recipe
    from edgebench.zoo.splits import TrainingSets


def train(
    name: str,
    recipe: Recipe,
    sets: TrainingSets,
    say: Callable[[str], None],
    checkpoint: Path | None = None,
) -> list[NDArray[np.float32]]:
    """Train for the recipe's number of epochs; nothing is selected on any figure.

    The same machine and thread count give the same weights; another processor may sum in
    another order and differ in the last bits.

    Args:
        name: The workload, which names the topology.
        recipe: Every number of the training.
        sets: The images; validation images are only reported on.
        say: Gets one line an epoch.
        checkpoint: A file (``.keras``) that holds the state after each epoch. Where it is there,
            training goes on behind its last epoch, and ends where it would have ended.

    Returns:
        The weights, float32, in layer order.

    Raises:
        UsageError: The recipe names an optimiser or schedule that is not known.
    """
    keras.utils.clear_session()
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    steps = -(-len(sets.train_images) // recipe.batch)
    model = _model(name, recipe, sets, steps)
    done = resume(model, checkpoint, steps) if checkpoint is not None else 0
    generator = np.random.default_rng(recipe.seed)
    for epoch in range(done, recipe.epochs):
        if checkpoint is not None:
            # Seeds of its own, so that an epoch can be taken up without those before it.
            generator = np.random.default_rng([recipe.seed, epoch])
            keras.utils.set_random_seed(recipe.seed + epoch)
            _reseed_dropout(model, recipe.seed + epoch)
        say(f"epoch {epoch + 1}/{recipe.epochs}: {_epoch(model, recipe, sets, generator)}")
        if checkpoint is not None:
            keep(model, checkpoint)
    return weights_of(model)


def _model(name: str, recipe: Recipe, sets: TrainingSets, steps: int) -> Any:  # noqa: ANN401 - a Keras model
    rows, columns, channels = sets.train_images.shape[1:]
    shape = (rows, columns, channels)
    model = training_model(name, shape, recipe.dropout_ratio, recipe.weight_decay)
    optimiser = _optimiser(recipe, recipe.epochs * steps)
    model.compile(optimizer=optimiser, loss=recipe.loss, metrics=["accuracy"])
    return model


def _epoch(model: Any, recipe: Recipe, sets: TrainingSets, generator: np.random.Generator) -> str:  # noqa: ANN401
    """Every training image once; what came of it, in words."""
    inputs = to_input(_augment(sets.train_images, recipe, generator))
    history = model.fit(
        inputs, sets.train_labels, batch_size=recipe.batch, verbose=0, shuffle=True
    ).history
    check = (to_input(sets.validation_images), sets.validation_labels)
    _, accuracy = model.evaluate(*check, batch_size=500, verbose=0)
    return f"training loss {history['loss'][0]:.4f}, validation top-1 {accuracy:.4f}"


def _reseed_dropout(model: Any, number: int) -> None:  # noqa: ANN401
    """Settle what is dropped next: a kept model does not hold it."""
    for place, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            # Keras counts the second number on from step to step: layers stay apart.
            layer.seed_generator.state.assign([number, place << 20])


def resume(model: Any, checkpoint: Path, steps: int) -> int:  # noqa: ANN401
    """Epochs of so many steps that are done, their state in the model; 0 where nothing was kept."""
    if not checkpoint.is_file():
        return 0
    kept = keras.saving.load_model(checkpoint)
    model.set_weights(kept.get_weights())
    model.optimizer.build(model.trainable_variables)
    for mine, theirs in zip(model.optimizer.variables, kept.optimizer.variables, strict=True):
        mine.assign(theirs)
    return int(kept.optimizer.iterations) // steps


def keep(model: Any, checkpoint: Path) -> None:  # noqa: ANN401
    """Write the state; the old one stays until the new one is whole."""
    fresh = checkpoint.with_name(f"fresh-{checkpoint.name}")
    model.save(fresh)
    fresh.replace(checkpoint)


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
