"""Every chart of the page by name, to be had as a picture: whose section draws it, what it shows.

To add one, name it in `DRAWINGS`: the name is the one that `Material.figure` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from edgebench.report import charts
from edgebench.report.charts.base import Chart
from edgebench.report.sections.base import Figure, Material, Section
from edgebench.report.sections.devices import devices
from edgebench.report.sections.fronts import fronts
from edgebench.report.sections.heat import heat
from edgebench.report.sections.heat_map import heat_map
from edgebench.report.sections.latency import latency
from edgebench.report.sections.memory import memory
from edgebench.report.sections.power import power
from edgebench.report.sections.precisions import precisions
from edgebench.report.sections.stages import stages
from edgebench.report.sections.sustained import sustained
from edgebench.report.sections.throughput import throughput
from edgebench.report.sections.work import work


class Drawing(NamedTuple):
    """A chart of the page."""

    section: Callable[[Material], Section | None]
    """Which makes it, among others: a picture shows what the page shows."""
    meaning: str
    takes: str
    """What must have been measured for it, in words."""
    chart: Callable[[Material], Chart] | None = None
    """Where the page's script makes or completes its data."""


_SEVERAL = "two cells or more of one question with "
_SCALED = "cells that differ in nothing but their "
DRAWINGS: dict[str, Drawing] = {
    "front-energy": Drawing(fronts, "latency against net energy", f"{_SEVERAL}measured energy"),
    "front-top1": Drawing(fronts, "latency against top-1", f"{_SEVERAL}different top-1"),
    "front-map50": Drawing(fronts, "latency against mAP50", f"{_SEVERAL}different mAP50"),
    "front-miou": Drawing(fronts, "latency against mIoU", f"{_SEVERAL}different mIoU"),
    "front-price": Drawing(fronts, "latency against the device's price", "devices of two prices"),
    "heat-map": Drawing(heat_map, "backend against precision on each device", "timed cells"),
    "precisions": Drawing(
        precisions,
        "speed against fp32 of the same runtime",
        "fp32 and another precision",
        lambda material: charts.precisions(material.cells),
    ),
    "devices-matrix": Drawing(
        devices,
        "how many times as fast each device is as each other one",
        "two devices that ran the same cases",
        lambda material: charts.matrix(material.cells),
    ),
    "devices": Drawing(
        devices,
        "each device against that with the most cells, case by case",
        "two devices that ran the same cases",
        lambda material: charts.devices(material.cells),
    ),
    "latency": Drawing(latency, "median latency with its 95 % interval", "cells that were timed"),
    "spread": Drawing(latency, "how latencies are spread", "cells whose inferences are kept"),
    "throughput-threads": Drawing(throughput, "samples a second over threads", f"{_SCALED}threads"),
    "throughput-batch": Drawing(throughput, "samples a second over the batch", f"{_SCALED}batch"),
    "throughput-streams": Drawing(throughput, "samples a second over streams", f"{_SCALED}streams"),
    "memory": Drawing(memory, "peak memory of a process and its parts", "cells that tell it"),
    "power": Drawing(power, "energy per inference with its 95 % interval", "a power meter"),
    "stages": Drawing(stages, "where an image's time goes, file to answer", "cells of region e2e"),
    "sustained": Drawing(sustained, "latency over minutes on end", "scenario sustained"),
    "heat": Drawing(heat, "temperature and clock over a run", "a sensor or clock that can be read"),
    "work": Drawing(
        work,
        "latency against multiply-accumulates",
        "several workloads that tell their work, each timed in region invoke",
    ),
}


def spec(material: Material, name: str) -> dict[str, Any] | None:
    """A chart with its data; None where the results have nothing for it.

    Args:
        material: The results.
        name: Of `DRAWINGS`.
    """
    drawing = DRAWINGS[name]
    found = figure(material, name)
    if found is None:
        return None
    if drawing.chart is None:
        return {**found.spec, "datasets": material.data.sets()}
    whole: dict[str, Any] = drawing.chart(material).to_dict(validate=False)
    return whole


def figure(material: Material, name: str) -> Figure | None:
    """A chart as the page has it; None where the results have nothing for it."""
    section = DRAWINGS[name].section(material)
    found = figures(section.context) if section else ()
    return next((one for one in found if one.id == f"chart-{name}"), None)


def figures(context: object) -> Iterator[Figure]:
    """Every chart of a section, wherever its template has it."""
    if isinstance(context, Figure):
        yield context
    elif isinstance(context, Mapping):
        for part in context.values():
            yield from figures(part)
    elif isinstance(context, (list, tuple)):
        for part in context:
            yield from figures(part)
