"""How charts look: on the page, in a notebook, and as a picture on a slide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

INK = "currentColor"
"""Follows the page's colour; pictures and notebooks replace it."""
PAPER, SCREEN = ("#ffffff", "#1b1f24"), ("#14171b", "#e6e9ed")
"""Background and ink: the page's own, light and dark."""
_BRIGHTER = 1.45
"""Of the data's colours on a dark screen, as on the page."""
_COLOUR = re.compile("#[0-9A-Fa-f]{6}")
LOOK: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": INK, "strokeOpacity": 0.2},
    "title": {
        "color": INK,
        "subtitleColor": INK,
        "subtitleFontSize": 11,
        "anchor": "start",
        "fontSize": 14,
    },
    "header": {"labelColor": INK, "labelFontSize": 13, "titleColor": INK},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "domainColor": INK,
        "tickColor": INK,
        "gridColor": INK,
        "gridOpacity": 0.12,
        "titleFontWeight": "normal",
    },
    "axisY": {"labelLimit": 260},
    "padding": 0,
    "legend": {
        "orient": "top",
        "columns": 6,
        "symbolLimit": 0,
        "labelColor": INK,
        "titleColor": INK,
        "symbolBaseStrokeColor": INK,
        "symbolBaseFillColor": INK,
    },
}
"""A configuration of Vega-Lite in which every colour that is not data's is the ink's."""


def styled(chart: Any, *, dark: bool = False) -> Any:  # noqa: ANN401 - any chart, and the same back
    """The chart as the report's page has it; other charts of a notebook stay as they are.

    Args:
        chart: Any chart of `edgebench.report.charts`; it is left as it was.
        dark: For a dark screen.
    """
    told = chart.to_dict(validate=False)
    sets = told.pop("datasets", {})  # names in the data are no colours, whatever they are
    told = inked(brighter(told) if dark else told, _ink(dark=dark)) | {"config": look(dark=dark)}
    made = type(chart).from_dict(told, validate=False)
    made.datasets = sets
    return made


def _ink(*, dark: bool) -> str:
    return (SCREEN if dark else PAPER)[1]


def look(*, dark: bool = False) -> dict[str, Any]:
    """`LOOK` where no page gives it its colours."""
    made: dict[str, Any] = inked(LOOK, _ink(dark=dark))
    return made | {"background": (SCREEN if dark else PAPER)[0], "padding": 16}


def inked(part: Any, ink: str) -> Any:  # noqa: ANN401 - JSON
    """A chart or a configuration with the ink in this colour, where no page gives it one."""
    if isinstance(part, Mapping):
        return {name: inked(value, ink) for name, value in part.items()}
    if isinstance(part, list):
        return [inked(value, ink) for value in part]
    return ink if part == INK else part


def brighter(part: Any) -> Any:  # noqa: ANN401 - JSON
    """A chart with the data's colours for a dark screen."""
    if isinstance(part, Mapping):
        return {name: brighter(value) for name, value in part.items()}
    if isinstance(part, list):
        return [brighter(value) for value in part]
    if not isinstance(part, str) or not _COLOUR.fullmatch(part):
        return part
    parts = (min(255, round(one * _BRIGHTER)) for one in bytes.fromhex(part[1:]))
    return f"#{bytes(parts).hex()}"
