"""What minutes on end leave of a cell's first speed."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edgebench.report.charts import base, panel
from edgebench.report.charts.base import WIDTH_PX, Panels
from edgebench.report.charts.panel import Layer
from edgebench.units import NS_PER_MS

CURVES = "curves"
"""The set of data that this chart draws: a record a cell, with lists of what each bin has."""
BINS = 51
"""Of a cell's minutes at most."""
_IN_A_BIN = 5
"""Latencies of each launch at least, or there are fewer bins."""
_HEIGHT_PX, MOST = 150, 12
_EVERY = 8
"""A point on every so many bins."""
_S_PER_MIN = 60.0
_FIGURES = {
    "speed": "speed, % of the first minute",
    "p50_ms": "median latency (ms)",
    "degc": "hottest sensor (degC)",
    "mhz": "fastest clock (MHz)",
}
_TIMED = "(datum.figure === 'speed' || datum.figure === 'p50_ms')"
_LEAST = "extent(datum.values)[0]"
_CURVE = ("bin_minute", "p50_ms", "low_ms", "high_ms", "degc", "mhz", "throttle_minute")
_TOLD = ("burst_p50_ms", "sustained_p50_ms", "burst_sustained_ratio")
_FIELDS = (*base.IDENTITY, "verdict", *_TOLD, *_CURVE)


def sustained(
    samples: pd.DataFrame, frame: pd.DataFrame, looks: pd.DataFrame | None = None
) -> Panels:
    """Speed, latency, temperature and clock over the minutes of scenario sustained.

    Drawn from `curves`, never from raw samples.

    Args:
        samples: As `edgebench.load_samples` gives it.
        frame: As `edgebench.load` gives it: only its cells are drawn.
        looks: As `edgebench.load_looks` gives them; None leaves temperature and clock out.

    Returns:
        Up to four panels a question, 12 in all: speed relative to the first minute, latency,
        temperature and clock; a line a cell, 12 at most; colour and shape are the device, dashes
        the backend. Thick strokes are the medians of the first minute and of the last third, an
        arrow the moment at which something began to slow the device down.
    """
    found = curves(samples, frame, looks)
    layers: list[Layer] = [_floor(), *_levels(found), _lines(found), _slowed(found)]
    whole = alt.layer(*layers, data=alt.NamedData(name=CURVES))
    whole = whole.properties(width=WIDTH_PX, height=_HEIGHT_PX)
    first = alt.SortField("row", order="ascending")
    whole = (
        whole.transform_window(place="row_number()", groupby=["question"], sort=[first])
        .transform_filter(f"datum.place <= {MOST}")
        .transform_calculate(speed="isValid(datum.burst_p50_ms) ? datum.p50_ms : null")
        .transform_fold(list(_FIGURES), as_=["figure", "values"])
    )
    chart = panel.by(
        whole,
        needs="isValid(datum.values)",
        named=f"({_FIGURES})[datum.figure] + ': ' + datum.question",
        at=f"datum.question_at * {len(_FIGURES)} + indexof({list(_FIGURES)}, datum.figure)",
    ).properties(title="Speed and heat over minutes on end")
    return base.holding(chart, **{CURVES: base.records(found, _FIELDS)})


