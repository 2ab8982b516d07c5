"""Device against device: how many times as fast each runs the same cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from edgebench.errors import UsageError
from edgebench.report import speeds
from edgebench.report.charts import base, outcomes
from edgebench.report.charts.base import INK, Panels
from edgebench.report.frame import plain_rows
from edgebench.report.speeds import Speed
from edgebench.report.table import clean

PAIRS, AGAINST = "pairs", "against"
"""Sets of data: a record a cell and reference; those of the reference that is looked at."""
ROWS, _PANELS = 30, 8
_ROW_PX = 16
_TITLES = ("times as fast as the reference", "against the reference")
_SLOWER, _FASTER = base.PALETTE[1], base.PALETTE[0]
_REFERENCE = ["the reference", "(small: cases surely faster / compared)"]
_FAR = math.log(16)
"""Of a ratio's logarithm: beyond it the colour is full."""


def devices(frame: pd.DataFrame, reference: str | None = None) -> Panels:
    """How many times as fast as a reference device each other one runs the same case.

    Args:
        frame: As `edgebench.load` gives it.
        reference: A device; else the one with the most cells.

    Returns:
        A panel a device, a row a case, the fastest first, with its 95 % interval on a logarithmic
        axis around 1; of more than 30 cases every n-th is drawn, from the fastest to the slowest.
        Colour and shape are the verdict, Holm's over the cells of both devices.

    Raises:
        UsageError: There is no such device, or only one.
    """
    records = full(plain_rows(base.prepared(frame)))
    known = list(dict.fromkeys(one["reference"] for one in records))
    name = next(iter(known), None) if reference is None else clean(reference)
    if name not in known:
        raise UsageError(
            f"nothing is held against {reference or 'a device'}",
            remedy="it needs two devices with results of the same cases; there are: "
            f"{', '.join(known) or 'none'}",
        )
    shown = [one for one in records if one["reference"] == name]
    chart = forest({one["outcome"] for one in records})
    return base.holding(chart, **{AGAINST: shown})


def forest(known: set[str]) -> Panels:
    """The chart, over the set `AGAINST`; of these outcomes."""
    axis = alt.Axis(grid=True, ticks=False, domain=False)
    sort = alt.EncodingSortField("speed_ratio", op="min", order="descending")
    layers = outcomes.marks(
        alt.Y("case:N", title=None, sort=sort, axis=axis), _TITLES, known, _tips()
    )
    whole = alt.layer(*layers, data=alt.NamedData(name=AGAINST))
    whole = whole.properties(width=base.WIDTH_PX, height=alt.Step(_ROW_PX))
    order = alt.EncodingSortField("panel_at", op="min")
    chart = whole.facet(row=alt.Row("panel:N", title=None, sort=order, header=base.header()))
    # The first and the last are always among them.
    share = f"floor((datum.place - %d) * {ROWS - 1} / (datum.cases - 1))"
    made: Panels = (
        chart.transform_filter("isValid(datum.speed_ratio)")
        .transform_calculate(panel="datum.of + ' against ' + datum.reference")
        .transform_window(place="row_number()", groupby=["panel"], sort=_most("speed_ratio"))
        .transform_joinaggregate(cases="count()", middle="median(speed_ratio)", groupby=["panel"])
        .transform_filter(f"datum.cases <= {ROWS} || {share % 1} !== {share % 2}")
        .transform_window(panel_at="dense_rank()", groupby=[], sort=_most("middle"))
        .transform_filter(f"datum.panel_at <= {_PANELS}")
        .resolve_scale(x="independent", y="independent")
        .properties(title="Speed against the reference by case")
    )
    return made


def matrix(frame: pd.DataFrame) -> alt.LayerChart:
    """How many times as fast each device is as each other one, over the cases that both ran.

    Args:
        frame: As `edgebench.load` gives it.

    Returns:
        A row a device, a column a reference: the geometric mean of the ratios, and in how many
        cases it is surely faster, of those that may be compared.
    """
    records = full(plain_rows(base.prepared(frame)))
    return base.holding(summary(), **{PAIRS: records})  # type: ignore[no-any-return]


def _most(field: str) -> list[alt.SortField | dict[str, str]]:
    return [alt.SortField(field, order="descending")]


