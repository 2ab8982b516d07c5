"""Top-1 accuracy of a model file, recomputed by the runtime that a device would use.

Needs numpy and the one runtime of the file's format; no training framework.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from edgebench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Infer = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]


def evaluate_model(
    path: Path,
    fmt: str,
    images: NDArray[np.float32],
    labels: NDArray[np.uint8],
    *,
    batch: int = 1,
) -> float:
    """Measure which share of images a model file answers rightly.

    Args:
        path: The model file.
        fmt: ``onnx`` (NCHW input) or ``tflite`` (NHWC input).
        images: float32, (n, height, width, channels), already preprocessed.
        labels: Integers, (n,).
        batch: Images an inference. One by default: a dynamically quantised ONNX graph takes
            its activation scale over the whole batch, so its answers depend on the batch.

    Returns:
        Top-1, a ratio from 0 to 1.

    Raises:
        UsageError: The format is unknown, its runtime is not installed, or the images and
            labels do not match.
    """
    if len(images) != len(labels) or not len(images):
        message = f"{len(images)} images and {len(labels)} labels cannot be compared"
        raise UsageError(message, remedy="give one label an image, and at least one image")
    answers = predict(path, fmt, images, batch=batch).argmax(axis=1)
    return float(np.mean(answers == labels))


def predict(
    path: Path, fmt: str, images: NDArray[np.float32], *, batch: int = 1
) -> NDArray[np.float32]:
    """Run a model file over images.

    Args:
        path: The model file.
        fmt: ``onnx`` or ``tflite``.
        images: float32, (n, height, width, channels), already preprocessed.
        batch: Images an inference; the last may hold fewer.

    Returns:
        float32, (n, classes): the outputs before softmax.

    Raises:
        UsageError: The format is unknown or its runtime is not installed.
    """
    (only,) = predict_all(path, fmt, images, batch=batch).values()
    return only


def predict_all(
    path: Path, fmt: str, images: NDArray[np.float32], *, batch: int = 1
) -> dict[str, NDArray[np.float32]]:
    """As `predict`, of a model file with any number of outputs.

    Returns:
        float32, (n, ...) each, by the outputs' names.
    """
    openers = {"onnx": _open_onnx, "tflite": _open_tflite}
    if fmt not in openers:
        message = f"unknown model format {fmt!r}"
        raise UsageError(message, remedy=f"take one of: {', '.join(openers)}")
    try:
        infer = openers[fmt](path)
    except ModuleNotFoundError as error:
        message = f"evaluating {path.name} needs the package of {error.name}"
        raise UsageError(message, remedy="pip install 'edgebench[device]'") from error
    chunks = [infer(images[i : i + batch]) for i in range(0, len(images), batch)]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _open_onnx(path: Path) -> Infer:
    # The wheel uploads telemetry at import unless told not to before.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort  # noqa: PLC0415

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    results = [output.name for output in session.get_outputs()]

    def infer(images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        channels_first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return dict(zip(results, session.run(None, {name: channels_first}), strict=True))

    return infer


def _open_tflite(path: Path) -> Infer:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    results = _results(interpreter)
    shape = tuple(interpreter.get_input_details()[0]["shape"])

    def infer(images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        nonlocal shape
        if images.shape != shape:
            shape = images.shape
            interpreter.resize_tensor_input(source, shape)
            interpreter.allocate_tensors()
        interpreter.set_tensor(source, images)
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in results.items()}

    return infer


def _results(interpreter: Any) -> dict[str, int]:  # noqa: ANN401 - LiteRT's own
    """Places of the outputs by the names that the file's signature gives them, if it has one."""
    if not interpreter.get_signature_list():
        return {str(d["name"]): d["index"] for d in interpreter.get_output_details()}
    details = interpreter.get_signature_runner().get_output_details()
    return {name: detail["index"] for name, detail in details.items()}
