"""What each precision gains against fp32 of the same runtime on the same device."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from edgebench.report import speeds
from edgebench.report.charts import base, outcomes
from edgebench.report.charts.base import Panels
from edgebench.report.frame import plain_rows
from edgebench.report.speeds import Gain

PRECISIONS = "precisions"
"""The set of data: a record a cell that is not in fp32."""
_TITLES = ("times as fast as fp32", "against fp32")
_ROW_PX = 18
_NAMES = {"speed_ratio": "times as fast", "speed_lo_ratio": "from", "speed_hi_ratio": "to"}


def precisions(frame: pd.DataFrame) -> Panels:
    """How many times as fast as fp32 each cell is, on a logarithmic axis around 1.

    Args:
        frame: As `edgebench.load` gives it.

    Returns:
        A panel a device, a row a precision and backend, a point a cell (its workload is in the
        tooltip) with its 95 % interval; colour and shape are the outcome: what ran otherwise than
        asked or is invalid has a place, too, and is told apart.
    """
    cells = base.prepared(frame)
    rows = plain_rows(cells)
    gains = speeds.of_precisions(rows)
    identity = [
        {name: one.speed.cell[name] for name in (*base.IDENTITY, "verdict")} for one in gains
    ]
    told = [who | what for who, what in zip(identity, gain_records(gains), strict=True)]
    return base.holding(drawn(gains), **{PRECISIONS: told})


def drawn(gains: list[Gain]) -> Panels:
    """The chart, over the set `PRECISIONS`."""
    known = {one.outcome for one in gains if one.speed.ratio is not None}
    sort = alt.EncodingSortField("place", op="min")
    axis = alt.Axis(grid=True, ticks=False, domain=False)
    y = alt.Y("runtime:N", title=None, sort=sort, axis=axis)
    layers = outcomes.marks(y, _TITLES, known, _tips(), "x")
    whole = alt.layer(*layers, data=alt.NamedData(name=PRECISIONS))
    whole = whole.properties(width=base.WIDTH_PX, height=alt.Step(_ROW_PX))
    chart = whole.facet(row=alt.Row("device:N", title=None, header=base.header()))
    places: list[alt.SortField | dict[str, str]] = [
        alt.SortField("precision_at"),
        alt.SortField("backend"),
    ]
    chart = (
        chart.transform_filter("isValid(datum.speed_ratio)")
        .transform_calculate(
            runtime="datum.precision + ', ' + datum.backend",
            precision_at=f"indexof({list(speeds.WANTED)}, datum.precision)",
        )
        .transform_window(place="dense_rank()", groupby=[], sort=places)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")  # the page may show the first panels only
    )
    made: Panels = chart.properties(title="Times as fast as fp32, a mark a case")
    return made


def gain_records(gains: list[Gain]) -> list[dict[str, Any]]:
    """What is known of each, as JSON has it; what is not known is left out."""
    found = []
    for one in gains:
        record = {
            "row": one.speed.cell["row"],
            "speed_ratio": one.speed.ratio,
            "speed_lo_ratio": one.speed.low,
            "speed_hi_ratio": one.speed.high,
            "outcome": one.outcome,
            "worth": "yes" if one.worth else one.doubt,
            "ran": one.ran or None,
            "loss_ratio": one.loss_ratio,
            "loss_lo_ratio": one.loss_low,
            "loss_hi_ratio": one.loss_high,
            "saving_ratio": one.energy_ratio,
        }
        found.append({name: _short(v) for name, v in record.items() if v is not None})
    return found


def _short(value: Any) -> Any:  # noqa: ANN401 - JSON
    return float(f"{value:.4g}") if isinstance(value, float) else base.plain(value)


def _tips() -> list[alt.Tooltip]:
    figures = [alt.Tooltip(f"{name}:Q", title=t, format=".3~g") for name, t in _NAMES.items()]
    return [
        *(alt.Tooltip("workload:N"), alt.Tooltip("cell:N"), alt.Tooltip("outcome:N")),
        *figures,
        alt.Tooltip("loss_ratio:Q", title="accuracy lost", format=".2~%"),
        alt.Tooltip("saving_ratio:Q", title="energy, times that of fp32", format=".3~g"),
        *(alt.Tooltip("ran:N", title="ran as"), alt.Tooltip("worth:N", title="worth it")),
    ]
