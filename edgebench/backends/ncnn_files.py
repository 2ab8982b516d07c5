"""ncnn's two files as one: ``model.param`` (a text of layers) and ``model.bin`` (their weights).

A derived model is a zip of both, stored without compression and with a fixed date, so that one
sha256 stands for the pair. Formats: ncnn's wiki, "param and model file structure", and its
"quantized int8 inference" for int8 weights and their scales.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench.backends import zips
from edgebench.errors import ModelRefusedError

PARAM, BIN = "model.param", "model.bin"
MAGIC = "7767517"
FLOAT16, INT8 = 0x01306B47, 0x000D4B38
FLOAT32 = (0, 0x0002C056)
"""Tags before the weights of a layer; a tag of 0 stands for float32 as it is."""
_PRODUCTS = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthWise"), (6, 5)),
    **dict.fromkeys(("Deconvolution", "DeconvolutionDepthWise"), (6, 5)),
    "InnerProduct": (2, 1),
}
"""Layers of multiplications: their parameters for the number of weights and for the bias."""
_TYPES: dict[int, np.dtype[Any]] = {FLOAT16: np.dtype(np.float16), INT8: np.dtype(np.int8)}
_NO_WEIGHTS = frozenset(
    {
        *("Input", "Split", "Concat", "Slice", "Pooling", "Permute", "Reshape", "Flatten", "Noop"),
        *("ReLU", "Clip", "Sigmoid", "TanH", "Swish", "HardSwish", "HardSigmoid", "Softmax"),
        *("BinaryOp", "UnaryOp", "Eltwise", "Padding", "Crop", "Interp", "Reduction", "Dropout"),
        *("Squeeze", "ExpandDims", "ELU", "GELU", "Mish", "ShuffleChannel", "Cast", "Packing"),
        *("MatMul", "Softplus", "PixelShuffle", "Reorg", "Tile", "Log", "Exp", "Erf", "GLU"),
    }
)
_PLAIN = ("LayerNorm", "MemoryData", "PReLU", "Scale", "BatchNorm", "InstanceNorm")
"""Layers that hold float32 without a tag."""
_NUM_OUTPUT, _GROUP, _INT8_TERM = 0, 7, 8
_ALIGN_BYTE = 4


class Layer(msgspec.Struct, kw_only=True):
    """A line of the param file, and what the bin file holds for it."""

    kind: str
    name: str
    bottoms: list[str]
    tops: list[str]
    parameters: dict[int, str]
    tag: int | None = None
    """Of its weights; None where it has none."""
    weight: NDArray[np.float32] | NDArray[np.int8] | None = None
    """(n,), in the file's own order; float16 is widened."""
    bias: NDArray[np.float32] | None = None
    plain: bytes = b""
    """What a layer without multiplications holds, as it is."""
    scales: NDArray[np.float32] | None = None
    """int8 only: of the weights, an output channel (or group) each, then of the input."""

    def number(self, key: int, default: int = 0) -> int:
        """An integer parameter."""
        return int(self.parameters.get(key, default))

    @property
    def plain_count(self) -> int:
        """Numbers of a layer of `_PLAIN`."""
        first, affine = self.number(0), self.number(2, 1)
        if self.kind == "MemoryData":
            return math.prod(max(self.number(key), 1) for key in (0, 1, 11, 2))
        if self.kind in ("LayerNorm", "InstanceNorm"):
            return 2 * first if affine else 0
        return first * {"Scale": 1 + self.number(1), "BatchNorm": 4}.get(self.kind, 1)

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.number(_NUM_OUTPUT)

    @property
    def groups(self) -> int:
        """1 but for grouped convolutions."""
        return self.number(_GROUP, 1) if self.kind == "ConvolutionDepthWise" else 1

    @property
    def scale_count(self) -> int:
        """Weight scales that ncnn reads for an int8 layer of this kind."""
        return self.groups if self.kind == "ConvolutionDepthWise" else self.outputs


def with_input_shape(param: bytes, shape: tuple[int, int, int]) -> bytes:
    """The param file with (height, width, channels) written into its Input layer.

    ncnn takes any size; the layer's parameters 0, 1 and 2 (width, height, channels) are its own
    place to say which one is meant.
    """
    height, width, channels = shape
    lines = param.decode("utf-8", "replace").splitlines()
    for number, line in enumerate(lines):
        if line.split()[:1] == ["Input"]:
            lines[number] = f"{line.rstrip()} 0={width} 1={height} 2={channels}"
    return ("\n".join(lines) + "\n").encode()


def input_shape(layers: Sequence[Layer]) -> tuple[int, ...] | None:
    """(channels, height, width) of the first Input layer, or as many of the last as it has.

    None where it does not say (0= 1= 2=): ncnn takes what it is given.
    """
    first = next((layer for layer in layers if layer.kind == "Input"), None)
    sizes = [first.number(key) for key in (2, 1, 0)] if first else []
    told = tuple(size for size in sizes if size > 0)
    return told if told and told == tuple(sizes[-len(told) :]) else None


def pack(path: Path, param: bytes, weights: bytes) -> None:
    """Write both files as one; the same bytes give the same file."""
    zips.write(path, ((PARAM, param), (BIN, weights)))


