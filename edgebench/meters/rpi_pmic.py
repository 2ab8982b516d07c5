"""Raspberry Pi 5's power management chip: current and voltage of 12 rails, from the firmware.

Read: what ``vcgencmd pmic_read_adc`` prints, asked for by a mailbox call on ``/dev/vcio`` (tag
0x00030080) instead of a process a reading; A times V is a rail's power. Group ``video`` may read
it on Raspberry Pi OS. Pi 5, 500 and Compute Module 5 have the chip; earlier ones sense no current.
What takes the 5 V of the input directly (USB, HATs, NVMe, fan) is on no rail.

Source: https://www.raspberrypi.com/documentation/computers/os.html#vcgencmd; the call's layout:
https://github.com/raspberrypi/utils/blob/master/vcgencmd/vcgencmd.c.
"""

from __future__ import annotations

import errno
import math
import os
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path

from edgebench.metering import Channel
from edgebench.meters.files import read_text
from edgebench.protocols import Probe, Readings

_Ioctl = Callable[[int, int, bytearray], object]
"""File, request, buffer that is read and written; raises OSError."""
_COMMAND = b"pmic_read_adc"
_TAG = 0x00030080
_TEXT_BYTE = 1024
_HEAD = struct.Struct("=6I")
"""Size, request (0), tag, room for the text, length (0), error (0); the text and 0 follow."""
_SIZE = _HEAD.size + _TEXT_BYTE + 4
_POINTER = struct.calcsize("P")
_PROPERTY = 3 << 30 | _POINTER << 16 | 100 << 8
"""``_IOWR(100, 0, char *)``."""
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


def _kernel(handle: int, request: int, buffer: bytearray) -> object:
    import fcntl  # noqa: PLC0415 - Linux only; elsewhere the module must be importable

    return fcntl.ioctl(handle, request, buffer, True)


class RpiPmic:
    """The rails of a Raspberry Pi 5, together.

    Args:
        ioctl: For tests: the firmware's side of the mailbox (`edgebench.testing.sensors.FakeVcio`).
    """

    name = "rpi-pmic"

    def __init__(self, ioctl: _Ioctl = _kernel) -> None:
        self._ioctl = ioctl
        self._handle: int | None = None
        self._channels: tuple[Channel, ...] = ()

    def probe(self, root: Path) -> Probe:
        """Ask the board what it is, then the firmware once."""
        self.close()
        if reason := _lacks(root):
            return Probe(name=self.name, available=False, reason=reason)
        device = root / "dev/vcio"
        try:
            self._handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
            answer = self._ask()
        except PermissionError:
            return self._not("/dev/vcio may not be opened", _JOIN)
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
        text = _COMMAND.ljust(_TEXT_BYTE + 4, b"\0")
        buffer = bytearray(_HEAD.pack(_SIZE, 0, _TAG, _TEXT_BYTE, 0, 0) + text)
        self._ioctl(self._handle, _PROPERTY, buffer)
        if error := _HEAD.unpack_from(buffer)[-1]:
            raise OSError(f"the firmware answers {_COMMAND.decode()} with error {error}")
        return bytes(buffer[_HEAD.size :]).partition(b"\0")[0].decode("ascii", "replace")


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
    if not any(one.startswith("raspberrypi,") for one in compatible):
        return "no Raspberry Pi 5"
    model = read_text(root / "proc/device-tree/model") or "Raspberry Pi"
    plain = model.partition(" Rev ")[0].partition(" Model")[0].partition(" Plus")[0]
    return f"a {plain} has no current sensor"
