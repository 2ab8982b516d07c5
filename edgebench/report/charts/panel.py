"""Panels of more than a question each: of a tier too, of a device, or of a figure."""

from __future__ import annotations

from typing import Any, TypeAlias

import altair as alt

from edgebench.report.charts import base
from edgebench.report.charts.base import Panels

_AT = "indexof(datum.label, ': ')"
_LINES = f"{_AT} > 0 ? [slice(datum.label, 0, {_AT}), slice(datum.label, {_AT} + 2)] : datum.label"
WIDTH = "child_width"
"""Of a panel in pixels, in expressions: the page gives panels the room that it has."""
Layer: TypeAlias = "alt.Chart | alt.LayerChart | alt.FacetChart"
"""What Altair says that transforms give back."""


def by(
    layers: Layer,
    *,
    named: str,
    at: str,
    needs: str = "true",
    most: int = base.PANELS,
) -> Panels:
    """Panels below one another, each with axes of its own.

    Args:
        layers: Marks over one set of data, with the size of a panel.
        named: A Vega expression: what stands over a record's panel; one name is one panel. What
            follows its first colon is a line of its own: a phone has no room for both.
        at: A Vega expression: panels are sorted by it.
        needs: A Vega expression: records for which it does not hold are left out.
        most: Panels at most.
    """
    rows = base.question_rows().copy()
    rows["shorthand"] = "panel:N"
    header = rows["header"].copy()
    header["labelExpr"] = _LINES
    rows["header"] = header
    rows["sort"] = alt.EncodingSortField("panel_at", op="min")
    # Of the whole, not of a panel: within one, every panel would be the first.
    before = layers.transform
    inner: Any = layers.copy(deep=False)
    inner.transform = alt.Undefined
    chart = inner.facet(row=rows)
    chart.transform = before
    made: Panels = (
        chart.transform_filter(needs)
        .transform_calculate(panel=named, panel_at=at)
        .transform_joinaggregate(panel_at="min(panel_at)", groupby=["panel"])
        .transform_window(panel_place="dense_rank()", groupby=[], sort=[alt.SortField("panel_at")])
        .transform_filter(f"datum.panel_place <= {most}")
        .resolve_scale(x="independent", y="independent")
    )
    return made
