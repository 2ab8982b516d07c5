"""The data files people write: ``workload.toml`` and device descriptors, checked on reading."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from edgebench.errors import UsageError
from edgebench.records import Precision

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - 3.10 only
    import tomli as tomllib

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


class InputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model's input for one sample, after preprocessing."""

    name: str = "input"
    shape: tuple[int, ...]
    """Height, width, channels."""
    dtype: Literal["float32", "uint8"] = "float32"


class PreprocessSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From an image to the model's input: resize, crop, ``(pixel - mean) / std``."""

    resize: tuple[int, int]
    """Height, width in pixels."""
    crop: Literal["none", "center"] = "none"
    mean: tuple[float, ...]
    std: tuple[float, ...]
    color: Literal["gray", "rgb"] = "rgb"


class PostprocessSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the model's output (logits) to the answer."""

    softmax: bool = True


class FileSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data file of a workload."""

    path: str
    sha256: str
    count: int
    source: str = ""
    licence: str = ""


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model file, derived from the workload's source model."""

    path: str
    format: Literal["onnx", "tflite"]
    precision: Precision
    layout: Literal["NCHW", "NHWC"]
    sha256: str
    size_byte: int
    top1_ratio: float | None = None
    """Measured by the zoo on the full test set."""
    top1_samples: int | None = None
    tool: str = ""


class WorkloadSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``workload.toml``."""

    schema: Literal[1]
    name: str
    version: int
    default: bool = False
    task: Literal["classification"]
    summary: str = ""
    source: str = ""
    licence: str = ""
    labels: tuple[str, ...]
    macs: int | None = None
    parameters: int | None = None
    source_sha256: str
    input: InputSpec
    preprocess: PreprocessSpec
    postprocess: PostprocessSpec = PostprocessSpec()
    recipe: dict[str, Any] = {}
    reference: FileSpec
    samples: FileSpec | None = None
    models: tuple[ModelSpec, ...]


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A workload and the folder it lives in."""

    folder: Path
    spec: WorkloadSpec

    def file(self, relative: str) -> Path:
        """A file of the workload.

        Raises:
            UsageError: The path leaves the workload's folder.
        """
        path = (self.folder / relative).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise UsageError(f"{self.folder.name}: {relative!r} lies outside the workload's folder")
        return path

    def model(self, fmt: str, precision: str) -> ModelSpec | None:
        """The model file of a format and precision, if the workload has one."""
        for model in self.spec.models:
            if (model.format, model.precision) == (fmt, precision):
                return model
        return None

    def problems(self) -> list[str]:
        """Files that are missing or not what ``workload.toml`` says, a line each."""
        spec = self.spec
        wanted = [(m.path, m.sha256) for m in spec.models]
        wanted += [(f.path, f.sha256) for f in (spec.reference, spec.samples) if f is not None]
        found = []
        for relative, sha256 in wanted:
            path = self.file(relative)
            if not path.is_file():
                found.append(f"{relative}: missing")
            elif sha256_of(path) != sha256:
                found.append(f"{relative}: is not the file that workload.toml names (sha256)")
        return found


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict.

    Raises:
        UsageError: The file is missing, unreadable or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None


def read_toml_as(path: Path, kind: type[_T]) -> _T:
    """A TOML file as a struct.

    Raises:
        UsageError: The file cannot be read, or a key is unknown, missing or of the wrong type.
    """
    try:
        return msgspec.convert(read_toml(path), kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {error}") from None


def read_workload(folder: Path) -> Workload:
    """The workload of a folder that holds a ``workload.toml``.

    Raises:
        UsageError: The file is missing or wrong, in one line that names the key.
    """
    path = folder / "workload.toml"
    spec = read_toml_as(path, WorkloadSpec)
    if not _NAME.fullmatch(spec.name):
        raise UsageError(f"{path}: name {spec.name!r} must match {_NAME.pattern}")
    for sha256 in [m.sha256 for m in spec.models] + [spec.reference.sha256, spec.source_sha256]:
        if not _SHA256.fullmatch(sha256):
            raise UsageError(f"{path}: {sha256[:80]!r} is no sha256 (64 hex digits)")
    return Workload(folder=folder, spec=spec)
