"""Known powers behind every board's sensors: what is read, integrated, is the planted energy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edgebench.meters.jetson import Jetson
from edgebench.meters.nvml import Nvml
from edgebench.meters.rpi_pmic import RpiPmic
from edgebench.protocols import Meter
from edgebench.testing import write_tree
from edgebench.testing.sensors import FakeGpu, FakeNvml, FakeVcio, pmic_text

SECONDS, HZ = 40, 10
LIMIT_RATIO = 0.001
TIMES_S = [step / HZ for step in range(SECONDS * HZ + 1)]


def watts(t_s: float) -> float:
    """3.5 W on average over 40 s, between 2 and 5 W."""
    return 3.5 + 1.5 * math.sin(2 * math.pi * t_s / 8)


def energy_j(until_s: float) -> float:
    """Its integral from 0."""
    return 3.5 * until_s + 1.5 * 8 / (2 * math.pi) * (1 - math.cos(2 * math.pi * until_s / 8))


class Planted(NamedTuple):
    """A meter and the sensors that it reads."""

    meter: Meter
    root: Path
    move: Callable[[float], None]
    """Let the sensors say what they say at a time."""


def hwmon(root: Path, rails: dict[str, float]) -> Planted:
    """Rails of JetPack 6, each with a share of the power; 19 V, so that 1 mA is a fine step."""
    chip = root / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon2"
    labels = {f"in{i}_label": label for i, label in enumerate(rails, 1)}
    write_tree(chip, labels | {f"in{i}_input": "19000" for i in range(1, len(rails) + 1)})

    def move(t_s: float) -> None:
        for i, share in enumerate(rails.values(), 1):
            current_ma = round(share * watts(t_s) / 19 * 1000)
            (chip / f"curr{i}_input").write_text(f"{current_ma}\n")

    return Planted(Jetson(), root, move)


def jetson_input(root: Path) -> Planted:
    return hwmon(root, {"VDD_IN": 1.0, "VDD_CPU_GPU_CV": 0.6, "VDD_SOC": 0.2})


def jetson_sum(root: Path) -> Planted:
    return hwmon(root, {"VDD_GPU_SOC": 0.5, "VDD_CPU_CV": 0.3, "VIN_SYS_5V0": 0.2})


def jetson_iio(root: Path) -> Planted:
    chip = root / "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    write_tree(chip, {"rail_name_0": "POM_5V_IN\n", "rail_name_1": "POM_5V_CPU\n"})

    def move(t_s: float) -> None:
        for i, share in enumerate((1.0, 0.4)):
            (chip / f"in_power{i}_input").write_text(f"{round(1000 * share * watts(t_s))}\n")

    return Planted(Jetson(), root, move)


def pmic(root: Path) -> Planted:
    write_tree(root, {"proc/device-tree/compatible": "brcm,bcm2712\0", "dev/vcio": ""})
    vcio = FakeVcio("")

    def move(t_s: float) -> None:
        shares = {"VDD_CORE": (0.8, 0.75), "DDR_VDD2": (1.1, 0.15), "3V3_SYS": (3.3, 0.1)}
        rails = {name: (part * watts(t_s) / volt, volt) for name, (volt, part) in shares.items()}
        vcio.answer = pmic_text(rails)

    return Planted(RpiPmic(vcio), root, move)


def gpu_counter(root: Path) -> Planted:
    driver = FakeNvml([FakeGpu(energy_mj=0)])

    def move(t_s: float) -> None:
        driver.gpus[0].energy_mj = 1_000_000 + round(1000 * energy_j(t_s))

    return Planted(Nvml(driver), root, move)


def gpu_power(root: Path) -> Planted:
    driver = FakeNvml([FakeGpu(power_mw=0)])

    def move(t_s: float) -> None:
        driver.gpus[0].power_mw = round(1000 * watts(t_s))

    return Planted(Nvml(driver), root, move)


def counted(meter: Meter) -> Iterator[int]:
    """Values of the channels that make the meter's figure."""
    for channel, reading in zip(meter.channels, meter.read(), strict=True):
        if channel.counted:
            assert reading is not None
            yield reading[1]


@pytest.mark.parametrize(
    "plant", [jetson_input, jetson_sum, jetson_iio, pmic, gpu_counter, gpu_power]
)
def test_the_energy_that_was_planted_is_the_energy_that_is_read(
    plant: Callable[[Path], Planted], tmp_path: Path
) -> None:
    meter, root, move = plant(tmp_path)
    move(0.0)
    probe = meter.probe(root)
    assert probe.available, probe.reason
    totals = []
    for t_s in TIMES_S:
        move(t_s)
        totals.append(sum(counted(meter)) / 1e6)
    quantities = {channel.quantity for channel in meter.channels}
    meter.close()
    found_j = totals[-1] - totals[0]
    if quantities == {"power_uw"}:
        found_j = sum(totals[:-1] + totals[1:]) / 2 / HZ
    assert found_j == pytest.approx(energy_j(SECONDS), rel=LIMIT_RATIO)
