"""How fast each cell is, and how its latencies are spread."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from edgebench.report.charts import axes, base
from edgebench.report.charts.base import CELLS, Panels
from edgebench.report.labels import labels
from edgebench.units import NS_PER_MS

PERCENTS = (*range(1, 50, 2), 50, *range(51, 100, 2))
"""Levels that a distribution is drawn from: the middle of every 2 % of the inferences, and 50."""
_DRAWN = "isValid(datum.latency_p50_ms) && datum.latency_p50_ms > 0 && datum.comparable"
_LATENCY = (
    *base.IDENTITY,
    *("effective_precision", "fallback", "verdict", "comparable", "latency_p50_ms"),
    *(
        "latency_p50_lo_ms",
        "latency_p50_hi_ms",
        "latency_p99_ms",
        "latency_p99_lo_ms",
        "latency_p99_hi_ms",
    ),
)
_KEYS = ("run_id", "case_id", "workload", "backend", "precision")
_QUANTILES = ("samples", "latency_p50_ms", "latency_min_ms", "latency_max_ms", "quantile_ms")
_SPREAD = (
    *(*base.IDENTITY, "verdict", "comparable", "latency_p50_ms", "samples", "quantile_ms"),
    "latency_max_ms",
)
_PALE = 0.45
_DRAWN_DIGITS = 4
"""Of quantiles: they are half of a page's data, and no screen shows a tick's place more exactly."""
_SPREAD_PANELS, SPREAD_ROWS = 6, 24
"""Each row has 51 ticks."""


def latency(frame: pd.DataFrame) -> Panels:
    """Median and 99th percentile of each cell's latency with their 95 % intervals.

    Args:
        frame: As `edgebench.load` gives it.

    Returns:
        A panel a question (a workload, and what else was asked) with a logarithmic axis; a row a
        cell, fastest first, 40 at most; colour is the backend, shape the precision, and a hollow
        point is a cell that is suspect, invalid or imported, or ran otherwise than asked. A pale
        line beside it is the p99, where there were inferences enough.
    """
    cells = base.prepared(frame)
    y, colour = base.cells_axis("latency_p50_ms"), base.colour(cells)
    tips = _latency_tooltip()
    title = "latency (ms)"
    low, middle = (axes.log_x(name, title) for name in ("latency_p50_lo_ms", "latency_p50_ms"))
    shape = base.shape(cells, "precision")
    layers = [
        *_tail(title, y, colour, tips),
        *base.interval(low, "latency_p50_hi_ms", y, colour),
        *base.points(middle, y, colour, shape, tooltip=tips),
    ]
    chart = base.panels(
        layers,
        needs=_DRAWN,
        order="latency_p50_ms",
        title="Median and p99 latency, 95 % intervals",
    )
    chart = base.noted(chart, cells[cells["latency_p50_ms"].notna()])
    return base.holding(chart, **{CELLS: base.records(cells, _LATENCY)})


def _tail(title: str, y: alt.Y, colour: alt.Color, tips: list[alt.Tooltip]) -> list[alt.Chart]:
    """The p99, paler and thinner than the median: a line across, and its interval."""
    low, middle = (axes.log_x(name, title) for name in ("latency_p99_lo_ms", "latency_p99_ms"))
    line = alt.Chart().mark_rule(strokeWidth=3, opacity=_PALE, strokeCap="butt")
    across = alt.Chart().mark_tick(orient="vertical", size=14, thickness=2, opacity=_PALE)
    return [
        line.encode(low, alt.X2("latency_p99_hi_ms"), y, colour),
        across.encode(middle, y, colour, tooltip=tips),
    ]


def distributions(samples: pd.DataFrame, frame: pd.DataFrame | None = None) -> Panels:
    """How the latencies of each cell are spread, on a logarithmic axis.

    Drawn from `quantiles`, never from raw samples, so a chart of millions of inferences is small.

    Args:
        samples: As `edgebench.load_samples` gives it, or their `quantiles`.
        frame: As `edgebench.load` gives it: only its cells are drawn, and its device, threads and
            batch tell cells apart that share backend and precision.

    Returns:
        A panel a question (a workload, and what else was asked), 6 at most; a row a cell, fastest
        first, 24 at most; a tick for every 2 % of the inferences and a long one at the median;
        colour is the backend.
    """
    found = quantiles(samples, frame)
    y, colour = base.cells_axis("latency_p50_ms"), base.colour(found)
    middle = "datum.percent === 50"
    ticks = alt.Chart().mark_tick(thickness=1)
    ticks = ticks.transform_calculate(percent=str(list(PERCENTS)))
    ticks = ticks.transform_flatten(["percent", "quantile_ms"])
    ticks = ticks.transform_filter("datum.quantile_ms > 0").encode(
        axes.log_x("quantile_ms", "latency (ms)"),
        *(y, colour),
        size=alt.condition(middle, alt.value(17), alt.value(9)),
        opacity=alt.condition(middle, alt.value(1), alt.value(0.8)),
        tooltip=_spread_tooltip(),
    )
    chart = base.panels(
        [ticks],
        needs=f"{_DRAWN} && isValid(datum.quantile_ms)",
        order="latency_p50_ms",
        title="Latencies, a tick for every 2 %",
        rows=SPREAD_ROWS,
        most=_SPREAD_PANELS,
    )
    ticks_ms = found["quantile_ms"].map(_rounded)
    drawn = base.records(found.assign(quantile_ms=ticks_ms), _SPREAD)
    return base.holding(chart, **{CELLS: drawn})


def _rounded(values: list[float]) -> list[float]:
    return [float(f"{value:.{_DRAWN_DIGITS}g}") for value in values]


def quantiles(samples: pd.DataFrame, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each cell's latencies as nearest-rank quantiles, and their extremes.

    Args:
        samples: As `edgebench.load_samples` gives it, or what this function made of it for all
            cells, so that the samples need not be kept.
        frame: Cells to keep, as `edgebench.load` gives them; all where None.

    Returns:
        What `edgebench.report.charts.base.prepared` has of each cell that has samples, with
        columns samples, latency_min_ms, latency_max_ms and quantile_ms: a list with a number for
        each of `PERCENTS`.
    """
    result = samples if "quantile_ms" in samples.columns else _of_samples(samples)
    if frame is None:
        return result if "question" in result.columns else _alone(result)
    # The frame's median (over launches) orders the cells as in the other chart.
    told = ["run_id", "case_id", "latency_p50_ms", "verdict", "comparable"]
    cells = base.prepared(frame)[list(dict.fromkeys((*told, *base.IDENTITY)))]
    cells = cells.astype({"run_id": object, "case_id": object})
    result = result[[*_KEYS[:2], *_QUANTILES]].drop(columns="latency_p50_ms")
    result = result.astype({"run_id": object, "case_id": object})
    return result.merge(cells, on=["run_id", "case_id"])


