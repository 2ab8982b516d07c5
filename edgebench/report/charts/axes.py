"""Logarithmic axes whose labels a reader can read off, whatever is left on them."""

from __future__ import annotations

from typing import Any

import altair as alt

_NARROW, _STEPS = 5, 6
"""Below this ratio of its ends a logarithmic axis has about so many steps of one length."""
_POWERS = 30
"""Beyond the negative power of ten of any figure: remainders have the sign of what is divided."""


def log_x(column: str, title: str) -> alt.X:
    """A logarithmic axis with few and plain labels."""
    scale = alt.Scale(type="log", nice=False, padding=12)
    return alt.X(f"{column}:Q", scale=scale, axis=log_axis("child_x", 8), title=title)


def log_y(column: str, title: str) -> alt.Y:
    """As `log_x`, upwards."""
    scale = alt.Scale(type="log", nice=False, padding=12)
    return alt.Y(f"{column}:Q", scale=scale, axis=log_axis("child_y", 5), title=title)


def log_axis(scale: str, labels: int, **further: Any) -> alt.Axis:  # noqa: ANN401 - of an axis
    """A logarithmic axis with few and plain labels, three at least wherever two values differ.

    Args:
        scale: Its name in Vega: ``child_x`` in a panel that has a scale of its own.
        labels: About so many, on an axis of several powers of ten.
        further: What else an axis takes.
    """
    # Where there are more ticks than asked for, Vega labels the first ones of each decade only; of
    # a narrow axis that is one or none. Such an axis has steps of 1, 2 or 5, as a linear one has.
    ends = f"domain('{scale}')"
    power = f"log(span({ends})/{_STEPS})/LN10"
    step = f"(pow(10,floor({power}))*[2,5,10][floor(({power}+{_POWERS})%1*3)])"
    steps = f"sequence(ceil({ends}[0]/{step})*{step},{ends}[1],{step})"
    narrow = f"span({ends})>0&&{ends}[1]<{_NARROW}*{ends}[0]"
    return alt.Axis(
        format="~g",
        tickCount=labels,
        values=alt.ExprRef(f"{narrow}?{steps}:null"),
        labelOverlap="greedy",
        labelSeparation=6,
        **further,
    )
