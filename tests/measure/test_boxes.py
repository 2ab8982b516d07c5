"""Boxes from an SSD's outputs, and masks: against paper, and against a slow second way."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.measure import answers, boxes, masks
from edgebench.protocols import Tensor
from edgebench.specs import BoxesSpec

SPEC = BoxesSpec(
    feature_maps=((2, 3), (1, 1)), sizes=(((0.2, 0.1), (0.4, 0.3)), ((1.0, 0.5),)), max_boxes=5
)
GRID = 8
Box = tuple[int, int, int, int]
"""On a grid of 8 x 8: shares that floats hold exactly."""


@st.composite
def grid_boxes(draw: st.DrawFn) -> Box:
    top, left = draw(st.integers(0, GRID - 1)), draw(st.integers(0, GRID - 1))
    return top, left, draw(st.integers(top + 1, GRID)), draw(st.integers(left + 1, GRID))


def shares(found: Sequence[Box]) -> NDArray[np.float32]:
    return np.array(found, np.float32).reshape(-1, 4) / np.float32(GRID)


def overlap(a: Box, b: Box) -> Fraction:
    """Intersection over union, by counting squares."""
    one, two = (
        {(y, x) for y in range(top, bottom) for x in range(left, right)}
        for top, left, bottom, right in (a, b)
    )
    return Fraction(len(one & two), len(one | two))


def test_anchors_run_map_by_map_row_by_row_then_by_size() -> None:
    found = boxes.anchors(SPEC)
    assert found.shape == (2 * 3 * 2 + 1, 4)
    assert found[0] == pytest.approx([0.25, 1 / 6, 0.2, 0.1])
    assert found[1] == pytest.approx([0.25, 1 / 6, 0.4, 0.3])
    assert found[2] == pytest.approx([0.25, 3 / 6, 0.2, 0.1])
    assert found[6] == pytest.approx([0.75, 1 / 6, 0.2, 0.1])
    assert found[12] == pytest.approx([0.5, 0.5, 1.0, 0.5])


def test_offsets_move_and_stretch_an_anchor_and_end_at_the_edge() -> None:
    decoder = boxes.Decoder(SPEC)
    offsets = np.zeros((1, 13, 4), np.float32)
    assert decoder.places(offsets)[0, 12] == pytest.approx([0, 0.25, 1, 0.75])
    # Half an anchor to the right and twice as wide: 0.75 +- 0.5, cut off at 1.
    offsets[0, 12] = [0, 5, 0, np.log(2) / 0.2]
    assert decoder.places(offsets)[0, 12] == pytest.approx([0, 0.25, 1, 1])
    # A fifth up and half as high, as wide as before.
    offsets[0, 12] = [-2, 0, np.log(0.5) / 0.2, 0]
    assert decoder.places(offsets)[0, 12] == pytest.approx([0.05, 0.25, 0.55, 0.75])


def test_scores_are_probabilities_without_background_best_first() -> None:
    scores = np.zeros((2, 13, 3), np.float32)
    scores[..., 0] = 20.0
    scores[0, 12] = [0, 1, 3]
    scores[0, 0] = [0, 5, 0]
    first, second = boxes.Decoder(SPEC)(np.zeros((2, 13, 4), np.float32), scores)
    total = 1 + np.e + np.e**3
    assert first.classes.tolist() == [0, 1, 0]
    assert first.scores == pytest.approx([np.e**5 / (np.e**5 + 2), np.e**3 / total, np.e / total])
    assert first.places[1] == pytest.approx([0, 0.25, 1, 0.75])
    assert [len(part) for part in second] == [0, 0, 0]


def test_there_are_never_more_boxes_than_asked_for() -> None:
    scores = np.zeros((1, 13, 3), np.float32)
    (found,) = boxes.Decoder(SPEC)(np.zeros((1, 13, 4), np.float32), scores)
    assert len(found.scores) == SPEC.max_boxes


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_wild_outputs_make_no_wild_boxes(value: float) -> None:
    offsets = np.full((1, 13, 4), value, np.float32)
    (found,) = boxes.Decoder(SPEC)(offsets, np.zeros((1, 13, 3), np.float32))
    assert np.isfinite(found.places).all()
    assert ((found.places >= 0) & (found.places <= 1)).all()


@given(
    st.lists(st.tuples(grid_boxes(), st.integers(0, 2)), max_size=12),
    st.integers(1, 12),
    st.sampled_from([0.3, 0.5]),
)
def test_suppression_keeps_what_a_slow_one_keeps(
    given_boxes: list[tuple[Box, int]], most: int, limit: float
) -> None:
    kept: list[int] = []
    for index, (box, label) in enumerate(given_boxes):
        rivals = [given_boxes[k][0] for k in kept if given_boxes[k][1] == label]
        if len(kept) < most and all(
            overlap(box, rival) <= Fraction(str(limit)) for rival in rivals
        ):
            kept.append(index)
    places = shares([box for box, _ in given_boxes])
    classes = np.array([label for _, label in given_boxes], np.int64)
    assert boxes.suppress(places, classes, limit, most).tolist() == kept


@given(grid_boxes(), grid_boxes())
def test_overlap_is_that_of_counted_squares(a: Box, b: Box) -> None:
    found = boxes.overlaps(shares([a])[0], shares([b]))
    assert found == pytest.approx([float(overlap(a, b))])


def test_empty_boxes_overlap_nothing() -> None:
    point = np.array([0.5, 0.5, 0.5, 0.5], np.float32)
    assert boxes.overlaps(
        point, np.stack([point, np.array([0, 0, 1, 1], np.float32)])
    ).tolist() == [
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("offsets", "scores"),
    [((1, 12, 4), (1, 12, 3)), ((1, 13, 4), (1, 13)), ((1, 13, 4), (1, 13, 1))],
)
def test_outputs_of_other_anchors_are_one_line(
    offsets: tuple[int, ...], scores: tuple[int, ...]
) -> None:
    with pytest.raises(ModelRefusedError, match="13 anchors") as caught:
        boxes.Decoder(SPEC)(np.zeros(offsets, np.float32), np.zeros(scores, np.float32))
    assert "\n" not in str(caught.value)


def test_maps_without_sizes_are_refused() -> None:
    with pytest.raises(ModelRefusedError, match="2 feature maps and sizes of 1"):
        boxes.anchors(BoxesSpec(feature_maps=((2, 2), (1, 1)), sizes=(((0.5, 0.5),),)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feature_maps": ((1 << 20, 1 << 20),)}, "1099511627776 anchors"),
        ({"feature_maps": ((-2, -2),)}, "not above 0"),
        ({"sizes": (((0.5, float("nan")),),)}, "not finite"),
        ({"sizes": ((),)}, "has 0 anchors"),
        ({"variances": (0.0, 0.2)}, "not above 0"),
    ],
)
def test_anchors_that_cannot_be_made_are_one_line_and_take_no_memory(
    changes: dict[str, Any], words: str
) -> None:
    plain: dict[str, Any] = {"feature_maps": ((2, 2),), "sizes": (((0.5, 0.5),),)}
    assert len(boxes.anchors(BoxesSpec(**plain))) == 4
    with pytest.raises(ModelRefusedError, match=words):
        boxes.anchors(BoxesSpec(**plain | changes))


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor(name=name, shape=shape, dtype="float32")


@pytest.mark.parametrize(
    ("outputs", "names"),
    [
        ((tensor("a", 1, 9, 4), tensor("b", 1, 9, 3)), ("a", "b")),
        ((tensor("b", 1, 9, 3), tensor("a", 1, 9, 4)), ("a", "b")),
        # Three classes and background: only names or their order can tell.
        ((tensor("scores", 1, 9, 4), tensor("boxes:0", 1, 9, 4)), ("boxes:0", "scores")),
        ((tensor("out0", 1, 9, 4), tensor("out1", 1, 9, 4)), ("out0", "out1")),
    ],
)
def test_the_two_outputs_are_told_apart(
    outputs: tuple[Tensor, ...], names: tuple[str, str]
) -> None:
    assert answers.offsets_and_scores(outputs, ("boxes", "scores")) == names


@pytest.mark.parametrize(
    "outputs", [(tensor("a", 1, 9, 4),), (tensor("a", 1, 9, 5), tensor("b", 1, 9, 3))]
)
def test_a_model_that_is_no_detector_is_one_line(outputs: tuple[Tensor, ...]) -> None:
    with pytest.raises(ModelRefusedError, match=r"this model has a \(1, 9, "):
        answers.offsets_and_scores(outputs, ())


def test_a_mask_is_the_likeliest_class_of_each_pixel_in_either_layout() -> None:
    logits = np.random.default_rng(1).normal(size=(2, 5, 7, 3)).astype(np.float32)
    last = masks.masks(logits, channels_first=False)
    assert last.shape == (2, 5, 7)
    assert logits[1, 4, 6, last[1, 4, 6]] == logits[1, 4, 6].max()
    assert np.array_equal(masks.masks(logits.transpose(0, 3, 1, 2), channels_first=True), last)
    with pytest.raises(ModelRefusedError, match="is no mask"):
        masks.masks(logits[0], channels_first=False)
    with pytest.raises(ModelRefusedError, match="one logit a pixel tells no class"):
        masks.masks(logits[..., :1], channels_first=False)
