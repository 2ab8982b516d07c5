"""TFLite of any ONNX file, and ONNX of TFLite: what is right is kept, what is not is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from small import EXTRA, IMAGE, TWO, derived_from, onnx_file, samples, workload_of

from edgebench import resources
from edgebench.derive import reach
from edgebench.specs import InputSpec, ModelFormat, Workload

DIGIT = InputSpec(name="input", shape=(28, 28, 1))


def quiet(_: str) -> None:
    """Nobody listens."""


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tflite_takes_several_inputs_and_its_answers_stay_channels_last(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="needs edgebench[tensorflow]")
    pytest.importorskip("onnx", reason="needs onnx")
    source = workload_of(onnx_file(tmp_path / "two.onnx", TWO), IMAGE, EXTRA)
    images = samples(tmp_path / "samples.npz", IMAGE, EXTRA)
    cells: list[reach.Cell] = [("tflite", "fp32"), ("tflite", "int8")]
    workload, reasons = reach.fill(source, cells, images, quiet)
    assert reasons == {}
    for path in derived_from(workload).values():
        runner = tf.lite.Interpreter(str(path)).get_signature_runner("serving_default")
        assert runner.get_input_details()["image"]["shape"].tolist() == [1, 16, 12, 3]
        assert runner.get_output_details()["masks"]["shape"].tolist() == [1, 16, 12, 4]
    assert [one.layout for one in workload.derived] == ["NHWC", "NHWC"]


def digits(tmp_path: Path, source: Path, fmt: ModelFormat) -> Workload:
    """mnist_cnn as a user's who has another format of it."""
    model = Path(shutil.copy(source, tmp_path / f"model.{fmt}"))
    answers = resources.open_workload("mnist_cnn").reference_path
    reference = Path(shutil.copy(answers, tmp_path / "reference.npz"))
    return workload_of(model, DIGIT, fmt=fmt, reference=reference)


def test_onnx_of_tflite_answers_as_its_reference_or_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorflow", "tf2onnx", "onnx"):
        pytest.importorskip(name, reason=f"needs {name}")
    source = resources.open_workload("mnist_cnn").file("models/fp32.tflite")
    workload = digits(tmp_path, source, "tflite")
    made, reasons = reach.fill(workload, [("onnx", "int8_dynamic")], None, quiet)
    assert reasons == {}
    assert [*derived_from(made)] == [("onnx", "fp32"), ("onnx", "int8_dynamic")]
    with np.load(tmp_path / "reference.npz") as archive:
        wrong = {"inputs": archive["inputs"], "outputs": archive["outputs"] + 1}
    np.savez(tmp_path / "reference.npz", **wrong)
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "empty"))
    _, reasons = reach.fill(workload, [("onnx", "fp32")], None, quiet)
    assert "beside" in reasons["onnx", "fp32"]
