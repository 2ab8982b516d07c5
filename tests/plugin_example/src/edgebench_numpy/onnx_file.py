"""The parts of an ONNX file that an executor needs, read from the file's own encoding.

Protocol buffers (https://protobuf.dev/programming-guides/encoding/), field numbers of onnx.proto.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_DTYPES = {1: "<f4", 7: "<i8"}
_Fields = defaultdict[int, list[Any]]


class Node(NamedTuple):
    """One operator."""

    kind: str
    inputs: list[str]
    output: str
    attributes: dict[str, list[int]]


class Graph(NamedTuple):
    """A whole network."""

    nodes: list[Node]
    weights: dict[str, NDArray[Any]]
    input: str
    shape: tuple[int, ...]
    """Of the input; 0 where it is open."""


def read(path: Path) -> Graph:
    """The graph of a file.

    Raises:
        ValueError: It is no ONNX file.
    """
    try:
        graph = _fields(_fields(path.read_bytes())[7][0])
        weights = {one[8][0].decode(): _tensor(one) for one in map(_fields, graph[5])}
        (value,) = (one for one in map(_fields, graph[11]) if one[1][0].decode() not in weights)
        shape = _fields(_fields(_fields(value[2][0])[1][0])[2][0])[1]
        sizes = tuple((_fields(size)[1] or [0])[0] for size in shape)
        return Graph(
            [_node(_fields(one)) for one in graph[1]], weights, value[1][0].decode(), sizes
        )
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise ValueError(f"{path.name} is no ONNX file that can be read here") from error


def _node(node: _Fields) -> Node:
    attributes = {}
    for one in map(_fields, node[5]):
        integers = b"".join(one[8]) if one[8] and isinstance(one[8][0], bytes) else one[8]
        attributes[one[1][0].decode()] = _packed(integers) or one[3] or one[4]
    names = [name.decode() for name in node[1]]
    return Node(node[4][0].decode(), names, node[2][0].decode(), attributes)


def _packed(values: bytes | list[int]) -> list[int]:
    """A list of integers, which a writer may have put one after the other."""
    if isinstance(values, list):
        return values
    found, at = [], 0
    while at < len(values):
        value, at = _varint(values, at)
        found.append(value)
    return found


def _tensor(tensor: _Fields) -> NDArray[Any]:
    sizes = (
        _packed(b"".join(tensor[1])) if tensor[1] and isinstance(tensor[1][0], bytes) else tensor[1]
    )
    return np.frombuffer(tensor[9][0], _DTYPES[tensor[2][0]]).reshape(sizes)


def _fields(data: bytes) -> _Fields:
    """Every field's values by its number: integers, or bytes of whatever lies inside."""
    found: _Fields = defaultdict(list)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
            found[number].append(value)
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = _varint(data, at)
        found[number].append(data[at : at + size])
        at += size
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at
