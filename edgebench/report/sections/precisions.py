"""Is int8 worth it on each device? What each precision gains against fp32, and what it costs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from edgebench.analysis.compare import CANNOT_TELL
from edgebench.report import losses, speeds
from edgebench.report.charts import base
from edgebench.report.charts.precisions_chart import PRECISIONS, drawn, gain_records
from edgebench.report.frame import plain_rows
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Figure, Material, Section
from edgebench.report.speeds import Gain
from edgebench.report.table import clean

_NAMED = 2
"""Cells that are named of a reason; more are counted."""
_MOSTLY = 0.5


class Answer(NamedTuple):
    """Whether a precision is worth it on a device, in words."""

    precision: str
    worth: str
    """yes, mostly, in part, no or can't tell."""
    because: str
    """Where it mostly is not: why most often, and the cases of it, ``loses ...: 13 of 16``."""
    cases: str
    """``3 of 16``: worth it in so many."""
    told: str
    """What it gains and costs where it ran as asked."""
    otherwise: str
    """Where it is not worth it, and why."""


def precisions(material: Material) -> Section | None:
    """An answer a device and precision, a chart and a table; None without anything beside fp32."""
    gains = speeds.of_precisions(plain_rows(material.cells))
    if not gains:
        return None
    gains.sort(key=lambda one: _word(one, "device"))
    groups: defaultdict[str, defaultdict[str, list[Gain]]] = defaultdict(lambda: defaultdict(list))
    for one in gains:
        groups[_word(one, "device")][_word(one, "precision")].append(one)
    answers = {
        device: [_answer(*group) for group in by_precision.items()]
        for device, by_precision in groups.items()
    }
    asked = min((_word(one, "precision") for one in gains), key=speeds.order)
    context = {"answers": answers, "most": losses.MOST, "figures": [_figure(material, gains)]}
    title = f"Is {asked} worth it?"
    return Section(id="precisions", title=title, template="precisions.html.j2", context=context)


def _word(one: Gain, column: str) -> str:
    return clean(str(one.speed.cell[column]))


def _answer(precision: str, gains: Sequence[Gain]) -> Answer:
    ran = [one for one in gains if one.speed.low is not None]
    good = sum(one.worth for one in gains)
    parts = (
        (_range([one.speed.ratio for one in ran]), "times as fast"),
        (_range([one.loss_ratio for one in ran], 100, 1), "points of accuracy lost"),
        (_range([one.energy_ratio for one in ran]), "times the energy"),
    )
    told = ", ".join(f"{figures} {words}" for figures, words in parts if figures)
    worth = _worth(good, gains)
    because = "" if worth in {"yes", "mostly"} else _because(gains)
    return Answer(precision, worth, because, f"{good} of {len(gains)}", told, _else(gains))


def _because(gains: Sequence[Gain]) -> str:
    """The reason that most cases have that are not worth it."""
    ((why, count),) = Counter(one.doubt for one in gains if not one.worth).most_common(1)
    return f"{why} in {count} of {len(gains)}"


def _worth(good: int, gains: Sequence[Gain]) -> str:
    if good:
        return (
            "yes" if good == len(gains) else "mostly" if good > len(gains) * _MOSTLY else "in part"
        )
    return CANNOT_TELL if all(one.outcome == CANNOT_TELL for one in gains) else "no"


def _range(values: Sequence[float | None], scale: float = 1.0, digits: int | None = None) -> str:
    """``1.91 to 2.74``, from the least to the most; empty where none is known."""
    known = [scale * value for value in values if value is not None]
    if not known:
        return ""
    form = "#.3g" if digits is None else f".{digits}f"
    return " to ".join(dict.fromkeys(f"{end + 0.0:{form}}" for end in (min(known), max(known))))


def _else(gains: Sequence[Gain]) -> str:
    """``loses more than 1 point: 3 (litert 2, ncnn 1); ran fp32 instead: resnet50 with ncnn``."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for one in gains:
        if not one.worth:
            groups[one.doubt].append(f"{_word(one, 'workload')} with {_word(one, 'backend')}")
    found = []
    for why, names in sorted(groups.items(), key=lambda one: -len(one[1])):
        backends = Counter(name.rpartition(" with ")[2] for name in names)
        counted = ", ".join(f"{name} {count}" for name, count in sorted(backends.items()))
        told = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} ({counted})"
        found.append(f"{why}: {told}")
    return "; ".join(found)


def _figure(material: Material, gains: list[Gain]) -> Figure:
    caption = "Right of the dashed line is faster than fp32 of the same runtime on the same device."
    reading = (
        "Bars are 95 % intervals. Grey marks ran otherwise than asked (mostly fp32 under the "
        "name of another precision) or are invalid: they stand where they were measured, and "
        "gain nothing. Points of one row are workloads."
    )
    fields = (
        *(listing.text("device"), listing.text("workload"), listing.text("cell")),
        listing.text("outcome", meaning="of the speed, Holm's over a device and precision"),
        listing.number("speed_ratio", "times as fast"),
        listing.interval("speed", "ratio", "95 % interval"),
        listing.number("loss_ratio", "points lost", scale=100, digits=2),
        listing.number("loss_lo_ratio", "from", scale=100, digits=2),
        listing.number("loss_hi_ratio", "to", scale=100, digits=2),
        listing.number("saving_ratio", "energy, times fp32"),
        *(listing.text("ran", "ran as"), listing.text("worth", "worth it"), listing.verdict()),
    )
    ordered = sorted(gains, key=lambda one: (_word(one, "device"), -(one.speed.ratio or 0)))
    chart = base.holding(drawn(gains), **{PRECISIONS: gain_records(ordered)})
    data = Listing(caption="Each cell against fp32", fields=fields, source=PRECISIONS)
    return material.figure("precisions", chart, caption, data, reading=reading)
