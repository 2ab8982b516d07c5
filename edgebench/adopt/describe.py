"""What a model takes and gives: its runtime is asked, in a worker that may crash for it.

The first runtime that runs the model also computes the outputs that every other one, and every
precision derived from it, is held against.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebench import plugins, wire
from edgebench.errors import UsageError, WireError
from edgebench.host import cpu
from edgebench.protocols import Probe
from edgebench.records import Case, Precision
from edgebench.runner import launcher, requests
from edgebench.runner.config import BackendConfig
from edgebench.specs import InputSpec, ModelFormat
from edgebench.wire import Described, LaunchRequest

_FIRST: dict[ModelFormat, tuple[str, ...]] = {
    "onnx": ("onnxruntime", "openvino", "opencv-dnn"),
    "tflite": ("litert", "tflite-runtime", "openvino"),
    "savedmodel": ("tensorflow",),
    "torch": ("torch",),
    "openvino": ("openvino",),
    "ncnn": ("ncnn",),
    "mnn": ("mnn",),
    "eim": ("edge-impulse",),
}
"""Whom to ask, the format's own runtime first: the same answer whatever `-b` names."""


class Runtimes(NamedTuple):
    """The runtimes of this machine, as far as they were asked what they are."""

    probes: Mapping[str, Probe]
    ask: Callable[[Sequence[str]], Sequence[Probe]]
    """Probes more of them."""
    backends: Mapping[str, BackendConfig] = {}
    limits: launcher.Limits = launcher.Limits(timeout_s=60.0, measure_s=0.0)


class Model(NamedTuple):
    """A model file that is to be run."""

    path: Path
    words: str
    """How the user calls it."""
    format: ModelFormat
    precision: Precision
    sha256: str
    shapes: Mapping[str, tuple[int, ...]]


class Told(NamedTuple):
    """What a runtime declared, and which it was."""

    declared: Described
    runtime: Probe

    @property
    def words(self) -> str:
        """``onnxruntime 1.27.0``."""
        return f"{self.runtime.name} {self.runtime.version}"


def able(fmt: ModelFormat, runtimes: Runtimes) -> Iterator[Probe]:
    """Runtimes that read a format, the best first; what was not asked yet is asked now."""
    preferred = _FIRST[fmt]
    known = dict(runtimes.probes)
    for name in dict.fromkeys((*preferred, *known)):
        if name not in known and name in plugins.names(plugins.BACKENDS):
            known |= {probe.name: probe for probe in runtimes.ask((name,))}
        probe = known.get(name)
        if probe is not None and probe.available and fmt in probe.formats:
            yield probe


def describe(model: Model, runtimes: Runtimes, folder: Path) -> Told:
    """Ask the runtimes of a format one after the other, until one runs the model.

    Raises:
        UsageError: None of them is installed, or none runs it; the first one's own words.
    """
    first_fault = ""
    for probe in able(model.format, runtimes):
        path = folder / "described.npz"
        fault = _launch(model, probe, runtimes, _request(model, probe, runtimes, path, ring=1))
        if fault:
            first_fault = first_fault or f"{probe.name}: {fault}"
            continue
        try:
            return Told(wire.read_described(path), probe)
        except WireError as error:
            first_fault = first_fault or f"{probe.name}: {error}"
    if not first_fault:
        names = _FIRST[model.format]
        raise UsageError(
            f"--model {model.words}: no backend that is installed reads {model.format} files",
            remedy=f"pip install '{plugins.install_extra(names[0]) or names[0]}'",
        )
    raise UsageError(f"--model {model.words}: {first_fault}")


def answer(
    model: Model,
    told: Told,
    inputs: Sequence[InputSpec],
    layout: str,
    *,
    runtimes: Runtimes,
    path: Path,
    pixels: Path | None = None,
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
) -> None:
    """Write a reference: inputs, and the runtime's outputs for them.

    Args:
        model: The file.
        told: By the runtime that is asked once more.
        inputs: What it takes.
        layout: Of its images.
        runtimes: For the runtime's interpreter and options.
        path: Of the ``.npz``.
        pixels: Images instead of random inputs: an ``.npz`` with ``images``.
        mean: Of them.
        std: Of them.

    Raises:
        UsageError: It cannot be run on them, in the runtime's own words.
    """
    request = msgspec.structs.replace(
        _request(model, told.runtime, runtimes, path),
        model_layout=layout,
        inputs=tuple(inputs),
        samples_path=str(pixels) if pixels else None,
        samples_mean=mean,
        samples_std=std,
    )
    if fault := _launch(model, told.runtime, runtimes, request):
        raise UsageError(f"--model {model.words}: {told.runtime.name}: {fault}")


def _request(
    model: Model, probe: Probe, runtimes: Runtimes, path: Path, *, ring: int = 16
) -> LaunchRequest:
    settings = runtimes.backends.get(probe.name, BackendConfig())
    case = Case(
        workload=model.path.stem,
        workload_version=1,
        source_sha256=model.sha256,
        backend=probe.name,
        format=model.format,
        precision=model.precision if model.precision in probe.precisions else "fp32",
        accelerator="cpu" if "cpu" in probe.accelerators else probe.accelerators[0],
        options=settings.shared_options,
    )
    return LaunchRequest(
        parent_pid=os.getpid(),
        run_id="taken",
        case_id=case.case_id,
        launch=0,
        started_at_utc=requests.now_utc(),
        case=case,
        model_path=str(model.path),
        model_layout="",
        model_sha256=model.sha256,
        reference_path=str(path),
        shapes=dict(model.shapes),
        warmup_s=0.0,
        warmup_max_s=0.0,
        measure_s=0.0,
        cpus=cpu.choose_cpus(1),
        # Its pixels are the inputs taken back; random ones lie between 0 and 1.
        samples_mean=(0.0,) if model.format == "eim" else (),
        samples_std=(255.0,) if model.format == "eim" else (),
        ring=ring,
        free_inputs=True,
    )


def _launch(model: Model, probe: Probe, runtimes: Runtimes, request: LaunchRequest) -> str:
    """Why a launch did not end well, of the file that the user knows; empty where it did."""
    settings = runtimes.backends.get(probe.name, BackendConfig())
    log = Path(request.reference_path).with_suffix(".log")
    record = launcher.launch(request, runtimes.limits, log, settings.python)
    if record.status == "ok":
        return ""
    reason = record.reason.replace(str(model.path), model.words)
    reason = reason.replace(model.path.name, Path(model.words).name)
    return reason if record.status == "failed" else f"{record.status}: {reason}"
