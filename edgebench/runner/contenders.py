"""The two sides of a comparison: cases of workloads, or model files that belong to none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from edgebench import plugins
from edgebench.errors import UsageError
from edgebench.host import cpu
from edgebench.protocols import Probe
from edgebench.records import Case
from edgebench.runner import accelerators, labels, plan, requests
from edgebench.runner.config import BackendConfig, Preset
from edgebench.runner.labelled import Labelled
from edgebench.specs import Workload, sha256_of
from edgebench.wire import LaunchRequest

_FORMATS = {".onnx": "onnx", ".tflite": "tflite"}
_TURNS = Preset(name="quick", min_launches=1, max_launches=1, measure_s=1.2, warmup_s=0.3)
"""Warm-up of a launch, and how long one that has no partner beside it measures."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A side as it was typed."""

    words: str
    fields: dict[str, Any]
    """Of the case, as far as they were told."""
    file: Path | None = None
    """A model file instead of a workload."""

    @property
    def backend(self) -> str | None:
        """None where the first backend that reads the file will do."""
        name = self.fields.get("backend")
        return str(name) if name is not None else None


def read(words: str) -> Wanted:
    """A label such as `edgebench run` prints, or ``FILE[/BACKEND[/PRECISION[/...]]]``.

    Raises:
        UsageError: It is neither.
    """
    path = Path(words)
    file = next((one for one in (path, *path.parents) if one.is_file()), None)
    if file is None:
        if path.suffix in _FORMATS:
            raise UsageError(f"there is no model file {words}")
        return Wanted(words=words, fields=labels.parse(words))
    if file.suffix not in _FORMATS:
        raise UsageError(f"{file} is no model file", remedy=f"known: {', '.join(_FORMATS)}")
    rest = list(path.parts[len(file.parts) :])
    fields: dict[str, Any] = {"backend": rest[0]} if rest else {}
    fields |= labels.settings(words, rest[1:] or ["fp32"])
    return Wanted(words=words, fields=fields, file=file)


def backends_to_ask(wanted: Wanted) -> tuple[str, ...]:
    """The backend that was named, or all that are registered."""
    return (wanted.backend,) if wanted.backend else plugins.names(plugins.BACKENDS)


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A side that can be launched."""

    words: str
    case: Case
    workload: Workload | None = None
    file: Path | None = None
    reference: Path | None = None
    """Of a file: inputs and outputs to hold its outputs against."""
    layout: str = ""
    python: str | None = None

    def request(
        self, run_id: str, launch: int, attempt: int, labelled: Labelled | None = None
    ) -> LaunchRequest:
        """One launch of this side, not in turns.

        Raises:
            UsageError: The workload has no such model any more.
        """
        if self.workload is not None:
            return requests.build(
                run_id=run_id,
                case=self.case,
                workload=self.workload,
                preset=_TURNS,
                launch=launch,
                attempt=attempt,
                labelled=labelled,
            )
        return LaunchRequest(
            parent_pid=os.getpid(),
            run_id=run_id,
            case_id=self.case.case_id,
            launch=launch,
            attempt=attempt,
            started_at_utc=requests.now_utc(),
            case=self.case,
            model_path=str(Path(self.file or "").absolute()),
            model_layout=self.layout,
            model_sha256=self.case.source_sha256,
            reference_path=str(self.reference),
            task="other",
            warmup_s=_TURNS.warmup_s,
            warmup_max_s=_TURNS.warmup_max_s,
            measure_s=_TURNS.measure_s,
            cpus=cpu.choose_cpus(self.case.threads),
        )


def resolve(
    wanted: Wanted, probes: Mapping[str, Probe], backends: Mapping[str, BackendConfig]
) -> Contender:
    """A side as a case that can run here.

    Raises:
        UsageError: Its backend, workload, precision or accelerator is not there; the message says
            what is.
    """
    probe = _probe(wanted, probes)
    fields = wanted.fields
    settings = backends.get(probe.name, BackendConfig())
    _check(wanted, probe, settings)
    fields = fields | {
        "backend": probe.name,
        "options": _options(wanted, probe, settings),
    }
    if wanted.file is not None:
        case = Case(
            workload=wanted.file.name,
            workload_version=1,
            source_sha256=sha256_of(wanted.file),
            format=_FORMATS[wanted.file.suffix],
            **fields,
        )
        return Contender(words=wanted.words, case=case, file=wanted.file, python=settings.python)
    (workload,) = plan.choose_workloads((fields["workload"],)).values()
    formats = settings.formats or probe.formats
    of_file = probe.serves.get(fields["precision"], fields["precision"])
    found = (workload.model(fmt, of_file) for fmt in formats)
    model = next((model for model in found if model is not None), None)
    if model is None:
        models = (*workload.spec.models, *workload.derived)
        has = dict.fromkeys(m.precision for m in models if m.format in formats)
        raise UsageError(
            f"{wanted.words}: {workload.spec.name} has no {fields['precision']} model for "
            f"{probe.name}",
            remedy=f"it has {', '.join(has) or 'none'}",
        )
    case = Case(
        workload_version=workload.spec.version,
        source_sha256=workload.spec.source_sha256,
        format=model.format,
        model_precision=model.precision if model.precision != fields["precision"] else None,
        **fields,
    )
    return Contender(words=wanted.words, case=case, workload=workload, python=settings.python)


def _probe(wanted: Wanted, probes: Mapping[str, Probe]) -> Probe:
    """What its backend says of itself; of a file, the first backend's that reads it."""
    if wanted.backend is not None:
        probe = probes[wanted.backend]
        if not probe.available:
            raise UsageError(f"backend {probe.name}: {probe.reason}", remedy=probe.remedy)
        return probe
    suffix = wanted.file.suffix if wanted.file is not None else ""
    for name in backends_to_ask(wanted):
        found = probes.get(name)
        if found is not None and found.available and _FORMATS.get(suffix) in found.formats:
            return found
    raise UsageError(f"no backend that is installed reads {wanted.file}")


