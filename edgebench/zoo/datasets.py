"""Loaders of the data sets that the bundled workloads are trained and judged on.

Free of any training framework: numpy and pillow are enough, so that a test machine can
recompute every top-1 figure without TensorFlow.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgebench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CIFAR10_LABELS = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
MNIST_FILE = "mnist.npz"
CIFAR10_FILE = "cifar10-jpeg.zip"
MNIST_SIDE_PX = 28
WHITE = 255.0  # grey level
# What numpy, zipfile and pillow raise for a file that is cut or is something else.
_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
CIFAR10_SIDE_PX = 32


@dataclass(frozen=True, kw_only=True)
class Splits:
    """A data set as published: its training part and its test part.

    Attributes:
        train_images: uint8, (n, height, width, channels).
        train_labels: uint8, (n,), index into the workload's labels.
        test_images: uint8, (m, height, width, channels).
        test_labels: uint8, (m,).
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def load(name: str, data_root: Path) -> Splits:
    """Load a whole data set.

    Args:
        name: ``mnist`` or ``cifar10``.
        data_root: The folder that holds ``mnist.npz`` or ``cifar10-jpeg.zip``.

    Returns:
        Both parts, in the order of the file (MNIST) or of class and file name (CIFAR-10).

    Raises:
        UsageError: The name is unknown, or the file is absent or damaged.
    """
    read = _reader(name)
    train_images, train_labels = read(data_root, "train")
    test_images, test_labels = read(data_root, "test")
    return Splits(
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
    )


def load_test(name: str, data_root: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Load only the test part, which spares the decoding of the training images.

    Args:
        name: ``mnist`` or ``cifar10``.
        data_root: The folder that holds the data set's file.

    Returns:
        Images, uint8 (m, height, width, channels), and labels, uint8 (m,).

    Raises:
        UsageError: The name is unknown, or the file is absent or damaged.
    """
    return _reader(name)(data_root, "test")


def to_input(
    images: NDArray[np.uint8],
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (255.0,),
) -> NDArray[np.float32]:
    """Turn pixels into what a model takes: ``(pixel - mean) / std`` per channel, in float32.

    Args:
        images: uint8, (n, height, width, channels).
        mean: One value a channel, or one for all, in grey levels.
        std: One value a channel, or one for all, in grey levels.

    Returns:
        float32, the same shape.
    """
    centre: NDArray[np.float32] = np.asarray(mean, dtype=np.float32)
    spread: NDArray[np.float32] = np.asarray(std, dtype=np.float32)
    pixels: NDArray[np.float32] = images.astype(np.float32)
    return np.divide(np.subtract(pixels, centre), spread)


def _reader(name: str) -> Callable[[Path, str], tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    readers = {"mnist": _read_mnist, "cifar10": _read_cifar10}
    if name not in readers:
        message = f"unknown data set {name!r}"
        raise UsageError(message, remedy=f"take one of: {', '.join(sorted(readers))}")
    return readers[name]


def _existing(data_root: Path, file_name: str) -> Path:
    path = data_root / file_name
    if not path.is_file():
        message = f"the data set file {path} is missing"
        raise UsageError(message, remedy=f"put {file_name} into {data_root}")
    return path


def _damaged(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"the data set file {path} cannot be used: {reason}",
        remedy="fetch the file again",
    )


def _read_mnist(data_root: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    path = _existing(data_root, MNIST_FILE)
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = archive[f"x_{part}"], archive[f"y_{part}"]
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from error
    side = MNIST_SIDE_PX
    if images.dtype != np.uint8 or images.shape != (len(labels), side, side):
        raise _damaged(path, f"x_{part} is {images.dtype} {images.shape}")
    return images[..., np.newaxis], labels.astype(np.uint8)


def _read_cifar10(data_root: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    path = _existing(data_root, CIFAR10_FILE)
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    try:
        with zipfile.ZipFile(path) as archive:
            # Sorted: the order of members in an archive says nothing and may differ.
            names = sorted(n for n in archive.namelist() if n.endswith(".jpg"))
            for index, label in enumerate(CIFAR10_LABELS):
                members = [n for n in names if n.startswith(f"{part}/{label}/")]
                images += [_decode(archive.read(member)) for member in members]
                labels += [index] * len(members)
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from error
    if not images:
        raise _damaged(path, f"it holds no {part}/<class>/*.jpg")
    return np.stack(images), np.asarray(labels, dtype=np.uint8)


def _decode(data: bytes) -> NDArray[np.uint8]:
    # Imported late: MNIST needs no pillow.
    from PIL import Image  # noqa: PLC0415

    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture.convert("RGB"), dtype=np.uint8)
    if pixels.shape != (CIFAR10_SIDE_PX, CIFAR10_SIDE_PX, 3):
        message = f"an image is {pixels.shape}, not 32x32 RGB"
        raise ValueError(message)
    return pixels
