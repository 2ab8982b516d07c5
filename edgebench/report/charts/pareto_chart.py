"""Which cells no other one beats in both of two figures: a front for each question."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any, NamedTuple, TypeAlias

import altair as alt
import numpy as np
import pandas as pd

from edgebench.analysis import directions, published
from edgebench.analysis.figure import PRICE, is_power
from edgebench.errors import UsageError
from edgebench.report.charts import axes, base
from edgebench.report.charts.base import CELLS, INK, Panels

_RANKED = ["valid", "imported", "ok"]
RANKS = f"indexof({_RANKED}, datum.verdict) >= 0 && !datum.fallback"
"""As everything on the page: what is suspect or invalid, failed or ran otherwise never ranks."""
_FEWEST = 2
"""Cells that may rank, of a panel: of one alone there is nothing to choose."""
_BARS = 60
"""More cells of a panel hide each other's intervals: only those on the front then have theirs."""
_WIDTH_PX, _HEIGHT_PX = 640, 220
"""As wide as the two legends above it, or a picture would be half empty."""
_LETTERS = 24
"""More cells of a panel hide each other's letters: only those on the front then have one."""
_PRICES = 8
_NOTE = "Hollow: suspect or imported; faint: invalid, or ran otherwise than asked"
_TITLES = {
    "latency_p50_ms": "median latency (ms)",
    "energy_net_mj": "net energy of an inference (mJ)",
    "energy_gross_mj": "whole energy of an inference (mJ)",
    "top1_ratio": "top-1",
    "map50_ratio": "mAP50",
    "miou_ratio": "mIoU",
    PRICE: "price (USD)",
}
_TOLD = ("verdict", "comparable", "scenario", "fallback", "effective_precision")
_OF_POWER = ("power_tier", "power_excludes")


_Order: TypeAlias = "list[alt.SortField | dict[str, str]]"


class _Side(NamedTuple):
    """One of the two figures."""

    name: str
    channel: str
    more: bool
    """Whether more of it is better."""
    log: bool
    known: bool
    """Whether any cell has an interval of it."""
    opens: bool
    """Whether an interval reaches 0, which no logarithmic axis has."""
    ticks: list[float] | None = None
    """Where the axis is labelled; None: wherever it is round."""

    @property
    def ends(self) -> tuple[str, str]:
        """Columns of its interval."""
        stem, _, unit = self.name.rpartition("_")
        return f"{stem}_lo_{unit}", f"{stem}_hi_{unit}"

    @property
    def title(self) -> str:
        """Of its axis, with which way is better."""
        words = _TITLES.get(self.name) or self.name.replace("_", " ")
        return f"{words}, {'more' if self.more else 'less'} is better"

    @property
    def sign(self) -> str:
        """So that less is better."""
        return "-" if self.more else ""


def pareto(frame: pd.DataFrame, x: str = "latency_p50_ms", y: str = "energy_net_mj") -> Panels:
    """Two figures of each cell, and the front: cells that no other one beats in both.

    Computed where it is drawn, so that it follows what a page shows. Unlike `edgebench.pareto`,
    which pools the units of one kind of device, each unit's cell stands for itself.

    Args:
        frame: As `edgebench.load` gives it.
        x: A figure of which it is known whether more is better, or ``price_usd``.
        y: Another one.

    Returns:
        A panel a question, and a tier of power where one of the figures is of power; colour and
        letter are the device, shape the backend; hollow cells are suspect or imported, faint ones
        are invalid or ran otherwise than asked; what is suspect or faint is never on the front;
        thin bars are 95 % intervals; the front is a stepped line, and its cells have a ring and
        their precision in words.

    Raises:
        UsageError: A figure does not exist, or nothing tells which way it is better.
    """
    cells = priced(base.prepared(frame))
    sides = (_side(cells, x, "x"), _side(cells, y, "y"))
    layers = [*_bars(sides), _line(sides), *_points(cells, sides)]
    order = alt.EncodingSortField("panel_at", op="min")
    whole = alt.layer(*layers, data=base.of_cells())
    made = whole.properties(width=_WIDTH_PX, height=_HEIGHT_PX).facet(
        row=alt.Row("panel:N", title=None, sort=order, header=base.header())
    )
    # Made by themselves: a chart of so many layers is copied at each step.
    made.transform = ranked(x, y)
    chart = made.resolve_scale(x="independent", y="independent")
    words = [re.split(r" of | \(", _TITLES.get(one.name, one.name))[0] for one in sides]
    chart = chart.properties(title=f"{words[0].capitalize()} against {words[1]}")
    known = cells.dropna(subset=[x, y])
    chart = base.noted(chart, known, _NOTE)
    fields = [*base.IDENTITY, *_TOLD, *_OF_POWER]
    fields += [name for one in sides for name in (one.name, *one.ends) if name in cells.columns]
    return base.holding(chart, **{CELLS: base.records(cells, fields)})  # type: ignore[no-any-return]


