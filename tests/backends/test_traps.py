"""What runtimes get wrong without a word, and that a row tells it all the same.

Each trap is sprung in the runtime itself, with its own calls, and then in a cell as `edgebench run`
makes it. onnxruntime's are in test_traps_onnxruntime.py, tflite-runtime's with its backend.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import plugins, resources
from edgebench.backends import ncnn_files
from edgebench.derive.make import Made
from edgebench.errors import UsageError
from edgebench.measure import passes
from edgebench.report import answers
from edgebench.report.rows import Row
from edgebench.specs import ModelSpec, Workload, sha256_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
Measure = Callable[..., Row]
VULKAN_CPU = 3
"""ncnn's GpuInfo.type() of a device that is the CPU."""
BF16_STEP = 2.0**-8
"""Relative: 8 bits of significand."""


def bundled(name: str = "mnist_cnn") -> Workload:
    return resources.open_workload(name)


def derived_too(
    workload: Workload, path: Path, fmt: str, precision: str, layout: str = "NCHW"
) -> Workload:
    """The workload with one more model file."""
    made = ModelSpec(
        path=str(path),
        format=fmt,  # type: ignore[arg-type] # one of ModelFormat
        precision=precision,  # type: ignore[arg-type] # one of PRECISIONS
        layout=layout,  # type: ignore[arg-type] # one of Layout
        sha256=sha256_of(path),
        size_byte=path.stat().st_size,
    )
    return msgspec.structs.replace(workload, derived=(*workload.derived, made))


def reference() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs as NCHW, and the reference's logits."""
    (inputs,), (outputs,) = passes.load_reference(bundled().file("reference.npz"))
    return np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)), outputs


def lost_its_rank(row: Row) -> bool:
    """Whether it has its figures, and none of the answers is made of them."""
    (answer,) = answers.fastest([row])
    timed = isinstance(row["latency_p50_ms"], float)
    return timed and answer.best is None and answer.unranked == (row,)


def error_ratio(outputs: NDArray[np.float32], exact: NDArray[np.float32]) -> float:
    return float(np.abs(outputs - exact).max() / np.abs(exact).max())


# OpenVINO: bf16 by default, and for f16


def openvino_outputs(**properties: str) -> NDArray[np.float32]:
    """All reference inputs through OpenVINO's own calls."""
    plugins.probe_backend("openvino")  # our module imports it without its telemetry
    openvino: Any = sys.modules["openvino"]
    compiled = openvino.Core().compile_model(bundled().file("models/fp32.onnx"), "CPU", properties)
    return np.concatenate([compiled([image[np.newaxis]])[0] for image in reference()[0]])


def openvino_can(name: str) -> bool:
    plugins.probe_backend("openvino")
    core: Any = sys.modules["openvino"].Core()
    return name in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_openvino_computes_fp32_in_bf16_unless_it_is_told_and_a_row_does_not(
    row_of: Measure,
) -> None:
    _, exact = reference()
    by_default = error_ratio(openvino_outputs(), exact)
    assert error_ratio(openvino_outputs(INFERENCE_PRECISION_HINT="f32"), exact) < 1e-5
    if openvino_can("BF16"):
        assert 0.1 * BF16_STEP < by_default < 10 * BF16_STEP  # and nothing was raised or warned
    else:
        assert by_default < 1e-5
    row = row_of(bundled(), "openvino", "fp32")
    assert (row["status"], row["effective_precision"]) == ("ok", "fp32")
    assert (row["precision_ratio"], row["fallback"]) == (1.0, None)


def test_openvino_computes_f16_in_another_type_and_the_row_falls_back(row_of: Measure) -> None:
    _, exact = reference()
    error = error_ratio(openvino_outputs(INFERENCE_PRECISION_HINT="f16"), exact)
    row = row_of(bundled(), "openvino", "fp16")
    assert row["status"] == "ok"
    if openvino_can("FP16"):
        assert (row["effective_precision"], row["fallback"]) == ("fp16", None)
        assert error < 0.1 * BF16_STEP
    elif openvino_can("BF16"):
        assert (row["effective_precision"], row["fallback"]) == ("bf16", "precision")
        assert 0.1 * BF16_STEP < error < 10 * BF16_STEP
    else:
        assert (row["effective_precision"], row["fallback"]) == ("fp32", "precision")
        assert error < 1e-5


# OpenCV: quantised files run in float


def test_opencv_runs_quantised_files_in_float_and_the_row_falls_back(row_of: Measure) -> None:
    cv2: Any = pytest.importorskip("cv2")
    path = str(bundled().file("models/int8.onnx"))
    engine = {"engine": cv2.dnn.ENGINE_CLASSIC} if hasattr(cv2.dnn, "ENGINE_CLASSIC") else {}
    net = cv2.dnn.readNetFromONNX(path, **engine)
    inputs, outputs = reference()
    net.setInput(inputs)
    assert (passes.compare(net.forward(), outputs).top1_ratio or 0) > 0.95  # it looks as it should
    layers = [net.getLayer(name) for name in net.getLayerNames()]
    weighted = {(one.type, one.blobs[0].dtype.name) for one in layers if len(one.blobs)}
    assert weighted == {("Convolution", "float32"), ("Gemm", "float32")}
    row = row_of(bundled(), "opencv-dnn", "int8")
    assert (row["status"], row["effective_precision"]) == ("ok", "fp32")
    assert row["fallback"] == "precision"


