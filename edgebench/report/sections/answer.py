"""The answer first: what to take under the limits that were stated, or what is the fastest."""

from __future__ import annotations

from collections import Counter
from typing import Any

from edgebench.analysis import leads
from edgebench.analysis.figure import figure_of
from edgebench.analysis.recommend import Objective
from edgebench.report import answers, choice_best, choosing, endurance, grid, losses
from edgebench.report.answers import Least
from edgebench.report.figures import WORDS
from edgebench.report.judged import verdict
from edgebench.report.page import chooser, wording
from edgebench.report.rows import Row
from edgebench.report.sections import decision
from edgebench.report.sections.base import Material, Section, view
from edgebench.report.table import TASK, cell, clean

RANKED = "ranked"
"""A field of the page's cells: ``no`` where an answer counts a cell and does not rank it."""


def answer(material: Material) -> Section:
    """What to take for each workload; without a question, its fastest valid cell."""
    statuses = Counter(str(row["status"]) for row in material.rows)
    bad = sorted(statuses.keys() - {"ok", "skipped"})
    counts = {name: statuses[name] for name in ("ok", "skipped")}
    counts["failed"] = sum(statuses[name] for name in bad)
    units = dict.fromkeys((str(row["device"]), str(row["device_id"])) for row in material.rows)
    devices = [kind if unit == kind else f"{kind} ({unit})" for kind, unit in units]
    stated = chooser.is_stated(material.asked) and bool(material.rows)
    context = {
        "devices": [clean(device) for device in devices],
        "runs": len({row["run_id"] for row in material.rows}),
        "cells": len(material.rows),
        "counts": counts,
        "shows": {"failed": view(verdict=bad), "skipped": view(verdict="skipped")},
        "decision": decision.told(material) if stated else None,
        "most": losses.MOST,
        "claims": [] if stated else _claims(material),
        "turned": [clean(line) for line in endurance.overtaken(material.rows, material.name)],
    }
    return Section(id="answer", title="Answer", template="answer.html.j2", context=context)


def choose(material: Material) -> Section | None:
    """The form in which limits are stated and changed; it starts with those of the answer."""
    if not material.rows:
        return None
    told = chooser.chooser(material.rows, material.asked, material.data)
    return Section(
        id="choose",
        title="Choose under limits",
        template="chooser.html.j2",
        context={"told": told, "stated": chooser.is_stated(material.asked)},
    )


def _claims(material: Material) -> list[dict[str, Any]]:
    if not material.rows:
        return []
    rows = choosing.of_workloads(material.rows, material.asked.workloads)
    return [_claimed(material, found) for found in answers.fastest(rows)]


def _claimed(material: Material, found: answers.Answer) -> dict[str, Any]:
    least = answers.least(found.rows)
    question = material.questions[material.place(found.rows[0])]
    unranked = [material.place(row) for row in found.unranked]
    material.data.tell({place: {RANKED: "no"} for place in unranked})
    lead = "" if found.rivals else _lead(material, found)
    heads = [one.words.split(" (")[0] for one in least]
    return {
        "workload": clean(found.workload),
        "extreme": f"{'highest' if found.by.highest else 'lowest'} {found.by.noun}",
        "best": _claim(material, found.best, found.by) if found.best else None,
        "notes": _notes(material, found.best) if found.best else [],
        "rivals": [material.name(row) for row in found.rivals],
        "lead": lead,
        "unranked": len(unranked),
        "unranked_shows": view(question=question, **{RANKED: "no"}),
        "shows": view(question=question),
        "measured": any(row["status"] == "ok" for row in found.rows),
        "lowest": _claim(material, found.unranked[0], found.by) if found.unranked else None,
        "least": [_least(material, one) for one in least],
        "folded": ", ".join(["lead over the next"] * bool(lead) + list(dict.fromkeys(heads))),
    }


def _lead(material: Material, found: answers.Answer) -> str:
    """How far the best is ahead of the next one, in the words of a recommendation."""
    name = f"{found.by.stem}_{found.by.unit}"
    if found.best is None or found.next is None:
        return ""
    best, other = figure_of(found.best, name), figure_of(found.next, name)
    if best is None or other is None or (known := leads.between(best, other, name)) is None:
        return ""
    words = choice_best.lead(Objective(name, found.by.highest), known).replace(name, found.by.noun)
    return f"I{words[1:]}, {material.name(found.next)}"


def _notes(material: Material, row: Row) -> list[str]:
    """What to know of a cell that is called fastest: its verdict does not tell it."""
    mine = material.doubts.get(material.place(row), ())
    return [doubt.words for doubt in mine if doubt.kind == "elsewhere"]


def _least(material: Material, found: Least) -> dict[str, Any]:
    """The most frugal, or the smallest in memory: a line each."""
    value = found.best[found.name]
    assert isinstance(value, float)  # noqa: S101 - it was chosen by it
    return {
        "what": found.words,
        "cell": material.name(found.best),
        "figure": wording.figure(found.name, value) + (" gross" if "gross" in found.name else ""),
        "rivals": [material.name(row) for row in found.rivals],
    }


def _accuracy(row: Row) -> str:
    """How good its answers are: ``top-1 99.1 %``, ``mIoU 93.0 %``, ``random weights``."""
    if row.get("weights") == "random":
        return "random weights"
    for name, words in {"top1": "top-1", **WORDS}.items():
        if (ratio := row.get(f"{name}_ratio")) is not None:
            return f"{words} {grid.figure(ratio, 100, 1).text} %"
    what = TASK.get(str(row.get("task")), "top-1") or "accuracy"
    return f"{what} not {'told' if row.get('imported_from') else 'measured here'}"


def _claim(material: Material, row: Row, by: answers.Measure) -> dict[str, str]:
    ran = cell("precision", row)
    return {
        "cell": material.name(row),
        "figure": grid.figure(row[f"{by.stem}_{by.unit}"]).text,
        "interval": grid.interval(row, by.stem, by.unit).text,
        "unit": by.shown,
        "noun": by.noun,
        "accuracy": _accuracy(row),
        "ran": ran if ran != row.get("precision") else "",
        "verdict": "not what was asked" if row.get("fallback") else verdict(row),
        "why": clean(str(row.get("reason") or row.get("caveats") or "")),
    }
