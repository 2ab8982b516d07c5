"""Charts of results: plain functions from a frame to an Altair chart, for notebooks and reports.

>>> frame = edgebench.load("edgebench-results")
>>> charts.latency(frame)
>>> charts.distributions(edgebench.load_samples("edgebench-results"), frame)

Cells without figures (failed, skipped, not measured) are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from edgebench.analysis import questions
from edgebench.errors import UsageError
from edgebench.records import PRECISIONS
from edgebench.report import answers
from edgebench.report.columns import STAGES
from edgebench.report.labels import labels
from edgebench.report.table import clean
from edgebench.units import NS_PER_MS

try:
    import altair as alt
except ImportError:
    raise UsageError("charts need altair", remedy="pip install 'edgebench[report]'") from None

# Okabe & Ito (2008), "Color Universal Design", without black and yellow: each must be seen on
# white paper and on a dark screen.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
_BROWN = "#8C564B"
_STAGE_COLOURS = dict(zip(STAGES, (*PALETTE[:2], _BROWN, *PALETTE[2:]), strict=True))
PERCENTS = (*range(1, 50, 2), 50, *range(51, 100, 2))
"""Levels that a distribution is drawn from: the middle of every 2 % of the inferences, and 50."""
_SHAPES: dict[str, str] = dict(
    zip(PRECISIONS, ("circle", "square", "triangle-up", "diamond", "cross"), strict=True)
)
_ROW_PX = 22
_WIDTH_PX = 480
_DIGITS = 6
_LATENCY = (
    *("cell", "backend", "precision", "effective_precision", "device", "validity"),
    *("latency_p50_ms", "latency_p50_lo_ms", "latency_p50_hi_ms", "latency_p99_ms"),
)
_Panel: TypeAlias = "alt.LayerChart | alt.FacetChart"
_SPREAD = ("cell", "backend", "samples", "percent", "quantile_ms")


def latency(frame: pd.DataFrame) -> alt.VConcatChart:
    """Median latency of each cell with its 95 % interval, on a logarithmic axis.

    Args:
        frame: As `edgebench.load` gives it.

    Returns:
        A panel a question (a workload, and what else was asked); a row a cell, fastest first;
        colour is the backend, shape the precision, and a hollow point is a cell whose figures are
        suspect or invalid.
    """
    cells = measured(frame)
    precisions = _distinct(cells, "precision")
    shapes = alt.Scale(domain=precisions, range=[_SHAPES.get(p, "stroke") for p in precisions])
    colour = _colour(cells)

    def panel(mine: pd.DataFrame) -> _Panel:
        shared = {"y": _cells_axis(mine), "color": colour, "tooltip": _latency_tooltip()}
        title = "median latency (ms)"
        bars = _chart(mine, "latency_p50_lo_ms").mark_errorbar(ticks={"size": 10}, thickness=1.5)
        layers = [
            bars.encode(_ms("latency_p50_lo_ms", title), alt.X2("latency_p50_hi_ms"), **shared)
        ]
        shape = alt.Shape("precision:N", scale=shapes, title="precision")
        for valid, some in mine.groupby((mine["validity"] == "valid").fillna(value=False)):
            points = _chart(some, "latency_p50_ms").mark_point(
                size=60, filled=bool(valid), opacity=1
            )
            layers.append(points.encode(_ms("latency_p50_ms", title), shape, **shared))
        return alt.layer(*layers)

    return _panels(cells, panel, "Median latency with its 95 % interval")


def distributions(samples: pd.DataFrame, frame: pd.DataFrame | None = None) -> alt.VConcatChart:
    """How the latencies of each cell are spread, on a logarithmic axis.

    Drawn from `quantiles`, never from raw samples, so a chart of millions of inferences is small.

    Args:
        samples: As `edgebench.load_samples` gives it.
        frame: As `edgebench.load` gives it: only its cells are drawn, and its device, threads and
            batch tell cells apart that share backend and precision.

    Returns:
        A panel a question (a workload, and what else was asked); a row a cell, fastest first; a
        tick for every 2 % of the inferences and a long one at the median; colour is the backend.
    """
    found = quantiles(samples, frame)
    # Lists, spread out by the browser: a seventh of the size of a row a quantile.
    found["percent"] = [list(PERCENTS)] * len(found)
    colour = _colour(found)

    def panel(mine: pd.DataFrame) -> _Panel:
        data = alt.InlineData(values=records(mine, _SPREAD))
        x = _ms("quantile_ms", "latency (ms)")
        ticks = alt.Chart().mark_tick(size=9, thickness=1, opacity=0.85)
        medians = alt.Chart().transform_filter("datum.percent === 50")
        medians = medians.mark_tick(size=17, thickness=2, opacity=1)
        layers = [
            marks.encode(x, _cells_axis(mine), colour, tooltip=_spread_tooltip())
            for marks in (ticks, medians)
        ]
        spread = alt.layer(*layers, data=data).transform_flatten(["percent", "quantile_ms"])
        return spread.transform_filter("datum.quantile_ms > 0")

    return _panels(found, panel, "Latencies, a tick for every 2 %")


def stages(frame: pd.DataFrame) -> alt.VConcatChart:
    """Where the time of an image goes: the medians of each stage of region e2e, end to end.

    Args:
        frame: As `edgebench.load` gives it; only cells of region e2e are drawn.

    Returns:
        A panel a question; a bar a cell, fastest first, with a part a stage in the order they run.
    """
    cells = measured(frame)
    names = [f"stage_{stage}_ms" for stage in STAGES]
    cells = cells[cells[names].notna().any(axis=1)]
    order = [stage for stage in STAGES if cells[f"stage_{stage}_ms"].notna().any()]
    colours = alt.Scale(domain=order, range=[_STAGE_COLOURS[stage] for stage in order])

    def panel(mine: pd.DataFrame) -> _Panel:
        parts = [
            {"cell": clean(str(row["cell"])), "pipeline": clean(str(row["pipeline"]))}
            | {"stage": stage, "place": place, "median_ms": _plain(float(median))}
            for row in mine.to_dict("records")
            for place, stage in enumerate(order)
            if not pd.isna(median := row[f"stage_{stage}_ms"])
        ]
        bars = alt.Chart(alt.InlineData(values=parts)).mark_bar(height={"band": 0.7})
        chart = bars.encode(
            alt.X("median_ms:Q", title="median of each stage (ms)", stack="zero"),
            _cells_axis(mine),
            alt.Color("stage:N", scale=colours, title="stage", sort=order),
            alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("cell:N"),
                alt.Tooltip("stage:N"),
                alt.Tooltip("median_ms:Q", title="median (ms)", format=".4~g"),
                alt.Tooltip("pipeline:N"),
            ],
        )
        return alt.layer(chart)

    return _panels(cells, panel, "From image file to answer, stage by stage")


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells whose median latency may be compared, with a short name in a column ``cell``.

    The column ``question`` has what they were asked: only cells of one question share a panel.
    Left out are cells that chose their load themselves (offline, a server that looks for its
    rate): their latencies are those of unlike loads.
    """
    whole = frame.astype(object).where(frame.notna(), None)
    rows = [{str(k): v for k, v in row.items()} for row in whole.to_dict("records")]
    cells = frame.assign(cell=labels(rows), question=questions.names(rows))
    comparable = np.array([answers.by_latency(row) for row in rows], dtype=bool)
    return cells[(cells["latency_p50_ms"] > 0) & comparable]


