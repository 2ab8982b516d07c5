"""Every cell in one table."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.report.columns import BY_NAME
from edgebench.report.labels import telling
from edgebench.report.page import listing
from edgebench.report.page.listing import Field, Listing
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section

_PARTS = ("device", "backend", "accelerator", "threads", "batch")
_FIRST: tuple[Field, ...] = (
    listing.number("latency_p99_ms", "p99 ms"),
    listing.number("throughput_ips", "inf/s"),
    listing.number("energy_gross_mj", "gross mJ"),
    listing.number("rss_peak_mib", "peak MiB"),
    listing.number("top1_ratio", "top-1 %", scale=100, digits=1),
    listing.number("map50_ratio", "mAP50 %", scale=100, digits=1),
    listing.number("miou_ratio", "mIoU %", scale=100, digits=1),
)
_FURTHER: tuple[Field, ...] = (
    listing.number("top1_loss_ratio", "loss %", scale=100, digits=1),
    listing.number("top1_mcnemar_p", "loss p"),
    listing.number("quality_loss_ratio", "mAP, mIoU loss %", scale=100, digits=1),
    listing.number("energy_net_mj", "net mJ"),
    listing.text("power_tier"),
)
"""Shown where any cell has the figure: the first ones are seen without scrolling."""

_RAN = listing.text("effective_precision", "ran as")


def cells(material: Material) -> Section:
    """All cells, with the figures that were measured at all."""
    rows = material.rows
    parts = [name for name in _PARTS if len({row.get(name) for row in rows}) > 1]
    parts += telling(rows, ("workload", "precision", *parts))
    told = any(row.get("scenario") not in {None, "single_stream"} for row in rows)
    fallen = any(row.get("fallback") for row in rows)
    fields = [
        *(listing.text("workload"), listing.text("cell")),
        *(listing.verdict(), listing.number("latency_p50_ms", "p50 ms")),
        listing.interval("latency_p50", "ms", "95 % interval"),
        *_known(_FIRST, rows),
        *([_RAN] if fallen else []),
        *([listing.text("outcome")] if told else []),
        *_known(_FURTHER, rows),
        listing.text("ran", "precision"),
        *(_identity(name) for name in parts),
    ]
    caption = "All cells. The buttons in the headings sort; every column is in the CSV."
    table = material.listing(Listing(caption=caption, fields=fields))
    return Section(
        id="cells", title="All cells", template="tables.html.j2", context={"tables": [table]}
    )


def _known(fields: Sequence[Field], rows: Sequence[Row]) -> list[Field]:
    return [one for one in fields if any(row.get(one.names[0]) is not None for row in rows)]


def _identity(name: str) -> Field:
    numeric = BY_NAME[name].kind != "str"
    return listing.number(name) if numeric else listing.text(name)