def curves(
    samples: pd.DataFrame, frame: pd.DataFrame, looks: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Each sustained cell over its minutes, in bins of equal length.

    Args:
        samples: As `edgebench.load_samples` gives it.
        frame: As `edgebench.load` gives it: only its cells are kept.
        looks: As `edgebench.load_looks` gives them.

    Returns:
        What `edgebench.report.charts.base.prepared` has of each cell whose inferences have a known
        time, with columns bin_minute (a bin's length), throttle_minute, and lists with an item a
        bin, `BINS` at most: p50_ms (geometric mean of the launches' medians), low_ms and high_ms
        (of the launches, where there are several), degc (the hottest) and mhz (the median of the
        fastest clock). An item is None where a launch has nothing, a list where nobody looked.
    """
    cells = base.prepared(frame)
    keys = ["run_id", "case_id"]
    known = samples[samples["second"].notna()]
    timed = dict(iter(known.groupby(keys, observed=True, sort=False)))
    seen: dict[Any, pd.DataFrame] = {}
    if looks is not None:
        measured = looks[(looks["stage"] == "measure") & (looks["second"] >= 0)]
        seen = dict(iter(measured.groupby(keys, observed=True, sort=False)))
    # As an array of truths: of no cells an empty list would take no columns instead of no rows.
    has = [(row.run_id, row.case_id) in timed for row in cells.itertuples()]
    told = cells[np.array(has, dtype=bool)]
    rows = []
    for row in told.itertuples():
        key = (row.run_id, row.case_id)
        rows.append(_curve(timed[key], seen.get(key)) | {"row": row.row})
    found = pd.DataFrame(rows, columns=["row", *_CURVE[:-1]]).astype(
        dict.fromkeys(_CURVE[1:-1], object)
    )
    told = told.assign(throttle_minute=told["sustained_throttle_s"] / _S_PER_MIN)
    return told.merge(found.dropna(subset=["bin_minute"]), on="row")


def _curve(samples: pd.DataFrame, looks: pd.DataFrame | None) -> dict[str, Any]:
    """The lists of a cell; empty where its launches are too short for two bins."""
    launches = [mine for _, mine in samples.groupby("launch")]
    bins = min(BINS, min(map(len, launches)) // _IN_A_BIN)
    if bins < 2:  # noqa: PLR2004 - a point is no curve
        return {}
    length_s = float(samples["second"].max())
    edges = np.linspace(0, length_s, bins + 1)
    medians = np.array([_binned(mine, "latency_ns", edges, np.median) for mine in launches])
    medians /= NS_PER_MS
    curve: dict[str, Any] = {"bin_minute": length_s / bins / _S_PER_MIN}
    curve["p50_ms"] = _list(np.exp(np.mean(np.log(medians), axis=0)))
    if len(launches) > 1:
        curve |= {"low_ms": _list(medians.min(axis=0)), "high_ms": _list(medians.max(axis=0))}
    if looks is not None:
        degc = _binned(looks.dropna(subset=["hottest_degc"]), "hottest_degc", edges, np.max)
        mhz = _binned(looks.dropna(subset=["fastest_mhz"]), "fastest_mhz", edges, np.median)
        curve |= {"degc": _list(degc), "mhz": _list(mhz)}
    return curve


def _binned(
    mine: pd.DataFrame,
    column: str,
    edges: NDArray[np.float64],
    told: Any,  # noqa: ANN401
) -> NDArray[np.float64]:
    """A figure of each bin; NaN where there is nothing."""
    bins = len(edges) - 1
    at = np.minimum(np.searchsorted(edges, mine["second"], side="right") - 1, bins - 1)
    values = mine[column].to_numpy(np.float64)
    parts = (values[at == place] for place in range(bins))
    return np.array([told(part) if len(part) else np.nan for part in parts])


def _list(values: NDArray[np.float64]) -> list[float | None] | None:
    """As data has it; None where there is nothing at all."""
    known = [None if np.isnan(value) else float(value) for value in values]
    return known if any(value is not None for value in known) else None


def _y(field: str = "shown") -> alt.Y:
    return alt.Y(f"{field}:Q", title=None, scale=alt.Scale(zero=False))


def _x(field: str = "minute") -> alt.X:
    return alt.X(f"{field}:Q", title="minutes of measuring")


def _as_shown(ms: str) -> str:
    """A Vega expression: a latency as its panel shows it."""
    return f"datum.figure === 'speed' ? 100 * datum.burst_p50_ms / {ms} : {ms}"


def _floor() -> alt.Chart:
    """Nothing to be seen: the axes of speed and latency begin at 0, those of heat need not."""
    shown = f"{_TIMED} ? 0 : {_LEAST}"
    nothing = alt.Chart().transform_calculate(shown=shown, minute="0")
    chart: alt.Chart = nothing.mark_point(opacity=0, tooltip=False).encode(_x(), _y())
    return chart


def _levels(found: pd.DataFrame) -> list[alt.Chart]:
    """The medians that the figures of the cell are made of, over the minutes they are of."""
    end = "datum.bin_minute * length(datum.values)"
    levels = {"burst_p50_ms": ("0", "1"), "sustained_p50_ms": (f"{end} * 2/3", end)}
    return [
        _only_where(f"{_TIMED} && isValid(datum.{name})", f"datum.{name}", 0.3)
        .transform_calculate(minute=first, until=last)
        .mark_rule(strokeWidth=7, strokeCap="round")
        .encode(_x(), _y(), alt.X2("until"), base.colour(found, "device"))
        for name, (first, last) in levels.items()
    ]


def _slowed(found: pd.DataFrame) -> alt.Chart:
    """The moment at which something began to slow the device down, on its line."""
    at = "floor(datum.throttle_minute / datum.bin_minute)"
    ms = f"datum.values[min({at}, length(datum.values) - 1)]"
    arrows = _only_where(f"{_TIMED} && isValid(datum.throttle_minute) && isValid({ms})", ms, 1)
    arrows = arrows.transform_calculate(minute="datum.known ? datum.throttle_minute : 0")
    arrows = arrows.mark_text(text="\u25bc", fontSize=13, dy=-12)
    chart: alt.Chart = arrows.encode(_x(), _y(), base.colour(found, "device"), tooltip=_tooltip())
    return chart


def _only_where(test: str, ms: str, opacity: float) -> alt.Chart:
    """A mark at a latency, elsewhere one that is not seen: an axis of no marks warns."""
    seen = alt.condition("datum.known", alt.value(opacity), alt.value(0))
    chart = alt.Chart().transform_calculate(known=test)
    chart = chart.transform_calculate(level=f"datum.known ? {ms} : {_LEAST}")
    shown: alt.Chart = chart.transform_calculate(shown=_as_shown("datum.level"))
    return shown.encode(opacity=seen)


def _lines(found: pd.DataFrame) -> Layer:
    """The curves, with the range of the launches, and points that tell what they are."""
    colour = base.colour(found, "device")
    dash, cell = base.dash(found), alt.Detail("row:N")
    ranges = alt.Chart().mark_area(opacity=0.15)
    lines = alt.Chart().mark_line(strokeWidth=1.8)
    points = alt.Chart().transform_filter(f"datum.nth % {_EVERY} === datum.some")
    shape = base.shape(found, "device")
    layers = alt.layer(
        ranges.encode(_x(), _y("low"), alt.Y2("high"), colour, cell),
        lines.encode(_x(), _y(), colour, dash, cell),
        points.mark_point(size=45, filled=True, opacity=1).encode(
            *(_x(), _y(), colour, shape), tooltip=_tooltip()
        ),
    )
    ends = {
        end: f"{_TIMED} && isValid(datum.{end}_ms) ? datum.{end}_ms : datum.values"
        for end in ("low", "high")
    }
    flat = layers.transform_calculate(nth="sequence(length(datum.values))", **ends)
    flat = flat.transform_flatten(["values", "nth", *ends], as_=["value", "nth", *ends])
    flat = flat.transform_filter("isValid(datum.value)").transform_calculate(
        minute="(datum.nth + 0.5) * datum.bin_minute",
        shown=_as_shown("datum.value"),
        **{end: _as_shown(f"datum.{end}") for end in ends},
    )
    first = flat.transform_joinaggregate(first="min(nth)", groupby=["row"])
    return first.transform_calculate(some=f"datum.first % {_EVERY}")


def _tooltip() -> list[alt.Tooltip]:
    return [
        *(alt.Tooltip("cell:N"), alt.Tooltip("device:N"), alt.Tooltip("backend:N")),
        alt.Tooltip("minute:Q", format=".1f"),
        alt.Tooltip("shown:Q", title="value", format=".4~g"),
        alt.Tooltip("burst_p50_ms:Q", title="first minute (ms)", format=".4~g"),
        alt.Tooltip("sustained_p50_ms:Q", title="last third (ms)", format=".4~g"),
        alt.Tooltip("burst_sustained_ratio:Q", title="speed kept", format=".1%"),
        alt.Tooltip("throttle_minute:Q", title="slowed down from (min)", format=".1f"),
        alt.Tooltip("verdict:N"),
    ]
