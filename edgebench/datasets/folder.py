"""The data folder: one folder a data set, written whole or not at all, checked by its sha256."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from edgebench.errors import UsageError, plain
from edgebench.resources import data_home
from edgebench.specs import read_toml_as, sha256_of
from edgebench.units import mib_from_byte

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGES = "test.npz"
MANIFEST = "dataset.toml"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_TAKEN = frozenset({"workloads"})
"""Names in the data folder that are no data set's."""
_SPARE_BYTE = 64 << 20
home = data_home


class DatasetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``dataset.toml``."""

    schema: Literal[1] = 1
    name: str
    split: str
    """Which part of its source it is; ``test`` unless the user chose another."""
    count: int
    shape: tuple[int, int, int]
    """Height, width, channels of one image."""
    labels: tuple[str, ...] = ()
    """Class names by label; empty where the source has only numbers."""
    largest_label: int
    sha256: str
    source: str
    added_at_utc: str


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A data set and the folder it lies in."""

    folder: Path
    spec: DatasetSpec

    @property
    def path(self) -> Path:
        """The images and labels: ``images`` uint8 (n, h, w, c) and ``labels`` (n,)."""
        return self.folder / IMAGES

    @property
    def source(self) -> str:
        """One line that names it in a record."""
        spec = self.spec
        return f"{spec.name} {spec.split}, sha256 {spec.sha256[:12]}: {spec.source}"

    def problem(self) -> str:
        """What is wrong with its file; empty if it is the one that was added."""
        try:
            good = sha256_of(self.path) == self.spec.sha256
        except OSError as error:
            return f"{IMAGES}: {error.strerror}"
        return "" if good else f"{IMAGES}: is not the file that {MANIFEST} names (sha256)"


class Found(NamedTuple):
    """Labelled images that a reader found and has not read yet."""

    size: int
    labels: tuple[str, ...]
    """Class names by label; empty where there are only numbers."""
    pairs: Iterable[tuple[NDArray[np.uint8], int]]
    """``(image (h, w, c), label)``, ``size`` of them, read one by one."""


def check_name(name: str) -> str:
    """A data set's name, which is a folder's too.

    Raises:
        UsageError: It could lead elsewhere.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        remedy = f"use {_NAME.pattern}, but not {', '.join(_TAKEN)}"
        raise UsageError(f"{name[:80]!r} cannot name a data set", remedy=remedy)
    return name


def names() -> list[str]:
    """The data sets in the data folder, sorted."""
    try:
        return sorted(f.name for f in home().iterdir() if (f / MANIFEST).is_file())
    except OSError:
        return []


def open_dataset(name: str) -> Dataset:
    """A data set of the data folder; its images are not looked at.

    Raises:
        UsageError: It is not there, or its ``dataset.toml`` is wrong.
    """
    folder = home() / check_name(name)
    if not (folder / MANIFEST).is_file():
        raise UsageError(f"there is no data set {name!r} in {home()}", remedy=how_to_get(name))
    return Dataset(folder=folder, spec=read_toml_as(folder / MANIFEST, DatasetSpec))


def how_to_get(name: str) -> str:
    """The commands that bring a data set here."""
    from edgebench.datasets.published import PUBLISHED  # noqa: PLC0415 - it imports this module

    add = f"edgebench data add {name} PATH"
    return f"edgebench data download {name}, or {add}" if name in PUBLISHED else add


def save(name: str, split: str, source: str, found: Found, *, replace: bool = False) -> Dataset:
    """Write a data set, an image at a time; it is there whole or not at all.

    Args:
        name: Of the data set.
        split: Which part of the source it is.
        source: Where it comes from, in one line.
        found: What a reader found.
        replace: Whether it may take the place of another.

    Raises:
        UsageError: The name is taken, the disk is full, or images differ in shape.
    """
    target = home() / check_name(name)
    if not replace:
        check_free(name)
    try:
        home().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=home()) as scratch:
            fresh = Path(scratch) / "new"
            fresh.mkdir()
            spec = _write(fresh, name=name, split=split, source=source, found=found)
            if target.exists():
                target.rename(Path(scratch) / "old")
            fresh.rename(target)
    except OSError as error:
        raise cannot_write(error) from None
    return Dataset(folder=target, spec=spec)


def check_free(name: str) -> None:
    """Refuse a name that a data set has.

    Raises:
        UsageError: It is taken.
    """
    if (home() / check_name(name)).exists():
        raise UsageError(f"there is a data set {name!r} already", remedy="replace it: --replace")


def cannot_write(error: OSError) -> UsageError:
    """The data folder is full, read-only or somebody else's."""
    return UsageError(
        f"cannot write to {home()}: {error.strerror}",
        remedy="make room, or choose a folder with EDGEBENCH_DATA",
    )


def _write(folder: Path, *, name: str, split: str, source: str, found: Found) -> DatasetSpec:
    shape, largest = _write_images(folder / IMAGES, found)
    spec = DatasetSpec(
        name=name,
        split=split,
        source=plain(source),
        count=found.size,
        shape=shape,
        labels=tuple(plain(label) for label in found.labels),
        largest_label=largest,
        sha256=sha256_of(folder / IMAGES),
        added_at_utc=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
    )
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.writelines(f"{k} = {_toml(v)}\n" for k, v in msgspec.to_builtins(spec).items())
        file.flush()
        os.fsync(file.fileno())
    return spec


def _toml(value: object) -> str:
    """Strings, numbers and lists as JSON that is TOML too: only DEL is written otherwise."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_images(path: Path, found: Found) -> tuple[tuple[int, int, int], int]:
    """Stream images and labels into an ``.npz``; give an image's shape and the largest label."""
    import numpy as np  # noqa: PLC0415 - listing data sets needs none

    pairs = iter(found.pairs)
    first, label = next(pairs)
    height, width, channels = first.shape
    labels = np.zeros(found.size, np.int64)
    _check_room(path.parent, found.size * first.size)
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open("images.npy", "w", force_zip64=True) as member:
                _header(member, (found.size, *first.shape), first.dtype)
                for index, (image, one) in enumerate(itertools.chain([(first, label)], pairs)):
                    _check_shape(index, image.shape, first.shape)
                    member.write(image.tobytes())
                    labels[index] = one
            if index + 1 != found.size:
                raise UsageError(f"the source ends after {index + 1} of {found.size} images")
            narrow = labels.astype(np.uint8) if labels.max() <= np.iinfo(np.uint8).max else labels
            with archive.open("labels.npy", "w", force_zip64=True) as member:
                _header(member, narrow.shape, narrow.dtype)
                member.write(narrow.tobytes())
        file.flush()
        os.fsync(file.fileno())
    return (height, width, channels), int(labels.max())


def _header(member: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:  # noqa: ANN401 - zipfile's own
    from numpy.lib import format as npy  # noqa: PLC0415 - as above

    fields = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(member, fields)


def _check_room(folder: Path, needed_byte: int) -> None:
    free_byte = shutil.disk_usage(folder).free - _SPARE_BYTE
    if needed_byte > free_byte:
        raise UsageError(
            f"the data set needs {mib_from_byte(needed_byte):.0f} MiB, "
            f"{mib_from_byte(max(0, free_byte)):.0f} MiB are free in {folder.parent.parent}",
            remedy="make room, or choose a folder with EDGEBENCH_DATA",
        )


def _check_shape(index: int, shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    if math.prod(shape) == 0 or shape != first:
        raise UsageError(
            f"image {index} is {' x '.join(map(str, shape))}, the first one is "
            f"{' x '.join(map(str, first))} (height, width, channels)",
            remedy="bring all images to one size first",
        )
