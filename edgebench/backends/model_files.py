"""The inputs that an ONNX or TFLite file declares, for runtimes that do not tell them.

Only the few fields on the way to it are read, from the file's own encoding: protocol buffers
(https://protobuf.dev/programming-guides/encoding/) with the field numbers of ``onnx.proto``, and
flatbuffers (https://flatbuffers.dev/internals/) with the table slots of TFLite's ``schema.fbs``.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edgebench.errors import ModelRefusedError

VARINT, BYTES = 0, 2
_FIXED64, _FIXED32 = 1, 5
_VARINT_BITS = 63
# onnx.proto
_GRAPH, _INITIALIZER, _INITIALIZER_NAME, _INPUT = 7, 5, 8, 11
_VALUE_NAME, _TYPE, _TENSOR_TYPE, _ELEMENT, _SHAPE, _DIM, _DIM_VALUE = 1, 2, 1, 1, 2, 1, 1
_ELEMENTS = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}
# schema.fbs
_SUBGRAPHS, _TENSORS, _INPUTS = 2, 0, 1
_TENSOR_SHAPE, _TENSOR_TYPE_TFLITE, _TENSOR_NAME, _TENSOR_SIGNATURE = 0, 1, 3, 7
_MOST_INPUTS, _MOST_AXES, _LONGEST_NAME = 1024, 64, 4096
"""Tables of a hostile file may all lead to one long vector: reading it again would take hours."""
_TFLITE_TYPES = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    9: "int8",
    10: "float64",
}


class Declared(NamedTuple):
    """One input; ``shape`` has None where a size is open."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = ""
    """A numpy dtype's name; empty for a type that numpy does not have."""


def inputs(path: Path) -> tuple[Declared, ...]:
    """The inputs of a model's main graph.

    Raises:
        ModelRefusedError: The file cannot be read as what its suffix says.
    """
    read = _tflite if path.suffix == ".tflite" else _onnx
    with intact(path, read.__name__[1:]):
        return tuple(read(memoryview(path.read_bytes())))


@contextlib.contextmanager
def intact(path: Path, kind: str) -> Iterator[None]:
    """Whatever goes wrong while a file is read from its encoding is the file's fault.

    Raises:
        ModelRefusedError: Something did.
    """
    try:
        yield
    except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise ModelRefusedError(f"{path.name} is not an intact {kind} file") from error


def _onnx(data: memoryview) -> Iterator[Declared]:
    graph = next(fields(data, _GRAPH), None)
    if graph is None:
        raise ValueError(_GRAPH)
    weights = {text(fields(one, _INITIALIZER_NAME)) for one in fields(graph, _INITIALIZER)}
    for value in fields(graph, _INPUT):
        name = text(fields(value, _VALUE_NAME))
        if name in weights:  # old files list their weights among the inputs
            continue
        kind = value
        for number in (_TYPE, _TENSOR_TYPE):
            kind = next(iter(fields(kind, number)), memoryview(b""))
        shape = next(iter(fields(kind, _SHAPE)), memoryview(b""))
        dtype = _ELEMENTS.get(_number(kind, _ELEMENT) or 0, "")
        sizes = (_number(one, _DIM_VALUE) for one in fields(shape, _DIM))
        yield Declared(name, tuple(map(_fixed, sizes)), dtype)


def _fixed(size: int | None) -> int | None:
    """A named size is open, and so are 0 and -1 (which stands there as 2^64 - 1)."""
    return size if size is not None and 0 < size < 1 << _VARINT_BITS else None


def _number(data: memoryview, wanted: int) -> int | None:
    """The first integer field of that number."""
    walked = walk(data)
    return next((v for number, kind, v, _ in walked if number == wanted and kind == VARINT), None)


def text(values: Iterator[memoryview]) -> str:
    """The first of some fields, decoded; empty where there is none."""
    return bytes(next(values, memoryview(b""))).decode()


def fields(data: memoryview, wanted: int) -> Iterator[memoryview]:
    """The bytes of every field of that number."""
    for number, kind, _, content in walk(data):
        if number == wanted and kind == BYTES:
            yield content


def walk(data: memoryview) -> Iterator[tuple[int, int, int, memoryview]]:
    """Every field as ``(number, wire type, number value, bytes)``."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind, value, size = key & 7, 0, 0
        if kind == VARINT:
            value, at = varint(data, at)
        elif kind == BYTES:
            size, at = varint(data, at)
        elif kind in {_FIXED32, _FIXED64}:
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(kind)
        if at + size > len(data):
            raise ValueError(size)
        yield key >> 3, kind, value, data[at : at + size]
        at += size


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first; and where the next field begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, at
        if shift > _VARINT_BITS:
            raise ValueError(shift)


def _tflite(data: memoryview) -> Iterator[Declared]:
    if bytes(data[4:8]) != b"TFL3":
        raise ValueError(bytes(data[4:8]))
    model = follow(data, 0)
    graph = elements(data, slot(data, model, _SUBGRAPHS), tables=True)[0]
    tensors = elements(data, slot(data, graph, _TENSORS), tables=True)
    indices = elements(data, slot(data, graph, _INPUTS))
    _at_most(_MOST_INPUTS, len(indices))
    for index in indices:
        tensor = tensors[index]
        sizes = axes(data, tensor, _TENSOR_SHAPE)
        # The signature has -1 where the shape has 1.
        sizes = axes(data, tensor, _TENSOR_SIGNATURE) or sizes
        name = follow(data, slot(data, tensor, _TENSOR_NAME))
        size = _at_most(_LONGEST_NAME, unsigned(data, name))
        words = bytes(data[name + 4 : name + 4 + size]).decode()
        # A field that has its default, float32, is left out.
        told = has(data, tensor, _TENSOR_TYPE_TFLITE)
        kind = data[slot(data, tensor, _TENSOR_TYPE_TFLITE)] if told else 0
        shape = tuple(size if size > 0 else None for size in sizes)
        yield Declared(words, shape, _TFLITE_TYPES.get(kind, ""))


def unsigned(data: memoryview, at: int) -> int:
    """The number that stands at ``at``."""
    return int(struct.unpack_from("<I", data, at)[0])


def follow(data: memoryview, at: int) -> int:
    """Where an offset that stands at ``at`` leads."""
    return at + unsigned(data, at)


def slot(data: memoryview, table: int, index: int) -> int:
    """Where a table's field stands, found through its vtable."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    return table + int(struct.unpack_from("<H", data, vtable + 4 + 2 * index)[0])


def has(data: memoryview, table: int, index: int) -> bool:
    """Whether a table has a field at all."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    at, size = 4 + 2 * index, int(struct.unpack_from("<H", data, vtable)[0])
    return at < size and struct.unpack_from("<H", data, vtable + at)[0] != 0


def axes(data: memoryview, table: int, index: int) -> list[int]:
    """A tensor's sizes; none where the field is left out."""
    if not has(data, table, index):
        return []
    at = slot(data, table, index)
    _at_most(_MOST_AXES, unsigned(data, follow(data, at)))
    return elements(data, at)


def _at_most(most: int, count: int) -> int:
    if count > most:
        raise ValueError(count)
    return count


def elements(data: memoryview, slot: int, *, tables: bool = False) -> list[int]:
    """A vector's int32 elements, or where its tables stand."""
    vector = follow(data, slot)
    count = unsigned(data, vector)
    if vector + 4 + 4 * count > len(data):
        raise ValueError(count)
    if tables:
        return [follow(data, vector + 4 + 4 * i) for i in range(count)]
    return list(struct.unpack_from(f"<{count}i", data, vector + 4))
