"""NVML with planted GPUs, and what this machine's own driver says."""

from __future__ import annotations

import ctypes.util
from pathlib import Path

from edgebench.meters.nvml import Nvml
from edgebench.testing import write_tree
from edgebench.testing.sensors import FakeGpu, FakeNvml

ROOT = Path("/")


def test_the_energy_counter_is_taken_where_there_is_one(tmp_path: Path) -> None:
    driver = FakeNvml([FakeGpu(energy_mj=5_000, power_mw=70_000)])
    meter = Nvml(driver)
    assert meter.probe(tmp_path).available
    (channel,) = meter.channels
    assert (channel.name, channel.quantity) == ("0: NVIDIA Planted", "energy_uj")
    assert channel.tier == "partial_measured"
    assert channel.excludes
    (before,) = meter.read()
    driver.gpus[0].energy_mj = 12_345
    (after,) = meter.read()
    assert before is not None
    assert after is not None
    assert after[1] - before[1] == 7_345_000
    assert after[0] > before[0]
    meter.close()
    assert driver.open == 0


def test_older_gpus_tell_their_power_and_that_it_is_a_slow_one(tmp_path: Path) -> None:
    meter = Nvml(FakeNvml([FakeGpu(power_mw=70_123)]))
    assert meter.probe(tmp_path).available
    (channel,) = meter.channels
    assert (channel.quantity, channel.update_ms) == ("power_uw", 1000.0)
    (reading,) = meter.read()
    assert reading is not None
    assert reading[1] == 70_123_000


def test_every_gpu_is_a_channel_and_one_that_tells_nothing_is_none(tmp_path: Path) -> None:
    driver = FakeNvml([FakeGpu(energy_mj=1), FakeGpu(), FakeGpu(power_mw=3)])
    meter = Nvml(driver)
    assert meter.probe(tmp_path).available
    assert [one.quantity for one in meter.channels] == ["energy_uj", "power_uw"]
    driver.gpus[0].energy_mj = None  # fell off the bus
    first, second = meter.read()
    assert first is None
    assert second is not None


def test_without_a_gpu_that_tells_anything_it_is_given_back(tmp_path: Path) -> None:
    driver = FakeNvml([FakeGpu()])
    probe = Nvml(driver).probe(tmp_path)
    assert probe.reason == "no NVIDIA GPU tells its power"
    assert driver.open == 0


def test_a_driver_that_does_not_start_says_why(tmp_path: Path) -> None:
    probe = Nvml(FakeNvml([FakeGpu(power_mw=1)], starts=18)).probe(tmp_path)
    assert probe.reason == "NVML does not start: Driver/library version mismatch"


def test_a_jetson_is_left_to_its_rails(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/device-tree/compatible": "nvidia,p3768\0nvidia,tegra234\0"})
    probe = Nvml(FakeNvml([FakeGpu(power_mw=1)])).probe(tmp_path)
    assert not probe.available
    assert "jetson" in probe.remedy


def test_a_planted_root_never_loads_this_machines_driver(tmp_path: Path) -> None:
    assert not Nvml().probe(tmp_path).available


def test_the_driver_of_this_machine_is_asked_or_named_as_absent() -> None:
    meter = Nvml()
    probe = meter.probe(ROOT)
    if ctypes.util.find_library("nvidia-ml") is None:
        assert not probe.available
        assert "libnvidia-ml.so.1" in probe.reason
    elif probe.available:
        assert all(reading is not None for reading in meter.read())
    else:
        assert probe.reason
    meter.close()
    assert meter.read() == ()


def test_a_counter_at_0_does_not_count(tmp_path: Path) -> None:
    gpus = [FakeGpu(energy_mj=0, power_mw=9000), FakeGpu(energy_mj=0, power_mw=0)]
    meter = Nvml(FakeNvml(gpus))
    assert meter.probe(tmp_path).available
    assert [channel.quantity for channel in meter.channels] == ["power_uw"]
    meter.close()
