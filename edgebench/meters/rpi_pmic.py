"""Raspberry Pi 5's power management chip: current and voltage of 12 rails, from the firmware.

Read: what ``vcgencmd pmic_read_adc`` prints, asked for by a mailbox call (`edgebench.vcio`) instead
of a process a reading; A times V is a rail's power. Group ``video`` may ask on Raspberry Pi OS.
Pi 5, 500 and Compute Module 5 have the chip; earlier ones sense no current. What takes the 5 V
of the input directly (USB, HATs, NVMe, fan) is on no rail.

Source: https://www.raspberrypi.com/documentation/computers/os.html#vcgencmd.
"""

from __future__ import annotations

import errno
import math
import os
import re
import time
from pathlib import Path

from edgebench import vcio
from edgebench.metering import Channel
from edgebench.meters.files import read_text
from edgebench.protocols import Probe, Readings

_COMMAND = "pmic_read_adc"
_LINE = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=(-?[\d.]+)([AV])\s*$")
_COVERS = {
    "VDD_CORE": ("cpu", "gpu"),
    "DDR_VDD2": ("ram",),
    "DDR_VDDQ": ("ram",),
    "3V7_WL_SW": ("wireless",),
    "HDMI": ("display",),
}
_EXCLUDES = ("USB", "HATs", "NVMe", "fan", "losses of the regulators")
_MOST_W = 1e6
_JOIN = "join group video: sudo usermod -aG video $USER, then log in again"
_HAS_PMIC = "brcm,bcm2712"


class RpiPmic:
    """The rails of a Raspberry Pi 5, together.

    Args:
        ioctl: For tests: the firmware's side of the mailbox (`edgebench.testing.sensors.FakeVcio`).
    """

    name = "rpi-pmic"

    def __init__(self, ioctl: vcio.Ioctl | None = None) -> None:
        self._ioctl = ioctl
        self._handle: int | None = None
        self._channels: tuple[Channel, ...] = ()

    def probe(self, root: Path) -> Probe:
        """Ask the board what it is, then the firmware once."""
        self.close()
        if reason := _lacks(root):
            return Probe(name=self.name, available=False, reason=reason)
        try:
            self._handle = vcio.open_mailbox(root)
            answer = self._ask()
        except PermissionError:
            return self._not("/dev/vcio_gencmd or /dev/vcio may not be opened", _JOIN)
        except OSError as error:
            if error.errno == errno.ENOTTY:  # a copy of another machine's files
                return self._not("/dev/vcio is no mailbox: only the board itself can be asked", "")
            why = f"/dev/vcio: {error.strerror or error}"
            return self._not(why, "use the Raspberry Pi kernel")
        rails = tuple(sorted(rail_powers_uw(answer)))
        if not rails:
            return self._not("the firmware tells no currents", "sudo rpi-eeprom-update -a, reboot")
        self._channels = tuple(_channel(rail) for rail in rails)
        return Probe(name=self.name, available=True)

    def _not(self, reason: str, remedy: str) -> Probe:
        self.close()
        return Probe(name=self.name, available=False, reason=reason, remedy=remedy)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """A channel a rail whose current and voltage are both told."""
        return self._channels

    def read(self) -> Readings:
        """Every rail's power in uW, from one call: they share its time."""
        try:
            start_ns = time.perf_counter_ns()
            answer = self._ask()
            # The converter works during the call, which may take some ms: its middle is nearest.
            t_ns = (start_ns + time.perf_counter_ns()) // 2
        except OSError:
            return (None,) * len(self._channels)
        powers = rail_powers_uw(answer)
        found = (powers.get(channel.name) for channel in self._channels)
        return tuple(None if power is None else (t_ns, power) for power in found)

    def close(self) -> None:
        """Close the mailbox."""
        if self._handle is not None:
            os.close(self._handle)
        self._handle, self._channels = None, ()

    def _ask(self) -> str:
        """What ``vcgencmd pmic_read_adc`` prints.

        Raises:
            OSError: The mailbox is closed, or the firmware refused.
        """
        if self._handle is None:
            raise OSError("not open")
        return vcio.ask(self._handle, _COMMAND, self._ioctl)


def rail_powers_uw(answer: str) -> dict[str, int]:
    """Power of each rail whose current and voltage are both told, in uW.

    The input and the clock's battery have a voltage alone; a line that is cut or no pair of numbers
    takes its rail with it.
    """
    told: dict[tuple[str, str], float] = {}
    for line in answer.splitlines():
        found = _LINE.match(line)
        if found is None or found[2] != found[4]:
            continue
        try:
            told[found[1], found[2]] = float(found[3])
        except ValueError:
            continue
    powers = {
        rail: told[rail, "A"] * told.get((rail, "V"), math.nan)
        for rail, _ in told
        if (rail, "A") in told
    }
    return {rail: round(1e6 * watt) for rail, watt in powers.items() if 0 <= watt < _MOST_W}


def _channel(rail: str) -> Channel:
    return Channel(
        name=rail,
        tier="partial_measured",
        quantity="power_uw",
        covers=_COVERS.get(rail, ("board",)),
        excludes=_EXCLUDES,
    )


def _lacks(root: Path) -> str:
    """Why this board has no such chip; empty where it has."""
    compatible = (read_text(root / "proc/device-tree/compatible") or "").split("\0")
    if _HAS_PMIC in compatible:
        return ""
    if compatible == [""] and any((root / node).exists() for node in vcio.NODES):
        return ""  # a container that was given the mailbox: its device tree is hidden
    if not any(one.startswith("raspberrypi,") for one in compatible):
        return "no Raspberry Pi 5"
    model = read_text(root / "proc/device-tree/model") or "Raspberry Pi"
    plain = model.partition(" Rev ")[0].partition(" Model")[0].partition(" Plus")[0]
    return f"a {plain} has no current sensor"
