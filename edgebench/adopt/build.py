"""Writes the folder of a taken model: its file, what it answers, images, ``workload.toml``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgebench import __version__
from edgebench.adopt import (
    declared,
    describe,
    files,
    images,
    keras_,
    labels,
    onnx_file,
    precisions,
    toml,
)
from edgebench.adopt import shapes as shape_rules
from edgebench.adopt.describe import Model, Runtimes, Told
from edgebench.adopt.files import Found
from edgebench.adopt.images import Chosen, Folder
from edgebench.adopt.request import Request
from edgebench.adopt.shapes import Layout
from edgebench.derive.make import NotDerivedError
from edgebench.errors import ModelRefusedError, UsageError, plain
from edgebench.protocols import plain_name
from edgebench.specs import (
    FileSpec,
    InputSpec,
    ModelSpec,
    PostprocessSpec,
    PreprocessSpec,
    WorkloadSpec,
    sha256_of,
)

_PIXELS: dict[str, tuple[float, float]] = {"uint8": (0.0, 1.0), "int8": (128.0, 1.0)}
"""Usual mean and std of types that take pixels as they are; of others, 0 to 1 is usual."""
_UNIT = (0.0, 255.0)
_KERAS = 10.0
"""Reading it may take so many times what a stage of a launch may."""
_CHANNELS_LAST = ("tflite", "savedmodel", "eim")
_COLORS = (1, 3)
_CLASSES_RANK = 2
_FAINT_RMS = 1e-5
"""As `edgebench.measure.passes` has it."""
_SUM_TOLERANCE = 0.05
"""Probabilities of 8 bits add up to 1 only roughly."""
_FAINT = "; they are next to nothing, so it tells little: give --images"


class Plan(NamedTuple):
    """What is known before any image is read."""

    model: Model
    told: Told
    inputs: tuple[InputSpec, ...]
    layout: Layout
    preprocess: PreprocessSpec | None
    folder: Folder | None


def write(
    request: Request, found: Found, name: str, runtimes: Runtimes, *, folder: Path, scratch: Path
) -> None:
    """Make a workload of a model.

    Args:
        request: What the user said.
        found: The model.
        name: Of the workload.
        runtimes: To ask.
        folder: Empty but for ``models/``; becomes the workload.
        scratch: For what is not kept.

    Raises:
        UsageError: The model cannot be run here, or does not fit what is said of it.
    """
    model = _lay(request, found, runtimes, folder)
    told = describe.describe(model, runtimes, scratch)
    plan = _plan(request, model, told)
    names = labels.read(request.labels) if request.labels else ()
    names = _labels(plan.folder, names, _classes(told))
    chosen = images.choose(plan.folder, _sizes(plan)) if plan.folder else None
    reference = _reference(plan, chosen, runtimes, folder, scratch)
    spec = WorkloadSpec(
        schema=1,
        name=name,
        version=1,
        task="classification" if names else "other",
        weights="unknown",
        summary=_summary(found, plan, chosen, names, request)
        + (_FAINT if _is_faint(folder / reference.path) else ""),
        source=f"{plain(found.path.name)}, taken in by edgebench {__version__}",
        labels=names,
        source_sha256=found.sha256,
        input=plan.inputs[0],
        more_inputs=plan.inputs[1:],
        outputs=tuple(tensor.name for tensor in told.declared.outputs),
        preprocess=plan.preprocess,
        postprocess=PostprocessSpec(
            softmax=bool(names) and not _is_softmax(folder / reference.path)
        ),
        reference=reference,
        samples=_samples(plan, chosen, names, folder),
        calibration=_calibration(plan, chosen, folder),
        models=(_model_spec(model, plan.layout, folder),),
    )
    (folder / "workload.toml").write_text(toml.dumps(spec), encoding="utf-8")


def _lay(request: Request, found: Found, runtimes: Runtimes, folder: Path) -> Model:
    """The model's file in its place, named by its precision."""
    try:
        if found.suffix == ".keras":
            first = folder / "models" / "model.zip"
            keras_.convert(found.path, first, _KERAS * runtimes.limits.timeout_s)
        else:
            first = files.lay(found, folder / "models", "model")
        if found.format == "onnx" and len(found.parts) > 1:
            first.write_bytes(onnx_file.whole(found.path))
        precision = precisions.of(first, found.format)
    except (ModelRefusedError, NotDerivedError) as error:
        raise UsageError(f"--model {found.path}: {error}") from None
    path = first.rename(first.with_name(first.name.replace("model", precision, 1)))
    sizes = declared.given(found, request)
    return Model(path, str(found.path), found.format, precision, sha256_of(path), sizes)