def unpack(path: Path) -> tuple[bytes, bytes]:
    """``(param, bin)`` of a file that `pack` wrote.

    Raises:
        ModelRefusedError: It is something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(PARAM), archive.read(BIN)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelRefusedError(f"{path.name} is no pair of ncnn files: {error}") from None


def read_layers(param: bytes, weights: bytes) -> list[Layer]:
    """The layers of a model with their weights.

    Raises:
        ModelRefusedError: A layer has weights whose place in the file is not known here, or the
            files do not fit each other.
    """
    lines = [line.split() for line in param.decode("utf-8", "replace").splitlines() if line.strip()]
    if len(lines) < 2 or lines[0] != [MAGIC]:  # noqa: PLR2004 - magic and counts
        raise ModelRefusedError("the param file is not in ncnn's text format")
    try:
        layers = [_layer(words) for words in lines[2:]]
        end = 0
        for layer in layers:
            end = _take(layer, weights, end)
    except (ValueError, IndexError, struct.error) as error:
        raise ModelRefusedError(f"the files of ncnn cannot be read: {error}") from None
    if end != len(weights):
        raise ModelRefusedError(f"the bin file has {len(weights)} byte, its layers use {end}")
    return layers


def _layer(words: Sequence[str]) -> Layer:
    kind, name, ins, outs = words[0], words[1], int(words[2]), int(words[3])
    blobs, rest = words[4 : 4 + ins + outs], words[4 + ins + outs :]
    pairs = [word.split("=", 1) for word in rest]
    return Layer(
        kind=kind,
        name=name,
        bottoms=list(blobs[:ins]),
        tops=list(blobs[ins:]),
        parameters={int(key): value for key, value in pairs},
    )


def _take(layer: Layer, data: bytes, at: int) -> int:
    """Read a layer's weights from ``at``; where the next layer's begin."""
    if layer.kind in _PLAIN:
        end = at + 4 * layer.plain_count
        layer.plain = data[at:end]
        return end
    if layer.kind == "Gemm":
        end = _end_of_gemm(layer, data, at)
        layer.plain = data[at:end]
        return end
    if layer.kind not in _PRODUCTS:
        if layer.kind not in _NO_WEIGHTS:
            raise ModelRefusedError(f"ncnn's layer {layer.kind} ({layer.name}) is not known here")
        return at
    count_key, bias_key = _PRODUCTS[layer.kind]
    count = layer.number(count_key)
    (layer.tag,) = struct.unpack_from("<I", data, at)
    at += 4
    kind: np.dtype[Any] = _TYPES.get(layer.tag, np.dtype(np.float32))
    if layer.tag not in (FLOAT16, INT8, *FLOAT32):
        raise ModelRefusedError(f"the weights of {layer.name} have the unknown tag {layer.tag:#x}")
    raw = np.frombuffer(data, kind, count, at)
    layer.weight = raw if layer.tag == INT8 else raw.astype(np.float32)
    at += -(-count * kind.itemsize // _ALIGN_BYTE) * _ALIGN_BYTE
    if layer.number(bias_key):
        layer.bias = np.frombuffer(data, np.float32, layer.outputs, at)
        at += layer.bias.nbytes
    if layer.number(_INT8_TERM):
        layer.scales = np.frombuffer(data, np.float32, layer.scale_count + 1, at)
        at += layer.scales.nbytes
    return at


def _end_of_gemm(layer: Layer, data: bytes, at: int) -> int:
    """Behind a product of matrices, each of which may be a constant with a tag of its own.

    It stays float: its parameters 4, 5 and 6 say which are constant, 7, 8 and 9 how large, 10 along
    which axes the third, which is added, is repeated.
    """
    rows, columns, inner = (layer.number(key) for key in (7, 8, 9))
    added = {0: 1, 1: rows, 2: rows, 3: rows * columns, 4: columns}
    counts = (rows * inner, inner * columns, added.get(layer.number(10), 0))
    for key, count in zip((4, 5, 6), counts, strict=True):
        if layer.number(key) and count:
            (tag,) = struct.unpack_from("<I", data, at)
            if tag not in (FLOAT16, *FLOAT32):
                raise ModelRefusedError(
                    f"the weights of {layer.name} have the unknown tag {tag:#x}"
                )
            size = _TYPES.get(tag, np.dtype(np.float32)).itemsize
            at += _ALIGN_BYTE + -(-count * size // _ALIGN_BYTE) * _ALIGN_BYTE
    return at


def write_layers(layers: Sequence[Layer], blobs: int) -> tuple[bytes, bytes]:
    """``(param, bin)`` of layers; float16 weights are written as float32.

    Args:
        layers: As `read_layers` gives them.
        blobs: Number of different blobs, for the param file's head.
    """
    lines = [MAGIC, f"{len(layers)} {blobs}"]
    data = bytearray()
    for layer in layers:
        pairs = [f"{key}={value}" for key, value in layer.parameters.items()]
        counts = [str(len(layer.bottoms)), str(len(layer.tops))]
        lines.append(
            " ".join([layer.kind, layer.name, *counts, *layer.bottoms, *layer.tops, *pairs])
        )
        if layer.weight is None:
            data += layer.plain
            continue
        raw = layer.weight.tobytes()
        data += struct.pack("<I", INT8 if layer.weight.dtype == np.int8 else 0)
        data += raw + bytes(-len(raw) % _ALIGN_BYTE)
        for part in (layer.bias, layer.scales):
            data += part.tobytes() if part is not None else b""
    return ("\n".join(lines) + "\n").encode(), bytes(data)
