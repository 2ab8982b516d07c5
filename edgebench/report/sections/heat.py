"""How hot a run became, what its clock did, and which launches were slowed down by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from edgebench.machine import Look
from edgebench.records import Record
from edgebench.report import grid, heat_chart
from edgebench.report.grid import Grid, Head
from edgebench.report.labels import labels
from edgebench.report.sections.base import Figure, Material, Section
from edgebench.report.table import clean
from edgebench.store.read import StoredRun
from edgebench.units import NS_PER_S

_S_PER_MIN = 60.0
_POINTS = 600
"""Of a run at most: a point each pixel of the chart."""
_HEADS = (
    *(Head("run"), Head("cell"), Head("launches", numeric=True)),
    Head("slowed", numeric=True, meaning="launches that were slowed down while they were timed"),
    Head("first after s", numeric=True, meaning="seconds of measuring until it was seen first"),
    Head("share of time %", numeric=True, meaning="of the looks, about one a second"),
    *(Head("hottest degC", numeric=True), Head("by what")),
)


def heat(material: Material) -> Section | None:
    """Temperature and clock of each run; None where nobody looked."""
    shown = {str(row["run_id"]) for row in material.rows}
    runs = [run for run in material.runs if run.manifest.run_id in shown]
    runs = [run for run in runs if any(record.looks for record in run.latest())]
    if not runs:
        return None
    lines = [line for run in runs for line in _findings(material, run)]
    moments = [(run, _moments(material, run)) for run in runs]
    drawn = [(run, found) for run, found in moments if found]
    blind = [clean(run.manifest.facts.device) for run, found in moments if not found]
    context = {
        "lead": _lead(lines, list(dict.fromkeys(blind)), any_seen=bool(drawn)),
        "figures": [_figure(drawn)] if drawn else [],
        "tables": [Grid(caption="Slowed down while measured", heads=_HEADS, rows=lines)]
        if lines
        else [],
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


def _findings(material: Material, run: StoredRun) -> Iterator[list[grid.Cell]]:
    """A line for each cell that was slowed down while it was timed."""
    names = _names(material, run)
    for case_id, name in names.items():
        launches = [one for one in run.latest() if one.case_id == case_id and one.looks]
        timed = [[look for look in one.looks if look.stage == "measure"] for one in launches]
        slowed = [looks for looks in timed if any(look.slowed_by for look in looks)]
        if not slowed:
            continue
        every = [look for looks in timed for look in looks]
        held = [look for look in every if look.slowed_by]
        causes = Counter(words for look in held for words in look.slowed_by)
        degrees = [look.hottest_degc for look in every if look.hottest_degc is not None]
        yield [
            grid.text(run.manifest.run_id),
            grid.text(name),
            grid.figure(len(launches)),
            grid.figure(len(slowed)),
            grid.figure(min(map(_first_s, slowed)), 1, 1),
            grid.figure(len(held) / len(every), 100, 0),
            grid.figure(max(degrees, default=None), 1, 1),
            grid.text(", ".join(words for words, _ in causes.most_common())),
        ]


def _first_s(looks: Sequence[Look]) -> float:
    """Seconds from the first look of the window to the first at which something slowed it."""
    first = next(look for look in looks if look.slowed_by)
    return (first.t_ns - looks[0].t_ns) / NS_PER_S


def _names(material: Material, run: StoredRun) -> dict[str, str]:
    rows = [row for row in material.rows if row["run_id"] == run.manifest.run_id]
    pairs = zip(rows, labels(rows), strict=True)
    return {str(row["case_id"]): clean(f"{row['workload']}/{name}") for row, name in pairs}


def _moments(material: Material, run: StoredRun) -> list[dict[str, Any]]:
    """What was read at each look, in minutes since the run's first launch; thinned out evenly."""
    names = _names(material, run)
    launches = sorted(
        (one for one in run.latest() if one.looks), key=lambda one: one.started_at_utc
    )
    moments = [
        one
        for record in launches
        for look in record.looks
        if (one := _moment(look, record, launches[0], names.get(record.case_id, "")))
    ]
    step = -(-len(moments) // _POINTS)
    return [one for place, one in enumerate(moments) if place % step == 0 or one.get("held")]


def _moment(look: Look, record: Record, first: Record, name: str) -> dict[str, Any]:
    """Empty where neither a temperature nor a clock was read.

    Launches are placed by the time of day at which they began, for a resumed run has two boots.
    """
    began, origin = (datetime.fromisoformat(r.started_at_utc[:19]) for r in (record, first))
    since_s = (began - origin).total_seconds() + (look.t_ns - record.looks[0].t_ns) / NS_PER_S
    told: dict[str, Any] = {}
    if look.hottest_degc is not None:
        told["degc"] = round(look.hottest_degc, 1)
    if look.cpu_mhz:
        told["mhz"] = round(max(look.cpu_mhz), 1)
    if not told:
        return {}
    held = {"held": clean(", ".join(look.slowed_by))} if look.slowed_by else {}
    return {"minute": round(since_s / _S_PER_MIN, 4), "cell": name, **told, **held}


def _figure(drawn: Sequence[tuple[StoredRun, list[dict[str, Any]]]]) -> Figure:
    titled = [
        (clean(f"{run.manifest.facts.device}, run {run.manifest.run_id}"), moments)
        for run, moments in drawn
    ]
    heads = [Head("run"), Head("minute", numeric=True), Head("degC", numeric=True)]
    heads += [Head("MHz", numeric=True), Head("slowed by"), Head("cell")]
    rows = [
        [
            grid.text(title),
            grid.figure(one["minute"], 1, 2),
            grid.figure(one.get("degc"), 1, 1),
            grid.figure(one.get("mhz"), 1, 0),
            grid.text(one.get("held")),
            grid.text(one["cell"]),
        ]
        for title, moments in titled
        for one in moments
    ]
    caption = (
        "Each point is a look at the device, about one a second while launches run: its hottest "
        "sensor, and the fastest of its clocks. Triangles are moments at which the kernel or the "
        "firmware said that it slows the device down."
    )
    return Figure(
        id="chart-heat",
        caption=caption,
        spec=heat_chart.heat(titled).to_dict(),
        data=Grid(caption="Temperature and clock at each look", heads=heads, rows=rows),
    )
