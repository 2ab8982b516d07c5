"""What a figure rests on: the method, and the meaning of every column."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis.compare import MARGIN_RATIO
from edgebench.analysis.validity import LIMITS
from edgebench.records import Manifest
from edgebench.report import grid
from edgebench.report.columns import COLUMNS
from edgebench.report.grid import Grid, Head
from edgebench.report.sections.base import Material, Section
from edgebench.report.table import clean


def method(material: Material) -> Section:
    """How the figures came about, in words and in the run's own settings."""
    runs: dict[str, list[Manifest]] = {}
    for run in material.runs:
        one = run.manifest
        runs.setdefault(f"{one.preset}{one.method!r}", []).append(one)
    presets = [_preset(alike) for alike in runs.values()]
    limits = Grid(
        caption="Limits below which outputs are called invalid",
        heads=(
            Head("task"),
            Head("precision"),
            Head("smallest cosine similarity", numeric=True),
            Head("smallest agreement of answers, pixels or integers", numeric=True),
            Head("why"),
        ),
        rows=[
            (
                *map(grid.text, asked),
                grid.figure(limit.min_cosine),
                grid.figure(limit.min_top1_ratio),
                grid.text(limit.reason),
            )
            for asked, limit in LIMITS.items()
        ],
        sortable=False,
    )
    context = {"presets": presets, "limits": limits, "margin": f"{100 * MARGIN_RATIO:g} %"}
    return Section(id="method", title="Method", template="method.html.j2", context=context)


def _preset(runs: Sequence[Manifest]) -> Grid:
    """The settings of runs that have them alike."""
    first = runs[0]
    pairs = [("runs", " ".join(run.run_id for run in runs))]
    pairs += [(name.replace("_", " "), str(value)) for name, value in first.method.items()]
    return grid.facts(f"Preset {clean(first.preset)}", pairs)


def glossary(material: Material) -> Section:
    """Every column of the CSV and the frame."""
    del material
    columns = [(column.name, column.meaning) for column in COLUMNS]
    return Section(
        id="glossary", title="Glossary", template="glossary.html.j2", context={"columns": columns}
    )
