"""What is held out stays out of training, validation and calibration."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.errors import UsageError
from edgebench.zoo import manifest
from edgebench.zoo.datasets import load
from edgebench.zoo.splits import TrainingSets, image_names, image_sha256, leaked, split

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"


def random_images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 5, 1)).astype(np.uint8)


def divide(images: NDArray[np.uint8], held_out: frozenset[str], seed: int = 1) -> TrainingSets:
    labels = np.arange(len(images), dtype=np.uint8)
    return split(
        images, labels, held_out=held_out, validation_count=10, calibration_count=20, seed=seed
    )


def test_held_out_images_are_in_no_set() -> None:
    images = random_images(100)
    held_out = image_names(images[30:40])
    sets = divide(images, held_out)
    assert len(sets.train_images) == 80
    assert len(sets.validation_images) == 10
    assert leaked(sets, held_out) == 0


def test_every_copy_of_a_held_out_image_is_excluded() -> None:
    images = random_images(100)
    images[70] = images[3]
    sets = divide(images, frozenset({image_sha256(images[3])}))
    assert len(sets.train_images) + len(sets.validation_images) == 98


@pytest.mark.parametrize("where", ["train_images", "validation_images", "calibration_images"])
def test_a_planted_leak_is_detected(where: str) -> None:
    images = random_images(100)
    planted = random_images(1, seed=7)
    held_out = image_names(planted)
    sets = divide(images, held_out)
    assert leaked(sets, held_out) == 0
    bad = dataclasses.replace(sets, **{where: np.concatenate([getattr(sets, where), planted])})
    assert leaked(bad, held_out) == 1


def test_sets_are_disjoint_and_labels_follow_their_images() -> None:
    images = random_images(100)
    names = [image_sha256(image) for image in images]
    sets = divide(images, frozenset())
    assert not image_names(sets.train_images) & image_names(sets.validation_images)
    assert image_names(sets.calibration_images) <= image_names(sets.train_images)
    for image, label in zip(sets.train_images, sets.train_labels, strict=True):
        assert names[label] == image_sha256(image)


def test_the_seed_decides() -> None:
    images = random_images(100)
    first, again, other = (divide(images, frozenset(), seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.train_labels, again.train_labels)
    assert not np.array_equal(first.train_labels, other.train_labels)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(UsageError, match="too few"):
        divide(random_images(25), frozenset())


def test_a_name_ignores_a_channel_axis_of_one() -> None:
    image = random_images(1)[0]
    assert image_sha256(image) == image_sha256(image[..., 0])


def test_no_shipped_digit_is_trained_on() -> None:
    if not (DATA / "mnist.npz").is_file():
        pytest.skip(f"needs the MNIST file {DATA / 'mnist.npz'}")
    folder = ROOT / "workloads" / "mnist_cnn"
    recipe = manifest.recipe_of(manifest.read(folder))
    with np.load(folder / "samples.npz", allow_pickle=False) as archive:
        shipped = image_names(archive["images"])
    data = load("mnist", DATA)
    # Without the exclusion they would be there: the test can fail.
    assert len(shipped) == 1000
    assert shipped <= image_names(data.train_images)
    sets = split(
        data.train_images,
        data.train_labels,
        held_out=shipped,
        validation_count=recipe.validation_samples,
        calibration_count=recipe.calibration_samples,
        seed=recipe.seed,
    )
    assert leaked(sets, shipped) == 0
    assert len(sets.train_images) >= 10_000
