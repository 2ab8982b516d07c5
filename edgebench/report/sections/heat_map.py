"""Backend against precision on each device, with what really ran."""

from __future__ import annotations

from edgebench.report import charts
from edgebench.report.charts.heat_map_chart import PANELS
from edgebench.report.page import listing
from edgebench.report.page.listing import Field, Listing
from edgebench.report.sections.base import Material, Section

_FIELDS: tuple[Field, ...] = (
    *(listing.text("question", "workload"), listing.text("cell")),
    *(listing.number("latency_p50_ms", "p50 ms"), listing.verdict()),
    listing.times("latency_p50_ms", "times the fastest"),
    *(listing.text("precision", "asked"), listing.text("effective_precision", "ran as")),
    *(listing.text("fallback"), listing.text("effective_accelerator", "ran on")),
    listing.number("precision_ratio", "share of it %", scale=100, digits=0),
)


def heat_map(material: Material) -> Section | None:
    """A tile for each backend and precision, and the table of all cells behind them."""
    cells = material.cells
    if not ((cells["latency_p50_ms"] > 0) & cells["comparable"]).any():
        return None
    caption = (
        "Each tile is the fastest valid cell of a backend in a precision, with its median latency "
        "in ms; its colour tells how many times as long it takes as the fastest."
    )
    reading = (
        "The fastest is that of its workload on any device that the filters show, of the cells "
        "valid and run as asked. A tile without colour ran otherwise than asked and is held "
        "against none; what ran stands below: ran fp32, on cpu, or the share that ran as asked. "
        "Hatched tiles have no figure that counts: they failed, were skipped or are invalid. No "
        "tile: not measured."
    )
    if len(cells.drop_duplicates(["device", "question"])) > PANELS:
        reading += f" The first {PANELS} panels are drawn, workloads with most tiles before others."
    figure = material.figure(
        "heat-map",
        charts.heat_map(cells),
        caption,
        Listing(caption="What each tile is made of", fields=_FIELDS, needs=("comparable",)),
        reading=reading,
    )
    title = "Backends and precisions"
    context = {"figures": [figure]}
    return Section(id="heat-map", title=title, template="figures.html.j2", context=context)
