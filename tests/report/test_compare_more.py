"""Energies, frames and stages are compared by intervals of their own, and tiers not at all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from edgebench.analysis import compare, energy, limits, pairing
from edgebench.analysis.compare import METRICS, Summary
from edgebench.records import Record
from edgebench.report import comparison, figures
from edgebench.report.columns import BY_NAME, STAGES
from edgebench.report.rows import Row, of_runs
from edgebench.samples import Samples
from edgebench.store.read import read_all
from edgebench.testing.fleet import Cell, Device, write

POWERS = ("energy_net_mj", "energy_gross_mj", "power_w")
BOARD = Device(name="raspberry-pi-5", cells=(Cell(latency_ms=20.0, power_w=6.0),))


def told(values: list[float]) -> Summary:
    """What a row tells of the energies of these launches."""
    return Summary(*energy.interval(values), len(values))


def rows(folder: Path, device: Device, **more: object) -> list[Row]:
    write(folder, device, **more)  # type: ignore[arg-type]
    return of_runs(read_all([folder])[0])


def one(a: list[Row], b: list[Row], metric: str) -> Row:
    [row] = comparison.of_rows(a, b, (metric,)).rows
    return row


def test_every_metric_is_a_column_with_the_interval_it_says() -> None:
    for name, metric in METRICS.items():
        stem, _, unit = name.rpartition("_")
        ends = [f"{stem}_{end}_{unit}" in BY_NAME for end in ("lo", "hi")]
        if name != "server_rate_hz":
            assert name in BY_NAME
        assert all(ends) == (metric.spread != "unknown"), name
        assert metric.launches in BY_NAME
    assert tuple(STAGES) == compare.STAGES


def test_energies_give_their_standard_error_back_to_first_order() -> None:
    a, b = [100.0, 103.0, 98.0, 101.0], [109.0, 112.0, 111.0, 108.0, 110.0]
    ours = compare.summaries(told(a), told(b), "energy_net_mj")
    parts = [np.std(side, ddof=1) / math.sqrt(len(side)) / np.mean(side) for side in (a, b)]
    assert ours.log_se == pytest.approx(math.hypot(*parts))
    assert ours.ratio == pytest.approx(np.mean(b) / np.mean(a))
    logs = compare.unpaired(a, b)
    assert (ours.low, ours.high) == pytest.approx((logs.low, logs.high), rel=0.002)
    assert ours.verdict == "more"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_interval_of_a_ratio_of_energies_covers_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    covered, runs = 0, 600
    for _ in range(runs):
        a, b = rng.normal(50, 2.5, 6), rng.normal(55, 2.75, 6)
        found = compare.summaries(told(a.tolist()), told(b.tolist()), "energy_net_mj")
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 1.1 <= found.high
    assert covered / runs >= scipy.stats.binom.ppf(0.001, runs, 0.95) / runs


@pytest.mark.parametrize(
    ("side", "reason"),
    [
        (Summary(-1.0, -3.0, 1.0, 6), "energy_net_mj of B is -1: a ratio needs more than 0"),
        (Summary(0.0, -3.0, 3.0, 6), "energy_net_mj of B is 0: a ratio needs more than 0"),
        (Summary(2.0, -1.0, 5.0, 6), "energy_net_mj of B may be 0: its interval reaches it"),
        (Summary(2.0, None, None, 1), "B has no interval: it needs two launches or more"),
        (Summary(None, None, None, 6), "not measured in B"),
    ],
)
def test_what_has_no_ratio_is_told_and_not_judged(side: Summary, reason: str) -> None:
    found = compare.summaries(Summary(2.0, 1.9, 2.1, 6), side, "energy_net_mj")
    assert (found.verdict, found.reason) == ("can't tell", reason)
    assert found.low is None


def test_a_tenth_more_power_is_found_and_a_limit_of_it_breaks(tmp_path: Path) -> None:
    old = rows(tmp_path / "a", BOARD)
    hungry = replace(BOARD, cells=(Cell(latency_ms=20.0, power_w=6.6),))
    new = rows(tmp_path / "b", hungry, seed=2)
    for metric in POWERS:
        assert one(old, new, metric)["verdict"] == "more"
        assert one(new, old, metric)["verdict"] == "less"
        assert one(old, old, metric)["verdict"] in {"same", "can't tell"}
    broken = comparison.of_rows(old, new, checked=[limits.parse("energy_net_mj:+5%")]).breaks
    assert [each.limit.metric for each in broken] == ["energy_net_mj"]
    kept = comparison.of_rows(old, new, checked=[limits.parse("energy_net_mj:+50%")]).breaks
    assert kept == []


def test_energy_below_zero_is_shown_as_what_it_is(tmp_path: Path) -> None:
    old = rows(tmp_path / "a", BOARD)
    # The device drew more while it was to be idle.
    new = rows(tmp_path / "b", replace(BOARD, idle_w=7.0))
    row = one(old, new, "energy_net_mj")
    assert isinstance(row["value_b"], float)
    assert row["value_b"] < 0
    assert "a ratio needs more than 0" in str(row["reason"])
    assert one(old, new, "energy_gross_mj")["p_value"] is not None


def test_the_launches_of_the_power_pass_are_what_counts(tmp_path: Path) -> None:
    [old] = rows(tmp_path / "a", BOARD)
    few = old | {"power_launches": 2}
    assert one([old], [few], "power_w")["p_value"] is not None
    unknown = old | {"power_launches": None}
    assert "no interval" in str(one([old], [unknown], "power_w")["reason"])


def test_tiers_of_power_are_not_compared_and_all_else_is(tmp_path: Path) -> None:
    board, wall = (
        rows(tmp_path / tier, replace(BOARD, tier=tier))
        for tier in ("board_measured", "wall_measured")
    )
    for metric in POWERS:
        row = one(board, wall, metric)
        assert row["verdict"] == "not comparable"
        assert row["reason"] == "other power tier: board_measured -> wall_measured"
    assert one(board, wall, "latency_p50_ms")["p_value"] is not None
    none = rows(tmp_path / "none", replace(BOARD, cells=(Cell(latency_ms=20.0),)))
    assert one(board, none, "power_w")["reason"] == "not measured in B"


def test_parts_of_a_device_are_compared_with_the_same_parts(tmp_path: Path) -> None:
    [part] = rows(tmp_path, replace(BOARD, tier="partial_measured"))
    other = part | {"power_excludes": "all but the CPU; memory"}
    assert "the meters leave out other parts" in pairing.obstacle_of("power_w", part, other)
    assert pairing.obstacle_of("power_w", part, part) == ""
    assert pairing.obstacle_of("latency_p50_ms", part, other) == ""


def test_frames_in_time_are_the_same_within_one_in_a_thousand(tmp_path: Path) -> None:
    def camera(name: str, ratio: float) -> list[Row]:
        cell = Cell(scenario="paced", in_time_ratio=ratio)
        return rows(tmp_path / name, Device(name="b", cells=(cell,)), samples=3000)

    best, good, bad = camera("a", 0.9999), camera("b", 0.9998), camera("c", 0.99)
    assert one(best, good, "in_time_ratio")["verdict"] == "same"
    assert one(good, bad, "in_time_ratio")["verdict"] == "worse"
    assert one(bad, good, "in_time_ratio")["verdict"] == "better"


def test_stages_have_intervals_and_a_slower_one_is_found(tmp_path: Path) -> None:
    def way(name: str, decode_ms: float) -> list[Row]:
        cell = Cell(stages_ms={"decode": decode_ms, "resize": 1.0, "invoke": 4.0})
        return rows(tmp_path / name, replace(BOARD, cells=(cell,)))

    old, new = way("a", 5.0), way("b", 7.0)
    assert old[0]["stage_decode_lo_ms"] is not None
    assert one(old, new, "stage_decode_ms")["verdict"] == "slower"
    assert one(old, new, "stage_invoke_ms")["verdict"] == "same"
    assert one(old, new, "stage_crop_ms")["reason"] == "not measured in A"


def test_a_stage_that_takes_no_time_has_no_interval() -> None:
    launches = [
        Record(
            run_id="r",
            case_id="c",
            launch=launch,
            started_at_utc="2026-01-01T00:00:00Z",
            status="ok",
            stage_ns={"crop": Samples([0] * 10), "invoke": Samples([1000 + launch] * 10)},
        )
        for launch in range(3)
    ]
    row = figures.stages(launches)
    assert row["stage_crop_ms"] == 0.0
    assert "stage_crop_lo_ms" not in row
    low, middle, high = (row[f"stage_invoke{end}_ms"] for end in ("_lo", "", "_hi"))
    assert low < middle < high  # type: ignore[operator]


def test_another_decoder_is_a_change_that_is_named(tmp_path: Path) -> None:
    [way] = rows(tmp_path, replace(BOARD, cells=(Cell(stages_ms={"decode": 5.0}),)))
    assert pairing.changes(way, way | {"pipeline": "pillow 12"}) == [
        "pipeline planted 0 -> pillow 12"
    ]


@pytest.mark.parametrize("metric", ["load_ms", "first_inference_ms"])
def test_what_happens_once_a_launch_has_a_ratio_and_no_verdict(metric: str, tmp_path: Path) -> None:
    row = one(rows(tmp_path / "a", BOARD), rows(tmp_path / "b", BOARD), metric)
    assert row["ratio"] == 1.0
    assert (row["verdict"], row["ratio_lo"]) == ("can't tell", None)
    assert "nothing tells how sure it is" in str(row["reason"])
