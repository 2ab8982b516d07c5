"""Divide training images into what trains, validates and calibrates, and keep samples out.

The samples that ship with a workload are meant to be unseen. Identity is the sha256 of an
image's uint8 bytes, so that an image is recognised in any file and at any place in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgebench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class TrainingSets:
    """Three disjoint uses of the training part; calibration is taken from the trained images.

    Attributes:
        train_images: uint8, (n, height, width, channels).
        train_labels: uint8, (n,).
        validation_images: uint8, (v, height, width, channels); never trained on.
        validation_labels: uint8, (v,).
        calibration_images: uint8, (c, height, width, channels); a part of train_images.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    validation_images: NDArray[np.uint8]
    validation_labels: NDArray[np.uint8]
    calibration_images: NDArray[np.uint8]


def image_sha256(image: NDArray[np.uint8]) -> str:
    """Name an image by its pixels.

    Args:
        image: uint8, any shape; a trailing channel axis of one does not change the name.

    Returns:
        sha256 of the bytes in C order, hex.
    """
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def image_names(images: NDArray[np.uint8]) -> frozenset[str]:
    """Name every image of a stack.

    Args:
        images: uint8, (n, ...).

    Returns:
        The sha256 of each image; fewer than n where images are equal.
    """
    return frozenset(image_sha256(image) for image in images)


def split(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    held_out: frozenset[str],
    validation_count: int,
    calibration_count: int,
    seed: int,
) -> TrainingSets:
    """Take the held-out images away, shuffle the rest and divide it.

    Args:
        images: uint8, (n, height, width, channels), the training part of a data set.
        labels: uint8, (n,).
        held_out: ``image_sha256`` of every image that must not be used.
        validation_count: How many images measure progress and are not trained on.
        calibration_count: How many trained images calibrate the int8 models.
        seed: Of the shuffle.

    Returns:
        The sets; none of them holds a held-out image.

    Raises:
        UsageError: Too few images are left for the counts asked.
    """
    kept = np.asarray(
        [i for i, image in enumerate(images) if image_sha256(image) not in held_out],
        dtype=np.int64,
    )
    if len(kept) < validation_count + max(calibration_count, 1):
        message = f"{len(kept)} training images are left, too few for the recipe's counts"
        raise UsageError(message, remedy="lower validation_samples or calibration_samples")
    order = np.random.default_rng(seed).permutation(kept)
    validation, train = order[:validation_count], order[validation_count:]
    return TrainingSets(
        train_images=images[train],
        train_labels=labels[train],
        validation_images=images[validation],
        validation_labels=labels[validation],
        calibration_images=images[train[:calibration_count]],
    )


def leaked(sets: TrainingSets, held_out: frozenset[str]) -> int:
    """Count the held-out images that any of the sets holds.

    Args:
        sets: What a build is about to use.
        held_out: ``image_sha256`` of every image that must not be used.

    Returns:
        The number of distinct leaked images; 0 is the only good answer.
    """
    used = (
        image_names(sets.train_images)
        | image_names(sets.validation_images)
        | image_names(sets.calibration_images)
    )
    return len(used & held_out)