def priced(cells: pd.DataFrame, stated_usd: Mapping[str, float] | None = None) -> pd.DataFrame:
    """The cells with the price of their device, stated or published, as ``price_usd``.

    Args:
        cells: Those that have the column are returned as they are.
        stated_usd: By device; these go before published ones.
    """
    if PRICE in cells.columns:
        return cells
    kinds = [str(name) for name in cells["device"].dropna().unique()]
    facts = published.of_devices(kinds, stated_usd)
    prices = {name: facts[name][PRICE].value for name in kinds if PRICE in facts[name]}
    return cells.assign(**{PRICE: [prices.get(str(name), np.nan) for name in cells["device"]]})


def may_rank(cells: pd.DataFrame) -> pd.Series[bool]:
    """Which cells `RANKS` lets on a front, for Python."""
    return cells["verdict"].isin(_RANKED) & base.as_asked(cells)


def ranked(x: str, y: str) -> list[Any]:
    """Transforms that leave what has both figures, with fields ``ranks``, ``front`` and ``panel``.

    A cell is on the front if none that is as good in x is better in y, and none that is as good in
    y is better in x: then none is nowhere worse and somewhere better. Exact duplicates all are.
    """
    signs = ["-" if directions.more_is_better(name) else "" for name in (x, y)]
    needs = [f"isValid(datum.{name})" for name in (x, y)]
    needs += ["datum.comparable"] if any(n.startswith("latency_") for n in (x, y)) else []
    powers = any(is_power(name) for name in (x, y))
    tier = "', ' + datum.power_tier + (datum.power_excludes ? ' without ' + datum.power_excludes"
    panel = (
        f"datum.question + (datum.power_tier ? {tier} : '') : '')" if powers else "datum.question"
    )
    both = [("cost_x", "rank_y", "low_y"), ("cost_y", "rank_x", "low_x")]
    chart = (
        alt.Chart()
        .transform_filter(" && ".join(needs))
        .transform_calculate(
            panel=panel, ranks=RANKS, cost_x=f"{signs[0]}datum.{x}", cost_y=f"{signs[1]}datum.{y}"
        )
    )
    chart = chart.transform_calculate(
        rank_x="datum.ranks ? datum.cost_x : null", rank_y="datum.ranks ? datum.cost_y : null"
    )
    for by, of, low in both:
        # Without `ignore_peers` the frame takes in what is as good as this one.
        best = alt.WindowFieldDef.from_dict({"op": "min", "field": of, "as": low})
        order: _Order = [alt.SortField(by)]
        chart = chart.transform_window([best], frame=[None, 0], groupby=["panel"], sort=order)
    chart = chart.transform_calculate(
        front="datum.ranks && datum.rank_x === datum.low_x && datum.rank_y === datum.low_y"
    )
    chart = chart.transform_joinaggregate(ranked="valid(rank_x)", groupby=["panel"])
    chart = chart.transform_filter(f"datum.ranked >= {_FEWEST}")
    places: _Order = [alt.SortField("question_at"), alt.SortField("panel")]
    chart = chart.transform_window(panel_at="dense_rank()", groupby=[], sort=places)
    found: list[Any] = chart.transform_filter(f"datum.panel_at <= {base.PANELS}").transform
    return found


