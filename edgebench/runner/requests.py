"""What a worker is asked: one launch of a case of a workload."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from edgebench.errors import UsageError
from edgebench.host import cpu
from edgebench.records import Case
from edgebench.runner import journal, variants
from edgebench.runner.config import Preset
from edgebench.runner.labelled import Labelled
from edgebench.runner.picture import Picture
from edgebench.specs import InputSpec, Workload, WorkloadSpec
from edgebench.wire import LaunchRequest

_IMAGE_AXES = 3


def now_utc() -> str:
    """The present time as records hold it."""
    return journal.utc(datetime.now(timezone.utc))


def build(
    *,
    run_id: str,
    case: Case,
    workload: Workload,
    preset: Preset,
    launch: int,
    attempt: int = 0,
    seed: int = 0,
    labelled: Labelled | None = None,
    picture: Picture | None = None,
    compares: bool = True,
) -> LaunchRequest:
    """The request for one launch, measured as long as the preset says.

    Without labelled images its accuracy is not judged, nor without ``compares`` its parity.

    Raises:
        UsageError: The workload has no such model any more.
    """
    spec = workload.spec
    model = workload.model(case.format, case.file_precision)
    if model is None:
        raise UsageError(f"workload {case.workload} has changed since this run was planned")
    return LaunchRequest(
        parent_pid=os.getpid(),
        run_id=run_id,
        case_id=case.case_id,
        launch=launch,
        attempt=attempt,
        started_at_utc=now_utc(),
        case=case,
        model_path=str(workload.path_of(model)),
        model_layout=model.layout,
        model_sha256=model.sha256,
        reference_path=str(workload.reference_path),
        compares=compares,
        **_tensors(spec, model.layout),
        samples_path=labelled.path if labelled else None,
        samples_source=labelled.source if labelled else "",
        preprocess=spec.preprocess,
        postprocess=spec.postprocess,
        labels=spec.labels if case.region == "e2e" or labelled else (),
        image_path=picture.path if picture and case.region == "e2e" else None,
        **_times(preset),
        seed=seed,
        cpus=cpu.choose_cpus(case.threads * variants.most_streams(case)),
    )


def _tensors(spec: WorkloadSpec, layout: str) -> dict[str, Any]:
    """What goes into a model file of that layout and comes out of it."""
    return {
        "task": spec.task,
        "inputs": spec.inputs,
        "outputs": spec.outputs,
        "shapes": shapes_of(spec.inputs, layout),
        "samples_mean": spec.mean,
        "samples_std": spec.std,
    }


def shapes_of(inputs: Sequence[InputSpec], layout: str) -> dict[str, tuple[int, ...]]:
    """`Settings.shapes`: one sample of each input as a file of that layout has it."""
    return {one.name: _laid(one, layout) for one in inputs}


def _laid(one: InputSpec, layout: str) -> tuple[int, ...]:
    if layout == "NCHW" and one.image and len(one.shape) == _IMAGE_AXES:
        return one.shape[-1], *one.shape[:-1]
    return one.shape


def _times(preset: Preset) -> dict[str, Any]:
    """How long to warm up and to measure."""
    return {
        "warmup_s": preset.warmup_s,
        "warmup_max_s": preset.warmup_max_s,
        "measure_s": preset.measure_s,
        "measure_max_s": preset.measure_max_s,
        "target_ratio": preset.launch_target_ratio,
    }
