"""Which labelled images each workload is judged on, checked before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from edgebench.datasets import folder
from edgebench.errors import UsageError
from edgebench.specs import Workload

AccuracyChoice = Literal["samples", "full", "none"]


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """A file of labelled images, and where they come from."""

    path: str
    source: str


def choose(accuracy: AccuracyChoice, workloads: Mapping[str, Workload]) -> dict[str, Labelled]:
    """The labelled images of each workload; a workload without any has no accuracy.

    Random weights are right by accident alone, and of a task that nobody told nothing is right.

    Args:
        accuracy: ``samples`` takes those that a workload ships, ``full`` the data set that its
            recipe names, ``none`` nothing.
        workloads: By name.

    Raises:
        UsageError: ``full``, and a data set is not there, damaged, or of another shape; or the
            task is one that no data set is for.
    """
    if accuracy == "none":
        return {}
    workloads = {
        name: workload
        for name, workload in workloads.items()
        if workload.spec.weights != "random" and workload.spec.task != "other"
    }
    if accuracy == "full":
        return {name: _full(workload) for name, workload in workloads.items()}
    return {
        name: Labelled(path=str(workload.file(samples.path)), source=samples.source)
        for name, workload in workloads.items()
        if (samples := workload.spec.samples) is not None
    }


def _full(workload: Workload) -> Labelled:
    spec = workload.spec
    if spec.task != "classification":
        raise UsageError(
            f"--accuracy full: there is no full data set for {spec.task} (workload {spec.name})",
            remedy="use --accuracy samples, or choose other workloads with -w",
        )
    name = spec.recipe.get("dataset")
    if not isinstance(name, str):
        raise UsageError(
            f"--accuracy full: workload {spec.name} names no data set",
            remedy="use --accuracy samples, or name one as recipe.dataset in its workload.toml",
        )
    try:
        dataset = folder.open_dataset(name)
    except UsageError as error:
        message = f"--accuracy full, workload {spec.name}: {error.message}"
        raise UsageError(message, remedy=error.remedy) from None
    again = f"add it again: edgebench data add {name} PATH --replace"
    if problem := dataset.problem():
        raise UsageError(f"data set {name}: {problem}", remedy=again)
    if dataset.spec.shape != spec.input.shape:
        raise UsageError(
            f"data set {name} has images of {dataset.spec.shape}, workload {spec.name} takes "
            f"{spec.input.shape}",
            remedy=again,
        )
    unlike = dataset.spec.labels and dataset.spec.labels != spec.labels
    if unlike or dataset.spec.largest_label >= len(spec.labels):
        raise UsageError(
            f"data set {name} has other classes than workload {spec.name}",
            remedy=again,
        )
    return Labelled(path=str(dataset.path), source=dataset.source)
