"""The charts of latency, each with the table of its data."""

from __future__ import annotations

from edgebench.report import charts
from edgebench.report.charts.base import ROWS
from edgebench.report.charts.latency_chart import SPREAD_ROWS
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Figure, Material, Section

_PERCENTILES = ("p50", "p90", "p95", "p99")


def latency(material: Material) -> Section | None:
    """Median latencies with their intervals, and how the latencies of each cell are spread."""
    cells = material.cells
    if not ((cells["latency_p50_ms"] > 0) & cells["comparable"]).any():
        return None
    figures = [_interval_figure(material)]
    if not material.quantiles.empty:
        figures.append(_spread_figure(material))
    context = {"figures": figures}
    return Section(id="latency", title="Latency", template="figures.html.j2", context=context)


def _interval_figure(material: Material) -> Figure:
    fields = (
        *(
            listing.text("workload"),
            listing.text("cell"),
            listing.number("latency_p50_ms", "p50 ms"),
        ),
        listing.interval("latency_p50", "ms"),
        listing.number("latency_p99_ms", "p99 ms"),
        listing.interval("latency_p99", "ms"),
        *(listing.number("launches"), listing.verdict()),
    )
    caption = (
        "Each point is the median latency of a cell, the bar its 95 % interval; the pale line to "
        "its right is p99 with its own."
    )
    reading = (
        "Hollow points are suspect, invalid or imported, or ran otherwise than asked. Cells "
        "whose bars overlap a little may be told apart all the same: see Method. The fastest "
        f"{ROWS} of a question are drawn: filters bring up others. Cells that chose their load "
        "themselves (offline, a server that looks for its rate) are not."
    )
    return material.figure(
        "latency",
        charts.latency(material.cells),
        caption,
        Listing(caption="Median latency of each cell", fields=fields, needs=("latency_p50_ms",)),
        reading=reading,
    )


def _spread_figure(material: Material) -> Figure:
    fields = (
        *(listing.text("workload"), listing.text("cell")),
        *(listing.number("samples", "inferences"), listing.number("latency_min_ms", "shortest ms")),
        *(listing.number(f"latency_{name}_ms", f"{name} ms") for name in _PERCENTILES),
        listing.number("latency_max_ms", "longest ms", meaning="longest inference"),
        listing.number("latency_mean_ms", "mean ms"),
        listing.verdict(),
    )
    caption = "Each tick stands for 2 % of a cell's inferences, the long one for the median."
    reading = (
        f"Ticks that lie close mean a steady latency. The fastest {SPREAD_ROWS} cells of a "
        "question are drawn."
    )
    return material.figure(
        "spread",
        charts.distributions(material.quantiles, material.cells),
        caption,
        Listing(caption="Quantiles of latency of each cell", fields=fields, needs=("samples",)),
        reading=reading,
    )
