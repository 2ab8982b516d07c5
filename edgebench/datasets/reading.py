"""Any file or folder as labelled images: what it is shows in its first bytes, not in its name."""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench import arrays, resources
from edgebench.datasets import packed, pictures
from edgebench.datasets.folder import Found
from edgebench.errors import UsageError, plain
from edgebench.specs import WorkloadSpec, read_workload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DAMAGE = (*arrays.DAMAGE, tarfile.TarError)
_TAR_MAGIC = slice(257, 262)


def read(name: str, path: Path, split: str, *, gray: bool | None = None) -> Found:
    """Find the labelled images of a path; they are read when the result's pairs are.

    Args:
        name: Of the data set: a workload that names it decides the order of classes and the
            colour of image files.
        path: An image folder, a zip of one, an ``.npz``, MNIST's idx files, or CIFAR-10's tar.
        split: Which part of it.
        gray: Whether image files become grey; None leaves it to the workload, else they are RGB.

    Raises:
        UsageError: It is none of these, or damaged, or hostile; also later, from the pairs.
    """
    specs = [spec for spec in _workloads() if spec.recipe.get("dataset") == name]
    if gray is None:
        gray = bool(specs) and specs[0].input.shape[-1] == 1
    try:
        found = _open(path, split, gray=gray)
    except _DAMAGE as error:
        raise _refused(path, error) from None
    return found._replace(pairs=_guarded(path, found))


def _open(path: Path, split: str, *, gray: bool) -> Found:
    if path.is_dir():
        idx = packed.idx_in(path, split)
        return packed.from_idx(idx) if idx else pictures.from_folder(path, split, order, gray=gray)
    if not path.is_file():
        raise ValueError("it is no file and no folder" if path.exists() else "it does not exist")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            is_npz = any(name.endswith(".npy") for name in archive.namelist())
        if is_npz:
            return packed.from_npz(path, split)
        return pictures.from_zip(path, split, order, gray=gray)
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(packed.GZIP_MAGIC):
        with gzip.open(path) as unpacked:
            head = unpacked.read(512)
        if head[_TAR_MAGIC] == b"ustar":
            return packed.from_cifar10_tar(path, split)
    if head.startswith(packed.IDX_IMAGES):
        return packed.from_idx(path)
    raise ValueError("it is no zip, .npz, idx file of images, or CIFAR-10 archive")


def _guarded(path: Path, found: Found) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """The pairs, their labels checked, damage told in one line."""
    try:
        for image, label in found.pairs:
            if label < 0 or (found.labels and label >= len(found.labels)):
                raise ValueError(f"the label {label} is not one of its classes")
            yield image, label
    except _DAMAGE as error:
        raise _refused(path, error) from None


def _refused(path: Path, error: Exception) -> UsageError:
    # The paths and names in it come from a stranger's file: nothing may steer the terminal.
    words = plain(" ".join(str(error).split()))
    return UsageError(
        f"{plain(path.name)} cannot be used: {words[:300]}",
        remedy="edgebench data add --help lists what can be added",
    )


def order(classes: set[str]) -> tuple[str, ...]:
    """Class names in a workload's order if one has just these labels, else sorted."""
    for spec in _workloads():
        if set(spec.labels) == classes:
            return spec.labels
    return tuple(sorted(classes))


def _workloads() -> Iterator[WorkloadSpec]:
    for folder in resources.workload_folders().values():
        with contextlib.suppress(UsageError):  # a broken workload is no hindrance to adding data
            yield read_workload(folder).spec
