"""Every box has an anchor that is to find it, and what it is to say decodes to that box."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgebench.measure.boxes import Decoder
from edgebench.measure.boxes import anchors as of_the_device
from edgebench.measure.quality import Truth, mean_average_precision
from edgebench.specs import BoxesSpec
from edgebench.zoo.anchors import LEAST_OVERLAP, anchors, overlaps, targets

SPEC = BoxesSpec(
    feature_maps=((6, 6), (3, 2)),
    sizes=(((0.2, 0.15), (0.2, 0.08)), ((0.5, 0.4),)),
)
START = anchors(SPEC)

edges = st.tuples(
    st.floats(0.0, 0.7), st.floats(0.0, 0.7), st.floats(0.05, 0.3), st.floats(0.05, 0.3)
)
things = st.lists(st.tuples(edges, st.integers(0, 3)), min_size=1, max_size=4)


def scene(
    found: list[tuple[tuple[float, ...], int]],
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (m + 1, 4) and classes, the last of which is no box."""
    boxes = [(top, left, top + height, left + width) for (top, left, height, width), _ in found]
    classes = [label for _, label in found]
    return np.array([*boxes, (0,) * 4], np.float32), np.array([*classes, -1], np.int64)


def test_anchors_are_those_that_a_device_decodes_with() -> None:
    assert START.shape == (78, 4)
    assert np.allclose(START, of_the_device(SPEC), atol=1e-7)


@given(things)
@settings(max_examples=100, deadline=None)
def test_each_box_has_an_anchor_and_each_anchor_its_best_box(
    found: list[tuple[tuple[float, ...], int]],
) -> None:
    boxes, classes = scene(found)
    offsets, wanted = targets(START, boxes, classes, SPEC.variances)
    shared = overlaps(START, boxes[:-1].astype(np.float64))
    assert (wanted[shared.max(axis=1) >= LEAST_OVERLAP] > 0).all()
    # Beyond those, at most one anchor a box: the one that overlaps it most.
    forced = (wanted > 0) & (shared.max(axis=1) < LEAST_OVERLAP)
    assert forced.sum() <= len(found)
    assert not offsets[wanted == 0].any()
    assert set(wanted[wanted > 0] - 1) <= set(classes[:-1])
    places = Decoder(SPEC).places(offsets)[wanted > 0]
    apart = np.abs(places[:, np.newaxis] - boxes[:-1]).max(axis=2)
    assert (apart.min(axis=1) < 1e-4).all()


def test_a_detector_that_says_what_it_is_to_say_is_perfect() -> None:
    boxes, classes = scene([((0.1, 0.1, 0.2, 0.1), 0), ((0.5, 0.6, 0.3, 0.25), 3)])
    offsets, wanted = targets(START, boxes, classes, SPEC.variances)
    logits = (20.0 * np.eye(5)[wanted]).astype(np.float32)
    truth = [Truth(classes[:-1], boxes[:-1])]
    found = Decoder(SPEC)(offsets[np.newaxis], logits[np.newaxis])
    assert mean_average_precision(found, truth) == 1.0
    swapped = Decoder(SPEC)(offsets[np.newaxis], np.roll(logits, 1, axis=1)[np.newaxis])
    assert mean_average_precision(swapped, truth) == 0.0


def test_a_scene_without_boxes_is_background() -> None:
    none = np.zeros((2, 4), np.float32), np.full(2, -1, np.int64)
    offsets, wanted = targets(START, *none, SPEC.variances)
    assert not offsets.any()
    assert not wanted.any()
