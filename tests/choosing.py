"""What every choice must keep, as checks on any `recommend`, and faults that they must find."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from edgebench.analysis import candidates as made
from edgebench.analysis import recommend as real
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.recommend import Answer, Objective, Standing

Recommend = Callable[..., Answer]
Row = dict[str, object]
ROW: Row = {
    "run_id": "20260101T000000Z-000001",
    "case_id": "c0ffee",
    "device": "pi5",
    "device_id": "pi5",
    "device_setup": None,
    "imported_from": None,
    "workload": "mnist_cnn",
    "workload_version": 1,
    "backend": "litert",
    "backend_version": "1.0",
    "format": "tflite",
    "precision": "fp32",
    "effective_precision": "fp32",
    "accelerator": "cpu",
    "threads": 1,
    "batch": 1,
    "streams": 1,
    "scenario": "single_stream",
    "region": "invoke",
    "engine": "edgebench",
    "tuning": "native",
    "parameters": None,
    "options": None,
    "status": "ok",
    "reason": None,
    "validity": "valid",
    "caveats": None,
    "fallback": None,
    "launches": 6,
    "latency_p50_ms": None,
    "latency_p99_ms": None,
    "load_ms": None,
    "top1_ratio": None,
    "top1_samples": None,
    "energy_net_mj": None,
    "power_w": None,
    "power_tier": None,
    "power_launches": None,
    "power_reason": None,
}
"""A row that was measured, and of which no figure is known."""


def row(**changes: object) -> Row:
    return {**ROW, **changes}


def spread(name: str, value: float, half_ratio: float) -> Row:
    """A figure with its interval, as far below as above it."""
    stem, _, unit = name.rpartition("_")
    half = half_ratio * abs(value)
    return {name: value, f"{stem}_lo_{unit}": value - half, f"{stem}_hi_{unit}": value + half}


@dataclass(frozen=True)
class Asked:
    """What is given to `recommend`."""

    rows: tuple[Row, ...]
    limits: tuple[Constraint, ...]
    objective: Objective
    sure: bool
    prices_usd: dict[str, float]

    def told(self) -> dict[str, dict[str, Figure]]:
        return {k: {"price_usd": Figure(v, exact=True)} for k, v in self.prices_usd.items()}

    def candidates(self) -> list[Candidate]:
        (found,) = made.of_rows(self.rows, self.told())
        return found

    def answer(self, recommend: Recommend, candidates: Sequence[Candidate] | None = None) -> Answer:
        chosen = self.candidates() if candidates is None else candidates
        return recommend(chosen, self.limits, self.objective, sure=self.sure)


_HALVES = st.sampled_from([0.001, 0.01, 0.05, 0.3])
_LATENCIES = st.sampled_from([1.0, 1.01, 1.1, 2.0, 2.5, 5.0, 10.0])
_ENERGIES = st.sampled_from([1.0, 1.05, 3.0, 9.0, 0.0, -0.5, None])
_STATES = st.sampled_from([*[{}] * 12, {"validity": "suspect"}, {"validity": "invalid"}])
_FAILED = {"status": "failed", "reason": "no such operator", "validity": None, "launches": 0}
_BOUNDS = {
    "latency_p50_ms": [1.0, 1.05, 2.0, 3.0, 12.0],
    "energy_net_mj": [-1.0, 0.0, 1.0, 4.0],
    "top1_ratio": [0.5, 0.9, 0.97],
    "price_usd": [50.0, 80.0, 200.0],
}


@st.composite
def _unit(draw: Callable[..., Any]) -> Row:
    if draw(st.integers(0, 19)) == 0:
        return dict(_FAILED)
    found = {"launches": draw(st.sampled_from([1, 2, 3, 6])), **draw(_STATES)}
    found |= spread("latency_p50_ms", draw(_LATENCIES), draw(_HALVES))
    if (energy := draw(_ENERGIES)) is not None:
        found |= spread("energy_net_mj", energy, draw(_HALVES))
        found |= {"power_tier": "board_measured", "power_launches": draw(st.integers(1, 3))}
    if (top1 := draw(st.sampled_from([0.9, 0.96, 0.97, 0.98, None]))) is not None:
        found |= {**spread("top1_ratio", top1, 0.01), "top1_samples": 1000}
    return found


@st.composite
def asked(draw: Callable[..., Any]) -> Asked:
    """Up to six kinds of devices of up to three units each, limits near their figures."""
    rows = []
    for kind in range(draw(st.integers(1, 6))):
        for unit in range(draw(st.sampled_from([1, 1, 2, 3]))):
            device = f"kind{kind}"
            rows.append(row(device=device, device_id=f"{device}-{unit}", **draw(_unit())))
    named = draw(st.lists(st.sampled_from(sorted(_BOUNDS)), unique=True, min_size=1, max_size=3))
    senses = st.sampled_from(["max", "max", "min"])
    limits = [
        Constraint(name, draw(senses), draw(st.sampled_from(_BOUNDS[name]))) for name in named
    ]
    objective = Objective(*draw(st.sampled_from(_OBJECTIVES)))
    prices = {f"kind{kind}": draw(st.sampled_from([None, 40.0, 80.0, 150.0])) for kind in range(6)}
    known = {name: price for name, price in prices.items() if price is not None}
    return Asked(tuple(rows), tuple(limits), objective, draw(st.booleans()), known)


_OBJECTIVES = [
    ("latency_p50_ms", False),
    ("energy_net_mj", False),
    ("top1_ratio", True),
    ("price_usd", False),
]


def keeps_every_limit(recommend: Recommend, given: Asked, _: random.Random) -> None:
    """What may be chosen keeps each limit on each unit, read from the rows themselves."""
    for one in given.answer(recommend).ranked:
        for limit in given.limits:
            for value, far in _values(one.candidate, limit):
                assert value is not None, f"{limit.words} was not measured"
                assert value <= limit.bound if limit.sense == "max" else value >= limit.bound
                if given.sure:
                    assert far is not None
                    assert far <= limit.bound if limit.sense == "max" else far >= limit.bound


def _values(candidate: Candidate, limit: Constraint) -> list[tuple[Any, Any]]:
    """``(value, end of its interval)`` of each unit, without the product's own reading."""
    if limit.name == "price_usd":
        price = candidate.told[limit.name].value if limit.name in candidate.told else None
        return [(price, price)]
    stem, _, unit = limit.name.rpartition("_")
    end = f"{stem}_{'hi' if limit.sense == 'max' else 'lo'}_{unit}"
    return [(cells.get(limit.name), cells.get(end)) for cells in candidate.rows]


