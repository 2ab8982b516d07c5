"""Which figures cannot be told apart: Welch's t at 95 %, of each pair by itself.

As `edgebench.analysis.compare.summaries`, which tells one pair in words; this holds thousands of
candidates against each other, and knows figures whose errors are not those of a logarithm. Nothing
is adjusted for how many pairs there are: another candidate must change nothing about the others.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray

from edgebench.analysis.compare import CANNOT_TELL, MARGIN_RATIO, METRICS, SAME
from edgebench.analysis.figure import Figure
from edgebench.analysis.pooled import Side, on_scale
from edgebench.stats import CONFIDENCE, student_t_quantile

_Array = NDArray[np.float64]
_DEGREE = 24
"""Of the polynomial through Student's quantiles: it is off by 2e-13 at most."""
APART = "apart"
_MANY = 1 << 20
"""Degrees of freedom beyond which more of them change nothing."""


class _Scale(NamedTuple):
    """Figures on one scale, shape (n,) each; NaN where a figure has no place on it."""

    value: _Array
    error: _Array
    """Infinite where nothing tells it."""
    df: _Array
    widest: float
    """Student's quantile of the fewest degrees of freedom."""

    def near(self, index: int, margin: _Array | float) -> NDArray[np.bool_]:
        """Those that may be tied with one: all but what is too far off for any interval."""
        half = self.widest * np.hypot(self.error[index], self.error)
        distance = np.abs(self.value - self.value[index])
        return np.asarray(distance <= np.maximum(half, margin))

    def tied(
        self, index: int, others: NDArray[np.intp], margin: _Array | float
    ) -> NDArray[np.bool_]:
        """Not told apart from one, or the whole interval of the distance inside the margin."""
        one, some = self.error[index] ** 2, self.error[others] ** 2
        variance = one + some
        parts = one**2 / self.df[index] + some**2 / self.df[others]
        with np.errstate(invalid="ignore", divide="ignore"):
            df = np.where(np.isfinite(parts) & (parts > 0), variance**2 / parts, np.inf)
        half = _critical(df) * np.sqrt(variance)
        distance = np.abs(self.value[others] - self.value[index])
        return np.asarray(distance <= np.maximum(half, margin - half))


class Figures:
    """Figures of one name that are held against each other.

    Two are tied where the interval of their distance holds no distance (can't tell), or nothing
    beyond the margin (the same for every purpose). Ratios of what is above 0; differences of
    energies and powers, and of whatever is 0 or less. Exact ones, such as prices, tie only if they
    are equal. One without an interval ties with every other: nothing tells them apart. An interval
    without launches behind it (a cost, made of several figures) is no estimate but bounds: it ties
    with what reaches into it.
    """

    def __init__(self, figures: Sequence[Figure], margin_ratio: float = MARGIN_RATIO) -> None:
        self._margin_ratio, self._log_margin = margin_ratio, math.log1p(margin_ratio)
        self._raw = np.array([one.value for one in figures])
        self._exact = np.array([one.exact for one in figures])
        self._bounds = np.array([_is_bounds(one) for one in figures])
        self._low, self._high = np.array([_ends(one) for one in figures]).reshape(-1, 2).T
        logs = [None if f.spread == "linear" else on_scale(f, log=True) for f in figures]
        self._has_log = np.array([side is not None for side in logs])
        self._log = _scale(logs)
        self._linear = _scale([on_scale(one, log=False) for one in figures])

    def tied(self, index: int) -> NDArray[np.intp]:
        """Places of all that are tied with one, its own included, in order."""
        by_log = self._has_log & self._has_log[index]
        smaller = self._margin_ratio * np.minimum(np.abs(self._raw), np.abs(self._raw[index]))
        near = self._log.near(index, self._log_margin) if by_log.any() else by_log
        if not by_log.all():
            near = np.where(by_log, near, self._linear.near(index, smaller))
        places = np.flatnonzero(near | self._bounds | self._bounds[index])
        found = np.where(
            by_log[places],
            self._log.tied(index, places, self._log_margin),
            self._linear.tied(index, places, smaller[places]),
        )
        low, high = self._low[places], self._high[places]
        shared = (self._low[index] <= high) & (low <= self._high[index])
        found = np.where(self._bounds[places] | self._bounds[index], shared, found)
        exact = self._exact[places] & self._exact[index]
        return places[np.where(exact, self._raw[places] == self._raw[index], found)]


