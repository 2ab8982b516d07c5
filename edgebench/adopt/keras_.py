"""A ``.keras`` file as a SavedModel, by Keras itself, in a converter's process without a network.

Keras loads it in its safe mode: a file with code of its own (a Lambda layer) is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edgebench.backends import savedmodel_files
from edgebench.backends.tensorflow_quiet import quiet
from edgebench.derive import contract, make
from edgebench.derive.contract import Job
from edgebench.derive.tensorflow_ import installed
from edgebench.errors import UsageError
from edgebench.records import Precision
from edgebench.specs import InputSpec, ModelFormat


class Keras:
    """The format ``savedmodel``, of Keras' own."""

    format: ModelFormat = "savedmodel"
    sources: tuple[ModelFormat, ...] = ()
    precisions: tuple[Precision, ...] = ("fp32",)
    suffix = "savedmodel.zip"
    calibrated: tuple[Precision, ...] = ()

    def __init__(self) -> None:
        self.tools: Mapping[str, str] = {
            installed(): "'edgebench[tensorflow]'",
            "keras": "'edgebench[tensorflow]'",
        }

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """Nothing is chosen here."""
        return {"weights": precision}

    def convert(self, job: Job) -> None:
        """Write the SavedModel as one file."""
        os.environ["KERAS_BACKEND"] = "tensorflow"
        # Imported here: the parent asks for names and versions only. TensorFlow comes first, as
        # `quiet` wants it: it would open a socket, and that ends this process.
        with quiet():
            import tensorflow  # noqa: F401, ICN001, PLC0415
        import keras  # noqa: PLC0415

        model = keras.saving.load_model(job.source, compile=False, safe_mode=True)
        folder = contract.scratch(job) / "saved"
        model.export(str(folder), verbose=False)
        savedmodel_files.pack(folder, Path(job.target))


def convert(source: Path, target: Path, timeout_s: float) -> None:
    """Write a ``.keras`` file as a SavedModel in a zip.

    Raises:
        UsageError: Keras is not installed.
        NotDerivedError: It cannot read the file, in its own words.
    """
    converter = Keras()
    try:
        contract.versions(converter)
    except UsageError as error:
        raise UsageError(f"reading {source.name}: {error.message}", remedy=error.remedy) from None
    job = Job(
        parent_pid=os.getpid(),
        converter=f"{Keras.__module__}:{Keras.__qualname__}",
        source=str(source),
        source_format="savedmodel",
        precision="fp32",
        inputs=(InputSpec(shape=()),),
    )
    make.convert(job, target, timeout_s)
