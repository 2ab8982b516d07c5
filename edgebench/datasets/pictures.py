"""Image files, one folder a class, in a folder or in a zip: decoded one at a time, never unpacked.

Nothing is extracted to the disk, and only formats are opened whose decoders run in this process.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from edgebench import arrays
from edgebench.datasets import limits
from edgebench.datasets.folder import Found
from edgebench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm"})
_FORMATS = ("JPEG", "PNG", "BMP", "PPM")
_LARGEST_FILE_BYTE = 32 << 20
_DEPTH = 3
"""Folders below PATH that are looked into: its name in an archive, a split, a class."""
_OTHER_SPLITS = frozenset({"train", "training", "val", "valid", "validation"})
_ENCRYPTED = 1


def from_folder(path: Path, split: str, labels: limits.Order, *, gray: bool) -> Found:
    """Images below a folder: ``class/file`` or ``split/class/file``.

    Raises:
        UsageError: There are none, there are several parts, or Pillow is missing.
    """
    _require_pillow()
    chosen = _choose(list(_files(path, ())), split, path.name)
    classes = labels({member[-2] for member in chosen})

    def pairs() -> Iterator[tuple[NDArray[np.uint8], int]]:
        for member in chosen:
            yield load(path, member, gray=gray), classes.index(member[-2])

    return Found(len(chosen), classes, pairs())


def members(folder: Path) -> list[tuple[str, ...]]:
    """Image files below a folder as parts of a path, in order; they are not looked into.

    Raises:
        UsageError: Pillow is missing.
    """
    _require_pillow()
    return sorted(_files(folder, ()))


def load(folder: Path, member: tuple[str, ...], *, gray: bool) -> NDArray[np.uint8]:
    """One of `members`, (height, width, 1 or 3).

    Raises:
        ValueError: It is damaged, too large, or no image that is read here.
    """
    file = folder.joinpath(*member)
    if file.stat().st_size > _LARGEST_FILE_BYTE:
        raise ValueError(f"{file.name} is too large for an image")
    return decode(file.read_bytes(), "/".join(member), gray=gray)


def from_zip(path: Path, split: str, labels: limits.Order, *, gray: bool) -> Found:
    """Images in a zip, its members read in place.

    Raises:
        UsageError: As `from_folder`.
        ValueError: A member leads out of the archive, or unpacks to too much.
    """
    with zipfile.ZipFile(path) as archive:
        infos = {_parts(info): info for info in archive.infolist() if not info.is_dir()}
    _require_pillow()
    chosen = _choose([parts for parts in infos if _is_image(parts)], split, path.name)
    classes = labels({member[-2] for member in chosen})

    def pairs() -> Iterator[tuple[NDArray[np.uint8], int]]:
        with zipfile.ZipFile(path) as archive:
            for member in chosen:
                with archive.open(infos[member]) as file:
                    data = file.read(infos[member].file_size)  # a bound: read() alone has none
                yield decode(data, "/".join(member), gray=gray), classes.index(member[-2])

    return Found(len(chosen), classes, pairs())


def decode(data: bytes, name: str, *, gray: bool) -> NDArray[np.uint8]:
    """One image file as uint8 (height, width, 1 or 3).

    Raises:
        ValueError: It is damaged, too large, or no image that is read here.
        UsageError: Pillow is missing.
    """
    _require_pillow()
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only image files need it

    try:
        limits.check_scans(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                limits.check_image(picture.height, picture.width, 3)
                if picture.mode.startswith(("I", "F")):
                    raise ValueError("it has more than 8 bits a channel")
                pixels = np.asarray(picture.convert("L" if gray else "RGB"), np.uint8)
    except UnidentifiedImageError:
        raise ValueError(f"{name} is no JPEG, PNG, BMP or PPM image") from None
    except (
        *(OSError, SyntaxError, ValueError, EOFError, struct.error),
        *(Image.DecompressionBombWarning, Image.DecompressionBombError),
    ) as error:
        raise ValueError(f"{name}: {error}") from None
    return pixels[..., np.newaxis] if gray else pixels


def _require_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401, PLC0415 - only image files need it
    except ImportError:
        raise UsageError(
            "reading image files needs Pillow", remedy="pip install 'edgebench[device]'"
        ) from None


def _files(folder: Path, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Image files as parts of a path; links to folders are followed, but not deep."""
    with os.scandir(folder) as entries:
        for entry in entries:
            parts = (*above, entry.name)
            if entry.is_dir() and len(above) < _DEPTH and not entry.name.startswith("."):
                yield from _files(folder / entry.name, parts)
            elif _is_image(parts) and entry.is_file():
                yield parts


def _is_image(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(parts[-1]).suffix.lower() in _SUFFIXES


def _parts(info: zipfile.ZipInfo) -> tuple[str, ...]:
    """A member's path in parts, if it may be read at all."""
    name = info.filename
    parts = PurePosixPath(name).parts
    if name.startswith("/") or "\\" in name or ".." in parts or ":" in parts[0]:
        raise ValueError(f"{name[:80]!r} leads out of the archive")
    if info.flag_bits & _ENCRYPTED:
        raise ValueError(f"{name[:80]!r} is encrypted")
    if _is_image(parts) and info.file_size > _LARGEST_FILE_BYTE:
        raise ValueError(f"{name[:80]!r} is too large for an image")
    arrays.check_ratio(info)
    return parts


def _choose(members: list[tuple[str, ...]], split: str, source: str) -> list[tuple[str, ...]]:
    """The members ``.../split/class/file``, or all if there are no splits; in order of path."""
    classed = sorted(member for member in members if len(member) > 1)
    if not classed:
        raise UsageError(
            f"{source} holds no images in folders, one a class",
            remedy="expected: PATH/<class>/<file>.jpg or PATH/test/<class>/<file>.jpg",
        )
    inside = [member for member in classed if member[-3:-2] == (split,)]
    if inside:
        return inside
    parts = sorted({"/".join(member[:-2]) for member in classed})
    if len(parts) > 1 or parts[0].rpartition("/")[2].lower() in _OTHER_SPLITS:
        raise UsageError(
            f"{source} has no {split!r} part (has: {', '.join(p or '.' for p in parts[:5])})",
            remedy="choose a part with --split",
        )
    return classed
