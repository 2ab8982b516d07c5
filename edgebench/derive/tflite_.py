"""TFLite's files of an ONNX file: by `tensorflow_write`, then by TensorFlow's own converter.

As the zoo makes them: channels last, a batch of one that a runtime resizes, float32 in and out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgebench.backends.tensorflow_quiet import quiet
from edgebench.derive.contract import Job
from edgebench.derive.tensorflow_ import installed
from edgebench.records import Precision
from edgebench.specs import ModelFormat

_WEIGHTS = {
    "fp32": "float32",
    "fp16": "float16",
    "int8": "int8 by output channel",
    "int8_dynamic": "int8 by output channel",
}


class TFLite:
    """The format ``tflite``."""

    format: ModelFormat = "tflite"
    sources: tuple[ModelFormat, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8", "int8_dynamic")
    suffix = "tflite"
    calibrated: tuple[Precision, ...] = ("int8",)

    def __init__(self) -> None:
        self.tools: Mapping[str, str] = MappingProxyType(
            {
                installed(): "'edgebench[tensorflow]'",
                "onnx": "'edgebench[convert]'",
                "onnxruntime": "'edgebench[convert]'",
            }
        )

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored, and what finds the scales of int8."""
        ranges = {"int8": {"activations": "int8, least and largest value"}}
        return {"weights": _WEIGHTS[precision], "layout": "NHWC", **ranges.get(precision, {})}

    def convert(self, job: Job) -> None:
        """Write the file.

        Raises:
            ModelRefusedError: An operator is not known here, TensorFlow cannot, or the result is
                wrong.
        """
        # Imported here: it imports TensorFlow, and the parent asks for names and versions only.
        with quiet():
            from edgebench.derive import tflite_write  # noqa: PLC0415

        tflite_write.write(job)