def _side(cells: pd.DataFrame, name: str, channel: str) -> _Side:
    more = directions.more_is_better(name)
    if name not in cells.columns or more is None:
        raise UsageError(
            f"no front is drawn of {name!r}",
            remedy="take a figure of which more, or less, is better, such as latency_p50_ms",
        )
    values = cells[name].dropna()
    log = not name.endswith("_ratio") and bool((values > 0).all())
    stem, _, unit = name.rpartition("_")
    lows = cells.get(f"{stem}_lo_{unit}", pd.Series(dtype=float)).dropna()
    # Few devices have few prices: whoever asks what one costs reads it from the axis.
    prices = sorted(set(map(float, values))) if name == PRICE else []
    ticks = prices if 0 < len(prices) <= _PRICES else None
    return _Side(name, channel, more, log, not lows.empty, log and bool((lows <= 0).any()), ticks)


def _axis(side: _Side, field: str) -> Any:  # noqa: ANN401 - alt.X or alt.Y
    """The axis of a side, of its figure or of an end of its interval."""
    percents = side.name.endswith("_ratio")
    if side.log and side.ticks is None:
        axis = axes.log_axis(f"child_{side.channel}", 6)
    else:
        shown = {"tickCount": 6} if side.ticks is None else {"values": side.ticks}
        axis = alt.Axis(
            format=".3~%" if percents else "~g", labelOverlap="greedy", labelSeparation=6, **shown
        )
    scale = (
        alt.Scale(type="log", nice=False, padding=12)
        if side.log
        else alt.Scale(zero=False, nice=False, padding=12)
    )
    made = alt.X if side.channel == "x" else alt.Y
    return made(f"{field}:Q", scale=scale, axis=axis, title=side.title)


def _bars(sides: tuple[_Side, _Side]) -> list[alt.Chart]:
    """Intervals, and where one reaches beyond a logarithmic axis, a bar to the panel's edge.

    What has none gets a bar without length: a layer that is empty in one panel has no scale there.
    """
    found = []
    for one, other in (sides, sides[::-1]):
        if not one.known:
            continue
        low, high = one.ends
        shown = f"isValid(datum.{low}) && datum.ranks && (datum.front || datum.ranked <= {_BARS})"
        names = [f"{one.channel}_{end}" for end in ("from", "to")]
        whole = f"{shown} && datum.{low} > 0" if one.log else shown
        ends = {names[0]: f"{whole} ? datum.{low} : datum.{one.name}"}
        ends[names[1]] = f"{shown} ? datum.{high} : datum.{one.name}"
        bar = alt.Chart().mark_rule(strokeWidth=1, opacity=0.5, stroke=INK)
        bar = bar.transform_calculate(**ends)
        across = _axis(other, other.name)
        second = alt.X2 if one.channel == "x" else alt.Y2
        found.append(bar.encode(_axis(one, names[0]), second(names[1]), across))
        if one.opens:
            edge = alt.value(0) if one.channel == "x" else alt.value("height")
            seen = alt.condition(f"{shown} && datum.{low} <= 0", alt.value(0.5), alt.value(0))
            more = {f"{one.channel}2": edge}
            found.append(bar.encode(_axis(one, one.name), across, opacity=seen, **more))
    return found


