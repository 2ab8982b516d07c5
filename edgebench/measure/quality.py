"""How good a detector's boxes and a segmenter's masks are, over labelled samples; no clock.

Boxes are judged by the mean over classes of the average precision at an overlap of one half: the
whole area under the interpolated precision-recall curve, as PASCAL VOC has it since 2010
(Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge", section 4.2).
Masks are judged by the mean over classes of intersection over union, all pixels of the set taken
together (Long et al. 2015, "Fully Convolutional Networks for Semantic Segmentation", section 5).
Both means are over the classes that occur in the labels, so every model has the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench import arrays
from edgebench.errors import ModelRefusedError
from edgebench.measure import answers, passes
from edgebench.measure.boxes import Boxes, overlaps
from edgebench.measure.masks import masks
from edgebench.protocols import Feeds, Session
from edgebench.records import Parity, Quality, Task
from edgebench.wire import LaunchRequest

MIN_OVERLAP = 0.5
"""Intersection over union from which a box is where the thing is."""
_CHUNK_SAMPLES = 500
_CHUNK_BYTE = 16 << 20
"""As of `accuracy.measure`."""
_CORNERS = 4

Outputs = answers.Outputs
Arrays = Sequence[NDArray[Any]]


class Truth(NamedTuple):
    """What is in one image."""

    classes: NDArray[np.int64]
    """(m,)."""
    places: NDArray[np.float32]
    """(m, 4): top, left, bottom, right as shares of the image."""


class Judge(Protocol):
    """Collects answers chunk by chunk."""

    truth: Mapping[str, int]
    """Arrays of the labelled samples, and their dimensions."""

    def add(self, outputs: Outputs, *truth: NDArray[Any]) -> None:
        """Judge the outputs (n, ...) for n images against what is in them."""

    def ratio(self) -> float:
        """The figure over all that was added."""


def measure(
    session: Session, request: LaunchRequest, path: Path, alive: Callable[[], None]
) -> Quality:
    """The task's figure over a file of labelled samples, a chunk at a time.

    As `accuracy.measure`: chunks are whole batches, the last batch is filled up.

    Args:
        session: Open.
        request: Its task, batch, layout and normalisation.
        path: The samples.
        alive: Called after each chunk.

    Raises:
        ModelRefusedError: Outputs are not what the task needs, or labels are none of its classes.
    """
    batch, detects = request.case.batch, request.task == "detection"
    judge: Judge = _Detections(request, session) if detects else _Pixels(request, session)
    image_byte = 4 * math.prod(arrays.labelled_shape(path)[1:])
    fitting = min(_CHUNK_SAMPLES, _CHUNK_BYTE // max(1, image_byte))
    samples = 0
    rows = arrays.sample_rows(path, judge.truth, max(batch, fitting - fitting % batch))
    for pixels, *truth in rows:
        images = passes.as_input(pixels, request)
        feeds = passes.feeds(session, images, request.model_layout, batch)
        for first, feed in zip(range(0, len(pixels), batch), feeds, strict=True):
            some = slice(first, min(first + batch, len(pixels)))
            outputs = _outputs(session, feed, some.stop - first)
            judge.add(outputs, *(one[some] for one in truth))
        samples += len(pixels)
        alive()
    return Quality(
        metric="map50" if detects else "miou",
        samples=samples,
        ratio=judge.ratio(),
        source=request.samples_source,
    )


def _outputs(session: Session, feed: Feeds, samples: int) -> Outputs:
    session.bind([feed])
    session.stage(0)
    session.invoke()
    return {name: output[:samples] for name, output in session.read().items()}


def parity(task: Task, outputs: Arrays, reference: Arrays) -> Parity:
    """As `passes.compare`; what a segmenter answers are its pixels, so theirs is the agreement.

    Args:
        task: Of the workload.
        outputs: Each (n, ...) in the order and layout of the reference's.
        reference: The right ones.
    """
    found = passes.compare(outputs, reference)
    if task != "segmentation":
        return found
    ours, theirs = (masks(one[0], channels_first=False) for one in (outputs, reference))
    return msgspec.structs.replace(found, top1_ratio=float((ours == theirs).mean()))


class _Detections:
    """Boxes found, and those that are there."""

    truth: Mapping[str, int] = MappingProxyType({"boxes": 3, "classes": 2})

    def __init__(self, request: LaunchRequest, session: Session) -> None:
        self._detect = answers.detector(request, session)
        self._classes = len(request.labels)
        self._found: list[Boxes] = []
        self._truth: list[Truth] = []

    def add(self, outputs: Outputs, *truth: NDArray[Any]) -> None:
        """See `Judge`."""
        boxes, labels = truth
        if boxes.shape[1:] != (labels.shape[1], _CORNERS):
            raise ModelRefusedError(
                f"the labelled samples have boxes {boxes.shape[1:]} and classes {labels.shape[1:]}"
            )
        if labels.max(initial=-1) >= self._classes:
            raise ModelRefusedError(
                f"a labelled box has class {labels.max()}, the workload {self._classes} classes"
            )
        self._found += self._detect(outputs)
        for places, classes in zip(boxes, labels, strict=True):
            there = classes >= 0
            self._truth.append(Truth(classes[there], places[there].astype(np.float32)))

    def ratio(self) -> float:
        """See `Judge`."""
        return mean_average_precision(self._found, self._truth)


class _Pixels:
    """How many pixels of each class were taken for each class."""

    truth: Mapping[str, int] = MappingProxyType({"masks": 3})

    def __init__(self, request: LaunchRequest, session: Session) -> None:
        self._segment = answers.segmenter(request, session)
        self._classes = len(request.labels)
        self._pixels = np.zeros((self._classes, self._classes), np.int64)

    def add(self, outputs: Outputs, *truth: NDArray[Any]) -> None:
        """See `Judge`."""
        found, (right,) = self._segment(outputs), truth
        if found.shape != right.shape:
            raise ModelRefusedError(
                f"the labelled masks are {right.shape[1:]}, the model's {found.shape[1:]}"
            )
        self._pixels += confusion(found, right, self._classes)

    def ratio(self) -> float:
        """See `Judge`."""
        return mean_iou(self._pixels)


def mean_average_precision(found: Sequence[Boxes], truth: Sequence[Truth]) -> float:
    """Mean over the classes that occur of the average precision, from 0 to 1.

    A box is right where, of the things of its class, the one that it overlaps most is overlapped
    by at least `MIN_OVERLAP` and was not found by a better box: a second box for one thing is as
    wrong as one for none. Boxes of one score enter the curve together, so that no order among them
    matters.

    Args:
        found: Of each image.
        truth: Of each image.

    Raises:
        ModelRefusedError: There is nothing in any image: no figure means anything.
    """
    occurring = sorted({int(label) for one in truth for label in one.classes})
    if not occurring:
        raise ModelRefusedError("the labelled samples hold no boxes: nothing can be judged")
    return float(np.mean([_average_precision(found, truth, each) for each in occurring]))


def _average_precision(found: Sequence[Boxes], truth: Sequence[Truth], label: int) -> float:
    """The area under one class's curve."""
    scores, hits, things = [], [], 0
    for mine, there in zip(found, truth, strict=True):
        places = there.places[there.classes == label]
        things += len(places)
        of_class = np.flatnonzero(mine.classes == label)
        best_first = of_class[np.argsort(-mine.scores[of_class], kind="stable")]
        scores.append(mine.scores[best_first])
        hits.append(_hits(mine.places[best_first], places))
    return _area(np.concatenate(scores), np.concatenate(hits), things)


