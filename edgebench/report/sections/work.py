"""Latency against multiply-accumulates, and the cells that those do not explain."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis import work as analysis
from edgebench.analysis.work import Standing
from edgebench.report import charts, grid
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section
from edgebench.report.table import cell, number

_FIELDS = (
    *(listing.text("workload"), listing.text("cell"), listing.text("device")),
    *(listing.number("call_mmac", "MMAC"), listing.number("latency_p50_ms", "p50 ms")),
    listing.interval("latency_p50", "ms"),
    listing.number("work_rate_gmacps", "GMAC/s", meaning="billion multiply-accumulates per second"),
    listing.number(
        "work_line_ms", "line ms", meaning="what the line of its backend has for so much work"
    ),
    listing.number(
        "work_times_ratio",
        "times",
        digits=2,
        meaning="p50 over line: above 1 is slower than its work suggests",
    ),
    listing.verdict(),
)


def work(material: Material) -> Section | None:
    """The picture and its outliers; None where too few workloads tell their work."""
    groups = analysis.groups(material.rows)
    if not groups:
        return None
    standings = analysis.standings(material.rows)
    odd = [one for one in standings if one.outlier]
    caption = (
        "Each point is a cell: multiply-accumulates of a call against its median latency. Dashed "
        "lines are equal speed."
    )
    reading = (
        "Multiply-accumulates are those of convolutions and dense layers. Bars are 95 % "
        "intervals, cut at 10 times the median. Hollow points are suspect, invalid or imported, "
        "or ran otherwise than asked. Cells that wait or do more than the runtime's call (other "
        "scenarios, region e2e) are not drawn."
    )
    figure = material.figure(
        "work",
        charts.work(material.cells),
        caption,
        Listing(caption="Work and latency of each cell", fields=_FIELDS, needs=("work_panel",)),
        reading=reading,
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
