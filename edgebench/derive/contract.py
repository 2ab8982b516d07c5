"""What a converter is: one class a format, found by the format's name.

A converter's module imports no framework at its top: the parent asks it only for names and
versions. ``convert`` runs in a process of its own (`edgebench.derive.child`) that has no network,
may crash, and is ended when its time is up.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import msgspec

from edgebench.errors import UsageError
from edgebench.records import Precision
from edgebench.specs import ModelFormat

CONVERTERS: dict[ModelFormat, str] = {
    "ncnn": "edgebench.derive.ncnn_:Ncnn",
    "mnn": "edgebench.derive.mnn_:Mnn",
    "torch": "edgebench.derive.torch_:Torch",
    "savedmodel": "edgebench.derive.tensorflow_:SavedModel",
}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One file to make."""

    parent_pid: int
    converter: str
    """``module:Class``."""
    source: str
    """The workload's fp32 ONNX file: NCHW, symbolic batch, one input, one output."""
    target: str = ""
    """The file to write, in an empty folder."""
    precision: Precision
    input_name: str
    input_shape: tuple[int, int, int]
    """Height, width, channels."""
    calibration: str | None = None
    """An ``.npz`` with ``images`` (n, h, w, c), uint8; None where nothing is to be calibrated."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


class Converter(Protocol):
    """Makes files of one format."""

    format: ModelFormat
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


def converter_of(fmt: str) -> Converter:
    """The converter that makes a format.

    Raises:
        UsageError: No converter does.
    """
    name = next((value for key, value in CONVERTERS.items() if key == fmt), None)
    if name is None:
        raise UsageError(f"nothing derives {fmt!r} (known: {', '.join(CONVERTERS)})")
    return load(name)


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
