"""What region e2e ends in: boxes with labels, or a mask, of an image whose answer is known."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import handmade
import msgspec
import numpy as np
import pytest
from PIL import Image

from edgebench import plugins
from edgebench.errors import ModelRefusedError
from edgebench.measure import pipeline
from edgebench.protocols import Settings
from edgebench.records import Case
from edgebench.runner import requests
from edgebench.runner.config import Preset
from edgebench.specs import read_workload
from edgebench.wire import LaunchRequest

SHORT = Preset(name="quick", min_launches=1, max_launches=1, measure_s=0.01, warmup_s=0.0)


@pytest.fixture
def answer(case: Callable[..., Case]) -> Callable[..., Any]:
    """The answer to an image of a hand-made workload, its request changed or not."""

    def make(folder: Path, pixels: np.ndarray[Any, Any], **changes: object) -> object:
        workload = read_workload(folder)
        one = case(workload=workload.spec.name, region="e2e")
        made = requests.build(run_id="r", case=one, workload=workload, preset=SHORT, launch=0)
        request: LaunchRequest = msgspec.structs.replace(made, **changes)
        session = plugins.open_backend("onnxruntime").open(Path(request.model_path), Settings())
        session.bind([{one.name: np.zeros(one.shape, one.dtype) for one in session.inputs}])
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        value: object = file.getvalue()
        try:
            for step in pipeline.build(request, session, pipeline.Pillow()).steps.values():
                value = step(value)
        finally:
            session.close()
        return value

    return make


def test_a_detector_answers_with_labels_scores_and_boxes(
    tmp_path: Path, answer: Callable[..., Any]
) -> None:
    pixels = handmade.picture((0, 0, (255, 0, 255)), (1, 1, (0, 204, 0)))
    (found,) = answer(handmade.detector(tmp_path), pixels)
    assert [one.label for one in found] == ["red", "green"]
    assert [one.box for one in found] == [(0, 0.25, 0.5, 0.75), (0.5, 0.5, 1, 1)]
    red, green = np.exp(10), np.exp(8)
    both = [red / (red + np.exp(5) + 1), green / (green + np.exp(5) + 1)]
    assert [one.score for one in found] == pytest.approx(both, rel=1e-5)
    assert answer(tmp_path / "workloads/quarters", handmade.picture()) == [[]]


def test_a_segmenter_answers_with_a_mask(tmp_path: Path, answer: Callable[..., Any]) -> None:
    pixels = handmade.picture((0, 1, (255, 0, 0)), (1, 0, (0, 255, 0)))
    (mask,) = answer(handmade.segmenter(tmp_path), pixels)
    assert mask.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 0, 0], [2, 2, 0, 0]]


def test_of_a_task_that_nobody_told_the_outputs_are_the_answer(
    tmp_path: Path, answer: Callable[..., Any]
) -> None:
    found = answer(handmade.detector(tmp_path), handmade.picture(), task="other")
    assert {name: one.shape for name, one in found.items()} == {
        "boxes": (1, 4, 4),
        "scores": (1, 4, 3),
    }


@pytest.mark.parametrize(
    ("maker", "changes", "words"),
    [
        (handmade.segmenter, {"task": "detection"}, "does not say how its outputs become boxes"),
        (handmade.detector, {"task": "segmentation"}, "a segmenter has one output, not 2"),
    ],
)
def test_outputs_that_are_not_what_the_task_needs_are_one_line(
    tmp_path: Path,
    answer: Callable[..., Any],
    maker: Callable[[Path], Path],
    changes: dict[str, str],
    words: str,
) -> None:
    with pytest.raises(ModelRefusedError, match=words) as caught:
        answer(maker(tmp_path), handmade.picture(), **changes)
    assert "\n" not in str(caught.value)
