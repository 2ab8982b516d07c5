"""Latency against multiply-accumulates: which cells are slower than their work suggests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from edgebench.analysis import work as analysis
from edgebench.report.charts import axes, base, panel
from edgebench.report.charts.base import CELLS, INK, WIDTH_PX, Panels
from edgebench.report.charts.panel import Layer
from edgebench.report.frame import plain_rows
from edgebench.report.labels import telling
from edgebench.report.table import clean

_HEIGHT_PX = 400
_ROOM = 1.6
"""Between the outermost points and the frame, as a factor."""
_WIDEST = 10.0
"""Intervals are cut at so many times their median: one of two launches may span powers of ten."""
_NAMES_PX = 13
"""Between names of workloads, which stand upright."""
_FOUND = ("work_panel", "call_mmac", "work_line_ms", "work_times_ratio")
_FIELDS = (
    *(*base.IDENTITY, "verdict", "fallback", "effective_precision", "work_rate_gmacps", *_FOUND),
    *("latency_p50_ms", "latency_p50_lo_ms", "latency_p50_hi_ms"),
)


def work(frame: pd.DataFrame) -> Panels:
    """Median latency against the multiply-accumulates of a call, on two logarithmic axes.

    Args:
        frame: As `edgebench.load` gives it.

    Returns:
        A panel a device and precision (and what else was asked otherwise), 12 at most; a point a
        cell with its 95 % interval; colour and shape are the backend, dashed lines are equal
        speed.
    """
    cells = _placed(base.prepared(frame))
    layers: list[Layer] = [_speeds(), _names(), *_marks(cells)]
    whole = alt.layer(*layers, data=base.of_cells()).properties(width=WIDTH_PX, height=_HEIGHT_PX)
    # Its range with the intervals, for the lines of equal speed and the names at the frame.
    whole = whole.transform_calculate(
        low=f"max(datum.latency_p50_lo_ms || datum.latency_p50_ms, datum.latency_p50_ms/{_WIDEST})",
        high=f"min(datum.latency_p50_hi_ms || datum.latency_p50_ms, "
        f"datum.latency_p50_ms*{_WIDEST})",
    ).transform_joinaggregate(
        left="min(call_mmac)",
        right="max(call_mmac)",
        bottom="min(low)",
        top="max(high)",
        groupby=["work_panel"],
    )
    needs = "isValid(datum.work_panel)"
    chart = panel.by(whole, named="datum.work_panel", at="datum.row", needs=needs)
    chart = chart.properties(title="Median latency against MACs")
    chart = base.noted(chart, cells[cells["work_panel"].notna()])
    return base.holding(chart, **{CELLS: base.records(cells, _FIELDS)})


def _placed(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with their panel, their work, and the line of their backend."""
    rows: list[analysis.Row] = list(plain_rows(cells))
    groups = analysis.groups(rows)
    several = telling([group[0] for group in groups], ("precision",))
    found: dict[object, dict[str, object]] = {}
    for group in groups:
        title = _title(group[0], several)
        for row in group:
            found[row["row"]] = {"work_panel": title, "call_mmac": analysis.call_mmac(row)}
    for one in analysis.standings(rows):
        told = {"work_line_ms": one.expected_ms, "work_times_ratio": one.ratio}
        found[one.row["row"]] |= told
    known = [found.get(row["row"], {}) for row in rows]
    columns: dict[str, Any] = {name: [one.get(name) for one in known] for name in _FOUND}
    return cells.assign(**columns)


def _marks(cells: pd.DataFrame) -> list[alt.Chart]:
    colour, shape = base.colour(cells), base.shape(cells, "backend")
    bars = alt.Chart().mark_rule(strokeWidth=1.2, opacity=0.8)
    x, y = _x("call_mmac"), _y("latency_p50_ms")
    return [
        bars.encode(x, _y("low"), alt.Y2("high"), colour),
        *base.points(x, y, colour, shape, tooltip=_tooltip()),
    ]


