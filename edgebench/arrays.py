"""Arrays in ``.npz`` files, read a few rows at a time: no pickles, no size believed unchecked.

``numpy.load`` reads an array whole and makes room for whatever its header declares; a data set of
a board with 1 GB of memory must be neither. Format: numpy.lib.format, ".npy" version 1.0.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive raises; `RuntimeError` covers encrypted and unknown members."""

_FREE_BYTE = 64 << 20
_LARGEST_RATIO = 100
_KINDS = "buif"


class Member:
    """One array of an open archive: its header checked, its rows still unread.

    Args:
        archive: An open ``.npz``.
        name: Of the array, without ``.npy``.

    Raises:
        ValueError: A pickle, another version or order, or a header that the file belies.
        KeyError: There is no such array.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._info = archive.getinfo(f"{name}.npy")
        self._name = name
        check_ratio(self._info)
        with archive.open(self._info) as file:
            self.shape, self.dtype = self._header(file)
        self._archive = archive

    def _header(self, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{self._name} is a .npy of version {version}, not (1, 0)")
        try:
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except (RecursionError, MemoryError, TypeError):
            raise ValueError(f"the header of {self._name} cannot be read") from None
        if dtype.kind not in _KINDS:
            raise ValueError(f"{self._name} holds {dtype}, not numbers (pickles are never loaded)")
        if fortran and len(shape) > 1:
            raise ValueError(f"{self._name} is in Fortran order; save it in C order")
        declared = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or declared != self._info.file_size - file.tell():
            raise ValueError(f"{self._name} declares {shape}, but holds other than that")
        return shape, dtype

    def rows(self, size: int) -> Iterator[NDArray[Any]]:
        """The array's rows in their order, ``size`` at a time (fewer at the end).

        Raises:
            ValueError: The file ends early.
        """
        row_byte = math.prod(self.shape[1:]) * self.dtype.itemsize
        with self._archive.open(self._info) as file:
            self._header(file)
            for first in range(0, self.shape[0], size):
                count = min(size, self.shape[0] - first)
                data = file.read(count * row_byte)
                if len(data) != count * row_byte:
                    raise ValueError(f"{self._name} ends early")
                yield np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])


def check_ratio(info: zipfile.ZipInfo) -> None:
    """Refuse a member that unpacks to far more than the file holds.

    Raises:
        ValueError: It looks like a bomb.
    """
    if info.file_size > max(_FREE_BYTE, _LARGEST_RATIO * info.compress_size):
        raise ValueError(
            f"{info.filename} unpacks from {info.compress_size} to {info.file_size} byte"
        )


def labelled_rows(path: Path, size: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """``(images (m, h, w, c), labels (m,))`` of a file of labelled samples, ``size`` at a time.

    Raises:
        ValueError: Images and labels do not match.
    """
    with zipfile.ZipFile(path) as archive:
        images, labels = Member(archive, "images"), Member(archive, "labels")
        if not images.shape or labels.shape != images.shape[:1]:
            raise ValueError(f"{path.name}: images {images.shape}, labels {labels.shape}")
        for some, theirs in zip(images.rows(size), labels.rows(size), strict=True):
            yield some, theirs.astype(np.int64)


def labelled_shape(path: Path) -> tuple[int, ...]:
    """The shape (n, h, w, c) of the images in a file of labelled samples."""
    with zipfile.ZipFile(path) as archive:
        return Member(archive, "images").shape
