"""Which candidate to take: limits first, then one objective; what cannot be told apart is a tie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from edgebench.analysis import compare, constraints, questions
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.constraints import Break, Constraint


class Objective(NamedTuple):
    """What is made as small, or as large, as it goes."""

    name: str
    more_is_better: bool = False


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a candidate stands."""

    candidate: Candidate
    rank: int | None = None
    """1 is the best; those that cannot be told apart share one; None: it does not rank."""
    figure: Figure | None = None
    """Its objective."""
    ties: tuple[str, ...] = ()
    """Candidates that it cannot be told apart from, by name."""
    refusals: tuple[str, ...] = ()
    """Why it does not rank whatever its figures: invalid, fallback, not measured, another tier."""
    breaks: tuple[Break, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader should know of one that ranks: suspect, a limit within its interval ..."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The choice for one question, the best first, those that fell out last."""

    question: str
    """Its workload, and what is not usual."""
    objective: Objective
    constraints: tuple[Constraint, ...]
    standings: tuple[Standing, ...]
    changes: tuple[str, ...] = ()
    """What would have to change for another one to win, a line each."""

    @property
    def ranked(self) -> tuple[Standing, ...]:
        """Those that may be chosen, the best first."""
        return tuple(one for one in self.standings if one.rank is not None)

    @property
    def rejected(self) -> tuple[Standing, ...]:
        """Those that fell out."""
        return tuple(one for one in self.standings if one.rank is None)


def recommend(
    candidates: Sequence[Candidate],
    limits: Sequence[Constraint],
    objective: Objective,
    *,
    allow_tiers: Sequence[str] = (),
    require_valid: bool = False,
) -> Answer:
    """Rank the candidates of one question.

    Args:
        candidates: They answer the same question (`edgebench.analysis.candidates.of_rows`).
        limits: All must be kept; a figure that is missing keeps none.
        objective: What ranks those that are left.
        allow_tiers: Tiers of power whose figures count; several named are ranked together, and
            labelled. None named: all figures of power used must be of one tier.
        require_valid: Whether suspect cells fall out, too.

    Raises:
        UsageError: Figures of several power tiers would be ranked together.
    """
    del allow_tiers, require_valid
    standings = [_stand(one, limits, objective) for one in candidates]
    left = [one for one in standings if not one.refusals and not one.breaks]
    out = [one for one in standings if one.refusals or one.breaks]
    return Answer(
        question=questions.words(candidates[0].row),
        objective=objective,
        constraints=tuple(limits),
        standings=(*_ranked(left, objective), *sorted(out, key=lambda one: one.candidate.name)),
    )


def _stand(candidate: Candidate, limits: Sequence[Constraint], objective: Objective) -> Standing:
    figure = candidate.figure(objective.name)
    breaks = [constraints.judge(candidate, limit) for limit in limits]
    return Standing(
        candidate=candidate,
        figure=figure,
        refusals=_refusals(candidate, objective, figure),
        breaks=tuple(one for one in breaks if one is not None),
    )


def _refusals(candidate: Candidate, objective: Objective, figure: Figure | None) -> tuple[str, ...]:
    row = candidate.row
    found = []
    if row.get("status") != "ok":
        found.append(f"{row.get('status')}: {row.get('reason')}")
    elif row.get("validity") == "invalid":
        found.append(f"invalid: {row.get('caveats')}")
    elif row.get("fallback"):
        found.append(f"fallback: {row.get('fallback')} (ran {row.get('effective_precision')})")
    if figure is None and not found:
        found.append(f"{objective.name} was not measured")
    return tuple(found)


def _ranked(standings: Sequence[Standing], objective: Objective) -> list[Standing]:
    """In order, with ranks: of those left the best leads, and who ties with it shares its rank."""
    sign = -1 if objective.more_is_better else 1
    left = sorted(standings, key=lambda one: (sign * _value(one), one.candidate.name))
    found: list[Standing] = []
    while left:
        best = left[0]
        group = [one for one in left if one is best or tied(best, one)]
        found += [replace(one, rank=len(found) + 1) for one in group]
        left = [one for one in left if one not in group]
    return [_with_ties(one, found) for one in found]


def _with_ties(standing: Standing, others: Sequence[Standing]) -> Standing:
    ties = (one for one in others if one is not standing and tied(standing, one))
    return replace(standing, ties=tuple(one.candidate.name for one in ties))


def tied(one: Standing, other: Standing) -> bool:
    """Whether two cannot be told apart by the objective, or are the same for every purpose."""
    a, b = one.figure, other.figure
    if a is None or b is None:
        return False
    if a.exact and b.exact:
        return a.value == b.value
    left, right = (compare.Summary(f.value, f.low, f.high, f.launches) for f in (a, b))
    return compare.summaries(left, right).verdict in {compare.SAME, compare.CANNOT_TELL}


def _value(standing: Standing) -> float:
    return standing.figure.value if standing.figure else 0.0
