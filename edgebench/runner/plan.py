"""The plan: which cases a run measures, and why the others cannot be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from edgebench import plugins, resources
from edgebench.derive import cache
from edgebench.derive.contract import CONVERTERS
from edgebench.errors import UsageError
from edgebench.host import cpu
from edgebench.protocols import Probe
from edgebench.records import Case, PlannedCase, Precision
from edgebench.runner import accelerators, labelled, picture, variants
from edgebench.runner.config import BackendConfig, RunConfig, ordered_precisions
from edgebench.runner.labelled import Labelled
from edgebench.runner.picture import Picture
from edgebench.specs import ModelFormat, ModelSpec, Workload, WorkloadSpec

Faults = Mapping[tuple[ModelFormat, Precision], str]
"""Why a workload has no model of a format and precision although it was tried."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Cases in table order, and the workloads they come from by name."""

    cases: tuple[PlannedCase, ...]
    workloads: dict[str, Workload]
    probes: dict[str, Probe]
    labelled: dict[str, Labelled] = {}
    """Images that accuracy is judged on, by workload."""
    picture: Picture | None = None
    """What region e2e decodes."""
    notes: tuple[str, ...] = ()
    """What was left out because nobody named it, a line each."""

    @property
    def runnable(self) -> tuple[PlannedCase, ...]:
        """Cases that can be launched."""
        return tuple(planned for planned in self.cases if not planned.skip)


def choose_workloads(names: Sequence[str]) -> dict[str, Workload]:
    """The named workloads, or those with ``default = true``; their files checked.

    Each knows the derived models that lie in the cache; a damaged one counts as absent.

    Raises:
        UsageError: An unknown name, one that is not built yet, or files that are not what
            ``workload.toml`` says.
    """
    if names:
        chosen = [resources.open_built(name) for name in dict.fromkeys(names)]
    else:
        every = map(resources.open_workload, resources.workload_folders(built=True))
        chosen = [workload for workload in every if workload.spec.default]
    if not chosen:
        raise UsageError("there is no workload to run", remedy="name one with -w")
    for workload in chosen:
        if problems := workload.problems():
            raise UsageError(
                f"workload {workload.spec.name}: {problems[0]}", remedy="reinstall or rebuild it"
            )
    by_name: dict[str, Workload] = {}
    for workload in chosen:
        known = by_name.setdefault(workload.spec.name, cache.attach(workload))
        if known.folder.resolve() != workload.folder.resolve():
            raise UsageError(
                f"{known.folder} and {workload.folder} are both named {workload.spec.name!r}",
                remedy="run them one by one, or rename one",
            )
    return by_name


def wanted_backends(config: RunConfig) -> tuple[str, ...]:
    """Backends to ask: the named ones, else all that are registered.

    Raises:
        UsageError: A name that nothing is registered under, unless it is an import path
            (``module:Class``) or lives in another interpreter.
    """
    registered = plugins.names(plugins.BACKENDS)
    for name in config.backends:
        if name not in (*registered, *config.backends_named) and ":" not in name:
            raise UsageError(f"[backends.{name}]: no such backend is known or named with -b")
    for name in config.backends_named:
        settings = config.backends.get(name)
        elsewhere = settings is not None and settings.python is not None
        if name not in registered and ":" not in name and not elsewhere:
            raise UsageError(f"no backend named {name!r} (known: {', '.join(registered)})")
    return tuple(dict.fromkeys(config.backends_named)) or registered


def choose_backends(config: RunConfig, probes: Sequence[Probe]) -> dict[str, Probe]:
    """The backends that can be used here; a named one must be.

    Raises:
        UsageError: A named backend is not available, or none is.
    """
    for probe in probes:
        if probe.name in config.backends_named and not probe.available:
            raise UsageError(f"backend {probe.name}: {probe.reason}", remedy=probe.remedy)
    chosen = {probe.name: probe for probe in probes if probe.available}
    if not chosen:
        remedies = "; ".join(probe.remedy for probe in probes if probe.remedy)
        raise UsageError("no backend is installed", remedy=remedies)
    return chosen


