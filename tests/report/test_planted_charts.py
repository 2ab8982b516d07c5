"""Charts that few results have something for: fronts of other tasks than classification, sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drawn import labels

from edgebench.records import Task
from edgebench.report import picture
from edgebench.report.rows import of_runs
from edgebench.report.sections.base import Material
from edgebench.store.read import read_all
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device


def material(folder: Path, *cells: Cell) -> Material:
    """The results of a device with these cells."""
    fleet.write(folder, Device(name="board", cells=cells), launches=2, samples=40)
    runs, _ = read_all([folder])
    return Material(runs, of_runs(runs))


@pytest.mark.parametrize(("figure", "task"), [("map50", "detection"), ("miou", "segmentation")])
def test_fronts_of_other_tasks_are_drawn(tmp_path: Path, figure: str, task: Task) -> None:
    told = (("fp32", 20.0, 0.5), ("fp16", 30.0, 0.494), ("int8", 10.0, 0.495))
    cells: list[Any] = [
        {"precision": name, "latency_ms": ms, f"{figure}_ratio": ratio} for name, ms, ratio in told
    ]
    found = material(tmp_path, *(Cell(task=task, **one) for one in cells))
    words = labels(picture.svg(found, f"front-{figure}", picture.Style()))
    rings = {one for one in words if one.startswith("on the front of ")}
    assert rings == {f"on the front of mnist_cnn: onnxruntime/{name}" for name in ("fp32", "int8")}


@pytest.mark.parametrize("over", ["threads", "batch", "streams"])
def test_sweeps_are_drawn_over_what_they_sweep(tmp_path: Path, over: str) -> None:
    cells: list[Any] = [
        {"backend": name, "latency_ms": 8.0 / count, over: count}
        for name in ("litert", "ncnn")
        for count in (1, 2, 4)
    ]
    found = material(tmp_path, *(Cell(scenario="multi_stream", **one) for one in cells))
    drawn = labels(picture.svg(found, f"throughput-{over}", picture.Style()))
    points = [parts for one in drawn if "cell" in (parts := _parts(one))]
    told = {(one["cell"], one[over]) for one in points}
    assert told == {(f"{name}/fp32", str(n)) for name in ("litert", "ncnn") for n in (1, 2, 4)}


def _parts(label: str) -> dict[str, str]:
    found = (one.split(": ", 1) for one in label.split("; "))
    return {one[0]: one[1] for one in found if len(one) > 1}
