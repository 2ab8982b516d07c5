"""One figure of several units of a kind of device, and how unlike the units are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from edgebench.analysis.figure import Figure
from edgebench.stats import CONFIDENCE, student_t_quantile

NORMAL = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""97.5 % quantile of the normal distribution."""
_ROUNDING = 1e-9


class UnitSpread(NamedTuple):
    """A figure on the units of one kind of device, as they are: no interval, no estimate."""

    units: int
    smallest: float
    largest: float
    smallest_unit: str
    largest_unit: str

    @property
    def ratio(self) -> float | None:
        """Largest over smallest; None where one of them is not above 0."""
        return self.largest / self.smallest if self.smallest > 0 else None


class Side(NamedTuple):
    """A figure on the scale on which its errors add up."""

    value: float
    error: float | None
    """Its standard error; None where nothing tells it."""
    df: float
    """Degrees of freedom of that error."""


def on_scale(figure: Figure, *, log: bool) -> Side | None:
    """A figure as `Side`; None where it has no logarithm.

    Student's interval gives its standard error back exactly, on the scale that it was made on.
    One over pooled samples is read as a normal one; its launches still give the degrees of
    freedom, which leaves verdicts on the careful side.
    """
    value, low, high, launches = figure[:4]
    if log and value <= 0:
        return None
    at = math.log(value) if log else value
    if figure.exact:
        return Side(at, 0.0, math.inf)
    if low is None or high is None or launches <= 1:
        return Side(at, None, 0)
    if log and low <= 0:
        return None
    half = (math.log(high / low) if log else high - low) / 2
    student = figure.spread in {"log", "linear"}
    scale = student_t_quantile(0.5 + CONFIDENCE / 2, launches - 1) if student else NORMAL
    return Side(at, half / scale, launches - 1)


def pooled(figures: Sequence[Figure]) -> Figure:
    """The mean over units: each counts the same, whatever its launches.

    The geometric mean, or the arithmetic one of what may be 0 or less. Its interval is made of
    the units' own standard errors: it tells how well *these* units are known. How unlike units
    are is another question (`UnitSpread`), which two or three of them hardly answer. What was
    judged on the same images shares its errors, so more units do not narrow it.

    Args:
        figures: Of each unit, one or more.
    """
    first = figures[0]
    if len(figures) == 1:
        return first
    tier = first.tier if len({one.tier for one in figures}) == 1 else "mixed"
    exact = all(one.exact for one in figures)
    found = first._replace(exact=exact, tier=tier)
    if first.spread == "images":
        return _of_the_same_images(found, figures)
    sides = [on_scale(one, log=True) for one in figures]
    log = first.spread != "linear" and None not in sides
    sides = sides if log else [on_scale(one, log=False) for one in figures]
    known = [side for side in sides if side is not None]
    middle = math.fsum(side.value for side in known) / len(known)
    value = math.exp(middle) if log else middle
    errors = [(side.error, side.df) for side in known if side.error is not None]
    if exact or len(errors) < len(known):
        fewest = min(one.launches for one in figures)
        return found._replace(value=value, low=None, high=None, launches=fewest)
    variance = math.fsum(error**2 for error, _ in errors)
    parts = math.fsum(error**4 / df for error, df in errors)
    # Whole, so that the interval gives the error back (`on_scale`); down is the careful side.
    fewest_df = min(df for _, df in errors)
    df = int(max(variance**2 / parts + _ROUNDING if parts else fewest_df, fewest_df))
    student = first.spread in {"log", "linear"}
    scale = student_t_quantile(0.5 + CONFIDENCE / 2, df) if student else NORMAL
    half = scale * math.sqrt(variance) / len(known)
    low, high = middle - half, middle + half
    ends = (math.exp(low), math.exp(high)) if log else (low, high)
    return found._replace(value=value, low=ends[0], high=ends[1], launches=df + 1)


def _of_the_same_images(found: Figure, figures: Sequence[Figure]) -> Figure:
    value = math.fsum(one.value for one in figures) / len(figures)
    lows = [one.low for one in figures if one.low is not None]
    highs = [one.high for one in figures if one.high is not None]
    known = len(lows) == len(highs) == len(figures)
    return found._replace(
        value=value,
        low=math.fsum(lows) / len(lows) if known else None,
        high=math.fsum(highs) / len(highs) if known else None,
        launches=min(one.launches for one in figures),
    )


def spread(figures: Sequence[tuple[str, Figure]]) -> UnitSpread | None:
    """How unlike units are; None of fewer than two.

    Args:
        figures: ``(unit, figure)`` of each.
    """
    if len(figures) < 2:  # noqa: PLR2004 - one is not unlike itself
        return None
    ordered = sorted((figure.value, unit) for unit, figure in figures)
    (smallest, least), (largest, most) = ordered[0], ordered[-1]
    return UnitSpread(len(figures), smallest, largest, least, most)
