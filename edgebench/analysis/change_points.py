"""Where the level of a short series changes: few points, each with an error of its own.

The largest t of all places where the series may be parted (Worsley 1979, JASA 74), again in each
part (binary segmentation, Vostrikova 1981). The spread is that of neighbours' differences (von
Neumann 1941), which other changes do not inflate as they do a part's variance, without the
difference at the place itself. What t must exceed is simulated for the series' own length and
errors, so that a series without a change is left whole in 95 %, however short it is: penalties as
PELT's hold for long ones.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench.stats import CONFIDENCE, middle

MIN_POINTS = 5
MIN_PART = 2
"""A single point is told from a slip of its own by nothing."""
_SIMULATED, _CELLS = 20_000, 400_000
"""Series without a change, fewer of long ones: their points together."""
_CHI2_MEDIAN = 0.4549364
"""Median of a squared standard normal."""
_HALVINGS = 30
_SMALL_T = 2.0
"""No series is parted by less, so that most need no simulation."""
_STEPS = 20
"""Errors are told apart in so many steps of the largest: like series share a simulation."""

_Array = NDArray[np.float64]


class ChangePoint(NamedTuple):
    """A change of level."""

    first: int
    """The first point of the new level."""
    p_value: float
    """How often a part without a change would look like this one."""


def change_points(values: _Array, errors: _Array) -> list[ChangePoint]:
    """Where the level changes, in order.

    Args:
        values: In time's order, of any unit (logarithms for ratios), shape (n,).
        errors: The standard error that each is known to have, 0 where none is known, shape (n,).
            What else moves a point from its level is estimated, and the same for all.
    """
    found: list[ChangePoint] = []
    left = [(0, len(values))]
    while left:
        first, last = left.pop()
        one = _largest(values[first:last], errors[first:last])
        if one is not None:
            cut = first + one.first
            found.append(ChangePoint(cut, one.p_value))
            left += [(first, cut), (cut, last)]
    return sorted(found)


def _largest(values: _Array, errors: _Array) -> ChangePoint | None:
    n = len(values)
    if n < MIN_POINTS:
        return None
    variance = _variances(values, errors)
    if not variance.any():  # nothing ever moved
        return None
    # Launches tell how far runs must lie apart at the least; chance alone may bring a few nearer.
    floor = float(np.mean(errors**2) / np.mean(variance))
    t = _t(values[np.newaxis], variance, floor)[0]
    place = int(np.argmax(t))
    if t[place] < _SMALL_T:
        return None
    shares = np.ceil(_STEPS * variance / variance.max()).astype(int)
    by_chance = _by_chance(tuple(shares.tolist()))
    beyond = len(by_chance) - int(np.searchsorted(by_chance, t[place]))
    p_value = (beyond + 1) / (len(by_chance) + 1)
    return ChangePoint(place + MIN_PART, p_value) if p_value <= 1 - CONFIDENCE else None


def _variances(values: _Array, errors: _Array) -> _Array:
    """Of each point: its own error, and what is common to all, from neighbours' differences.

    The median of these knows nothing of a change or two. It is as large as it should be where the
    common part is right, so that is halved towards.
    """
    squares = np.diff(values) ** 2
    own = errors[1:] ** 2 + errors[:-1] ** 2
    low, high = 0.0, float(squares.max())
    for _ in range(_HALVINGS):
        common = (low + high) / 2
        too_small = middle(squares / (2 * common + own)) > _CHI2_MEDIAN if common else False
        low, high = (common, high) if too_small else (low, common)
    return np.asarray(errors**2 + high)


def _t(values: _Array, variance: _Array, floor: float = 0.0) -> _Array:
    """The t of each place where series may be parted, shape (series, n - 2 MIN_PART + 1).

    Args:
        values: Shape (series, n).
        variance: Of each point but for a common factor, shape (n,); 0 counts as the smallest.
        floor: What that factor is at the least.
    """
    n = values.shape[1]
    weight = 1 / np.maximum(variance, variance.max() * 1e-6)
    cuts = slice(MIN_PART - 1, n - MIN_PART)
    before = np.cumsum(weight)[cuts]
    after = weight.sum() - before
    sums = np.cumsum(values * weight, axis=1)
    means = sums[:, cuts] / before - (sums[:, -1:] - sums[:, cuts]) / after
    squares = np.diff(values, axis=1) ** 2 / (variance[1:] + variance[:-1])
    factor = (squares.sum(axis=1, keepdims=True) - squares[:, cuts]) / (n - 2)
    spread = np.sqrt(np.maximum(factor, floor) * (1 / before + 1 / after))
    return np.asarray(np.abs(means) / np.maximum(spread, np.finfo(np.float64).tiny))


@lru_cache(maxsize=512)
def _by_chance(shares: tuple[int, ...]) -> _Array:
    """The largest t of series without a change, sorted; of points with these shares of variance."""
    variance = np.array(shares, dtype=np.float64)
    rng = np.random.default_rng(len(shares))
    count = min(_SIMULATED, _CELLS // len(shares))
    series = rng.standard_normal((count, len(shares))) * np.sqrt(variance)
    return np.asarray(np.sort(_t(series, variance).max(axis=1)))
