"""Latency against multiply-accumulates, and the cells that those do not explain."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis import work as analysis
from edgebench.analysis.work import Standing
from edgebench.report import grid, work_chart
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.rows import Row
from edgebench.report.sections.base import Figure, Material, Section, mark, verdict
from edgebench.report.table import cell, number

_HEADS = (
    *(Head("workload"), Head("cell"), Head("MMAC", numeric=True), Head("p50 ms", numeric=True)),
    Head("95 % interval ms", numeric=True),
    Head("GMAC/s", numeric=True, meaning="billion multiply-accumulates per second"),
    Head("line ms", numeric=True, meaning="what the line of its backend has for so much work"),
    Head("times", numeric=True, meaning="p50 over line: above 1 is slower than its work suggests"),
    Head("verdict"),
)


def work(material: Material) -> Section | None:
    """The picture and its outliers; None where too few workloads tell their work."""
    groups = analysis.groups(material.rows)
    if not groups:
        return None
    standings = analysis.standings(material.rows)
    odd = [one for one in standings if one.outlier]
    figure = Figure(
        id="chart-work",
        caption=(
            "Each point is a cell: multiply-accumulates of a call (convolutions and dense layers) "
            "against its median latency with the 95 % interval. Dashed lines are equal speed. "
            "Hollow points are suspect or invalid. Cells that wait or do more than the runtime's "
            "call (other scenarios, region e2e) are not drawn."
        ),
        spec=work_chart.work(material.frame).to_dict(),
        data=_data(material, [row for group in groups for row in group], standings),
    )
    context = {
        "figures": [figure],
        "lead": _lead(standings, odd),
        "outliers": [sentence(one, material.name(one.row)) for one in odd],
    }
    title = "Latency against work"
    return Section(id="work", title=title, template="work.html.j2", context=context)


def sentence(standing: Standing, name: str) -> str:
    """An outlier in words.

    Args:
        standing: How it stands to the line of its backend.
        name: The short name of its cell.
    """
    slow = standing.ratio > 1
    times = standing.ratio if slow else 1 / standing.ratio
    latency_ms = standing.expected_ms * standing.ratio
    return (
        f"{grid.text(standing.row['workload']).text} on {name}: {times:.1f} times "
        f"{'slower' if slow else 'faster'} than its MACs suggest ({_ran(standing.row)}"
        f"{number(latency_ms)} ms; "
        f"{number(standing.expected_ms)} ms by the line of its backend's {standing.workloads} "
        "workloads)"
    )


def _ran(row: Row) -> str:
    """What the precision that was asked for became: it may be all there is to explain."""
    words = cell("precision", row)
    return f"{words}; " if words != row.get("precision") else ""


def _lead(standings: Sequence[Standing], odd: Sequence[Standing]) -> str:
    if not standings:
        return (
            f"No backend has the {analysis.MIN_WORKLOADS} workloads that a line takes, so no cell "
            "is called slower or faster than its work suggests."
        )
    return (
        f"{len(odd)} of {len(standings)} cells lie further than {analysis.FACTOR:g} times from "
        "the line through the workloads of their backend"
        f"{' (edgebench profile tells where their time goes):' if odd else '.'}"
    )


def _data(material: Material, rows: Sequence[Row], standings: Sequence[Standing]) -> Grid:
    known = {id(one.row): one for one in standings}
    lines = []
    for row in rows:
        standing = known.get(id(row))
        lines.append(
            [
                grid.text(row["workload"]),
                grid.text(material.name(row)),
                grid.figure(analysis.call_mmac(row)),
                grid.figure(row["latency_p50_ms"]),
                grid.interval(row, "latency_p50", "ms"),
                grid.figure(row["work_rate_gmacps"]),
                grid.figure(standing and standing.expected_ms),
                grid.figure(standing and standing.ratio, digits=2),
                Cell(verdict(row), mark=mark(row)),
            ]
        )
    return Grid(caption="Work and latency of each cell", heads=_HEADS, rows=lines)
