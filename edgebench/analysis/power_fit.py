"""Fitting a model of a unit's power to what a meter said: non-negative least squares, numpy only.

The stated error is of loads that had no part in the fit: each is left out in turn and told by the
others. Where the loads do not identify the terms, there is no model.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench.errors import EdgebenchError
from edgebench.power_model import Activity

_MAX_CONDITION = 30.0
"""Of the scaled columns: beyond it their coefficients cannot be told apart (Belsley, Kuh and
Welsch, "Regression Diagnostics", 1980)."""
_MIN_BUSY = 0.5
_MIN_SPREAD = 1.2
"""Highest frequency over the lowest: with less, a cubic term cannot be told from a linear one."""
_MIN_SPARE = 2
"""Loads beyond one a term: with none there is nothing left to see an error by."""

_MIN_FELT = 3.0
"""Errors of a load that all CPUs at work must add to what is drawn: a meter of something else says
the same whatever the CPUs do, and a model of that would come out with next to no error."""

_Array = NDArray[np.float64]


class NotIdentifiedError(EdgebenchError):
    """The loads do not tell the terms of a model apart; the words say which."""


class NotFeltError(EdgebenchError):
    """What the meter said has nothing to do with the loads; the words say how much it moved."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What the device did over a stretch, and what it drew."""

    load: str
    """Points of one load are left out together: they say the same."""
    activities: tuple[Activity, ...]
    """One a cluster."""
    power_w: float


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Terms of `edgebench.power_model.PowerModel`."""

    idle_w: float
    linear_w: tuple[float, ...]
    """One a cluster; so are the next."""
    cubic_w: tuple[float, ...]
    error_ratio: float
    loads: int


def fit(points: Sequence[Point]) -> Fit:
    """The terms that tell the loads best; cubic ones only where they tell unseen loads better.

    Raises:
        NotIdentifiedError: A cluster was not busy, two were always busy together, or there are too
            few loads.
        NotFeltError: The meter said nothing, or hardly anything of the loads.
    """
    if min((point.power_w for point in points), default=1.0) <= 0:
        raise NotFeltError("the meter says 0 W of a load")
    clusters = len(points[0].activities) if points else 0
    for place in range(clusters):
        if max(point.activities[place].busy for point in points) < _MIN_BUSY:
            raise NotIdentifiedError(f"cluster {place} was never busy")
    varied = [place for place in range(clusters) if _spread(points, place) >= _MIN_SPREAD]
    best = _fitted(points, ())
    if isinstance(best, str):
        raise NotIdentifiedError(best)
    for size in range(1, len(varied) + 1):
        for cubic in itertools.combinations(varied, size):
            other = _fitted(points, cubic)
            if not isinstance(other, str) and other.error_ratio < best.error_ratio:
                best = other
    _check_felt(best, points)
    return best


def _check_felt(found: Fit, points: Sequence[Point]) -> None:
    """Whether the loads made more of a difference than the model is wrong by.

    Raises:
        NotFeltError: They did not.
    """
    terms = [found.idle_w, *found.linear_w, *found.cubic_w]
    told_w = _design(points, range(len(found.linear_w))) @ np.array(terms)
    most_w, error_w = float(told_w.max()), found.error_ratio * float(told_w.max())
    if most_w - found.idle_w <= max(_MIN_FELT * error_w, 1e-3 * most_w):
        raise NotFeltError(
            f"from idle to all CPUs at work the meter says {found.idle_w:.2f} to {most_w:.2f} W, "
            f"the error being {error_w:.2f} W"
        )


def _spread(points: Sequence[Point], place: int) -> float:
    """Highest mean frequency of a cluster over its lowest; 1 where none is known."""
    known = [
        activity.busy_ghz / activity.busy
        for point in points
        if (activity := point.activities[place]).max_ghz is not None and activity.busy > 0
    ]
    return max(known) / min(known) if known and min(known) > 0 else 1.0


def _fitted(points: Sequence[Point], cubic: Sequence[int]) -> Fit | str:
    """With cubic terms of these clusters; why not, where the points do not tell the terms apart."""
    matrix, power_w = _design(points, cubic), np.array([point.power_w for point in points])
    loads = list(dict.fromkeys(point.load for point in points))
    if len(loads) < matrix.shape[1] + _MIN_SPARE:
        return f"{len(loads)} loads for {matrix.shape[1]} terms: {_MIN_SPARE} more are needed"
    if twins := _twins(matrix):
        clusters = matrix.shape[1] - 1 - len(cubic)
        return f"{' and '.join(_name(i, clusters) for i in twins)} cannot be told apart"
    errors = []
    for load in loads:
        kept = np.array([point.load != load for point in points])
        terms = nnls(matrix[kept], power_w[kept])
        errors.append(matrix[~kept] @ terms / power_w[~kept] - 1)
    terms = nnls(matrix, power_w)
    clusters = matrix.shape[1] - 1 - len(cubic)
    cubes = dict(zip(cubic, terms[1 + clusters :], strict=True))
    return Fit(
        idle_w=float(terms[0]),
        linear_w=tuple(terms[1 : 1 + clusters].tolist()),
        cubic_w=tuple(float(cubes.get(place, 0.0)) for place in range(clusters)),
        error_ratio=float(np.sqrt(np.mean(np.concatenate(errors) ** 2))),
        loads=len(loads),
    )


def _design(points: Sequence[Point], cubic: Sequence[int]) -> _Array:
    """A row a point: 1, each cluster's ``u * f``, and ``u * f^3`` of some."""
    return np.array(
        [
            [1.0]
            + [activity.busy_ghz for activity in point.activities]
            + [point.activities[place].busy_ghz3 for place in cubic]
            for point in points
        ]
    )


