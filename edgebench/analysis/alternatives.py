"""What would have to change for another candidate to win, the least change first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgebench.analysis import pairing, tiers
from edgebench.analysis.constraints import Break
from edgebench.analysis.figure import Figure, stated, told, told_beyond
from edgebench.analysis.standings import Change, Objective, Standing
from edgebench.analysis.ties import Figures, margin_ratio, tied

_BISECTIONS = 60
_DOUBLINGS = 24
_KINDS = ("objective", "limits", "mend")


def of(
    standings: Sequence[Standing], objective: Objective, allowed: Sequence[str] = ()
) -> tuple[Change, ...]:
    """Changes for the runner-up, and for all that fell out though they would be the best.

    The runner-up is the best of rank 2. Of what fell out only those are told whose objective is
    surely better than the winner's; where nothing ranks, all that have one. An objective that is
    never held against the others' (another load, another tier of power) is no better one.

    Args:
        standings: In order, with ranks and ties.
        objective: As asked.
        allowed: Tiers of power that count; see `edgebench.analysis.tiers.outside`.
    """
    first = [one for one in standings if one.rank == 1]
    runner_up = next((one for one in standings if one.rank == 2), None)  # noqa: PLR2004 - its rank
    leader = first[0] if first else None
    found = []
    if runner_up is not None and runner_up.figure is not None:
        found.append(_of_runner_up(runner_up, first, objective))
    found += [
        _of_rejected(one, one.figure, leader)
        for one in standings
        if one.rank is None and one.figure is not None
        if _comparable(one, objective, allowed) and _better(one, leader, objective)
    ]
    return tuple(sorted(found, key=_least))


def _least(change: Change) -> tuple[int, int, float, str]:
    unknown = sum(one.excess is None for one in change.breaks)
    beyond = math.fsum(_share(one) for one in change.breaks)
    return _KINDS.index(change.kind), unknown, beyond, change.candidate


def _share(broken: Break) -> float:
    ratio = broken.excess_ratio
    return (broken.excess or 0.0) if ratio is None else ratio


def _comparable(one: Standing, objective: Objective, allowed: Sequence[str]) -> bool:
    other_load = pairing.obstacle_of(objective.name, one.candidate.row, {})
    return not other_load and not tiers.outside(one.candidate, [objective.name], allowed)


def _better(one: Standing, leader: Standing | None, objective: Objective) -> bool:
    """Whether its objective is surely better than the winner's."""
    if leader is None or one.figure is None or leader.figure is None:
        return leader is None
    ahead = objective.sign * (one.figure.value - leader.figure.value) < 0
    return ahead and not tied(one.figure, leader.figure, margin_ratio(objective.name))


def _of_rejected(one: Standing, figure: Figure, leader: Standing | None) -> Change:
    needs = [_need(broken) for broken in one.breaks]
    if one.refusals:
        needs = [f"it were mended ({'; '.join(one.refusals)}) and kept its figure", *needs]
    before = "would rank" if leader is None else f"would rank before {leader.candidate.name}"
    return Change(
        candidate=one.candidate.name,
        kind="mend" if one.refusals else "limits",
        figure=figure,
        breaks=one.breaks,
        refusals=one.refusals,
        words=f"{one.candidate.name} {before} if {' and '.join(needs)}",
    )


def _need(broken: Break) -> str:
    limit = broken.constraint
    if broken.needed is None and broken.figure is None:
        return f"its {limit.name} were known and kept {limit.words}"
    if broken.needed is None:
        return f"it were measured so that {limit.words} is sure"
    than = "<=" if limit.sense == "max" else ">="
    exact = broken.figure is not None and broken.figure.exact
    enough = stated(broken.needed) if exact else told_beyond(broken.needed, more=than == "<=")
    return f"{limit.words} gave way to {than} {enough}"


def _of_runner_up(one: Standing, first: Sequence[Standing], objective: Objective) -> Change:
    figure, leader = one.figure, first[0].figure
    if figure is None or leader is None:
        raise ValueError("what ranks has a figure")
    best = [other.figure for other in first if other.figure is not None]
    margin = margin_ratio(objective.name)
    to_tie = _between(
        leader.value, figure.value, lambda at: tied(_moved(figure, at), leader, margin)
    )
    to_win = _beyond(figure, best, objective)
    verb = "rose" if objective.more_is_better else "fell"
    by = abs(figure.value - to_tie)
    share = f" ({by / abs(figure.value):.0%})" if figure.value else ""
    words = f"{one.candidate.name} would tie with {first[0].candidate.name} if its "
    words += f"{objective.name} {verb} by {told(by)}{share} to {told(to_tie)}"
    if to_win is not None:
        past = "above" if objective.more_is_better else "below"
        words += f", and win {past} {told(to_win)}"
    return Change(
        candidate=one.candidate.name,
        kind="objective",
        figure=figure,
        to_tie=to_tie,
        to_win=to_win,
        words=words,
    )


def _beyond(figure: Figure, best: Sequence[Figure], objective: Objective) -> float | None:
    """The value past which it is told apart from all of rank 1, as the better one."""
    margin = margin_ratio(objective.name)

    def beside(at: float) -> bool:
        return len(Figures([_moved(figure, at), *best], margin).tied(0)) > 1

    edge = min(objective.sign * other.value for other in best) * objective.sign
    step = max(abs(edge), abs(figure.value - edge)) / 2**10
    for doubled in range(_DOUBLINGS):
        at = edge - objective.sign * step * 2**doubled
        if not _reachable(figure, at):
            # Nothing is below 0: halve what is left instead.
            at = edge / 2 ** (doubled + 1)
        if not beside(at):
            return _between(edge, at, beside) if beside(edge) else edge
    return None


def _reachable(figure: Figure, at: float) -> bool:
    return figure.spread == "linear" or figure.value <= 0 or at > 0


def _moved(figure: Figure, at: float) -> Figure:
    """The figure with another value, as sure as it is: in percent, or in its unit."""
    low, high = figure.low, figure.high
    if low is None or high is None:
        return figure._replace(value=at)
    if figure.spread == "linear" or figure.value <= 0:
        return figure._replace(value=at, low=low + at - figure.value, high=high + at - figure.value)
    times = at / figure.value
    return figure._replace(value=at, low=low * times, high=high * times)


def _between(holds: float, fails: float, holds_at: Callable[[float], bool]) -> float:
    """The last value that holds, on the way from one that does to one that does not."""
    for _ in range(_BISECTIONS):
        middle = (holds + fails) / 2
        holds, fails = (middle, fails) if holds_at(middle) else (holds, middle)
    return holds
