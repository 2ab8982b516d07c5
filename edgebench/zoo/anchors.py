"""The boxes that a detector starts from, and what it has to learn of labelled scenes by them.

Source: Liu et al. 2016, "SSD: Single Shot MultiBox Detector", sections 2.1 and 2.2. Boxes here are
top, left, bottom, right, anchors the centre (y, x), height, width; all as shares of the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgebench.specs import BoxesSpec

LEAST_OVERLAP = 0.5
"""Of an anchor and a box that it is to find, intersection over union."""
_BACKGROUND = 0


def anchors(boxes: BoxesSpec) -> NDArray[np.float64]:
    """Every anchor: map by map, row by row, column by column, then in the order of sizes.

    Args:
        boxes: How the detector's outputs become boxes.

    Returns:
        float64, (anchors, 4).
    """
    found: list[tuple[float, float, float, float]] = []
    for (rows, columns), sizes in zip(boxes.feature_maps, boxes.sizes, strict=True):
        for row in range(rows):
            for column in range(columns):
                centre = (row + 0.5) / rows, (column + 0.5) / columns
                found += [(*centre, height, width) for height, width in sizes]
    return np.array(found)


def overlaps(anchors: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every anchor with every box.

    Args:
        anchors: (a, 4).
        boxes: (b, 4).

    Returns:
        (a, b), from 0 to 1.
    """
    half = anchors[:, 2:] / 2
    low = np.maximum((anchors[:, :2] - half)[:, np.newaxis], boxes[:, :2])
    high = np.minimum((anchors[:, :2] + half)[:, np.newaxis], boxes[:, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    sizes = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    areas: NDArray[np.float64] = anchors[:, 2:].prod(axis=1)[:, np.newaxis] + sizes - shared
    shares: NDArray[np.float64] = np.divide(shared, areas)
    return shares


def encode(
    anchors: NDArray[np.float64], boxes: NDArray[np.float64], variances: tuple[float, float]
) -> NDArray[np.float64]:
    """What the detector would have to say of each anchor to give the box beside it.

    Args:
        anchors: (a, 4).
        boxes: (a, 4), none of them empty.
        variances: Scale of the offsets: of centres, and of the logarithm of sizes.

    Returns:
        (a, 4): dy, dx, dh, dw.
    """
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    moved: NDArray[np.float64] = (centres - anchors[:, :2]) / anchors[:, 2:] / variances[0]
    grown = np.log(sizes / anchors[:, 2:]) / variances[1]
    return np.concatenate([moved, grown], axis=1)


def targets(
    anchors: NDArray[np.float64],
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
    variances: tuple[float, float],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """What every anchor is to say of one scene.

    An anchor has the box that it overlaps most, where that is at least `LEAST_OVERLAP`; each box
    also has the anchor that overlaps it most, so that none is missed.

    Args:
        anchors: (a, 4).
        boxes: (m, 4) of the scene.
        classes: (m,), -1 where there is no box.
        variances: As in `encode`.

    Returns:
        Offsets, float32 (a, 4), 0 where there is nothing to find; classes, int32 (a,), 0 for
        background, else 1 + the box's class.
    """
    offsets = np.zeros((len(anchors), 4), np.float32)
    wanted = np.full(len(anchors), _BACKGROUND, np.int32)
    there = classes >= 0
    if not there.any():
        return offsets, wanted
    real, kinds = boxes[there].astype(np.float64), classes[there]
    shared = overlaps(anchors, real)
    best = shared.argmax(axis=1)
    found = shared.max(axis=1) >= LEAST_OVERLAP
    own = shared.argmax(axis=0)
    best[own], found[own] = np.arange(len(real)), True
    offsets[found] = encode(anchors[found], real[best[found]], variances)
    wanted[found] = 1 + kinds[best[found]]
    return offsets, wanted
