"""The shipped model files are what their workload.toml says, and answer alike."""

from __future__ import annotations

import collections
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.errors import UsageError
from edgebench.zoo import manifest
from edgebench.zoo.evaluate import evaluate_model, predict

WORKLOADS = Path(__file__).resolve().parents[2] / "workloads"
NAMES = ("mnist_cnn", "cifar10_cnn", "resnet8")
PRECISIONS = ("fp32", "fp16", "int8", "int8_dynamic")
EVERY = tuple(f"{p}.{fmt}" for fmt in ("onnx", "tflite") for p in PRECISIONS)
# Git holds few model files: of ResNet-8 those that nothing on a device can derive.
SHIPPED = dict.fromkeys(NAMES, EVERY) | {"resnet8": ("fp32.onnx", "int8.onnx", "int8.tflite")}
FILES = [(name, file) for name in NAMES for file in SHIPPED[name]]
CLASSIFIER = {"CONV_2D": 3, "RESHAPE": 1, "FULLY_CONNECTED": 2}
RESIDUAL = {"CONV_2D": 9, "ADD": 3, "AVERAGE_POOL_2D": 1, "FULLY_CONNECTED": 1}
BODIES = {
    "mnist_cnn": CLASSIFIER | {"MAX_POOL_2D": 2},
    "cifar10_cnn": CLASSIFIER | {"MAX_POOL_2D": 3},
    "resnet8": RESIDUAL,
}
"""Operators of the TFLite files, less those that change types."""
REFERENCES = {"mnist_cnn": 64, "cifar10_cnn": 64, "resnet8": 16}
RUNTIMES = {"onnx": "onnxruntime", "tflite": "ai_edge_litert"}
# Largest allowed difference from the Keras logits, as a share of their largest magnitude. Rounding
# the float32 weights to float16 alone gives 2.5e-3 for cifar10_cnn; int8 gave 3.4e-2 at most, 6.2e-2 for resnet8, which is deeper.
TOLERANCE_RATIO = {"fp32": 1e-5, "fp16": 5e-3, "int8": 0.08, "int8_dynamic": 0.05}
LEAST_AGREEMENT_RATIO = {"fp32": 1.0, "fp16": 0.98, "int8": 0.9, "int8_dynamic": 0.9}


def document(name: str) -> dict[str, Any]:
    return manifest.read(WORKLOADS / name)


