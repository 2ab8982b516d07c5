"""The precisions of ONNX from the fp32 file, by onnxruntime's own tools as the zoo uses them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from edgebench.derive import contract
from edgebench.derive.contract import Job
from edgebench.records import Precision
from edgebench.specs import ModelFormat

_WEIGHTS = {
    "fp16": "float16",
    "int8": "int8 by output channel",
    "int8_dynamic": "uint8",
}


class Onnx:
    """The format ``onnx``, of an ONNX file."""

    format: ModelFormat = "onnx"
    sources: tuple[ModelFormat, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp16", "int8", "int8_dynamic")
    suffix = "onnx"
    calibrated: tuple[Precision, ...] = ("int8",)
    tools: Mapping[str, str] = MappingProxyType(
        {"onnx": "'edgebench[convert]'", "onnxruntime": "'edgebench[convert]'"}
    )

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored, and what finds the scales of int8."""
        ranges = {"int8": {"activations": "uint8, least and largest value"}}
        return {"weights": _WEIGHTS[precision], **ranges.get(precision, {})}

    def convert(self, job: Job) -> None:
        """Write the file.

        Raises:
            ModelRefusedError: onnxruntime cannot run what its tools made, or it is far off.
        """
        # Imported here: the parent asks this module for names and versions only.
        import onnx  # noqa: PLC0415

        from edgebench.derive import onnx_check  # noqa: PLC0415
        from edgebench.derive.feeds import Feeds  # noqa: PLC0415
        from edgebench.derive.onnx_graph import Graph  # noqa: PLC0415
        from edgebench.zoo import onnx_precisions  # noqa: PLC0415

        source, target = Path(job.source), Path(job.target)
        if job.precision == "fp16":
            onnx_precisions.half(source, target)
        else:
            prepared = contract.scratch(job) / "prepared.onnx"
            onnx_precisions.prepare(source, prepared)
            if job.precision == "int8":
                onnx_precisions.static(prepared, target, Feeds(job))
            else:
                onnx_precisions.dynamic(prepared, target)
        graph = Graph(onnx.load(source), job.images)
        probes = onnx_check.drawn(graph.inputs)
        wanted = onnx_check.reference(source, graph.outputs, probes)
        found = onnx_check.reference(target, graph.outputs, probes)
        onnx_check.hold(found, wanted, onnx_check.LIMITS[job.precision])
