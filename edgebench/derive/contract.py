"""What a converter is: a class that makes one format from others, found by the format's name.

A converter's module imports no framework at its top: the parent asks it only for names and
versions. ``convert`` runs in a process of its own (`edgebench.derive.child`) that has no network,
may crash, and is ended when its time is up.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from edgebench.errors import UsageError
from edgebench.records import Precision
from edgebench.specs import InputSpec, ModelFormat

CONVERTERS: dict[ModelFormat, tuple[str, ...]] = {
    "onnx": (
        "edgebench.derive.onnx_:Onnx",
        "edgebench.derive.onnx_import:FromTensorFlow",
        "edgebench.derive.onnx_import:FromTorch",
    ),
    "mnn": ("edgebench.derive.mnn_:Mnn",),
    "ncnn": ("edgebench.derive.ncnn_:Ncnn",),
    "tflite": ("edgebench.derive.tflite_:TFLite",),
    "savedmodel": ("edgebench.derive.tensorflow_:SavedModel",),
    "torch": ("edgebench.derive.torch_:Torch",),
}
"""The cheapest format first."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One file to make."""

    parent_pid: int
    converter: str
    """``module:Class``."""
    source: str
    """The workload's fp32 file; of an ONNX one all sizes are fixed but that of the batch."""
    source_format: ModelFormat = "onnx"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    """Of the source's images."""
    target: str = ""
    """The file to write, in an empty folder."""
    precision: Precision
    inputs: tuple[InputSpec, ...]
    """Every input of the source, in its order and by its names."""
    alone: tuple[str, ...] = ()
    """Inputs without an axis for a batch: one sample is the whole of them."""
    reference: str | None = None
    """The workload's right answers, as `WorkloadSpec.reference` has them."""
    calibration: str | None = None
    """An ``.npz`` as `edgebench.derive.calibration` has it; None where nothing is calibrated."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the inputs that the source wants channels first."""
        return tuple(one.name for one in self.inputs if one.image and self.layout == "NCHW")

    def sizes_of(self, one: InputSpec) -> tuple[int, ...]:
        """One sample of an input as the source has it."""
        if one.name not in self.images:
            return one.shape
        return (one.shape[-1], *one.shape[:-1])


class Converter(Protocol):
    """Makes files of one format."""

    format: ModelFormat
    sources: tuple[ModelFormat, ...]
    """What it is made from, best first; always in fp32."""
    precisions: tuple[Precision, ...]
    suffix: str
    calibrated: tuple[Precision, ...]
    """Precisions that need calibration images."""
    tools: Mapping[str, str]
    """Distributions whose versions shape the result, and what pip is told to install each."""

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """What else shapes the result, for the cache's key and the manifest."""

    def convert(self, job: Job) -> None:
        """Write ``job.target``.

        Raises:
            ModelRefusedError: The converter cannot, in its own words.
        """


def load(name: str) -> Converter:
    """The converter of ``module:Class``."""
    module, _, kind = name.partition(":")
    converter: Converter = getattr(importlib.import_module(module), kind)()
    return converter


def converters_of(fmt: str) -> list[Converter]:
    """The converters that make a format.

    Raises:
        UsageError: None does.
    """
    names = next((value for key, value in CONVERTERS.items() if key == fmt), ())
    if not names:
        raise UsageError(f"nothing derives {fmt!r} (known: {', '.join(CONVERTERS)})")
    return [load(name) for name in names]


def converter_of(fmt: str) -> Converter:
    """The converter that makes a format of an ONNX file.

    Raises:
        UsageError: None does.
    """
    return converters_of(fmt)[0]


def versions(converter: Converter) -> dict[str, str]:
    """The installed version of each of a converter's tools.

    Raises:
        UsageError: One of them is not installed.
    """
    return {tool: _version(converter, tool) for tool in converter.tools}


def _version(converter: Converter, tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:
        raise UsageError(
            f"deriving {converter.format} needs {tool}",
            remedy=f"pip install {converter.tools[tool]}",
        ) from None


def scratch(job: Job) -> Path:
    """A folder for a converter's own files; it is cleared away with the process."""
    return Path(job.target).parent.with_name("scratch")
