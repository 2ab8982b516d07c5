"""Scenarios as rows: figures where they were measured, words that claim no more than that."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from edgebench.machine import Environment, Look
from edgebench.records import Case, Manifest, Minute, PlannedCase, Record, Trial
from edgebench.report import rows, table
from edgebench.report.rows import Row
from edgebench.samples import Samples

NS_PER_S = 1_000_000_000
Make = Callable[..., Row]


@pytest.fixture
def row_of(
    case: Callable[..., Case], record: Callable[..., Record], manifest: Callable[..., Manifest]
) -> Make:
    """The row of a case from what its launches' records hold."""

    def make(scenario: str, *launches: dict[str, object], **parameters: float) -> Row:
        one = case(scenario=scenario, parameters=parameters)
        made = [record(one, launch=k, **fields) for k, fields in enumerate(launches)]
        (row,) = rows.of_records(manifest(one, launches=len(launches)), made)
        return row

    return make


def held(rate_hz: float, *, holds: bool | None) -> dict[str, object]:
    trial = Trial(rate_hz=rate_hz, throughput_ips=rate_hz, p99_ns=1, held=holds)
    return {"trials": (trial,), "service_ns": Samples([500_000] * 400)}


def test_a_servers_rate_is_told_with_its_spread_over_launches(row_of: Make) -> None:
    launches = [held(rate, holds=True) for rate in (90.0, 100.0, 110.0)]
    row = row_of("server", *launches, bound_ms=100.0)
    assert row["server_rate_hz"] == pytest.approx((90 * 100 * 110) ** (1 / 3))
    low, high = row["server_rate_lo_hz"], row["server_rate_hi_hz"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low < 90
    assert high > 110
    assert row["service_p50_ms"] == pytest.approx(0.5)
    assert row["service_p99_ms"] == pytest.approx(0.5)
    assert str(row["outcome"]).startswith("holds 99.67 Hz ±")


@pytest.mark.parametrize("other", [False, None])
def test_a_rate_that_one_launch_did_not_confirm_is_no_rate(
    row_of: Make, other: bool | None
) -> None:
    row = row_of("server", held(90.0, holds=True), held(90.0, holds=other), bound_ms=50.0)
    assert row["server_rate_hz"] is None
    assert row["server_offered_hz"] == pytest.approx(90.0)
    assert row["outcome"] == "not shown at 90 Hz"
    assert "p99 <= 50 ms held in 1 of 2 launches" in str(row["caveats"])


def test_a_server_without_any_window_shows_no_figure(row_of: Make) -> None:
    nothing = {
        "trials": (Trial(rate_hz=5.0, reason="368 queries do not fit"),),
        "latency_ns": Samples(),
        "window_ns": None,
        "inferences": 0,
    }
    row = row_of("server", nothing, bound_ms=50.0)
    figures = ("server_rate_hz", "server_offered_hz", "latency_p50_ms", "throughput_ips")
    assert [row[name] for name in figures] == [None] * 4
    assert row["outcome"] == "can't tell"


def test_offline_names_the_best_way_and_launches_that_chose_another(row_of: Make) -> None:
    def chose(batch: int, streams: int) -> dict[str, object]:
        refused = Trial(batch=64, reason="no memory")
        return {
            "trials": (refused, Trial(batch=batch, streams=streams, throughput_ips=1.0)),
            "samples": 6000,
        }

    row = row_of("offline", chose(16, 2), chose(8, 2), chose(16, 2), max_batch=64.0)
    assert (row["offline_batch"], row["offline_streams"]) == (16, 2)
    assert row["throughput_ips"] == pytest.approx(10_000)
    assert row["throughput_lo_ips"] == row["throughput_hi_ips"] == pytest.approx(10_000)
    assert row["outcome"] == "10,000/s ±0% b16 s2"
    assert "launches chose b8 s2, b16 s2" in str(row["caveats"])
    assert "b64 s1: no memory" in str(row["caveats"])


def test_paced_frames_are_summed_over_launches(row_of: Make) -> None:
    counts = {"frames_offered": 100, "frames_dropped": 3, "deadline_misses": 2, "spin_ns": 9}
    row = row_of("paced", {"counts": counts}, {"counts": counts}, rate_hz=30.0)
    assert (row["frames_offered"], row["frames_dropped"], row["deadline_misses"]) == (200, 6, 4)
    assert row["in_time_ratio"] == pytest.approx(0.95)
    assert row["outcome"] == "4 late 6 lost of 200"


def minutes(*medians_ms: int, last_s: int = 60) -> dict[str, object]:
    made = [
        Minute(
            inferences=1, window_ns=60 * NS_PER_S, p50_ns=m * 1_000_000, environment=Environment()
        )
        for m in medians_ms[:-1]
    ]
    made.append(
        Minute(
            inferences=1,
            window_ns=last_s * NS_PER_S,
            p50_ns=medians_ms[-1] * 1_000_000,
            environment=Environment(),
        )
    )
    return {"minutes": tuple(made), "counts": {"kept_every": 9}}


def test_sustained_speed_is_the_last_third_against_the_first_minute(row_of: Make) -> None:
    row = row_of("sustained", minutes(10, 11, 12, 16, 19, 20, 20), minutes=7.0)
    assert row["burst_p50_ms"] == pytest.approx(10.0)
    assert row["sustained_p50_ms"] == pytest.approx(20.0)
    assert row["burst_sustained_ratio"] == pytest.approx(0.5)
    assert row["outcome"] == "keeps 50.0% of burst"
    assert "one latency in 9 is kept" in str(row["caveats"])


def test_when_a_device_was_first_slowed_down_is_a_finding_and_no_fault(row_of: Make) -> None:
    def looks(*slowed_at_s: int) -> dict[str, object]:
        seen = [
            Look(t_ns=5 + s * NS_PER_S, stage="measure", slowed_by=("cpufreq-cpu0",) * (s in at))
            for at in ({*slowed_at_s},)
            for s in range(400)
        ]
        return minutes(10, 11, 12) | {"looks": tuple(seen)}

    row = row_of("sustained", looks(300, 301), looks(340), looks(), minutes=3.0)
    assert row["sustained_throttle_s"] == pytest.approx(320.0)
    assert "sustained: slowed down after 320 s: cpufreq-cpu0" in str(row["caveats"])
    assert row["validity"] == "valid"
    assert row_of("sustained", looks(), minutes=3.0)["sustained_throttle_s"] is None


def test_a_minute_that_was_cut_is_none(row_of: Make) -> None:
    row = row_of("sustained", minutes(10, 10, 99, last_s=20), minutes=2.3)
    assert row["burst_sustained_ratio"] is None
    assert "need 3 whole minutes" in str(row["caveats"])


def test_one_sustained_launch_is_all_that_was_planned(
    case: Callable[..., Case], record: Callable[..., Record], manifest: Callable[..., Manifest]
) -> None:
    one = case(scenario="sustained", parameters={"minutes": 10.0})
    planned = PlannedCase(case_id=one.case_id, case=one, launches=1)
    (row,) = rows.of_records(manifest(one, plan=(planned,)), [record(one, **minutes(1, 1, 1))])
    assert "of 3 launches" not in str(row["caveats"])


def test_other_scenarios_leave_these_columns_empty(row_of: Make) -> None:
    row = row_of("single_stream", {}, {})
    mine = ("offline_", "server_", "frames_", "deadline_", "in_time_", "burst_", "sustained_")
    assert all(value is None for name, value in row.items() if name.startswith(mine))
    assert row["outcome"] == "p50 1.05 ms"


def test_the_table_of_scenarios_fits_and_names_what_failed(row_of: Make) -> None:
    from rich.console import Console

    counts = {"frames_offered": 372, "frames_dropped": 0, "deadline_misses": 12}
    found = [
        row_of("server", *[held(11_565.0, holds=True)] * 2, bound_ms=100.0),
        row_of("paced", {"counts": counts}, rate_hz=30.0),
        {**row_of("paced", {"counts": counts}, rate_hz=60.0), "status": "crashed", "outcome": None},
    ]
    for some in (found, found[:1], found[1:]):
        out = io.StringIO()
        Console(file=out, width=80, color_system=None).print(table.build(some))
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= 80
    everything = io.StringIO()
    Console(file=everything, width=80, color_system=None).print(table.build(found[:2]))
    assert "holds 11,565 Hz ±0%" in everything.getvalue()
    assert "12 late 0 lost of 372" in everything.getvalue()
    assert "crashed" in lines[-1]
    assert "rate_hz=60" in out.getvalue()  # two rates of one scenario are told apart