def summary() -> Any:  # noqa: ANN401 - a chart of layers
    """The matrix, over the set `PAIRS`."""
    axis = alt.Axis(orient="top", labelAngle=-35, title=_REFERENCE)
    axes = (
        alt.X("reference:N", title=_REFERENCE[0], axis=axis),
        alt.Y("of:N", title=None),
    )
    tips = [
        *(alt.Tooltip("of:N", title="device"), alt.Tooltip("reference:N")),
        alt.Tooltip("mean:Q", title="times as fast (geometric mean)", format=".3~g"),
        *(alt.Tooltip(f"{n}:Q", title=f"surely {n}") for n in ("faster", "slower")),
        alt.Tooltip("cases:Q", title="cases compared"),
    ]
    names = alt.Scale(domain=["more", "less"], range=[_FASTER, _SLOWER])
    colour = alt.Color("way:N", scale=names, legend=None)
    away = alt.Scale(domain=[0, _FAR], range=[0.05, 0.6], clamp=True)
    opacity = alt.Opacity("away:Q", scale=away, legend=None)
    cell = alt.Chart().mark_rect().encode(*axes, colour, opacity, tooltip=tips)
    size = alt.expr("width < 300 ? 11 : 13")  # or six devices' figures touch on a phone
    big = alt.Chart().mark_text(dy=-7, fontSize=size, color=INK).encode(*axes, alt.Text("words:N"))
    small = alt.Chart().mark_text(dy=9, fontSize=10, color=INK).encode(*axes, alt.Text("counts:N"))
    chart = alt.layer(cell, big, small, data=alt.NamedData(name=PAIRS))
    chart = (
        chart.transform_filter("isValid(datum.speed_ratio)")
        .transform_calculate(
            log="log(datum.speed_ratio)",
            faster="datum.outcome === 'faster' ? 1 : 0",
            slower="datum.outcome === 'slower' ? 1 : 0",
        )
        .transform_aggregate(
            log="mean(log)",
            faster="sum(faster)",
            slower="sum(slower)",
            cases="count()",
            groupby=["of", "reference"],
        )
        .transform_calculate(
            mean="exp(datum.log)",
            way="datum.log > 0 ? 'more' : 'less'",
            away="abs(datum.log)",
            words="format(datum.mean, datum.mean < 100 ? '.2r' : 'd') + '\N{MULTIPLICATION SIGN}'",
            counts="datum.faster + '/' + datum.cases",
        )
    )
    return chart.properties(
        width=base.WIDTH_PX, height=alt.Step(40), title="Times as fast as the reference"
    )


def full(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records of all pairs, from both sides, that need no others: for a notebook."""
    named = dict(zip((row["row"] for row in rows), speeds.cases(rows), strict=True))
    found = speeds.of_devices(rows)
    references = speeds.references(found)
    both = {(of, name): some for (of, name), some in found.items() if of in references}
    for (of, name), some in found.items():
        if name in references:
            both[name, of] = [speeds.mirrored(one) for one in some]
    made = []
    for (reference, name), some in both.items():
        for one in some:
            who = {key: one.cell[key] for key in (*base.IDENTITY, "verdict")}
            ends = {"speed_lo_ratio": one.low, "speed_hi_ratio": one.high}
            told = {"case": named[one.cell["row"]], "of": name, "reference": reference}
            made.append(known_only(who | record(one) | ends | told))
    return made


def record(one: Speed) -> dict[str, Any]:
    """A pair from one side; ``within`` is the factor from its ratio to an end of its interval."""
    told = {
        "row": one.cell["row"],
        "other": one.other["row"],
        "speed_ratio": _short(one.ratio),
        "within": _short(one.high / one.ratio) if one.high and one.ratio else None,
        "outcome": one.verdict,
        "why": clean(one.why) or None,
    }
    return known_only(told)


def known_only(record: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: in JSON nothing is 0 that was not measured."""
    return {name: base.plain(value) for name, value in record.items() if value is not None}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _tips() -> list[alt.Tooltip]:
    names = {"speed_ratio": "times as fast", "speed_lo_ratio": "from", "speed_hi_ratio": "to"}
    figures = [alt.Tooltip(f"{name}:Q", title=t, format=".3~g") for name, t in names.items()]
    told = ("case", "of", "reference", "outcome", "why", "verdict")
    words = [alt.Tooltip(f"{name}:N", title="device" if name == "of" else name) for name in told]
    return [*words[:4], *figures, *words[4:]]
