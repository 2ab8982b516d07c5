"""The model files of a workload: derived from one Keras model, held against it, described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from edgebench.derive.onnx_cost import cost
from edgebench.errors import UsageError
from edgebench.zoo import export_onnx, export_tflite, manifest
from edgebench.zoo.evaluate import predict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Say = Callable[[str], None]

LAYOUTS = {"onnx": "NCHW", "tflite": "NHWC"}
LEAST_COSINE = 0.999
"""Of the float files' answers with Keras's."""


def export(
    folder: Path,
    make: Callable[[int | None], Any],
    calibration: NDArray[np.float32],
    opset: int,
    say: Say,
) -> None:
    """Write ``models/`` in both formats and all precisions.

    Args:
        folder: The workload's.
        make: Gives the Keras model for a batch, None for any.
        calibration: float32, (n, height, width, channels), preprocessed.
        opset: Of the ONNX files.
        say: Gets one line a step.

    Raises:
        UsageError: The static int8 ONNX file would not run in integers.
    """
    models = folder / "models"
    models.mkdir(exist_ok=True)
    say("deriving ONNX files")
    export_onnx.export(make(None), calibration, models, opset)
    must_be_integer(models / "int8.onnx")
    say("deriving TFLite files")
    export_tflite.export(make(1), calibration, models)


def must_be_integer(path: Path) -> None:
    """Hold a static int8 file to what it promises.

    Raises:
        UsageError: A convolution of it still runs in float.
    """
    count = export_onnx.float_convolutions(export_onnx.runtime_operators(path))
    if count:
        message = f"{count} convolutions of {path.name} still run in float"
        raise UsageError(message, remedy="take another version of onnxruntime")


def every(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Each file that ``export`` wrote, with its format and precision."""
    for fmt in LAYOUTS:
        for precision in export_onnx.PRECISIONS:
            yield folder / "models" / f"{precision}.{fmt}", fmt, precision


def row(path: Path, fmt: str, precision: str, opset: int) -> dict[str, Any]:
    """A file's entry in workload.toml, without accuracy."""
    if fmt == "onnx":
        folded = export_onnx.is_folded(path.with_name("fp32.onnx"))
        tool = export_onnx.tool(precision, opset, folded=folded)
    else:
        tool = export_tflite.tool(precision)
    return {
        "path": f"models/{path.name}",
        "format": fmt,
        "precision": precision,
        "layout": LAYOUTS[fmt],
        "sha256": manifest.file_sha256(path),
        "size_byte": path.stat().st_size,
        "tool": tool,
    }


def hold(path: Path, fmt: str, inputs: NDArray[np.float32], outputs: NDArray[np.float32]) -> float:
    """Run a file on the reference inputs by the runtime that a device would use.

    Returns:
        The least cosine of one answer with Keras's.
    """
    answers = predict(path, fmt, inputs)
    lengths = np.linalg.norm(answers, axis=1) * np.linalg.norm(outputs, axis=1)
    return float(((answers * outputs).sum(axis=1) / lengths).min())


def ship(folder: Path, rows: list[dict[str, Any]], ships: Sequence[str]) -> list[dict[str, Any]]:
    """Delete the files that a recipe does not ship.

    Args:
        folder: The workload's.
        rows: Of every file.
        ships: Names below ``models/``; none stands for all.

    Returns:
        The rows of those that stay.

    Raises:
        UsageError: A name is none of them.
    """
    names = [one["path"].partition("/")[2] for one in rows]
    if unknown := sorted(set(ships) - set(names)):
        message = f"the recipe ships {', '.join(unknown)}, which no build writes"
        raise UsageError(message, remedy=f"take of: {', '.join(names)}")
    kept = [one for one, name in zip(rows, names, strict=True) if not ships or name in ships]
    for one in rows:
        if one not in kept:
            (folder / one["path"]).unlink()
    return kept


def counted(folder: Path) -> dict[str, int]:
    """What one inference costs by the fp32 ONNX file, as workload.toml names it.

    Raises:
        UsageError: The file has an operator that cannot be counted.
    """
    found = cost(onnx.load(folder / "models" / "fp32.onnx"))
    if found.macs is None or found.activation_peak_byte is None:
        message = f"{folder.name}: models/fp32.onnx has operators that cannot be counted"
        raise UsageError(message, remedy="build with another opset or version of tf2onnx")
    return {
        "macs": found.macs,
        "parameters": found.parameters,
        "activation_peak_byte": found.activation_peak_byte,
    }