def build(
    config: RunConfig,
    workloads: dict[str, Workload],
    probes: dict[str, Probe],
    underivable: Mapping[str, Faults] | None = None,
) -> Plan:
    """Every combination that was asked for, as a case; impossible ones carry their reason.

    ``underivable`` names the workloads that everything was derived for.

    Raises:
        UsageError: Accuracy over a full data set was asked for, and one is not there; there is no
            image for region e2e; a format that its backend does not read; or an accelerator that
            no backend has.
    """
    _check_accelerators(config, probes)
    image = picture.choose(config, workloads)
    cases: list[PlannedCase] = []
    underived: dict[str, dict[str, None]] = {}
    for workload in workloads.values():
        faults = (underivable or {}).get(workload.spec.name)
        for name, probe in probes.items():
            if name not in config.backends_named and not _models(workload, probe, faults or {}):
                if faults is None and any(fmt in CONVERTERS for fmt in probe.formats):
                    underived.setdefault(workload.spec.name, {})[name] = None
                continue
            for precision in ordered_precisions(config.precisions):
                for formats in _formats(config, probe, name):
                    cases += _cells(
                        config,
                        workload,
                        probe,
                        formats,
                        precision,
                        image_sha256=image.sha256 if image else "",
                        faults=faults,
                    )
    chosen = labelled.choose(config.accuracy, workloads)
    return Plan(
        cases=tuple(cases),
        workloads=workloads,
        probes=probes,
        labelled=chosen,
        picture=image,
        notes=(*_notes(underived), *_unread(config, probes, cases)),
    )


def _models(workload: Workload, probe: Probe, faults: Faults) -> bool:
    """Whether a workload has any model in a format that a backend reads, or was to have one."""
    models = (*workload.spec.models, *workload.derived)
    formats = {model.format for model in models} | {fmt for fmt, _ in faults}
    return any(fmt in probe.formats for fmt in formats)


def _notes(underived: dict[str, dict[str, None]]) -> tuple[str, ...]:
    """One line for all backends that lack the same: ``workload -> backends``."""
    by_backends: dict[tuple[str, ...], list[str]] = {}
    for workload, backends in underived.items():
        by_backends.setdefault(tuple(backends), []).append(workload)
    return tuple(
        f"not measured: {', '.join(backends)} (no model of {' or '.join(workloads)} in a format of "
        f"theirs; make them: edgebench workloads derive)"
        for backends, workloads in by_backends.items()
    )


def _unread(
    config: RunConfig, probes: dict[str, Probe], cases: Sequence[PlannedCase]
) -> Iterator[str]:
    """A line for each backend that was named and has no case, not even a hole, to say why."""
    planned = {cell.case.backend for cell in cases}
    for name in config.backends_named:
        if name in probes and name not in planned:
            formats = " or ".join(probes[name].formats) or "no file"
            yield f"not measured: {name} (it reads {formats}, which no workload here has)"


def _check_accelerators(config: RunConfig, probes: dict[str, Probe]) -> None:
    """Refuse a name that would be nothing but holes: of the run, or of one backend's table."""
    tables = {name: config.backends.get(name, BackendConfig()) for name in probes}
    each = {
        name: accelerators.known(probe, tables[name], accelerators.asked(config, tables[name]))
        for name, probe in probes.items()
    }
    every = tuple({one for known in each.values() for one in known})
    asked = [("--accelerator", config.accelerators, every)]
    asked += [
        (f"[backends.{name}] accelerators", tables[name].accelerators, each[name])
        for name in probes
    ]
    for where, names, known in asked:
        if unknown := [name for name in names if name not in known]:
            raise UsageError(
                f"{where}: nothing here runs on {unknown[0]!r}",
                remedy=f"choose from {', '.join(sorted(known))}",
            )


