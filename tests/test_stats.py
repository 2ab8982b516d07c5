"""Statistics against scipy and numpy, and their properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from edgebench import stats

positive = st.floats(1e-3, 1e9, allow_nan=False)


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 9, 19, 30, 101])
@pytest.mark.parametrize("p", [0.01, 0.5, 0.6, 0.95, 0.975, 0.999])
def test_student_t_quantile_is_scipys(df: int, p: float) -> None:
    assert stats.student_t_quantile(p, df) == pytest.approx(
        scipy.stats.t.ppf(p, df), rel=1e-9, abs=1e-12
    )


@given(st.lists(positive, min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_numpys(values: list[float], q: float) -> None:
    assert stats.quantile(values, q) == np.quantile(values, q, method="inverted_cdf")


@given(st.lists(positive, min_size=1, max_size=60))
def test_the_middle_is_numpys_median(values: list[float]) -> None:
    assert stats.middle(values) == np.median(values)


@given(st.integers(1, 60), st.floats(-50, 50))
def test_student_t_cdf_is_scipys(df: int, t: float) -> None:
    assert stats.student_t_cdf(t, df) == pytest.approx(scipy.stats.t.cdf(t, df), abs=1e-10)


@given(st.floats(1, 2000), st.floats(-60, 60))
def test_student_t_cdf_is_scipys_between_whole_degrees_of_freedom(df: float, t: float) -> None:
    assert stats.student_t_cdf(t, df) == pytest.approx(scipy.stats.t.cdf(t, df), abs=1e-9)


@given(st.floats(1.5, 500), st.floats(0.001, 0.999))
def test_student_t_quantile_undoes_its_distribution(df: float, p: float) -> None:
    assert stats.student_t_cdf(stats.student_t_quantile(p, df), df) == pytest.approx(p, abs=1e-9)


@pytest.mark.parametrize(("q", "n"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)])
def test_quantiles_are_refused_below_the_size_that_gives_them_an_interval(q: float, n: int) -> None:
    assert stats.min_samples(q) == n
    values = np.arange(n, dtype=float)
    assert stats.quantile_interval(values, q, correlated=False) is not None
    assert stats.quantile_interval(values[:-1], q, correlated=False) is None


@pytest.mark.parametrize("q", [0.5, 0.9])
@pytest.mark.parametrize("n", [100, 1000])
def test_order_statistic_interval_is_scipys(q: float, n: int) -> None:
    values = np.random.default_rng(n).normal(10, 1, n)
    ours = stats.quantile_interval(values, q, correlated=False)
    theirs: Any = scipy.stats.quantile_test(values, p=q).confidence_interval(0.95)
    assert ours is not None
    assert (ours.low, ours.high) == (theirs.low, theirs.high)


@given(st.lists(positive, min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_a_quantile_is_a_value_that_was_observed(values: list[float], q: float) -> None:
    assert stats.quantile(values, q) in values


@given(st.integers(1, 3000), st.floats(0.001, 0.999))
def test_the_binomial_distribution_is_scipys(n: int, p: float) -> None:
    theirs = scipy.stats.binom.cdf(np.arange(n + 1), n, p)
    np.testing.assert_allclose(stats.binomial_cdf(n, p), theirs, atol=1e-9)


@given(st.lists(positive, min_size=6, max_size=200), st.sampled_from([0.5, 0.9]))
def test_an_order_statistic_interval_holds_its_estimate(values: list[float], q: float) -> None:
    interval = stats.quantile_interval(values, q)
    if interval is not None:
        assert interval.low <= interval.value <= interval.high


@given(st.lists(positive, min_size=1, max_size=200), st.integers(-20, 20))
def test_autocorrelation_time_knows_no_unit(values: list[float], power: int) -> None:
    tau = stats.autocorrelation_time(values)
    assert tau >= 1.0
    # A power of two only shifts the exponent: no rounding, so the same answer to the last bit.
    assert stats.autocorrelation_time(np.asarray(values) * 2.0**power) == pytest.approx(tau)


@given(st.lists(positive, min_size=2, max_size=20))
def test_the_t_interval_holds_its_estimate(values: list[float]) -> None:
    interval = stats.log_t_interval(values)
    assert interval is not None
    assert interval.low <= interval.value * (1 + 1e-12)
    assert interval.high >= interval.value * (1 - 1e-12)


def test_the_t_interval_is_scipys() -> None:
    values = [1.0, 1.1, 0.95, 1.02]
    ours = stats.log_t_interval(values)
    theirs = scipy.stats.ttest_1samp(np.log(values), 0).confidence_interval(0.95)
    assert ours is not None
    assert (math.log(ours.low), math.log(ours.high)) == pytest.approx((theirs.low, theirs.high))
    assert stats.log_t_interval([1.0]) is None


@given(st.integers(1, 5000), st.data())
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    ours = stats.wilson_interval(hits, n)
    theirs = scipy.stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_autocorrelation_time_knows_independent_from_sluggish_series() -> None:
    rng = np.random.default_rng(1)
    white = rng.normal(size=4000)
    sluggish = np.empty(4000)
    sluggish[0] = 0
    for i in range(1, 4000):
        sluggish[i] = 0.8 * sluggish[i - 1] + rng.normal()
    assert stats.autocorrelation_time(white) < 1.4
    # An AR(1) process with 0.8 has (1 + 0.8) / (1 - 0.8) = 9.
    assert 6 < stats.autocorrelation_time(sluggish) < 13
    assert stats.autocorrelation_time(np.ones(100)) == 1.0


def test_correlation_widens_the_interval() -> None:
    rng = np.random.default_rng(2)
    slow = np.repeat(rng.normal(100, 1, 100), 20)
    naive = stats.quantile_interval(slow, 0.5, correlated=False)
    honest = stats.quantile_interval(slow, 0.5)
    assert naive is not None
    assert honest is not None
    assert honest.half_width_ratio > 2 * naive.half_width_ratio


def rare(n: int, slow: int, q: float) -> bool:
    """Whether so few slow ones of n would be a rare event, by scipy."""
    return bool(scipy.stats.binom.cdf(slow, n, 1 - q) < 0.01)


@pytest.mark.parametrize(("q", "n"), [(0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_early_stopping_needs_as_many_samples_as_scipy_says(q: float, n: int) -> None:
    assert stats.early_stopping_min_samples(q) == n
    assert rare(n, 1, q)
    assert not rare(n - 1, 1, q)
    values = np.arange(n, dtype=float)
    assert stats.early_stopping(values, q) == n - 1
    assert stats.early_stopping(values[:-1], q) is None


@given(st.integers(64, 4000), st.sampled_from([0.9, 0.95]))
def test_early_stopping_gives_the_rank_that_scipy_gives(n: int, q: float) -> None:
    found = stats.early_stopping(np.arange(n), q)
    if found is None:
        assert not rare(n, 1, q)
        return
    rank = n - int(found)
    assert rare(n, rank, q)
    assert not rare(n, rank + 1, q)
