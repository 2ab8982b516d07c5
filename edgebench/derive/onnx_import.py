"""ONNX's fp32 file of a TFLite file, a SavedModel or a program of ``torch.export``.

Everything else is then made of it. By the exporters of those ecosystems; what they made is held
against the workload's own reference, which the source gave.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgebench.backends.tensorflow_quiet import quiet
from edgebench.derive.contract import Job
from edgebench.derive.tensorflow_ import installed
from edgebench.records import Precision
from edgebench.specs import ModelFormat

_CHECK = {"onnx": "'edgebench[convert]'", "onnxruntime": "'edgebench[convert]'"}


class FromTensorFlow:
    """The format ``onnx``, of TensorFlow's two."""

    format: ModelFormat = "onnx"
    sources: tuple[ModelFormat, ...] = ("savedmodel", "tflite")
    precisions: tuple[Precision, ...] = ("fp32",)
    suffix = "onnx"
    calibrated: tuple[Precision, ...] = ()

    def __init__(self) -> None:
        self.tools: Mapping[str, str] = {
            "tf2onnx": "tf2onnx",
            installed(): "'edgebench[tensorflow]'",
            **_CHECK,
        }

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored."""
        return {"weights": {"fp32": "float32"}[precision], "layout": "NCHW"}

    def convert(self, job: Job) -> None:
        """Write the file.

        Raises:
            ModelRefusedError: tf2onnx cannot, or the result is wrong.
        """
        # Imported here: it imports TensorFlow, and the parent asks for names and versions only.
        with quiet():
            from edgebench.derive import onnx_of_tensorflow  # noqa: PLC0415

        onnx_of_tensorflow.write(job)


class FromTorch:
    """The format ``onnx``, of torch's."""

    format: ModelFormat = "onnx"
    sources: tuple[ModelFormat, ...] = ("torch",)
    precisions: tuple[Precision, ...] = ("fp32",)
    suffix = "onnx"
    calibrated: tuple[Precision, ...] = ()

    def __init__(self) -> None:
        self.tools: Mapping[str, str] = {
            "torch": "'edgebench[torch]'",
            "onnxscript": "onnxscript",
            **_CHECK,
        }

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored."""
        return {"weights": {"fp32": "float32"}[precision]}

    def convert(self, job: Job) -> None:
        """Write the file.

        Raises:
            ModelRefusedError: torch cannot, or the result is wrong.
        """
        # Imported here: the parent asks this module for names and versions only.
        from edgebench.derive import onnx_of_torch  # noqa: PLC0415

        onnx_of_torch.write(job)