def reference(name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with np.load(WORKLOADS / name / "reference.npz", allow_pickle=False) as archive:
        return archive["inputs"], archive["outputs"]


def runtime_of(file: str) -> str:
    # Before onnxruntime is imported: its wheel uploads telemetry otherwise.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    fmt = file.rpartition(".")[2]
    pytest.importorskip(RUNTIMES[fmt], reason=f"needs {RUNTIMES[fmt]}")
    return fmt


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_what_the_workload_says(name: str) -> None:
    folder, content = WORKLOADS / name, document(name)
    stated = {row["path"] for row in content["models"]}
    assert stated == {f"models/{file}" for owner, file in FILES if owner == name}
    assert stated == {f"models/{path.name}" for path in (folder / "models").iterdir()}
    for row in content["models"]:
        assert manifest.file_sha256(folder / row["path"]) == row["sha256"]
        assert (folder / row["path"]).stat().st_size == row["size_byte"]
        assert row["top1_samples"] == 10_000
    for table in ("reference", "samples"):
        if table in content:
            path = folder / content[table]["path"]
            assert manifest.file_sha256(path) == content[table]["sha256"]


@pytest.mark.parametrize("name", NAMES)
def test_stated_accuracy_holds_the_limits(name: str) -> None:
    top1 = {(m["format"], m["precision"]): m["top1_ratio"] for m in document(name)["models"]}
    for ratio in top1.values():
        assert ratio >= {"mnist_cnn": 0.985, "cifar10_cnn": 0.70, "resnet8": 0.80}[name]
        assert ratio >= top1["onnx", "fp32"] - 0.01


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_covers_the_classes(name: str) -> None:
    inputs, outputs = reference(name)
    assert inputs.dtype == outputs.dtype == np.float32
    assert inputs.shape == (REFERENCES[name], *document(name)["input"]["shape"])
    assert inputs.min() >= 0.0
    assert inputs.max() <= 1.0
    assert outputs.shape == (len(inputs), 10)
    assert len(np.unique(outputs.argmax(axis=1))) >= 8
    # Logits, not probabilities: softmax is left to post-processing.
    assert outputs.min() < 0.0


def test_the_shipped_digits_are_a_hundred_a_class() -> None:
    with np.load(WORKLOADS / "mnist_cnn" / "samples.npz", allow_pickle=False) as archive:
        assert archive["images"].shape == (1000, 28, 28, 1)
        assert archive["images"].dtype == archive["labels"].dtype == np.uint8
        assert np.bincount(archive["labels"]).tolist() == [100] * 10


@pytest.mark.parametrize(("name", "file"), FILES)
def test_every_file_answers_like_the_source(name: str, file: str) -> None:
    fmt = runtime_of(file)
    precision = file.partition(".")[0]
    inputs, expected = reference(name)
    got = predict(WORKLOADS / name / "models" / file, fmt, inputs)
    difference = float(np.abs(got - expected).max())
    assert difference <= TOLERANCE_RATIO[precision] * float(np.abs(expected).max())
    # Exactly equal answers would mean that the precision was not applied.
    assert precision == "fp32" or difference > 1e-4
    agreement = float(np.mean(got.argmax(axis=1) == expected.argmax(axis=1)))
    assert agreement >= LEAST_AGREEMENT_RATIO[precision]


@pytest.mark.parametrize(("name", "file"), FILES)
def test_every_file_takes_any_batch(name: str, file: str) -> None:
    fmt = runtime_of(file)
    inputs, _ = reference(name)
    path = WORKLOADS / name / "models" / file
    single, batched = (predict(path, fmt, inputs[:6], batch=size) for size in (1, 4))
    # A dynamically quantised ONNX graph takes its scale over the batch, so it may differ more.
    slack = 0.1 if file == "int8_dynamic.onnx" else 1e-3
    assert np.abs(single - batched).max() <= slack * max(1.0, float(np.abs(single).max()))


@pytest.mark.parametrize(("name", "file"), [f for f in FILES if f[1].endswith("onnx")])
def test_onnx_inputs_and_outputs(name: str, file: str) -> None:
    runtime_of(file)
    import onnxruntime as ort

    session = ort.InferenceSession(WORKLOADS / name / "models" / file)
    (source,), (result,) = session.get_inputs(), session.get_outputs()
    rows, columns, channels = document(name)["input"]["shape"]
    assert (source.name, source.type) == ("input", "tensor(float)")
    assert source.shape == ["batch", channels, rows, columns]
    assert (result.name, result.type) == ("logits", "tensor(float)")
    assert result.shape == ["batch", 10]


def onnx_operators(path: Path, shape: list[int], scratch: Path) -> list[str]:
    """The operators that one run of onnxruntime executes, from its own profile."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(scratch / "profile")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    rows, columns, channels = shape
    session.run(None, {"input": np.zeros((1, channels, rows, columns), dtype=np.float32)})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return [
        e["args"]["op_name"] for e in events if e.get("cat") == "Node" and "op_name" in e["args"]
    ]


@pytest.mark.parametrize(
    ("name", "file", "convolution", "dense"),
    [
        (name, file, *kinds)
        for file, kinds in {
            "fp32.onnx": ("Conv", None),
            "int8.onnx": ("QLinearConv", "QGemm"),
            "int8_dynamic.onnx": ("ConvInteger", "DynamicQuantizeMatMul"),
        }.items()
        for name in NAMES
        if file in SHIPPED[name]
    ],
)
def test_onnxruntime_runs_what_the_file_promises(
    tmp_path: Path, name: str, file: str, convolution: str, dense: str | None
) -> None:
    runtime_of(file)
    path = WORKLOADS / name / "models" / file
    operators = onnx_operators(path, document(name)["input"]["shape"], tmp_path)
    kinds = {"Conv", "FusedConv", "QLinearConv", "ConvInteger"}
    assert [op for op in operators if op in kinds] == [convolution] * BODIES[name]["CONV_2D"]
    if dense is not None:
        assert operators.count(dense) == BODIES[name]["FULLY_CONNECTED"]
        assert not {"Gemm", "FusedGemm", "MatMul"} & set(operators)


@pytest.mark.parametrize(("name", "file"), [f for f in FILES if f[1].endswith("tflite")])
def test_tflite_operators_and_types(name: str, file: str) -> None:
    runtime_of(file)
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(WORKLOADS / name / "models" / file))
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert source["dtype"] == result["dtype"] == np.float32
    assert source["shape"].tolist() == [1, *document(name)["input"]["shape"]]
    details = interpreter._get_ops_details()
    names = [op["op_name"] for op in details]
    body = [n for n in names if n not in {"DEQUANTIZE", "QUANTIZE", "DELEGATE"}]
    assert collections.Counter(body) == BODIES[name]
    types = {t for op in details if op["op_name"] == "CONV_2D" for t in op["operand_types"]}
    assert (np.int8 in types) == file.startswith("int8")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown model format 'pb'"):
        predict(Path("m.pb"), "pb", np.zeros((1, 2, 2, 1), dtype=np.float32))


@pytest.mark.parametrize(("images", "labels"), [(0, 0), (2, 1)])
def test_images_and_labels_must_match(images: int, labels: int) -> None:
    inputs = np.zeros((images, 2, 2, 1), dtype=np.float32)
    with pytest.raises(UsageError, match="cannot be compared"):
        evaluate_model(Path("m.onnx"), "onnx", inputs, np.zeros(labels, dtype=np.uint8))


def test_top1_counts_right_answers() -> None:
    fmt = runtime_of("fp32.onnx")
    inputs, outputs = reference("mnist_cnn")
    labels = outputs.argmax(axis=1).astype(np.uint8)
    path = WORKLOADS / "mnist_cnn" / "models" / "fp32.onnx"
    assert evaluate_model(path, fmt, inputs, labels) == 1.0
    labels[:16] = (labels[:16] + 1) % 10
    assert evaluate_model(path, fmt, inputs, labels) == 0.75
