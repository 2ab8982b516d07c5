"""Backend against precision on each device: what is fast there, what fell back, what broke."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import pandas as pd

from edgebench.analysis import directions
from edgebench.analysis.figure import is_power
from edgebench.errors import UsageError
from edgebench.records import PRECISIONS
from edgebench.report.charts import base
from edgebench.report.charts.base import CELLS, INK

_WIDE_PX, _HIGH_PX, _GAP_PX = 60, 42, 24
_LINE_PX = 12
_LETTER_PX, _BOLD_PX = 6.5, 7.2
_LABEL_PX = (60, 125)
"""Names of backends are cut there on a narrow page."""
_HEADING_PX = 170
"""A heading begins where the tiles do; it has so much where they are few, or panels overlap."""
PANELS = 24
_OF_POWER = ("power_tier", "power_excludes")
"""Energies of unlike ones, or of meters that leave out other parts, are not to be compared."""
_FIELDS = (
    *base.IDENTITY,
    *("verdict", "comparable", "fallback", "effective_precision", "effective_accelerator"),
    *("precision_ratio", *_OF_POWER),
)
_SCHEME = alt.SchemeParams(name="cividis", extent=[0.12, 1])
"""Nuñez, Anderton & Renslow (2018): evenly spaced to the eye, also to a colour-blind one. Without
its darkest end, which a dark screen would swallow."""
_DARK_FROM = 0.59
"""Of the way from the best to the worst: from there white is read better than black."""
_GRADES = {"valid": 0, "suspect": 2, "imported": 3, "invalid": 4, "skipped": 6}
"""What a tile shows of several cells: the lowest grade. 1 is valid, but ran otherwise than asked; 5
is a cell that failed."""
_COLOURED = ("valid", "suspect", "imported")
_WORDS = {"suspect": "suspect ?"}
_HATCH = (
    "M-1,-.3L-.6,-.7M-1,.1L-.2,-.7M-1,.5L.2,-.7M-.8,.7L.6,-.7"
    "M-.4,.7L1,-.7M0,.7L1,-.3M.4,.7L1,.1M.8,.7L1,.5"
)
"""Lines across a tile, as an SVG path in a square from -1 to 1."""
_LEAST = 1.02
"""The shortest scale: of one cell alone, or of accuracies that are all but the same."""
_NAMES = {
    "latency_p50_ms": "median latency (ms)",
    "energy_net_mj": "energy (mJ, net)",
    "top1_ratio": "top-1",
}
_TIMES = {"latency_p50_ms": "times the fastest", "energy_net_mj": "times the least energy"}
_TOLD = "isValid(datum.told)"
_RAN_PRECISION = (
    "indexof(datum.fallback || '', 'partial') === 0"
    " ? format(datum.precision_ratio, '.0%') + ' ' + datum.effective_precision"
    " : indexof(datum.fallback || '', 'precision') === 0 ? datum.effective_precision : ''"
)
_RAN_ON = (
    "indexof(datum.fallback || '', 'accelerator') < 0 ? ''"
    " : 'on ' + (datum.effective_accelerator || 'another')"
)
_RAN = (
    "datum.ran_on ? trim(datum.ran_precision + ' ' + datum.ran_on)"
    " : test(/^[0-9]|^$/, datum.ran_precision) ? datum.ran_precision"
    " : 'ran ' + datum.ran_precision"
)


def heat_map(frame: pd.DataFrame, figure: str = "latency_p50_ms") -> alt.FacetChart:
    """Each backend in each precision on each device: how far it is from the best.

    Args:
        frame: As `edgebench.load` gives it.
        figure: What tiles tell and are coloured by, e.g. ``energy_net_mj`` or ``top1_ratio``.

    Returns:
        A panel a question (a workload, and what else was asked) and device, 24 at most, those with
        most tiles first; a row a backend, a column a precision. A tile is coloured by how many
        times worse its best valid cell is than the best one of the question on any device that is
        valid and ran as asked. What ran otherwise has no colour, and says so below its figure; a
        figure of 0 or less has no ratio. What is not valid says so, and is hatched where its figure
        does not count. Powers of unlike tiers are not held against each other.

    Raises:
        UsageError: There is no such figure, or nothing tells which way it is better.
    """
    if figure not in frame.columns:
        raise UsageError(f"there is no figure {figure!r}", remedy="see frame.columns")
    more = directions.objective(figure).more_is_better
    cells = base.prepared(frame)
    most, (labels_px, heading_px) = _most(cells, figure, more=more), _panel_px(cells)
    tiles = alt.layer(*_layers(figure, most), data=base.of_cells())
    tiles = tiles.properties(width=alt.Step(_WIDE_PX), height=alt.Step(_HIGH_PX))
    header = alt.Header(
        labelExpr=_heading(heading_px),
        labelAnchor="start",
        labelFontWeight="bold",
        labelLimit=heading_px,
    )
    first = alt.EncodingSortField("panel_at", op="min")
    chart = tiles.facet(alt.Facet("panel:N", title=None, sort=first, header=header), columns=4)
    chart = _best_of_tile(_graded(chart, figure), figure, more=more)
    # Each with rows and columns of its own: many questions are measured of one backend alone.
    chart = chart.resolve_scale(x="independent", y="independent")
    words = _words(figure)
    title = f"{words[0].upper()}{words[1:]} by backend, precision"
    chart = chart.properties(title=title, spacing=_GAP_PX)
    # The page puts as many beside one another as it has room for.
    chart.usermeta = {"panel_px": labels_px + heading_px + _GAP_PX}
    return base.holding(chart, **{CELLS: base.records(cells, (*_FIELDS, figure))})  # type: ignore[no-any-return]


def _heading(most_px: int) -> str:
    """A device's name above its question, whose parts have lines of their own where it is long."""
    question = "split(datum.label, '\\n')[1]"
    lines = "replace(datum.label, /, /g, ',\\n')"
    long = f"length({question}) > {most_px / _BOLD_PX:.0f}"
    return f"split({long} ? {lines} : datum.label, '\\n')"