def _options(wanted: Wanted, probe: Probe, settings: BackendConfig) -> dict[str, str]:
    """The runtime's options of this side: the file's, then those of the label."""
    fields = wanted.fields
    given = {**settings.shared_options, **fields.get("options", {})}
    every = (*probe.accelerators, *settings.accelerators)
    return accelerators.own_options(given, fields.get("accelerator", "cpu"), every)


def _check(wanted: Wanted, probe: Probe, settings: BackendConfig) -> None:
    fields, words = wanted.fields, wanted.words
    if wanted.file is not None and _FORMATS[wanted.file.suffix] not in probe.formats:
        raise UsageError(f"{words}: {probe.name} reads {', '.join(probe.formats)}")
    if fields["precision"] not in probe.precisions:
        raise UsageError(
            f"{words}: {probe.name} has no {fields['precision']}",
            remedy=f"it has {', '.join(probe.precisions)}",
        )
    accelerator = fields.get("accelerator", "cpu")
    if accelerator not in (*probe.accelerators, *_options(wanted, probe, settings)):
        raise UsageError(
            f"{words}: {accelerator!r} is no setting and no accelerator of {probe.name}",
            remedy=f"it has {', '.join(probe.accelerators)}",
        )
    for name, plain in (("scenario", "single_stream"), ("region", "invoke"), ("streams", 1)):
        if fields.get(name, plain) != plain:
            raise UsageError(
                f"{words}: two live workers take turns as {plain if plain != 1 else 'one stream'}",
                remedy="measure other scenarios and regions with `edgebench run`, then compare",
            )
    if fields.get("engine", "edgebench") != "edgebench":
        raise UsageError(f"{words}: ab keeps the time itself", remedy="leave out /loadgen")
    usable = cpu.usable_cpus()
    if not 1 <= fields.get("threads", 1) <= usable:
        raise UsageError(
            f"{words}: this process may use {usable} CPU(s)",
            remedy=f"choose 1 to {usable} threads; affinity and cgroup quota count",
        )
