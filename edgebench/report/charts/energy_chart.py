"""What an inference costs in energy."""

from __future__ import annotations

import altair as alt
import pandas as pd

from edgebench.metering import TIERS
from edgebench.report.charts import base, panel
from edgebench.report.charts.base import CELLS, ROW_PX, WIDTH_PX, Panels

_HOLLOW_DIAMOND = "M0,-1L1,0L0,1L-1,0ZM0,-.55L-.55,0L0,.55L.55,0Z"
"""A shape and not an unfilled mark: a legend fills all of its symbols or none."""
_KINDS = {"gross": "circle", "net": _HOLLOW_DIAMOND}
_ENDS = tuple(f"energy_{kind}{end}_mj" for kind in _KINDS for end in ("", "_lo", "_hi"))
_FIELDS = (
    *(*base.IDENTITY, "verdict", "comparable"),
    *("power_tier", "power_excludes", "power_source", "power_w", "power_idle_w", *_ENDS),
)
_TITLE = "mJ per inference"


def energy(frame: pd.DataFrame) -> Panels:
    """Energy per inference of each cell with its 95 % interval, from 0 on.

    Args:
        frame: As `edgebench.load` gives it; cells without energy are left out.

    Returns:
        A panel a question, tier and what its meters leave out, for those are not to be compared;
        a row a cell, the most frugal first, 40 at most; a filled circle is gross, a hollow diamond
        net of idle, colour the backend.
    """
    cells = base.prepared(frame)
    y, colour = base.cells_axis("energy_gross_mj"), base.colour(cells)
    layers: list[alt.Chart] = []
    for kind in _KINDS:
        low = alt.X(f"energy_{kind}_lo_mj:Q", title=_TITLE, scale=alt.Scale(zero=True))
        layers += base.interval(low, f"energy_{kind}_hi_mj", y, colour)
    layers.append(_points(y, colour))
    whole = alt.layer(*layers, data=base.of_cells())
    whole = whole.properties(width=WIDTH_PX, height=alt.Step(ROW_PX))
    asked = ["question", "power_tier", "power_excludes"]
    first = alt.SortField("energy_gross_mj", order="ascending")
    whole = (
        whole.transform_filter("isValid(datum.energy_gross_mj) && datum.comparable")
        .transform_window(place="row_number()", groupby=asked, sort=[first])
        .transform_filter(base.first_rows())
    )
    chart = panel.by(
        whole,
        named="datum.power_tier"
        " + (datum.power_excludes ? ' without ' + replace(datum.power_excludes, /:/g, '') : '')"
        " + ': ' + datum.question",
        at=f"datum.question_at * {len(TIERS)} + indexof({list(TIERS)}, datum.power_tier)",
    ).properties(title="Energy per inference with its 95 % interval")
    chart = base.limited(chart, by=asked)
    return base.holding(chart, **{CELLS: base.records(cells, _FIELDS)})


def _points(y: alt.Y, colour: alt.Color) -> alt.Chart:
    kinds, shapes = list(_KINDS), list(_KINDS.values())
    points = alt.Chart().mark_point(size=90, opacity=1, filled=True)
    points = points.transform_fold([f"energy_{kind}_mj" for kind in kinds], as_=["column", "mj"])
    points = points.transform_filter("isValid(datum.mj)")
    points = points.transform_calculate(kind="slice(datum.column, 7, -3)")
    chart: alt.Chart = points.encode(
        alt.X("mj:Q", title=_TITLE, scale=alt.Scale(zero=True)),
        *(y, colour),
        alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=shapes), title="energy"),
        tooltip=_tooltip(),
    )
    return chart


def _tooltip() -> list[alt.Tooltip]:
    figures = [
        alt.Tooltip(f"{name}:Q", title=words, format=".4~g")
        for name, words in (
            ("energy_gross_mj", "gross (mJ)"),
            ("energy_net_mj", "net of idle (mJ)"),
            ("power_w", "power (W)"),
            ("power_idle_w", "idle (W)"),
        )
    ]
    words = [alt.Tooltip("power_tier:N", title="tier"), alt.Tooltip("power_source:N", title="by")]
    return [alt.Tooltip("cell:N"), *words, *figures, alt.Tooltip("verdict:N")]