def _hits(found: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the boxes (k, 4) of a class, best first, are right about its things (m, 4)."""
    hits = np.zeros(len(found), np.bool_)
    if not len(places):
        return hits
    places = places[np.lexsort(places.T)]  # of things overlapped alike one is taken by its place
    overlap = overlaps(found[:, np.newaxis], places)
    near = np.flatnonzero(overlap.max(axis=1) >= MIN_OVERLAP)
    _, first = np.unique(overlap[near].argmax(axis=1), return_index=True)
    hits[near[first]] = True
    return hits


def _area(scores: NDArray[np.float32], hits: NDArray[np.bool_], things: int) -> float:
    """The area under the precision-recall curve, once it only falls.

    A precision of it is the best that is reached at that recall or beyond it.
    """
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], np.cumsum(hits[order])
    # A point a distinct score: after the last box that has it.
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], len(scores) > 0))
    precision, recall = right[ends] / (ends + 1), right[ends] / things
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best))


def confusion(
    found: NDArray[np.int64], right: NDArray[np.integer[Any]], classes: int
) -> NDArray[np.int64]:
    """Pixels by true class (rows) and found class (columns), shape (classes, classes).

    Raises:
        ModelRefusedError: A class that the workload does not name.
    """
    largest = max(int(found.max(initial=0)), int(right.max(initial=0)))
    if largest >= classes:
        raise ModelRefusedError(f"a mask has class {largest}, the workload {classes} classes")
    pairs = right.astype(np.int64) * classes + found
    return np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)


def mean_iou(pixels: NDArray[np.int64]) -> float:
    """Mean over the classes that occur of intersection over union, from 0 to 1.

    Args:
        pixels: As `confusion` gives it, over the whole set.

    Raises:
        ModelRefusedError: There is not one pixel.
    """
    occurring = pixels.sum(axis=1) > 0
    if not occurring.any():
        raise ModelRefusedError("the labelled samples hold no pixels: nothing can be judged")
    common = pixels.diagonal()
    union = pixels.sum(axis=0) + pixels.sum(axis=1) - common
    return float(np.mean(common[occurring] / union[occurring]))
