"""The image that region e2e decodes, checked before anything is measured."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgebench import resources
from edgebench.datasets import pictures
from edgebench.errors import UsageError, plain
from edgebench.runner.config import RunConfig
from edgebench.specs import Workload

_LIBRARIES = ("cv2", "PIL")
_LARGEST_BYTE = 32 << 20


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """An image file."""

    path: str
    sha256: str


def choose(config: RunConfig, workloads: Mapping[str, Workload]) -> Picture | None:
    """The image that was asked for, else the one that ships; None where no region needs one.

    Raises:
        UsageError: There is nothing to decode it with, or it is missing, damaged, hostile, or
            smaller than a workload's input.
    """
    if "e2e" not in config.region:
        if config.image is not None:
            raise UsageError("--image is what --region e2e decodes", remedy="add --region e2e")
        return None
    here = [name for name in _LIBRARIES if importlib.util.find_spec(name) is not None]
    # Another interpreter has libraries of its own: its workers say so themselves.
    if not here and not any(backend.python for backend in config.backends.values()):
        raise UsageError("--region e2e needs Pillow or OpenCV", remedy="pip install pillow")
    if config.image is None:
        data = resources.scene_file().read_bytes()
        path = resources.scene_file()
    else:
        path = Path(config.image)
        data = _checked(path, workloads)
    return Picture(path=str(path.resolve()), sha256=hashlib.sha256(data).hexdigest())


def _checked(path: Path, workloads: Mapping[str, Workload]) -> bytes:
    name = plain(path.name)
    try:
        data = _read(path)
        height, width = pictures.decode(data, "the file", gray=False).shape[:2]
    except (OSError, ValueError) as error:
        words = plain(" ".join(str(error).split()))
        raise UsageError(
            f"--image {name}: {words[:300]}", remedy="give a JPEG, PNG, BMP or PPM image"
        ) from None
    for workload in workloads.values():
        if workload.spec.preprocess is None:
            continue
        high, wide = workload.spec.preprocess.resize
        if height < high or width < wide:
            raise UsageError(
                f"--image {name} has {width} x {height} pixels, workload {workload.spec.name} "
                f"takes {wide} x {high}",
                remedy="give a larger image",
            )
    return data


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError("it is no file" if path.exists() else "it does not exist")
    if path.stat().st_size > _LARGEST_BYTE:
        raise ValueError(f"it is larger than {_LARGEST_BYTE >> 20} MiB")
    return path.read_bytes()
