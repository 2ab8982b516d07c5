"""How good a detector's or a segmenter's outputs are: plain, and by a code that no device runs.

Boxes: mean over classes of the average precision at an overlap of one half, the whole area under
the interpolated curve (Everingham et al. 2010, PASCAL VOC, section 4.2). Masks: mean over classes
of intersection over union, all pixels together (Long et al. 2015, section 5). Both over the classes
that occur in the labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgebench.zoo.anchors import anchors, overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgebench.specs import BoxesSpec

_LEAST_OVERLAP = 0.5


class Box(NamedTuple):
    """A box that was found."""

    score: float
    image: int
    edges: tuple[float, float, float, float]
    """Top, left, bottom, right as shares of the image."""


def map50(
    spec: BoxesSpec,
    outputs: tuple[NDArray[np.float32], NDArray[np.float32]],
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
) -> float:
    """Mean average precision at an overlap of one half.

    Args:
        spec: How outputs become boxes.
        outputs: Offsets (n, anchors, 4) and logits (n, anchors, 1 + classes).
        boxes: What is there, (n, m, 4).
        classes: (n, m), -1 where there is no box.

    Returns:
        From 0 to 1.
    """
    occurring = np.unique(classes[classes >= 0]).tolist()
    found: dict[int, list[Box]] = {label: [] for label in occurring}
    for image, (offsets, logits) in enumerate(zip(*outputs, strict=True)):
        for label, some in decoded(spec, offsets, logits, image).items():
            if label in found:
                found[label] += some
    truth = [
        [row[kinds == label] for row, kinds in zip(boxes, classes, strict=True)]
        for label in occurring
    ]
    precisions = [
        _average_precision(found[label], there)
        for label, there in zip(occurring, truth, strict=True)
    ]
    return float(np.mean(precisions))


def decoded(
    spec: BoxesSpec, offsets: NDArray[np.float32], logits: NDArray[np.float32], image: int
) -> dict[int, list[Box]]:
    """The boxes of one image by class, the best of those that overlap, ``max_boxes`` at most.

    Args:
        spec: How outputs become boxes.
        offsets: (anchors, 4).
        logits: (anchors, 1 + classes).
        image: Its number.
    """
    start, wide = anchors(spec), offsets.astype(np.float64)
    centres = start[:, :2] + wide[:, :2] * spec.variances[0] * start[:, 2:]
    half = start[:, 2:] * np.exp(wide[:, 2:] * spec.variances[1]) / 2
    edges = np.clip(np.concatenate([centres - half, centres + half], axis=1), 0.0, 1.0)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = raised / raised.sum(axis=1, keepdims=True)
    kept: list[tuple[float, int, int]] = []
    which, labels = np.nonzero(shares[:, 1:] >= spec.min_score)
    scores = shares[which, 1 + labels]
    for place in np.argsort(-scores, kind="stable").tolist():
        anchor, label = int(which[place]), int(labels[place])
        rivals = [one for _, one, theirs in kept if theirs == label]
        if len(kept) < spec.max_boxes and all(
            _overlap(edges[anchor], edges[rival]) <= spec.max_overlap for rival in rivals
        ):
            kept.append((float(scores[place]), anchor, label))
    found: dict[int, list[Box]] = {}
    for score, anchor, label in kept:
        top, left, bottom, right = edges[anchor].tolist()
        found.setdefault(label, []).append(Box(score, image, (top, left, bottom, right)))
    return found


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    centre, size = (one[:2] + one[2:]) / 2, one[2:] - one[:2]
    if not size.all():
        return 0.0
    return float(overlaps(np.concatenate([centre, size])[np.newaxis], other[np.newaxis])[0, 0])


def _average_precision(found: Sequence[Box], truth: Sequence[NDArray[np.float32]]) -> float:
    """The area under the curve of one class; ``truth`` are its boxes by image."""
    taken = [np.zeros(len(there), bool) for there in truth]
    hits: list[bool] = []
    ranked = sorted(found, key=lambda box: -box.score)
    for box in ranked:
        there = truth[box.image].astype(np.float64)
        shares = [_overlap(np.array(box.edges), one) for one in there]
        best = int(np.argmax(shares)) if shares else -1
        hit = best >= 0 and shares[best] >= _LEAST_OVERLAP and not taken[box.image][best]
        if hit:
            taken[box.image][best] = True
        hits.append(hit)
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    reached = right / sum(map(len, truth))
    # Each precision is the best that is reached at that recall or beyond it.
    best_beyond = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(reached, prepend=0.0) * best_beyond))


def miou(logits: NDArray[np.float32], masks: NDArray[np.uint8]) -> float:
    """Mean intersection over union.

    Args:
        logits: (n, h, w, classes).
        masks: What is there, (n, h, w).

    Returns:
        From 0 to 1.
    """
    found = logits.argmax(axis=-1)
    shares = []
    for label in np.unique(masks):
        mine, theirs = found == label, masks == label
        shares.append(np.count_nonzero(mine & theirs) / np.count_nonzero(mine | theirs))
    return float(np.mean(shares))
