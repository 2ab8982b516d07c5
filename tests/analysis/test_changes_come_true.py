"""What an answer says would have to change, done: then it is so."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from choosing import Asked, asked, row, spread
from hypothesis import given, settings

from edgebench.analysis.candidates import Candidate
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.figure import Figure
from edgebench.analysis.recommend import Answer, Change, Objective, recommend

_GAVE_WAY = re.compile(r"(\w+) (<=|>=) \S+ gave way to (?:<=|>=) (-?[\d.]+)")
_SENSES = {"<=": "max", ">=": "min"}


def loosened(given: Asked, change: Change) -> Asked:
    """The limits, as the sentence has them."""
    bounds = {
        (name, _SENSES[sign]): float(bound) for name, sign, bound in _GAVE_WAY.findall(change.words)
    }
    assert len(bounds) == len(change.breaks)
    limits = tuple(
        one._replace(bound=bounds.get((one.name, one.sense), one.bound)) for one in given.limits
    )
    return replace(given, limits=limits)


def moved(figure: Figure, value: float) -> Figure:
    """With another value, and as sure of it."""
    if figure.low is None or figure.high is None:
        return figure._replace(value=value)
    if figure.spread == "linear" or figure.value <= 0:
        by = value - figure.value
        return figure._replace(value=value, low=figure.low + by, high=figure.high + by)
    times = value / figure.value
    return figure._replace(value=value, low=figure.low * times, high=figure.high * times)


def places(answer: Answer) -> list[str]:
    return [one.candidate.name for one in answer.ranked]


def again(given: Asked, change: Change, value: float) -> Answer:
    """The answer if one candidate's objective had another value."""
    name = given.objective.name

    def other(one: Candidate) -> Candidate:
        if one.name != change.candidate:
            return one
        return replace(one, told={**one.told, name: moved(change.figure, value)})

    return given.answer(recommend, [other(one) for one in given.candidates()])


@settings(deadline=None, max_examples=300)
@given(asked())
def test_one_that_broke_limits_ranks_before_the_winner_once_they_give_way(given: Asked) -> None:
    before = given.answer(recommend)
    for change in before.alternatives:
        if change.kind == "limits" and all(one.needed is not None for one in change.breaks):
            found = places(loosened(given, change).answer(recommend))
            assert change.candidate in found
            if before.ranked:
                winner = before.ranked[0].candidate.name
                assert found.index(change.candidate) < found.index(winner)


@settings(deadline=None, max_examples=300)
@given(asked())
def test_the_runner_up_ties_and_wins_where_it_is_said_to(given: Asked) -> None:
    before = given.answer(recommend)
    if any(limit.name == given.objective.name for limit in given.limits):
        return
    for change in (one for one in before.alternatives if one.kind == "objective"):
        leader = before.ranked[0].candidate.name
        assert change.to_tie is not None
        tied = {one.candidate.name: one for one in again(given, change, change.to_tie).ranked}
        assert leader in tied[change.candidate].ties
        if change.to_win is not None:
            step = 1e-6 * max(abs(change.to_win), 1e-6)
            value = change.to_win - given.objective.sign * step
            first = [one for one in again(given, change, value).ranked if one.rank == 1]
            assert [one.candidate.name for one in first] == [change.candidate]


def test_with_sure_the_limit_gives_way_to_the_unit_that_reaches_furthest() -> None:
    steady = {"device_id": "a", **spread("latency_p50_ms", 40.0, 0.01)}
    shaky = {"device_id": "b", **spread("latency_p50_ms", 39.0, 0.30)}
    rows = (row(**steady), row(**shaky))
    limits = (Constraint("latency_p50_ms", "max", 33.0),)
    given = Asked(rows, limits, Objective("latency_p50_ms"), sure=True, prices_usd={})
    (change,) = given.answer(recommend).alternatives
    assert change.breaks[0].needed == pytest.approx(39.0 * 1.3)
    assert places(loosened(given, change).answer(recommend)) == [change.candidate]


def test_a_unit_that_breaks_a_limit_is_named_before_one_that_only_may() -> None:
    beyond = {"device_id": "a", **spread("latency_p50_ms", 34.0, 0.01)}
    within = {"device_id": "b", **spread("latency_p50_ms", 32.0, 0.30)}
    limits = (Constraint("latency_p50_ms", "max", 33.0),)
    rows = (row(**beyond), row(**within))
    given = Asked(rows, limits, Objective("latency_p50_ms"), sure=True, prices_usd={})
    (broken,) = given.answer(recommend).rejected[0].breaks
    assert broken.words == "latency_p50_ms 34 > 33 by 1 (3%) on a; 2 of 2 units"
