"""Temperature and clock over the time of each run."""

from __future__ import annotations

import altair as alt
import pandas as pd

from edgebench.report.charts import base, panel
from edgebench.report.charts.base import PALETTE, WIDTH_PX, Panels

MOMENTS = "moments"
"""The set of data that this chart draws: a record a look."""
_HEIGHT_PX = 130
_POINTS, _POINTS_IN_ALL = 600, 3600
"""Of a run at most (a point each pixel of the chart), and of all runs."""
_FIGURES = {"degc": "hottest sensor (degC)", "mhz": "fastest clock (MHz)"}
_HELD = "slowed down"
_STATES = {"free": PALETTE[0], _HELD: PALETTE[1]}
_FIELDS = ("row", "run", "cell", "minute", *_FIGURES, "held")


def heat(looks: pd.DataFrame, frame: pd.DataFrame) -> Panels:
    """Temperature and clock over the time of each run.

    Args:
        looks: As `edgebench.load_looks` gives them.
        frame: As `edgebench.load` gives it: only its cells are drawn.

    Returns:
        Two panels a run, temperature and clock, where each was read, 12 at most; moments at which
        something slowed the device down have another colour and shape.
    """
    values = alt.Chart().mark_point(size=28, filled=True, opacity=1)
    states, colours = list(_STATES), list(_STATES.values())
    shapes = alt.Scale(domain=states, range=["circle", "triangle-up"])
    marks = values.encode(
        alt.X("minute:Q", title="minutes since the run's start", scale=alt.Scale(zero=True)),
        alt.Y("value:Q", title=None, scale=alt.Scale(zero=False, padding=8)),
        alt.Color("state:N", scale=alt.Scale(domain=states, range=colours), title="the device is"),
        alt.Shape("state:N", scale=shapes, title="the device is"),
        tooltip=[
            alt.Tooltip("cell:N"),
            alt.Tooltip("minute:Q", format=".2f"),
            alt.Tooltip("degc:Q", title="degC", format=".1f"),
            alt.Tooltip("mhz:Q", title="MHz", format=".0f"),
            alt.Tooltip("held:N", title="slowed by"),
        ],
    )
    whole = alt.layer(marks, data=alt.NamedData(name=MOMENTS))
    whole = whole.properties(width=WIDTH_PX, height=_HEIGHT_PX)
    whole = whole.transform_calculate(
        state=f"datum.held ? '{_HELD}' : 'free'", **{name: f"datum.{name}" for name in _FIGURES}
    ).transform_fold(list(_FIGURES), as_=["figure", "value"])
    chart = panel.by(
        whole,
        needs="isValid(datum.value)",
        named=f"({_FIGURES})[datum.figure] + ': ' + datum.run",
        at="2*datum.row + (datum.figure === 'mhz')",
    ).properties(title="Temperature and clock over the launches")
    return base.holding(chart, **{MOMENTS: base.records(moments(looks, frame), _FIELDS)})


def moments(looks: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The looks at which a temperature or a clock was read, thinned out evenly in each run.

    Args:
        looks: As `edgebench.load_looks` gives them.
        frame: As `edgebench.load` gives it: only its cells are kept.

    Returns:
        Columns row, run (its device and name), cell, minute, degc, mhz and held: what slowed the
        device down. The first moment of each cell at which something did is always kept.
    """
    cells = base.prepared(frame)[["row", "run_id", "case_id", "device", "workload", "cell"]]
    keys = ["run_id", "case_id"]
    read = looks[looks["hottest_degc"].notna() | looks["fastest_mhz"].notna()]
    found = read.astype(dict.fromkeys(keys, object)).merge(
        cells.astype(dict.fromkeys(keys, object)), on=keys
    )
    found = found.rename(
        columns={"hottest_degc": "degc", "fastest_mhz": "mhz", "slowed_by": "held"}
    ).astype({"held": object})
    found["run"] = found["device"].astype(str) + ", run " + found["run_id"].astype(str)
    found["cell"] = found["workload"].astype(str) + "/" + found["cell"].astype(str)
    most = max(1, min(_POINTS, _POINTS_IN_ALL // max(1, found["run_id"].nunique())))
    by_run = found.groupby("run_id", sort=False)
    step = -(-by_run["minute"].transform("size") // most)
    first = found["held"].notna() & ~found[found["held"].notna()].duplicated("row").reindex(
        found.index, fill_value=True
    )
    found = found[(by_run.cumcount() % step == 0) | first]
    return found.round({"minute": 3, "degc": 1, "mhz": 1})
