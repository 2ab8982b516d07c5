"""Models that take pixels as they are, and classifiers whose answers keep sizes of 1."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgebench.errors import ModelRefusedError
from edgebench.measure import accuracy, passes, pipeline, quality, tensors
from edgebench.protocols import Feeds, Settings, Tensor
from edgebench.records import Case, Task
from edgebench.specs import InputSpec, PreprocessSpec
from edgebench.testing import NullSession
from edgebench.wire import LaunchRequest

SIDE = 4
COLOURS = ("red", "green", "blue")


class Channels(NullSession):
    """Answers with the sum of each channel of an image (1, 3, h, w), or with the image itself."""

    def __init__(self, dtype: str, *, whole: bool = False) -> None:
        super().__init__(Settings())
        shape = (1, 3, SIDE, SIDE)
        sums = shape if whole else (1, 3, 1, 1)
        self.inputs = (Tensor(name="pixels", shape=shape, dtype=dtype, layout="NCHW"),)
        rest = Tensor(name="rest", shape=(1, 2), dtype="float32")
        told = Tensor(name="sums", shape=sums, dtype="float32", layout="NCHW")
        self.outputs: tuple[Tensor, ...] = (told,) if whole else (rest, told)  # type: ignore[assignment] # one there
        self.given = np.zeros(shape, dtype)

    def bind(self, ring: Sequence[Feeds]) -> None:
        self.feed(ring[0])

    def stage(self, slot: int) -> None:
        pass

    def feed(self, inputs: Feeds) -> None:
        assert inputs["pixels"].dtype == self.given.dtype
        self.given = inputs["pixels"]

    def read(self) -> dict[str, NDArray[Any]]:
        values = self.given.astype(np.float32)
        if len(self.outputs) == 1:
            return {"sums": values}
        rest = np.array([[9, 0]], np.float32)
        return {"rest": rest, "sums": values.sum(axis=(2, 3), keepdims=True)}


def request_for(folder: Path, dtype: str, task: Task = "classification") -> LaunchRequest:
    """Judges on nine images of one colour each, 20 to 28 bright, and nothing wrong with any."""
    classes = np.arange(9) % 3
    images = np.zeros((9, SIDE, SIDE, 3), np.uint8)
    images[np.arange(9), ..., classes] = (20 + np.arange(9))[:, np.newaxis, np.newaxis]
    masks = np.broadcast_to(classes[:, np.newaxis, np.newaxis], images.shape[:3]).astype(np.uint8)
    np.savez(folder / "samples.npz", images=images, labels=classes, masks=masks)
    case = Case(
        workload="a",
        workload_version=1,
        source_sha256="0" * 64,
        backend="null",
        format="onnx",
        precision="fp32",
    )
    return LaunchRequest(
        parent_pid=os.getpid(),
        run_id="r",
        case_id=case.case_id,
        launch=0,
        started_at_utc="now",
        case=case,
        task=task,
        inputs=(InputSpec(name="pixels", shape=(SIDE, SIDE, 3), dtype=dtype),),  # type: ignore[arg-type] # a str
        outputs=("sums",),
        labels=COLOURS,
        model_path="model",
        model_layout="NCHW",
        model_sha256="0" * 64,
        reference_path="reference",
        preprocess=PreprocessSpec(
            resize=(SIDE, SIDE), mean=(128.0,) * 3, std=(1.5,) * 3, crop="none"
        ),
        samples_mean=(128.0,) * 3,
        samples_std=(1.5,) * 3,
        warmup_s=0.0,
        warmup_max_s=0.0,
        measure_s=0.0,
    )


@pytest.mark.parametrize("dtype", ["int8", "int32", "float32", "float16"])
def test_labelled_images_are_given_to_models_of_any_type(tmp_path: Path, dtype: str) -> None:
    request, path = request_for(tmp_path, dtype), tmp_path / "samples.npz"
    found = accuracy.measure(Channels(dtype), request, path, lambda: None)
    assert (found.samples, found.correct) == (9, 9)
    whole = request_for(tmp_path, dtype, "segmentation")
    masks = quality.measure(Channels(dtype, whole=True), whole, path, lambda: None)
    assert masks.ratio == 1.0


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_e2e_gives_a_model_what_the_accuracy_pass_gives_it(tmp_path: Path, dtype: str) -> None:
    request, session = request_for(tmp_path, dtype), Channels(dtype)
    pixels = np.random.default_rng(1).integers(0, 256, (1, SIDE, SIDE, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[0]).save(file, "PNG")
    value: object = file.getvalue()
    for step in pipeline.build(request, session, pipeline.Pillow()).steps.values():
        value = step(value)
    expected = passes.as_input(pixels, request).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(session.given, expected, rtol=1e-6)
    brightest = session.given.astype(np.float32).sum(axis=(0, 2, 3)).argmax()
    assert value[0][0][0] == COLOURS[brightest]  # type: ignore[index] # an answer


def test_e2e_cuts_nothing_off_for_a_model_of_integers(tmp_path: Path) -> None:
    request = request_for(tmp_path, "float32")
    with pytest.raises(ModelRefusedError, match="pixels takes int8, the workload has float32"):
        pipeline.build(request, Channels("int8"), pipeline.Pillow())


def test_integers_are_the_nearest_and_stay_in_range() -> None:
    values = np.array([-129.0, -0.6, 0.6, 300.0], np.float32)
    assert tensors.typed(values, "int8").tolist() == [-128, -1, 1, 127]
    assert tensors.typed(values, "uint8").tolist() == [0, 0, 1, 255]
    assert tensors.typed(values, "float32").tolist() == values.tolist()


@pytest.mark.parametrize("shape", [(8, 5), (8, 5, 1, 1), (8, 1, 1, 5)])
def test_classes_are_classes_whatever_sizes_of_one_are_kept(shape: tuple[int, ...]) -> None:
    logits = np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32)
    wrong = logits.copy()
    wrong[0] = -wrong[0]
    parity = passes.compare(wrong.reshape(shape), logits.reshape(shape))
    assert parity.top1_ratio == pytest.approx(7 / 8)
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    parity = passes.compare(odds.reshape(shape), logits.reshape(shape))
    assert parity.softmax
    assert parity.cosine == pytest.approx(1.0)


def test_one_number_a_sample_has_no_largest_one() -> None:
    numbers = np.linspace(0, 1, 8, dtype=np.float32).reshape(8, 1)
    parity = passes.compare(numbers[::-1], numbers)
    assert parity.top1_ratio is None
    assert not parity.softmax
