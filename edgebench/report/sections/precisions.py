"""Is int8 worth it on each device? What each precision gains against fp32, and what it costs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from edgebench.analysis import questions
from edgebench.analysis.compare import CANNOT_TELL
from edgebench.report import losses, speeds, trust
from edgebench.report.charts import base
from edgebench.report.charts.precisions_chart import PRECISIONS, drawn, gain_records
from edgebench.report.frame import plain_rows
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Figure, Material, Section, view
from edgebench.report.speeds import Alone, Gain
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
    left_out: str
    """Of which cells nothing can be told, and why."""
    spoilt: str
    """``9 of all 20 int8 cells on rock-5b``: that are not valid."""
    shows: str
    """What a link to those sets the page's filters to."""


def precisions(material: Material) -> Section | None:
    """An answer a device and precision, a chart and a table; None without anything beside fp32."""
    rows = plain_rows(material.cells)
    gains = speeds.of_precisions(rows)
    if not gains:
        return None
    gains.sort(key=lambda one: _word(one, "device"))
    alone = speeds.without_fp32(rows, gains)
    groups: defaultdict[str, defaultdict[str, list[Gain]]] = defaultdict(lambda: defaultdict(list))
    for one in gains:
        groups[_word(one, "device")][_word(one, "precision")].append(one)
    held = dict(_held_back(material))
    answers = {
        device: [
            _answer(material, some, [one for one in alone if _of(one) == (device, precision)], held)
            for precision, some in by_precision.items()
        ]
        for device, by_precision in groups.items()
    }
    asked = min((_word(one, "precision") for one in gains), key=speeds.order)
    context = {
        "answers": answers,
        "held": held,
        "most": losses.MOST,
        "figures": [_figure(material, gains)],
    }
    title = f"Is {asked} worth it?"
    return Section(id="precisions", title=title, template="precisions.html.j2", context=context)


def _word(one: Gain, column: str) -> str:
    return clean(str(one.speed.cell[column]))


def _of(one: Alone) -> tuple[str, str]:
    return clean(str(one.cell["device"])), clean(str(one.cell["precision"]))


def _held_back(material: Material) -> Iterator[tuple[str, str]]:
    """Devices of which every cell is suspect, and by what."""
    for device, places in trust.by_device(material.rows).items():
        if words := trust.held_back(material.rows, material.doubts, places):
            yield device, words


def _answer(
    material: Material, gains: Sequence[Gain], alone: Sequence[Alone], held: Mapping[str, str]
) -> Answer:
    device, precision = _word(gains[0], "device"), _word(gains[0], "precision")
    ran = [one for one in gains if one.speed.low is not None]
    good = sum(one.worth for one in gains)
    parts = (
        (_range([one.speed.ratio for one in ran]), "times as fast"),
        (_range([one.loss_ratio for one in ran], 100, 1), "points of accuracy lost"),
        (_range([one.energy_ratio for one in ran]), "times the energy"),
    )
    told = ", ".join(f"{figures} {words}" for figures, words in parts if figures)
    worth = CANNOT_TELL if device in held and any(map(_is_open, gains)) else _worth(good, gains)
    because = "" if worth in {"yes", "mostly"} else _because(gains)
    if worth == CANNOT_TELL:
        because = _suspect(gains) if device in held else _unsure(gains)
    spoilt, shows = _spoilt(material, device, precision)
    return Answer(
        precision=precision,
        worth=worth,
        because=because,
        cases=f"{good} of {len(gains)}",
        told=told,
        otherwise=_else(gains),
        left_out=_left_out(alone),
        spoilt=spoilt,
        shows=shows,
    )


def _unsure(gains: Sequence[Gain]) -> str:
    """Why it cannot be told, counted."""
    parts = (
        (speeds.SUSPECT, sum(one.doubt == speeds.SUSPECT for one in gains)),
        ("neither surely faster nor slower", sum(one.outcome == CANNOT_TELL for one in gains)),
    )
    told = [f"{words} in {count} of {len(gains)}" for words, count in parts if count]
    return ", ".join(told)


def _suspect(gains: Sequence[Gain]) -> str:
    """Of how many cases a device that was held back leaves no more than a guess."""
    having = sum(one.speed.cell.get("validity") == "suspect" for one in gains)
    cases = "its only case is" if len(gains) == 1 else f"all {having} of its cases are"
    return f"{cases if having == len(gains) else f'{having} of {len(gains)} cases are'} suspect"


def _spoilt(material: Material, device: str, precision: str) -> tuple[str, str]:
    """How many of all such cells are not valid, and the filters that leave those; or nothing."""
    cells = material.cells
    mine = cells[
        (cells["device"].map(clean) == device) & (cells["precision"].map(clean) == precision)
    ]
    words = [word for word in mine["verdict"] if word != "valid"]
    if not words:
        return "", ""
    told = f"{len(words)} of all {len(mine)} {precision} cells on {device}"
    return told, view(device=device, precision=precision, verdict=sorted(set(words)))


def _left_out(alone: Sequence[Alone]) -> str:
    """``no fp32 of the same case was measured: 9 (5 of scenario offline, 4 of batch 4)``."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for one in alone:
        asked = questions.words({**one.cell, "parameters": None}).partition(", ")[2]
        groups[one.why].append(clean(asked))
    found = []
    for why, some in sorted(groups.items(), key=lambda one: -len(one[1])):
        counted = Counter(some).most_common()
        each = [f"{count} of {words}" for words, count in counted if words]
        apart = f" ({', '.join(each)})" if each and why != speeds.SKIPPED else ""
        found.append(f"{why}: {len(some)}{apart}")
    return "; ".join(found)


def _because(gains: Sequence[Gain]) -> str:
    """The reason that most cases have that are not worth it."""
    ((why, count),) = Counter(one.doubt for one in gains if not one.worth).most_common(1)
    return f"{why} in {count} of {len(gains)}"


def _worth(good: int, gains: Sequence[Gain]) -> str:
    if good:
        return (
            "yes" if good == len(gains) else "mostly" if good > len(gains) * _MOSTLY else "in part"
        )
    undecided = sum(map(_is_open, gains))
    return CANNOT_TELL if undecided > len(gains) * _MOSTLY else "no"


def _is_open(one: Gain) -> bool:
    """Whether nothing is against it but that it is not sure."""
    return one.doubt == speeds.SUSPECT or one.outcome == CANNOT_TELL


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
