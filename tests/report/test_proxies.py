"""Proxies of energy and the envelope: what they are of, and where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgebench import resources
from edgebench.host import identify
from edgebench.machine import CpuCluster, DeviceFacts, Envelope, Environment, KnownPower
from edgebench.records import Effective
from edgebench.report import rows
from edgebench.specs import DeviceMatch, DeviceSpec, FactSpec

PI5 = Envelope(
    idle=KnownPower(w=2.8, source="https://example.org/a", year=2023),
    load=KnownPower(w=9.7, source="https://example.org/b", year=2024),
)
BIG_LITTLE = (CpuCluster(cpus=2, max_mhz=2000.0), CpuCluster(cpus=4, max_mhz=1000.0))
NAMES = (
    "cpu_per_inference_ms",
    "cpu_per_inference_mcycles",
    "cpu_per_inference_minstructions",
    "envelope_energy_lo_mj",
    "envelope_energy_hi_mj",
)


@pytest.fixture
def row_with(
    case: Callable[..., Any], record: Callable[..., Any], manifest: Callable[..., Any]
) -> Callable[..., Any]:
    """A row of one record: 500 inferences in 600 ms, 500 ms of CPU time; any field changed."""

    def make(accelerator: str = "cpu", threads: int = 1, **changes: Any) -> Any:  # noqa: ANN401 - a row
        facts = DeviceFacts(
            device="fake-board", device_id="fake01", envelope=PI5, cpu_clusters=BIG_LITTLE
        )
        one = case(accelerator=accelerator, threads=threads)
        (row,) = rows.of_records(manifest(one, facts=facts), [record(one, **changes)])
        return row

    return make


def _environment(**residency: dict[int, int]) -> Environment:
    return Environment(residency_ns=residency)


def test_counted_cycles_and_instructions_are_told_per_inference(
    row_with: Callable[..., Any],
) -> None:
    row = row_with(cycles=1_000_000_000, instructions=3_000_000_000)
    assert row["cpu_per_inference_ms"] == pytest.approx(1.0)
    assert row["cpu_per_inference_mcycles"] == pytest.approx(2.0)
    assert row["cpu_per_inference_minstructions"] == pytest.approx(6.0)
    assert row["cpu_cycles_source"] == "counted"


def test_cycles_are_estimated_by_the_frequency_of_the_fastest_cluster(
    row_with: Callable[..., Any],
) -> None:
    row = row_with(
        environment_before=_environment(
            policy0={500_000: 5, 1_000_000: 7}, policy4={1_000_000: 100, 2_000_000: 100}
        ),
        environment_after=_environment(
            policy0={500_000: 605, 1_000_000: 7}, policy4={1_000_000: 250, 2_000_000: 550}
        ),
    )
    # A quarter of the window at 1 GHz, three quarters at 2: 1.75 GHz for 1 ms of CPU time.
    assert row["cpu_per_inference_mcycles"] == pytest.approx(1.75)
    assert row["cpu_cycles_source"] == "estimated"
    assert row["cpu_per_inference_minstructions"] is None


@pytest.mark.parametrize(
    ("threads", "before", "after"),
    [
        pytest.param(1, {}, {}, id="no residency"),
        pytest.param(
            1, {"policy4": {2_000_000: 5}}, {"policy4": {2_000_000: 5}}, id="no time passed"
        ),
        pytest.param(1, {}, {"policy4": {2_000_000: 5}}, id="nothing before"),
        pytest.param(
            3, {"policy4": {2_000_000: 5}}, {"policy4": {2_000_000: 9}}, id="both clusters"
        ),
        pytest.param(
            1,
            {"policy4": {2_000_000: 0, 1: 0}, "policy5": {2_000_000: 0, 1: 0}},
            {"policy4": {2_000_000: 9, 1: 0}, "policy5": {2_000_000: 0, 1: 9}},
            id="domains that ran unlike",
        ),
    ],
)
def test_cycles_that_nobody_can_tell_are_not_measured(
    row_with: Callable[..., Any],
    threads: int,
    before: dict[str, dict[int, int]],
    after: dict[str, dict[int, int]],
) -> None:
    row = row_with(
        threads=threads,
        environment_before=_environment(**before),
        environment_after=_environment(**after),
    )
    assert row["cpu_per_inference_mcycles"] is None
    assert row["cpu_cycles_source"] is None
    assert row["cpu_per_inference_ms"] is not None


def test_a_clock_that_rested_between_frames_tells_nothing_of_the_work(
    row_with: Callable[..., Any],
) -> None:
    row = row_with(
        cpu_ns=100_000_000,
        environment_before=_environment(policy4={400_000: 5, 2_000_000: 5}),
        environment_after=_environment(policy4={400_000: 505, 2_000_000: 105}),
    )
    assert row["cpu_per_inference_ms"] == pytest.approx(0.2)
    assert row["cpu_per_inference_mcycles"] is None


def test_the_envelope_is_the_published_power_times_the_time(row_with: Callable[..., Any]) -> None:
    row = row_with()
    assert row["envelope_energy_lo_mj"] == pytest.approx(2.8 * 1.2)
    assert row["envelope_energy_hi_mj"] == pytest.approx(9.7 * 1.2)
    assert row["envelope_source"] == (
        "2.8 to 9.7 W: https://example.org/a (2023), https://example.org/b (2024)"
    )
    measured = [name for name in row if name.startswith(("power_", "energy_"))]
    assert measured
    assert all(row[name] is None for name in measured)


@pytest.mark.parametrize(
    ("asked", "ran"), [("gpu", "gpu"), ("gpu", "cpu"), ("cpu", "npu"), ("cpu", None)]
)
def test_where_an_accelerator_may_have_run_there_is_no_proxy(
    row_with: Callable[..., Any], asked: str, ran: str | None
) -> None:
    row = row_with(asked, cycles=1, instructions=1, effective=Effective(accelerator=ran))
    assert [row[name] for name in NAMES] == [None] * len(NAMES)


def test_a_device_nobody_knows_has_no_envelope() -> None:
    assert identify.identify(devices=()).envelope is None


def test_the_envelope_is_the_descriptors_with_source_and_year() -> None:
    device = resources.open_device("raspberry-pi-5")
    found = identify.envelope(device)
    assert found is not None
    assert found.idle.w == device.figure("idle_w")
    assert found.load.w == device.figure("peak_w") == 13.8
    assert found.load.source.startswith("https://")
    assert found.load.year == 2023


@pytest.mark.parametrize(("peak_w", "most_w"), [(7.2, 7.2), (4.0, 5.0), (None, 5.0)])
def test_the_upper_end_is_the_most_that_was_published(peak_w: float | None, most_w: float) -> None:
    told = {"idle_w": 1.6, "load_w": 5.0, "peak_w": peak_w}
    facts = tuple(
        FactSpec(key=key, value=value, source="https://example.org", year=2019)
        for key, value in told.items()
        if value is not None
    )
    device = DeviceSpec(schema=1, name="board", match=DeviceMatch(), facts=facts)
    found = identify.envelope(device)
    assert found is not None
    assert found.load.w == most_w


def test_a_descriptor_that_tells_no_power_has_no_envelope() -> None:
    assert identify.envelope(resources.open_device("coral-dev-board")) is None