# ncnn: float16 by default, NaN without int8 inference


def ncnn_outputs(path: Path, **options: bool) -> NDArray[np.float32]:
    """The first reference inputs through ncnn's own calls, options otherwise as it ships."""
    ncnn: Any = pytest.importorskip("ncnn")
    folder = path.parent / "unpacked"
    folder.mkdir(exist_ok=True)
    for name, data in zip((ncnn_files.PARAM, ncnn_files.BIN), ncnn_files.unpack(path), strict=True):
        (folder / name).write_bytes(data)
    net = ncnn.Net()
    for name, value in options.items():
        setattr(net.opt, name, value)
    assert net.load_param(str(folder / ncnn_files.PARAM)) == 0
    assert net.load_model(str(folder / ncnn_files.BIN)) == 0
    rows = []
    for image in reference()[0][:16]:
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(image))
        code, answer = extractor.extract(net.output_names()[0])
        assert code == 0  # whatever comes out, it is called a success
        rows.append(np.array(answer))
    return np.stack(rows).astype(np.float32)


def test_ncnn_rounds_to_float16_unless_it_is_told_and_a_row_does_not(
    derived: Callable[..., Made], row_of: Measure
) -> None:
    path = derived("mnist_cnn", "ncnn", "fp32").path
    _, exact = reference()
    as_it_ships = error_ratio(ncnn_outputs(path), exact[:16])
    off = dict.fromkeys(("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"), False)
    assert error_ratio(ncnn_outputs(path, **off), exact[:16]) < 1e-5 < as_it_ships
    row = row_of(derived_too(bundled(), path, "ncnn", "fp32"), "ncnn", "fp32")
    assert (row["status"], row["effective_precision"]) == ("ok", "fp32")
    assert (row["precision_ratio"], row["fallback"]) == (1.0, None)
    assert isinstance(row["parity_cosine"], float)
    assert 1 - row["parity_cosine"] < 1e-10  # rounded to float16 it is 1e-8


def test_ncnn_gives_nonsense_for_int8_weights_and_the_row_loses_its_rank(
    derived: Callable[..., Made], row_of: Measure
) -> None:
    path = derived("mnist_cnn", "ncnn", "int8").path
    _, exact = reference()
    wrong = ncnn_outputs(path, use_int8_inference=False)
    # NaN for the most part; what it reads for weights is not the same in every process.
    assert not error_ratio(wrong, exact[:16]) < 0.5
    assert error_ratio(ncnn_outputs(path), exact[:16]) < 0.05
    workload = derived_too(bundled(), path, "ncnn", "int8")
    row = row_of(workload, "ncnn", "int8", options={"use_int8_inference": "0"})
    assert (row["status"], row["validity"]) == ("ok", "invalid")
    assert "parity: " in str(row["caveats"])
    assert "does not tell in which precision it multiplied" in str(row["caveats"])
    assert lost_its_rank(row)
    assert row_of(workload, "ncnn", "int8")["fallback"] is None


def test_a_vulkan_driver_that_computes_on_the_cpu_is_a_fallback(
    derived: Callable[..., Made], row_of: Measure
) -> None:
    """Mesa's llvmpipe is a Vulkan device like any other to ncnn."""
    ncnn: Any = pytest.importorskip("ncnn")
    path = derived("mnist_cnn", "ncnn", "fp32").path
    workload = derived_too(bundled(), path, "ncnn", "fp32")
    if not ncnn.get_gpu_count():
        with pytest.raises(UsageError, match="nothing here runs on 'vulkan'"):
            row_of(workload, "ncnn", "fp32", accelerators=("vulkan",))
        return
    row = row_of(workload, "ncnn", "fp32", accelerators=("vulkan",))
    on_cpu = ncnn.get_gpu_info(ncnn.get_default_gpu_index()).type() == VULKAN_CPU
    assert row["status"] == "ok"
    assert row["validity"] != "invalid"
    assert row["fallback"] == ("accelerator" if on_cpu else None)


# MNN: a wrong model of an int8 TFLite file

CONVERT = """
import sys
from edgebench.derive.confine import block_network
block_network()
import _tools
done = _tools.mnnconvert(["mnnconvert", "-f", "TFLITE", "--modelFile", sys.argv[1],
                          "--MNNModel", sys.argv[2], "--bizCode", "edgebench"])
sys.exit(0 if done else 1)
"""


def test_mnn_converts_an_int8_tflite_file_wrongly_and_the_row_loses_its_rank(
    row_of: Measure, tmp_path: Path
) -> None:
    pytest.importorskip("_tools", reason="needs MNN")
    made = tmp_path / "int8.mnn"
    source = bundled().file("models/int8.tflite")
    line = [sys.executable, "-c", CONVERT, str(source), str(made)]
    subprocess.run(line, check=True, capture_output=True)  # and says that it went well
    # MNN keeps TFLite's order of dimensions.
    row = row_of(derived_too(bundled(), made, "mnn", "int8", "NHWC"), "mnn", "int8")
    assert (row["status"], row["validity"]) == ("ok", "invalid")
    assert "parity: cosine" in str(row["caveats"])
    assert lost_its_rank(row)