def tied(one: Figure, other: Figure, margin_ratio: float = MARGIN_RATIO) -> bool:
    """Whether two figures cannot be told apart, or are the same for every purpose."""
    return 1 in Figures([one, other], margin_ratio).tied(0)


def margin_ratio(name: str) -> float:
    """What is the same for every purpose of a figure: as `compare` has it, 2 % of most."""
    return METRICS[name].margin_ratio if name in METRICS else MARGIN_RATIO


def verdict(one: Figure, other: Figure, margin_ratio: float = MARGIN_RATIO) -> str:
    """`APART`, `compare.SAME` for every purpose or `compare.CANNOT_TELL`; both latter are tied."""
    if one.exact and other.exact:
        return SAME if one.value == other.value else APART
    if _is_bounds(one) or _is_bounds(other):
        (low, high), (least, most) = _ends(one), _ends(other)
        return CANNOT_TELL if low <= most and least <= high else APART
    log = "linear" not in {one.spread, other.spread} and min(one.value, other.value) > 0
    a, b = on_scale(one, log=log), on_scale(other, log=log)
    if a is None or b is None or a.error is None or b.error is None:
        return CANNOT_TELL
    distance, error = abs(a.value - b.value), math.hypot(a.error, b.error)
    least = min(abs(one.value), abs(other.value))
    margin = math.log1p(margin_ratio) if log else margin_ratio * least
    if distance > max(_quantile(math.floor(min(a.df, b.df, _MANY))) * error, margin):
        return APART  # no degrees of freedom between the two give a wider interval
    parts = a.error**4 / a.df + b.error**4 / b.df
    half = float(_critical(np.array([error**4 / parts if parts else math.inf]))[0]) * error
    if distance + half <= margin:
        return SAME
    return CANNOT_TELL if distance <= half else APART


def quantile_coefficients() -> tuple[float, ...]:
    """Of the Chebyshev polynomial in 2 / df - 1 that is the logarithm of Student's 97.5 % quantile.

    For who holds figures against each other without this module: the HTML page.
    """
    return tuple(_log_quantiles().coef.tolist())


@functools.cache
def _quantile(df: int) -> float:
    return float(_critical(np.array([float(df)]))[0])


def _is_bounds(figure: Figure) -> bool:
    return figure.launches == 0 and figure.low is not None and not figure.exact


def _ends(figure: Figure) -> tuple[float, float]:
    if figure.exact:
        return figure.value, figure.value
    if figure.low is None or figure.high is None:
        return -math.inf, math.inf
    return figure.low, figure.high


def _scale(sides: Sequence[Side | None]) -> _Scale:
    filled = [Side(math.nan, math.nan, 1.0) if side is None else side for side in sides]
    errors = [math.inf if side.error is None else side.error for side in filled]
    df = np.array([max(side.df, 1.0) for side in filled])
    widest = float(_critical(df.min(keepdims=True))[0]) if len(df) else 0.0
    return _Scale(np.array([side.value for side in filled]), np.array(errors), df, widest)


def _critical(df: _Array) -> _Array:
    """97.5 % quantiles of Student's t for 1 <= df, shape (n,)."""
    return np.asarray(np.exp(_log_quantiles()(1 / df)), dtype=np.float64)


@functools.cache
def _log_quantiles() -> Chebyshev:
    """Over 1 / df, in which the quantile's logarithm is smooth down to the normal one's at 0."""

    def at(inverse: _Array) -> list[float]:
        return [student_t_quantile(0.5 + CONFIDENCE / 2, 1 / float(one)) for one in inverse]

    return Chebyshev.interpolate(lambda u: np.log(at(u)), _DEGREE, domain=[0, 1])
