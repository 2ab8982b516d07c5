"""mAP and mIoU: against paper, against a slow second way, and under what must change nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.measure import quality
from edgebench.measure.boxes import Boxes
from edgebench.measure.quality import Truth, mean_average_precision, mean_iou

GRID = 8
Box = tuple[int, int, int, int]
Found = tuple[int, int, Box]
"""Class, score in eighths, place."""
Thing = tuple[int, Box]
Scene = tuple[list[Found], list[Thing]]


@st.composite
def grid_boxes(draw: st.DrawFn) -> Box:
    top, left = draw(st.integers(0, GRID - 2)), draw(st.integers(0, GRID - 2))
    return top, left, draw(st.integers(top + 1, GRID)), draw(st.integers(left + 1, GRID))


LABEL = st.integers(0, 2)
SCENES = st.lists(
    st.tuples(
        st.lists(st.tuples(LABEL, st.integers(1, 8), grid_boxes()), max_size=6),
        st.lists(st.tuples(LABEL, grid_boxes()), max_size=4),
    ),
    min_size=1,
    max_size=4,
).filter(lambda scenes: any(things for _, things in scenes))


def shares(places: Sequence[Box]) -> NDArray[np.float32]:
    return np.array(places, np.float32).reshape(-1, 4) / np.float32(GRID)


def as_arrays(scenes: Sequence[Scene]) -> tuple[list[Boxes], list[Truth]]:
    found, truth = [], []
    for boxes, things in scenes:
        scores = np.array([score for _, score, _ in boxes], np.float32) / np.float32(8)
        labels = np.array([label for label, _, _ in boxes], np.int64)
        found.append(Boxes(labels, scores, shares([place for *_, place in boxes])))
        there = np.array([label for label, _ in things], np.int64)
        truth.append(Truth(there, shares([place for _, place in things])))
    return found, truth


def judged(scenes: Sequence[Scene]) -> float:
    return mean_average_precision(*as_arrays(scenes))


def overlap(a: Box, b: Box) -> Fraction:
    one, two = (
        {(y, x) for y in range(top, bottom) for x in range(left, right)}
        for top, left, bottom, right in (a, b)
    )
    return Fraction(len(one & two), len(one | two))


def right_ones(boxes: Sequence[tuple[int, Box]], things: Sequence[Box]) -> int:
    """How many things of one scene boxes ``(score, place)`` of one class claim."""
    claimed = set()
    for _, place in boxes:
        # Of things overlapped alike that which ends first from the right, then from below ...
        best = max(things, key=lambda thing: (overlap(place, thing), [-x for x in thing[::-1]]))
        if overlap(place, best) >= Fraction(1, 2):
            claimed.add(best)
    return len(claimed)


def slow(scenes: Sequence[Scene]) -> float:
    """Mean average precision from its definition, threshold by threshold, in fractions.

    The area under a curve that falls is the mean, over every share of the things that can be
    found, of the best precision at that recall or beyond it.
    """
    areas = []
    for label in sorted({label for _, things in scenes for label, _ in things}):
        points = []
        count = sum(label == one for _, things in scenes for one, _ in things)
        for least in range(1, 9):
            shown = hits = 0
            for boxes, things in scenes:
                mine = [(s, place) for one, s, place in boxes if one == label and s >= least]
                there = [place for one, place in things if one == label]
                shown += len(mine)
                hits += right_ones(mine, there) if there else 0
            if shown:
                points.append((hits, Fraction(hits, shown)))
        best = [
            max((p for hits, p in points if hits >= k), default=Fraction(0))
            for k in range(1, count + 1)
        ]
        areas.append(sum(best, Fraction(0)) / count)
    return float(sum(areas, Fraction(0)) / len(areas))


@given(SCENES)
def test_map_is_that_of_a_slow_implementation(scenes: list[Scene]) -> None:
    assert judged(scenes) == pytest.approx(slow(scenes), abs=1e-6)


@given(SCENES, st.randoms(use_true_random=False))
def test_no_order_of_boxes_things_or_scenes_matters(
    scenes: list[Scene], dice: random.Random
) -> None:
    mixed = [(dice.sample(b, len(b)), dice.sample(t, len(t))) for b, t in scenes]
    assert judged(dice.sample(mixed, len(mixed))) == pytest.approx(judged(scenes), abs=1e-12)


@given(SCENES)
def test_doubling_every_box_never_gains_and_truth_itself_is_perfect(scenes: list[Scene]) -> None:
    doubled = [(boxes + boxes, things) for boxes, things in scenes]
    assert judged(doubled) <= judged(scenes) + 1e-12
    apart = [list(dict.fromkeys(things)) for _, things in scenes]
    perfect = [([(label, 8, place) for label, place in things], things) for things in apart]
    assert judged(perfect) == 1.0


@given(SCENES)
def test_scenes_with_nothing_in_them_and_nothing_found_change_nothing(scenes: list[Scene]) -> None:
    assert judged([([], []), *scenes, ([], [])]) == judged(scenes)


LEFT, RIGHT, WHOLE = (0, 0, 8, 4), (0, 4, 8, 8), (0, 0, 8, 8)


@pytest.mark.parametrize(
    ("scenes", "expected"),
    [
        # Found, then something that is not there: the curve had reached its end before.
        ([([(0, 8, LEFT), (0, 4, RIGHT)], [(0, LEFT)])], 1.0),
        # The other way round: one of two boxes is right where all is found.
        ([([(0, 4, LEFT), (0, 8, RIGHT)], [(0, LEFT)])], 1 / 2),
        # Both at once are one point of the curve.
        ([([(0, 8, LEFT), (0, 8, RIGHT)], [(0, LEFT)])], 1 / 2),
        # A second box for one thing is wrong: 1 of 1 up to half, 2 of 3 up to all.
        ([([(0, 8, LEFT), (0, 7, LEFT), (0, 6, RIGHT)], [(0, LEFT), (0, RIGHT)])], (1 + 2 / 3) / 2),
        # Half of the things found, nothing wrong.
        ([([(0, 8, LEFT)], [(0, LEFT), (0, RIGHT)])], 1 / 2),
        # An overlap of one half is enough, of less is not.
        ([([(0, 8, LEFT)], [(0, WHOLE)])], 1.0),
        ([([(0, 8, (0, 0, 7, 4))], [(0, WHOLE)])], 0.0),
        # The right place, the wrong name; and a class that is found and never there does not count.
        ([([(1, 8, LEFT)], [(0, LEFT)])], 0.0),
        ([([(0, 8, LEFT), (1, 8, RIGHT)], [(0, LEFT)])], 1.0),
        # Things in one scene are not found in another.
        ([([(0, 8, LEFT)], []), ([], [(0, LEFT)])], 0.0),
        # A box in an empty scene is wrong: it came first, so 1 of 2.
        ([([(0, 8, LEFT)], []), ([(0, 4, LEFT)], [(0, LEFT)])], 1 / 2),
        # Two classes: (1 + 0) / 2.
        ([([(0, 8, LEFT)], [(0, LEFT), (1, RIGHT)])], 1 / 2),
        # Interpolated: right, wrong, right, right of 3: 1, then 3/4 twice.
        (
            [
                ([(0, 8, LEFT)], [(0, LEFT)]),
                ([(0, 7, LEFT), (0, 6, RIGHT)], [(0, RIGHT)]),
                ([(0, 5, LEFT)], [(0, LEFT)]),
            ],
            (1 + 3 / 4 + 3 / 4) / 3,
        ),
    ],
)
def test_map_of_cases_worked_out_by_hand(scenes: list[Scene], expected: float) -> None:
    assert judged(scenes) == pytest.approx(expected)


@pytest.mark.parametrize("things", [[LEFT, RIGHT], [RIGHT, LEFT]])
def test_of_two_things_overlapped_alike_no_order_decides(things: list[Box]) -> None:
    # The first box is half over each: it takes the left one, and the second finds nothing left.
    found = [(0, 8, WHOLE), (0, 4, LEFT)]
    assert judged([(found, [(0, place) for place in things])]) == pytest.approx(1 / 2)


def test_nothing_to_find_is_no_figure() -> None:
    with pytest.raises(ModelRefusedError, match="hold no boxes"):
        judged([([(0, 8, LEFT)], [])])


PIXELS = st.lists(st.integers(0, 3), min_size=6, max_size=6)
MASKS = st.lists(st.tuples(PIXELS, PIXELS), min_size=1, max_size=4)


def iou(pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> float:
    found, right = (np.array(side).reshape(-1, 2, 3) for side in zip(*pairs, strict=True))
    return mean_iou(quality.confusion(found, right.astype(np.uint8), 4))


@given(MASKS)
def test_miou_is_that_of_counted_sets(pairs: list[tuple[list[int], list[int]]]) -> None:
    found = [pixel for one, _ in pairs for pixel in one]
    right = [pixel for _, one in pairs for pixel in one]
    ratios = []
    for label in set(right):
        mine = {i for i, pixel in enumerate(found) if pixel == label}
        theirs = {i for i, pixel in enumerate(right) if pixel == label}
        ratios.append(len(mine & theirs) / len(mine | theirs))
    assert iou(pairs) == pytest.approx(sum(ratios) / len(ratios))
    assert iou(pairs[::-1]) == iou(pairs)
    assert iou([(theirs, theirs) for _, theirs in pairs]) == 1.0


def test_miou_of_a_case_worked_out_by_hand() -> None:
    # Class 0: 2 common of 3; class 1: 3 common of 4 in all. Class 2 is found and never there.
    right = [0, 0, 0, 1, 1, 1]
    assert iou([([0, 0, 2, 1, 1, 1], right)]) == pytest.approx((2 / 3 + 1) / 2)
    assert iou([([0, 0, 1, 1, 1, 1], right)]) == pytest.approx((2 / 3 + 3 / 4) / 2)
    # Over the whole set, not a mean over images: 0 in the second image outweighs the first.
    assert iou([([0] * 6, [0] * 6), ([1] * 6, [0] * 6)]) == pytest.approx(1 / 2)


def test_a_class_that_nobody_named_is_refused() -> None:
    with pytest.raises(ModelRefusedError, match="a mask has class 3, the workload 3 classes"):
        quality.confusion(np.array([[[3]]]), np.array([[[0]]], np.uint8), 3)
