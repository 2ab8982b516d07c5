"""Power and energy sensors of the kernel's hwmon class, from `/sys/class/hwmon`.

Reads ``energyN_input`` (uJ), ``powerN_average`` or ``powerN_input`` (uW), and of an INA3221 voltage
times current (mV x mA); anyone may, but for the energies of ``amd_energy`` (root). Numbers of
hwmons change between boots: chips are told by name, label and parent device.
https://docs.kernel.org/hwmon/sysfs-interface.html https://docs.kernel.org/hwmon/ina3221.html
"""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from edgebench.metering import Channel, Quantity
from edgebench.meters import files
from edgebench.meters.hwmon_chips import UNKNOWN, Chip, chip_of
from edgebench.protocols import Probe, Readings

_SENSOR = re.compile(r"(?P<kind>energy|power)(?P<number>[0-9]+)_(?P<what>input|average)")
_RAILS_OF_INA3221 = (1, 2, 3)
"""in4 to in6 are voltages of the shunts, in7 their sum, curr4 a sum of currents: none is power."""
_ATTACH = "attach an external meter: --power-csv or --power-command"


class _Sensor(NamedTuple):
    """One sensor of a chip, by the files that are multiplied."""

    paths: tuple[Path, ...]
    quantity: Quantity
    label: str
    """Of the hardware; empty where the driver gives none."""
    number: str
    """``power1``; what stands in for a missing label."""
    update_ms: float | None

    def value(self) -> int | None:
        """In the quantity's unit; mV x mA are uW."""
        value = 1
        for path in self.paths:
            factor = files.read_int(path)
            if factor is None:
                return None
            value *= factor
        return files.amount(value)


class _Found(NamedTuple):
    """A sensor, its chip, and where it sits."""

    sensor: _Sensor
    chip: Chip
    name: str
    """The chip's."""
    parent: str
    """The device that the chip is: ``1-0040``, ``0000:03:00.0``; empty where it is not told."""
    sole: bool
    """Whether its chip has no other sensor."""


class Hwmon:
    """Whatever power and energy sensors the kernel has; a sensor each.

    Left to others: batteries (`battery`) and the rails of a Jetson (`jetson`).
    """

    name = "hwmon"

    def __init__(self) -> None:
        self._found: tuple[tuple[_Sensor, Channel], ...] = ()

    def probe(self, root: Path) -> Probe:
        """Look for sensors that give a number; ``reason`` says what was left out, and why."""
        self._found = ()
        found, left_out = _scan(root)
        channels = _channels(found)
        if any(channel.counted for channel in channels):
            sensors = [one.sensor for one in found]
            self._found = tuple(zip(sensors, channels, strict=True))
            return Probe(name=self.name, available=True, reason="; ".join(left_out))
        reason, remedy = _why_not(root)
        told = "; ".join((reason, *left_out))
        return Probe(name=self.name, available=False, reason=told, remedy=remedy)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """A sensor each; those that lie behind another one are not counted."""
        return tuple(channel for _, channel in self._found)

    def read(self) -> Readings:
        """Every sensor once."""
        return tuple(_reading(sensor) for sensor, _ in self._found)

    def close(self) -> None:
        """Forget the sensors: no file stays open."""
        self._found = ()


def _reading(sensor: _Sensor) -> tuple[int, int] | None:
    value = sensor.value()
    return None if value is None else (time.perf_counter_ns(), value)


def _scan(root: Path) -> tuple[list[_Found], list[str]]:
    """Sensors that give a number, and in words what was left out."""
    compatible = files.read_text(root / "proc/device-tree/compatible") or ""
    found: list[_Found] = []
    left_out: list[str] = []
    seen: set[tuple[str, ...]] = set()
    for folder in files.entries(root / "sys/class/hwmon"):
        name = files.read_text(folder / "name") or ""
        sensors = _sensors(folder, name)
        whose = _owner(root, folder, name, compatible)
        if not sensors:
            continue
        if whose:
            left_out.append(f"{name} left out: {whose}")
            continue
        parent = _parent(folder)
        for sensor in sensors:
            place = (str(parent or folder), name, sensor.number)
            if sensor.value() is None:
                left_out.append(f"{name} {sensor.label or sensor.number} left out: {_dumb(sensor)}")
            elif place not in seen:  # the same chip, shown twice
                seen.add(place)
                at = parent.name if parent else ""
                chip = chip_of(name, compatible)
                found.append(_Found(sensor, chip, name, at, len(sensors) == 1))
    return found, left_out


