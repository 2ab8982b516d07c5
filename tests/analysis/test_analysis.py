"""Intervals cover the truth as often as they say; verdicts name what they saw."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.analysis import disturbances, intervals, validity
from edgebench.machine import Environment
from edgebench.measure import passes
from edgebench.records import PRECISIONS, Case, Parity, ParityLimits, PlannedCase, Record, Task
from edgebench.stats import Interval


def launches(rng: np.random.Generator, k: int, n: int, sd: float) -> list[NDArray[np.float64]]:
    """K launches of n lognormal samples with a 2 % exponential tail and a spread between them."""
    made = []
    for _ in range(k):
        body = np.exp(rng.normal(0, 0.03, n))
        tail = (rng.random(n) < 0.02) * rng.exponential(0.5, n)
        made.append(1e6 * (body + tail) * np.exp(rng.normal(0, sd)))
    return made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_intervals_cover_the_truth(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.concatenate(launches(rng, 400, 5000, 0.01))
    p50, p99 = np.quantile(truth, [0.5, 0.99])
    hits50 = hits99 = 0
    for _ in range(100):
        sample = launches(rng, 6, 500, 0.01)
        median, tail = intervals.median(sample), intervals.tail(sample, 0.99, resamples=300)
        assert isinstance(median, Interval)
        assert isinstance(tail, Interval)
        hits50 += median.low <= p50 <= median.high
        hits99 += tail.low <= p99 <= tail.high
    # 95 % of 100, less what chance takes in 1 of 1,000 runs.
    assert hits50 >= 88
    assert hits99 >= 88


def plain_bootstrap(sample: list[NDArray[np.float64]], q: float, block: int) -> tuple[float, float]:
    """The two-level block bootstrap word for word, as an oracle: slow and without short cuts."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(600):
        parts = []
        for launch in rng.integers(0, len(sample), len(sample)):
            blocks = np.array_split(sample[launch], len(sample[launch]) // block)
            parts += [blocks[b] for b in rng.integers(0, len(blocks), len(blocks))]
        found.append(float(np.quantile(np.concatenate(parts), q, method="inverted_cdf")))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize(
    "levels", [(1, 1, 1.1), (1, 1.02, 1.04), (1, 1, 1, 1, 1, 1.1), (1.0, 1.0, 1.0)]
)
@pytest.mark.parametrize("n", [400, 3000])
def test_the_tail_agrees_with_a_plain_bootstrap_where_launches_differ(
    levels: tuple[float, ...], n: int
) -> None:
    rng = np.random.default_rng(5)
    sample = [level * rng.lognormal(0, 0.005, n) for level in levels]
    # Many replicates: all three draws fall on one launch in 1 of 27, close to the limit of 1 in 40.
    ours = intervals.tail(sample, 0.99, resamples=5000)
    assert isinstance(ours, Interval)
    low, high = plain_bootstrap(sample, 0.99, max(5, n // 400))
    assert ours.low == pytest.approx(low, rel=0.002)
    assert ours.high == pytest.approx(high, rel=0.002)


def test_the_tail_is_refused_below_its_size_and_bare_below_three_launches() -> None:
    rng = np.random.default_rng(1)
    assert intervals.tail(launches(rng, 1, 367, 0), 0.99) is None
    assert isinstance(intervals.tail(launches(rng, 2, 400, 0), 0.99), float)
    assert intervals.tail([], 0.99) is None


def test_the_tail_is_an_observed_value_inside_its_interval() -> None:
    sample = launches(np.random.default_rng(3), 4, 300, 0.02)
    tail = intervals.tail(sample, 0.99)
    assert isinstance(tail, Interval)
    assert tail.value in np.concatenate(sample)
    assert tail.low <= tail.value <= tail.high


def test_one_launch_has_its_own_interval_and_too_few_samples_none() -> None:
    one = launches(np.random.default_rng(1), 1, 200, 0)
    assert isinstance(intervals.median(one), Interval)
    # A pure drift: its samples are worth a single one, and that has no interval.
    assert intervals.median([np.arange(1.0, 101.0)]) == 50.0
    assert intervals.median([np.array([1.0, 2.0])]) == 1.0
    assert intervals.median([]) is None


def test_outputs_that_do_not_match_make_a_cell_invalid(
    case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    good = Parity(samples=64, cosine=0.99999, max_abs_error=0.1, top1_ratio=1.0)
    bad = Parity(samples=64, cosine=0.5, max_abs_error=9.0, top1_ratio=0.2)
    one, planned = case(), PlannedCase(case_id="1", case=case())
    assert validity.verdict([record(one, parity=good)], planned) == ("valid", [])
    alone = [record(one, parity=bad), record(one), record(one)]
    assert validity.verdict(alone, planned)[0] == "invalid", "of one launch, it is the cell's"
    both = [record(one, parity=good), record(one, parity=bad)]
    verdict, (reason,) = validity.verdict(both, planned)
    assert verdict == "invalid"
    assert reason == "parity: cosine 0.50000 below 0.9999 (fp32 classification)"


def test_every_task_and_precision_has_limits_and_a_reason_for_them() -> None:
    assert set(validity.LIMITS) == set(itertools.product(get_args(Task), PRECISIONS))
    for limit in validity.LIMITS.values():
        assert 0 < limit.min_cosine <= 1
        assert limit.min_top1_ratio is None or 0 < limit.min_top1_ratio <= 1
        assert limit.reason


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (None, ""),
        (ParityLimits(), ""),
        (ParityLimits(min_cosine=0.96), "cosine 0.95000 below 0.96 (this workload)"),
        (ParityLimits(min_top1_ratio=0.95), "top-1 agreement 0.90000 below 0.95 (this workload)"),
        (ParityLimits(min_cosine=0.5, min_top1_ratio=0.5), ""),
    ],
)
def test_a_workload_may_state_limits_of_its_own(
    case: Callable[..., Case],
    record: Callable[..., Record],
    own: ParityLimits | None,
    words: str,
) -> None:
    found = Parity(samples=64, cosine=0.95, max_abs_error=0.1, top1_ratio=0.9)
    one = case(precision="int8")
    planned = PlannedCase(case_id="1", case=one, parity=own)
    verdict, reasons = validity.verdict([record(one, parity=found)], planned)
    assert verdict == ("invalid" if words else "valid")
    assert [f"parity: {words}"] * bool(words) == reasons


def test_a_figure_that_is_no_number_passes_no_limit() -> None:
    broken = Parity(samples=1, cosine=math.nan, max_abs_error=0.0, top1_ratio=1.0)
    assert "parity: cosine nan" in validity.parity_fault(broken, "int8")
    none = ParityLimits(min_cosine=1e-9, min_top1_ratio=1e-9)
    for value in (np.nan, np.inf):
        found = passes.compare(np.full((1, 2), value), np.ones((1, 2), np.float32))
        told = validity.parity_fault(found, "int8", own=none)
        assert told == "parity: outputs are NaN or infinite"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"run_delay_ns": 100_000_000}, "waited for a CPU 17%"),
        ({"environment_after": Environment(busy_all_ns=1_100_000_000)}, "other processes"),
        ({"environment_after": Environment(throttled_ns=5_000_000)}, "quota for 5 ms"),
        ({"environment_after": Environment(swap_used_byte=4096)}, "swapping"),
        ({"involuntary_switches": 120}, "lost its CPU 200 times a second"),
        ({"involuntary_switches": 120, "run_delay_ns": 12_000_000}, "lost its CPU"),
        ({"involuntary_switches": 120, "run_delay_ns": 1_000_000}, ""),  # and got it back at once
        ({"involuntary_switches": 50}, ""),
        ({"environment_before": None}, ""),
        ({}, ""),
    ],
)
def test_disturbances_are_named(
    case: Callable[..., Case],
    record: Callable[..., Record],
    changes: dict[str, object],
    words: str,
) -> None:
    quiet = Environment(busy_all_ns=0, throttled_ns=0, swap_used_byte=0)
    fields = {"environment_before": quiet, "environment_after": quiet, **changes}
    reasons = disturbances.of(record(case(), **fields))
    assert (words in reasons[0]) if words else (reasons == [])


def test_one_noisy_launch_of_three_is_forgiven_two_are_not(
    case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    calm, noisy = record(case()), record(case(), run_delay_ns=300_000_000)
    planned = PlannedCase(case_id="1", case=case())
    assert validity.verdict([calm, calm, noisy], planned)[0] == "valid"
    assert validity.verdict([calm, noisy, noisy], planned)[0] == "suspect"


def test_a_clock_that_costs_more_than_a_hundredth_is_told() -> None:
    assert "2.0%" in validity.clock_caveat(100, 5000.0)
    assert validity.clock_caveat(40, 5000.0) == ""
    assert validity.clock_caveat(None, 5000.0) == ""
