"""OpenCV's dnn module: which engine ran, in what precision, and what it refuses."""

from __future__ import annotations

import gc
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from shipped import shipping

from edgebench import plugins, resources
from edgebench.analysis.validity import parity_fault
from edgebench.backends import opencv_dnn
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Settings

HAS_CPU_FP16 = cv2.dnn.DNN_TARGET_CPU_FP16 in cv2.dnn.getAvailableTargets(
    cv2.dnn.DNN_BACKEND_OPENCV
)
CONVOLUTIONS = {"cifar10_cnn": 3, "mnist_cnn": 3, "resnet8": 9}


@pytest.mark.parametrize(
    ("format_name", "workload"),
    [(one, name) for one in ("onnx", "tflite") for name in shipping(f"fp32.{one}")],
)
@pytest.mark.parametrize("engine", ["auto", "classic", "new"])
def test_both_formats_are_right_on_every_engine(
    ask: Callable[..., Any], engine: str, format_name: str, workload: str
) -> None:
    answer = ask("opencv-dnn", f"fp32.{format_name}", workload, options={"engine": engine})
    assert parity_fault(answer.parity, "fp32") == ""
    ran = "classic" if engine == "classic" else "new"
    assert answer.effective.words.startswith(f"{ran} engine;")
    assert answer.effective.precision == "fp32"
    assert (answer.effective.accelerator, answer.effective.accelerator_ops_ratio) == ("cpu", 1.0)


def test_fp16_on_a_cpu_without_a_target_for_it_is_told_to_run_in_fp32(
    ask: Callable[..., Any],
) -> None:
    half = ask("opencv-dnn", "fp32.onnx", precision="fp16")
    plain = ask("opencv-dnn", "fp32.onnx", precision="fp32")
    assert half.effective.precision == ("fp16" if HAS_CPU_FP16 else "fp32")
    assert (half.fingerprint(plain) == 0) == (not HAS_CPU_FP16)


def test_fp16_weights_are_multiplied_in_fp32(ask: Callable[..., Any]) -> None:
    answer = ask("opencv-dnn", "fp16.tflite", precision="fp32")
    assert answer.effective.precision == "fp32"
    assert 0 < answer.fingerprint(ask("opencv-dnn", "fp32.tflite")) < 0.01


@pytest.mark.parametrize("workload", shipping("int8.onnx"))
def test_the_trap_of_quantised_files_that_run_in_float_is_reported(
    ask: Callable[..., Any], workload: str
) -> None:
    answer = ask("opencv-dnn", "int8.onnx", workload, precision="int8")
    assert answer.effective.precision == "fp32"
    assert f"Convolutionx{CONVOLUTIONS[workload]} Dequantize" in answer.effective.words
    assert "Int8" not in answer.effective.words
    assert "classic engine after another refused it: OpenCV" in answer.effective.words
    assert parity_fault(answer.parity, "int8") == ""


def test_a_file_of_integer_operators_runs_in_int8(tmp_path: Path) -> None:
    path = tmp_path / "qlinear.onnx"
    path.write_bytes(_qlinear_model())
    for engine, layer in (("classic", "ConvolutionInt8"), ("new", "Conv2Int8")):
        settings = Settings(precision="int8", options={"engine": engine})
        session = opencv_dnn.OpenCVDNN().open(path, settings)
        image = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
        session.bind([{"image": image}])
        session.stage(0)
        session.invoke()
        (sums,) = session.read().values()
        effective = session.effective()
        session.close()
        assert effective.precision == "int8"
        assert layer in effective.words
        assert sums.ravel().tolist() == pytest.approx([10, 14, 18, 26, 30, 34, 42, 46, 50])


def test_layers_of_two_types_have_no_precision_and_are_told_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "mixed.onnx"
    path.write_bytes(_qlinear_model(then_float=True))
    for engine in ("classic", "new"):
        settings = Settings(precision="int8", options={"engine": engine})
        session = opencv_dnn.OpenCVDNN().open(path, settings)
        effective = session.effective()
        session.close()
        assert (effective.precision, effective.precision_ratio) == (None, None)
        assert "layers of products by type: fp32x1 int8x1" in effective.words


def test_a_file_of_dynamic_int8_is_refused_in_opencvs_words_before_anything_is_planned(
    model_path: Callable[..., Path],
) -> None:
    probe = opencv_dnn.OpenCVDNN().probe()
    assert "int8_dynamic" not in probe.precisions
    words = probe.refuses["int8_dynamic"]
    assert words.startswith(f"OpenCV({cv2.__version__})")
    assert "\n" not in words
    with pytest.raises(ModelRefusedError) as caught:
        opencv_dnn.OpenCVDNN().open(model_path("int8_dynamic.onnx"), Settings())
    reason = "Can't create layer"
    assert reason in words
    assert reason in str(caught.value)


def test_threads_are_read_back_and_tuning_is_said_to_be_unsettable(ask: Callable[..., Any]) -> None:
    assert ask("opencv-dnn", "fp32.onnx", threads=2).effective.threads == 2
    effective = ask("opencv-dnn", "fp32.onnx", tuning="equal").effective
    assert effective.threads == 1
    assert set(effective.tuning.values()) == {"unsettable"}


