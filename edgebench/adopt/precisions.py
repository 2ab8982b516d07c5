"""Which precision a model file has, read from the file: its cells must not be called otherwise.

What computes it is another question, and each runtime's own answer (`Effective.precision`).
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edgebench.adopt import onnx_file, openvino_xml
from edgebench.backends import ncnn_files, openvino_files
from edgebench.backends.model_files import axes, elements, follow, has, intact, slot
from edgebench.records import Precision
from edgebench.specs import ModelFormat

# TFLite's schema.fbs
_SUBGRAPHS, _BUFFERS, _TENSORS = 2, 4, 0
_SHAPE, _TYPE, _BUFFER, _DATA = 0, 1, 2, 0
_FLOAT32, _FLOAT16, _UINT8, _INT8 = 0, 1, 3, 9
_INT8_LAYER = re.compile(rb"^(?:Convolution|InnerProduct)\w*\s.*\s8=[1-9]", re.MULTILINE)
"""ncnn: parameter 8 of a layer is its int8 scale term."""


def of(path: Path, fmt: ModelFormat) -> Precision:
    """The precision of a model file.

    Formats that keep it to themselves are float until somebody says otherwise.

    Args:
        path: The file as a workload has it.
        fmt: Its format.

    Raises:
        ModelRefusedError: The file is damaged.
    """
    read = _READERS.get(fmt)
    return read(path) if read else "fp32"


def _tflite(path: Path) -> Precision:
    """int8 weights with float activations are quantised as they go: int8_dynamic."""
    with intact(path, "tflite"):
        data = memoryview(path.read_bytes())
        model = follow(data, 0)
        graph = elements(data, slot(data, model, _SUBGRAPHS), tables=True)[0]
        buffers = elements(data, slot(data, model, _BUFFERS), tables=True)
        weights: Counter[int] = Counter()
        activations: Counter[int] = Counter()
        for tensor in elements(data, slot(data, graph, _TENSORS), tables=True):
            kind = _byte(data, tensor, _TYPE)
            shape = axes(data, tensor, _SHAPE)
            constant = has(data, buffers[_word(data, tensor, _BUFFER)], _DATA)
            (weights if constant else activations)[kind] += math.prod(shape)
    small = weights[_INT8] + weights[_UINT8]
    if small > weights[_FLOAT32] + weights[_FLOAT16]:
        quantised = activations[_INT8] + activations[_UINT8] > activations[_FLOAT32]
        return "int8" if quantised else "int8_dynamic"
    return "fp16" if weights[_FLOAT16] > weights[_FLOAT32] else "fp32"


def _byte(data: memoryview, table: int, index: int) -> int:
    return int(data[slot(data, table, index)]) if has(data, table, index) else 0


def _word(data: memoryview, table: int, index: int) -> int:
    if not has(data, table, index):
        return 0
    return int(struct.unpack_from("<I", data, slot(data, table, index))[0])


def _openvino(path: Path) -> Precision:
    with zipfile.ZipFile(path) as archive:
        return openvino_xml.precision(archive.read(openvino_files.XML).decode("utf-8", "replace"))


def _ncnn(path: Path) -> Precision:
    """The tag before the first weights tells their type, the layers whether they are int8."""
    param, weights = ncnn_files.unpack(path)
    if _INT8_LAYER.search(param):
        return "int8"
    tag = int.from_bytes(weights[:4], "little")
    return "fp16" if tag == ncnn_files.FLOAT16 else "fp32"


_READERS: dict[ModelFormat, Callable[[Path], Precision]] = {
    "onnx": onnx_file.precision,
    "tflite": _tflite,
    "openvino": _openvino,
    "ncnn": _ncnn,
}
