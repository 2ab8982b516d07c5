"""What an ONNX file says of its weights: their type, and whether they lie elsewhere.

Read from the encoding itself (see `edgebench.backends.model_files`): a device has no ``onnx``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from edgebench.backends.model_files import BYTES, VARINT, fields, intact, text, varint, walk
from edgebench.errors import ModelRefusedError, UsageError
from edgebench.records import Precision

# onnx.proto
_GRAPH, _NODE, _INITIALIZER = 7, 1, 5
_OP_TYPE, _ATTRIBUTE = 4, 5
_TENSOR, _BRANCH, _TENSORS, _BRANCHES = 5, 6, 10, 11
_FUNCTION, _FUNCTION_NODE = 25, 7
_DIMS, _DATA_TYPE, _RAW_DATA, _EXTERNAL, _LOCATION = 1, 2, 9, 13, 14
_KEY, _VALUE = 1, 2
_TYPES: dict[int, Precision] = {1: "fp32", 10: "fp16", 16: "bf16"}
_DYNAMIC = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger")
_STATIC = ("QuantizeLinear", "QLinearConv", "QLinearMatMul")
_MORE = 0x80
"""The bit of a byte that says that another one follows."""
_LARGEST_BYTE = (1 << 31) - 1
"""Of a message, by the encoding's own rules."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    kind: int
    value: int
    """Where it is a number."""
    content: memoryview
    """Where it is bytes."""


class Outside(NamedTuple):
    """Where the numbers of a tensor lie."""

    file: str
    offset: int
    length: int | None


def precision(path: Path) -> Precision:
    """The type in which a file's weights are multiplied, as its operators and weights tell.

    Raises:
        ModelRefusedError: The file is damaged.
    """
    with intact(path, "onnx"):
        graph = _graph(memoryview(path.read_bytes()))
        operators = {text(fields(node, _OP_TYPE)) for node in fields(graph, _NODE)}
        if operators & set(_DYNAMIC):
            return "int8_dynamic"
        if operators & set(_STATIC):
            return "int8"
        numbers: Counter[Precision] = Counter({"fp32": 0})
        for tensor in fields(graph, _INITIALIZER):
            kind = _TYPES.get(_number(tensor, _DATA_TYPE))
            if kind is not None:
                numbers[kind] += _count(tensor)
        return numbers.most_common(1)[0][0]


def outside(path: Path) -> tuple[str, ...]:
    """The files that hold a model's weights, as it names them.

    Raises:
        ModelRefusedError: The file is damaged, or more than its main graph's weights lie elsewhere.
    """
    with intact(path, "onnx"):
        model = memoryview(path.read_bytes())
        if any(_where(tensor) is not None for tensor in _hidden(model)):
            raise ModelRefusedError(
                "an attribute, a branch or a function of it has its numbers in another file",
                remedy="write it as one file: onnx.save(onnx.load(FILE), 'my.onnx')",
            )
        found = (_where(tensor) for tensor in fields(_graph(model), _INITIALIZER))
        return tuple(dict.fromkeys(one.file for one in found if one is not None))


def _hidden(model: memoryview) -> Iterator[memoryview]:
    """Every tensor but the main graph's weights: of attributes, branches and functions."""
    left = list(fields(_graph(model), _NODE))
    for function in fields(model, _FUNCTION):
        left += fields(function, _FUNCTION_NODE)
    while left:  # no recursion: branches of a hostile file go as deep as it is long
        for attribute in fields(left.pop(), _ATTRIBUTE):
            yield from fields(attribute, _TENSOR)
            yield from fields(attribute, _TENSORS)
            for graph in (*fields(attribute, _BRANCH), *fields(attribute, _BRANCHES)):
                yield from fields(graph, _INITIALIZER)
                left += fields(graph, _NODE)


def whole(path: Path) -> bytes:
    """The model with every weight inside: one file, whose hash stands for all of it.

    Raises:
        UsageError: A weight is not where the model says, or together they are too large.
        ModelRefusedError: The file is damaged.
    """
    with intact(path, "onnx"):
        model = memoryview(path.read_bytes())
        parts = {name: path.parent / name for name in outside(path)}
        if len(model) + sum(part.stat().st_size for part in parts.values()) > _LARGEST_BYTE:
            raise UsageError(f"--model {path}: is larger than 2 GiB with its weights")
        files = {name: part.read_bytes() for name, part in parts.items()}
        return b"".join(
            encoded(_with_weights(field, files, path) if field.number == _GRAPH else field)
            for field in _fields(model)
        )


def _with_weights(graph: Field, files: Mapping[str, bytes], path: Path) -> Field:
    parts = []
    for field in _fields(graph.content):
        where = _where(field.content) if field.number == _INITIALIZER else None
        if where is None:
            parts.append(encoded(field))
            continue
        end = None if where.length is None else where.offset + where.length
        data = files[where.file][where.offset : end]
        if where.offset < 0 or (where.length is not None and len(data) != where.length):
            raise UsageError(f"--model {path}: {where.file} is shorter than the model says")
        elsewhere = {_EXTERNAL, _LOCATION}
        kept = [encoded(one) for one in _fields(field.content) if one.number not in elsewhere]
        inside = b"".join([*kept, encoded(Field(_RAW_DATA, BYTES, 0, memoryview(data)))])
        parts.append(encoded(field._replace(content=memoryview(inside))))
    return graph._replace(content=memoryview(b"".join(parts)))


def _graph(data: memoryview) -> memoryview:
    graph = next(fields(data, _GRAPH), None)
    if graph is None:
        raise ValueError(_GRAPH)
    return graph


def _fields(data: memoryview) -> Iterator[Field]:
    return (Field(*one) for one in walk(data))


def encoded(field: Field) -> bytes:
    """A field as it stands in a file."""
    key = _varint(field.number << 3 | field.kind)
    if field.kind == VARINT:
        return key + _varint(field.value)
    size = _varint(len(field.content)) if field.kind == BYTES else b""
    return key + size + bytes(field.content)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    made = bytearray()
    while value >= _MORE:
        made.append(value & (_MORE - 1) | _MORE)
        value >>= 7
    return bytes([*made, value])


def _number(data: memoryview, wanted: int) -> int:
    return next((field.value for field in _fields(data) if field.number == wanted), 0)


def _count(tensor: memoryview) -> int:
    """How many numbers a tensor holds; some writers pack its sizes, some do not."""
    count = 1
    for field in _fields(tensor):
        if field.number == _DIMS and field.kind == VARINT:
            count *= field.value
        elif field.number == _DIMS:
            at = 0
            while at < len(field.content):
                size, at = varint(field.content, at)
                count *= size
    return count


def _where(tensor: memoryview) -> Outside | None:
    told = {
        text(fields(pair, _KEY)): text(fields(pair, _VALUE)) for pair in fields(tensor, _EXTERNAL)
    }
    if not told:
        return None
    length = told.get("length")
    return Outside(
        told.get("location", ""), int(told.get("offset", "0")), int(length) if length else None
    )
