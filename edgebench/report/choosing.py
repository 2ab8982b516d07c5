"""From rows to answers: what was asked, and everything that is decided of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from edgebench.analysis import (
    candidates,
    capacity,
    cost,
    directions,
    pareto,
    published,
    questions,
    refusals,
)
from edgebench.analysis.candidates import Candidate, Cells
from edgebench.analysis.constraints import Break, Constraint
from edgebench.analysis.cost import Cost, Need
from edgebench.analysis.pareto import Front
from edgebench.analysis.recommend import Answer, Objective, Standing, recommend
from edgebench.errors import UsageError, plain
from edgebench.report.columns import BY_NAME, COLUMNS

_Row = TypeVar("_Row", bound=Cells)
OBJECTIVE = Objective("latency_p50_ms")
_FIGURES = frozenset(column.name for column in COLUMNS if column.kind != "str")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A decision to make."""

    limits: tuple[Constraint, ...] = ()
    objective: Objective | None = None
    """None: what so many cameras cost (`edgebench.analysis.cost.comparable`) where there is a need
    and that is known, else the median latency."""
    workloads: tuple[str, ...] = ()
    """Empty: each one that there are results of."""
    prices_usd: Mapping[str, float] = field(default_factory=dict)
    """By device; they go before published ones."""
    allow_tiers: tuple[str, ...] = ()
    require_valid: bool = False
    sure: bool = False
    each_unit: bool = False
    front: tuple[Objective, ...] = ()
    """Of these figures the front, too."""
    need: Need | None = None
    """What so many cameras cost, too; limits and objectives may then name those figures."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What was decided of one question."""

    answer: Answer
    costs: tuple[Cost, ...] = ()
    """Of each candidate, in the order of the answer's standings; empty where nothing was needed.
    Several tiers of power may be among them, each told: no cost that holds power ranks them."""
    front: Front | None = None
    """Of the candidates that rank; None where none was asked for, or nothing ranks."""
    allow_tiers: tuple[str, ...] = ()
    """As asked."""
    named: bool = True
    """Whether what to rank by was said."""


def backwards(asked: Asked) -> list[str]:
    """What of a question asks for the worse of a figure: no mistake, and seldom meant."""
    found = []
    for limit in asked.limits:
        if directions.more_is_better(limit.name) is (limit.sense == "max"):
            other = "min" if limit.sense == "max" else "max"
            found.append(f"{limit.words} keeps the worse ones: did you mean --{other}?")
    name, more = asked.objective or OBJECTIVE
    if directions.more_is_better(name) is not more and directions.more_is_better(name) is not None:
        other = "minimise" if more else "maximise"
        found.append(f"the worst {name} ranks first: did you mean --{other} {name}?")
    return found


def objective(
    minimise: str | None, maximise: str | None, front: Sequence[Objective] = ()
) -> Objective | None:
    """What to rank by; the first of the front, or None, where nothing is said.

    Raises:
        UsageError: Both are said.
    """
    if minimise and maximise:
        raise UsageError("rank by one figure: minimise or maximise")
    if minimise or maximise:
        return Objective(maximise or minimise or "", more_is_better=bool(maximise))
    return front[0] if front else None


def decide(rows: Sequence[Cells], asked: Asked) -> tuple[Decided, ...]:
    """A decision for each question that the rows hold.

    Args:
        rows: The newest of each (device_id, case_id), or all runs.
        asked: Limits, objective, workloads.

    Raises:
        UsageError: A workload has no results, a figure does not exist, a price is none, or power
            figures of several tiers would be ranked together.
    """
    _check_names(asked)
    wanted = of_workloads(rows, asked.workloads)
    questioned, groups = by_question(wanted, asked)
    if asked.need is None:
        return tuple(
            _decided(group, (), asked, question)
            for group, question in zip(groups, questioned, strict=True)
        )
    known = capacity.evidence(wanted)
    found = [[cost.estimate(one, asked.need, known) for one in group] for group in groups]
    named = asked.objective is not None
    if not named:
        asked = replace(asked, objective=_cheapest(found, asked))
    made = (
        _decided([one.told for one in some], some, asked, question)
        for some, question in zip(found, questioned, strict=True)
    )
    return tuple(replace(one, named=named) for one in made)