def _graded(chart: alt.FacetChart, figure: str) -> alt.FacetChart:
    """How far each cell is to be believed, and its figure where that counts."""
    known = f"datum.{figure}"
    grade = f"({_GRADES})[datum.verdict]"
    fell = "datum.verdict === 'valid' && datum.fallback"
    chart = chart.transform_filter("datum.comparable && isValid(datum.device)")
    return chart.transform_calculate(
        panel="datum.device + '\\n' + datum.question",
        told=f"isValid({known}) ? {known} : null",
        grade=f"{fell} ? 1 : isDefined({grade}) ? {grade} : 5",
        counted="datum.grade === 0 && datum.told > 0 ? datum.told : null",
        untold=f"!isValid({known})",
    ).transform_filter(f"{_TOLD} || datum.grade >= 4")


def _best_of_tile(chart: alt.FacetChart, figure: str, *, more: bool) -> alt.FacetChart:
    """One cell a tile, the best; how far it is from the best of its question; and its words."""
    best = alt.JoinAggregateFieldDef(op="max" if more else "min", field="counted", **{"as": "best"})
    alike: list[Any] = _alike(figure)
    tile: list[Any] = ["question", "device", "backend", "precision"]
    way: base.Order = "descending" if more else "ascending"
    times = "datum.best / datum.told" if more else "datum.told / datum.best"
    held = "datum.grade < 4 && !datum.fallback"
    unlike = "datum.told <= 0 ? 'no ratio' : ''"  # as a net energy that is lost in its noise
    panels: list[Any] = [alt.SortField("tiles", order="descending")]
    panels += [alt.SortField("question_at"), alt.SortField("device")]
    return (
        chart.transform_joinaggregate([best], groupby=alike)
        .transform_joinaggregate(here="count()", groupby=tile)
        .transform_window(
            place="row_number()",
            groupby=tile,
            # Vega sorts what is missing first.
            sort=[*map(alt.SortField, ("grade", "untold")), alt.SortField("told", order=way)],
        )
        .transform_filter("datum.place === 1")
        .transform_joinaggregate(tiles="count()", groupby=["question"])
        .transform_window(panel_at="dense_rank()", groupby=[], sort=panels)
        .transform_filter(f"datum.panel_at <= {PANELS}")
        .transform_calculate(
            times=f"{held} && datum.told > 0 && isValid(datum.best) ? {times} : null",
            word=f"datum.grade >= 2 ? ({_WORDS})[datum.verdict] || datum.verdict : {unlike}",
            ran_precision=_RAN_PRECISION,
            ran_on=_RAN_ON,
        )
        .transform_calculate(ran=_RAN)
        .transform_calculate(
            figure=f"{_TOLD} ? format(datum.told, '.3r') : ''",
            lines=f"{_TOLD} + (datum.word !== '') + (datum.ran !== '')",
        )
    )


