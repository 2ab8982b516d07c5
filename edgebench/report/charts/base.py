"""What charts are made of: the cells they share, colours, panels and axes.

A chart names its data and does not hold it: what belongs to cells is the set ``cells``, a record a
cell with its place in the field ``row``, of which every chart takes the fields that it draws. A
notebook gets those along with the chart; the HTML page has them once, for all charts and tables,
and leaves out what its filters hide. So whatever a chart leaves out, it must leave out by a
transform, and its panels must come from a facet: then they follow the filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from edgebench.analysis import questions
from edgebench.errors import UsageError
from edgebench.records import PRECISIONS
from edgebench.report import answers
from edgebench.report.columns import COLUMNS
from edgebench.report.frame import plain_rows
from edgebench.report.judged import verdict
from edgebench.report.labels import labels
from edgebench.report.page import theme
from edgebench.report.table import cell, clean, number

try:
    import altair as alt
except ImportError:
    raise UsageError("charts need altair", remedy="pip install 'edgebench[report]'") from None

# Okabe & Ito (2008), "Color Universal Design", without black and yellow: each must be seen on
# white paper and on a dark screen.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right"),
    "triangle-left",
)
"""One more than there are colours: together they tell 56 names apart."""
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [1, 4])
"""Of lines; with colours, of which there is one more, they tell 42 names apart."""
CELLS = "cells"
"""The set of data that all charts of cells share."""
INK = theme.INK
WIDTH_PX, ROW_PX = 480, 22
PANELS, ROWS = 12, 40
"""Drawn at most: more nobody can read, and a browser is busy with for long."""
HOLLOW = "Hollow: suspect, invalid or imported, or ran otherwise than asked"
"""What `points` are not solid."""
IDENTITY = ("row", "question", "question_at", "cell", "workload", "device", "backend", "precision")
"""Of every record: what a chart's panels and the page's filters go by."""
_KEYS = frozenset(("run_id", "case_id", "device", "workload", "backend", "precision", "status"))
_SHAPE_OF_PRECISION: dict[str, str] = dict(
    zip(PRECISIONS, ("circle", "square", "triangle-up", "diamond", "cross"), strict=True)
)
_DIGITS, _DRAWN_DIGITS, _CSV_DIGITS = 6, 5, 9
_OBJECTS_OWN = frozenset(
    (
        *("constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "__proto__"),
        *("toLocaleString", "toString", "valueOf", "__defineGetter__", "__defineSetter__"),
        *("__lookupGetter__", "__lookupSetter__"),
    )
)
"""What JavaScript's objects have: Vega keeps groups as fields of one, and breaks at these names."""
Order: TypeAlias = Literal["ascending", "descending"]
Panels: TypeAlias = "alt.FacetChart"
Chart: TypeAlias = "alt.Chart | alt.LayerChart | alt.FacetChart | alt.VConcatChart"
Records = Sequence[Mapping[str, Any]]
_Chart = TypeVar("_Chart", bound="alt.TopLevelMixin")


