"""Pareto fronts: the candidates that no other one beats in everything that is wanted.

Who is on the front is decided by the figures' values; whether one that is not might be, by their
intervals. A dominator is always a member, so that a candidate that is beaten changes nothing for
any other one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench.analysis import apart, compare, questions, refusals
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.recommend import Objective
from edgebench.errors import UsageError

_PLANE = 2
"""Objectives for which one sweep is enough."""


class Dominated(NamedTuple):
    """A candidate that another one beats: nowhere worse, somewhere better."""

    candidate: Candidate
    by: str
    """The member that does so and is nearest: of those that surely do, if any does."""
    sure: bool
    """Told apart in one objective at least, and in each other one told apart or the same for every
    purpose. If not, it may belong to the front."""


class LeftOut(NamedTuple):
    """A candidate that cannot be placed."""

    candidate: Candidate
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Front:
    """The front of one question."""

    question: str
    """Its workload, and what is not usual."""
    objectives: tuple[Objective, ...]
    members: tuple[Candidate, ...]
    """The best by the first objective first; exact duplicates are all there."""
    dominated: tuple[Dominated, ...]
    """In the same order."""
    left_out: tuple[LeftOut, ...]
    """By name."""


class _Placed(NamedTuple):
    candidate: Candidate
    figures: tuple[Figure, ...]


def front(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> Front:
    """The front of candidates that answer the same question.

    Members are found in O(n log n) for two objectives and in O(n * members) for more; naming who
    beats whom takes O(n * members) always.

    Args:
        candidates: Of one question, in any order.
        objectives: One or more, each figure once.

    Raises:
        UsageError: There is no candidate or no objective.
    """
    if not candidates or not objectives:
        raise UsageError("a front needs candidates and objectives")
    placed: list[_Placed] = []
    left_out = []
    for one in candidates:
        reasons = _reasons(one, objectives)
        if reasons:
            left_out.append(LeftOut(one, reasons))
        else:
            figures = (one.figure(objective.name) for objective in objectives)
            placed.append(_Placed(one, tuple(f for f in figures if f is not None)))
    signs = [-1.0 if one.more_is_better else 1.0 for one in objectives]
    points = np.array([[f.value for f in one.figures] for one in placed], dtype=np.float64)
    points = points.reshape(len(placed), len(signs)) * signs + 0.0  # + 0.0: -0.0 is 0.0
    order = sorted(range(len(placed)), key=lambda i: (*points[i], placed[i].candidate.name))
    placed, points = [placed[i] for i in order], points[order]
    best = undominated(points)
    return Front(
        question=questions.words(candidates[0].row),
        objectives=tuple(objectives),
        members=tuple(one.candidate for one, is_best in zip(placed, best, strict=True) if is_best),
        dominated=_dominated(placed, points, best),
        left_out=tuple(sorted(left_out, key=lambda one: one.candidate.name)),
    )


def undominated(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other one beats: nowhere larger, somewhere smaller.

    Source: Kung, Luccio, Preparata (1975), "On Finding the Maxima of a Set of Vectors", Journal of
    the ACM 22(4): in the plane, sort and sweep.

    Args:
        points: Finite, less is better, shape (points, objectives).

    Returns:
        Shape (points,); equal points stand or fall together.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=np.bool_)
    # In lexicographic order a point can only be beaten by an earlier one.
    unique, place = np.unique(points, axis=0, return_inverse=True)
    if unique.shape[1] == 1:
        best = np.arange(len(unique)) == 0
    elif unique.shape[1] == _PLANE:
        lowest = np.minimum.accumulate(unique[:, 1])
        best = np.concatenate([[True], unique[1:, 1] < lowest[:-1]])
    else:
        best = _swept(unique)
    found: NDArray[np.bool_] = best[place.reshape(-1)]  # numpy 2.0 gives it another shape
    return found


def _swept(unique: NDArray[np.float64]) -> NDArray[np.bool_]:
    best = np.zeros(len(unique), dtype=np.bool_)
    kept, count = np.empty_like(unique), 0
    for i, point in enumerate(unique):
        if not (kept[:count] <= point).all(axis=1).any():
            best[i] = True
            kept[count] = point
            count += 1
    return best


def _reasons(candidate: Candidate, objectives: Sequence[Objective]) -> tuple[str, ...]:
    """Why it cannot be placed: what keeps it from ranking, figures that are missing."""
    if unfit := refusals.unfit(candidate):
        return unfit
    found = []
    for objective in objectives:
        figure = candidate.figure(objective.name)
        if figure is None:
            found.append(f"{objective.name} was not measured")
        elif not math.isfinite(figure.value):
            found.append(f"{objective.name} is no finite number")
    return tuple(found)


def _dominated(
    placed: Sequence[_Placed], points: NDArray[np.float64], best: NDArray[np.bool_]
) -> tuple[Dominated, ...]:
    member_points = points[best]
    members = [one for one, is_best in zip(placed, best, strict=True) if is_best]
    found = []
    for one, point, is_best in zip(placed, points, best, strict=True):
        if not is_best:
            beat = np.flatnonzero((member_points <= point).all(axis=1))
            away = _distance(member_points[beat], point)
            names = (members[i].candidate.name for i in beat)
            ranked = sorted(zip(away.tolist(), names, beat.tolist(), strict=True))
            found.append(_named(one, [members[i] for _, _, i in ranked]))
    return tuple(found)


def _distance(members: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each is, whatever the units: differences over sums of sizes, added up."""
    sizes = np.abs(members) + np.abs(point)
    found: NDArray[np.float64] = (np.abs(members - point) / np.where(sizes > 0, sizes, 1.0)).sum(
        axis=1
    )
    return found


def _named(one: _Placed, nearest_first: Sequence[_Placed]) -> Dominated:
    known = all(apart.ends(figure) is not None for figure in one.figures)
    for member in nearest_first if known else ():
        if _surely(member.figures, one.figures):
            return Dominated(one.candidate, member.candidate.name, sure=True)
    return Dominated(one.candidate, nearest_first[0].candidate.name, sure=False)


def _surely(better: Sequence[Figure], worse: Sequence[Figure]) -> bool:
    verdicts = {apart.verdict(a, b) for a, b in zip(better, worse, strict=True)}
    return apart.APART in verdicts and compare.CANNOT_TELL not in verdicts
