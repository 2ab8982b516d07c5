"""Every cell that is not simply good, with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.report import grid
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section, mark, verdict
from edgebench.report.table import clean
from edgebench.store.read import StoredRun


def exceptions(material: Material) -> Section:
    """Every cell that is not simply good, with its reason; and what could not be read."""
    named = list(zip(material.rows, material.names, range(len(material.rows)), strict=True))
    groups = {
        "Failed": [n for n in named if n[0]["status"] not in {"ok", "skipped"}],
        "Invalid or suspect": [
            n for n in named if n[0]["status"] == "ok" and verdict(n[0]) in {"suspect", "invalid"}
        ],
        "Imported": [n for n in named if verdict(n[0]) == "imported"],
        "Skipped": [n for n in named if n[0]["status"] == "skipped"],
    }
    heads = (Head("workload"), Head("cell"), Head("verdict"), Head("reason"))
    tables = [
        Grid(
            caption=f"{title}: {len(found)}",
            heads=heads,
            rows=[_why(row, name) for row, name, _ in found],
            ids=[f"why-{index}" for _, _, index in found],
        )
        for title, found in groups.items()
        if found
    ]
    if fallen := [(row, name) for row, name, _ in named if row.get("fallback")]:
        tables.append(_fallbacks(fallen))
    if missing := _not_measured(material.runs):
        rows = [(grid.text(run), grid.text(label)) for run, label in missing]
        caption = f"Planned, but the run ended before them: {len(missing)}"
        tables.append(Grid(caption=caption, heads=(Head("run"), Head("cell")), rows=rows))
    context = {"tables": tables, "problems": [clean(problem) for problem in material.problems]}
    title = "What did not go as asked"
    return Section(id="exceptions", title=title, template="exceptions.html.j2", context=context)


def _why(row: Row, name: str) -> list[Cell]:
    why = row.get("reason") if row["status"] != "ok" else row.get("caveats")
    if verdict(row) == "imported":
        why = f"{row['imported_from']}; {row['caveats']}"
    words = Cell(verdict(row), mark=mark(row))
    return [grid.text(row["workload"]), grid.text(name), words, grid.text(why)]


def _fallbacks(fallen: Sequence[tuple[Row, str]]) -> Grid:
    heads = [Head("workload"), Head("cell"), Head("differs")]
    heads += [Head("precision asked"), Head("precision that ran"), Head("% of it", numeric=True)]
    names = ("fallback", "precision", "effective_precision")
    rows = [
        [
            *(grid.text(value) for value in (row["workload"], name)),
            *(grid.text(row.get(key)) for key in names),
            grid.figure(row.get("precision_ratio"), 100, 0),
        ]
        for row, name in fallen
    ]
    caption = f"Ran otherwise than asked: {len(fallen)}"
    return Grid(caption=caption, heads=heads, rows=rows)


def _not_measured(runs: Sequence[StoredRun]) -> list[tuple[str, str]]:
    found = []
    for run in runs:
        seen = {record.case_id for record in run.records}
        planned = [planned for planned in run.manifest.plan if planned.case_id not in seen]
        found += [(run.manifest.run_id, one.case.label) for one in planned]
    return found
