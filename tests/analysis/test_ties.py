"""Which figures are tied: as `compare` says it, and where that knows no figures of the kind."""

from __future__ import annotations

import math

import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from edgebench.analysis import compare, energy
from edgebench.analysis.candidates import Figure
from edgebench.analysis.figure import Spread, figure_of
from edgebench.analysis.pooled import on_scale, pooled, spread
from edgebench.analysis.ties import Figures, margin_ratio, tied
from edgebench.stats import log_t_interval

_VALUES = st.lists(st.floats(1, 100), min_size=2, max_size=8)
_NOT_APART = {compare.SAME, compare.CANNOT_TELL}


def of_launches(values: list[float]) -> Figure:
    found = log_t_interval(values)
    assert found is not None
    return Figure(*found, launches=len(values))


def of_energies(values: list[float]) -> Figure:
    return Figure(*energy.interval(values), launches=len(values), spread="linear")


@given(_VALUES, _VALUES)
def test_launches_are_tied_where_compare_does_not_tell_them_apart(
    a: list[float], b: list[float]
) -> None:
    found = compare.unpaired(a, b)
    low, high = found.low or 0.0, found.high or 0.0
    near = (1.0, 1 + compare.MARGIN_RATIO, 1 / (1 + compare.MARGIN_RATIO))
    assume(all(abs(math.log(end / edge)) > 1e-6 for end in (low, high) for edge in near))
    assert tied(of_launches(a), of_launches(b)) == (found.verdict in _NOT_APART)


@given(_VALUES, _VALUES)
def test_energies_are_tied_as_welch_says_of_their_differences(
    a: list[float], b: list[float]
) -> None:
    left, right = ([value - 50 for value in values] for values in (a, b))
    assume(min(max(side) - min(side) for side in (left, right)) > 1e-6)  # scipy warns below
    p = scipy.stats.ttest_ind(left, right, equal_var=False).pvalue
    assume(abs(p - 0.05) > 1e-6)
    if p < 0.05:
        mean = [sum(values) / len(values) for values in (left, right)]
        assume(abs(mean[0] - mean[1]) > 0.05 * min(map(abs, mean)))  # beyond being the same
        assert not tied(of_energies(left), of_energies(right))
    else:
        assert tied(of_energies(left), of_energies(right))


def test_energies_at_or_below_zero_are_told_apart_from_larger_ones() -> None:
    nothing = of_energies([-0.1, 0.0, 0.1])
    assert not tied(nothing, of_energies([49.0, 50.0, 51.0]))
    assert tied(nothing, of_energies([-0.1, 0.1, 0.15]))
    verdict = compare.summaries(
        compare.Summary(*nothing[:4]), compare.Summary(50.0, 49.0, 51.0, 3)
    ).verdict
    assert verdict == compare.CANNOT_TELL  # why logarithms do not do


def test_what_differs_by_less_than_two_percent_for_sure_is_the_same() -> None:
    one, other = Figure(100, 99.9, 100.1, 6), Figure(101, 100.9, 101.1, 6)
    assert tied(one, other)
    assert not tied(one, Figure(103, 102.9, 103.1, 6))
    joule, more = (f._replace(spread="linear") for f in (one, other))
    assert tied(joule, more)
    assert not tied(joule, Figure(103, 102.9, 103.1, 6, spread="linear"))


def test_frames_in_time_are_the_same_within_a_thousandth() -> None:
    one, other = (Figure(v, v - 1e-4, v + 1e-4, 9, spread="pooled") for v in (0.99, 0.985))
    assert tied(one, other)
    assert not tied(one, other, margin_ratio("in_time_ratio"))
    assert margin_ratio("load_ms") == margin_ratio("latency_p90_ms") == compare.MARGIN_RATIO


def test_prices_tie_only_if_they_are_equal() -> None:
    assert tied(Figure(80, exact=True), Figure(80, exact=True))
    assert not tied(Figure(80, exact=True), Figure(80.01, exact=True))
    assert not tied(Figure(0, exact=True), Figure(1, exact=True))


def test_without_an_interval_nothing_is_told_apart() -> None:
    bare, sure = Figure(1.0, launches=6), Figure(9.0, 8.9, 9.1, 6)
    assert tied(bare, sure)
    assert tied(sure, bare)
    assert tied(Figure(1.0, 0.99, 1.01, 1), sure)  # one launch knows nothing of other launches


def test_bounds_tie_with_what_reaches_into_them() -> None:
    cost = Figure(10, 9, 11)
    assert tied(cost, Figure(12, 10.9, 13))
    assert not tied(cost, Figure(12, 11.1, 13))
    assert not tied(cost, Figure(12, exact=True))


