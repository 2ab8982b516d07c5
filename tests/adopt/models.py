"""Small ONNX models written byte by byte, with the shapes and types that a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, UINT8 = 1, 2
CLASSES = 8
Sizes = Sequence[int | str]


def classifier(
    path: Path,
    sizes: Sizes = ("n", 3, 16, 16),
    *,
    last: bool = False,
    kind: int = FLOAT,
    outside: str = "",
) -> Path:
    """A convolution, the mean of each channel, 8 classes.

    Args:
        path: Where.
        sizes: Of the input.
        last: It has its channels last.
        kind: Its type.
        outside: The file of its weights, relative; empty where they lie inside.
    """
    nodes, name = b"", "x"
    if kind != FLOAT:
        nodes += _node("Cast", name, "cast", to=FLOAT)
        name = "cast"
    if last:
        nodes += _node("Transpose", name, "first", perm=[0, 3, 1, 2])
        name = "first"
    nodes += _node("Conv", f"{name} w", "map", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    nodes += _node("GlobalAveragePool", "map", "mean") + _node("Flatten", "mean", "out")
    nodes += _weight("w", filters(), path.parent if outside else None, outside)
    path.write_bytes(model(nodes, [_value("x", sizes, kind)], [_value("out", ("n", CLASSES))]))
    return path


def two_inputs(path: Path) -> Path:
    """An image and a vector in, classes and a feature map out."""
    nodes = _node("Conv", "image w", "conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    nodes += _node("GlobalAveragePool", "conv", "mean") + _node("Flatten", "mean", "flat")
    nodes += _node("Add", "flat bias", "out") + _node("Relu", "conv", "map")
    nodes += _weight("w", filters())
    ins = [_value("image", ("n", 3, 16, 16)), _value("bias", ("n", CLASSES))]
    outs = [_value("out", ("n", CLASSES)), _value("map", ("n", CLASSES, 16, 16))]
    path.write_bytes(model(nodes, ins, outs))
    return path


def mapper(path: Path) -> Path:
    """An image in, a feature map out."""
    nodes = _node("Conv", "image w", "map", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    nodes += _weight("w", filters())
    outs = [_value("map", ("n", CLASSES, 16, 16))]
    path.write_bytes(model(nodes, [_value("image", ("n", 3, 16, 16))], outs))
    return path


def filters() -> NDArray[np.float32]:
    """Weights (classes, 3, 3, 3)."""
    drawn = np.random.default_rng(7).standard_normal((CLASSES, 3, 3, 3))
    return (drawn * 0.3).astype(np.float32)


def model(nodes: bytes, inputs: Sequence[bytes], outputs: Sequence[bytes]) -> bytes:
    """A ModelProto."""
    graph = nodes + _bytes(2, b"g") + b"".join(_bytes(11, one) for one in inputs)
    graph += b"".join(_bytes(12, one) for one in outputs)
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, 13))


def _node(kind: str, inputs: str, output: str, **attributes: Any) -> bytes:  # noqa: ANN401 - int or ints
    body = b"".join(_bytes(1, one.encode()) for one in inputs.split())
    body += _bytes(2, output.encode()) + _bytes(4, kind.encode())
    for name, value in attributes.items():
        many = isinstance(value, list)
        told = b"".join(_number(8, one) for one in value) if many else _number(3, value)
        body += _bytes(5, _bytes(1, name.encode()) + told + _number(20, 7 if many else 2))
    return _bytes(1, body)


def _weight(name: str, array: NDArray[Any], folder: Path | None = None, file: str = "") -> bytes:
    body = b"".join(_number(1, size) for size in array.shape) + _number(2, FLOAT)
    body += _bytes(8, name.encode())
    if folder is None:
        return _bytes(5, body + _bytes(9, array.tobytes()))
    target = folder / file
    if (
        "\0" not in file
        and target.parent.is_dir()
        and target.resolve().is_relative_to(folder.resolve())
    ):
        target.write_bytes(bytes(16) + array.tobytes())
    for key, value in (("location", file), ("offset", "16"), ("length", str(array.nbytes))):
        body += _bytes(13, _bytes(1, key.encode()) + _bytes(2, value.encode()))
    return _bytes(5, body + _number(14, 1))


def _value(name: str, sizes: Sizes, kind: int = FLOAT) -> bytes:
    dims = b"".join(
        _bytes(1, _number(1, size) if isinstance(size, int) else _bytes(2, size.encode()))
        for size in sizes
    )
    tensor = _number(1, kind) + _bytes(2, dims)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])
