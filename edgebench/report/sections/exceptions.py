"""Which cells are not to be trusted, and why: by reason, by device, and each by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebench.report import doubts, trust
from edgebench.report.charts.base import CELLS
from edgebench.report.doubts import Group, Level
from edgebench.report.judged import verdict
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.rows import NOT_REACHED, Row
from edgebench.report.sections.base import Material, Section
from edgebench.report.table import clean
from edgebench.report.trust import Found

_DOUBTS = "doubts"
_LEVELS = {
    Level.WRONG: "Do not use: no figure, or a wrong one",
    Level.CARE: "With care: not what it seems, or nobody vouches for it",
    Level.KNOW: "Good, but know",
}
_FAILED = ("failed", "timeout", "oom", "crashed")
_TABLES = {
    "Failed": _FAILED,
    "Invalid": ("invalid",),
    "Suspect": ("suspect",),
    "Imported": ("imported",),
    "Skipped": ("skipped",),
}
_REASONS = (
    *(listing.text("question", "workload"), listing.text("cell"), listing.text("device")),
    *(listing.text("verdict"), listing.lines("why", "reasons")),
)
_GROUPS = 12
"""Of a level, before the rest is only counted: the tables have them."""
_NAMED = 3
_TRAITS = ("precision", "backend", "accelerator", "workload")


@dataclass(frozen=True, kw_only=True)
class Told:
    """A group of cells in a sentence, and the table of them."""

    number: str
    """Of its group in the page's data."""
    cells: str
    why: str
    data: Listing


def exceptions(material: Material) -> Section:
    """Every cell that is not simply good, with its reasons; and what could not be read."""
    found = material.doubts
    groups = doubts.grouped(found)
    _tell(material, found, groups)
    context = {
        "lead": _lead(material.rows, found),
        "devices": list(trust.of_devices(material.rows, found)),
        "levels": list(_levels(material, groups)),
        "tables": list(_tables(material)),
        "problems": [clean(problem) for problem in material.problems],
    }
    title = "What did not go as asked"
    return Section(id="exceptions", title=title, template="exceptions.html.j2", context=context)


def _tell(material: Material, found: Found, groups: Sequence[Group]) -> None:
    """Put to the page's data which cells are in which group, and why each is."""
    places = [(place, str(number)) for number, one in enumerate(groups) for place in one.places]
    material.data.add(_DOUBTS, [{"row": place, "group": group} for place, group in places])
    why = [
        {"row": place, "why": "; ".join(doubt.words for doubt in mine)}
        for place, mine in found.items()
    ]
    material.data.add(CELLS, why)


def _lead(rows: Sequence[Row], found: Found) -> str:
    """How many cells there are of each level, the gravest doubt of each counted."""
    lost = sum(map(trust.loses_elsewhere, found.values()))
    gravest = Counter(min(doubts.KINDS[one.kind].level for one in mine) for mine in found.values())
    wrong, care, know = (gravest[level] for level in _LEVELS)
    care -= lost
    if not rows or not wrong + care + lost:
        return ""
    cells = "cell is" if len(rows) == 1 else "cells are"
    good = f"{len(rows) - wrong - care} of {len(rows)} {cells} valid and ran as asked"
    known = f" (of {know} there is something to know)" if know else ""
    good += f" ({lost} of them with accuracy lost elsewhere)" if lost else ""
    return f"{good}{known}; {wrong} must not be used, {care} only with care."


def _levels(material: Material, groups: Sequence[Group]) -> Iterator[dict[str, object]]:
    for level, title in _LEVELS.items():
        mine = [(n, one) for n, one in enumerate(groups) if one.kind.level == level]
        if mine:
            told = [_told(material, str(n), one) for n, one in mine[:_GROUPS]]
            yield {"title": title, "groups": told, "more": len(mine) - len(told)}


def _told(material: Material, number: str, group: Group) -> Told:
    why = f"{group.kind.words}{doubts.commonest(group.doubts)}"
    cells = _who(material, group.places)
    where = {"group": (number,)}
    data = Listing(caption=cells, fields=_REASONS, source=_DOUBTS, where=where)
    return Told(number=number, cells=cells, why=why, data=data)


def _who(material: Material, places: Sequence[int]) -> str:
    """``12 cells on raspberry-pi-5, all int8 on ncnn``."""
    rows = [material.rows[place] for place in places]
    if len(rows) == 1:
        (place,) = places
        cell = material.names[place]
        device = clean(str(rows[0]["device"]))
        on = "" if device in cell.split("/") else f" on {device}"
        return f"1 cell{on}, {material.questions[place]}: {cell}"
    shared = [
        clean(str(rows[0][name]))
        for name in _TRAITS
        if len({row[name] for row in rows}) == 1 < len({row[name] for row in material.rows})
    ]
    every = f", all {' '.join(shared)}" if shared else ""
    return f"{len(rows)} cells{_on(rows)}{every}"


def _on(rows: Sequence[Row]) -> str:
    counted = Counter(clean(str(row["device"])) for row in rows).most_common()
    if len(counted) == 1:
        return f" on {counted[0][0]}"
    named = [f"{name} {count}" for name, count in counted[:_NAMED]]
    more = [f"{len(counted) - _NAMED} more"] if len(counted) > _NAMED else []
    return f" on {len(counted)} devices ({', '.join((*named, *more))})"


def _tables(material: Material) -> Iterator[Listing]:
    """All of them, once each: other places of the page lead to these rows."""
    counted = Counter(verdict(row) for row in material.rows)
    for title, words in _TABLES.items():
        if count := sum(counted[word] for word in words):
            caption = f"{title}: {count}"
            where = {"verdict": words}
            yield material.listing(
                Listing(caption=caption, fields=_REASONS, where=where, anchor="why")
            )
    if fallen := sum(bool(row.get("fallback")) for row in material.rows):
        yield material.listing(_fallbacks(fallen))
    if missing := sum(row.get("reason") == NOT_REACHED for row in material.rows):
        caption = f"Planned, but the run ended before them: {missing}"
        planned = (listing.text("run_id", "run"), listing.text("workload"), listing.text("cell"))
        where = {"reason": (NOT_REACHED,)}
        yield material.listing(Listing(caption=caption, fields=planned, where=where))


def _fallbacks(count: int) -> Listing:
    fields = (
        *(listing.text("workload"), listing.text("cell"), listing.text("device")),
        listing.text("fallback", "differs"),
        listing.text("precision", "precision asked"),
        listing.text("effective_precision", "precision that ran"),
        listing.number("precision_ratio", "% of it", scale=100, digits=0),
        listing.text("accelerator", "asked to run on"),
        listing.text("effective_accelerator", "ran on"),
    )
    caption = f"Ran otherwise than asked: {count}"
    return Listing(caption=caption, fields=fields, needs=("fallback",))
