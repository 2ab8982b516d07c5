"""Energy of an inference, each figure with the tier it is of and what that does not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgebench.report import charts
from edgebench.report.page import listing, wording
from edgebench.report.page.listing import Listing
from edgebench.report.rows import Row
from edgebench.report.sections.base import Figure, Material, Section
from edgebench.report.table import clean

_ENVELOPE = ("envelope_energy_lo_mj", "envelope_energy_hi_mj")
_FIELDS = (
    *(listing.text("workload"), listing.text("cell")),
    listing.text(
        "power_tier",
        "tier",
        meaning="where the figures of this line come from; compare within one tier",
    ),
    *(listing.number("power_w", "W"), listing.number("power_idle_w", "idle W")),
    *(
        listing.number("energy_gross_mj", "gross mJ"),
        listing.interval("energy_gross", "mj", "95 % interval mJ"),
    ),
    *(
        listing.number("energy_net_mj", "net mJ"),
        listing.interval("energy_net", "mj", "95 % interval mJ"),
    ),
    listing.number("power_samples", "readings"),
    *(listing.verdict(), listing.text("power_source", "measured by")),
)


def power(material: Material) -> Section | None:
    """Measured energies; else why there are none, if they were asked for; else nothing."""
    rows = [row for row in material.rows if row.get("energy_gross_mj") is not None]
    context = {
        "tiers": [(tier, words) for tier, words in wording.TIERS.items() if _has(rows, tier)],
        "excludes": _excludes(rows),
        "missing": _missing(material.rows),
        "envelope": _envelope(material),
        "figures": _figures(material, rows),
    }
    if not (rows or context["missing"] or context["envelope"]):
        return None
    return Section(id="power", title="Power", template="power.html.j2", context=context)


def _has(rows: Sequence[Row], tier: str) -> bool:
    return any(row.get("power_tier") == tier for row in rows)


def _figures(material: Material, rows: Sequence[Row]) -> list[Figure]:
    if not rows:
        return []
    caption = (
        "Filled circles are the whole energy of an inference, hollow diamonds what it adds to an "
        "idle device."
    )
    reading = (
        "Bars are 95 % intervals over launches. Each tier has a panel of its own, as have meters "
        "that leave out other parts: what one leaves out another one sees. Which cells are "
        "suspect is in the table."
    )
    nets = [row.get("energy_net_mj") for row in rows]
    if any(isinstance(net, float) and net <= 0 for net in nets):
        reading += (
            " A net energy of 0 or less means that what an inference adds is lost in the noise of "
            "what the idle device takes."
        )
    table = Listing(
        caption="Energy per inference, measured", fields=_FIELDS, needs=("energy_gross_mj",)
    )
    chart = charts.energy(material.cells)
    return [material.figure("power", chart, caption, table, reading=reading)]


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
    """Why cells have no energy: a line a reason, with the cells of each device that it is of."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if row.get("power_reason"):
            found.setdefault(str(row["power_reason"]), Counter())[str(row["device"])] += 1
    lines = []
    for reason, counts in found.items():
        of = ", ".join(f"{device} ({count})" for device, count in counts.items())
        lines.append(clean(f"{reason}: {of}"))
    return lines


def _envelope(material: Material) -> Listing | None:
    """What published powers bound, where nothing was measured: an interval, and labelled so."""
    if not any(row.get(_ENVELOPE[0]) is not None for row in material.rows):
        return None
    fields = (
        *(listing.text("workload"), listing.text("cell")),
        *(listing.number(_ENVELOPE[0], "mJ from"), listing.number(_ENVELOPE[1], "to")),
        listing.text("envelope_source", "published by"),
    )
    caption = (
        "Tier envelope, not measured: the device's published idle and load power times the time "
        "it took"
    )
    return material.listing(Listing(caption=caption, fields=fields, needs=_ENVELOPE))