def test_a_tail_is_read_as_compare_reads_it() -> None:
    row: dict[str, object] = {"latency_p99_ms": 10.0, "launches": 3}
    a = figure_of({**row, "latency_p99_lo_ms": 9.0, "latency_p99_hi_ms": 11.0}, "latency_p99_ms")
    b = Figure(12.0, 10.6, 13.0, 3, spread="pooled")
    assert a is not None
    assert a.spread == "pooled"
    sides = [compare.Summary(*one[:4]) for one in (a, b)]
    found = compare.summaries(sides[0], sides[1], "latency_p99_ms")
    assert found.verdict == compare.CANNOT_TELL
    assert tied(a, b)
    assert not tied(a._replace(spread="log"), b._replace(spread="log"))


def test_top1_has_as_many_observations_as_samples_whatever_the_launches() -> None:
    row = {"top1_ratio": 0.9, "top1_lo_ratio": 0.89, "top1_hi_ratio": 0.91}
    found = figure_of({**row, "top1_samples": 1000, "launches": 1}, "top1_ratio")
    assert found is not None
    assert (found.launches, found.spread) == (1000, "images")
    assert not tied(found, found._replace(value=0.8, low=0.78, high=0.82))


def test_energy_counts_the_launches_that_it_was_measured_in() -> None:
    row = {"energy_net_mj": 5.0, "power_launches": 2, "launches": 6, "power_tier": "wall_measured"}
    found = figure_of(row, "energy_net_mj")
    assert found is not None
    assert (found.launches, found.spread, found.tier) == (2, "linear", "wall_measured")


@given(_VALUES, st.sampled_from(["log", "linear"]))
def test_an_interval_gives_its_standard_error_back(values: list[float], kind: Spread) -> None:
    figure = of_launches(values) if kind == "log" else of_energies(values)
    side = on_scale(figure, log=kind == "log")
    told = [math.log(value) for value in values] if kind == "log" else values
    assert side is not None
    assert side.error == pytest.approx(scipy.stats.sem(told), rel=1e-6, abs=1e-9)
    assert side.df == len(values) - 1


def test_units_are_pooled_by_their_own_errors() -> None:
    one, other = of_launches([9.9, 10.0, 10.1]), of_launches([10.9, 11.0, 11.1])
    both = pooled([one, other])
    errors = [side.error for f in (one, other) if (side := on_scale(f, log=True))]
    again = on_scale(both, log=True)
    assert both.value == pytest.approx(math.sqrt(one.value * other.value))
    assert again is not None
    assert again.error == pytest.approx(math.hypot(*(e or 0.0 for e in errors)) / 2)
    assert both.launches - 1 == int(again.df) == 3  # not 4: the errors are not quite equal


def test_a_unit_without_any_spread_leaves_the_other_its_freedom() -> None:
    still, moving = Figure(-0.5, -0.5005, -0.4995, 2), Figure(0.0, 0.0, 0.0, 2)
    both = pooled([f._replace(spread="linear") for f in (still, moving)])
    assert both.launches == 2
    assert (both.low, both.high) == pytest.approx((-0.25025, -0.24975))


def test_units_that_judged_the_same_images_know_no_more_than_one() -> None:
    one = Figure(0.9, 0.88, 0.92, 1000, spread="images")
    assert pooled([one, one]) == one


def test_energies_of_units_are_averaged_as_they_are() -> None:
    both = pooled([of_energies([-1.0, -1.2]), of_energies([3.0, 3.2])])
    assert both.value == pytest.approx(1.0)


def test_a_unit_without_an_interval_leaves_the_pool_without_one() -> None:
    both = pooled([Figure(2.0, launches=3), Figure(8.0, 7, 9, 3)])
    assert both.value == pytest.approx(4.0)
    assert (both.low, both.high) == (None, None)


def test_the_spread_between_units_names_the_ends() -> None:
    found = spread([("b", Figure(3.0)), ("a", Figure(2.0)), ("c", Figure(2.5))])
    assert found is not None
    assert (found.smallest_unit, found.largest_unit, found.ratio) == ("a", "b", 1.5)
    assert spread([("a", Figure(2.0))]) is None


def test_one_of_many_is_judged_as_in_a_pair() -> None:
    figures = [Figure(10 + 0.3 * i, 9.5 + 0.3 * i, 10.5 + 0.3 * i, 2 + i % 5) for i in range(30)]
    together = Figures(figures)
    for i, one in enumerate(figures):
        mine = [place for place, other in enumerate(figures) if place == i or tied(one, other)]
        assert together.tied(i).tolist() == mine
