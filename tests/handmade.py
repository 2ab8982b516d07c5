"""Workloads by hand, so small that their right answers can be worked out on paper.

The model files are written byte by byte: the onnx package is for building, not for testing.

The detector looks at 4 x 4 pixels as 2 x 2 quarters and takes each for ``red`` or ``green`` by its
mean colour; blue moves the box to the right. The segmenter takes each pixel for ``dark``, ``red``
or ``green``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 4
Quarter = tuple[int, int, tuple[int, int, int]]
"""Row, column, colour."""
_BACKGROUND, _GAIN, _PUSH = 5.0, 10.0, 5.0
_DARK = 0.5
_BOXES = """
[postprocess.boxes]
feature_maps = [[2, 2]]
sizes = [[[0.5, 0.5]]]
"""


def detector(folder: Path, samples: Mapping[str, NDArray[Any]] | None = None) -> Path:
    """A workload of the task detection, as `_workload` writes it."""
    scores = np.zeros((3, 3), np.float32)
    scores[1, 0] = scores[2, 1] = _GAIN
    offsets = np.zeros((4, 3), np.float32)
    offsets[1, 2] = _PUSH
    nodes = b"".join(
        (
            _node("AveragePool", "image", "quarters", kernel_shape=[2, 2], strides=[2, 2]),
            *(
                _node("Conv", f"quarters {name}_w {name}_b", f"{name}_map", kernel_shape=[1, 1])
                + _node("Transpose", f"{name}_map", f"{name}_last", perm=[0, 2, 3, 1])
                + _node("Reshape", f"{name}_last {name}_shape", name)
                + _weight(f"{name}_w", matrix.reshape(*matrix.shape, 1, 1))
                + _weight(f"{name}_b", bias)
                + _weight(f"{name}_shape", np.array([0, -1, len(matrix)], np.int64))
                for name, matrix, bias in (
                    ("boxes", offsets, np.zeros(4, np.float32)),
                    ("scores", scores, np.array([_BACKGROUND, 0, 0], np.float32)),
                )
            ),
        )
    )
    model = _model(nodes, [("boxes", 4, 4), ("scores", 4, 3)])
    inputs = _inputs()
    quarters = inputs.reshape(-1, 2, 2, 2, 2, 3).mean(axis=(2, 4)).reshape(-1, 4, 3)
    outputs = {"outputs": quarters @ offsets.T, "outputs_1": quarters @ scores.T}
    outputs["outputs_1"][..., 0] += _BACKGROUND
    head = 'name = "quarters"\ntask = "detection"\nlabels = ["red", "green"]\n'
    head += 'outputs = ["boxes", "scores"]\n'
    return _workload(folder, (head, _BOXES), model, {"inputs": inputs, **outputs}, samples)


def segmenter(folder: Path, samples: Mapping[str, NDArray[Any]] | None = None) -> Path:
    """A workload of the task segmentation, as `_workload` writes it."""
    matrix = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    bias = np.array([_DARK, 0, 0], np.float32)
    nodes = _node("Conv", "image w b", "logits", kernel_shape=[1, 1])
    nodes += _weight("w", matrix.reshape(3, 3, 1, 1)) + _weight("b", bias)
    inputs = _inputs()
    reference = {"inputs": inputs, "outputs": inputs @ matrix.T + bias}
    head = 'name = "pixels"\ntask = "segmentation"\nlabels = ["dark", "red", "green"]\n'
    model = _model(nodes, [("logits", 3, SIDE, SIDE)])
    return _workload(folder, (head, ""), model, reference, samples)


def picture(*corners: Quarter) -> NDArray[np.uint8]:
    """4 x 4 black pixels with coloured quarters."""
    made = np.zeros((SIDE, SIDE, 3), np.uint8)
    for row, column, colour in corners:
        made[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = colour
    return made


def _inputs() -> NDArray[np.float32]:
    """16 inputs without a near tie."""
    steps = np.random.default_rng(6).integers(0, 3, (16, SIDE, SIDE, 3))
    return steps.astype(np.float32) * np.float32(0.5)


def _workload(
    folder: Path,
    words: tuple[str, str],
    model: bytes,
    reference: Mapping[str, NDArray[Any]],
    samples: Mapping[str, NDArray[Any]] | None,
) -> Path:
    """A complete workload folder below ``folder``; without samples it has no accuracy."""
    head, tail = words
    name = head.split('"')[1]
    made = folder / "workloads" / name
    made.mkdir(parents=True)
    (made / "fp32.onnx").write_bytes(model)
    np.savez(made / "reference.npz", **reference)  # type: ignore[arg-type] # arrays by name
    files = _file(made / "reference.npz", "reference", len(reference["inputs"]))
    if samples is not None:
        np.savez(made / "samples.npz", **samples)  # type: ignore[arg-type] # as above
        files += _file(made / "samples.npz", "samples", len(samples["images"]))
    text = f"""schema = 1
version = 1
{head}source_sha256 = "{hashlib.sha256(model).hexdigest()}"
[input]
name = "image"
shape = [{SIDE}, {SIDE}, 3]
[preprocess]
resize = [{SIDE}, {SIDE}]
mean = [0.0, 0.0, 0.0]
std = [255.0, 255.0, 255.0]
{tail}{files}[[models]]
format = "onnx"
precision = "fp32"
layout = "NCHW"
path = "fp32.onnx"
size_byte = {len(model)}
sha256 = "{hashlib.sha256(model).hexdigest()}"
"""
    (made / "workload.toml").write_text(text)
    return made


def _file(path: Path, key: str, count: int) -> str:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return (
        f'[{key}]\npath = "{path.name}"\nsha256 = "{sha256}"\ncount = {count}\nsource = "by hand"\n'
    )


def _model(graph: bytes, outputs: Sequence[tuple[Any, ...]]) -> bytes:
    """IR version 8, opset 13; the batch is a symbol."""
    body = graph + _field(2, b"by hand") + _value(11, "image", 3, SIDE, SIDE)
    body += b"".join(_value(12, *output) for output in outputs)
    return _field(1, 8) + _field(7, body) + _field(8, _field(1, b"") + _field(2, 13))


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


def _weight(name: str, values: NDArray[Any]) -> bytes:
    dims = b"".join(_field(1, size) for size in values.shape)
    kind = _field(2, 7 if values.dtype == np.int64 else 1)
    return _field(5, dims + kind + _field(8, name.encode()) + _field(9, values.tobytes()))


def _value(number: int, name: str, *sample: int) -> bytes:
    dims = _field(1, _field(2, b"n")) + b"".join(_field(1, _field(1, size)) for size in sample)
    kind = _field(2, _field(1, _field(1, 1) + _field(2, dims)))
    return _field(number, _field(1, name.encode()) + kind)