def prepared(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with what charts need to know of each cell beside its figures.

    Args:
        frame: As `edgebench.load` gives it; one that was prepared before is returned as it is.
            Columns of figures that were left out count as not measured.

    Returns:
        A row a cell as before, and columns ``row`` (its place), ``cell`` (a short name, unique in
        its question), ``question`` (what was asked: only cells of one question share a panel),
        ``question_at`` (its place), ``verdict`` (validity, or status where it is not ok) and
        ``comparable`` (whether its latency may be held against others': not where each cell chose
        its own load, as offline and a server that looks for its rate do).

    Raises:
        UsageError: The frame does not tell which cell a row is of.
    """
    # Several prepared frames put together have places twice.
    if "question_at" in frame.columns and frame["row"].is_unique:
        return frame
    frame = _whole(frame)
    rows = plain_rows(frame)
    asked = [clean(name) for name in questions.names(rows)]
    places = {name: place for place, name in enumerate(dict.fromkeys(asked))}
    return frame.assign(
        row=range(len(rows)),
        cell=[clean(name) for name in labels(rows, asked)],
        question=asked,
        question_at=[places[name] for name in asked],
        verdict=[verdict(row) for row in rows],
        ran=[clean(cell("precision", row)) for row in rows],
        comparable=np.array([answers.by_latency(row) for row in rows], dtype=bool),
    )


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with all columns that `edgebench.load` has."""
    missing = [column.name for column in COLUMNS if column.name not in frame.columns]
    needed = [name for name in missing if name in _KEYS]
    if needed:
        raise UsageError(
            f"charts need the columns {', '.join(needed)}",
            remedy="take the frame as edgebench.load gives it, with its own index",
        )
    return frame.reindex(columns=[*frame.columns, *missing]) if missing else frame


def records(frame: pd.DataFrame, columns: Iterable[str]) -> list[dict[str, Any]]:
    """Plain dicts without missing values: what is not there is not drawn, and nothing is 0."""
    found = []
    for row in frame[list(dict.fromkeys(columns))].to_dict("records"):
        known = {str(k): v for k, v in row.items() if isinstance(v, list) or not pd.isna(v)}
        found.append({k: plain(value) for k, value in known.items()})
    return found


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever a frame holds
    """A value as JSON has it: floats of six digits, words as `word` has them.

    Lists are drawn and no table shows them: their floats have five.
    """
    if isinstance(value, list):
        return [
            float(f"{item:.{_DRAWN_DIGITS}g}") if isinstance(item, float) else plain(item)
            for item in value
        ]
    if isinstance(value, (float, np.floating)):
        return _short(float(value))
    if isinstance(value, str):
        return word(value)
    return value.item() if isinstance(value, np.generic) else value


def word(text: str) -> str:
    """A name without control characters; one that Vega breaks at ends in a no-break space."""
    return f"{text}\N{NO-BREAK SPACE}" if text in _OBJECTS_OWN else clean(text)


def _short(value: float) -> float:
    """Six digits, or the CSV's where those that tables show would come out otherwise."""
    short, whole = (float(f"{value:.{digits}g}") for digits in (_DIGITS, _CSV_DIGITS))
    return short if number(short) == number(whole) else whole


def of_cells() -> alt.NamedData:
    """The data of a chart of cells."""
    return alt.NamedData(name=CELLS)


def holding(chart: _Chart, **sets: Records) -> _Chart:
    """The chart with the data that it names.

    Args:
        chart: Any chart of Altair; it is changed.
        sets: By name. Every record of a cell has its place in ``row``.
    """
    # Not by `properties`, which holds every value against a schema: seconds for 5,000 cells.
    whole: Any = chart
    whole.datasets = {name: list(values) for name, values in sets.items()}
    return chart


def panels(
    layers: Sequence[alt.Chart | alt.LayerChart],
    *,
    needs: str,
    order: str,
    title: str,
    descending: bool = False,
    rows: int = ROWS,
    most: int = PANELS,
) -> Panels:
    """A panel a question below one another, each with axes of its own and a row a cell.

    Args:
        layers: Marks over the set ``cells``, each with `cells_axis` as y.
        needs: A Vega expression: cells for which it does not hold are left out.
        order: The field by which rows are sorted, and the first of them taken.
        title: Of the whole.
        descending: The largest first.
        rows: Drawn in a panel at most.
        most: Panels at most.
    """
    way: Order = "descending" if descending else "ascending"
    whole = alt.layer(*layers, data=of_cells()).properties(width=WIDTH_PX, height=alt.Step(ROW_PX))
    first = alt.SortField(order, order=way)
    chart: Any = whole.facet(row=question_rows())
    # Of the whole, not of a panel: within one, every panel would be the first.
    made: Panels = (
        chart.transform_filter(needs)
        .transform_window(place="row_number()", groupby=["question"], sort=[first])
        .transform_window(panel="dense_rank()", groupby=[], sort=[alt.SortField("question_at")])
        .transform_filter(first_rows(rows))
        .transform_filter(f"datum.panel <= {most}")
        .resolve_scale(x="independent", y="independent")
        .properties(title=title)
    )
    return limited(made, rows=rows, panels=most)


def noted(chart: _Chart, cells: pd.DataFrame, words: str = HOLLOW) -> _Chart:
    """The chart with words on what is not valid or ran otherwise, if a cell is so.

    Args:
        chart: It is changed.
        cells: That it draws.
        words: For pictures, which nothing else explains; the page has a caption.
    """
    whole: Any = chart
    if not ((cells["verdict"] == "valid") & as_asked(cells)).all():
        told = {} if whole.usermeta is alt.Undefined else whole.usermeta
        whole.usermeta = {**told, "note": words}
    return chart


def as_asked(cells: pd.DataFrame) -> pd.Series[bool]:
    """Which cells fell back to nothing else than what was asked."""
    return cells["fallback"].isna() | (cells["fallback"] == "")


def first_rows(rows: int = ROWS) -> str:
    """The filter of a panel's first rows, by their field ``place``; `fewer` finds it again."""
    return f"datum.place <= {rows}"


def limited(
    chart: _Chart, *, rows: int = ROWS, panels: int = PANELS, by: Sequence[str] = ("question",)
) -> _Chart:
    """The chart, with how much it draws at most told in its ``usermeta``, for page and pictures.

    Args:
        chart: One whose panels have a row a cell, limited by `first_rows`; it is changed.
        rows: In a panel.
        panels: Of them all.
        by: The fields of a cell that tell its panel.
    """
    whole: Any = chart
    whole.usermeta = {"rows": rows, "panels": panels, "by": list(by)}
    return chart


def fewer(spec: Mapping[str, Any], rows: int) -> dict[str, Any] | None:
    """A chart's specification with so many rows in a panel at most; None if it has no rows."""
    drawn = spec.get("usermeta", {}).get("rows")
    if drawn is None:
        return None
    old, new = first_rows(drawn), first_rows(min(rows, drawn))

    def cut(part: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(part, list):
            return [cut(one) for one in part]
        if not isinstance(part, Mapping):
            return part
        return {k: new if k == "filter" and one == old else cut(one) for k, one in part.items()}

    found: dict[str, Any] = cut(spec)
    return found


def question_rows() -> alt.Row:
    """Panels by question, in the order that the results have them."""
    order = alt.EncodingSortField("question_at", op="min")
    return alt.Row("question:N", title=None, sort=order, header=header())


def header() -> alt.Header:
    """What stands over a panel."""
    return alt.Header(
        labelOrient="top", labelAnchor="start", labelAngle=0, labelFontWeight="bold", labelPadding=4
    )


def cells_axis(order: str, *, descending: bool = False) -> alt.Y:
    """A row a cell, sorted by a field; every layer of a panel must have the same one."""
    axis = alt.Axis(grid=True, ticks=False, domain=False)
    way: Order = "descending" if descending else "ascending"
    sort = alt.EncodingSortField(order, op="min", order=way)
    return alt.Y("cell:N", title=None, sort=sort, axis=axis)


def colour(
    cells: pd.DataFrame, column: str = "backend", drawn: pd.DataFrame | None = None
) -> alt.Color:
    """Colours by name, the same whatever the page's filters hide; a pale mark's legend is not.

    Args:
        cells: All.
        column: What is told by colour.
        drawn: Those of them that the chart draws, for its legend; None: all.
    """
    names = distinct(cells, column)
    colours = [PALETTE[index % len(PALETTE)] for index in range(len(names))]
    scale = alt.Scale(domain=names, range=colours)
    legend = alt.Legend(symbolOpacity=1, values=names if drawn is None else distinct(drawn, column))
    return alt.Color(f"{column}:N", scale=scale, legend=legend, title=column.replace("_", " "))


def shape(cells: pd.DataFrame, column: str, drawn: pd.DataFrame | None = None) -> alt.Shape:
    """Shapes by name, as `colour`."""
    names = distinct(cells, column)
    if column == "precision":
        shapes = [_SHAPE_OF_PRECISION.get(name, "stroke") for name in names]
    else:
        shapes = [SHAPES[index % len(SHAPES)] for index in range(len(names))]
    scale = alt.Scale(domain=names, range=shapes)
    legend = alt.Legend(values=names if drawn is None else distinct(drawn, column))
    return alt.Shape(f"{column}:N", scale=scale, legend=legend, title=column.replace("_", " "))


def dash(
    cells: pd.DataFrame, column: str = "backend", drawn: pd.DataFrame | None = None
) -> alt.StrokeDash:
    """Dashes of lines by name, as `colour`: what colour alone told, nobody could print in black."""
    names = distinct(cells, column)
    dashes = [_DASHES[index % len(_DASHES)] for index in range(len(names))]
    scale = alt.Scale(domain=names, range=dashes)
    legend = alt.Legend(values=names if drawn is None else distinct(drawn, column))
    return alt.StrokeDash(f"{column}:N", scale=scale, legend=legend, title=column)


def points(*encodings: Any, size: int = 60, **further: Any) -> list[alt.Chart]:  # noqa: ANN401
    """Points of cells, hollow where a cell is not valid or ran otherwise; two layers."""
    sound = "datum.verdict === 'valid' && !datum.fallback"
    solid = alt.condition(sound, alt.value(1), alt.value(0))
    hollow = alt.Chart().mark_point(size=size, filled=False, opacity=1)
    inner = alt.Chart().mark_point(size=size, filled=True)
    return [
        hollow.encode(*encodings, **further),
        inner.encode(*encodings, **further, opacity=solid),
    ]


def interval(low: alt.X, high: str, *encodings: Any) -> list[alt.Chart]:  # noqa: ANN401
    """The bar of an interval along x, with its two ends; three layers.

    Args:
        low: The axis, of the lower end's field.
        high: The field of the upper end.
        encodings: What all three share.
    """
    line = alt.Chart().mark_rule(strokeWidth=1.5)
    ends = alt.Chart().mark_tick(orient="vertical", size=10, thickness=1.5)
    upper = low.copy()
    upper.shorthand = f"{high}:Q"
    return [
        line.encode(low, alt.X2(high), *encodings),
        ends.encode(low, *encodings),
        ends.encode(upper, *encodings),
    ]


def distinct(frame: pd.DataFrame, column: str) -> list[str]:
    """The values of a column, precisions in the order they are always shown in."""
    found = sorted({word(str(value)) for value in frame[column].dropna()})
    return sorted(found, key=PRECISIONS.index) if set(found) <= set(PRECISIONS) else found
