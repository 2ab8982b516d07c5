"""Change points of short series: found where they are, and not where there is none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis.change_points import MIN_POINTS, change_points

NONE_KNOWN = 0.0


def _places(values: list[float], error: float = NONE_KNOWN) -> list[int]:
    series = np.array(values)
    return [one.first for one in change_points(series, np.full(len(series), error))]


def _noise(n: int, spread: float = 0.02, seed: int = 1) -> list[float]:
    return list(np.random.default_rng(seed).normal(0, spread, n))


@pytest.mark.parametrize("place", [4, 10, 16])
def test_a_step_of_five_deviations_is_found_where_it_is(place: int) -> None:
    values = _noise(20)
    values[place:] = [value + 0.1 for value in values[place:]]
    (found,) = change_points(np.array(values), np.zeros(20))
    assert abs(found.first - place) <= 1
    assert found.p_value < 0.01


def test_up_and_down_again_are_two_changes() -> None:
    values = _noise(30)
    values[10:20] = [value + 0.15 for value in values[10:20]]
    assert _places(values) == [10, 20]


def test_a_slip_of_one_run_is_no_change() -> None:
    values = _noise(20)
    values[9] += 0.3
    assert _places(values) == []


def test_runs_that_are_all_alike_are_one_level() -> None:
    assert _places([1.0] * 20) == []


def test_two_levels_without_any_noise_are_told_apart() -> None:
    assert _places([1.0] * 6 + [2.0] * 6) == [6]


def test_fewer_runs_than_can_tell_are_left_alone() -> None:
    assert _places([0.0, 0.0, 9.0, 9.0][: MIN_POINTS - 1]) == []


def test_a_step_within_the_errors_that_runs_are_known_to_have_is_none() -> None:
    values = [0.0, 0.001, -0.001, 0.0, 0.001, 0.02, 0.021, 0.019, 0.02, 0.021]
    assert _places(values) == [5]
    assert _places(values, error=0.03) == []


def test_a_run_that_is_known_to_be_vague_counts_for_little() -> None:
    values, errors = np.array(_noise(20, 0.005)), np.full(20, 0.005)
    values[10:12] += 0.2
    errors[10:12] = 0.2
    assert change_points(values, errors) == []


@given(st.lists(st.floats(-1, 1), min_size=5, max_size=40))
def test_a_new_level_has_two_runs_or_more_on_either_side(values: list[float]) -> None:
    found = change_points(np.array(values), np.full(len(values), 0.001))
    edges = [0, *(one.first for one in found), len(values)]
    assert all(last - first >= 2 for first, last in itertools.pairwise(edges))


def test_the_answer_is_the_same_each_time() -> None:
    values = _noise(20, seed=3)
    values[12:] = [value + 0.05 for value in values[12:]]
    once = change_points(np.array(values), np.zeros(20))
    assert change_points(np.array(values), np.zeros(20)) == once != []
