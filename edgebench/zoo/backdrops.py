"""Photographs that digits are scattered over: some to train on, others for what is judged.

All are bundled with scikit-image and free to be passed on, as its documentation of each states.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRAINING = ("astronaut", "coffee", "rocket", "brick", "grass", "gravel")
HELD_OUT = ("chelsea", "camera")
_RIGHTS = {
    "astronaut": "NASA, public domain",
    "coffee": "R. Michetti, CC0",
    "rocket": "SpaceX, public domain",
    "brick": "CC0Textures, CC0",
    "grass": "CC0",
    "gravel": "CC0Textures, CC0",
    "chelsea": "S. van der Walt, CC0",
    "camera": "L. Varshney, CC0",
}
_RGB_RANK = 3


def photographs(names: tuple[str, ...]) -> tuple[NDArray[np.uint8], ...]:
    """Load photographs by name.

    Args:
        names: `TRAINING` or `HELD_OUT`.

    Returns:
        uint8, (height, width, 3) each, RGB; grey ones have three equal channels.
    """
    # Imported here: scikit-image is of the build extra.
    from skimage import data  # noqa: PLC0415

    found: list[NDArray[np.uint8]] = []
    for name in names:
        picture = np.asarray(getattr(data, name)(), dtype=np.uint8)
        rgb = picture if picture.ndim == _RGB_RANK else np.stack([picture] * 3, axis=2)
        found.append(rgb)
    return tuple(found)


def source(names: tuple[str, ...]) -> str:
    """Say where photographs come from, with the package's version and each one's rights."""
    told = ", ".join(f"{name} ({_RIGHTS[name]})" for name in names)
    return f"photographs of scikit-image {version('scikit-image')}: {told}"
