"""Whether what an importer made answers as its ONNX file does: ONNX Runtime is the judge.

ONNX's own reference in Python is none: it pads MaxPool wrong, and is slow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgebench.derive.onnx_graph import Image
from edgebench.errors import ModelRefusedError

PROBES = 2
"""Inputs that are tried: above 1, because an exporter takes a batch of 1 to be fixed."""
MAX_FLOAT_ERROR, MAX_INT8_ERROR = 1e-4, 0.5
"""Norm of a difference by the norm of the answer: a wrong conversion is far above either. How good
int8 is, parity and accuracy tell."""
_LEAST_NORM = 1e-30


def drawn(image: Image) -> NDArray[np.float32]:
    """Random inputs from 0 to 1, (batch, channels, height, width), the same every time."""
    shape = (image.batch or PROBES, *image.shape)
    return np.random.default_rng(0).random(shape, np.float32)


def reference(source: Path, image: Image, probes: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """What ONNX Runtime answers, by the names of the outputs."""
    # Not our own backend: it refuses outputs of an open shape, which an importer may well know.
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    answers = session.run(list(image.outputs), {image.name: probes})
    return dict(zip(image.outputs, answers, strict=True))


def hold(made: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]], most: float) -> None:
    """Hold answers against ONNX Runtime's.

    Raises:
        ModelRefusedError: One is further from it than it may be, or has another shape.
    """
    for name, right in wanted.items():
        found = made[name]
        error = np.inf
        if found.shape == right.shape:
            size = max(float(np.linalg.norm(right)), _LEAST_NORM)
            error = float(np.linalg.norm(found.astype(np.float64) - right)) / size
        if not error <= most:  # NaN is no agreement
            raise ModelRefusedError(
                f"the result's {name} is {error:.2g} of its size beside ONNX Runtime's "
                f"({found.shape} for {right.shape}), at most {most:g} is right"
            )
