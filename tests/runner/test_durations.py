"""How often and how long: what a scenario wants, and what a dry run tells of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgebench.errors import UsageError
from edgebench.records import Case
from edgebench.runner import config as configs
from edgebench.runner import durations, variants
from edgebench.runner.config import PRESETS, RunConfig


def test_a_paced_launch_sees_a_third_of_the_frames_of_a_p99(case: Callable[..., Case]) -> None:
    one = case(scenario="paced", parameters={"rate_hz": 30.0})
    own = durations.fitted(one, PRESETS["quick"])
    assert own.measure_s * 30.0 * own.min_launches >= 368
    fast = case(scenario="paced", parameters={"rate_hz": 1000.0})
    assert durations.fitted(fast, PRESETS["standard"]).measure_s == 2.0


@pytest.mark.parametrize(("preset", "launches"), [("quick", 1), ("standard", 3), ("thorough", 3)])
def test_a_sustained_case_takes_its_minutes_and_few_launches(
    case: Callable[..., Case], preset: str, launches: int
) -> None:
    one = case(scenario="sustained", parameters={"minutes": 10.0})
    own = durations.fitted(one, PRESETS[preset])  # type: ignore[index]
    assert (own.min_launches, own.max_launches, own.measure_s) == (launches, launches, 600.0)
    assert durations.launch_s(one, own) == pytest.approx(600, abs=3)


def test_other_scenarios_keep_their_preset_and_search_longer(case: Callable[..., Case]) -> None:
    quick = PRESETS["quick"]
    plain = durations.launch_s(case(), quick)
    assert durations.fitted(case(), quick) == quick
    search = case(scenario="server", parameters={"bound_ms": 100.0})
    sweep = case(scenario="offline", parameters={"max_batch": 32.0, "max_streams": 2.0})
    assert durations.launch_s(search, quick) > plain + 1
    assert durations.launch_s(sweep, quick) == pytest.approx(plain + 12 * 0.075)
    asked = case(scenario="server", parameters={"bound_ms": 100.0, "rate_hz": 10.0})
    assert durations.launch_s(asked, quick) > 36.8


def test_a_server_that_looks_for_its_rate_has_no_target_to_reach(case: Callable[..., Case]) -> None:
    search = case(scenario="server", parameters={"bound_ms": 100.0})
    own = durations.fitted(search, PRESETS["thorough"])
    assert (own.target_ratio, own.launch_target_ratio) == (None, None)
    asked = case(scenario="server", parameters={"bound_ms": 100.0, "rate_hz": 10.0})
    assert durations.fitted(asked, PRESETS["thorough"]) == PRESETS["thorough"]


def test_an_offline_launch_has_the_cpus_of_all_its_streams(case: Callable[..., Case]) -> None:
    assert variants.most_streams(case(parameters={"max_streams": 4.0})) == 4
    assert variants.most_streams(case(streams=2)) == 2


def test_a_batch_that_does_not_divide_a_query_is_refused() -> None:
    config = RunConfig(scenario=("multi_stream",), batch=(1, 3))
    with pytest.raises(UsageError, match="a multi_stream query has 8 samples"):
        variants.check(config, 2)
    variants.check(RunConfig(scenario=("offline",), batch=(3,)), 2)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (RunConfig(rate_hz=30.0), "--rate belongs to --scenario paced or server"),
        (RunConfig(bound_ms=5.0, scenario=("paced",)), "--bound belongs to --scenario server"),
        (RunConfig(minutes=5.0), "--minutes belongs to --scenario sustained"),
        (RunConfig(minutes=1e300, scenario=("sustained",)), "a week"),
        (RunConfig(minutes=float("inf"), scenario=("sustained",)), "must be a number"),
    ],
)
def test_a_number_that_no_scenario_asks_for_or_can_keep_is_refused(
    config: RunConfig, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        variants.check(config, 2)


@pytest.mark.parametrize(
    ("cells", "measure_s"), [(1, 0.3), (16, 0.3), (32, 0.12), (46, 0.1), (1000, 0.1)]
)
def test_the_more_cells_a_quick_run_has_the_shorter_is_each_launch(
    cells: int, measure_s: float
) -> None:
    assert durations.aimed(PRESETS["quick"], cells).measure_s == measure_s


@pytest.mark.parametrize(
    "named",
    [
        {"workloads": ("mnist_cnn",)},
        {"backends_named": ("litert",)},
        {"precisions": ("fp32",)},
        {"scenario": ("offline",)},
        {"region": ("e2e",)},
        {"accuracy": "full"},
        {"budget_s": 600.0},
        {"preset": "standard"},
        {"preset": "thorough"},
    ],
)
def test_what_is_named_is_measured_in_full(named: dict[str, Any]) -> None:
    preset = configs.preset(RunConfig(**named))
    assert preset.aim_s is None
    assert durations.aimed(preset, 1000) == preset


@pytest.mark.parametrize("rate_hz", [0.0, 0.05, 1e12, float("nan")])
def test_a_rate_that_cannot_be_waited_for_is_refused(rate_hz: float) -> None:
    with pytest.raises(UsageError, match="--rate"):
        variants.check(RunConfig(scenario=("paced",), rate_hz=rate_hz), 2)
