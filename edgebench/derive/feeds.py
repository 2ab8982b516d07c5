"""What a model is calibrated on, as it takes it: one sample at a time, since many are large.

The file is an ``.npz`` with ``images`` (n, h, w, c) uint8, which are normalised here; of a model
that takes something else, or several inputs, ``inputs``, ``inputs_1`` ... (n, ...) as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgebench.derive.contract import Job
from edgebench.errors import ModelRefusedError, UsageError
from edgebench.specs import InputSpec

IMAGES, INPUTS = "images", "inputs"


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file, in the order of the inputs.

    Raises:
        UsageError: It holds neither images nor inputs, or not as many of each.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = [IMAGES]
            if IMAGES not in archive:
                more = (f"{INPUTS}_{place}" for place in range(1, len(archive.files)))
                names = [INPUTS, *(name for name in more if name in archive)]
            found = {name: archive[name] for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path} holds no calibration images: {error}") from None
    if len({len(one) if one.ndim else 0 for one in found.values()}) != 1:
        raise UsageError(f"{path} holds another number of samples for each input")
    return found


class Feeds:
    """The calibration samples of a job.

    Args:
        job: With ``calibration``.

    Raises:
        ModelRefusedError: There are none, or they are not the model's.
    """

    def __init__(self, job: Job) -> None:
        if job.calibration is None:
            raise ModelRefusedError(f"{job.precision} needs calibration images, and there are none")
        self._job = job
        arrays = read(Path(job.calibration))
        self._raw = IMAGES in arrays
        if len(arrays) != len(job.inputs):
            raise ModelRefusedError(
                f"the calibration samples are for {len(arrays)} inputs, the model has "
                f"{len(job.inputs)}"
            )
        self._arrays = dict(zip((one.name for one in job.inputs), arrays.values(), strict=True))
        for one in job.inputs:
            shape = self._arrays[one.name].shape
            if shape[1:] != one.shape or not shape[0]:
                raise ModelRefusedError(f"the calibration images are {shape}, not {one.shape}")

    def __len__(self) -> int:
        """Number of samples."""
        return len(next(iter(self._arrays.values())))

    def __iter__(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Each sample, a batch of one."""
        for place in range(len(self)):
            yield self.rows(place, 1)

    def rows(self, start: int, count: int) -> dict[str, NDArray[Any]]:
        """Some of them as a batch by the source's names, in its order of axes.

        Raises:
            ModelRefusedError: Several are asked for, and an input takes one.
        """
        if self._job.alone and count > 1:
            raise ModelRefusedError(f"{', '.join(self._job.alone)} takes no batch")
        return {one.name: self._ready(one, start, count) for one in self._job.inputs}

    def _ready(self, one: InputSpec, start: int, count: int) -> NDArray[Any]:
        array = self._arrays[one.name][start : start + count]
        if self._raw and self._job.std:
            centred = array.astype(np.float32) - np.asarray(self._job.mean, np.float32)
            array = centred / np.asarray(self._job.std, np.float32)
        if one.name in self._job.images:
            array = np.moveaxis(array, -1, 1)
        if one.name in self._job.alone:
            (array,) = array
        return np.ascontiguousarray(array, one.dtype)
