"""Energy of an inference, each figure with the tier it is of and what that does not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgebench.report import grid, power_chart
from edgebench.report.columns import BY_NAME
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.rows import Row
from edgebench.report.sections.base import Figure, Material, Section, mark, verdict
from edgebench.report.table import clean

TIERS = {
    "wall_measured": "an external meter, at the device's supply",
    "board_measured": "a sensor at the input of the board or module",
    "partial_measured": "sensors of some parts; what they do not see is listed",
    "model_calibrated": "a model fitted to a meter on this very board; its error is stated",
}
"""Best first, in words; the others of `edgebench.metering.Tier` are no measurement."""
_ENVELOPE = ("envelope_energy_lo_mj", "envelope_energy_hi_mj")
_HEADS = (
    *(Head("workload"), Head("cell")),
    Head("tier", meaning="where the figures of this line come from; compare within one tier"),
    *(Head("W", numeric=True, meaning="mean power"), Head("idle W", numeric=True)),
    Head("gross mJ", numeric=True, meaning=BY_NAME["energy_gross_mj"].meaning),
    Head("95 % interval mJ", numeric=True),
    Head("net mJ", numeric=True, meaning=BY_NAME["energy_net_mj"].meaning),
    Head("95 % interval mJ", numeric=True),
    Head("readings", numeric=True, meaning=BY_NAME["power_samples"].meaning),
    *(Head("verdict"), Head("measured by")),
)


def power(material: Material) -> Section | None:
    """Measured energies; else why there are none, if they were asked for; else nothing."""
    rows = [row for row in material.rows if row.get("energy_gross_mj") is not None]
    context = {
        "tiers": [(tier, words) for tier, words in TIERS.items() if _has(rows, tier)],
        "excludes": _excludes(rows),
        "missing": _missing(material.rows),
        "envelope": _envelope(material),
        "figures": _figures(material, rows),
        "tables": [] if not rows else [_table(material, rows)],
    }
    if not (rows or context["missing"] or context["envelope"]):
        return None
    return Section(id="power", title="Power", template="power.html.j2", context=context)


def _has(rows: Sequence[Row], tier: str) -> bool:
    return any(row.get("power_tier") == tier for row in rows)


def _figures(material: Material, rows: Sequence[Row]) -> list[Figure]:
    if not rows or power_chart.measured(material.frame).empty:
        return []
    caption = (
        "Filled circles are the whole energy of an inference, hollow diamonds what it adds to an "
        "idle device; bars are 95 % intervals over launches. Each tier has a panel of its own: "
        "what one tier leaves out another one sees."
    )
    spec = power_chart.energy(material.frame).to_dict()
    return [Figure(id="chart-power", caption=caption, spec=spec, data=_table(material, rows))]


def _table(material: Material, rows: Sequence[Row]) -> Grid:
    lines = [
        [
            grid.text(row["workload"]),
            grid.text(material.name(row)),
            grid.text(row["power_tier"]),
            grid.figure(row.get("power_w")),
            grid.figure(row.get("power_idle_w")),
            grid.figure(row["energy_gross_mj"]),
            grid.interval(row, "energy_gross", "mj"),
            grid.figure(row.get("energy_net_mj")),
            grid.interval(row, "energy_net", "mj"),
            grid.figure(row.get("power_samples")),
            Cell(verdict(row), mark=mark(row)),
            grid.text(row.get("power_source")),
        ]
        for row in rows
    ]
    return Grid(caption="Energy per inference, measured", heads=_HEADS, rows=lines)


def _excludes(rows: Sequence[Row]) -> list[str]:
    """What each meter does not see, a line a meter and tier."""
    found = {
        f"{row['device']}, {row['power_source']} ({row['power_tier']}): "
        f"not in it: {row['power_excludes']}": None
        for row in rows
        if row.get("power_excludes")
    }
    return [clean(words) for words in found]


def _missing(rows: Sequence[Row]) -> list[str]:
    """Why cells have no energy, with how many each reason is of."""
    counts = Counter(
        f"{row['device']}: {row['power_reason']}" for row in rows if row.get("power_reason")
    )
    return [clean(f"{reason} (cells: {count})") for reason, count in counts.items()]


def _envelope(material: Material) -> Grid | None:
    """What published powers bound, where nothing was measured: an interval, and labelled so."""
    rows = [
        row
        for row in material.rows
        if row.get("energy_gross_mj") is None and row.get(_ENVELOPE[0]) is not None
    ]
    if not rows:
        return None
    heads = [Head("workload"), Head("cell"), Head("tier"), Head("mJ from", numeric=True)]
    heads += [Head("to", numeric=True), Head("published by")]
    lines = [
        [
            grid.text(row["workload"]),
            grid.text(material.name(row)),
            grid.text("envelope"),
            *(grid.figure(row.get(name)) for name in _ENVELOPE),
            grid.text(row.get("envelope_source")),
        ]
        for row in rows
    ]
    caption = "Not measured: the device's published idle and load power times the time it took"
    return Grid(caption=caption, heads=heads, rows=lines)
