"""How hot a run became, what its clock did, and which launches were slowed down by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from edgebench.machine import Look
from edgebench.records import Record
from edgebench.report import charts
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Figure, Material, Section
from edgebench.report.table import clean
from edgebench.units import NS_PER_S

_SLOWED = "slowed"
"""The set of data with a record for each cell that was slowed down while it was timed."""
_FOUND = (
    *(listing.text("run"), listing.text("cell"), listing.number("launches")),
    listing.number("slowed", meaning="launches that were slowed down while they were timed"),
    listing.number(
        "first_s",
        "first after s",
        digits=1,
        meaning="seconds of measuring until it was seen first",
    ),
    listing.number(
        "time_ratio",
        "share of time %",
        scale=100,
        digits=0,
        meaning="of the looks, about one a second",
    ),
    *(listing.number("hottest_degc", "hottest degC", digits=1), listing.text("by", "by what")),
)
_MOMENTS = (
    *(listing.text("run"), listing.number("minute", digits=2)),
    *(listing.number("degc", "degC", digits=1), listing.number("mhz", "MHz", digits=0)),
    *(listing.text("held", "slowed by"), listing.text("cell")),
)


def heat(material: Material) -> Section | None:
    """Temperature and clock of each run; None where nobody looked."""
    looks = material.looks[material.looks["run_id"].isin(material.cells["run_id"])]
    if looks.empty:
        return None
    slowed = _slowed(material)
    seen = looks[looks["hottest_degc"].notna() | looks["fastest_mhz"].notna()]["run_id"].unique()
    devices = material.cells[material.cells["run_id"].isin(looks["run_id"])]
    blind = devices[~devices["run_id"].isin(seen)]["device"].dropna().unique()
    if slowed:
        material.data.add(_SLOWED, slowed)
    table = Listing(caption="Slowed down while measured", fields=_FOUND, source=_SLOWED)
    context = {
        "lead": _lead(slowed, [clean(str(name)) for name in blind], any_seen=len(seen) > 0),
        "figures": [_figure(material)] if len(seen) else [],
        "tables": [table] if slowed else [],
    }
    return Section(id="heat", title="Heat", template="heat.html.j2", context=context)


def _lead(lines: Sequence[object], blind: Sequence[str], *, any_seen: bool) -> str:
    told = []
    if lines:
        cells = "1 cell was" if len(lines) == 1 else f"{len(lines)} cells were"
        told.append(f"{cells} slowed down while measured, in one launch or more: see the table.")
    elif any_seen:
        told.append("At no look was a device slowed down by heat or by its supply.")
    if blind:
        told.append(
            f"On {', '.join(blind)} neither a temperature nor a clock can be read, so nothing can "
            "be said about throttling there."
        )
    return " ".join(told)


def _slowed(material: Material) -> list[dict[str, Any]]:
    """A record for each cell that was slowed down while it was timed."""
    places = {(row.run_id, row.case_id): row for row in material.cells.itertuples()}
    launches: dict[Any, list[Record]] = {}
    for record in (one for run in material.runs for one in run.latest() if one.looks):
        launches.setdefault((record.run_id, record.case_id), []).append(record)
    found = []
    for key, cell in places.items():
        mine = launches.get(key, [])
        timed = [[look for look in one.looks if look.stage == "measure"] for one in mine]
        if not any(look.slowed_by for looks in timed for look in looks):
            continue
        name = clean(f"{cell.workload}/{cell.cell}")
        about = {"row": cell.row, "run": clean(str(cell.run_id)), "cell": name}
        found.append(about | {"launches": len(mine)} | _told(timed))
    return found


def _told(timed: Sequence[Sequence[Look]]) -> dict[str, Any]:
    """What slowed the launches of a cell down, from their looks while they were timed."""
    slowed = [looks for looks in timed if any(look.slowed_by for look in looks)]
    every = [look for looks in timed for look in looks]
    held = [look for look in every if look.slowed_by]
    causes = Counter(words for look in held for words in look.slowed_by)
    told = {
        "slowed": len(slowed),
        "first_s": min(map(_first_s, slowed)),
        "time_ratio": len(held) / len(every),
        "by": clean(", ".join(words for words, _ in causes.most_common())),
    }
    degrees = [look.hottest_degc for look in every if look.hottest_degc is not None]
    return told | ({"hottest_degc": max(degrees)} if degrees else {})


def _first_s(looks: Sequence[Look]) -> float:
    """Seconds from the first look of the window to the first at which something slowed it."""
    first = next(look for look in looks if look.slowed_by)
    return (first.t_ns - looks[0].t_ns) / NS_PER_S


def _figure(material: Material) -> Figure:
    caption = (
        "Each point is a look at the device: its hottest sensor, and the fastest of its clocks."
    )
    reading = (
        "There is about one a second while launches run. Triangles are moments at which the "
        "kernel or the firmware said that it slows the device down. Long runs are thinned out "
        "evenly."
    )
    table = Listing(
        caption="Temperature and clock at each look", fields=_MOMENTS, source=charts.MOMENTS
    )
    chart = charts.heat(material.looks, material.cells)
    return material.figure("heat", chart, caption, table, reading=reading)
