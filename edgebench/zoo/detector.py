"""From a recipe to a finished detector: trained on scattered digits, derived, judged by mAP."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import keras
import msgspec
import numpy as np

from edgebench.specs import BoxesSpec
from edgebench.zoo import anchors, backdrops, judge, manifest, scattered, ssd

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgebench.zoo.scatter import Scenes
    from edgebench.zoo.scattered import Arrays, Say


def run(folder: Path, data: Path | None, say: Say) -> None:
    """Train, derive and judge a detector, and write everything into its folder.

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
    boxes = msgspec.convert(document["postprocess"]["boxes"], BoxesSpec)
    build = scattered.Scattered(recipe, shape[0], data)
    make = functools.partial(
        ssd.detector, shape, tuple(map(len, boxes.sizes)), len(document["labels"])
    )

    def learned(scenes: Scenes) -> tuple[NDArray[np.float32], Arrays]:
        return scenes.inputs(), targets(scenes, boxes)

    trained = scattered.train(
        recipe,
        make=lambda: make(folded=False),
        loss={"boxes": ssd.box_loss, "scores": ssd.score_loss},
        epoch_of=lambda epoch: learned(build.training(epoch)),
        check=learned(build.validation()),
        say=say,
    )
    fresh = functools.partial(scattered.folded, trained, lambda batch: make(batch=batch))
    calibration = build.calibration()
    scattered.export(folder, recipe, fresh, calibration.inputs(), say)
    test, samples = build.test(), build.samples()
    model = fresh(None)

    def figure(outputs: Arrays) -> float:
        found = outputs["boxes"], outputs["scores"]
        return judge.map50(boxes, found, test.boxes, test.classes)

    document |= scattered.costs(model) | {
        "reference": _reference(folder, model, samples, recipe.reference_samples),
        "samples": scattered.write_file(
            folder,
            "samples.npz",
            {"images": samples.images, "boxes": samples.boxes, "classes": samples.classes},
            scattered.source(backdrops.HELD_OUT, held_out=True),
        ),
        "calibration": scattered.write_file(
            folder,
            "calibration.npz",
            {"images": calibration.images},
            scattered.source(backdrops.TRAINING, held_out=False),
        ),
        "models": scattered.model_rows(
            folder, recipe, metric="map50", scenes=test, judge=figure, say=say
        ),
    }
    manifest.write(folder, document)


def targets(scenes: Scenes, boxes: BoxesSpec) -> Arrays:
    """What the outputs are to be for scenes, by output.

    Args:
        scenes: Labelled.
        boxes: How outputs become boxes.

    Returns:
        ``boxes`` (n, anchors, 5): offsets, and 1 where the anchor has a box; ``scores``
        (n, anchors): classes, 0 for background.
    """
    start = anchors.anchors(boxes)
    pairs = [
        anchors.targets(start, *one, boxes.variances)
        for one in zip(scenes.boxes, scenes.classes, strict=True)
    ]
    offsets, wanted = (np.stack(part) for part in zip(*pairs, strict=True))
    real = (wanted > 0)[..., np.newaxis].astype(np.float32)
    return {"boxes": np.concatenate([offsets, real], axis=2), "scores": wanted}


def _reference(
    folder: Path,
    model: Any,  # noqa: ANN401 - a Keras model
    samples: Scenes,
    count: int,
) -> dict[str, Any]:
    inputs = samples.inputs()[:count]
    outputs = {name: keras.ops.convert_to_numpy(one) for name, one in model(inputs).items()}
    arrays = {
        "inputs": inputs,
        "outputs": outputs["boxes"],
        "outputs_1": outputs["scores"],
    }
    return scattered.write_file(
        folder, "reference.npz", arrays, scattered.source(backdrops.HELD_OUT, held_out=True)
    )
