"""From an SSD's two outputs to boxes: anchors, scores, and one box where several mean the same.

Source: Liu et al. 2016, "SSD: Single Shot MultiBox Detector", sections 2.1 and 2.2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.specs import BoxesSpec

_MOST_ANCHORS = 1 << 20
"""A hundred times what detectors have."""


class Boxes(NamedTuple):
    """The boxes found in one image, best first."""

    classes: NDArray[np.int64]
    """(k,), without background: 0 is the first label."""
    scores: NDArray[np.float32]
    """(k,), probabilities."""
    places: NDArray[np.float32]
    """(k, 4): top, left, bottom, right as shares of the image."""


def anchors(spec: BoxesSpec) -> NDArray[np.float32]:
    """Every anchor (n, 4) as centre y, centre x, height, width, in the order of the outputs.

    Raises:
        ModelRefusedError: The workload tells no sizes for some feature map, or what it tells makes
            no anchors.
    """
    if fault := _fault_of(spec):
        raise ModelRefusedError(f"postprocess.boxes has {fault}")
    found = []
    for (rows, columns), sizes in zip(spec.feature_maps, spec.sizes, strict=True):
        y, x = np.meshgrid(
            (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij"
        )
        centres = np.repeat(np.stack([y.ravel(), x.ravel()], axis=1), len(sizes), axis=0)
        sides = np.tile(np.asarray(sizes, np.float64).reshape(-1, 2), (rows * columns, 1))
        found.append(np.concatenate([centres, sides], axis=1))
    return np.concatenate(found).astype(np.float32)


def _fault_of(spec: BoxesSpec) -> str:
    """What anchors cannot be made of, before memory is taken for them; empty where nothing is."""
    if len(spec.sizes) != len(spec.feature_maps):
        return f"{len(spec.feature_maps)} feature maps and sizes of {len(spec.sizes)}"
    sides = [side for some in spec.sizes for pair in some for side in pair]
    whole = [count for two in spec.feature_maps for count in two]
    if not all(0 < one < math.inf for one in (*sides, *whole, *spec.variances)):
        return "feature maps, sizes or variances that are not above 0, or not finite"
    each = zip(spec.feature_maps, spec.sizes, strict=True)
    count = sum(rows * columns * len(some) for (rows, columns), some in each)
    return "" if 0 < count <= _MOST_ANCHORS else f"{count} anchors (1 to {_MOST_ANCHORS} are taken)"


class Decoder:
    """Decodes outputs; what the anchors are is worked out once.

    Args:
        spec: The workload's.

    Raises:
        ModelRefusedError: As `anchors`.
    """

    def __init__(self, spec: BoxesSpec) -> None:
        self._spec = spec
        self.anchors = anchors(spec)

    def __call__(self, offsets: NDArray[Any], scores: NDArray[Any]) -> list[Boxes]:
        """The boxes of each image.

        Args:
            offsets: (batch, anchors, 4): dy, dx, dh, dw, scaled by the variances.
            scores: (batch, anchors, 1 + classes): logits, background first.

        Raises:
            ModelRefusedError: The outputs are not those of a detector with these anchors.
        """
        wanted = (len(offsets), len(self.anchors))
        if offsets.shape != (*wanted, 4) or scores.shape[:-1] != wanted or scores.shape[-1] <= 1:
            raise ModelRefusedError(
                f"outputs of {offsets.shape} and {scores.shape} are no boxes and scores of "
                f"{len(self.anchors)} anchors: (n, {len(self.anchors)}, 4) and "
                f"(n, {len(self.anchors)}, 1 + classes)"
            )
        places = self.places(offsets.astype(np.float32))
        likely = softmax(scores.astype(np.float32))[..., 1:]
        return [self._best(*image) for image in zip(places, likely, strict=True)]

    def places(self, offsets: NDArray[np.float32]) -> NDArray[np.float32]:
        """Corners (..., 4) of the boxes that offsets (..., 4) mean, cut off at the image's edge."""
        of_centre, of_size = self._spec.variances
        anchor_centres, anchor_sides = self.anchors[:, :2], self.anchors[:, 2:]
        centres = anchor_centres + offsets[..., :2] * of_centre * anchor_sides
        with np.errstate(over="ignore", invalid="ignore"):  # wrong models have wild offsets
            half = anchor_sides * np.exp(offsets[..., 2:] * of_size) / 2
            corners = np.concatenate([centres - half, centres + half], axis=-1)
        return np.asarray(np.clip(np.nan_to_num(corners), 0.0, 1.0), np.float32)

    def _best(self, places: NDArray[np.float32], likely: NDArray[np.float32]) -> Boxes:
        """Of one image: places (anchors, 4) and probabilities (anchors, classes)."""
        which, classes = np.nonzero(likely >= self._spec.min_score)
        order = np.argsort(-likely[which, classes], kind="stable")
        which, classes = which[order], classes[order]
        kept = suppress(places[which], classes, self._spec.max_overlap, self._spec.max_boxes)
        which, classes = which[kept], classes[kept]
        return Boxes(classes.astype(np.int64), likely[which, classes], places[which])


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities along the last axis."""
    values = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(values / values.sum(axis=-1, keepdims=True))


def _areas(places: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((places[..., 2:] - places[..., :2]).prod(axis=-1))


def overlaps(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of boxes (..., 4) and (..., 4), which broadcast; 0 for empty ones."""
    sides = np.minimum(some[..., 2:], others[..., 2:]) - np.maximum(some[..., :2], others[..., :2])
    common = np.maximum(sides, 0.0).prod(axis=-1)
    union = _areas(some) + _areas(others) - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common), where=union > 0))


def suppress(
    places: NDArray[np.float32], classes: NDArray[np.int64], max_overlap: float, most: int
) -> NDArray[np.int64]:
    """Which boxes stay, best first: of two of a class that overlap more, the better one.

    Each box that stays is held against all that are left at once, so the work is at most ``most``
    passes over them, however many there are.

    Args:
        places: (n, 4), best first.
        classes: (n,).
        max_overlap: Intersection over union.
        most: So many stay at most.
    """
    left = np.arange(len(places))
    kept: list[int] = []
    while len(left) and len(kept) < most:
        best, left = left[0], left[1:]
        kept.append(best)
        twins = (classes[left] == classes[best]) & (
            overlaps(places[best], places[left]) > max_overlap
        )
        left = left[~twins]
    return np.asarray(kept, np.int64)
