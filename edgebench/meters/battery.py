"""What a discharging battery gives, from `/sys/class/power_supply`.

Reads ``power_now`` (uW), or ``current_now`` times ``voltage_now`` (uA x uV), and what is left
(``energy_now`` in uWh, or ``charge_now`` in uAh times the voltage) as a counter of what was drawn;
anyone may. The sign of a current is the driver's own, so the status tells whether the battery feeds
the device; only while it does, and nothing else does, is anything read.
https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-power
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from edgebench.metering import Channel
from edgebench.meters import files
from edgebench.protocols import Probe, Readings

_S_PER_H = 3600
_UPDATE_MS = 1000.0
"""ACPI's driver keeps what it read for a second; gauges of other drivers are slower still."""
_PLUGS = re.compile("Mains|USB.*|BrickID|Wireless")
"""Older kernels tell kinds of USB apart: ``USB_C``, ``USB_PD`` ..."""
_BATTERY = re.compile("Battery")
_EXCLUDES = ("losses within the battery", "losses of the charger")


class _Cell:
    """One battery, and how much it has given since it was first read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._drawn_uj = 0.0
        self._left: tuple[int, int] | None = None

    def _amount(self, name: str) -> int | None:
        return files.read_amount(self.folder / name)

    def _size(self, name: str) -> int | None:
        """A value whose sign is the driver's own."""
        value = files.read_int(self.folder / name)
        return None if value is None else abs(value)

    def power_uw(self) -> int | None:
        """What it gives now; a gauge that says 0 while it discharges does not measure it."""
        if told := self._size("power_now"):
            return told
        ua, uv = self._size("current_now"), self._amount("voltage_now")
        return round(ua * uv / 1e6) if ua and uv else None

    def drawn_uj(self) -> int | None:
        """What it gave since this was first asked; None where it holds more than then."""
        left = self._left_now()
        if left is None:
            return None
        if self._left is not None:
            (before, before_uv), (now, now_uv) = self._left, left
            self._drawn_uj += (before - now) * _S_PER_H * (before_uv + now_uv) / 2 / 1e6
        self._left = left
        return files.amount(round(self._drawn_uj))

    def _left_now(self) -> tuple[int, int] | None:
        """What is left in uAh and its voltage in uV; an energy in uWh is a charge at 1 V."""
        if (uwh := self._amount("energy_now")) is not None:
            return uwh, 1_000_000
        uah, uv = self._amount("charge_now"), self._amount("voltage_now")
        return None if uah is None or uv is None else (uah, uv)


class Battery:
    """Batteries that feed the device: the power each gives, or its counter where it tells none.

    A counter steps by 10 mWh on many gauges, which is 36 J: beside a power it is not counted.
    """

    name = "battery"

    def __init__(self) -> None:
        self._supplies = Path()
        self._found: tuple[tuple[_Cell, Channel], ...] = ()

    def probe(self, root: Path) -> Probe:
        """Look for batteries that discharge."""
        self.close()
        self._supplies = root / "sys/class/power_supply"
        cells = [_Cell(folder) for folder in _folders(self._supplies, _BATTERY)]
        own = [cell for cell in cells if not _is_accessory(cell.folder)]
        if reason := _why_not(self._supplies, own):
            remedy = "unplug the power supply while measuring" if own else ""
            return Probe(name=self.name, available=False, reason=reason, remedy=remedy)
        feeding = [cell for cell in own if _discharges(cell.folder)]
        self._found = tuple(pair for cell in feeding for pair in _channels(cell))
        if not self._found:
            reason = "the battery tells neither power nor current nor what is left"
            return Probe(name=self.name, available=False, reason=reason)
        return Probe(name=self.name, available=True)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """A power and a counter for each battery that discharges."""
        return tuple(channel for _, channel in self._found)

    def read(self) -> Readings:
        """Every battery's power and counter; None as soon as something else feeds the device."""
        plugged = bool(self._found) and _is_plugged(self._supplies)
        return tuple(
            None if plugged or not _discharges(cell.folder) else _reading(cell, channel)
            for cell, channel in self._found
        )

    def close(self) -> None:
        """Forget the batteries: no file stays open."""
        self._found = ()


def _reading(cell: _Cell, channel: Channel) -> tuple[int, int] | None:
    value = cell.power_uw() if channel.quantity == "power_uw" else cell.drawn_uj()
    return None if value is None else (time.perf_counter_ns(), value)


def _channels(cell: _Cell) -> list[tuple[_Cell, Channel]]:
    power = Channel(
        name=cell.folder.name,
        tier="board_measured",
        quantity="power_uw",
        covers=("device",),
        excludes=_EXCLUDES,
        update_ms=_UPDATE_MS,
    )
    tells = cell.power_uw() is not None
    counter = Channel(
        name=f"{cell.folder.name}/drawn",
        tier=power.tier,
        quantity="energy_uj",
        covers=power.covers,
        excludes=power.excludes,
        counted=not tells,
        update_ms=_UPDATE_MS,
    )
    counts = cell.drawn_uj() is not None
    return [(cell, one) for one, there in ((power, tells), (counter, counts)) if there]


def _folders(supplies: Path, kinds: re.Pattern[str]) -> list[Path]:
    """Power supplies of the given types."""
    folders = files.entries(supplies)
    return [one for one in folders if kinds.fullmatch(files.read_text(one / "type") or "")]


def _is_accessory(folder: Path) -> bool:
    """Whether it is the battery of a mouse or a pen."""
    return files.read_text(folder / "scope") == "Device"


def _discharges(folder: Path) -> bool:
    return files.read_text(folder / "status") == "Discharging"


def _is_plugged(supplies: Path) -> bool:
    """Whether anything but a battery feeds the device."""
    return any((files.read_int(one / "online") or 0) > 0 for one in _folders(supplies, _PLUGS))


def _why_not(supplies: Path, own: list[_Cell]) -> str:
    """Why no battery can stand for the device; empty where one can."""
    if not own:
        return "there is no battery"
    if _is_plugged(supplies):
        return "a power supply is plugged in: the battery does not tell what the device draws"
    status = {files.read_text(cell.folder / "status") or "unknown" for cell in own}
    if "Charging" in status or "Discharging" not in status:
        return f"the battery is not discharging (status: {', '.join(sorted(status))})"
    return ""