def _of_samples(samples: pd.DataFrame) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for key, values in samples.groupby(list(_KEYS), observed=True, sort=False)["latency_ns"]:
        ms = values.to_numpy(np.float64) / NS_PER_MS
        found = np.quantile(ms, np.array(PERCENTS) / 100, method="inverted_cdf").tolist()
        middle = found[PERCENTS.index(50)]
        rows.append((*key, len(ms), middle, float(ms.min()), float(ms.max()), found))
    return pd.DataFrame(rows, columns=[*_KEYS, *_QUANTILES])


def _alone(found: pd.DataFrame) -> pd.DataFrame:
    """Samples without a frame tell nothing of devices, nor what was asked."""
    asked = found["workload"].astype(object)
    return found.assign(
        row=range(len(found)),
        cell=labels(found.to_dict("records")),
        question=asked,
        question_at=pd.factorize(asked)[0],
        device=None,
        verdict=None,
        comparable=True,
    )


def _spread_tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("cell:N"),
        alt.Tooltip("quantile_ms:Q", title="latency (ms)", format=".4~g"),
        alt.Tooltip("percent:Q", title="quantile (%)"),
        alt.Tooltip("samples:Q", title="inferences", format=","),
    ]


def _latency_tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("cell:N"),
        alt.Tooltip("latency_p50_ms:Q", title="median (ms)", format=".4~g"),
        alt.Tooltip("latency_p50_lo_ms:Q", title="from (ms)", format=".4~g"),
        alt.Tooltip("latency_p50_hi_ms:Q", title="to (ms)", format=".4~g"),
        alt.Tooltip("latency_p99_ms:Q", title="p99 (ms)", format=".4~g"),
        alt.Tooltip("latency_p99_lo_ms:Q", title="from (ms)", format=".4~g"),
        alt.Tooltip("latency_p99_hi_ms:Q", title="to (ms)", format=".4~g"),
        alt.Tooltip("effective_precision:N", title="ran as"),
        alt.Tooltip("verdict:N"),
        alt.Tooltip("device:N"),
    ]
