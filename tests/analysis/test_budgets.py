"""Budgets: broken only where the interval clears the limit; what was not measured never passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis import budgets
from edgebench.analysis.budgets import BROKEN, CANNOT_TELL, KEPT, NOT_MEASURED, judge
from edgebench.analysis.constraints import Constraint
from edgebench.errors import UsageError
from edgebench.report import gather
from edgebench.report.columns import COLUMNS
from edgebench.testing import fleet

NUMBERS = {column.name for column in COLUMNS if column.kind != "str"}
ROW: dict[str, object] = {
    "status": "ok",
    "validity": "valid",
    "launches": 3,
    "latency_p50_ms": 10.0,
    "latency_p50_lo_ms": 9.0,
    "latency_p50_hi_ms": 11.5,
    "latency_p99_ms": 20.0,
    "latency_p99_lo_ms": 15.0,
    "latency_p99_hi_ms": 40.0,
    "top1_ratio": 0.8,
    "top1_lo_ratio": 0.7,
    "top1_hi_ratio": 0.88,
    "model_size_mib": 3.0,
}


def verdict(name: str, bound: float, sense: str = "max", **changes: object) -> str:
    limit = Constraint(name, "max" if sense == "max" else "min", bound)
    (one,) = judge(ROW | changes, [limit])
    assert one.passes == (one.verdict in {KEPT, CANNOT_TELL})
    assert (one.verdict == NOT_MEASURED) == bool(one.reason)
    return one.verdict


@pytest.mark.parametrize(
    ("name", "sense", "bound", "expected"),
    [
        ("latency_p50_ms", "max", 10.0, KEPT),
        ("latency_p50_ms", "max", 10.1, KEPT),
        ("latency_p50_ms", "max", 9.9, CANNOT_TELL),
        ("latency_p50_ms", "max", 9.001, CANNOT_TELL),
        ("latency_p50_ms", "max", 8.999, BROKEN),
        ("latency_p50_ms", "max", -1.0, BROKEN),
        ("latency_p99_ms", "max", 15.001, CANNOT_TELL),
        ("latency_p99_ms", "max", 14.999, BROKEN),
        ("top1_ratio", "min", 0.8, KEPT),
        ("top1_ratio", "min", 0.879, CANNOT_TELL),
        ("top1_ratio", "min", 0.881, BROKEN),
        ("model_size_mib", "max", 3.0, KEPT),
        ("model_size_mib", "max", 2.999, BROKEN),
    ],
)
def test_a_limit_is_broken_where_the_whole_interval_lies_beyond(
    name: str, sense: str, bound: float, expected: str
) -> None:
    assert verdict(name, bound, sense) == expected


@given(
    low=st.floats(0.01, 1),
    high=st.floats(1, 100),
    bound=st.floats(0.001, 1000),
    launches=st.integers(2, 30),
)
def test_one_limit_alone_is_broken_exactly_where_its_interval_is_beyond(
    low: float, high: float, bound: float, launches: int
) -> None:
    changes = {"latency_p50_ms": 1.0, "latency_p50_lo_ms": low, "latency_p50_hi_ms": high}
    ends = {"max": low - bound, "min": bound - high}
    for sense, beyond in ends.items():
        if abs(beyond) > 1e-9 * bound:
            found = verdict("latency_p50_ms", bound, sense, launches=launches, **changes)
            assert (found == BROKEN) == (beyond > 0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "failed", "reason": "no such operator"}, "failed: no such operator"),
        ({"status": "skipped", "reason": None}, "skipped"),
        ({"validity": "invalid", "caveats": "parity 0.3"}, "invalid: parity 0.3"),
        ({"fallback": "precision", "effective_precision": "fp32"}, "ran fp32"),
        ({"latency_p50_lo_ms": None}, "no interval"),
        ({"launches": 1}, "one launch"),
        ({"latency_p50_ms": None}, "no such figure"),
        ({"latency_p50_ms": None, "caveats": "p50 needs n >= 6; x"}, "p50 needs n >= 6"),
    ],
)
def test_what_does_not_count_is_not_measured_with_its_reason(
    changes: dict[str, object], told: str
) -> None:
    (one,) = judge(ROW | changes, [Constraint("latency_p50_ms", "max", 1000.0)])
    assert one.verdict == NOT_MEASURED
    assert told in one.reason
    assert not one.passes


def test_accuracy_and_energy_tell_what_they_lack() -> None:
    limits = [Constraint("top1_ratio", "min", 0.1), Constraint("energy_net_mj", "max", 9.0)]
    one, other = judge(ROW | {"top1_ratio": None}, limits)
    assert one.reason == "no labelled images"
    assert "meter" in other.reason


def test_an_accuracy_of_one_launch_counts_its_samples_are_its_spread() -> None:
    assert verdict("top1_ratio", 0.95, "min", launches=1) == BROKEN


def test_limits_judged_together_are_stricter_than_alone() -> None:
    near = Constraint("latency_p50_ms", "max", 8.99)
    others = [Constraint("latency_p99_ms", "max", 25.0), Constraint("top1_ratio", "min", 0.6)]
    assert judge(ROW, [near])[0].verdict == BROKEN
    assert [one.verdict for one in judge(ROW, [near, *others])] == [CANNOT_TELL, KEPT, KEPT]
    far = Constraint("latency_p50_ms", "max", 2.0)
    assert judge(ROW, [far, *others])[0].verdict == BROKEN


@pytest.mark.parametrize(
    ("name", "bound", "told"),
    [
        ("latency_p99", 3, "did you mean latency_p99_ms?"),
        ("wibble", 3, "--list-columns"),
        ("load_ms", 3, "has no interval"),
        ("latency_p90_ms", 3, "has no interval"),
        ("backend", 3, "no figure"),
        ("latency_p50_ms", "33", "no limit"),
        ("latency_p50_ms", True, "no limit"),
        ("latency_p50_ms", float("nan"), "no limit"),
    ],
)
def test_a_wrong_limit_is_refused_in_a_line(name: str, bound: float, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        budgets.limits({name: bound}, {}, NUMBERS)


def test_a_planted_run_is_judged_by_its_launches(tmp_path: Path) -> None:
    cell = fleet.Cell(latency_ms=11.0, top1_ratio=0.5, power_w=5.0)
    fleet.write(tmp_path, fleet.Device(name="pi", cells=(cell,)))
    ((row,), _) = gather.read([tmp_path])
    limits = budgets.limits({"latency_p50_ms": 10, "power_w": 4}, {"top1_ratio": 0.6}, NUMBERS)
    assert [one.verdict for one in judge(row, limits)] == [BROKEN] * 3
    limits = budgets.limits({"latency_p50_ms": 12, "power_w": 6}, {"top1_ratio": 0.4}, NUMBERS)
    assert [one.verdict for one in judge(row, limits)] == [KEPT] * 3
