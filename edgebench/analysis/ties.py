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

from edgebench.analysis.compare import MARGIN_RATIO
from edgebench.analysis.figure import Figure
from edgebench.analysis.pooled import Side, on_scale
from edgebench.stats import CONFIDENCE, student_t_quantile

_Array = NDArray[np.float64]
_DEGREE = 24
"""Of the polynomial through Student's quantiles: it is off by 2e-13 at most."""


class _Scale(NamedTuple):
    """Figures on one scale, shape (n,) each; NaN where a figure has no place on it."""

    value: _Array
    error: _Array
    df: _Array

    def of(self, index: int, others: slice | NDArray[np.intp]) -> tuple[_Array, _Array]:
        """Distance of some from one, and half of that distance's 95 % interval."""
        distance = self.value[others] - self.value[index]
        squares = self.error[index] ** 2, self.error[others] ** 2
        variance = squares[0] + squares[1]
        parts = squares[0] ** 2 / self.df[index] + squares[1] ** 2 / self.df[others]
        with np.errstate(invalid="ignore", divide="ignore"):
            df = np.where(parts > 0, variance**2 / parts, np.inf)
        half = np.where(variance > 0, _critical(df) * np.sqrt(variance), 0.0)
        return distance, np.where(np.isnan(variance), np.inf, half)


class Figures:
    """Figures of one name that are held against each other.

    Two are tied where the interval of their distance holds no distance (can't tell), or nothing
    beyond 2 % (the same for every purpose). Ratios of what is above 0; differences of energies and
    powers, and of whatever is 0 or less. Exact ones, such as prices, tie only if they are equal.
    One without an interval ties with every other: nothing tells them apart. An interval without
    launches behind it (a cost, made of several figures) is no estimate but bounds: it ties with
    what reaches into it.
    """

    def __init__(self, figures: Sequence[Figure]) -> None:
        self._raw = np.array([one.value for one in figures])
        self._exact = np.array([one.exact for one in figures])
        is_linear = [one.spread == "linear" for one in figures]
        sides = [
            None if no else on_scale(f, log=True) for f, no in zip(figures, is_linear, strict=True)
        ]
        self._log = _scale(sides)
        self._low, self._high = np.array([_ends(one) for one in figures]).reshape(-1, 2).T
        self._bounds = np.array([_is_bounds(one) for one in figures])
        self._linear = _scale([on_scale(one, log=False) for one in figures])

    def tied(self, index: int, others: slice | NDArray[np.intp] = slice(None)) -> NDArray[np.bool_]:
        """Whether each of some others is tied with one, itself included; shape (others,)."""
        distance, half = self._linear.of(index, others)
        smaller = np.minimum(np.abs(self._raw[index]), np.abs(self._raw[others]))
        linear = _within(distance, half, MARGIN_RATIO * smaller)
        distance, half = self._log.of(index, others)
        by_ratio = _within(distance, half, np.full_like(half, np.log1p(MARGIN_RATIO)))
        found = np.where(np.isnan(distance), linear, by_ratio)
        shared = (self._low[index] <= self._high[others]) & (self._low[others] <= self._high[index])
        found = np.where(self._bounds[index] | self._bounds[others], shared, found)
        exact = self._exact[index] & self._exact[others]
        return np.where(exact, self._raw[others] == self._raw[index], found)


def tied(one: Figure, other: Figure) -> bool:
    """Whether two figures cannot be told apart, or are the same for every purpose."""
    return bool(Figures([one, other]).tied(0)[1])


def _is_bounds(figure: Figure) -> bool:
    return figure.launches == 0 and figure.low is not None and not figure.exact


def _ends(figure: Figure) -> tuple[float, float]:
    if figure.exact:
        return figure.value, figure.value
    if figure.low is None or figure.high is None:
        return -math.inf, math.inf
    return figure.low, figure.high


def _within(distance: _Array, half: _Array, margin: _Array) -> NDArray[np.bool_]:
    """Not told apart, or the whole interval inside the margin."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(distance) <= np.maximum(half, margin - half))


def _scale(sides: Sequence[Side | None]) -> _Scale:
    filled = [Side(math.nan, math.nan, 1.0) if side is None else side for side in sides]
    errors = [math.nan if side.error is None else side.error for side in filled]
    return _Scale(
        np.array([side.value for side in filled]),
        np.array(errors, dtype=np.float64),
        np.array([max(side.df, 1.0) for side in filled]),
    )


def _critical(df: _Array) -> _Array:
    """97.5 % quantiles of Student's t for 1 <= df, shape (n,)."""
    return np.asarray(np.exp(_log_quantiles()(1 / df)), dtype=np.float64)


@functools.cache
def _log_quantiles() -> Chebyshev:
    """Over 1 / df, in which the quantile's logarithm is smooth down to the normal one's at 0."""

    def at(inverse: _Array) -> list[float]:
        return [student_t_quantile(0.5 + CONFIDENCE / 2, 1 / float(one)) for one in inverse]

    return Chebyshev.interpolate(lambda u: np.log(at(u)), _DEGREE, domain=[0, 1])