def _dumb(sensor: _Sensor) -> str:
    denied = any(files.denied(path) for path in sensor.paths)
    return "only root may read it" if denied else "it gives no number"


def _owner(root: Path, folder: Path, name: str, compatible: str) -> str:
    """Which other meter reads this chip better, in words; empty where none does."""
    if name == "ina3221" and "nvidia,tegra" in compatible:
        return "the meter jetson knows these rails"
    supplies = {
        one.name.replace("-", "_") for one in files.entries(root / "sys/class/power_supply")
    }
    if name in supplies or (folder / "device/online").exists():
        return "the meter battery reads power supplies"
    return ""


def _parent(folder: Path) -> Path | None:
    """The device whose hwmon this is; None where the kernel does not tell."""
    device = folder / "device"
    return device.resolve() if device.exists() else None


def _sensors(folder: Path, name: str) -> list[_Sensor]:
    """The sensors of one hwmon; what it tells twice (an energy and its power) once."""
    if name == "ina3221":
        return _products(folder)
    best: dict[str, tuple[int, _Sensor]] = {}
    for path in files.entries(folder):
        match = _SENSOR.fullmatch(path.name)
        if match is None or (match["kind"] == "energy" and match["what"] == "average"):
            continue
        kind, number = match["kind"], match["number"]
        # A counter loses nothing between two readings, an average hardly anything.
        rank = 0 if kind == "energy" else 1 if match["what"] == "average" else 2
        interval = "power{}_average_interval" if rank == 1 else "update_interval"
        sensor = _Sensor(
            paths=(path,),
            quantity="energy_uj" if kind == "energy" else "power_uw",
            label=files.read_text(folder / f"{kind}{number}_label") or "",
            number=f"{kind}{number}",
            update_ms=files.read_amount(folder / interval.format(number)),
        )
        if number not in best or rank < best[number][0]:
            best[number] = (rank, sensor)
    return [sensor for _, (_, sensor) in sorted(best.items(), key=lambda item: int(item[0]))]


def _products(folder: Path) -> list[_Sensor]:
    """Rails of an INA3221, which has no file of power."""
    return [
        _Sensor(
            paths=(folder / f"in{number}_input", folder / f"curr{number}_input"),
            quantity="power_uw",
            label=files.read_text(folder / f"in{number}_label") or "",
            number=f"rail{number}",
            update_ms=files.read_amount(folder / "update_interval"),
        )
        for number in _RAILS_OF_INA3221
        if (folder / f"curr{number}_input").exists()
        and files.read_int(folder / f"in{number}_enable") != 0
    ]


def _channels(found: list[_Found]) -> list[Channel]:
    """A channel a sensor, each with a name of its own."""
    whole = any(one.chip.total and _outermost(one, found) for one in found)
    short = [f"{one.name}/{one.sensor.label or one.sensor.number}" for one in found]
    often = Counter(short)
    names: list[str] = []
    for one, name in zip(found, short, strict=True):
        longer = f"{name}@{one.parent}" if often[name] > 1 and one.parent else name
        same = sum(other.partition("#")[0] == longer for other in names)
        names.append(f"{longer}#{same + 1}" if same else longer)
    return [
        Channel(
            name=name,
            tier=one.chip.tier,
            quantity=one.sensor.quantity,
            covers=one.chip.covers,
            excludes=one.chip.excludes,
            counted=_outermost(one, found) and one.chip.total == whole,
            update_ms=one.sensor.update_ms,
        )
        for one, name in zip(found, names, strict=True)
    ]


def _outermost(one: _Found, found: list[_Found]) -> bool:
    """Whether no other sensor of the same chip or driver holds this one.

    Of a chip that nobody knows, several sensors may hold each other: none of them is counted.
    """
    if one.chip is UNKNOWN:
        return one.sole
    if one.chip.nested:
        stem = one.name.partition("_")[0]
        return not any(other.parent == one.parent and other.name == stem for other in found)
    same = [other for other in found if (other.name, other.parent) == (one.name, one.parent)]
    outer = [other for other in same if re.fullmatch(one.chip.outer, other.sensor.label)]
    return one in outer or not (one.chip.outer and outer)


def _why_not(root: Path) -> tuple[str, str]:
    """Why no sensor is counted, and what to do about it."""
    if files.is_virtual(root):
        return "a virtual machine: no sensor of power is passed on", "measure on the host itself"
    return "no hwmon chip here measures power or energy", _ATTACH
