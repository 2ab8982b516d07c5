"""The charts of latency, each with the table of its data."""

from __future__ import annotations

import pandas as pd

from edgebench.report import charts, grid
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.sections.base import Figure, Material, Section, mark, verdict

_PERCENTS = (*range(9, 50, 10), 50, *range(59, 100, 10))


def latency(material: Material) -> Section | None:
    """The charts of latency, each with its data."""
    measured = charts.measured(material.frame)
    if measured.empty:
        return None
    figures = [_interval_figure(material, measured)]
    spread = charts.quantiles(material.samples, material.frame)
    if not spread.empty:
        figures.append(_spread_figure(material, spread))
    context = {"figures": figures}
    return Section(id="latency", title="Latency", template="figures.html.j2", context=context)


def _interval_figure(material: Material, measured: pd.DataFrame) -> Figure:
    rows = [material.rows[index] for index in measured.index]
    data = Grid(
        caption="Median latency of each cell",
        heads=(
            Head("workload"),
            Head("cell"),
            Head("p50 ms", numeric=True),
            Head("95 % interval ms", numeric=True),
            Head("launches", numeric=True),
            Head("verdict"),
        ),
        rows=[
            [
                grid.text(row["workload"]),
                grid.text(material.name(row)),
                grid.figure(row["latency_p50_ms"]),
                grid.interval(row, "latency_p50", "ms"),
                grid.figure(row["launches"]),
                Cell(verdict(row), mark=mark(row)),
            ]
            for row in rows
        ],
    )
    caption = (
        "Each point is the median latency of a cell, the bar its 95 % interval. Hollow points are "
        "suspect, invalid or imported. Where two bars overlap, the cells cannot be told apart. "
        "Cells that chose their load themselves (offline, a server that looks for its rate) are "
        "not drawn."
    )
    spec = charts.latency(material.frame).to_dict()
    return Figure(id="chart-latency", caption=caption, spec=spec, data=data)


def _spread_figure(material: Material, spread: pd.DataFrame) -> Figure:
    shown = [charts.PERCENTS.index(percent) for percent in _PERCENTS]
    heads = [Head("workload"), Head("cell"), Head("inferences", numeric=True)]
    heads += [Head("shortest ms", numeric=True)]
    heads += [Head(f"{charts.PERCENTS[index]} % ms", numeric=True) for index in shown]
    heads += [Head("longest ms", numeric=True)]
    rows = [
        [
            grid.text(row["workload"]),
            grid.text(row["cell"]),
            grid.figure(int(row["samples"])),
            grid.figure(float(row["latency_min_ms"])),
            *(grid.figure(float(row["quantile_ms"][index])) for index in shown),
            grid.figure(float(row["latency_max_ms"])),
        ]
        for row in spread.to_dict("records")
    ]
    caption = (
        "Each tick stands for 2 % of a cell's inferences, the long one for the median; ticks that "
        "lie close mean a steady latency. The longest inference is in the table, not in the chart."
    )
    return Figure(
        id="chart-spread",
        caption=caption,
        spec=charts.distributions(material.samples, material.frame).to_dict(),
        data=Grid(caption="Quantiles of latency of each cell", heads=heads, rows=rows),
    )
