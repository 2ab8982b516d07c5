"""Packed data sets: ``.npz``, MNIST's idx files and CIFAR-10's binary tar; never a pickle.

Formats: https://yann.lecun.com/exdb/mnist/ (idx: 0, 0, type, number of axes, then each axis as a
big-endian 32-bit integer) and https://www.cs.toronto.edu/~kriz/cifar.html (one byte of label, then
1024 red, 1024 green and 1024 blue pixels, a record an image).
"""

from __future__ import annotations

import gzip
import math
import tarfile
import zipfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

import numpy as np

from edgebench import arrays
from edgebench.datasets import limits
from edgebench.datasets.folder import Found

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Pairs = Iterator[tuple["NDArray[np.uint8]", int]]

_Readable = IO[bytes] | gzip.GzipFile
_ROWS = 64
GZIP_MAGIC = b"\x1f\x8b"
IDX_IMAGES = b"\x00\x00\x08\x03"
_IDX_LABELS = b"\x00\x00\x08\x01"
_IDX_PREFIX = {"test": "t10k"}
CIFAR10_LABELS = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_CIFAR10_SHAPE = (3, 32, 32)
_CIFAR10_BATCH = 10_000
_CIFAR10_RECORD_BYTE = 1 + math.prod(_CIFAR10_SHAPE)
_CIFAR10_MEMBERS = {
    "test": ("test_batch.bin",),
    "train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)),
}
_LARGEST_TAR_MEMBERS = 100


def from_npz(path: Path, split: str) -> Found:
    """The arrays ``x_test``/``y_test``, ``test_images``/``test_labels`` or ``images``/``labels``.

    ``test`` stands for the split.

    Raises:
        ValueError: It holds none of these, or not uint8 images with a whole number each.
    """
    with zipfile.ZipFile(path) as archive:
        return _npz(path, archive, split)


def _npz(path: Path, archive: zipfile.ZipFile, split: str) -> Found:
    have = {name.removesuffix(".npy") for name in archive.namelist()}
    wanted = (
        (f"x_{split}", f"y_{split}"),
        (f"{split}_images", f"{split}_labels"),
        ("images", "labels"),
    )
    names = next((pair for pair in wanted if have.issuperset(pair)), None)
    if names is None:
        known = ", ".join("/".join(pair) for pair in wanted)
        raise ValueError(f"it has no {known} (has: {', '.join(sorted(have))[:200]})")
    images, labels = (arrays.Member(archive, name) for name in names)
    if images.dtype != np.uint8 or len(images.shape) not in (3, 4):
        raise ValueError(f"{names[0]} is {images.dtype} {images.shape}, not uint8 (n, h, w[, c])")
    if labels.dtype.kind not in "ui" or math.prod(labels.shape[1:]) != 1:
        raise ValueError(f"{names[1]} is {labels.dtype} {labels.shape}, not whole numbers (n,)")
    shape = (*images.shape, 1)[:4]
    limits.check_count(shape[0], labels.shape[0])
    limits.check_image(*shape[1:])

    def pairs() -> _Pairs:
        with zipfile.ZipFile(path) as again:
            rows = (arrays.Member(again, name).rows(_ROWS) for name in names)
            for some, theirs in zip(*rows, strict=True):
                yield from zip(some.reshape(-1, *shape[1:]), theirs.ravel().tolist(), strict=True)

    return Found(shape[0], (), pairs())


def idx_in(folder: Path, split: str) -> Path | None:
    """The images of a split in a folder of MNIST's files, if there are any."""
    prefix = _IDX_PREFIX.get(split, split)
    return next(iter(sorted(folder.glob(f"{prefix}-images[-.]idx3-ubyte*"))), None)


def from_idx(path: Path) -> Found:
    """MNIST's image file, plain or gzipped; its labels lie beside it.

    Raises:
        ValueError: A file is damaged or the labels are not there.
    """
    beside = [
        path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1")),
    ]
    beside += [beside[0].with_suffix(""), beside[0].with_name(beside[0].name + ".gz")]
    labels_path = next((p for p in beside if p != path and p.is_file()), None)
    if labels_path is None:
        raise ValueError(f"its labels are missing: put {beside[0].name} beside it")
    with _unpacked(labels_path) as file:
        (count,) = _idx_axes(file, _IDX_LABELS, labels_path.name)
        limits.check_count(count, count)
        labels = _exactly(file, count, labels_path.name)
    with _unpacked(path) as file:
        count, height, width = _idx_axes(file, IDX_IMAGES, path.name)
    limits.check_count(count, len(labels))
    limits.check_image(height, width, 1)

    def pairs() -> _Pairs:
        with _unpacked(path) as file:
            _idx_axes(file, IDX_IMAGES, path.name)
            for label in labels:
                data = _exactly(file, height * width, path.name)
                yield np.frombuffer(data, np.uint8).reshape(height, width, 1), label

    return Found(count, (), pairs())


def _unpacked(path: Path) -> BufferedReader | gzip.GzipFile:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    return gzip.open(path) if packed else path.open("rb")


def _idx_axes(file: _Readable, magic: bytes, name: str) -> tuple[int, ...]:
    if file.read(4) != magic:
        raise ValueError(f"{name} is no idx file of {'images' if magic[3] > 1 else 'labels'}")
    axes = _exactly(file, 4 * magic[3], name)
    return tuple(np.frombuffer(axes, ">u4").tolist())


def _exactly(file: _Readable, count: int, name: str) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise ValueError(f"{name} ends early")
    return data


def from_cifar10_tar(path: Path, split: str) -> Found:
    """CIFAR-10's binary archive, read member by member as a stream.

    Raises:
        ValueError: It has no such part.
    """
    if split not in _CIFAR10_MEMBERS:
        raise ValueError(f"it has the parts {' and '.join(_CIFAR10_MEMBERS)}, not {split!r}")
    names = _CIFAR10_MEMBERS[split]
    return Found(_CIFAR10_BATCH * len(names), CIFAR10_LABELS, _cifar10(path, names))


def _cifar10(path: Path, names: tuple[str, ...]) -> _Pairs:
    missing = set(names)
    size_byte = _CIFAR10_BATCH * _CIFAR10_RECORD_BYTE
    with tarfile.open(path, "r|gz") as archive:
        for index, member in enumerate(archive):
            if index >= _LARGEST_TAR_MEMBERS or member.size > size_byte:
                raise ValueError(f"{member.name[:80]!r} does not belong into CIFAR-10's archive")
            name = PurePosixPath(member.name).name
            if name not in missing:
                continue
            file = archive.extractfile(member) if member.isreg() else None
            if file is None or member.size != size_byte:
                raise ValueError(f"{name} is not {_CIFAR10_BATCH} images of CIFAR-10")
            missing.remove(name)
            for _ in range(_CIFAR10_BATCH):
                record = _exactly(file, _CIFAR10_RECORD_BYTE, name)
                planes = np.frombuffer(record, np.uint8, offset=1).reshape(_CIFAR10_SHAPE)
                yield np.ascontiguousarray(planes.transpose(1, 2, 0)), record[0]
            if not missing:
                return
    raise ValueError(f"it has no {', '.join(sorted(missing))}: is it CIFAR-10's binary archive?")
