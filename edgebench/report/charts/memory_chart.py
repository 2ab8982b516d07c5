"""How much memory a cell takes: its runtime, its model, and what comes on top while it works."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from edgebench.report.charts import base
from edgebench.report.charts.base import CELLS, INK, PALETTE, Panels

_PARTS = {
    "runtime": PALETTE[5],
    "model loaded": PALETTE[0],
    "at its peak": PALETTE[4],
    "not told apart": PALETTE[6],
}
_FIELDS = (
    *(*base.IDENTITY, "verdict", "fallback", "rss_baseline_mib", "rss_load_mib"),
    "model_size_mib",
    *("rss_peak_mib", "rss_peak_lo_mib", "rss_peak_hi_mib"),
)
_BOARDS_MIB = [512, 1024, 2048]
ROWS = 24
_NEAR = 1.25
"""A line so much beyond the longest bar is still worth its room."""


def memory(frame: pd.DataFrame) -> Panels:
    """Peak resident memory of each cell with its 95 % interval, and what it is made of.

    Args:
        frame: As `edgebench.load` gives it.

    Returns:
        A panel a question; a bar a cell, the smallest first, 24 at most, of three parts: the
        process with the runtime imported, what opening the model added, and what its peak while
        loading and inferring added. A point at its end, hollow where the cell is not valid, with
        the interval of the peak. Dashed lines stand where a board of 512 MiB, 1 or 2 GiB ends.
    """
    cells = base.prepared(frame)
    y = base.cells_axis("rss_peak_mib")
    peak, low = _x("rss_peak_mib"), _x("rss_peak_lo_mib")
    ink = alt.ColorValue(INK)
    layers: list[alt.Chart | alt.LayerChart] = [
        _parts(y),
        _boards(),
        *base.interval(low, "rss_peak_hi_mib", y, ink),
        *base.points(peak, y, ink, size=30, tooltip=_tooltip()),
    ]
    chart = base.panels(
        layers,
        needs="isValid(datum.rss_peak_mib)",
        order="rss_peak_mib",
        title="Peak memory with its 95 % interval",
        rows=ROWS,
    )
    chart = base.noted(chart, cells[cells["rss_peak_mib"].notna()])
    return base.holding(chart, **{CELLS: base.records(cells, _FIELDS)})


def _parts(y: alt.Y) -> alt.Chart:
    known = "isValid(datum.rss_baseline_mib) && isValid(datum.rss_load_mib)"
    ends = "[datum.rss_baseline_mib, datum.rss_load_mib, datum.rss_peak_mib]"
    begins = "[0, datum.rss_baseline_mib, datum.rss_load_mib]"
    names = list(_PARTS)
    scale = alt.Scale(domain=names, range=list(_PARTS.values()))
    bars: alt.Chart = alt.Chart().transform_calculate(
        part=f"{known} ? {names[:-1]} : {names[-1:]}",
        begin_mib=f"{known} ? {begins} : [0]",
        end_mib=f"{known} ? {ends} : [datum.rss_peak_mib]",
    )
    bars = bars.transform_flatten(["part", "begin_mib", "end_mib"])
    bars = bars.transform_filter("datum.end_mib > datum.begin_mib")
    bars = bars.transform_calculate(part_mib="datum.end_mib - datum.begin_mib")
    bars = bars.mark_bar(height={"band": 0.6}, opacity=0.75)
    return bars.encode(
        _x("begin_mib"),
        alt.X2("end_mib"),
        y,
        alt.Color("part:N", scale=scale, title="memory", sort=names),
        tooltip=[
            *(alt.Tooltip("cell:N"), alt.Tooltip("part:N")),
            alt.Tooltip("part_mib:Q", title="MiB", format=".4~g"),
        ],
    )


def _boards() -> alt.LayerChart:
    """Where boards end, as far as the bars come near."""
    seen = alt.condition("datum.near", alt.value(0.8), alt.value(0))
    line = alt.Chart().mark_rule(strokeDash=[4, 3], color=INK)
    line = line.encode(_x("end_mib"), opacity=seen)
    words = alt.Chart().mark_text(align="left", dx=3, dy=6, baseline="top", color=INK, fontSize=11)
    words = words.encode(_x("end_mib"), alt.Text("words:N"), y=alt.value(0), opacity=seen)
    # Lines out of reach are drawn unseen at the longest bar: of a panel without any Vega warns.
    ends: Any = alt.layer(line, words)
    ends = ends.transform_calculate(board_mib=str(_BOARDS_MIB))
    ends = ends.transform_flatten(["board_mib"])
    ends = ends.transform_aggregate(longest_mib="max(rss_peak_mib)", groupby=["board_mib"])
    size = "datum.board_mib < 1024 ? datum.board_mib + ' MiB' : datum.board_mib / 1024 + ' GiB'"
    made: alt.LayerChart = ends.transform_calculate(
        near=f"datum.board_mib < {_NEAR} * datum.longest_mib",
        end_mib="datum.near ? datum.board_mib : datum.longest_mib",
        words=f"datum.near ? {size} : ''",  # unseen words take room, too
    )
    return made


def _x(column: str) -> alt.X:
    return alt.X(f"{column}:Q", title="resident memory (MiB)")


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("cell:N"),
        alt.Tooltip("rss_peak_mib:Q", title="peak (MiB)", format=".4~g"),
        alt.Tooltip("rss_peak_lo_mib:Q", title="from (MiB)", format=".4~g"),
        alt.Tooltip("rss_peak_hi_mib:Q", title="to (MiB)", format=".4~g"),
        alt.Tooltip("rss_load_mib:Q", title="loaded (MiB)", format=".4~g"),
        alt.Tooltip("rss_baseline_mib:Q", title="runtime (MiB)", format=".4~g"),
        alt.Tooltip("model_size_mib:Q", title="model file (MiB)", format=".4~g"),
        alt.Tooltip("verdict:N"),
        alt.Tooltip("device:N"),
    ]
