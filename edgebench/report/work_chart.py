"""The chart of latency against multiply-accumulates: a plain function from a frame to Altair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from edgebench.analysis import work as analysis
from edgebench.errors import UsageError
from edgebench.report import charts
from edgebench.report.charts import PALETTE
from edgebench.report.labels import telling
from edgebench.report.table import clean

try:
    import altair as alt
except ImportError:
    raise UsageError("charts need altair", remedy="pip install 'edgebench[report]'") from None

_SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"),
    "triangle-left",
)
"""One more than there are colours: together they tell 56 backends apart."""
_WIDTH_PX, _HEIGHT_PX = 480, 400
_ROOM = 1.6
"""Between the outermost points and the frame, as a factor."""
_WIDEST = 10.0
"""Beyond the outermost points intervals are cut: one of two launches may span powers of ten."""
_NAMES_PX = 13
"""Between names of workloads, which stand upright."""
_MIN_TICKS = 2
_INK = "currentColor"
_Ends: TypeAlias = tuple[float, float]
_Axes: TypeAlias = "tuple[alt.X, alt.Y]"
_POINT = (
    *("workload", "backend", "call_mmac", "latency_p50_ms", "latency_p50_lo_ms"),
    *("latency_p50_hi_ms", "work_rate_gmacps", "effective_precision", "validity", "device"),
)


def work(frame: pd.DataFrame) -> alt.VConcatChart:
    """Median latency against the multiply-accumulates of a call, on two logarithmic axes.

    Args:
        frame: As `edgebench.load` gives it.

    Returns:
        A panel a device and precision (and what else was asked otherwise); a point a cell with its
        95 % interval; colour and shape are the backend, dashed lines are equal speed.
    """
    whole = frame.astype(object).where(frame.notna(), None)
    rows: list[analysis.Row] = [
        {str(k): v for k, v in row.items()} for row in whole.to_dict("records")
    ]
    groups = analysis.groups(rows)
    backends = sorted({clean(str(row["backend"])) for group in groups for row in group})
    several = telling([group[0] for group in groups], ("precision",))
    panels = [
        _panel(group, backends).properties(
            title=_title(group[0], several), width=_WIDTH_PX, height=_HEIGHT_PX
        )
        for group in groups
    ]
    chart: alt.VConcatChart = alt.vconcat(
        *panels, title="Median latency against multiply-accumulates"
    ).resolve_scale(x="independent", y="independent", color="shared", shape="shared")
    return chart


def _panel(
    group: Sequence[analysis.Row], backends: Sequence[str]
) -> alt.LayerChart | alt.FacetChart:
    cells = pd.DataFrame([{**row, "call_mmac": analysis.call_mmac(row)} for row in group])
    cells = cells.reindex(columns=list(_POINT))
    middle = cells["latency_p50_ms"].astype(float)
    low, high = (cells[f"latency_p50_{end}_ms"].astype(float) for end in ("lo", "hi"))
    lowest, highest = middle.min(), middle.max()
    if low.notna().any():
        lowest = min(lowest, max(low.min(), lowest / _WIDEST))
        highest = max(highest, min(high.max(), highest * _WIDEST))
    x_ends = (cells["call_mmac"].min() / _ROOM, cells["call_mmac"].max() * _ROOM)
    y_ends = (float(lowest) / _ROOM, float(highest) * _ROOM)
    x = alt.X("call_mmac:Q", scale=_log(x_ends), axis=_axis(x_ends), title="MMAC of a call")
    y, y_low = (
        alt.Y(f"{name}:Q", scale=_log(y_ends), axis=_axis(y_ends), title="median latency (ms)")
        for name in ("latency_p50_ms", "latency_p50_lo_ms")
    )
    colours = [PALETTE[index % len(PALETTE)] for index in range(len(backends))]
    shapes = [_SHAPES[index % len(_SHAPES)] for index in range(len(backends))]
    colour = alt.Color("backend:N", scale=alt.Scale(domain=backends, range=colours))
    shape = alt.Shape("backend:N", scale=alt.Scale(domain=backends, range=shapes))
    known = cells.dropna(subset=["latency_p50_lo_ms", "latency_p50_hi_ms"])
    bars = _data(known).mark_rule(strokeWidth=1.2, opacity=0.8, clip=True)
    layers = [
        *_speeds(cells["work_rate_gmacps"], x_ends, y_ends, (x, y)),
        *_names(cells, y_ends, (x, y)),
        bars.encode(x, y_low, alt.Y2("latency_p50_hi_ms"), colour),
    ]
    for valid, some in cells.groupby((cells["validity"] == "valid").fillna(value=False)):
        points = _data(some).mark_point(size=60, filled=bool(valid), opacity=1)
        layers.append(points.encode(x, y, colour, shape, tooltip=_tooltip()))
    return alt.layer(*layers)


def _speeds(rates: pd.Series, x_ends: _Ends, y_ends: _Ends, axes: _Axes) -> list[alt.Chart]:
    """Lines of equal speed, a power of ten each, cut at the frame, with their names."""
    powers = np.arange(np.floor(np.log10(rates.min())), np.ceil(np.log10(rates.max())) + 1)
    ends: list[dict[str, float | str]] = []
    tips: list[dict[str, float | str]] = []
    for rate in (10.0**power for power in powers):
        left, right = max(x_ends[0], y_ends[0] * rate), min(x_ends[1], y_ends[1] * rate)
        if left < right:
            name = f"{rate:g} GMAC/s"
            two = [
                {"call_mmac": at, "latency_p50_ms": at / rate, "speed": name}
                for at in (left, right)
            ]
            ends += two
            tips.append(two[1])
    lines = alt.Chart(alt.InlineData(values=ends)).mark_line(
        strokeDash=[4, 4], strokeWidth=1, opacity=0.45, color=_INK
    )
    words = _words(tips).mark_text(align="right", dx=-4, dy=10, fontSize=10, color=_INK)
    return [lines.encode(*axes, alt.Detail("speed:N")), words.encode(*axes, alt.Text("speed:N"))]


def _names(cells: pd.DataFrame, y_ends: _Ends, axes: _Axes) -> list[alt.Chart]:
    """The workloads, each upright at its work, moved on where two would overlap.

    Small ones hang from the top and large ones stand on the bottom: points run from one corner to
    the other.
    """
    works = cells.groupby("workload")["call_mmac"].max().astype(float).sort_values()
    gap = math.exp(math.log(works.iloc[-1] / works.iloc[0] * _ROOM**2) * _NAMES_PX / _WIDTH_PX)
    middle = math.sqrt(works.iloc[0] * works.iloc[-1])
    sides: dict[bool, list[dict[str, float | str]]] = {True: [], False: []}
    last = 0.0
    for name, at in works.items():
        last = max(at, last * gap)
        small = at < middle
        place = {"call_mmac": last, "latency_p50_ms": y_ends[small]}
        sides[small].append({"workload": clean(str(name)), **place})
    return [
        _words(places)
        .mark_text(
            angle=270,
            align="right" if small else "left",
            dx=-4 if small else 4,
            fontSize=10,
            color=_INK,
        )
        .encode(*axes, alt.Text("workload:N"))
        for small, places in sides.items()
    ]


def _words(values: Sequence[Mapping[str, object]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=list(values)))


def _data(cells: pd.DataFrame) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=charts.records(cells, _POINT)))


def _log(ends: _Ends) -> alt.Scale:
    return alt.Scale(type="log", nice=False, domain=list(ends))


def _axis(ends: _Ends) -> alt.Axis:
    """Ticks at powers of ten, where there are any: a grid of all digits would hide the points."""
    powers = range(math.ceil(math.log10(ends[0])), math.floor(math.log10(ends[1])) + 1)
    values = [10.0**power for power in powers]
    if len(values) < _MIN_TICKS:
        return alt.Axis(format="~g", tickCount=6, labelOverlap="greedy", labelSeparation=6)
    return alt.Axis(format="~g", values=values)


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
        alt.Tooltip("effective_precision:N", title="ran as"),
        alt.Tooltip("validity:N"),
        alt.Tooltip("device:N"),
    ]
