"""Batteries: only while they feed the device, whatever the sign of their current."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import sensors

from edgebench.meters.battery import Battery
from edgebench.testing import write_tree

CLASS = "sys/class/power_supply"
BAT0 = {
    "type": "Battery",
    "status": "Discharging",
    "voltage_now": 7_400_000,
    "power_now": 9_000_000,
    "energy_now": 40_000_000,
}
GAUGE = {
    "type": "Battery",
    "status": "Discharging",
    "voltage_now": 3_800_000,
    "current_now": -500_000,
    "charge_now": 2_000_000,
}


def plant(root: Path, **supplies: Mapping[str, object]) -> Path:
    return write_tree(
        root,
        {
            f"{CLASS}/{name}/{key}": f"{value}\n"
            for name, supply in supplies.items()
            for key, value in supply.items()
        },
    )


def probed(root: Path) -> Battery:
    meter = Battery()
    probe = meter.probe(root)
    assert probe.available, probe.reason
    return meter


def values(meter: Battery) -> list[int | None]:
    return [one and one[1] for one in meter.read()]


def test_the_power_is_counted_and_the_counter_stands_beside_it(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, BAT0=BAT0))
    assert [(c.name, c.counted) for c in meter.channels] == [("BAT0", True), ("BAT0/drawn", False)]
    assert {c.tier for c in meter.channels} == {"board_measured"}
    assert {c.update_ms for c in meter.channels} == {1000.0}
    assert values(meter) == [9_000_000, 0]


def test_the_sign_of_a_current_is_the_drivers_own(tmp_path: Path) -> None:
    for current in (500_000, -500_000):
        meter = probed(plant(tmp_path, gauge={**GAUGE, "current_now": current}))
        assert values(meter)[0] == 1_900_000


def test_planted_energies_come_out_of_power_and_counters(tmp_path: Path) -> None:
    plant(tmp_path, BAT0=BAT0, BAT1={**GAUGE, "current_now": "none"})
    meter = probed(tmp_path)
    assert [c.name for c in meter.channels if c.counted] == ["BAT0", "BAT1/drawn"]
    folder = tmp_path / CLASS

    def move(t_s: float) -> None:
        sensors.put(folder / "BAT0/power_now", round(9e6 + 5e4 * t_s))
        sensors.put(folder / "BAT0/energy_now", round(40e6 - (9 * t_s + t_s**2 / 40) / 3600 * 1e6))
        sensors.put(folder / "BAT1/voltage_now", round(3.8e6 - 1e4 * t_s))
        sensors.put(folder / "BAT1/charge_now", round(2e6 - 0.5e6 * t_s / 3600))

    found = sensors.readings_of(meter, move, rate_hz=1.0)
    first_j = 9 * 40 + 40**2 / 40
    second_j = 0.5 * (3.8 * 40 - 0.01 * 40**2 / 2)
    assert sensors.energy_j(meter.channels[0], found, 0) == pytest.approx(first_j, rel=1e-3)
    assert sensors.energy_j(meter.channels[1], found, 1) == pytest.approx(first_j, rel=1e-3)
    assert sensors.counted_j(meter, found) == pytest.approx(first_j + second_j, rel=1e-3)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown"])
def test_a_battery_that_does_not_discharge_tells_nothing_of_the_device(
    tmp_path: Path, status: str
) -> None:
    probe = Battery().probe(plant(tmp_path, BAT0={**BAT0, "status": status}))
    assert not probe.available
    assert "not discharging" in probe.reason
    assert "unplug" in probe.remedy


def test_a_supply_that_helps_the_battery_is_told(tmp_path: Path) -> None:
    mains = {"type": "Mains", "online": 1}
    probe = Battery().probe(plant(tmp_path, BAT0=BAT0, AC=mains))
    assert not probe.available
    assert "plugged in" in probe.reason


def test_plugging_in_ends_the_readings_and_unplugging_brings_them_back(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, BAT0=BAT0, AC={"type": "Mains", "online": 0}))
    online, status = tmp_path / CLASS / "AC/online", tmp_path / CLASS / "BAT0/status"
    sensors.put(online, 1)
    assert values(meter) == [None, None]
    sensors.put(online, 0)
    sensors.put(status, "Charging")
    assert values(meter) == [None, None]
    sensors.put(status, "Discharging")
    assert values(meter) == [9_000_000, 0]


def test_a_counter_that_rises_is_no_reading(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, BAT0=BAT0))
    sensors.put(tmp_path / CLASS / "BAT0/energy_now", 40_010_000)
    assert values(meter) == [9_000_000, None]


def test_a_mouse_and_a_desktop_have_no_battery_of_their_own(tmp_path: Path) -> None:
    probe = Battery().probe(plant(tmp_path, mouse={**BAT0, "scope": "Device"}))
    assert probe.reason == "there is no battery"
    assert Battery().probe(tmp_path / "nothing").reason == "there is no battery"


@pytest.mark.parametrize("file", ["power_now", "energy_now"])
@pytest.mark.parametrize("content", ["", "garbage", "1.5"])
def test_malformed_values_are_no_reading(tmp_path: Path, file: str, content: str) -> None:
    alone = {key: value for key, value in BAT0.items() if key != "voltage_now"}
    meter = probed(plant(tmp_path, BAT0=alone))
    sensors.put(tmp_path / CLASS / "BAT0" / file, content)
    assert values(meter)[("power_now", "energy_now").index(file)] is None


def test_a_battery_that_is_taken_out_is_no_reading(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, BAT0=BAT0))
    for file in (tmp_path / CLASS / "BAT0").iterdir():
        file.unlink()
    assert values(meter) == [None, None]


def test_a_battery_without_values_says_so(tmp_path: Path) -> None:
    bare = {"type": "Battery", "status": "Discharging"}
    probe = Battery().probe(plant(tmp_path, BAT0=bare))
    assert not probe.available
    assert "neither power nor current" in probe.reason


def test_a_gauge_that_says_0_while_it_discharges_measures_no_power(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path / "left", BAT0={**BAT0, "power_now": 0}))
    assert [(c.name, c.counted) for c in meter.channels] == [("BAT0/drawn", True)]
    silent = {**GAUGE, "current_now": 0, "charge_now": "?"}
    assert not Battery().probe(plant(tmp_path / "silent", BAT0=silent)).available


@pytest.mark.parametrize("kind", ["USB_C", "USB_PD", "Wireless", "Mains"])
def test_whatever_feeds_it_beside_the_battery_is_seen(kind: str, tmp_path: Path) -> None:
    plugged = plant(tmp_path, BAT0=BAT0, other={"type": kind, "online": 1})
    assert "plugged in" in Battery().probe(plugged).reason