def quantiles(samples: pd.DataFrame, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each cell's latencies as nearest-rank quantiles, and their extremes.

    Args:
        samples: As `edgebench.load_samples` gives it.
        frame: Cells to keep, as `edgebench.load` gives them; all where None.

    Returns:
        Columns run_id, case_id, workload, backend, precision, cell, question, samples,
        latency_p50_ms, latency_min_ms, latency_max_ms and quantile_ms: a list with a number for
        each of `PERCENTS`.
    """
    keys = ["run_id", "case_id", "workload", "backend", "precision"]
    figures = ["samples", "latency_p50_ms", "latency_min_ms", "latency_max_ms", "quantile_ms"]
    rows: list[tuple[Any, ...]] = []
    for key, values in samples.groupby(keys, observed=True, sort=False)["latency_ns"]:
        ms = values.to_numpy(np.float64) / NS_PER_MS
        found = np.quantile(ms, np.array(PERCENTS) / 100, method="inverted_cdf").tolist()
        middle = found[PERCENTS.index(50)]
        rows.append((*key, len(ms), middle, float(ms.min()), float(ms.max()), found))
    result = pd.DataFrame(rows, columns=[*keys, *figures])
    if frame is None:
        result["cell"] = labels(result.to_dict("records"))
        result["question"] = result["workload"].astype(object)
        return result
    # The frame's median (over launches) orders the cells as in the other chart.
    cells = measured(frame)[["run_id", "case_id", "cell", "question", "latency_p50_ms"]]
    cells = cells.astype(dict.fromkeys(("run_id", "case_id", "cell", "question"), object))
    result = result.drop(columns="latency_p50_ms").astype({"run_id": object, "case_id": object})
    return result.merge(cells, on=["run_id", "case_id"])


def _panels(
    cells: pd.DataFrame, panel: Callable[[pd.DataFrame], _Panel], title: str
) -> alt.VConcatChart:
    """A panel a question, each with axes of its own: workloads differ by powers of ten."""
    panels = [
        panel(mine).properties(
            title=clean(str(question)), width=_WIDTH_PX, height=alt.Step(_ROW_PX)
        )
        for question, mine in cells.groupby("question", sort=False, observed=True)
    ]
    chart: alt.VConcatChart = alt.vconcat(*panels, title=title).resolve_scale(
        x="independent", y="independent", color="shared", shape="shared"
    )
    return chart


def _chart(cells: pd.DataFrame, needed: str) -> alt.Chart:
    """A chart of those cells that have a figure."""
    return alt.Chart(alt.InlineData(values=records(cells.dropna(subset=[needed]), _LATENCY)))


def _ms(column: str, title: str) -> alt.X:
    axis = alt.Axis(format="~g", tickCount=6, labelOverlap="greedy", labelSeparation=6)
    scale = alt.Scale(type="log", nice=False, padding=12)
    return alt.X(f"{column}:Q", scale=scale, axis=axis, title=title)


def _cells_axis(cells: pd.DataFrame) -> alt.Y:
    axis = alt.Axis(grid=True, ticks=False, domain=False)
    return alt.Y("cell:N", title=None, sort=_fastest_first(cells), axis=axis)


def _colour(cells: pd.DataFrame) -> alt.Color:
    backends = _distinct(cells, "backend")
    colours = [PALETTE[index % len(PALETTE)] for index in range(len(backends))]
    return alt.Color("backend:N", scale=alt.Scale(domain=backends, range=colours), title="backend")


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
        alt.Tooltip("effective_precision:N", title="ran as"),
        alt.Tooltip("validity:N"),
        alt.Tooltip("device:N"),
    ]


def _distinct(frame: pd.DataFrame, column: str) -> list[str]:
    """The values of a column, precisions in the order they are always shown in."""
    found = sorted({clean(str(value)) for value in frame[column].dropna()})
    return sorted(found, key=PRECISIONS.index) if set(found) <= set(PRECISIONS) else found


def _fastest_first(frame: pd.DataFrame) -> list[str]:
    ordered = frame.sort_values("latency_p50_ms")["cell"]
    return list(dict.fromkeys(clean(str(cell)) for cell in ordered))


def records(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Plain dicts without missing values: what is not there is not drawn, and nothing is 0."""
    found = []
    for row in frame[list(columns)].to_dict("records"):
        known = {str(k): v for k, v in row.items() if isinstance(v, list) or not pd.isna(v)}
        found.append({k: _plain(value) for k, value in known.items()})
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a frame holds
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, str):
        return clean(value)
    return value.item() if isinstance(value, np.generic) else value