def test_the_trap_of_a_target_that_falls_back_to_the_cpu_is_reported(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV takes a target that it does not have with at most a line in its log."""
    there = (cv2.dnn.DNN_BACKEND_OPENCV, cv2.dnn.DNN_TARGET_OPENCL)
    if there[1] in cv2.dnn.getAvailableTargets(there[0]):  # a GPU: plant one it cannot have
        there = (cv2.dnn.DNN_BACKEND_OPENCV, cv2.dnn.DNN_TARGET_VULKAN)
    monkeypatch.setattr(opencv_dnn, "_target", lambda *_: there)
    effective = ask("opencv-dnn", "fp32.onnx", accelerator="opencl").effective
    assert effective.accelerator == "cpu"
    assert effective.accelerator_ops_ratio == 0


@pytest.mark.parametrize(
    ("file", "settings", "words"),
    [
        ("int8.tflite", Settings(precision="int8"), "Lookup table for RELU"),
        ("int8_dynamic.onnx", Settings(), "DynamicQuantizeLinear"),
        ("int8.onnx", Settings(options={"engine": "new"}), "Assertion failed"),
        ("fp32.onnx", Settings(options={"engine": "old"}), "not one of auto, classic, new"),
        ("fp32.onnx", Settings(options={"layers": "1"}), "no option 'layers'"),
        ("fp32.onnx", Settings(accelerator="cuda"), "no target 'cuda'"),
    ],
)
def test_what_opencv_cannot_do_is_one_line_in_its_words(
    model_path: Callable[..., Path], file: str, settings: Settings, words: str
) -> None:
    with pytest.raises(ModelRefusedError, match=words) as caught:
        opencv_dnn.OpenCVDNN().open(model_path(file), settings)
    assert "\n" not in str(caught.value)


def test_without_the_package_the_probe_gives_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "edgebench.backends.opencv_dnn")
    monkeypatch.setitem(sys.modules, "cv2", None)
    probe = plugins.probe_backend("opencv-dnn")
    assert not probe.available
    assert probe.reason == "cv2 is not installed"
    assert probe.remedy == "pip install 'edgebench[opencv-dnn]'"


# A model file by hand: the onnx package is for building, not for testing.


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _node(kind: str, inputs: str, output: str, **integers: list[int]) -> bytes:
    body = b"".join(_field(1, name.encode()) for name in inputs.split())
    body += _field(2, output.encode()) + _field(3, output.encode()) + _field(4, kind.encode())
    for name, values in integers.items():
        listed = b"".join(_field(8, value) for value in values)
        body += _field(5, _field(1, name.encode()) + listed + _field(20, 7))
    return _field(1, body)


def _weight(name: str, kind: int, raw: bytes, *shape: int) -> bytes:
    dims = b"".join(_field(1, size) for size in shape)
    return _field(5, dims + _field(2, kind) + _field(8, name.encode()) + _field(9, raw))


def _value(number: int, name: str, *shape: int) -> bytes:
    dims = b"".join(_field(1, _field(1, size)) for size in shape)
    kind = _field(2, _field(1, _field(1, 1) + _field(2, dims)))
    return _field(number, _field(1, name.encode()) + kind)


def _qlinear_model(*, then_float: bool = False) -> bytes:
    """Sums over 2x2 pixels in integers, all scales 1: image (1, 1, 4, 4) -> sums (1, 1, 3, 3).

    With a float convolution behind it of size (1, 1, 2, 2).
    """
    float_, int8, int32 = 1, 3, 6
    window = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1]}
    graph = _node("QuantizeLinear", "image s1 z1", "q")
    graph += _node("QLinearConv", "q s1 z1 ones sw zw s2 z2 bias", "r", **window)
    graph += _node("DequantizeLinear", "r s2 z2", "sums") + _field(2, b"graph")
    if then_float:
        graph += _node("Conv", "sums halves", "more", **window)
        graph += _weight("halves", float_, struct.pack("<4f", *[0.5] * 4), 1, 1, 2, 2)
    for name in ("s1", "s2", "sw"):
        graph += _weight(name, float_, struct.pack("<f", 1.0))
    for name in ("z1", "z2", "zw"):
        graph += _weight(name, int8, b"\0")
    graph += _weight("ones", int8, b"\1" * 4, 1, 1, 2, 2) + _weight("bias", int32, b"\0" * 4, 1)
    graph += _value(11, "image", 1, 1, 4, 4)
    graph += _value(12, "more", 1, 1, 2, 2) if then_float else _value(12, "sums", 1, 1, 3, 3)
    opset = _field(8, _field(1, b"") + _field(2, 13))
    return _field(1, 8) + _field(7, graph) + opset


def test_what_the_first_looks_answered_is_not_kept() -> None:
    # It would count as the model's memory for as long as the session lives.
    model = resources.open_workload("mnist_cnn").file("models/fp32.onnx")
    session = plugins.open_backend("opencv-dnn").open(model, Settings())
    assert session.outputs[0].shape == (1, 10)
    kept = [array for array in gc.get_objects() if _holds(array, (1, 10))]
    session.close()
    assert kept == []


def _holds(value: object, shape: tuple[int, ...]) -> bool:
    """Whether it is a list of arrays of that shape, as the runtime's answers are."""
    return isinstance(value, list) and any(
        isinstance(one, np.ndarray) and one.shape == shape for one in value
    )
