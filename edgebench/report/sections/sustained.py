"""What minutes on end leave of the first minute's speed: in words, over time, and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.report import charts, endurance
from edgebench.report.charts.sustained_chart import BINS, MOST
from edgebench.report.labels import labels
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.rows import Row
from edgebench.report.sections.base import Figure, Material, Section
from edgebench.report.table import clean

_FIELDS = (
    *(listing.text("workload"), listing.text("cell")),
    listing.number("burst_p50_ms", "first minute ms"),
    listing.number("sustained_p50_ms", "last third ms"),
    listing.number("burst_sustained_ratio", "keeps %", scale=100, digits=1),
    listing.number("burst_sustained_lo_ratio", "from %", scale=100, digits=1),
    listing.number("burst_sustained_hi_ratio", "to %", scale=100, digits=1),
    listing.number("sustained_throttle_s", "slowed after s", digits=0),
    *(listing.number("launches"), listing.verdict()),
)


def sustained(material: Material) -> Section | None:
    """Scenario sustained; None where it was not measured."""
    rows = [r for r in material.rows if r.get("scenario") == "sustained" and r["status"] == "ok"]
    if not rows:
        return None
    table = Listing(
        caption="First minute and last third of each cell",
        fields=_FIELDS,
        needs=("latency_p50_ms",),
        where={"scenario": ("sustained",)},
    )
    figure = _figure(material, table)
    context = {
        "lines": _lines(rows),
        "figures": [figure] if figure else [],
        "tables": [] if figure else [material.listing(table)],
    }
    title = "Minutes on end"
    return Section(id="sustained", title=title, template="sustained.html.j2", context=context)


def _lines(rows: Sequence[Row]) -> list[str]:
    """What each cell keeps, by names that tell these cells apart and no others."""
    names = {id(row): clean(name) for row, name in zip(rows, labels(rows), strict=True)}

    def name(row: Row) -> str:
        return names[id(row)]

    lines = endurance.kept(rows, lambda row: f"{clean(str(row['workload']))} on {name(row)}")
    if not lines:
        lines = ["What is left of the first minute's speed needs 3 whole minutes; none had them."]
    return [*lines, *map(clean, endurance.overtaken(rows, name))]


def _figure(material: Material, table: Listing) -> Figure | None:
    """None where no cell has inferences with a time, enough of them for a curve."""
    chart = charts.sustained(material.timed, material.cells, material.looks)
    if not chart.datasets[charts.CURVES]:
        return None
    caption = (
        "Each line is a cell, an arrow where something was first seen to slow the device down."
    )
    reading = (
        f"Lines are medians of inferences in up to {BINS} bins of time (geometric means of the "
        "launches; shaded from the lowest to the highest), thick strokes the medians of the "
        "first minute and of the last third. When an inference was is known by the minute, whose "
        "inferences were counted and timed as a whole; within a minute it lies by the latencies "
        "before it, and where only every n-th of those was kept each stands for n. Temperature "
        "(the highest of a bin) and clock (the median of the fastest) are from the looks at the "
        f"machine, about one a second. The first {MOST} cells of a question are drawn."
    )
    return material.figure("sustained", chart, caption, table, reading=reading)
