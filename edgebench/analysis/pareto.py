"""Pareto fronts: the candidates that no other one beats in everything that is wanted.

Who is on the front is decided by the figures' values; whether one that is not might be, by their
intervals. A dominator is always a member, so that a candidate that is beaten changes nothing for
any other one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench.analysis import compare, naming, questions, refusals, tiers, ties
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.cost import Cost
from edgebench.analysis.standings import Objective
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
    close: Mapping[str, str] = field(default_factory=dict)
    """Members that may be on it by noise alone: by name, the nearest member that is told apart as
    worse in no objective."""


class _Placed(NamedTuple):
    candidates: tuple[Candidate, ...]
    """In order of their points, and of their names where those are equal."""
    points: NDArray[np.float64]
    """Less is better, shape (candidates, objectives)."""
    figures: tuple[tuple[Figure, ...], ...]
    """Of each candidate, in the order of the objectives."""


def front(
    candidates: Sequence[Candidate],
    objectives: Sequence[Objective],
    *,
    allow_tiers: Sequence[str] = (),
    require_valid: bool = False,
    known: Collection[str] = (),
) -> Front:
    """The front of candidates that answer the same question.

    Members are found in O(n log n) for two objectives and in O(n * members) for more; naming who
    beats whom, and who is close to whom, takes O(n * members) always.

    Args:
        candidates: Of one question, in any order.
        objectives: One or more, each figure once.
        allow_tiers: As for `edgebench.analysis.recommend.recommend`, and so the others.
        require_valid: Whether suspect cells are left out, too.
        known: Names of all figures that there are, besides those that any candidate could have.

    Raises:
        UsageError: There is no candidate or no objective, a figure is named that there is not, or
            figures of several power tiers would be held against each other.
    """
    if not candidates or not objectives:
        raise UsageError("a front needs candidates and objectives")
    names = [one.name for one in objectives]
    naming.check(names, naming.figures(candidates) | frozenset(known))
    tiers.check_allowed(allow_tiers)
    left, left_out = [], []
    for one in sorted(candidates, key=lambda one: one.name):
        reasons = _reasons(one, names, allow_tiers, require_valid=require_valid)
        if reasons:
            left_out.append(LeftOut(one, reasons))
        else:
            left.append(one)
    tiers.check(left, names, allow_tiers)
    placed = _placed(left, objectives)
    best = undominated(placed.points)
    return Front(
        question=questions.words(candidates[0].row),
        objectives=tuple(objectives),
        members=tuple(placed.candidates[i] for i in np.flatnonzero(best)),
        dominated=_dominated(placed, best),
        left_out=tuple(left_out),
        close=_close(placed, np.flatnonzero(best)),
    )


def explained(front: Front, costs: Mapping[str, Cost]) -> Front:
    """The same, with why costs are not known in the place of that they were not measured.

    Args:
        front: Of candidates that were told their costs, or of others.
        costs: By name; those that there are.
    """
    left_out = []
    for one in front.left_out:
        of_it = costs.get(one.candidate.name)
        reasons = tuple(map(of_it.explained, one.reasons)) if of_it else one.reasons
        left_out.append(one._replace(reasons=reasons))
    return replace(front, left_out=tuple(left_out))


def _reasons(
    candidate: Candidate, names: Sequence[str], allowed: Sequence[str], *, require_valid: bool
) -> tuple[str, ...]:
    """Why it cannot be placed: what keeps it from ranking, figures that are missing."""
    found = dict.fromkeys(
        words
        for name in names
        for words in refusals.of(candidate, name, require_valid=require_valid)
    )
    for name in names:
        figure = candidate.figure(name)
        if figure is not None and not math.isfinite(figure.value):
            found[f"{name} is no finite number"] = None
    if outside := tiers.outside(candidate, names, allowed):
        found[outside] = None
    return tuple(found)


def _placed(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> _Placed:
    known = []
    for one in candidates:
        figures = [one.figure(objective.name) for objective in objectives]
        point = [
            objective.sign * figure.value + 0.0  # + 0.0: -0.0 is 0.0
            for objective, figure in zip(objectives, figures, strict=True)
            if figure is not None
        ]
        known.append((point, one.name, one, figures))
    known.sort(key=lambda placed: placed[:2])
    points = np.array([point for point, _, _, _ in known], dtype=np.float64)
    return _Placed(
        tuple(one for _, _, one, _ in known),
        points.reshape(len(known), len(objectives)),
        tuple(tuple(f for f in figures if f is not None) for _, _, _, figures in known),
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


def _dominated(placed: _Placed, best: NDArray[np.bool_]) -> tuple[Dominated, ...]:
    members = np.flatnonzero(best)
    found = []
    for i in np.flatnonzero(~best):
        point = placed.points[i]
        beat = members[(placed.points[members] <= point).all(axis=1)]
        away = _distance(placed.points[beat], point).tolist()
        names = [placed.candidates[j].name for j in beat]
        nearest = [j for _, _, j in sorted(zip(away, names, beat.tolist(), strict=True))]
        found.append(_named(placed, int(i), nearest))
    return tuple(found)


def _close(placed: _Placed, members: NDArray[np.intp]) -> dict[str, str]:
    points = placed.points[members]
    columns = [
        ties.Figures(some) for some in zip(*(placed.figures[i] for i in members), strict=True)
    ]
    found = {}
    for i, member in enumerate(members):
        as_good = points <= points[i]
        for k, figures in enumerate(columns):
            as_good[figures.tied(i), k] = True
        others = np.flatnonzero(as_good.all(axis=1))
        others = others[others != i]
        if len(others):
            nearest = others[np.argmin(_distance(points[others], points[i]))]
            name = placed.candidates[member].name
            found[name] = placed.candidates[members[nearest]].name
    return found


def _distance(members: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each is, whatever the units: differences over sums of sizes, added up."""
    sizes = np.abs(members) + np.abs(point)
    shares = np.abs(members - point) / np.where(sizes > 0, sizes, 1.0)
    return np.asarray(shares.sum(axis=1), dtype=np.float64)


def _named(placed: _Placed, one: int, nearest_first: Sequence[int]) -> Dominated:
    worse = placed.figures[one]
    surely = (other for other in nearest_first if _surely(placed.figures[other], worse))
    by = next(surely, None)
    named = placed.candidates[nearest_first[0] if by is None else by].name
    return Dominated(placed.candidates[one], named, sure=by is not None)


def _surely(better: Sequence[Figure], worse: Sequence[Figure]) -> bool:
    verdicts = set()
    for a, b in zip(better, worse, strict=True):
        verdicts.add(ties.verdict(a, b))
        if compare.CANNOT_TELL in verdicts:
            return False
    return ties.APART in verdicts