def _plan(request: Request, model: Model, told: Told) -> Plan:
    tensors = told.declared.inputs
    names = {plain_name(tensor.name) for tensor in tensors}
    if unknown := [name for name in model.shapes if name and plain_name(name) not in names]:
        raise UsageError(
            f"--model {model.words}: has no input {unknown[0]!r} for --shape",
            remedy=f"its inputs: {', '.join(tensor.name for tensor in tensors)}",
        )
    for tensor in tensors:
        if math.prod(tensor.shape) > shape_rules.LARGEST:
            raise UsageError(
                f"--model {model.words}: input {tensor.name} is {tensor.shape}, too large"
            )
    usual: Layout = "NHWC" if model.format in _CHANNELS_LAST else "NCHW"
    try:
        layout = shape_rules.layout_of(tensors, request.layout, usual)
        inputs = tuple(
            shape_rules.spec_of(tensor, layout, told=request.layout is not None)
            for tensor in tensors
        )
    except UsageError as error:
        raise UsageError(f"--model {model.words}: {error.message}", remedy=error.remedy) from None
    folder = images.find(request.images) if request.images else None
    preprocess = _preprocess(request, inputs)
    if folder and preprocess is None:
        raise UsageError(
            f"--images: {Path(model.words).name} takes no single image of 1 or 3 channels",
            remedy="leave --images out",
        )
    return Plan(model, told, inputs, layout, preprocess, folder)


def _preprocess(request: Request, inputs: tuple[InputSpec, ...]) -> PreprocessSpec | None:
    """How an image becomes the input; None where the model does not take one."""
    first = inputs[0]
    if len(inputs) > 1 or not first.image or first.shape[-1] not in _COLORS:
        if request.mean:
            raise UsageError("--mean and --std are for models that take one image")
        return None
    height, width, channels = first.shape
    mean, std = _PIXELS.get(first.dtype, _UNIT)
    if request.mean and len(request.mean) not in (1, channels):
        raise UsageError(f"--mean and --std: give one number, or {channels}, one a channel")
    return PreprocessSpec(
        resize=(height, width),
        mean=_each(request.mean or (mean,), channels),
        std=_each(request.std or (std,), channels),
        color="gray" if channels == 1 else "rgb",
    )