def beaten_by_all_changes_nothing(recommend: Recommend, given: Asked, rng: random.Random) -> None:
    """One that everything beats that ranks moves nobody: ranks, ties, breaks, words, changes."""
    before = given.answer(recommend)
    after = given.answer(recommend, [*given.candidates(), _beaten(before, given, rng, by=-1)])
    assert _others(after) == _others(before)


def beaten_changes_no_winner(recommend: Recommend, given: Asked, rng: random.Random) -> None:
    """One that the winner beats leaves the winners, and who ties with whom, as they are."""
    before = given.answer(recommend)
    after = given.answer(recommend, [*given.candidates(), _beaten(before, given, rng, by=0)])
    kept = [_without(one, NEW) for one in after.standings if one.candidate.name != NEW]
    known = {one.candidate.name: one for one in before.standings}
    for one in kept:
        was = known[one.candidate.name]
        assert (one.rank == 1) == (was.rank == 1)
        assert set(one.ties) == set(was.ties)
        assert (one.breaks, one.refusals, one.notes) == (was.breaks, was.refusals, was.notes)


NEW = "zz new"


def _beaten(answer: Answer, given: Asked, rng: random.Random, *, by: int) -> Candidate:
    """As the winner (by=0) or the last that ranks (-1), and worse in the objective; or rejected."""
    name, more = given.objective
    if not answer.ranked:
        return Candidate(name=NEW, rows=(row(device="new", device_id="new", **_FAILED),))
    like = answer.ranked[by].candidate
    values = [one.figure.value for one in answer.ranked if one.figure is not None]
    value = values[by] if by == 0 else (min(values) if more else max(values))
    worse = value - rng.choice([0.0, 0.01, 20.0]) * (1 if more else -1) * max(abs(value), 1.0)
    tier = "board_measured" if name == "energy_net_mj" else ""
    figure = Figure(worse, worse - 0.01, worse + 0.01, 6, exact=name == "price_usd", tier=tier)
    return Candidate(name=NEW, rows=like.rows, told={**like.told, name: figure})


def _without(one: Standing, name: str) -> Standing:
    return replace(one, ties=tuple(tie for tie in one.ties if tie != name))


def _others(answer: Answer) -> tuple[object, ...]:
    standings = [_without(one, NEW) for one in answer.standings if one.candidate.name != NEW]
    return standings, [one for one in answer.alternatives if one.candidate != NEW]


def order_changes_nothing(recommend: Recommend, given: Asked, rng: random.Random) -> None:
    """The whole answer is equal whatever the order of rows, of units and of candidates."""
    shuffled = replace(given, rows=tuple(rng.sample(given.rows, len(given.rows))))
    assert shuffled.answer(recommend) == given.answer(recommend)
    candidates = given.candidates()
    mixed = rng.sample(candidates, len(candidates))
    assert given.answer(recommend, mixed) == given.answer(recommend)


def ties_are_symmetrical(recommend: Recommend, given: Asked, _: random.Random) -> None:
    """Who ties with one, one ties with; the first of a rank ties with all of it."""
    ranked = given.answer(recommend).ranked
    ties = {one.candidate.name: set(one.ties) for one in ranked}
    for name, others in ties.items():
        assert name not in others
        assert all(name in ties[other] for other in others)
    for rank in {one.rank for one in ranked}:
        first, *rest = [one for one in ranked if one.rank == rank]
        assert {one.candidate.name for one in rest} <= ties[first.candidate.name]
    assert sorted({one.rank or 0 for one in ranked}) == list(
        range(1, len({one.rank for one in ranked}) + 1)
    )


