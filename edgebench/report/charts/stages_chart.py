"""Where the time of an image goes, from its file to the answer."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from edgebench.report import rows
from edgebench.report.charts import base, panel
from edgebench.report.charts.base import CELLS, PALETTE, ROW_PX, WIDTH_PX, Panels
from edgebench.report.columns import STAGES
from edgebench.report.frame import plain_rows

_BROWN = "#8C564B"
_COLOURS = dict(zip(STAGES, (*PALETTE[:2], _BROWN, *PALETTE[2:]), strict=True))
_DARK = (PALETTE[0], _BROWN)
"""Colours on which words are white."""
_FIGURES = {"ms": "median of each stage (ms)", "share": "share of all stages (%)"}
_FIELDS = (*base.IDENTITY, "verdict", "comparable", "pipeline", "latency_p50_ms")
_CHARACTER_PX = 6
"""Of a stage's name; it is written where its part is wider."""


def stages(frame: pd.DataFrame) -> Panels:
    """Where the time of an image goes: the medians of each stage of region e2e, end to end.

    Args:
        frame: As `edgebench.load` gives it; only cells of region e2e are drawn.

    Returns:
        Two panels a question, 12 in all: medians, and their shares; a bar a cell, fastest first,
        40 at most, with a part a stage in the order they run, which has its name where there is
        room.
    """
    cells = shared(base.prepared(frame))
    order = [stage for stage in STAGES if cells[f"stage_{stage}_ms"].notna().any()]
    names = [f"stage_{stage}_ms" for stage in order]
    known = " + ".join(f"(datum.{name} || 0)" for name in names) or "0"
    whole = alt.layer(_bars(order), data=base.of_cells())
    whole = whole.properties(width=WIDTH_PX, height=alt.Step(ROW_PX))
    first = alt.SortField("latency_p50_ms", order="ascending")
    whole = (
        whole.transform_filter(f"datum.comparable && {known} > 0")
        .transform_window(place="row_number()", groupby=["question"], sort=[first])
        .transform_filter(base.first_rows())
        .transform_calculate(figure=str(list(_FIGURES)))
        .transform_flatten(["figure"])
    )
    chart = panel.by(
        whole,
        named=f"({_FIGURES})[datum.figure] + ': ' + datum.question",
        at="2*datum.question_at + (datum.figure === 'share')",
    ).properties(title="From image file to answer, stage by stage")
    ratios = [f"share_{stage}_ratio" for stage in order]
    found = base.records(cells, (*_FIELDS, *names, *ratios))
    chart = base.limited(chart, panels=base.PANELS // len(_FIGURES))
    return base.holding(chart, **{CELLS: found})


def shared(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with a column ``share_{stage}_ratio`` for each stage: its part of all medians."""
    found = [rows.shares(row) for row in plain_rows(cells)]
    columns: dict[str, Any] = {
        f"share_{stage}_ratio": [one.get(stage) for one in found] for stage in STAGES
    }
    return cells.assign(**columns)


def _bars(order: list[str]) -> Any:  # noqa: ANN401 - layers, in Altair's many words for them
    words = [stage.replace("_", " ") for stage in order]
    colours = [_COLOURS[stage] for stage in order]
    scale = alt.Scale(domain=words, range=colours)
    dark = [word for word, one in zip(words, colours, strict=True) if one in _DARK]
    ink = alt.condition(
        f"indexof({dark}, datum.stage) >= 0", alt.value("white"), alt.value("black")
    )
    y = base.cells_axis("latency_p50_ms")
    axis = alt.X("start:Q", title=None, scale=alt.Scale(nice=False))
    colour = alt.Color("stage:N", scale=scale, title="stage", sort=words)
    bars = alt.Chart().mark_bar(height={"band": 0.7})
    texts = alt.Chart().mark_text(fontSize=10)
    parts = alt.layer(
        bars.encode(axis, alt.X2("end"), y, colour, tooltip=_tooltip()),
        texts.encode(alt.X("middle:Q"), y, alt.Text("word:N"), color=ink, tooltip=_tooltip()),
    ).transform_fold([f"stage_{stage}_ms" for stage in order], as_=["column", "median_ms"])
    stacked = (
        parts.transform_filter("isValid(datum.median_ms)")
        .transform_calculate(
            stage="replace(slice(datum.column, 6, -3), '_', ' ')",
            share="datum['share_' + slice(datum.column, 6, -3) + '_ratio']",
        )
        .transform_calculate(
            nth=f"indexof({words}, datum.stage)",
            length="datum.figure === 'ms' ? datum.median_ms : 100 * datum.share",
        )
        .transform_stack(
            stack="length",
            as_=["start", "end"],
            groupby=["cell"],
            sort=[alt.SortField("nth")],
            offset="zero",
        )
    )
    wide = f"(datum.end - datum.start) / datum.longest * {panel.WIDTH} > {_CHARACTER_PX}"
    return stacked.transform_joinaggregate(longest="max(end)", groupby=[]).transform_calculate(
        middle="(datum.start + datum.end) / 2",
        word=f"{wide} * (length(datum.stage) + 1) ? datum.stage : ''",
    )


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("cell:N"),
        alt.Tooltip("stage:N"),
        alt.Tooltip("median_ms:Q", title="median (ms)", format=".4~g"),
        alt.Tooltip("share:Q", title="of all stages", format=".1%"),
        alt.Tooltip("pipeline:N"),
    ]
