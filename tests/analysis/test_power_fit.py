"""The fit of a unit's power: it finds what was planted, states its error, and refuses the rest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.analysis import power_fit
from edgebench.analysis.power_fit import NotFeltError, NotIdentifiedError, Point
from edgebench.power_model import Activity

BIG, LITTLE = (0.35, 0.12), (0.08, 0.05)
"""Planted: W of a busy CPU a GHz, and a GHz cubed."""
IDLE_W = 2.5


def activity(busy: float, ghz: float) -> Activity:
    return Activity(
        busy=busy,
        busy_ghz=busy * ghz,
        busy_ghz3=busy * ghz**3,
        min_ghz=ghz if busy else None,
        max_ghz=ghz if busy else None,
    )


def planted_w(big: Activity, little: Activity) -> float:
    return (
        IDLE_W
        + BIG[0] * big.busy_ghz
        + BIG[1] * big.busy_ghz3
        + LITTLE[0] * little.busy_ghz
        + LITTLE[1] * little.busy_ghz3
    )


def points(noise_ratio: float = 0.0, seed: int = 1) -> list[Point]:
    """Both clusters alone and together, at several duties and frequencies."""
    rng = np.random.default_rng(seed)
    loads = [(0.0, 0.6, 0.0, 0.6)] * 2
    loads += [(busy, ghz, 0.0, 0.6) for busy in (0.5, 1, 2, 4) for ghz in (0.6, 1.2, 1.8, 2.4)]
    loads += [(0.0, 0.6, busy, ghz) for busy in (0.5, 1, 2, 4) for ghz in (0.6, 1.2, 1.8)]
    loads += [(4, 2.4, 4, 1.8), (4, 1.2, 4, 1.2)]
    made = []
    for number, (busy, ghz, small_busy, small_ghz) in enumerate(loads):
        big, little = activity(busy, ghz), activity(small_busy, small_ghz)
        power_w = planted_w(big, little) * (1 + noise_ratio * rng.standard_normal())
        made.append(Point(load=str(number), activities=(big, little), power_w=power_w))
    return made


def test_the_planted_terms_are_found() -> None:
    found = power_fit.fit(points())
    assert found.idle_w == pytest.approx(IDLE_W, rel=1e-6)
    assert found.linear_w == pytest.approx((BIG[0], LITTLE[0]), rel=1e-6)
    assert found.cubic_w == pytest.approx((BIG[1], LITTLE[1]), rel=1e-6)
    assert found.error_ratio < 1e-6


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("noise_ratio", [0.02, 0.05, 0.1])
def test_the_stated_error_is_that_of_the_next_loads(noise_ratio: float, seed: int) -> None:
    found = power_fit.fit(points(noise_ratio, seed))
    assert noise_ratio / 2 < found.error_ratio < 2 * noise_ratio


def test_a_load_that_the_model_cannot_tell_is_in_the_stated_error() -> None:
    """Instructions that draw more than the others at the same utilisation and frequency."""
    made = points()
    heavy = activity(4, 2.4), activity(0, 0.6)
    odd = Point(load="heavy", activities=heavy, power_w=1.5 * planted_w(*heavy))
    assert power_fit.fit([*made, odd]).error_ratio > 0.03


def test_one_frequency_has_no_cubic_term() -> None:
    made = [
        Point(load=str(n), activities=(activity(n / 2, 1.5),), power_w=3.0 + 0.8 * n / 2 * 1.5)
        for n in range(8)
    ]
    found = power_fit.fit(made)
    assert found.cubic_w == (0.0,)
    assert found.linear_w == pytest.approx((0.8,))
    assert found.idle_w == pytest.approx(3.0)


def _refused(made: Sequence[Point]) -> str:
    with pytest.raises(NotIdentifiedError) as caught:
        power_fit.fit(made)
    return caught.value.message


def test_a_cluster_that_was_never_busy_is_named() -> None:
    made = [one for one in points() if one.activities[1].busy < 0.5]
    assert _refused(made) == "cluster 1 was never busy"


def test_clusters_that_were_only_busy_together_are_named() -> None:
    made = [
        Point(load=str(n), activities=(activity(n, 1.0), activity(n, 1.0)), power_w=2.0 + n)
        for n in range(8)
    ]
    assert _refused(made) == "cluster 0 and cluster 1 cannot be told apart"


def test_a_device_that_was_never_idle_is_told() -> None:
    made = [
        Point(load=str(n), activities=(activity(2 + n / 100, 1.0),), power_w=4.0) for n in range(8)
    ]
    assert _refused(made) == "what it draws idle and cluster 0 cannot be told apart"


def test_too_few_loads_are_told() -> None:
    made = [Point(load=str(n), activities=(activity(n, 1.0),), power_w=2.0 + n) for n in range(3)]
    assert _refused(made) == "3 loads for 2 terms: 2 more are needed"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 6), st.integers(0, 20))
def test_the_solver_is_scipys(seed: int, columns: int, spare: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(columns + spare, columns))
    target = rng.normal(size=columns + spare)
    mine, (_, least) = power_fit.nnls(matrix, target), scipy.optimize.nnls(matrix, target)
    assert mine.min() >= 0
    assert np.linalg.norm(matrix @ mine - target) <= least * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("noise_w", [0.0, 0.01, 0.2])
def test_a_meter_of_something_else_makes_no_model(noise_w: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    other = [
        msgspec.structs.replace(point, power_w=5.0 + noise_w * rng.standard_normal())
        for point in points()
    ]
    with pytest.raises(NotFeltError, match=r"the meter says [45]\.\d\d to [45]\.\d\d W"):
        power_fit.fit(other)


def test_a_meter_that_says_nothing_makes_no_model() -> None:
    silent = [msgspec.structs.replace(point, power_w=0.0) for point in points()]
    with pytest.raises(NotFeltError, match="0 W"):
        power_fit.fit(silent)
