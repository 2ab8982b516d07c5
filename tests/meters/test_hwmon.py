"""hwmon: which sensors are power or energy, which hold others, and which are another meter's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import sensors

from edgebench.meters.hwmon import Hwmon
from edgebench.testing import write_tree

CLASS = "sys/class/hwmon"
INA3221 = {
    "name": "ina3221",
    "in1_label": "VDD_5V0",
    "in1_input": 5000,
    "curr1_input": 400,
    "in2_label": "VDD_3V3",
    "in2_input": 3300,
    "curr2_input": 200,
    "in3_enable": 0,
    "in3_input": 0,
    "curr3_input": 0,
    "in4_input": 4000,
    "in7_input": 6000,
    "in7_label": "sum of shunt voltages",
    "curr4_input": 600,
    "update_interval": 30,
}


def plant(root: Path, *chips: Mapping[str, object], compatible: str = "") -> Path:
    """A hwmon each, numbered in their order."""
    files = {"proc/device-tree/compatible": compatible}
    for number, chip in enumerate(chips):
        files |= {f"{CLASS}/hwmon{number}/{key}": f"{value}\n" for key, value in chip.items()}
    return write_tree(root, files)


def probed(root: Path) -> Hwmon:
    meter = Hwmon()
    probe = meter.probe(root)
    assert probe.available, probe.reason
    return meter


def counted(meter: Hwmon) -> list[str]:
    return [channel.name for channel in meter.channels if channel.counted]


def values(meter: Hwmon) -> list[int | None]:
    return [one and one[1] for one in meter.read()]


def test_rails_of_an_ina3221_are_voltage_times_current_and_never_its_sums(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, INA3221))
    assert counted(meter) == ["ina3221/VDD_5V0", "ina3221/VDD_3V3"]
    assert values(meter) == [2_000_000, 660_000]
    assert meter.channels[0].update_ms == 30
    assert meter.channels[0].tier == "partial_measured"
    assert meter.channels[0].excludes


def test_the_rails_of_a_jetson_are_left_to_its_own_meter(tmp_path: Path) -> None:
    probe = Hwmon().probe(plant(tmp_path, INA3221, compatible="nvidia,p3768\0nvidia,tegra234\0"))
    assert not probe.available
    assert "the meter jetson" in probe.reason


def test_the_input_of_a_kria_module_holds_every_other_rail(tmp_path: Path) -> None:
    board = {"name": "ina260_u14", "power1_input": 7_900_000, "in1_input": 12000}
    rail = {"name": "ina226_u76", "power1_input": 1_000_000}
    meter = probed(plant(tmp_path, rail, board, compatible="xlnx,zynqmp-sk-kv260-rev1\0"))
    assert counted(meter) == ["ina260_u14/power1"]
    assert meter.channels[1].tier == "board_measured"
    assert meter.channels[1].covers == ("module",)
    assert "carrier board" in meter.channels[1].excludes
    elsewhere = probed(plant(tmp_path, rail, board, compatible="acme,board\0"))
    assert counted(elsewhere) == ["ina226_u76/power1", "ina260_u14/power1"]
    assert {channel.tier for channel in elsewhere.channels} == {"partial_measured"}


def test_a_rail_may_feed_what_a_chip_says_of_itself(tmp_path: Path) -> None:
    gpu = {"name": "amdgpu", "power1_average": 9_000_000}
    meter = probed(plant(tmp_path, gpu, {"name": "ina226", "power1_input": 20_000_000}))
    assert counted(meter) == ["ina226/power1"]
    assert counted(probed(plant(tmp_path / "alone", gpu))) == ["amdgpu/power1"]


def test_a_card_holds_its_package_and_a_gpu_its_tiles(tmp_path: Path) -> None:
    xe = {
        "name": "xe",
        "energy1_label": "card",
        "energy1_input": 5_000_000,
        "energy2_label": "pkg",
        "energy2_input": 3_000_000,
    }
    assert counted(probed(plant(tmp_path / "xe", xe))) == ["xe/card"]
    old = [
        {"name": "i915_gt0", "energy1_input": 1},
        {"name": "i915", "energy1_input": 2},
    ]
    assert counted(probed(plant(tmp_path / "i915", *old))) == ["i915/energy1"]
    tiles = {"name": "i915_gt0", "energy1_input": 1}
    assert counted(probed(plant(tmp_path / "tile", tiles))) == ["i915_gt0/energy1"]


def test_an_energy_goes_before_an_average_and_that_before_a_moment(tmp_path: Path) -> None:
    three = {
        "name": "ina228",
        "energy1_input": 11,
        "power1_average": 22,
        "power1_input": 33,
        "power2_average": 44,
        "power2_average_interval": 1000,
        "power2_input": 55,
    }
    meter = probed(plant(tmp_path, three))
    assert [channel.quantity for channel in meter.channels] == ["energy_uj", "power_uw"]
    assert values(meter) == [11, 44]
    assert meter.channels[1].update_ms == 1000


def test_power_supplies_are_left_to_the_battery_meter(tmp_path: Path) -> None:
    plant(tmp_path, {"name": "BAT_0", "power1_input": 5_000_000}, INA3221)
    (tmp_path / "sys/class/power_supply/BAT-0").mkdir(parents=True)
    meter = Hwmon()
    probe = meter.probe(tmp_path)
    assert "BAT_0 left out: the meter battery" in probe.reason
    assert counted(meter) == ["ina3221/VDD_5V0", "ina3221/VDD_3V3"]


def test_an_unknown_chip_counts_only_where_its_sensors_cannot_hold_each_other(
    tmp_path: Path,
) -> None:
    one = {"name": "acme", "power1_input": 10}
    assert counted(probed(plant(tmp_path / "one", one))) == ["acme/power1"]
    assert not Hwmon().probe(plant(tmp_path / "two", {**one, "power2_input": 20})).available


def test_like_chips_are_told_apart_by_their_device_and_one_shown_twice_is_one(
    tmp_path: Path,
) -> None:
    card = {"name": "amdgpu", "power1_average": 9}
    plant(tmp_path, card, card, card)
    for number, address in enumerate(("0000:03:00.0", "0000:04:00.0", "0000:04:00.0")):
        device = tmp_path / "sys/devices" / address
        device.mkdir(parents=True, exist_ok=True)
        (tmp_path / CLASS / f"hwmon{number}/device").symlink_to(device)
    expected = ["amdgpu/power1@0000:03:00.0", "amdgpu/power1@0000:04:00.0"]
    assert counted(probed(tmp_path)) == expected


def test_names_do_not_hang_on_the_numbers_of_hwmons(tmp_path: Path) -> None:
    chips = [
        {"name": "ina226_u1", "power1_input": 1},
        {"name": "ina226_u2", "power1_input": 2},
    ]
    one = probed(plant(tmp_path / "one", *chips))
    other = probed(plant(tmp_path / "other", *reversed(chips)))
    assert {c.name for c in one.channels} == {c.name for c in other.channels}


def test_planted_energies_come_out(tmp_path: Path) -> None:
    gpu = {"name": "xe", "energy1_label": "card", "energy1_input": 1}
    meter = probed(plant(tmp_path, INA3221, gpu))

    def move(t_s: float) -> None:
        folder = tmp_path / CLASS
        sensors.put(folder / "hwmon0/in1_input", 5000 + round(t_s))
        sensors.put(folder / "hwmon0/curr1_input", 800 + round(5 * t_s))
        sensors.put(folder / "hwmon1/energy1_input", 1 + round(4e6 * t_s))

    found = sensors.readings_of(meter, move)
    # The integral of (5 + t/1000) x (0.8 + t/200) over 40 s, in J.
    rail_j = 5 * 0.8 * 40 + (5 / 200 + 0.8 / 1000) * 40**2 / 2 + 40**3 / 3 / 200_000
    assert sensors.energy_j(meter.channels[0], found, 0) == pytest.approx(rail_j, rel=1e-3)
    assert sensors.energy_j(meter.channels[2], found, 2) == pytest.approx(160.0, rel=1e-3)
    assert sensors.counted_j(meter, found) == pytest.approx(rail_j + 3.3 * 0.2 * 40, rel=1e-3)


@pytest.mark.parametrize("content", ["", "garbage", "-400", "1.5", "0x1f"])
def test_a_malformed_or_negative_sensor_is_no_reading(tmp_path: Path, content: str) -> None:
    meter = probed(plant(tmp_path, INA3221))
    sensors.put(tmp_path / CLASS / "hwmon0/curr1_input", content)
    assert values(meter) == [None, 660_000]


def test_a_sensor_that_vanishes_is_no_reading(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, INA3221))
    (tmp_path / CLASS / "hwmon0/in2_input").unlink()
    assert values(meter) == [2_000_000, None]


def test_a_sensor_that_only_root_may_read_is_left_out_with_its_reason() -> None:
    with sensors.folder_for_all() as root:
        plant(root, {"name": "amd_energy", "energy1_label": "Esocket0", "energy1_input": 5})
        (root / CLASS / "hwmon0/energy1_input").chmod(0)
        with sensors.without_rights():
            probe = Hwmon().probe(root)
    assert not probe.available
    assert "only root may read it" in probe.reason


def test_voltages_temperatures_and_this_machine_give_no_power(tmp_path: Path) -> None:
    volts = {"name": "rpi_volt", "in0_lcrit_alarm": 0, "in1_input": 5100}
    nvme = {"name": "nvme", "temp1_input": 40000}
    probe = Hwmon().probe(plant(tmp_path, volts, nvme))
    assert not probe.available
    assert "--power-csv" in probe.remedy
    here = Hwmon().probe(Path("/"))
    assert here.available or here.reason
