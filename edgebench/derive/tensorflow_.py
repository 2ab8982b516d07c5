"""TensorFlow's SavedModel from a workload's fp32 ONNX file, weights as constants.

No kept-up converter makes one (onnx-tf ended in 2022, onnx2tf pins an old TensorFlow), and the
zoo's Keras definitions know the zoo's networks only, so `tensorflow_operators` builds the graph
operator by operator: that serves users' own models too. What it made is held against the ONNX file,
on random images, before it is kept. Constants and not variables: TensorFlow prepares
them once and reads no variable in a call (91 instead of 111 us for mnist_cnn, the same as a bare
GraphDef, which is no format that other tools would read).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from edgebench.backends.tensorflow_quiet import quiet
from edgebench.derive.contract import Job
from edgebench.records import Precision
from edgebench.specs import ModelFormat

_PACKAGES = ("tensorflow", "tensorflow-cpu")
"""Either is TensorFlow."""


class SavedModel:
    """The format ``savedmodel``."""

    format: ModelFormat = "savedmodel"
    sources: tuple[ModelFormat, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp32",)
    suffix = "savedmodel.zip"
    calibrated: tuple[Precision, ...] = ()

    def __init__(self) -> None:
        # TensorFlow under the name it was installed by, and what reads the source.
        self.tools: Mapping[str, str] = {
            installed(): "'edgebench[tensorflow]'",
            "onnx": "'edgebench[convert]'",
            # Tells whether the result is right.
            "onnxruntime": "'edgebench[convert]'",
        }

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored; bf16 is made of float32 by the runtime."""
        return {"weights": {"fp32": "float32"}.get(precision, precision), "layout": "NHWC"}

    def convert(self, job: Job) -> None:
        """Write the SavedModel as one file.

        Raises:
            ModelRefusedError: An operator is not known here, or the result is wrong.
        """
        # Imported here: it imports TensorFlow, and the parent asks for names and versions only.
        with quiet():
            from edgebench.derive import tensorflow_write  # noqa: PLC0415

        tensorflow_write.write(job)


def installed() -> str:
    """The distribution that is here; where none is, the one that fits most machines."""
    for name in _PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return name
    return _PACKAGES[0]
