"""The other precisions of an fp32 ONNX file, by onnxruntime's own tools.

What the zoo ships and what is derived from a user's file (`edgebench.derive.onnx_`) is made alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import onnx.version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_OPSET = 13
"""The first with scales by channel."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hand the calibration samples over one at a time."""

    def __init__(self, feeds: Iterable[Mapping[str, NDArray[Any]]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Give the next feed, or None at the end."""
        found = next(self._feeds, None)
        return None if found is None else dict(found)


def half(source: Path, target: Path) -> None:
    """Write fp16: float32 in and out."""
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


def prepare(source: Path, target: Path) -> None:
    """Write the file that the quantisers take."""
    model = onnx.load(source)
    opset = next((one.version for one in model.opset_import if not one.domain), _OPSET)
    if opset < _OPSET:
        source = target.with_suffix(".newer.onnx")
        onnx.save(onnx.version_converter.convert_version(model, _OPSET), source)
    # Shapes and folded constants are what the quantisers need to see every weight. Symbolic
    # shapes need sympy and add nothing to a graph without control flow.
    quant_pre_process(source, target, skip_symbolic_shape=True)
    prepared = onnx.load(target)
    if _flatten_biases(prepared.graph):
        onnx.save(prepared, target)


def _flatten_biases(graph: onnx.GraphProto) -> bool:
    """Biases of Gemm as the static quantiser takes them: (n,) and not (1, n); whether any was not.

    They come of a MatMul and an Add that were made one.
    """
    weights = {one.name: one for one in graph.initializer}
    uses: dict[str, set[str]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            uses.setdefault(name, set()).add(f"{node.op_type}:{place}")
    wide = [
        weights[name]
        for name, found in uses.items()
        if name in weights and found == {"Gemm:2"} and [*weights[name].dims[:-1]] == [1]
    ]
    for one in wide:
        del one.dims[0]
    return bool(wide)


def static(source: Path, target: Path, feeds: Iterable[Mapping[str, NDArray[Any]]]) -> None:
    """Write int8.

    Args:
        source: What `prepare` wrote.
        target: The file to write.
        feeds: Calibration samples by the inputs' names, a batch of one each.
    """
    quantize_static(
        source,
        target,
        _Reader(feeds),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        # S8 with S8 has been seen to leave a convolution in float; the build checks what runs.
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def dynamic(source: Path, target: Path) -> None:
    """Write int8_dynamic; the source is what `prepare` wrote."""
    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        # U8: ConvInteger with S8 weights has only a slow kernel in onnxruntime on x86-64.
        weight_type=QuantType.QUInt8,
    )
