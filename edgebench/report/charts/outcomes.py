"""How speeds against a reference are drawn: an axis around 1, and a colour and shape a verdict."""

from __future__ import annotations

from typing import Any

import altair as alt

from edgebench.analysis.compare import CANNOT_TELL, SAME
from edgebench.report import speeds
from edgebench.report.charts import axes
from edgebench.report.charts.base import INK, PALETTE

_GREY = PALETTE[6]
_CROSS = "M-1,-1L1,1M1,-1L-1,1"
_LOOKS = {
    speeds.FASTER: (PALETTE[0], "circle"),
    SAME: (PALETTE[2], "square"),
    CANNOT_TELL: (PALETTE[4], "diamond"),
    speeds.SLOWER: (PALETTE[1], "triangle-down"),
    speeds.RAN: (_GREY, "cross"),
    speeds.INVALID: (_GREY, _CROSS),
}
"""Of those outcomes that have a place on the axis."""


def axis(field: str, title: str, scale: str) -> alt.X:
    """Times as fast, on a logarithmic axis that always has 1 on it.

    Args:
        field: What is placed.
        title: Of the axis.
        scale: Its name in Vega, as `axes.log_axis` takes it.
    """
    made = alt.Scale(type="log", nice=False, padding=12)
    return alt.X(f"{field}:Q", scale=made, axis=axes.log_axis(scale, 8), title=title)


def marks(
    y: alt.Y, titles: tuple[str, str], known: set[str], tips: list[Any], scale: str = "child_x"
) -> list[alt.Chart]:
    """A rule at 1, intervals and points; of records with ``speed_ratio`` and ``outcome``.

    Args:
        y: The axis of rows, the same for all.
        titles: Of the axis and of the legend.
        known: Outcomes that there are, of all data.
        tips: What a point tells.
        scale: Of the axis, as `axes.log_axis` takes it: ``x`` if all panels share it.
    """
    title, legend = titles
    names = [name for name in speeds.OUTCOMES if name in known and name in _LOOKS]
    colours = alt.Scale(domain=names, range=[_LOOKS[name][0] for name in names])
    shapes = alt.Scale(domain=names, range=[_LOOKS[name][1] for name in names])
    painted, inside, shape = (
        kind("outcome:N", scale=scale, title=legend, sort=names)
        for kind, scale in ((alt.Color, colours), (alt.Fill, colours), (alt.Shape, shapes))
    )
    sure = f"indexof({[speeds.FASTER, speeds.SLOWER]}, datum.outcome) >= 0"
    bar = alt.Chart().mark_rule(strokeWidth=1.5)
    bar = bar.transform_calculate(
        low="isValid(datum.speed_lo_ratio) ? datum.speed_lo_ratio : datum.speed_ratio",
        high="isValid(datum.speed_hi_ratio) ? datum.speed_hi_ratio : datum.speed_ratio",
    )
    point = (
        alt.Chart()
        .mark_point(size=60, strokeWidth=1.5)
        .encode(
            *(axis("speed_ratio", title, scale), y, painted, shape),
            fill=alt.condition(sure, inside, alt.value("transparent")),
            tooltip=tips,
        )
    )
    bar = bar.encode(axis("low", title, scale), alt.X2("high"), y, painted)
    return [_line(title, scale), bar, point]


def _line(title: str, scale: str) -> alt.Chart:
    """Where both are equally fast, from top to bottom: one rule a panel."""
    rule = alt.Chart().mark_rule(stroke=INK, strokeWidth=1, strokeDash=[4, 3], opacity=0.8)
    first = rule.transform_aggregate(one="min(speed_ratio)").transform_calculate(one="1")
    made: alt.Chart = first.encode(axis("one", title, scale))
    return made
