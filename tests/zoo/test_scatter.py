"""Scenes are what their labels say, the same from the same seed, and never of held-out digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgebench.errors import UsageError
from edgebench.zoo.splits import image_names

pytest.importorskip("PIL", reason="needs pillow, which the device extra brings")

from edgebench.zoo.scatter import Layout, Scenes, must_be_held_out, scatter

LABELS = np.arange(10, dtype=np.uint8)


def drawn_digits() -> NDArray[np.uint8]:
    """Ten blots of different form: a ring, strokes, faint ink, a dot."""
    digits = np.zeros((10, 28, 28, 1), np.uint8)
    for label in range(10):
        digits[label, 4 : 24 - label, 10 : 13 + label] = 255 - 20 * label
        digits[label, 8:12, 11 : 12 + label // 2] = 0
        digits[label, 20, 4 + label] = 90
    return digits


def backdrops(side: int) -> list[NDArray[np.uint8]]:
    noise = np.random.default_rng(5)
    shapes = [(side, side, 3), (side + 9, 4 * side, 3)]
    return [noise.integers(0, 256, shape).astype(np.uint8) for shape in shapes]


layouts = st.builds(
    lambda side, digits, heights: Layout(
        side_px=side, digits=(min(digits), max(digits)), height_px=(min(heights), max(heights))
    ),
    st.integers(24, 70),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(6, 24), st.integers(6, 24)),
)
seeds = st.integers(0, 2**32)


def made(layout: Layout, seed: int, count: int = 3) -> Scenes:
    return scatter(count, drawn_digits(), LABELS, backdrops(layout.side_px), layout, seed)


@given(layouts, seeds)
@settings(max_examples=60, deadline=None)
def test_a_box_is_the_edge_of_its_digits_mask(layout: Layout, seed: int) -> None:
    scenes = made(layout, seed)
    for boxes, classes, mask in zip(scenes.boxes, scenes.classes, scenes.masks, strict=True):
        unexplained = mask.copy()
        for box, label in zip(boxes[classes >= 0], classes[classes >= 0], strict=True):
            top, left, bottom, right = np.rint(box * layout.side_px).astype(int)
            assert 0 <= top < bottom <= layout.side_px
            assert 0 <= left < right <= layout.side_px
            ink = mask[top:bottom, left:right] == 1 + label
            edges = (ink[0], ink[-1], ink[:, 0], ink[:, -1])
            assert all(edge.any() for edge in edges)
            # No other digit's ink reaches into the box.
            assert set(np.unique(mask[top:bottom, left:right])) <= {0, 1 + label}
            unexplained[top:bottom, left:right] = 0
        assert not unexplained.any()
        assert (classes >= 0).any()
        assert not boxes[classes < 0].any()


@given(layouts, seeds)
@settings(max_examples=20, deadline=None)
def test_labels_and_origins_agree_and_a_seed_decides_all(layout: Layout, seed: int) -> None:
    first, again, other = made(layout, seed), made(layout, seed), made(layout, seed + 1)
    there = first.classes >= 0
    assert np.array_equal(there, first.used >= 0)
    assert np.array_equal(LABELS[first.used[there]], first.classes[there])
    for name in ("images", "boxes", "classes", "masks", "used"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.images, other.images)
    assert first.inputs().min() >= 0.0
    assert first.inputs().max() <= 1.0


def test_ink_stands_out_from_what_it_covers() -> None:
    layout = Layout(side_px=48, digits=(1, 3), height_px=(16, 30))
    grey = [np.full((96, 96, 3), 120, np.uint8)]
    scenes = scatter(20, drawn_digits(), LABELS, grey, layout, 1)
    luma = scenes.images @ np.array([0.299, 0.587, 0.114])
    for values, mask in zip(luma, scenes.masks, strict=True):
        assert np.abs(values[mask > 0] - 120).mean() > 40
        far = np.abs(values[mask == 0] - 120)
        assert np.median(far) < 1


def test_a_held_out_digit_among_those_to_train_on_stops_the_build() -> None:
    digits = drawn_digits()
    held_out = image_names(digits[:3])
    must_be_held_out(digits[3:], held_out)
    with pytest.raises(UsageError, match="1 shipped digits are among those to train on"):
        must_be_held_out(digits[2:], held_out)
