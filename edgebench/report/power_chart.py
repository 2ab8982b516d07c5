"""The chart of energy per inference: a plain function from a frame to Altair."""

from __future__ import annotations

from typing import Any

import pandas as pd

from edgebench.errors import UsageError
from edgebench.report import charts
from edgebench.report.charts import PALETTE
from edgebench.report.table import clean

try:
    import altair as alt
except ImportError:
    raise UsageError("charts need altair", remedy="pip install 'edgebench[report]'") from None

_WIDTH_PX, _ROW_PX = 480, 22
_KINDS = {"gross": "circle", "net": "diamond"}
_FIELDS = (
    *("cell", "backend", "power_tier", "power_source", "power_w", "power_idle_w", "validity"),
    *(f"energy_{kind}{end}_mj" for kind in _KINDS for end in ("", "_lo", "_hi")),
)


def energy(frame: pd.DataFrame) -> alt.VConcatChart:
    """Energy per inference of each cell with its 95 % interval, from 0 on.

    Args:
        frame: As `edgebench.load` gives it; cells without energy are left out.

    Returns:
        A panel a question and tier, for tiers are not to be compared; a row a cell, the most
        frugal first; a filled circle is gross, a hollow diamond net of idle, colour the backend.
    """
    cells = measured(frame)
    backends = sorted({clean(str(name)) for name in cells["backend"]})
    colours = [PALETTE[index % len(PALETTE)] for index in range(len(backends))]
    colour = alt.Color(
        "backend:N", scale=alt.Scale(domain=backends, range=colours), title="backend"
    )
    panels = [
        _panel(mine, colour).properties(
            title=clean(f"{question}: {tier}"), width=_WIDTH_PX, height=alt.Step(_ROW_PX)
        )
        for (question, tier), mine in cells.groupby(
            ["question", "power_tier"], sort=False, observed=True
        )
    ]
    chart: alt.VConcatChart = alt.vconcat(
        *panels, title="Energy per inference with its 95 % interval"
    ).resolve_scale(x="independent", y="independent", color="shared", shape="shared")
    return chart


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells with a measured energy, with their short names and questions."""
    cells = charts.measured(frame)
    return cells[cells["energy_gross_mj"].notna()]


def _panel(cells: pd.DataFrame, colour: alt.Color) -> alt.LayerChart | alt.FacetChart:
    order = list(cells.sort_values("energy_gross_mj")["cell"].map(lambda name: clean(str(name))))
    axis = alt.Axis(grid=True, ticks=False, domain=False)
    rows = alt.Y("cell:N", title=None, sort=order, axis=axis)
    scale = alt.Scale(domain=list(_KINDS), range=list(_KINDS.values()))
    layers: list[alt.Chart] = []
    for kind in _KINDS:
        name = f"energy_{kind}"
        some = cells.dropna(subset=[f"{name}_mj"])
        values = [{**one, "kind": kind} for one in charts.records(some, _FIELDS)]
        shared: dict[str, Any] = {"y": rows, "color": colour, "tooltip": _tooltip()}
        x = alt.X(f"{name}_mj:Q", title="mJ per inference", scale=alt.Scale(zero=True))
        low = alt.X(f"{name}_lo_mj:Q", title="mJ per inference", scale=alt.Scale(zero=True))
        known = [one for one in values if f"{name}_lo_mj" in one]
        bars = alt.Chart(alt.InlineData(values=known)).mark_errorbar(ticks={"size": 10})
        layers.append(bars.encode(low, alt.X2(f"{name}_hi_mj"), **shared))
        points = alt.Chart(alt.InlineData(values=values)).mark_point(
            size=60, filled=kind == "gross", opacity=1
        )
        shape = alt.Shape("kind:N", scale=scale, title="energy")
        layers.append(points.encode(x, shape, **shared))
    return alt.layer(*layers)


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
    return [alt.Tooltip("cell:N"), *words, *figures, alt.Tooltip("validity:N")]
