"""Charts of results: plain functions from a frame to an Altair chart, for notebooks and reports.

>>> frame = edgebench.load("edgebench-results")
>>> charts.latency(frame)
>>> samples, looks = edgebench.load_samples(...), edgebench.load_looks(...)  # of the same folder
>>> charts.distributions(samples, frame)
>>> charts.sustained(samples, frame, looks)
>>> charts.heat(looks, frame)

Cells without the figures that a chart draws (failed, skipped, not measured) are left out. Each
function takes a frame as `edgebench.load` gives it, or one that `prepared` made of it, which spares
the work where several charts are drawn of one frame. `styled` gives a chart the look of the report.
"""

from __future__ import annotations

from edgebench.report.charts.base import PALETTE, prepared
from edgebench.report.charts.devices_chart import devices, matrix
from edgebench.report.charts.energy_chart import energy
from edgebench.report.charts.heat_chart import MOMENTS, heat
from edgebench.report.charts.heat_map_chart import heat_map
from edgebench.report.charts.latency_chart import PERCENTS, distributions, latency, quantiles
from edgebench.report.charts.memory_chart import memory
from edgebench.report.charts.pareto_chart import pareto
from edgebench.report.charts.precisions_chart import precisions
from edgebench.report.charts.stages_chart import stages
from edgebench.report.charts.sustained_chart import CURVES, curves, sustained
from edgebench.report.charts.throughput_chart import throughput
from edgebench.report.charts.work_chart import work
from edgebench.report.page.theme import styled

__all__ = [
    "CURVES",
    "MOMENTS",
    "PALETTE",
    "PERCENTS",
    "curves",
    "devices",
    "distributions",
    "energy",
    "heat",
    "heat_map",
    "latency",
    "matrix",
    "memory",
    "pareto",
    "precisions",
    "prepared",
    "quantiles",
    "stages",
    "styled",
    "sustained",
    "throughput",
    "work",
]
