"""Which candidate to take: limits first, then one objective; what cannot be told apart is a tie."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from edgebench.analysis import (
    alternatives,
    constraints,
    naming,
    questions,
    ranking,
    refusals,
    tiers,
)
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.figure import text
from edgebench.analysis.standings import Answer, Change, Objective, Standing
from edgebench.errors import UsageError

__all__ = ["Answer", "Change", "Objective", "Standing", "recommend"]

_SHOWN_CHANGES = 5


def recommend(
    candidates: Sequence[Candidate],
    limits: Sequence[Constraint],
    objective: Objective,
    *,
    allow_tiers: Sequence[str] = (),
    require_valid: bool = False,
    sure: bool = False,
    known: Collection[str] | None = None,
) -> Answer:
    """Rank the candidates of one question.

    Each is judged by itself: whether it ranks, which limits it breaks and by how much depends on no
    other one, and a tie on no third one.

    Args:
        candidates: They answer the same question (`edgebench.analysis.candidates.of_rows`).
        limits: All must be kept, by every unit; a figure that is missing keeps none.
        objective: What ranks those that are left.
        allow_tiers: Tiers of power whose figures count; several named are ranked together, and
            labelled. None named: all figures of power used must be of one tier.
        require_valid: Whether suspect cells fall out, too, and imported ones, which nobody judged.
        sure: Whether limits must be kept by the whole 95 % interval.
        known: Names of all figures that there are; those that any candidate could have where not
            told (`edgebench.analysis.naming.figures`).

    Raises:
        UsageError: A figure is named that there is not; limits contradict each other; figures of
            several power tiers would be ranked together; there is nothing to choose from.
    """
    limits = constraints.together(limits)
    names = list(dict.fromkeys([objective.name, *(limit.name for limit in limits)]))
    _check(candidates, names, allow_tiers, known or ())
    judged = [
        replace(_stand(one, limits, objective, sure=sure), refusals=why)
        for one in sorted(candidates, key=lambda one: one.name)
        for why in [_refused(one, names, allow_tiers, require_valid=require_valid)]
    ]
    tiers.check([one.candidate for one in judged if not one.refusals], names, allow_tiers)
    standings = _in_order(judged, limits, objective, allow_tiers)
    changes = alternatives.of(standings, objective, allow_tiers)
    return Answer(
        question=questions.words(judged[0].candidate.row),
        objective=objective,
        constraints=limits,
        standings=standings,
        changes=tuple(one.words for one in changes[:_SHOWN_CHANGES]),
        alternatives=changes,
    )


def _check(
    candidates: Sequence[Candidate],
    names: Sequence[str],
    allowed: Sequence[str],
    known: Collection[str],
) -> None:
    if not candidates:
        raise UsageError("there is nothing to choose from", remedy="see: edgebench report")
    naming.check(names, naming.figures(candidates) | frozenset(known))
    tiers.check_allowed(allowed)


def _in_order(
    judged: Sequence[Standing],
    limits: Sequence[Constraint],
    objective: Objective,
    allowed: Sequence[str],
) -> tuple[Standing, ...]:
    """Those that may be chosen with their ranks and notes, then those that fell out."""
    names = [objective.name, *(limit.name for limit in limits)]
    left = [one for one in judged if not one.refusals and not one.breaks]
    out = [one for one in judged if one.refusals or one.breaks]
    noted = [_noted(one, limits, names, allowed) for one in left]
    return (*ranking.ranked(noted, objective), *out)


def _refused(
    candidate: Candidate, names: Sequence[str], allowed: Sequence[str], *, require_valid: bool
) -> tuple[str, ...]:
    found = refusals.of(candidate, names[0], require_valid=require_valid)
    other = tiers.outside(candidate, names, allowed)
    return (*found, other) if other else found


def _stand(
    candidate: Candidate, limits: Sequence[Constraint], objective: Objective, *, sure: bool
) -> Standing:
    judged = (constraints.judge(candidate, limit, sure=sure) for limit in limits)
    # Of what did not end well everything is missing: that is told once, as its refusal.
    failed = any(text(row, "status") not in {"", "ok"} for row in candidate.rows)
    return Standing(
        candidate=candidate,
        figure=candidate.figure(objective.name),
        breaks=tuple(one for one in judged if one and not (failed and one.figure is None)),
    )


def _noted(
    standing: Standing, limits: Sequence[Constraint], names: Sequence[str], allowed: Sequence[str]
) -> Standing:
    candidate = standing.candidate
    found = [constraints.note(candidate, limit) for limit in limits]
    found += refusals.notes(candidate, names[0])
    found.append(tiers.note(candidate, names, allowed))
    return replace(standing, notes=tuple(filter(None, found)))