def _name(column: int, clusters: int) -> str:
    if column == 0:
        return "what it draws idle"
    return f"cluster {column - 1}" if column <= clusters else "a cubic term"


def _twins(matrix: _Array) -> list[int]:
    """Columns that cannot be told apart; empty where all can."""
    scaled = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-12)
    _, sizes, directions = np.linalg.svd(scaled, full_matrices=False)
    if sizes[-1] * _MAX_CONDITION >= sizes[0]:
        return []
    return sorted(int(i) for i in np.argsort(-np.abs(directions[-1]))[:2])


def nnls(matrix: _Array, target: NDArray[Any]) -> _Array:
    """``x >= 0`` with the least ``|matrix @ x - target|``.

    Source: Lawson and Hanson, "Solving Least Squares Problems" (1974), chapter 23. A coefficient
    below 0 would be a load that saves energy.

    Args:
        matrix: (n, k); its columns should be independent.
        target: (n,).
    """
    scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    scaled = matrix / scale
    columns = scaled.shape[1]
    x, free = np.zeros(columns), np.zeros(columns, dtype=bool)
    tiny = 1e-12 * max(1.0, float(np.linalg.norm(target)))
    for _ in range(3 * columns + 3):
        gain = scaled.T @ (target - scaled @ x)
        gain[free] = -np.inf
        if free.all() or gain.max() <= tiny:
            break
        free[int(gain.argmax())] = True
        while True:
            wanted = np.zeros(columns)
            wanted[free] = np.linalg.lstsq(scaled[:, free], target, rcond=None)[0]
            low = free & (wanted <= 0)
            if not low.any():
                break
            # As far towards it as no coefficient falls below 0; the one that would stays there.
            step = float(np.min(x[low] / np.maximum(x[low] - wanted[low], 1e-300)))
            x += step * (wanted - x)
            free &= ~(low & (x <= tiny))
            x[~free] = 0.0
            if not free.any():
                break
        x = np.where(free, wanted, 0.0)
    found: _Array = x / scale
    return found