def _line(sides: tuple[_Side, _Side]) -> alt.Chart:
    """What is to be had: at each x the y of the best cell that keeps it."""
    line = alt.Chart().mark_line(
        interpolate="step-before" if sides[0].more else "step-after",
        strokeWidth=1.5,
        strokeDash=[4, 3],
        stroke=INK,
        opacity=0.8,
    )
    axes = [_axis(one, one.name) for one in sides]
    made: alt.Chart = line.transform_filter("datum.front").encode(*axes)
    return made


def _points(cells: pd.DataFrame, sides: tuple[_Side, _Side]) -> list[alt.Chart]:
    axes = [_axis(one, one.name) for one in sides]
    drawn = cells.dropna(subset=[one.name for one in sides])
    colour = base.colour(cells, "device", drawn)
    colour["legend"]["labelExpr"] = f"{_letter(cells, 'datum.value')} + '  ' + datum.label"
    inside = alt.Fill("device:N", scale=colour["scale"], title="device")
    points = alt.Chart().mark_point(size=60, strokeWidth=1.5, filled=False)
    points = points.encode(
        *axes,
        colour,
        base.shape(cells, "backend", drawn),
        fill=alt.condition("datum.verdict === 'valid'", inside, alt.value("transparent")),
        opacity=alt.condition("datum.ranks", alt.value(1), alt.value(0.25)),
        tooltip=_tips(sides),
    )
    rings = alt.Chart().mark_point(size=240, stroke=INK, strokeWidth=1.5, shape="circle")
    told = alt.Description("told:N")
    rings = rings.transform_calculate(told="'on the front of ' + datum.panel + ': ' + datum.cell")
    return [
        points,
        rings.transform_filter("datum.front").encode(*axes, told, tooltip=_tips(sides)),
        _words(cells, sides).encode(*axes, alt.Text("words:N")),
    ]


def _words(cells: pd.DataFrame, sides: tuple[_Side, _Side]) -> alt.Chart:
    """The letter of each device: colour alone would not tell it to all eyes, nor on black print.

    On the front with the precision; beside others where there are few enough to be told apart.
    """
    # Low and high in turn: neighbours on a front lie close, their words would cover each other.
    beside = {"expr": "!datum.front ? 4 : datum.front_at % 2 ? -9 : -22"}
    words = alt.Chart().mark_text(fontSize=11, dx=10, dy=beside, align="left", color=INK)
    turns: _Order = [alt.SortField(sides[0].name)]
    words = words.transform_joinaggregate(drawn="count()", groupby=["panel"])
    words = words.transform_filter(f"datum.front || datum.ranks && datum.drawn <= {_LETTERS}")
    words = words.transform_window(front_at="row_number()", groupby=["panel", "front"], sort=turns)
    letter = _letter(cells, "datum.device")
    made: alt.Chart = words.transform_calculate(
        words=f"{letter} + (datum.front ? ' ' + datum.precision : '')"
    )
    return made


def _letter(cells: pd.DataFrame, device: str) -> str:
    """A Vega expression: A for the first of all devices, AA after Z; the same whatever is hidden.

    Args:
        cells: All.
        device: A Vega expression.
    """
    names = base.distinct(cells, "device")
    letters = [_nth(place) for place in range(len(names))]
    return f"{json.dumps(letters)}[indexof({json.dumps(names)}, {device})]"


def _nth(place: int) -> str:
    before, last = divmod(place, len(ascii_uppercase))
    return (_nth(before - 1) if before else "") + ascii_uppercase[last]


def _tips(sides: tuple[_Side, _Side]) -> list[alt.Tooltip]:
    found = [alt.Tooltip("cell:N"), alt.Tooltip("device:N")]
    for one in sides:
        named = zip((one.name, *one.ends), ("", " from", " to"), strict=True)
        words = _TITLES.get(one.name) or one.name.replace("_", " ")
        found += [alt.Tooltip(f"{n}:Q", title=f"{words}{w}", format=".4~g") for n, w in named]
    return [*found, alt.Tooltip("effective_precision:N", title="ran as"), alt.Tooltip("verdict:N")]
