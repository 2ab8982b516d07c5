"""The data files people write: ``workload.toml``, checked on reading, and device descriptors."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from edgebench.errors import UsageError
from edgebench.records import ParityLimits, Precision, Task, Weights

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - 3.10 only
    import tomli as tomllib

ModelFormat = Literal["onnx", "tflite", "ncnn", "mnn", "torch", "savedmodel", "openvino", "eim"]
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
"""Of a workload or a device."""
_MAX_VERSION = 1 << 31
_SHA256 = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


class InputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the model's inputs for one sample, after preprocessing."""

    name: str = "input"
    shape: tuple[int, ...]
    """Of an image height, width, channels, whatever the layout of a model file; else as it is."""
    dtype: Literal["float32", "float16", "uint8", "int8", "int32", "int64", "bool"] = "float32"
    image: bool = True
    """Whether it is an image, which a file may want channels first."""


class PreprocessSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From an image to the model's input: resize, crop, ``(pixel - mean) / std``."""

    resize: tuple[int, int]
    """Height, width in pixels."""
    crop: Literal["none", "center"] = "none"
    """``none`` stretches the image to ``resize``; ``center`` scales it until it covers ``resize``
    and cuts the input's size out of the middle."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    color: Literal["gray", "rgb"] = "rgb"


class BoxesSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an SSD's two outputs become boxes.

    They are offsets (anchors, 4) and class logits (anchors, 1 + classes), background first.
    Source: Liu et al. 2016, "SSD: Single Shot MultiBox Detector".
    """

    feature_maps: tuple[tuple[int, int], ...]
    """Rows, columns of each map that boxes are predicted on; anchors run map by map, row by row,
    column by column, then in the order of ``sizes``."""
    sizes: tuple[tuple[tuple[float, float], ...], ...]
    """Of each map, the heights and widths of its anchors, as shares of the image."""
    variances: tuple[float, float] = (0.1, 0.2)
    """Scale of the offsets: of centres, and of the logarithm of sizes."""
    min_score: float = 0.05
    """Boxes below it are dropped."""
    max_overlap: float = 0.45
    """Of two boxes of a class that overlap more (intersection over union) the better one stays."""
    max_boxes: int = 100


class PostprocessSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the model's outputs to the answer."""

    softmax: bool = True
    """Classification: the output holds logits."""
    boxes: BoxesSpec | None = None
    """Detection."""


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
    format: ModelFormat
    precision: Precision
    layout: Literal["NCHW", "NHWC"]
    sha256: str
    size_byte: int
    top1_ratio: float | None = None
    """Measured by the zoo on the full test set."""
    top1_samples: int | None = None
    quality_metric: Literal["map50", "miou"] | None = None
    """Measured by the zoo on fresh test scenes, as `edgebench.records.Quality` has it."""
    quality_ratio: float | None = None
    quality_samples: int | None = None
    tool: str = ""


class WorkloadSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``workload.toml``."""

    schema: Literal[1]
    name: str
    version: int
    default: bool = False
    task: Task
    summary: str = ""
    source: str = ""
    licence: str = ""
    weights: Weights = "trained"
    labels: tuple[str, ...] = ()
    """Names of the classes; a task ``other`` has none."""
    macs: int | None = None
    """Multiply-accumulates of one inference: convolutions and dense layers."""
    parameters: int | None = None
    activation_peak_byte: int | None = None
    """Largest sum of float32 tensors that must be alive at once, weights not counted."""
    source_sha256: str = ""
    """Of the weights; empty where the workload is not built yet."""
    input: InputSpec
    """The first input."""
    more_inputs: tuple[InputSpec, ...] = ()
    """The others, in the model's order."""
    outputs: tuple[str, ...] = ()
    """Names of the outputs in the order of the reference's; empty where there is one."""
    preprocess: PreprocessSpec | None = None
    """None where the input is no image: then there is no region e2e."""
    postprocess: PostprocessSpec = PostprocessSpec()
    recipe: dict[str, Any] = {}
    parity: dict[Precision, ParityLimits] = {}
    """Limits of its own, where those of its task do not fit (`edgebench.analysis.validity`)."""
    reference: FileSpec | None = None
    """``inputs`` (n, ...) and fp32 ``outputs`` (n, ...); of further ones ``inputs_1``,
    ``outputs_1`` and so on. Images are (n, h, w, c), and so are outputs that are."""
    samples: FileSpec | None = None
    """``images`` (n, h, w, c) uint8 with ``labels`` (n,), or ``boxes`` (n, m, 4) float32 as shares
    of the image (top, left, bottom, right) with ``classes`` (n, m) int64, -1 where there is no
    box, or ``masks`` (n, h, w) uint8."""
    calibration: FileSpec | None = None
    """``images`` (n, h, w, c), uint8, that int8 models are calibrated on where they are derived."""
    models: tuple[ModelSpec, ...] = ()

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """Every input, in the model's order."""
        return (self.input, *self.more_inputs)

    @property
    def mean(self) -> tuple[float, ...]:
        """Of the input's channels; empty where nothing is normalised."""
        return self.preprocess.mean if self.preprocess else ()

    @property
    def std(self) -> tuple[float, ...]:
        """As `mean`."""
        return self.preprocess.std if self.preprocess else ()


class DeviceMatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a machine of this kind says of itself; one hit is enough."""

    compatible: tuple[str, ...] = ()
    """First string of the device tree's root ``compatible``."""
    dmi: tuple[str, ...] = ()
    """Vendor and product of /sys/class/dmi/id, with a blank between."""
    cpu_model: tuple[str, ...] = ()
    """For kinds that many makers build around one chip; asked last."""


class FactSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure or word about a device, and who says so (`edgebench.descriptors`)."""

    key: str
    """The unit of a figure is its last word: ``idle_w``, ``price_usd``, ``npu_tops``."""
    value: float | str
    source: str
    year: int
    """Of the figure, not of the page."""
    note: str = ""


class RailSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A supply rail that a sensor of the board measures."""

    label: str
    covers: tuple[str, ...]
    total: bool = False
    """It feeds the whole module: never add other rails to it."""
    source: str


class DeviceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``devices/<name>.toml``."""

    schema: Literal[1]
    name: str
    summary: str = ""
    match: DeviceMatch
    facts: tuple[FactSpec, ...] = ()
    rails: tuple[RailSpec, ...] = ()

    def fact(self, key: str) -> FactSpec | None:
        """The fact of a key; None where nobody with a source told it."""
        return next((fact for fact in self.facts if fact.key == key), None)

    def figure(self, key: str) -> float | None:
        """The value of a fact that is a figure."""
        fact = self.fact(key)
        return None if fact is None or isinstance(fact.value, str) else fact.value

    def envelope(self) -> tuple[FactSpec, FactSpec] | None:
        """What the whole device draws at rest and under load, with who says so; both or none."""
        idle, load = self.fact("idle_w"), self.fact("load_w")
        return (idle, load) if idle and load else None

    def envelope_w(self) -> tuple[float, float] | None:
        """The figures of `envelope`: from idle to load."""
        idle, load = self.figure("idle_w"), self.figure("load_w")
        return None if idle is None or load is None else (idle, load)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A workload and the folder it lives in."""

    folder: Path
    spec: WorkloadSpec
    derived: tuple[ModelSpec, ...] = ()
    """Models made from the workload's own for another runtime (`edgebench.derive`); their paths
    are absolute."""

    def file(self, relative: str) -> Path:
        """A file of the workload.

        Raises:
            UsageError: The path leaves the workload's folder.
        """
        path = (self.folder / relative).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise UsageError(f"{self.folder.name}: {relative!r} lies outside the workload's folder")
        return path

    @property
    def is_built(self) -> bool:
        """Whether it is more than a recipe."""
        return self.spec.reference is not None

    @property
    def reference_path(self) -> Path:
        """Where its inputs and right outputs lie.

        Raises:
            UsageError: The workload is not built: it is only a recipe yet.
        """
        if self.spec.reference is None:
            raise UsageError(
                f"workload {self.spec.name} is not built here",
                remedy=f"on a host with edgebench[build]: edgebench workloads build "
                f"{self.spec.name}, or unpack a pack of it: edgebench workloads unpack FILE",
            )
        return self.file(self.spec.reference.path)

    def model(self, fmt: str, precision: str) -> ModelSpec | None:
        """The model file of a format and precision, shipped or derived, if there is one."""
        for model in (*self.spec.models, *self.derived):
            if (model.format, model.precision) == (fmt, precision):
                return model
        return None

    def path_of(self, model: ModelSpec) -> Path:
        """Where the file of one of the workload's models lies."""
        return Path(model.path) if model in self.derived else self.file(model.path)

    def problems(self) -> list[str]:
        """Files that are missing or not what ``workload.toml`` says, a line each."""
        spec = self.spec
        wanted = [(m.path, m.sha256) for m in spec.models]
        others = (spec.reference, spec.samples, spec.calibration)
        wanted += [(f.path, f.sha256) for f in others if f is not None]
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
    if not NAME.fullmatch(spec.name):
        raise UsageError(f"{path}: name {spec.name!r} must match {NAME.pattern}")
    if fault := _fault_of(spec):
        raise UsageError(f"{path}: {fault}")
    return Workload(folder=folder, spec=spec)


def _fault_of(spec: WorkloadSpec) -> str:
    """What is wrong with the values of a workload's file, in one line; empty where nothing is."""
    files = (*spec.models, spec.reference, spec.samples, spec.calibration)
    stated = [one.sha256 for one in files if one is not None]
    stated += [spec.source_sha256] if stated or spec.source_sha256 else []
    if wrong := [sha256 for sha256 in stated if not _SHA256.fullmatch(sha256)]:
        return f"{wrong[0][:80]!r} is no sha256 (64 hex digits)"
    pre = spec.preprocess
    if pre and not (all(map(math.isfinite, (*pre.mean, *pre.std))) and 0 not in pre.std):
        return "preprocess: mean and std must be finite, std not 0"
    if spec.task != "other" and not spec.labels:
        return "labels may not be empty"
    if not 0 < spec.version < _MAX_VERSION:
        return "version must be 1 or more"
    limits = {p: (own.min_cosine, own.min_top1_ratio) for p, own in spec.parity.items()}
    wrong = [p for p, two in limits.items() if not all(x is None or 0 < x <= 1 for x in two)]
    return f"parity.{wrong[0]}: a limit lies above 0 and at most at 1" if wrong else ""