def _formats(config: RunConfig, probe: Probe, name: str) -> list[tuple[str, ...]]:
    """Formats to choose from, best first: one choice, or one for each format that was asked for."""
    backend = config.backends.get(name)
    asked = dict.fromkeys(backend.formats if backend else ())
    if unknown := [fmt for fmt in asked if fmt not in probe.formats]:
        raise UsageError(
            f"[backends.{name}]: it does not read {unknown[0]!r}",
            remedy=f"choose from {', '.join(probe.formats)}",
        )
    return [(fmt,) for fmt in asked] or [probe.formats]


def _cells(
    config: RunConfig,
    workload: Workload,
    probe: Probe,
    formats: tuple[str, ...],
    precision: Precision,
    *,
    image_sha256: str,
    faults: Faults | None,
) -> Iterator[PlannedCase]:
    name, spec = probe.name, workload.spec
    model = _model(workload, formats, probe.serves.get(precision, precision))
    skip, mendable = _hole(workload, probe, formats, precision, faults=faults, model=model)
    if skip and not mendable and precision not in config.precisions and model is None:
        return  # nobody asked for it and nothing could run it: not a hole in the table
    backend = config.backends.get(name, BackendConfig())
    where = accelerators.asked(config, backend)
    known = accelerators.known(probe, backend, where)
    for (accelerator, options), fields in itertools.product(
        accelerators.cases(backend, where, {*known, *where}),
        variants.of(config, cpu.usable_cpus(), image_sha256),
    ):
        case = Case(
            workload=spec.name,
            workload_version=spec.version,
            source_sha256=spec.source_sha256,
            backend=name,
            format=model.format if model else (formats or ("",))[0],
            precision=precision,
            model_precision=model.precision if model and model.precision != precision else None,
            accelerator=accelerator,
            options=options,
            **fields,
        )
        yield PlannedCase(
            case_id=case.case_id,
            case=case,
            skip=skip or ("" if accelerator in known else _lacks(probe, accelerator)),
            **_told(spec, precision),
        )


def _hole(
    workload: Workload,
    probe: Probe,
    formats: tuple[str, ...],
    precision: Precision,
    *,
    faults: Faults | None,
    model: ModelSpec | None,
) -> tuple[str, bool]:
    """Why a case cannot be; and whether only a model is lacking that can be, or was to be, made."""
    spec, wanted = workload.spec, probe.serves.get(precision, precision)
    if precision not in probe.precisions:
        return probe.refuses.get(precision) or f"{probe.name} has no {precision}", False
    if model is not None:
        return "", False
    for (fmt, made), why in (faults or {}).items():
        if fmt in formats and made == wanted:
            return why, True
    skip = f"{spec.name} has no {wanted} model as {' or '.join(formats)}"
    derivable = next((fmt for fmt in formats if fmt in CONVERTERS), None)
    if faults is not None or derivable is None:
        return skip, False
    line = f"edgebench workloads derive {spec.name} --format {derivable}"
    lacking = precision == "int8" and spec.calibration is None
    return f"{skip} ({line}{' --data DIR' if lacking else ''})", True


def _told(spec: WorkloadSpec, precision: Precision) -> dict[str, Any]:
    """What reports and judges need of a workload's file, which may be gone by then."""
    return {
        "task": spec.task,
        "weights": spec.weights,
        "parity": spec.parity.get(precision),
        "macs": spec.macs,
        "parameters": spec.parameters,
    }


def _lacks(probe: Probe, accelerator: str) -> str:
    return (
        f"{probe.name} has no accelerator {accelerator} here (has: {', '.join(probe.accelerators)})"
    )


def _model(workload: Workload, formats: tuple[str, ...], precision: str) -> ModelSpec | None:
    """The workload's model in the best of these formats that it has this precision in."""
    found = (workload.model(fmt, precision) for fmt in formats)
    return next((model for model in found if model is not None), None)
