"""int8 for ncnn: weights by output channel, inputs of layers by their largest value.

Reference: https://github.com/Tencent/ncnn/wiki/quantized-int8-inference (tools ncnn2table and
ncnn2int8, which no wheel carries). A layer of int8 holds, after its weights and bias, a scale for
each output channel (each group of a grouped convolution) and one for its input; quantised is
``round(value * scale)`` within +-127. Scales here are 127 / absmax.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import ncnn
import numpy as np
from numpy.typing import NDArray

from edgebench.backends import ncnn_files
from edgebench.backends.ncnn_files import Layer
from edgebench.derive.contract import Job
from edgebench.derive.feeds import Feeds
from edgebench.errors import ModelRefusedError

_LARGEST = 127.0
_QUANTISED = ("Convolution", "ConvolutionDepthWise", "InnerProduct")
"""What ncnn has in int8."""
_TERM = 8
_PER_CHANNEL, _PER_GROUP = "2", "1"
"""Values of parameter 8: what ncnn2int8 writes for plain and for grouped convolutions."""
_FLOAT32_ONLY = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")


def quantise(param: bytes, weights: bytes, job: Job) -> tuple[bytes, bytes]:
    """``(param, bin)`` with int8 convolutions and inner products.

    Args:
        param: Of the float32 model.
        weights: Of the float32 model.
        job: With calibration images.

    Raises:
        ModelRefusedError: A layer's weights cannot be read, or nothing is there to be quantised.
    """
    layers = ncnn_files.read_layers(param, weights)
    products = [layer for layer in layers if layer.kind in _QUANTISED]
    if not products:
        raise ModelRefusedError("the model has no convolution or inner product to quantise")
    names = [layer.bottoms[0] for layer in products]
    largest = _largest(param, weights, Feeds(job), layers[0].tops[0], names)
    for layer in products:
        _to_int8(layer, largest[layer.bottoms[0]])
    blobs = len({top for layer in layers for top in layer.tops})
    return ncnn_files.write_layers(layers, blobs)


def _to_int8(layer: Layer, largest: float) -> None:
    if layer.weight is None:
        return
    grouped = layer.kind == "ConvolutionDepthWise"
    rows = layer.weight.astype(np.float32).reshape(layer.scale_count, -1)
    scales = _scale(np.abs(rows).max(axis=1))
    # np.rint rounds halves to even, ncnn away from zero; no weight is worse off for that.
    layer.weight = np.clip(np.rint(rows * scales[:, np.newaxis]), -_LARGEST, _LARGEST).astype(
        np.int8
    )
    layer.scales = np.append(scales, _scale(np.asarray([largest], np.float32))).astype(np.float32)
    layer.parameters[_TERM] = _PER_GROUP if grouped else _PER_CHANNEL


def _scale(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """127 / absmax; 1 where everything is 0."""
    safe = np.where(largest > 0, largest, np.float32(_LARGEST))
    return (_LARGEST / safe).astype(np.float32)


def _largest(
    param: bytes,
    weights: bytes,
    samples: Feeds,
    source: str,
    blobs: Sequence[str],
) -> dict[str, float]:
    """Largest absolute value of each blob over the samples, computed in float32."""
    net = ncnn.Net()
    for flag in _FLOAT32_ONLY:
        setattr(net.opt, flag, False)
    net.opt.num_threads = 1
    net.opt.lightmode = False  # every blob stays until the extractor goes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "param").write_bytes(param)
        (folder / "bin").write_bytes(weights)
        if net.load_param(str(folder / "param")) or net.load_model(str(folder / "bin")):
            raise ModelRefusedError("ncnn cannot load what pnnx wrote")
    found = dict.fromkeys(blobs, 0.0)
    for sample in samples:
        (batch,) = sample.values()
        held = np.ascontiguousarray(batch[0], np.float32)  # ncnn.Mat does not keep what it sees
        extractor = net.create_extractor()
        extractor.input(source, ncnn.Mat(held))
        for blob in found:
            code, values = extractor.extract(blob)
            if code:
                raise ModelRefusedError(f"ncnn cannot compute the blob {blob} (code {code})")
            found[blob] = max(found[blob], float(np.abs(np.array(values)).max()))
    return found