def _each(numbers: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return numbers * channels if len(numbers) == 1 else numbers


def _classes(told: Told) -> int | None:
    """How many classes the one output can tell apart; None where it is no such output."""
    outputs = told.declared.outputs
    if len(outputs) != 1 or not outputs[0].dtype.startswith(("float", "uint8", "int8")):
        return None
    sizes = [size for size in outputs[0].shape[1:] if size > 1]
    return sizes[0] if len(sizes) == 1 and len(outputs[0].shape) >= _CLASSES_RANK else None


def _labels(folder: Folder | None, names: tuple[str, ...], classes: int | None) -> tuple[str, ...]:
    """Names of the classes; none where the model does not classify as far as anybody knows."""
    if names and len(names) != classes:
        what = f"its output has {classes}" if classes else "its outputs are no classes"
        raise UsageError(f"--labels: {len(names)} classes are named, {what}")
    if names or folder is None or not folder.classes or classes is None:
        return names
    if len(folder.classes) == classes:
        return tuple(map(plain, folder.classes))
    return tuple(map(str, range(classes)))


def _reference(
    plan: Plan, chosen: Chosen | None, runtimes: Runtimes, folder: Path, scratch: Path
) -> FileSpec:
    """The inputs that every runtime gets, and what the first one answers."""
    pixels, what = None, "random inputs"
    if plan.folder and chosen:
        pixels = scratch / "pixels.npz"
        np.savez(pixels, images=images.read(plan.folder, chosen.reference, _sizes(plan)))
        what = f"{len(chosen.reference)} of the given images"
    made = scratch / "reference.npz"
    before = plan.preprocess
    describe.answer(
        plan.model,
        plan.told,
        plan.inputs,
        plan.layout,
        runtimes=runtimes,
        path=made,
        pixels=pixels,
        mean=before.mean if before else (),
        std=before.std if before else (),
    )
    target = made.rename(folder / "reference.npz")
    count = _check_reference(target, plan.model.words, what)
    source = f"{what}; the model's own outputs on {plan.told.words}"
    return FileSpec(path=target.name, sha256=sha256_of(target), count=count, source=source)


def _check_reference(path: Path, words: str, what: str) -> int:
    """How many samples it has; answers that are no numbers are nothing to compare with."""
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            array = archive[name]
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise UsageError(
                    f"--model {words}: its outputs for {what} hold NaN or infinity",
                    remedy="give it inputs that it knows: --images FOLDER",
                )
        return len(archive["inputs"])


def _is_faint(path: Path) -> bool:
    """Whether an output is too small to tell runtimes apart by more than their rounding."""
    with np.load(path, allow_pickle=False) as archive:
        outputs = [archive[name] for name in archive.files if name.startswith("outputs")]
    floats = [one.astype(np.float64) for one in outputs if one.dtype.kind == "f"]
    return any(float(np.sqrt((one**2).mean())) < _FAINT_RMS for one in floats)


def _is_softmax(path: Path) -> bool:
    """Whether the answers have been through softmax already."""
    with np.load(path, allow_pickle=False) as archive:
        rows = archive["outputs"].reshape(len(archive["outputs"]), -1)
    sums = np.abs(rows.sum(axis=1, dtype=np.float64) - 1)
    return bool((rows >= 0).all() and (sums < _SUM_TOLERANCE).all())


def _sizes(plan: Plan) -> tuple[int, int, int]:
    height, width, channels = plan.inputs[0].shape
    return height, width, channels


def _samples(
    plan: Plan, chosen: Chosen | None, names: tuple[str, ...], folder: Path
) -> FileSpec | None:
    """The labelled images that accuracy is judged on."""
    if plan.folder is None or chosen is None or not chosen.labelled or not names:
        return None
    numbers = images.labels_of(plan.folder, names)
    pixels = images.read(plan.folder, chosen.labelled, _sizes(plan))
    right = np.array([numbers[member[0]] for member in chosen.labelled], np.int64)
    also = ", which calibrate int8 too" if chosen.both else ""
    path = folder / "samples.npz"
    return _save(path, f"{len(pixels)} given images{also}", images=pixels, labels=right)


def _calibration(plan: Plan, chosen: Chosen | None, folder: Path) -> FileSpec | None:
    """The images that int8 is calibrated on."""
    if plan.folder is None or chosen is None:
        return None
    pixels = images.read(plan.folder, chosen.calibration, _sizes(plan))
    return _save(folder / "calibration.npz", f"{len(pixels)} given images", images=pixels)


def _save(path: Path, source: str, **arrays: Any) -> FileSpec:  # noqa: ANN401 - of several types
    np.savez_compressed(path, **arrays)
    count = len(arrays["images"])
    return FileSpec(path=path.name, sha256=sha256_of(path), count=count, source=source)


def _model_spec(model: Model, layout: Layout, folder: Path) -> ModelSpec:
    return ModelSpec(
        path=model.path.relative_to(folder).as_posix(),
        format=model.format,
        precision=model.precision,
        layout=layout,
        sha256=model.sha256,
        size_byte=model.path.stat().st_size,
        tool=f"as it was given to edgebench {__version__}",
    )


def _summary(
    found: Found, plan: Plan, chosen: Chosen | None, names: tuple[str, ...], request: Request
) -> str:
    """What figures mean, as the run tells it below its table."""
    parts = [
        plain(found.path.name),
        f"parity is against its own outputs on {plan.told.words}",
    ]
    classes = plan.folder.classes if plan.folder else ()
    if classes and not names:
        parts.append("no top-1: its outputs are no classes")
    elif classes and not request.labels and names != tuple(map(str, range(len(names)))):
        order = "its classes are the folders of --images in alphabetical order"
        parts.append(f"{order} (or give --labels)")
    if names and chosen and chosen.both:
        parts.append("few images: accuracy is judged on those that calibrate")
    return "; ".join(parts)