def _speeds() -> Layer:
    """Lines of equal speed, a power of ten each, cut at the frame, with their names."""
    rules = alt.Chart().mark_rule(strokeDash=[4, 4], strokeWidth=1, opacity=0.45, color=INK)
    words = alt.Chart().mark_text(align="right", dx=-4, dy=10, fontSize=10, color=INK)
    layers = alt.layer(
        rules.encode(_x("x1"), _y("y1"), alt.X2("x2"), alt.Y2("y2")),
        words.encode(_x("x2"), _y("y2"), alt.Text("speed:N")),
    )
    powers = layers.transform_aggregate(
        least="min(work_rate_gmacps)",
        most="max(work_rate_gmacps)",
        groupby=["left", "right", "bottom", "top"],
    ).transform_calculate(
        power="sequence(floor(log(datum.least)/LN10), ceil(log(datum.most)/LN10) + 1)"
    )
    rates = powers.transform_flatten(["power"]).transform_calculate(rate="pow(10, datum.power)")
    ends = rates.transform_calculate(
        x1=f"max(datum.left/{_ROOM}, datum.bottom/{_ROOM}*datum.rate)",
        x2=f"min(datum.right*{_ROOM}, datum.top*{_ROOM}*datum.rate)",
    )
    return ends.transform_filter("datum.x1 < datum.x2").transform_calculate(
        y1="datum.x1/datum.rate",
        y2="datum.x2/datum.rate",
        speed="format(datum.rate, '~g') + ' GMAC/s'",
    )


def _names() -> alt.Chart:
    """The workloads, each upright at its work, moved on where two would overlap.

    Small ones hang from the top and large ones stand on the bottom: points run from one corner to
    the other. A name is moved so far that each before it has its room: the largest of all places
    before it, each with as many gaps as there are names between.
    """
    words = alt.Chart().mark_text(
        angle=270,
        align=alt.ExprRef("datum.small ? 'right' : 'left'"),
        dx=alt.ExprRef("datum.small ? -4 : 4"),
        fontSize=10,
        color=INK,
    )
    names = words.encode(_x("at"), _y("y"), alt.Text("workload:N"))
    places = (
        names.transform_aggregate(
            mmac="max(call_mmac)", groupby=["workload", "left", "right", "bottom", "top"]
        )
        .transform_window(nth="row_number()", groupby=[], sort=[alt.SortField("mmac")])
        .transform_calculate(
            gap=f"log(datum.right/datum.left*{_ROOM**2})*{_NAMES_PX}/{panel.WIDTH}*datum.nth"
        )
        .transform_calculate(start="log(datum.mmac) - datum.gap")
    )
    chart: alt.Chart = (
        places.transform_window(
            start="max(start)", groupby=[], sort=[alt.SortField("mmac")], frame=[None, 0]
        )
        .transform_calculate(
            at="exp(datum.start + datum.gap)",
            small="datum.mmac < sqrt(datum.left*datum.right)",
        )
        .transform_calculate(y=f"datum.small ? datum.top*{_ROOM} : datum.bottom/{_ROOM}")
    )
    return chart


def _x(name: str) -> alt.X:
    return alt.X(f"{name}:Q", scale=_log(), axis=_axis("child_x"), title="MMAC of a call")


def _y(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", scale=_log(), axis=_axis("child_y"), title="median latency (ms)")


def _log() -> alt.Scale:
    return alt.Scale(type="log", nice=False)


def _axis(scale: str) -> alt.Axis:
    """A grid of powers of ten: one of all digits would hide the points."""
    power = "abs(log(datum.value)/LN10 - round(log(datum.value)/LN10)) < 1e-9"
    grid = alt.condition(power, alt.value(0.25), alt.value(0))
    return axes.log_axis(scale, 6, gridOpacity=grid)


def _title(row: analysis.Row, several: Sequence[str]) -> str:
    return clean(", ".join(str(row.get(name)) for name in ("precision", *several)))


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("workload:N"),
        alt.Tooltip("backend:N"),
        alt.Tooltip("call_mmac:Q", title="MMAC of a call", format=".4~g"),
        alt.Tooltip("latency_p50_ms:Q", title="median (ms)", format=".4~g"),
        alt.Tooltip("latency_p50_lo_ms:Q", title="from (ms)", format=".4~g"),
        alt.Tooltip("latency_p50_hi_ms:Q", title="to (ms)", format=".4~g"),
        alt.Tooltip("work_rate_gmacps:Q", title="GMAC/s", format=".3~g"),
        alt.Tooltip("work_line_ms:Q", title="its backend's line (ms)", format=".4~g"),
        alt.Tooltip("effective_precision:N", title="ran as"),
        alt.Tooltip("verdict:N"),
        alt.Tooltip("device:N"),
    ]
