"""Which images an int8 model is calibrated on.

Best is the zoo's own set (its recipe's split of the training images), where the data set's file is
at hand; else as many other training images of a data set that `edgebench data` keeps; else those
that the workload ships, which ``workload.toml`` describes. Never images that accuracy is judged on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench import arrays
from edgebench.datasets import folder
from edgebench.derive import feeds
from edgebench.errors import UsageError
from edgebench.specs import Workload
from edgebench.zoo import calibration as zoo
from edgebench.zoo import manifest

_ROWS = 1000


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """A set of calibration images in a file."""

    path: Path
    sha256: str
    """Of the pixels, so that the same images are the same whatever file they come in."""
    words: str


def choose(workload: Workload, data: str | None, scratch: Path) -> Images | None:
    """The images to calibrate on; None where there are none.

    Args:
        workload: With a recipe, where ``data`` is given.
        data: The folder with the zoo's data set file, the name of a data set that `edgebench data`
            keeps, or None for the shipped images.
        scratch: A folder that lasts as long as the answer is used.

    Raises:
        UsageError: The data set is missing, damaged or a test set, or the recipe cannot be used.
    """
    spec = workload.spec
    if data is None:
        if spec.calibration is None:
            return None
        path = workload.file(spec.calibration.path)
        found = feeds.read(path)
        kind = next(iter(found))
        words = f"{len(found[kind])} shipped {kind}"
        return Images(path=path, sha256=_digest(found), words=words)
    if Path(data).is_dir():
        images = zoo.images(workload.folder, Path(data))
        words = f"the zoo's {len(images)} training images"
    else:
        if os.sep in data:
            raise UsageError(
                f"there is no folder {data}",
                remedy="or name one of `edgebench data list`, without a path",
            )
        images = _drawn(workload, data)
        words = f"{len(images)} images of {data}"
    path = scratch / f"{spec.name}.npz"
    np.savez(path, images=images)
    return Images(path=path, sha256=_digest({feeds.IMAGES: images}), words=words)


def _digest(found: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in found.values():
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _drawn(workload: Workload, name: str) -> NDArray[np.uint8]:
    """As many images of a kept data set as the zoo took, drawn by the recipe's seed."""
    dataset = folder.open_dataset(name)
    if dataset.spec.split == "test":
        raise UsageError(
            f"data set {name} holds test images, which accuracy is judged on",
            remedy="add a training set: edgebench data add NAME PATH --split train",
        )
    if dataset.spec.shape != workload.spec.input.shape:
        raise UsageError(
            f"data set {name} has images of {dataset.spec.shape}, {workload.spec.name} takes "
            f"{workload.spec.input.shape}"
        )
    recipe = manifest.recipe_of(manifest.read(workload.folder))
    order = np.random.default_rng(recipe.seed).permutation(dataset.spec.count)
    chosen = np.sort(order[: recipe.calibration_samples])
    found: list[NDArray[np.uint8]] = []
    first = 0
    for rows, _ in arrays.labelled_rows(dataset.path, _ROWS):
        here = chosen[(chosen >= first) & (chosen < first + len(rows))] - first
        found.append(rows[here])
        first += len(rows)
    return np.concatenate(found)
