"""Whether what an importer made answers as its ONNX file does: ONNX Runtime is the judge.

ONNX's own reference in Python is none: it pads MaxPool wrong, and is slow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgebench.derive.onnx_graph import Entry
from edgebench.errors import ModelRefusedError

PROBES = 2
"""Inputs that are tried: above 1, because an exporter takes a batch of 1 to be fixed."""
MAX_FLOAT_ERROR = 1e-4
"""Norm of a difference by the norm of the answer: a wrong conversion is far above."""
LIMITS: Mapping[str, float] = {
    "fp32": MAX_FLOAT_ERROR,
    "fp16": 0.05,
    # Of a tool that is not ours, of which the float graph was right: any finite answer. How good
    # int8 is, parity and accuracy tell; weights that mean nothing are half lost in 8 bits.
    "int8": np.finfo(np.float64).max,
    "int8_dynamic": np.finfo(np.float64).max,
}
"""Of what a runtime's own tools made of a file that is read right."""
_LARGEST: Mapping[str, int] = {"bool": 1, "uint8": 255, "int8": 127}
"""Of random whole numbers: bytes are pixels."""
_LEAST_RMS = 1e-4
"""Of an answer; a smaller one (probabilities of nothing) is no measure of what is lost."""


def drawn(inputs: Sequence[Entry]) -> dict[str, NDArray[Any]]:
    """Random inputs by name, floats from 0 to 1, the same every time."""
    random = np.random.default_rng(0)
    return {one.name: _drawn(random, one) for one in inputs}


def _drawn(random: np.random.Generator, one: Entry) -> NDArray[Any]:
    shape, kind = one.sizes(PROBES), one.dtype
    if kind.kind == "f":
        return random.random(shape, np.float32).astype(kind)
    # Of places and lengths only small numbers are safe; two alone would leave a norm nothing but
    # rounding to divide by.
    largest = _LARGEST.get(kind.name, 9)
    return random.integers(0, largest, shape, endpoint=True).astype(kind)


def reference(
    source: Path, outputs: Sequence[str], probes: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """What ONNX Runtime answers, by the names of the outputs."""
    # Not our own backend: it refuses outputs of an open shape, which an importer may well know.
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    answers = session.run(list(outputs), dict(probes))
    return dict(zip(outputs, answers, strict=True))


def hold(made: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]], most: float) -> None:
    """Hold answers against ONNX Runtime's.

    Raises:
        ModelRefusedError: One is further from it than it may be, or has another shape.
    """
    for name, right in wanted.items():
        found = made[name]
        error = np.inf
        if found.shape == right.shape:
            size = max(float(np.linalg.norm(right)), _LEAST_RMS * np.sqrt(right.size))
            error = float(np.linalg.norm(found.astype(np.float64) - right)) / size
        if not error <= most:  # NaN is no agreement
            raise ModelRefusedError(
                f"the result's {name} is {error:.2g} of its size beside ONNX Runtime's "
                f"({found.shape} for {right.shape}), at most {most:g} is right"
            )
