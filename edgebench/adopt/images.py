"""A user's folder of images: which are labelled, which calibrate, which are a reference."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench import arrays
from edgebench.datasets import pictures
from edgebench.errors import UsageError, plain

MOST_LABELLED, MOST_CALIBRATION, REFERENCE = 1000, 128, 16
_FEW = 64
"""Up to so many labelled images serve for calibration and accuracy both, and that is said."""
_MOST_BYTE = 256 << 20
"""Of pixels that are held at once: the smallest boards have 1 GB of memory."""
_SEED = 1
_LABELLED_PARTS = 2

Member = tuple[str, ...]
Sizes = tuple[int, int, int]


class Folder(NamedTuple):
    """Images as they lie on the disk; none is read yet."""

    path: Path
    members: tuple[Member, ...]
    """In an order drawn once, so that a part of them is a fair part."""
    classes: tuple[str, ...]
    """Names of the class folders in order; empty where images lie in the folder itself."""

    @property
    def fingerprint(self) -> str:
        """Changes where a file is added, replaced or renamed."""
        digest = hashlib.sha256()
        for member in sorted(self.members):
            seen = self.path.joinpath(*member).stat()
            digest.update(repr((member, seen.st_size, seen.st_mtime_ns)).encode())
        return digest.hexdigest()


class Chosen(NamedTuple):
    """Which images are what."""

    labelled: tuple[Member, ...]
    calibration: tuple[Member, ...]
    reference: tuple[Member, ...]
    both: bool
    """Whether accuracy is judged on images that calibrated."""


def find(path: Path) -> Folder:
    """The images of a folder: ``<class>/<file>``, or files alone.

    Raises:
        UsageError: There are none, or both kinds.
    """
    if not path.is_dir():
        raise UsageError(f"--images {path}: there is no such folder")
    try:
        found = pictures.members(path)
    except OSError as error:
        raise UsageError(f"--images {path}: cannot be read: {error.strerror}") from None
    depths = {len(member) for member in found}
    if not found:
        raise UsageError(f"--images {path}: holds no images", remedy="JPEG, PNG, BMP, PPM are read")
    if len(depths) > 1 or max(depths) > _LABELLED_PARTS:
        raise UsageError(
            f"--images {path}: holds images at several depths",
            remedy="either files alone, or one folder a class with the files in it",
        )
    order = np.random.default_rng(_SEED).permutation(len(found))
    members = tuple(found[index] for index in order)
    classes = {member[0] for member in members} if depths == {_LABELLED_PARTS} else ()
    return Folder(path, members, _in_order(classes))


def _in_order(classes: Collection[str]) -> tuple[str, ...]:
    """By number where all are numbers (2 before 10), else by name."""
    numbered = all(map(str.isdecimal, classes))
    return tuple(sorted(classes, key=int) if numbered else sorted(classes))


def choose(folder: Folder, sizes: Sizes) -> Chosen:
    """Accuracy and calibration take different images, where there are enough.

    Args:
        folder: The images.
        sizes: Of one as the model takes it (height, width, channels): of large ones fewer serve.
    """
    members = folder.members
    reference = members[:REFERENCE]
    most = max(REFERENCE, _MOST_BYTE // math.prod(sizes))
    calibrating = min(MOST_CALIBRATION, most)
    if not folder.classes:
        return Chosen((), members[:calibrating], reference, both=False)
    if len(members) <= _FEW:
        return Chosen(members[:most], members[:calibrating], reference, both=True)
    calibrating = min(calibrating, len(members) // 4)
    rest = members[calibrating:][: min(MOST_LABELLED, most)]
    return Chosen(rest, members[:calibrating], reference, both=False)


def labels_of(folder: Folder, names: tuple[str, ...]) -> dict[str, int]:
    """The number of each class folder.

    Args:
        folder: Labelled.
        names: The model's classes, in its order; they, or their numbers, name the folders.

    Raises:
        UsageError: A folder is none of them.
    """
    often = Counter(names)
    numbers = {name: index for index, name in enumerate(names) if often[name] == 1}
    plain_numbers = {str(index): index for index in range(len(names))}
    known = numbers if all(plain(one) in numbers for one in folder.classes) else plain_numbers
    for one in folder.classes:
        if plain(one) not in known:
            raise UsageError(
                f"--images {folder.path}: its folder {plain(one)!r} is none of the model's "
                f"{len(names)} classes",
                remedy="name the folders as the lines of --labels, or 0, 1, 2 ...",
            )
    return {one: known[plain(one)] for one in folder.classes}


def read(folder: Folder, members: tuple[Member, ...], sizes: Sizes) -> NDArray[np.uint8]:
    """Images (n, h, w, c), brought to the model's size as region e2e does (`PreprocessSpec`).

    Raises:
        UsageError: One of them is damaged.
    """
    height, width, channels = sizes
    found = np.empty((len(members), *sizes), np.uint8)
    for place, member in zip(found, members, strict=True):
        try:
            image = pictures.load(folder.path, member, gray=channels == 1)
        except arrays.DAMAGE as error:
            words = plain(" ".join(str(error).split()))[:300]
            raise UsageError(f"--images {folder.path}: {words}", remedy="remove it") from None
        place[...] = _resized(image, height, width)
    return found


def _resized(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Bilinear with half-pixel centres and without antialiasing."""
    if image.shape[:2] == (height, width):
        return image
    rows, columns = _neighbours(image.shape[0], height), _neighbours(image.shape[1], width)
    top, bottom = (
        image[at][:, columns.first] * (1 - columns.share[:, None])
        + image[at][:, columns.second] * columns.share[:, None]
        for at in (rows.first, rows.second)
    )
    mixed = top * (1 - rows.share[:, None, None]) + bottom * rows.share[:, None, None]
    return np.rint(mixed).astype(np.uint8)


class _Neighbours(NamedTuple):
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    share: NDArray[np.float32]
    """Of the second."""


def _neighbours(source: int, target: int) -> _Neighbours:
    place = (np.arange(target) + 0.5) * (source / target) - 0.5
    place = np.clip(place, 0, source - 1).astype(np.float32)
    first = np.floor(place).astype(np.intp)
    second = np.minimum(first + 1, source - 1)
    return _Neighbours(first, second, (place - first).astype(np.float32))
