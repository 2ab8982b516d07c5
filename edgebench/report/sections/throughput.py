"""What more threads, larger batches and more streams bring, each with the table of its data."""

from __future__ import annotations

from edgebench.report import charts
from edgebench.report.charts.throughput_chart import OVER, Over, scaling
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Figure, Material, Section

_IDEAL = " The thin dotted line is in proportion to the smallest number."
_FOUND = " Cells of scenario offline stand at the {} that they found best."
_MORE = {"threads": _IDEAL, "batch": _FOUND.format("batch"), "streams": _IDEAL}


def throughput(material: Material) -> Section | None:
    """A figure for each number that cells differ in alone; None where there is no such number."""
    figures = [figure for over in OVER if (figure := _figure(material, over)) is not None]
    if not figures:
        return None
    context = {"figures": figures}
    return Section(id="throughput", title="Throughput", template="figures.html.j2", context=context)


def _figure(material: Material, over: Over) -> Figure | None:
    cells = scaling(material.cells, over)
    if cells[f"{over}_line"].isna().all():
        return None
    fields = (
        *(listing.text(f"{over}_panel", "workload"), listing.text(f"{over}_line", "cell")),
        listing.number(f"{over}_at", over),
        listing.number("throughput_ips", "inf/s"),
        listing.interval("throughput", "ips", "95 % interval inf/s"),
        listing.number(f"{over}_ratio", "times the smallest", digits=2),
        *(listing.number("latency_p99_ms", "p99 ms"), listing.verdict()),
    )
    caption = (
        f"Samples inferred per second over {over}, a line for each backend and precision, where "
        "cells differ in nothing else."
    )
    reading = (
        "Colour and dashes are the backend. Both axes are logarithmic. Hollow points are suspect, "
        f"invalid or imported, or ran otherwise than asked.{_MORE[over]}"
    )
    return material.figure(
        f"throughput-{over}",
        charts.throughput(cells, over=over),
        caption,
        Listing(caption=f"Throughput over {over}", fields=fields, needs=(f"{over}_line",)),
        reading=reading,
    )
