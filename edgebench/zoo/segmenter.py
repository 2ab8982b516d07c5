"""From a recipe to a finished segmenter: trained on scattered digits, derived, judged by mIoU."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import keras

from edgebench.zoo import backdrops, judge, manifest, scattered, unet

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edgebench.zoo.scatter import Scenes
    from edgebench.zoo.scattered import Arrays, Say


def run(folder: Path, data: Path | None, say: Say) -> None:
    """Train, derive and judge a segmenter, and write everything into its folder.

    Args:
        folder: Holds workload.toml with its recipe; gets models/, reference.npz, samples.npz,
            calibration.npz and the completed workload.toml.
        data: The folder with the digits' file.
        say: Gets one line a step.

    Raises:
        UsageError: The recipe or the digits cannot be used.
    """
    document = manifest.read(folder)
    recipe = manifest.recipe_as(document, scattered.Recipe)
    shape = tuple(document["input"]["shape"])
    build = scattered.Scattered(recipe, shape[0], data)
    make = functools.partial(unet.segmenter, shape, len(document["labels"]))

    def learned(scenes: Scenes) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        return scenes.inputs(), scenes.masks

    trained = scattered.train(
        recipe,
        make=lambda: make(folded=False),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        epoch_of=lambda epoch: learned(build.training(epoch)),
        check=learned(build.validation()),
        say=say,
    )
    fresh = functools.partial(scattered.folded, trained, lambda batch: make(batch=batch))
    calibration = build.calibration()
    scattered.export(folder, recipe, fresh, calibration.inputs(), say)
    test, samples = build.test(), build.samples()
    model = fresh(None)
    inputs = samples.inputs()[: recipe.reference_samples]
    held_out = scattered.source(backdrops.HELD_OUT, held_out=True)
    reference = {"inputs": inputs, "outputs": keras.ops.convert_to_numpy(model(inputs))}

    def figure(outputs: Arrays) -> float:
        (logits,) = outputs.values()
        return judge.miou(logits, test.masks)

    document |= scattered.costs(model) | {
        "reference": scattered.write_file(folder, "reference.npz", reference, held_out),
        "samples": scattered.write_file(
            folder, "samples.npz", {"images": samples.images, "masks": samples.masks}, held_out
        ),
        "calibration": scattered.write_file(
            folder,
            "calibration.npz",
            {"images": calibration.images},
            scattered.source(backdrops.TRAINING, held_out=False),
        ),
        "models": scattered.model_rows(
            folder, recipe, metric="miou", scenes=test, judge=figure, say=say
        ),
    }
    manifest.write(folder, document)
