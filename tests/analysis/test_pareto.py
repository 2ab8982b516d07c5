"""Who is on the front, who beats the others, and how surely."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis import directions, pareto
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.recommend import Objective
from edgebench.errors import UsageError

FASTEST, LIGHTEST = Objective("latency_p50_ms"), Objective("rss_peak_mib")
MOST_RIGHT = Objective("top1_ratio", more_is_better=True)
OK = {"workload": "mnist_cnn", "status": "ok", "validity": "valid", "launches": 6}


def measured(
    name: str, p50_ms: float | None, rss_mib: float | None, spread: float = 0.01
) -> Candidate:
    """A candidate whose intervals are so wide, as a share of the figure."""
    row: dict[str, object] = {**OK, "backend": name}
    for stem, unit, value in (("latency_p50", "ms", p50_ms), ("rss_peak", "mib", rss_mib)):
        row[f"{stem}_{unit}"] = value
        if value is not None and spread:
            row[f"{stem}_lo_{unit}"] = value / (1 + spread)
            row[f"{stem}_hi_{unit}"] = value * (1 + spread)
    return Candidate(name=name, rows=(row,))


def names(found: pareto.Front) -> list[str]:
    return [one.name for one in found.members]


def test_whoever_is_beaten_in_everything_is_not_on_the_front() -> None:
    """By hand: who is larger in both than whom.

    big (12, 90) than fast (10, 80), slow (50, 30) than small (40, 20), even (20, 50) than none.
    """
    all_of_them = [
        measured("big", 12, 90),
        measured("even", 20, 50),
        measured("fast", 10, 80),
        measured("slow", 50, 30),
        measured("small", 40, 20),
    ]
    found = pareto.front(all_of_them, (FASTEST, LIGHTEST))
    assert names(found) == ["fast", "even", "small"]
    beaten = [(one.candidate.name, one.by, one.sure) for one in found.dominated]
    assert beaten == [("big", "fast", True), ("slow", "small", True)]
    assert found.left_out == ()
    assert found.question == "mnist_cnn"


def test_an_objective_may_be_the_most_of_something() -> None:
    right = {"fast": 0.7, "right": 0.8, "wrong": 0.6}
    some = [
        Candidate(name=name, rows=({**OK, "latency_p50_ms": ms, "top1_ratio": right[name]},))
        for name, ms in (("fast", 10.0), ("right", 20.0), ("wrong", 15.0))
    ]
    assert names(pareto.front(some, (MOST_RIGHT, FASTEST))) == ["right", "fast"]


def test_noise_alone_makes_nobody_surely_beaten() -> None:
    """4 % apart with 30 % of spread: cannot be told apart; with 0.1 %: surely."""
    noisy = [measured("a", 10, 50, 0.3), measured("b", 10.4, 52, 0.3)]
    clear = [measured("a", 10, 50, 0.001), measured("b", 10.4, 52, 0.001)]
    assert [one.sure for one in pareto.front(noisy, (FASTEST, LIGHTEST)).dominated] == [False]
    assert [one.sure for one in pareto.front(clear, (FASTEST, LIGHTEST)).dominated] == [True]


def test_the_same_for_every_purpose_in_one_and_clearly_worse_in_another_is_surely_beaten() -> None:
    two = [measured("a", 10, 50, 0.001), measured("b", 30, 50.2, 0.001)]
    assert pareto.front(two, (FASTEST, LIGHTEST)).dominated[0].sure
    unsure = [measured("a", 10, 50, 0.3), measured("b", 30, 50.2, 0.3)]
    assert not pareto.front(unsure, (FASTEST, LIGHTEST)).dominated[0].sure


def test_without_an_interval_nothing_is_sure() -> None:
    two = [measured("a", 10, 50, 0), measured("b", 30, 70)]
    assert [one.sure for one in pareto.front(two, (FASTEST, LIGHTEST)).dominated] == [False]


def test_one_that_surely_beats_is_named_before_one_that_is_only_nearer() -> None:
    near, far = measured("near", 29, 69, 0.2), measured("far", 30, 10, 0.001)
    beaten = measured("beaten", 31, 70, 0.001)
    found = pareto.front([near, far, beaten], (FASTEST, LIGHTEST)).dominated
    assert [(one.by, one.sure) for one in found] == [("far", True)]


def test_prices_are_told_apart_by_their_value_and_bounds_by_what_they_share() -> None:
    def of(name: str, price: float, low_w: float, high_w: float) -> Candidate:
        figures = {
            "price_usd": Figure(price, exact=True),
            "cost_power_w": Figure(high_w, low_w, high_w),
        }
        return Candidate(name=name, rows=(OK,), told=figures)

    wanted = (Objective("price_usd"), Objective("cost_power_w"))
    apart = pareto.front([of("a", 80, 2, 5), of("b", 90, 6, 9)], wanted)
    assert [(one.by, one.sure) for one in apart.dominated] == [("a", True)]
    shared = pareto.front([of("a", 80, 2, 5), of("b", 90, 4, 9)], wanted)
    assert [(one.by, one.sure) for one in shared.dominated] == [("a", False)]


def test_exact_duplicates_all_stay() -> None:
    twins = [measured("b", 10, 50), measured("a", 10, 50), measured("c", 10, 51)]
    found = pareto.front(twins, (FASTEST, LIGHTEST))
    assert names(found) == ["a", "b"]
    assert found.dominated[0].by == "a"


def test_what_cannot_be_placed_is_told_with_its_reasons() -> None:
    failed = Candidate(name="failed", rows=({**OK, "status": "failed", "reason": "no memory"},))
    some = [measured("good", 10, 50), measured("unknown", None, None), failed]
    some.append(measured("endless", 10, float("inf"), 0))
    found = pareto.front(some, (FASTEST, LIGHTEST))
    assert names(found) == ["good"]
    reasons = {one.candidate.name: one.reasons for one in found.left_out}
    assert reasons["failed"] == ("failed: no memory",)
    assert reasons["unknown"] == (
        "latency_p50_ms was not measured",
        "rss_peak_mib was not measured",
    )
    assert "rss_peak_mib" in reasons["endless"][0]


def test_where_nothing_can_be_placed_the_front_is_empty() -> None:
    found = pareto.front([measured("a", None, 1)], (FASTEST, LIGHTEST))
    assert (found.members, found.dominated) == ((), ())


def test_a_front_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        pareto.front([], (FASTEST,))
    with pytest.raises(UsageError):
        pareto.front([measured("a", 1, 1)], ())


def test_energies_at_and_below_0_have_their_place() -> None:
    energies = {"a": -1.0, "b": 0.0, "c": 5.0}
    some = [
        Candidate(name=n, rows=({**OK, "latency_p50_ms": 10.0, "energy_net_mj": mj},))
        for n, mj in energies.items()
    ]
    found = pareto.front(some, (FASTEST, Objective("energy_net_mj")))
    assert names(found) == ["a"]
    assert {one.by for one in found.dominated} == {"a"}


COARSE = st.integers(1, 6).map(float)
"""Few values, so that many are equal."""


def brute(points: list[tuple[float, ...]]) -> list[bool]:
    """By the definition, each against each."""

    def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    return [not any(beats(other, one) for other in points) for one in points]


@given(st.integers(1, 4).flatmap(lambda d: st.lists(st.tuples(*[COARSE] * d), max_size=25)))
def test_the_front_is_that_of_the_definition(points: list[tuple[float, ...]]) -> None:
    width = len(points[0]) if points else 2
    array = np.array(points, dtype=np.float64).reshape(len(points), width)
    assert pareto.undominated(array).tolist() == brute(points)


FIGURES = st.lists(st.tuples(COARSE, COARSE, st.sampled_from([0.0, 0.001, 0.4])), min_size=1)


def told(found: pareto.Front) -> dict[str, object]:
    beaten = {one.candidate.name: (one.by, one.sure) for one in found.dominated}
    return {"members": names(found), **beaten}


@given(FIGURES, st.randoms())
def test_the_order_of_the_candidates_changes_nothing(
    figures: list[tuple[float, float, float]],
    random: np.random.Generator,
) -> None:
    some = [measured(f"c{place}", *one) for place, one in enumerate(figures)]
    before = pareto.front(some, (FASTEST, LIGHTEST))
    random.shuffle(some)
    after = pareto.front(some, (FASTEST, LIGHTEST))
    assert before == after


@given(FIGURES, st.data())
def test_a_candidate_that_is_beaten_changes_nothing_for_the_others(
    figures: list[tuple[float, float, float]], data: st.DataObject
) -> None:
    some = [measured(f"c{place}", *one) for place, one in enumerate(figures)]
    before = told(pareto.front(some, (FASTEST, LIGHTEST)))
    p50_ms, rss_mib, _ = data.draw(st.sampled_from(figures))
    loser = measured("loser", p50_ms + 1, rss_mib * 2, data.draw(st.sampled_from([0.0, 0.1])))
    after = told(pareto.front([*some, loser], (FASTEST, LIGHTEST)))
    assert "loser" in after
    assert {k: v for k, v in after.items() if k != "loser"} == before


@given(FIGURES)
def test_everyone_is_somewhere_and_is_beaten_by_a_member_alone(
    figures: list[tuple[float, float, float]],
) -> None:
    some = {f"c{place}": measured(f"c{place}", *one) for place, one in enumerate(figures)}
    found = pareto.front(list(some.values()), (FASTEST, LIGHTEST))
    places = names(found) + [one.candidate.name for one in found.dominated]
    assert sorted(places) == sorted(some)
    for one in found.dominated:
        better, worse = some[one.by].row, one.candidate.row
        pairs = [(better[n], worse[n]) for n in ("latency_p50_ms", "rss_peak_mib")]
        assert one.by in names(found)
        assert all(a <= b for a, b in pairs)  # type: ignore[operator]
        assert any(a < b for a, b in pairs)  # type: ignore[operator]


def test_two_objectives_of_many_points_take_no_square_of_time() -> None:
    """A front of all points is the worst case of comparing each with each: 2e10 comparisons."""
    places = np.arange(200_000, dtype=np.float64)
    points = np.column_stack([places, -places])
    began = time.perf_counter()
    assert pareto.undominated(points).all()
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("words", "name", "more"),
    [
        ("latency_p99_ms", "latency_p99_ms", False),
        ("energy_net_mj", "energy_net_mj", False),
        ("power_w", "power_w", False),
        ("rss_peak_mib", "rss_peak_mib", False),
        ("price_usd", "price_usd", False),
        ("load_ms", "load_ms", False),
        ("cost_total_usd", "cost_total_usd", False),
        ("cost_devices", "cost_devices", False),
        ("top1_loss_ratio", "top1_loss_ratio", False),
        ("throughput_ips", "throughput_ips", True),
        ("top1_ratio", "top1_ratio", True),
        ("map50_ratio", "map50_ratio", True),
        ("miou_ratio", "miou_ratio", True),
        ("server_rate_hz", "server_rate_hz", True),
        ("burst_sustained_ratio", "burst_sustained_ratio", True),
        ("cost_headroom_ratio", "cost_headroom_ratio", True),
        ("drift_ratio:min", "drift_ratio", False),
        (" latency_p50_ms : MAX ", "latency_p50_ms", True),
    ],
)
def test_the_better_way_is_known_or_stated(words: str, name: str, more: bool) -> None:
    assert directions.objective(words) == Objective(name, more_is_better=more)


@pytest.mark.parametrize(
    "words", ["drift_ratio", "threads", "mem_max_mib", "steady_after_iterations"]
)
def test_where_nobody_could_know_it_must_be_stated(words: str) -> None:
    with pytest.raises(UsageError, match=f"{words}:min or {words}:max"):
        directions.objective(words)


@pytest.mark.parametrize("words", ["", ":max", "latency_p50_ms:", "latency_p50_ms:best", "a:b:c"])
def test_what_is_no_objective_is_refused_in_one_line(words: str) -> None:
    with pytest.raises(UsageError) as caught:
        directions.objective(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("words", ["latency_p50_ms", "load_ms,load_ms:max", "load_ms,", ""])
def test_a_front_needs_two_figures_each_once(words: str) -> None:
    with pytest.raises(UsageError):
        directions.objectives(words)
    pair = itertools.permutations(("load_ms", "price_usd"))
    assert all(len(directions.objectives(",".join(two))) == 2 for two in pair)
