"""torch's files: programs of ``torch.export``, TorchScript for int8 (written by `torch_write`).

Of torch's ways to int8 it is the quantisation of fx graphs, the one whose files were seen to run
integer convolutions and to answer right; ``pt2e`` left them in float, or answered wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edgebench.derive.contract import Job
from edgebench.records import Precision
from edgebench.specs import ModelFormat


class Torch:
    """The format ``torch``; bf16 and fp16 are computed from the fp32 file."""

    format: ModelFormat = "torch"
    sources: tuple[ModelFormat, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    suffix = "pt"
    calibrated: tuple[Precision, ...] = ("int8",)
    tools: Mapping[str, str] = MappingProxyType(
        {
            "torch": "'edgebench[torch]'",
            "onnx": "'edgebench[convert]'",
            # Tells whether the result is right.
            "onnxruntime": "'edgebench[convert]'",
        }
    )

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored, and what finds the scales of int8."""
        if precision == "int8":
            return {
                "weights": "int8 by output channel",
                "activations": "7 bits, histogram",
            }
        return {"weights": "float32"}

    def convert(self, job: Job) -> None:
        """Write the file.

        Raises:
            ModelRefusedError: An operator is not known, torch cannot, or the result is wrong.
        """
        # Imported here: the parent asks this module for names and versions only.
        from edgebench.derive import torch_write  # noqa: PLC0415

        torch_write.write(job)
