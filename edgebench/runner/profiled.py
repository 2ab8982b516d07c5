"""One case profiled in a fresh worker, and which stored or typed case that is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgebench.errors import EdgebenchError, UsageError
from edgebench.host import cpu
from edgebench.protocols import OpWork, Probe
from edgebench.records import Case, Record
from edgebench.runner import launcher, plan, requests
from edgebench.runner.config import BackendConfig
from edgebench.runner.contenders import Contender, Wanted
from edgebench.store.read import StoredRun
from edgebench.wire import Profiled, Reply

_ONE_CALL = ("scenario", "region", "engine", "streams", "parameters", "image_sha256")
"""Fields of a case that say how calls are asked for: a profile looks into one call of `invoke`."""


class NotProfiledError(EdgebenchError):
    """The worker gave no profile; its record says why."""

    def __init__(self, record: Record) -> None:
        super().__init__(f"{record.stage}: {record.status}: {record.reason}")
        self.record = record


def one_call(wanted: Wanted) -> Wanted:
    """A case as it was typed, without what says how its calls are asked for."""
    fields = {name: value for name, value in wanted.fields.items() if name not in _ONE_CALL}
    return msgspec.structs.replace(wanted, fields=fields)


def stored_case(run: StoredRun, words: str) -> Case:
    """The run's case of a label or id, as single calls.

    Raises:
        UsageError: There is none, or more than one; the message says which there are.
    """
    every = tuple(run.cases.values())
    found = {case.case_id: case for case in every if words in {case.case_id, case.label}}
    if not found:
        labels = dict.fromkeys(case.label for case in every)
        raise UsageError(
            f"{run.folder} has no case {words!r}", remedy=f"it has {', '.join(labels)}"
        )
    if len(found) > 1:
        told = ", ".join(f"{name} ({case.format})" for name, case in found.items())
        raise UsageError(f"{words!r} is more than one case of {run.folder}", remedy=f"name {told}")
    (case,) = found.values()
    plain = {field.name: field.default for field in msgspec.structs.fields(Case)}
    plain["parameters"] = {}
    return msgspec.structs.replace(case, **{name: plain[name] for name in _ONE_CALL})


def stored_contender(
    run: StoredRun, words: str, probes: Mapping[str, Probe], backends: Mapping[str, BackendConfig]
) -> Contender:
    """A case of a run as something that can be launched here.

    Raises:
        UsageError: It cannot: no such case, its workload is another one by now, or its backend or
            accelerator is not there.
    """
    case = stored_case(run, words)
    probe = probes[case.backend]
    if not probe.available:
        raise UsageError(f"backend {probe.name}: {probe.reason}", remedy=probe.remedy)
    if case.accelerator not in probe.accelerators:
        raise UsageError(
            f"{words}: {probe.name} has no {case.accelerator} here",
            remedy=f"it has {', '.join(probe.accelerators)}",
        )
    if case.threads > (usable := cpu.usable_cpus()):
        raise UsageError(f"{words}: this process may use {usable} CPU(s), not {case.threads}")
    (workload,) = plan.choose_workloads((case.workload,)).values()
    spec = workload.spec
    there = workload.model(case.format, case.file_precision)
    if there is None or (spec.version, spec.source_sha256) != (
        case.workload_version,
        case.source_sha256,
    ):
        raise UsageError(f"workload {case.workload} is not the one that {run.folder} ran")
    python = backends.get(case.backend, BackendConfig()).python
    return Contender(words=words, case=case, workload=workload, python=python)


def check(contender: Contender, probes: Mapping[str, Probe]) -> None:
    """See that the backend can tell times of operators.

    Args:
        contender: The case.
        probes: Of its backend at least; others are named as those that can.

    Raises:
        UsageError: It cannot.
    """
    name = contender.case.backend
    if not probes[name].profiles:
        able = [probe.name for probe in probes.values() if probe.available and probe.profiles]
        raise UsageError(
            f"{name} gives no times of operators",
            remedy=f"these do: {', '.join(able) or 'none that is installed'}",
        )


def profile(contender: Contender, calls: int, limits: launcher.Limits, log: Path) -> Profiled:
    """Profile so many calls of a case in a fresh worker.

    Args:
        contender: With a reference, where it is a file.
        calls: How many.
        limits: Time-outs of the worker's stages.
        log: Where its stderr goes.

    Raises:
        NotProfiledError: It failed, crashed or took too long.
        UsageError: The workload has no such model any more.
    """
    request = msgspec.structs.replace(
        contender.request(f"profile-{requests.now_utc()}", 0, 0), profile_calls=calls
    )
    told: list[Profiled] = []

    def heard(reply: Reply) -> None:
        if isinstance(reply, Profiled):
            told.append(reply)

    record = launcher.launch(request, limits, log, contender.python, heard)
    if record.status != "ok" or not told:
        raise NotProfiledError(record)
    return told[0]


def works(contender: Contender) -> tuple[OpWork, ...]:
    """What the operators of the model file multiply, counted from the file itself if it is ONNX.

    Of any other format it is the workload's source that is counted: it has the same operators.
    Nothing where there is no ONNX file, or no package that reads one.
    """
    path, shapes = contender.file, {}
    if contender.workload is not None:
        onnx = contender.case.format == "onnx"
        precision = contender.case.file_precision if onnx else "fp32"
        model = contender.workload.model("onnx", precision)
        path = contender.workload.path_of(model) if model else None
        spec = contender.workload.spec
        shapes = requests.shapes_of(spec.inputs, model.layout) if model else {}
    if path is None or path.suffix != ".onnx":
        return ()
    try:
        from edgebench.derive import onnx_work  # noqa: PLC0415 - on devices there is no onnx
    except ImportError:
        return ()
    return onnx_work.of_file(path, shapes)