def _layers(figure: str, most: float) -> list[alt.Chart]:
    """The tile, its hatching, and up to three lines of text."""
    x = alt.X("precision:N", title=None, sort=list(PRECISIONS), axis=_axis(labelAngle=0))
    y = alt.Y("backend:N", title=None, axis=_axis())
    end = max(most, _LEAST)
    scale = alt.Scale(type="log", domain=[1, end], clamp=True, reverse=True, scheme=_SCHEME)
    legend = alt.Legend(
        title=_legend(figure), format="~g", tickCount=5, titleLimit=400, gradientLength=240
    )
    coloured = "isValid(datum.times)"
    dark = f"{coloured} && log(datum.times) > {_DARK_FROM * math.log(end):.6g}"
    ink = alt.when(dark).then(alt.value("white")).when(coloured).then(alt.value("black"))
    drawn = ink.otherwise(alt.value(INK))
    rect: dict[str, Any] = {"stroke": INK, "strokeOpacity": 0.35}
    shaded = alt.Chart(name="tile").mark_rect(**rect).transform_filter(coloured)
    # Where none is any times worse than another, there are no colours to explain.
    shade = alt.Color("times:Q", scale=scale, legend=legend if most > 1 else None)
    bare = alt.Chart(name="tile_bare").mark_rect(**rect, fill="transparent")
    bare = bare.transform_filter(f"!{coloured}")
    tips = _tooltip(figure)
    hatch = alt.Chart(name="tile_hatch").mark_point(
        shape=_HATCH,
        size=_WIDE_PX**2,
        strokeWidth=1,
        filled=False,
        opacity=0.35,
        color=INK,
        aria=False,
    )
    hatch = hatch.transform_filter("datum.grade >= 4").encode(x, y)
    texts = (("figure", "0", 13), ("word", _TOLD, 10.5), ("ran", "datum.lines - 1", 10.5))
    return [
        shaded.encode(x, y, shade, tooltip=tips),
        bare.encode(x, y, tooltip=tips),
        hatch,
        *(_text(*one).encode(x, y, color=drawn) for one in texts),
    ]


def _text(field: str, place: str, size_px: float) -> alt.Chart:
    """One of the lines of a tile; they stand in its middle together."""
    down = alt.expr(f"({place} - (datum.lines - 1) / 2) * {_LINE_PX}")
    made = alt.Chart(name=f"tile_{field}").mark_text(
        fontSize=size_px, baseline="middle", dy=down, aria=False
    )
    return made.encode(text=f"{field}:N")  # type: ignore[no-any-return]


def _axis(**further: Any) -> alt.Axis:  # noqa: ANN401 - of Altair
    return alt.Axis(ticks=False, domain=False, grid=False, labelPadding=4, **further)


def _most(cells: pd.DataFrame, figure: str, *, more: bool) -> float:
    """The worst valid cell against the best of its question: the end of the scale.

    Where no valid one is worse than the best, the worst of the others that have a colour; 1 where
    none is worse at all, or has one.
    """
    counts = cells["verdict"].isin(_COLOURED) & base.as_asked(cells)
    drawn = cells[counts & cells["comparable"] & (cells[figure] > 0)]
    valid = drawn["verdict"] == "valid"
    alike = [drawn[name] for name in _alike(figure)]
    of_valid = drawn[figure].where(valid).groupby(alike, observed=True, dropna=False)
    best = of_valid.transform("max" if more else "min")
    times = best / drawn[figure] if more else drawn[figure] / best
    ends = (float(some.max()) for some in (times[valid], times) if some.notna().any())
    return next((end for end in ends if end > 1), 1.0)


def _alike(figure: str) -> list[str]:
    """Fields in which cells must agree to be held against each other."""
    return ["question", *(_OF_POWER if is_power(figure) else ())]


def _panel_px(cells: pd.DataFrame) -> tuple[int, int]:
    """How wide a panel is: the names on its left, and its tiles or the heading above them."""
    letters = max((len(name) for name in base.distinct(cells, "backend")), default=0)
    least, most = _LABEL_PX
    labels = min(max(least, letters * _LETTER_PX), most)
    return round(labels), max(_HEADING_PX, _WIDE_PX * len(base.distinct(cells, "precision")))


def _tooltip(figure: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("device:N"),
        alt.Tooltip("question:N"),
        alt.Tooltip("cell:N", title="best cell"),
        alt.Tooltip("here:Q", title="cells of this tile"),
        alt.Tooltip("precision:N", title="asked"),
        alt.Tooltip("effective_precision:N", title="ran as"),
        alt.Tooltip("told:Q", title=_words(figure), format=".4~g"),
        alt.Tooltip("times:Q", title=_legend(figure), format=".3~g"),
        alt.Tooltip("verdict:N"),
    ]


def _words(figure: str) -> str:
    return _NAMES.get(figure, figure)


def _legend(figure: str) -> str:
    return _TIMES.get(figure, f"times worse than the best {_words(figure)}")