def by_question(rows: Sequence[Cells], asked: Asked) -> tuple[list[str], list[list[Candidate]]]:
    """Each question in words, and the candidates of each, with what is published of them.

    Args:
        rows: As `decide`, whatever their workload.
        asked: Prices, and whether each unit is a candidate.

    Raises:
        UsageError: A price is none.
    """
    devices = sorted({str(row.get("device")) for row in rows})
    told = published.of_devices(devices, asked.prices_usd)
    groups = candidates.of_rows(rows, told, each_unit=asked.each_unit)
    return questions.names([group[0].row for group in groups]), groups


def _cheapest(costs: Iterable[Sequence[Cost]], asked: Asked) -> Objective:
    """What who buys means that says nothing else: the least money, in all questions alike."""
    fit = [
        one
        for some in costs
        for one in some
        if not refusals.unfit(one.candidate, require_valid=asked.require_valid)
    ]
    name = cost.comparable(fit, asked.allow_tiers)
    return Objective(name) if name else OBJECTIVE


def answers(rows: Sequence[Cells], asked: Asked) -> tuple[Answer, ...]:
    """The answers alone, see `decide`."""
    return tuple(one.answer for one in decide(rows, asked))


def _check_names(asked: Asked) -> None:
    named = (asked.objective or OBJECTIVE).name
    for name in (named, *(limit.name for limit in asked.limits)):
        if name in BY_NAME and name not in _FIGURES:
            raise UsageError(f"{name} is no number", remedy="limit and rank by figures")
        if name in cost.NAMES and asked.need is None:
            raise UsageError(f"{name} is of a need", remedy="state it: --cameras and --fps")


def of_workloads(rows: Sequence[_Row], wanted: Sequence[str]) -> list[_Row]:
    """Rows of some workloads; all where none is named.

    Raises:
        UsageError: There are no results of a workload, or none at all.
    """
    known = sorted({str(row.get("workload")) for row in rows})
    for name in wanted:
        if name not in known:
            there = plain(", ".join(known))
            raise UsageError(f"there are no results of workload {name!r}", remedy=f"of: {there}")
    if not known:
        raise UsageError("there are no results", remedy="edgebench run makes some")
    return [row for row in rows if not wanted or row.get("workload") in wanted]


def _decided(
    group: Sequence[Candidate], found: Sequence[Cost], asked: Asked, question: str
) -> Decided:
    costs = {one.candidate.name: one for one in found}
    answer = recommend(
        group,
        asked.limits,
        asked.objective or OBJECTIVE,
        allow_tiers=asked.allow_tiers,
        require_valid=asked.require_valid,
        sure=asked.sure,
        known=_known(asked),
    )
    answer = replace(answer, question=question)
    if costs:
        answer = replace(
            answer,
            standings=tuple(_why(one, costs[one.candidate.name]) for one in answer.standings),
        )
    ordered = tuple(costs[one.candidate.name] for one in answer.standings) if costs else ()
    front = _front(answer, asked)
    if front is not None:
        front = pareto.explained(front, costs)
    return Decided(answer=answer, costs=ordered, front=front, allow_tiers=asked.allow_tiers)


def _why(standing: Standing, one: Cost) -> Standing:
    """Why a cost is not known, in the place of that it was not measured."""

    def explained(broken: Break) -> Break:
        unknown = broken.figure is None
        return broken._replace(words=one.explained(broken.words)) if unknown else broken

    return replace(
        standing,
        refusals=tuple(map(one.explained, standing.refusals)),
        breaks=tuple(map(explained, standing.breaks)),
    )


def _front(answer: Answer, asked: Asked) -> Front | None:
    ranking = [one.candidate for one in answer.ranked]
    if not asked.front or not ranking:
        return None
    front = pareto.front(
        ranking,
        asked.front,
        allow_tiers=asked.allow_tiers,
        require_valid=asked.require_valid,
        known=_known(asked),
    )
    return replace(front, question=answer.question)


def _known(asked: Asked) -> frozenset[str]:
    """Names of all figures that there are, measured or not."""
    return _FIGURES | frozenset(cost.NAMES if asked.need else ())
