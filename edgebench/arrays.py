"""Arrays in ``.npz`` files, read a few rows at a time: no pickles, no size believed unchecked.

``numpy.load`` reads an array whole and makes room for whatever its header declares; a data set of
a board with 1 GB of memory must be neither. Format: numpy.lib.format, ".npy" version 1.0.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

DAMAGE = (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive raises; `RuntimeError` covers encrypted and unknown members."""

Rows: TypeAlias = "tuple[NDArray[Any], ...]"
_FREE_BYTE = 64 << 20
_LARGEST_RATIO = 100
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{\s*'descr':\s*'(?P<descr>[^']{1,32})',\s*'fortran_order':\s*(?P<order>True|False),"
    rb"\s*'shape':\s*\((?P<shape>[0-9, ]{0,200})\),?\s*\}\s*"
)
"""The literal that every writer of the format writes; a stranger's text is not evaluated."""
_NUMBER = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")


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
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{self._name} is no .npy of version 1.0")
        length = int.from_bytes(file.read(2), "little")
        found = _HEADER.fullmatch(file.read(length))
        if found is None:
            raise ValueError(f"the header of {self._name} cannot be read")
        descr, order = found["descr"].decode("ascii", "replace"), found["order"]
        if not _NUMBER.fullmatch(descr):
            raise ValueError(f"{self._name} holds {descr}, not numbers (pickles are never loaded)")
        shape = tuple(int(size) for size in found["shape"].split(b",") if size.strip())
        if order == b"True" and len(shape) > 1:
            raise ValueError(f"{self._name} is in Fortran order; save it in C order")
        dtype = np.dtype(descr)
        if math.prod(shape) * dtype.itemsize != self._info.file_size - file.tell():
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
    for images, labels in sample_rows(path, {"labels": 1}, size):
        yield images, labels.astype(np.int64)


def sample_rows(path: Path, truth: Mapping[str, int], size: int) -> Iterator[Rows]:
    """``(images, ...)`` of a file of labelled samples, ``size`` of each array at a time.

    Args:
        path: The file.
        truth: Arrays that tell what is right, by name, with their number of dimensions.
        size: Rows.

    Raises:
        ValueError: Images and what they are told to show do not match.
    """
    with zipfile.ZipFile(path) as archive:
        if lacking := [name for name in truth if f"{name}.npy" not in archive.namelist()]:
            raise ValueError(f"{path.name} has no {' and no '.join(lacking)}")
        images = Member(archive, "images")
        others = {name: Member(archive, name) for name in truth}
        for name, other in others.items():
            whole = len(other.shape) == truth[name] and other.shape[:1] == images.shape[:1]
            if not images.shape or not whole:
                raise ValueError(f"{path.name}: images {images.shape}, {name} {other.shape}")
        yield from zip(images.rows(size), *(one.rows(size) for one in others.values()), strict=True)


def labelled_shape(path: Path) -> tuple[int, ...]:
    """The shape (n, h, w, c) of the images in a file of labelled samples."""
    with zipfile.ZipFile(path) as archive:
        return Member(archive, "images").shape
