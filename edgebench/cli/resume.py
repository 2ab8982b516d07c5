"""What `edgebench run --resume` needs before it measures: the same run, or a refusal."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgebench import resources
from edgebench.cli import adopted
from edgebench.derive.contract import CONVERTERS
from edgebench.errors import UsageError
from edgebench.host import identify
from edgebench.protocols import Probe
from edgebench.runner import budget, labelled, launcher, picture, plan
from edgebench.runner.config import Preset, RunConfig
from edgebench.store.read import StoredRun, read_run


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """A stored run that can go on here."""

    stored: StoredRun
    config: RunConfig
    preset: Preset
    plan: plan.Plan


def probe(config: RunConfig, names: Sequence[str]) -> list[Probe]:
    """What each backend's own interpreter says of it; one worker an interpreter."""
    by_python: dict[str | None, list[str]] = {}
    for name in names:
        settings = config.backends.get(name)
        by_python.setdefault(settings.python if settings else None, []).append(name)
    return [p for python, mine in by_python.items() for p in launcher.probe(mine, python)]


def prepare(folder: Path, more_s: float | None = None) -> Resumed:
    """Read a run and see that device, runtimes and models are still those it began with.

    A run with a budget goes on with what is left of it, or is given ``more_s`` seconds from now.

    Raises:
        StoreError: The folder holds no run that can be read.
        UsageError: What would be measured now is not what was measured before.
    """
    stored = read_run(folder)
    manifest = stored.manifest
    if manifest.preset == "ab":
        raise UsageError(
            f"{folder} is a comparison of two cases, which cannot be gone on with",
            remedy="run `edgebench ab` again",
        )
    try:
        config = msgspec.convert(manifest.config, RunConfig)
        preset = msgspec.convert(manifest.method, Preset)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{folder} was made by edgebench {manifest.edgebench_version}: {error}",
            remedy="start a new run",
        ) from None
    preset = _with_more(preset, stored, more_s)
    named = config.workloads or () if config.models else config.workloads or _workloads(stored)
    workloads = plan.choose_workloads(named) if named else {}
    names = tuple(dict.fromkeys(cell.case.backend for cell in manifest.plan))
    probed = plan.choose_backends(
        msgspec.structs.replace(config, backends_named=names), probe(config, names)
    )
    ask = functools.partial(probe, config)
    models = adopted.taken(config, probed, workloads, ask)
    if models.keys != config.taken:
        raise UsageError(
            f"{folder}: a model is not the one that it began with, or what is said of it, or the "
            "runtime that answers for it, or edgebench",
            remedy="start a new run",
        )
    workloads |= models.workloads
    planned = plan.Plan(
        cases=manifest.plan,
        workloads=workloads,
        probes=probed,
        labelled=labelled.choose(config.accuracy, workloads),
        picture=picture.choose(config, workloads),
    )
    for change in _changes(stored, planned, config):
        raise UsageError(f"{folder}: {change}", remedy="start a new run")
    return Resumed(stored=stored, config=config, preset=preset, plan=planned)


def _with_more(preset: Preset, stored: StoredRun, more_s: float | None) -> Preset:
    if more_s is None:
        return preset
    if preset.budget_s is None:
        raise UsageError(
            f"{stored.folder} began without a budget", remedy="resume it without --budget"
        )
    budget_s = budget.spent_s(stored.records) + more_s
    return msgspec.structs.replace(preset, budget_s=budget_s)


def _workloads(stored: StoredRun) -> list[str]:
    return list(dict.fromkeys(cell.case.workload for cell in stored.manifest.plan))


def _changes(stored: StoredRun, planned: plan.Plan, config: RunConfig) -> list[str]:
    """Differences that would put unlike figures into one case, a line each."""
    manifest = stored.manifest
    here = identify.identify(device_name=config.device_name, devices=resources.open_devices())
    found = []
    if here.device_id != manifest.facts.device_id:
        found.append(f"it began on another device ({manifest.facts.device_id})")
    for name, version in manifest.backend_versions.items():
        now = planned.probes[name].version if name in planned.probes else version
        if now != version:
            found.append(f"it began with {name} {version}, now there is {now}")
    models = {record.case_id: record.model_sha256 for record in stored.records}
    for cell in planned.runnable:
        case = cell.case
        workload = planned.workloads.get(case.workload)
        model = workload.model(case.format, case.file_precision) if workload else None
        if workload is None or model is None:
            lost = (
                f"workload {case.workload} has no {case.precision} model as {case.format} any more"
            )
            again = f"; edgebench workloads derive {case.workload} --format {case.format} makes it"
            found.append(lost + (again if case.format in CONVERTERS else ""))
            continue
        present = (workload.spec.version, workload.spec.source_sha256, model.sha256)
        image = planned.picture.sha256 if planned.picture else ""
        if case.image_sha256 not in {"", image}:
            found.append("the image is not the one that it began with")
        measured = models.get(cell.case_id) or model.sha256
        if present != (case.workload_version, case.source_sha256, measured):
            found.append(f"workload {case.workload} is not the one that it began with")
    return found
