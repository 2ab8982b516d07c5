"""How many frames a second a device keeps up, and which measurement answers that."""

from __future__ import annotations

import math

import pytest
from boards import CELL, RATE, board

from edgebench.analysis import capacity, cost
from edgebench.analysis.cost import Need

TEN = Need(cameras=10, rate_hz=30, kwh_usd=0.30)


def test_the_rate_that_is_kept_for_minutes_is_what_counts() -> None:
    """150/s * 0.6 = 90/s; careful 146 * 0.58 = 84.68/s; 80 % of it is 67.7/s: 2 cameras of 30/s."""
    sustained = {
        **CELL,
        "scenario": "sustained",
        "burst_sustained_ratio": 0.6,
        "burst_sustained_lo_ratio": 0.58,
        "burst_sustained_hi_ratio": 0.62,
    }
    known = capacity.evidence([sustained])
    found = cost.estimate(board(**RATE), TEN, known)
    assert found.capacity.rate_hz is not None
    assert found.capacity.rate_hz.value == pytest.approx(90)
    assert found.capacity.careful_hz == pytest.approx(84.68)
    assert found.figures["cost_devices"].value == 5
    assert "60%" in found.capacity.basis
    alone = cost.estimate(board(**RATE), TEN)
    assert alone.capacity.basis == capacity.NOT_SUSTAINED
    assert any(capacity.NOT_SUSTAINED in note for note in alone.notes)


@pytest.mark.parametrize(
    "other",
    [
        {"backend": "onnxruntime"},
        {"precision": "fp32"},
        {"threads": 4},
        {"device": "another"},
        {"workload": "vww"},
        {"status": "failed"},
        {"validity": "invalid"},
        {"fallback": "precision"},
    ],
    ids=str,
)
def test_another_cells_minutes_say_nothing_of_this_one(other: dict[str, object]) -> None:
    row = {**CELL, "scenario": "sustained", "burst_sustained_ratio": 0.5, **other}
    found = capacity.of(board(**RATE), capacity.evidence([row]))
    assert found.basis == capacity.NOT_SUSTAINED


def test_another_units_minutes_are_taken_and_told() -> None:
    row = {**CELL, "scenario": "sustained", "burst_sustained_ratio": 0.5, "device_id": "two"}
    found = capacity.of(board(**RATE), capacity.evidence([row]))
    assert found.rate_hz is not None
    assert found.rate_hz.value == 75
    assert found.notes == ("sustained was measured on another unit: two",)


def test_a_share_of_one_launch_leaves_the_lower_end_of_the_rate_to_plan_with() -> None:
    """146/s at least, of which 60 % are kept: 87.6/s; 80 % of that hold 2 cameras of 30/s."""
    row = {**CELL, "scenario": "sustained", "burst_sustained_ratio": 0.6, "launches": 1}
    found = cost.estimate(board(**RATE), TEN, capacity.evidence([row]))
    assert found.capacity.careful_hz == pytest.approx(87.6)
    assert found.capacity.basis.endswith("60% of the first minute's speed is kept, in one launch")
    kept = capacity.evidence([{**row, "burst_sustained_ratio": 1.0}])
    assert cost.estimate(board(**RATE), TEN, kept).capacity.careful_hz == 146


def test_minutes_make_nothing_faster_than_it_was_measured() -> None:
    row = {**CELL, "scenario": "sustained", "burst_sustained_ratio": 1.2}
    found = capacity.of(board(**RATE), capacity.evidence([row]))
    assert found.rate_hz is not None
    assert found.rate_hz.value == 150


def test_a_sustained_cell_is_sized_by_its_last_third() -> None:
    """100/s over all minutes at a median of 9 ms; at the end 10 ms: 100 * 9 / 10 = 90/s."""
    cells = {"scenario": "sustained", "throughput_ips": 100.0, "latency_p50_ms": 9.0}
    found = capacity.of(board(**cells, sustained_p50_ms=10.0))
    assert found.rate_hz is not None
    assert found.rate_hz.value == pytest.approx(90)
    assert capacity.of(board(**cells)).rate_hz is None


def test_a_rate_that_holds_a_bound_is_used_to_the_full_as_waiting_is_in_it() -> None:
    """90 queries/s hold the bound: 3 cameras of 30/s, without 80 % of it (which would be 2)."""
    server = {"scenario": "server", "parameters": "bound_ms=50", "server_rate_hz": 90.0}
    found = cost.estimate(board(**server), TEN)
    assert found.figures["cost_devices"].value == 4
    assert "bound_ms=50" in found.capacity.basis
    assert "waiting is in that capacity: all of it is planned for" in found.notes
    none_held = cost.estimate(board(**{**server, "server_rate_hz": None}), TEN)
    assert none_held.missing["cost_devices"] == "server: no rate was confirmed to hold bound_ms=50"


def test_a_paced_cell_holds_the_rate_that_it_was_offered_or_none_that_is_known() -> None:
    paced = {"scenario": "paced", "parameters": "rate_hz=30", "in_time_ratio": 0.995}
    found = cost.estimate(board(**paced), TEN)
    assert found.figures["cost_devices"].value == 10
    late = cost.estimate(board(**{**paced, "in_time_ratio": 0.9}), TEN)
    assert "90.0% were answered in time" in late.missing["cost_devices"]


def test_an_offline_cell_says_that_frames_wait_for_their_batch() -> None:
    offline = {"scenario": "offline", "offline_batch": 8, "offline_streams": 4, **RATE}
    found = capacity.of(board(**offline))
    assert "batch 8, 4 at once" in found.basis
    assert capacity.NOT_SUSTAINED in found.basis


def test_what_other_scenarios_found_of_the_cell_is_told_and_changes_nothing() -> None:
    server = {**CELL, "scenario": "server", "parameters": "bound_ms=50", "server_rate_hz": 61.5}
    paced = {**CELL, "scenario": "paced", "parameters": "rate_hz=30", "in_time_ratio": 0.97}
    offline = {**CELL, "scenario": "offline", "throughput_ips": 300.0}
    e2e = {**CELL, "region": "e2e", "throughput_ips": 40.0}
    known = capacity.evidence([server, paced, offline, e2e])
    found = cost.estimate(board(**RATE), TEN, known)
    assert found.figures == cost.estimate(board(**RATE), TEN).figures
    for words in (
        "server held 61.5 queries/s (bound_ms=50)",
        "paced (rate_hz=30): a share of 0.97 in time",
        "offline did 300 frames/s",
        "from image file to answer: 40 frames/s",
    ):
        assert words in found.notes


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_a_capacity_that_is_no_rate_sizes_nothing(rate: float) -> None:
    assert cost.estimate(board(throughput_ips=rate), TEN).figures == {}


@pytest.mark.parametrize(
    "parameters", [None, "rate_hz=", "rate_hz=1.2.3", "rate_hz=-5", "rate_hz=0"]
)
def test_a_pace_that_is_none_sizes_nothing(parameters: str | None) -> None:
    paced = board(scenario="paced", parameters=parameters, in_time_ratio=1.0)
    assert cost.estimate(paced, TEN).figures == {}
