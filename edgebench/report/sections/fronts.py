"""The best that is to be had: latency against energy, accuracy and price, each with its front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from edgebench.analysis.figure import PRICE
from edgebench.report import charts
from edgebench.report.charts.pareto_chart import may_rank, priced
from edgebench.report.page import listing
from edgebench.report.page.listing import Field, Listing
from edgebench.report.sections.base import Figure, Material, Section

_LATENCY = "latency_p50_ms"


class _Against(NamedTuple):
    """What latency is held against."""

    column: str
    name: str
    words: str
    more: bool
    fields: tuple[Field, ...]
    note: str = ""


_ALL = (
    _Against(
        *("energy_net_mj", "energy", "net energy", False),
        (
            *(listing.text("power_tier"), listing.number("energy_net_mj", "net mJ")),
            listing.interval("energy_net", "mj"),
        ),
        "Each tier of power has a panel of its own: what one leaves out another one sees.",
    ),
    *(
        _Against(
            *(column, column.partition("_")[0], words, True),
            (listing.number(column, f"{words} %", scale=100, digits=1),),
        )
        for column, words in (
            ("top1_ratio", "top-1"),
            ("map50_ratio", "mAP50"),
            ("miou_ratio", "mIoU"),
        )
    ),
    _Against(
        *(PRICE, "price", "price", False),
        (
            listing.number(
                PRICE, "USD", digits=0, meaning="price of the device, stated or published"
            ),
        ),
        "Prices are published ones where none is stated, of the device alone; a device without one "
        "is not drawn.",
    ),
)


def fronts(material: Material) -> Section | None:
    """A figure for each of energy, accuracy and price in which cells differ that may be chosen."""
    cells = priced(material.cells, material.asked.prices_usd)
    drawn = cells[(cells[_LATENCY] > 0) & cells["comparable"] & may_rank(cells)]
    found = [one for one in _ALL if _differs(drawn, one.column)]
    if not found:
        return None
    context = {"figures": [_figure(material, cells, one, first=one is found[0]) for one in found]}
    title = "What you get for it"
    return Section(id="fronts", title=title, template="figures.html.j2", context=context)


def _differs(cells: pd.DataFrame, column: str) -> bool:
    """Whether the figure differs, and a question has two cells with it: else no panel is drawn."""
    known = cells.dropna(subset=[column])
    return len(set(known[column])) > 1 and bool(known["question"].duplicated().any())


def _figure(material: Material, cells: pd.DataFrame, one: _Against, *, first: bool) -> Figure:
    best = "up and to the left" if one.more else "down and to the left"
    front = (
        "No other cell of the panel is better than a ringed one in one figure and as good in the "
        "other, so whichever you weigh more, the best choice is one of them; all others are "
        "beaten in both. The dashed steps are the best that is to be had. "
        if first
        else ""
    )
    reading = (
        f"{front}Colour and letter are the device (of many cells only the front has letters), "
        "shape the backend; bars are 95 % intervals. Hollow cells are suspect or imported; faint "
        "ones are invalid or ran otherwise than asked. What is suspect or faint is never on the "
        f"front, as it is never the answer. {one.note}"
    )
    data = Listing(
        caption=f"Latency and {one.words} of each cell", fields=_fields(one), needs=(one.column,)
    )
    chart = charts.pareto(cells, y=one.column)
    caption = f"Better is {best}. Ringed cells make the front."
    return material.figure(f"front-{one.name}", chart, caption, data, reading=reading.strip())


def _fields(one: _Against) -> Sequence[Field]:
    return (
        *(listing.text("workload"), listing.text("cell"), listing.text("device")),
        *(listing.number(_LATENCY, "p50 ms"), listing.interval("latency_p50", "ms")),
        *(*one.fields, listing.verdict()),
    )
