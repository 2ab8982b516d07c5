"""Inputs of workloads whose images may not be passed on: crops of free photographs.

scikit-image bundles them; CIFAR-10's and ImageNet's own may not be passed on. The four photographs
are free: astronaut (NASA, public domain), chelsea (CC0, Stefan van der Walt), coffee (CC0, Rachel
Michetti) and rocket (SpaceX, public domain), as scikit-image's documentation of each states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from skimage import data

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE_PX = 32
SMALLEST_SHRINK_RATIO = 1.5
LARGEST_LEAST_PX = 224  # the smallest photograph has 300 rows: crops of one place are all alike
LEAST_CONTRAST = 15.0  # standard deviation of brightness in grey levels: leaves plain sky out


def crops(count: int, seed: int, side_px: int = SIDE_PX) -> NDArray[np.uint8]:
    """Draw square crops of random place and size and shrink them.

    Args:
        count: How many.
        seed: Of the draw; the same seed and library versions give the same crops.
        side_px: Of a crop when shrunk, at most 300.

    Returns:
        uint8, (count, side_px, side_px, 3), RGB.
    """
    pictures = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    generator = np.random.default_rng(seed)
    smallest = max(side_px, min(int(SMALLEST_SHRINK_RATIO * side_px), LARGEST_LEAST_PX))
    found: list[NDArray[np.uint8]] = []
    while len(found) < count:
        picture = pictures[generator.integers(len(pictures))]
        rows, columns = picture.shape[:2]
        side = int(generator.integers(smallest, min(rows, columns) + 1))
        top = int(generator.integers(rows - side + 1))
        left = int(generator.integers(columns - side + 1))
        square = Image.fromarray(picture[top : top + side, left : left + side])
        small = np.asarray(square.resize((side_px, side_px), Image.Resampling.BOX))
        if small.mean(axis=2).std() >= LEAST_CONTRAST:
            found.append(small)
    return np.stack(found)


def source(library_version: str) -> str:
    """Say where the crops come from, with each picture's licence."""
    return (
        f"crops of photographs bundled with scikit-image {library_version}: astronaut (NASA, "
        "public domain), chelsea (S. van der Walt, CC0), coffee (R. Michetti, CC0), rocket "
        "(SpaceX, public domain)"
    )