def tighter_lets_nobody_in(recommend: Recommend, given: Asked, rng: random.Random) -> None:
    """A limit that is tightened, or added, never adds a candidate."""
    loose = {one.candidate.name for one in given.answer(recommend).ranked}
    limits = list(given.limits)
    if limits and rng.random() < 0.8:
        place = rng.randrange(len(limits))
        name, sense, bound = limits[place]
        by = rng.choice([0.01] if name == "top1_ratio" else [0.01, 0.5, 20.0])
        limits[place] = Constraint(name, sense, bound - by if sense == "max" else bound + by)
    else:
        named = {limit.name for limit in limits}
        name = rng.choice(sorted({*_BOUNDS} - named))
        limits.append(Constraint(name, "max", rng.choice(_BOUNDS[name])))
    tight = replace(given, limits=tuple(limits)).answer(recommend)
    assert {one.candidate.name for one in tight.ranked} <= loose


Check = Callable[[Recommend, Asked, random.Random], None]
CHECKS: dict[str, Check] = {
    "keeps every limit": keeps_every_limit,
    "beaten by all: changes nothing": beaten_by_all_changes_nothing,
    "beaten by the winner: no other winner": beaten_changes_no_winner,
    "order of rows and folders: none": order_changes_nothing,
    "ties symmetrical": ties_are_symmetrical,
    "tighter lets nobody in": tighter_lets_nobody_in,
}


_Some = Sequence[Candidate]
_Limits = Sequence[Constraint]


def _drops_a_limit(
    candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool
) -> Answer:
    return real.recommend(candidates, limits[:-1], objective, sure=sure)


def _judges_the_mean(
    candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool
) -> Answer:
    """Units are judged together: a mean keeps what one of them does not."""
    answer = real.recommend(candidates, (), objective, sure=sure)
    kept = []
    for one in answer.ranked:
        figures = {limit: one.candidate.figure(limit.name) for limit in limits}
        if all(f is not None and limit.beyond(f.value) <= 0 for limit, f in figures.items()):
            kept.append(one)
    return replace(answer, standings=tuple(kept))


def _missing_passes(
    candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool
) -> Answer:
    answer = real.recommend(candidates, limits, objective, sure=sure)
    forgiven = [
        replace(one, breaks=(), rank=9)
        if one.breaks and not one.refusals and all(b.figure is None for b in one.breaks)
        else one
        for one in answer.standings
    ]
    return replace(answer, standings=tuple(forgiven))


def _ranks_from_the_end(
    candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool
) -> Answer:
    """A score relative to the worst, as normalised scores are."""
    answer = real.recommend(candidates, limits, objective, sure=sure)
    last = max((one.rank or 0 for one in answer.ranked), default=0)
    turned = [
        one if one.rank is None else replace(one, rank=one.rank - last) for one in answer.standings
    ]
    return replace(answer, standings=tuple(turned))


def _chosen_by_the_average(
    candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool
) -> Answer:
    """Whoever is below the average wins: another candidate moves it."""
    answer = real.recommend(candidates, limits, objective, sure=sure)
    values = [one.figure.value for one in answer.ranked if one.figure is not None]
    mean = sum(values) / len(values) if values else 0.0
    turned = [
        replace(one, rank=1 if one.figure.value <= mean else 2) if one.rank and one.figure else one
        for one in answer.standings
    ]
    return replace(answer, standings=tuple(turned))


def _first_come(candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool) -> Answer:
    """In the order given, as a stable sort leaves it."""
    answer = real.recommend(candidates, limits, objective, sure=sure)
    order = {one.name: place for place, one in enumerate(candidates)}
    turned = sorted(answer.standings, key=lambda s: (s.rank or 99, order[s.candidate.name]))
    return replace(answer, standings=tuple(turned))


def _ties_upwards(
    candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool
) -> Answer:
    """A tie is told to the worse one only."""
    answer = real.recommend(candidates, limits, objective, sure=sure)
    seen: set[str] = set()
    kept = []
    for one in answer.standings:
        kept.append(replace(one, ties=tuple(tie for tie in one.ties if tie in seen)))
        seen.add(one.candidate.name)
    return replace(answer, standings=tuple(kept))


def _relaxes(candidates: _Some, limits: _Limits, objective: Objective, *, sure: bool) -> Answer:
    """Where nobody keeps the limits they are forgotten."""
    answer = real.recommend(candidates, limits, objective, sure=sure)
    return answer if answer.ranked else real.recommend(candidates, (), objective, sure=sure)


FAULTS: dict[str, tuple[Recommend, ...]] = {
    "keeps every limit": (_drops_a_limit, _judges_the_mean, _missing_passes),
    "beaten by all: changes nothing": (_ranks_from_the_end,),
    "beaten by the winner: no other winner": (_chosen_by_the_average,),
    "order of rows and folders: none": (_first_come,),
    "ties symmetrical": (_ties_upwards,),
    "tighter lets nobody in": (_relaxes,),
}
"""For each check what it must find, to be known to be able to."""
