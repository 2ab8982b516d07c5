"""What more threads, larger batches and more streams bring: inferences per second."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import altair as alt
import pandas as pd

from edgebench.analysis import questions
from edgebench.report.charts import axes, base
from edgebench.report.charts.base import CELLS, Panels
from edgebench.report.frame import plain_rows
from edgebench.report.labels import labels
from edgebench.report.table import clean

Over: TypeAlias = Literal["threads", "batch", "streams"]
OVER: tuple[Over, ...] = ("threads", "batch", "streams")
_FULL_SPEED = frozenset({"single_stream", "multi_stream", "offline", "sustained"})
"""In the other scenarios the clients set the pace."""
_FIELDS = (
    *(
        *base.IDENTITY,
        "verdict",
        "fallback",
        "throughput_ips",
        "throughput_lo_ips",
        "throughput_hi_ips",
    ),
    *("latency_p99_ms", "offline_batch", "offline_streams"),
)
_WIDTH_PX, _HEIGHT_PX = 400, 190
_COLUMNS, PANELS = 2, 24
_LONG_PX = 24
"""Of a line in the legend: a shorter one would not tell its dashes."""
_TITLE = "inferences/s"
_ON = "lastindexof(datum.label, ' on ')"
_TWO_LINES = f"[slice(datum.label, 0, {_ON}), slice(datum.label, {_ON} + 1)]"
"""What stands over a panel: in one line it would often be wider than the panel, which gives way."""


def throughput(frame: pd.DataFrame, *, over: Over = "threads") -> Panels:
    """Inferences per second against threads, batch or streams, on logarithmic axes.

    Args:
        frame: As `edgebench.load` gives it, or as `scaling` does, which spares its work.
        over: What the cells of a line differ in; those that nothing else tells apart make a line.

    Returns:
        A panel a workload (with what else was asked) and device, 24 at most; a line where there
        are two points or more, its colour and dashes the backend, with points shaped by precision,
        hollow where a cell is not valid, and bars for 95 % intervals. The thin dotted line is in
        proportion to the smallest number. Beside lines over batch or streams a cell of scenario
        offline stands at the number that it found best.
    """
    cells = frame if f"{over}_line" in frame.columns else scaling(base.prepared(frame), over)
    drawn = cells[cells[f"{over}_line"].notna()]
    x, (colour, dash) = _whole_x(over), _of_lines(cells, drawn)
    shape, tips = base.shape(cells, "precision", drawn), _tooltip(over)
    group = alt.Detail(f"{over}_line:N")
    value = axes.log_y("throughput_ips", _TITLE)
    bar = alt.Chart().mark_rule(strokeWidth=1.5)
    line = alt.Chart().transform_filter(f"!datum.{over}_found").mark_line(strokeWidth=1.5)
    # A filter would leave panels without a text at all, of which Vega warns.
    words = f"datum.{over}_found ? ['offline', datum.backend] : ''"
    name = alt.Chart().transform_calculate(words=words)
    name = name.mark_text(dy=15, fontSize=11)
    layers = [
        *([] if over == "batch" else [_ideal(over, x, colour, group)]),
        line.encode(x, value, colour, dash, group),
        bar.encode(
            x, axes.log_y("throughput_lo_ips", _TITLE), alt.Y2("throughput_hi_ips"), colour, group
        ),
        *base.points(x, value, colour, shape, tooltip=tips),
        name.encode(x, value, colour, alt.Text("words:N")),
    ]
    whole = alt.layer(*layers, data=base.of_cells())
    whole = whole.properties(width=_WIDTH_PX, height=_HEIGHT_PX)
    order = alt.EncodingSortField(f"{over}_panel_at", op="min")
    header = alt.Header(labelAnchor="start", labelFontWeight="bold", labelExpr=_TWO_LINES)
    panel = alt.Facet(f"{over}_panel:N", title=None, sort=order, header=header)
    chart: Any = _drawn(whole.facet(panel, columns=_COLUMNS), over)
    chart = chart.resolve_scale(x="independent", y="independent")
    chart = base.noted(chart.properties(title=f"Inferences per second over {over}"), drawn)
    fields = (f"{over}_{what}" for what in ("at", "line", "panel", "panel_at", "ratio", "found"))
    return base.holding(chart, **{CELLS: base.records(cells, (*_FIELDS, *fields))})  # type: ignore[no-any-return]


def scaling(frame: pd.DataFrame, over: Over) -> pd.DataFrame:
    """What the chart over a number needs to know of each cell.

    Args:
        frame: As `edgebench.report.charts.base.prepared` gives it.
        over: The number.

    Returns:
        The frame and columns ``{over}_at`` (the number), ``{over}_line`` (what else tells the cell
        apart), ``{over}_panel`` (its workload, with what else was asked, and device),
        ``{over}_panel_at`` (its place), ``{over}_ratio`` (its throughput over that of the smallest
        number) and ``{over}_found`` (the number was found, not asked for); all missing where no
        other cell differs in nothing but this number.
    """
    rows = [row for row in plain_rows(frame) if _counts(row, over)]
    alike = [_without(row, over) for row in rows]
    asked = zip(questions.names(alike), rows, strict=True)
    panels = [clean(f"{words} on {row['device']}") for words, row in asked]
    found = [_found(row, over) for row in rows]
    lines = zip(labels(alike, panels), found, strict=True)
    told = pd.DataFrame({"row": [row["row"] for row in rows], "panel": panels, "found": found})
    told["line"] = [clean(f"offline: {name}" if one else name) for name, one in lines]
    told["panel_at"] = pd.factorize(told["panel"])[0]
    told["at"] = [_at(row, over) for row in rows]
    told["ips"] = [row["throughput_ips"] for row in rows]
    several = told.groupby(["panel", "line"])["at"].transform("nunique") > 1
    told = told[several | (told["found"] & told["panel"].isin(told["panel"][several]))]
    groups = told.sort_values("at").groupby(["panel", "line"])
    told["ratio"] = (told["ips"] / groups["ips"].transform("first")).where(~told["found"])
    told = told.drop(columns="ips").set_index("row").add_prefix(f"{over}_")
    return frame.join(told, on="row")


def _counts(row: dict[str, Any], over: Over) -> bool:
    known = row["status"] == "ok" and row["scenario"] in _FULL_SPEED
    return known and (row["throughput_ips"] or 0) > 0 and _at(row, over) is not None


def _found(row: dict[str, Any], over: Over) -> bool:
    """Whether the cell looked for the best number itself."""
    return over != "threads" and row["scenario"] == "offline"


def _at(row: dict[str, Any], over: Over) -> int | None:
    number: int | None = row[f"offline_{over}" if _found(row, over) else over]
    return number


def _without(row: dict[str, Any], over: Over) -> dict[str, Any]:
    """The cell as if all had the same number, and nobody had looked for it."""
    same = {"scenario": "single_stream", "parameters": None} if _found(row, over) else {}
    return row | same | {over: 1, "case_id": None}


def _drawn(chart: Any, over: Over) -> Any:  # noqa: ANN401 - any chart, and the same back
    """Lines of two points and more, and what stands beside them, whatever the filters leave."""
    line, panel = f"{over}_line", f"{over}_panel"
    first = [alt.SortField(f"{over}_panel_at")]
    return (
        chart.transform_filter(f"isValid(datum.{line})")
        .transform_joinaggregate(points=f"distinct({over}_at)", groupby=[panel, line])
        .transform_calculate(many="datum.points > 1 ? 1 : 0")
        .transform_joinaggregate(lines="sum(many)", groupby=[panel])
        .transform_filter(f"datum.many || (datum.{over}_found && datum.lines)")
        .transform_window(rank="dense_rank()", groupby=[], sort=first)
        .transform_filter(f"datum.rank <= {PANELS}")
    )


def _of_lines(cells: pd.DataFrame, drawn: pd.DataFrame) -> tuple[alt.Color, alt.StrokeDash]:
    """Colour and dashes of a line, both by its backend, in one legend of lines."""
    colour, dash = base.colour(cells, drawn=drawn), base.dash(cells, drawn=drawn)
    for one in (colour, dash):
        one["legend"]["symbolType"] = "stroke"
        one["legend"]["symbolSize"] = _LONG_PX**2
    return colour, dash


def _ideal(over: Over, x: alt.X, colour: alt.Color, group: alt.Detail) -> alt.Chart:
    """In proportion to the smallest number of a line."""
    line: alt.Chart = alt.Chart().transform_filter(f"!datum.{over}_found")
    line = line.transform_window(
        first_at=f"first_value({over}_at)",
        first_ips="first_value(throughput_ips)",
        groupby=[f"{over}_line"],
        sort=[alt.SortField(f"{over}_at")],
        frame=[None, None],
    ).transform_calculate(ideal_ips=f"datum.first_ips * datum.{over}_at / datum.first_at")
    line = line.mark_line(strokeDash=[1, 3], strokeWidth=1.2, opacity=0.9)
    return line.encode(x, axes.log_y("ideal_ips", _TITLE), colour, group)


def _whole_x(over: Over) -> alt.X:
    """A logarithmic axis in steps of two, with whole numbers only."""
    words = "datum.value % 1 ? '' : format(datum.value, 'd')"
    axis = alt.Axis(labelExpr=words, tickCount=8, labelOverlap="greedy", grid=False, ticks=False)
    scale = alt.Scale(type="log", base=2, nice=False, padding=20)
    return alt.X(f"{over}_at:Q", scale=scale, axis=axis, title=over)


def _tooltip(over: Over) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(f"{over}_line:N", title="cell"),
        alt.Tooltip(f"{over}_at:Q", title=over),
        alt.Tooltip("throughput_ips:Q", title="inferences/s", format=".4~g"),
        alt.Tooltip("throughput_lo_ips:Q", title="from", format=".4~g"),
        alt.Tooltip("throughput_hi_ips:Q", title="to", format=".4~g"),
        alt.Tooltip(f"{over}_ratio:Q", title="times the smallest", format=".3~g"),
        alt.Tooltip("latency_p99_ms:Q", title="p99 (ms)", format=".4~g"),
        alt.Tooltip("offline_batch:Q", title="batch found"),
        alt.Tooltip("offline_streams:Q", title="streams found"),
        alt.Tooltip("verdict:N"),
    ]
