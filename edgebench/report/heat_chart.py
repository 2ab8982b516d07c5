"""The chart of heat over a run: a plain function from moments to Altair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgebench.errors import UsageError
from edgebench.report.charts import PALETTE

try:
    import altair as alt
except ImportError:
    raise UsageError("charts need altair", remedy="pip install 'edgebench[report]'") from None

_WIDTH_PX, _HEIGHT_PX = 480, 130
_FIGURES = {"degc": "hottest sensor (degC)", "mhz": "fastest clock (MHz)"}
_HELD = "slowed down"
_STATES = {"free": PALETTE[0], _HELD: PALETTE[1]}


def heat(runs: Sequence[tuple[str, Sequence[dict[str, Any]]]]) -> alt.VConcatChart:
    """Temperature and clock over the time of each run.

    Args:
        runs: Of each its title and its moments: ``minute`` since the run's start, ``degc``,
            ``mhz`` (absent where not read), ``cell``, ``held`` (what slowed it down, or nothing).

    Returns:
        Two panels a run, temperature and clock, where each was read; moments at which something
        slowed the device down have another colour and shape.
    """
    panels = [
        _panel(moments, name).properties(
            title=title if place == 0 else "", width=_WIDTH_PX, height=_HEIGHT_PX
        )
        for title, moments in runs
        for place, name in enumerate(n for n in _FIGURES if any(n in one for one in moments))
    ]
    chart: alt.VConcatChart = alt.vconcat(
        *panels, title="Temperature and clock over the launches"
    ).resolve_scale(x="independent", y="independent", color="shared", shape="shared")
    return chart


def _panel(moments: Sequence[dict[str, Any]], name: str) -> alt.Chart:
    values = [
        {**one, "state": _HELD if one.get("held") else "free"} for one in moments if name in one
    ]
    states = alt.Scale(domain=list(_STATES), range=list(_STATES.values()))
    shapes = alt.Scale(domain=list(_STATES), range=["circle", "triangle-up"])
    marks = alt.Chart(alt.InlineData(values=values)).mark_point(size=28, filled=True, opacity=1)
    chart: alt.Chart = marks.encode(
        alt.X("minute:Q", title="minutes since the run's start", scale=alt.Scale(zero=True)),
        alt.Y(f"{name}:Q", title=_FIGURES[name], scale=alt.Scale(zero=name == "mhz", padding=8)),
        alt.Color("state:N", scale=states, title="the device is"),
        alt.Shape("state:N", scale=shapes, title="the device is"),
        tooltip=[
            alt.Tooltip("cell:N"),
            alt.Tooltip("minute:Q", format=".2f"),
            alt.Tooltip("degc:Q", title="degC", format=".1f"),
            alt.Tooltip("mhz:Q", title="MHz", format=".0f"),
            alt.Tooltip("held:N", title="slowed by"),
        ],
    )
    return chart
