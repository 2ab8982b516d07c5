"""How much memory each cell takes, with the table of its parts."""

from __future__ import annotations

from edgebench.report import charts
from edgebench.report.charts.memory_chart import ROWS
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Material, Section


def memory(material: Material) -> Section | None:
    """Peak resident memory and its parts; None where no cell tells it."""
    if not (material.cells["rss_peak_mib"] > 0).any():
        return None
    fields = (
        *(listing.text("workload"), listing.text("cell")),
        listing.number("rss_peak_mib", "peak MiB"),
        listing.interval("rss_peak", "mib", "95 % interval MiB"),
        listing.number("rss_load_mib", "loaded MiB"),
        listing.number("rss_baseline_mib", "runtime MiB"),
        listing.number("pss_load_mib", "shared by share MiB"),
        listing.number("model_size_mib", "model file MiB"),
        listing.verdict(),
    )
    caption = (
        "Each bar is a process: with the runtime imported, with the model loaded, and at its peak."
    )
    reading = (
        "The peak is from loading to the fifth inference, with its 95 % interval. It is of one "
        "session with one input of the batch asked for, seen in a pass of its own before "
        "anything is timed, whatever the scenario: cells that keep several sessions at work take "
        "more than is shown. What sits beside it in memory, the system and the application, is "
        f"not in it. The smallest {ROWS} of a question are drawn; hollow points at their ends are "
        "suspect, invalid or imported, or ran otherwise than asked."
    )
    figure = material.figure(
        "memory",
        charts.memory(material.cells),
        caption,
        Listing(caption="Memory of each cell", fields=fields, needs=("rss_peak_mib",)),
        reading=reading,
    )
    context = {"figures": [figure]}
    return Section(id="memory", title="Memory", template="figures.html.j2", context=context)
