"""The answer first: what was measured, and which cell is the fastest of each workload."""

from __future__ import annotations

from collections import Counter

from edgebench.report import answers, endurance, grid
from edgebench.report.figures import WORDS
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section, verdict
from edgebench.report.table import TASK, cell, clean


def answer(material: Material) -> Section:
    """What was measured, and the fastest valid cell of each workload."""
    statuses = [str(row["status"]) for row in material.rows]
    counts = Counter(s if s in {"ok", "skipped"} else "failed" for s in statuses)
    devices = dict.fromkeys(f"{row['device']} ({row['device_id']})" for row in material.rows)
    claims = [
        {
            "workload": clean(found.workload),
            "extreme": f"{'highest' if found.by.highest else 'lowest'} {found.by.noun}",
            "best": _claim(material, found.best, found.by) if found.best else None,
            "rivals": [material.name(row) for row in found.rivals],
            "unranked": len(found.unranked),
            "measured": any(row["status"] == "ok" for row in found.rows),
            "lowest": _claim(material, found.unranked[0], found.by) if found.unranked else None,
        }
        for found in answers.fastest(material.rows)
    ]
    context = {
        "devices": [clean(device) for device in devices],
        "runs": len({row["run_id"] for row in material.rows}),
        "cells": len(material.rows),
        "counts": counts,
        "claims": claims,
        "turned": [clean(line) for line in endurance.overtaken(material.rows, material.name)],
    }
    return Section(id="answer", title="Answer", template="answer.html.j2", context=context)


def _accuracy(row: Row) -> str:
    """How good its answers are: ``top-1 99.1 %``, ``mIoU 93.0 %``, ``random weights``."""
    if row.get("weights") == "random":
        return "random weights"
    for name, words in {"top1": "top-1", **WORDS}.items():
        if (ratio := row.get(f"{name}_ratio")) is not None:
            return f"{words} {grid.figure(ratio, 100, 1).text} %"
    return f"{TASK.get(str(row.get('task')), 'top-1') or 'accuracy'} not measured"


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
