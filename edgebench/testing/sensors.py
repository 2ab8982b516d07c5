"""Sensors that are no files: what stands for a firmware's mailbox and for a driver's library."""

# The library's own names, and pointers of ctypes, which have no type and no public target:
# ruff: noqa: N802, ANN401, SLF001

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

_HEAD = struct.Struct("=6I")
_TAG = 0x00030080
_TEXT_BYTE = 1024
PMIC_RAILS = (
    *("3V7_WL_SW", "3V3_SYS", "1V8_SYS", "DDR_VDD2", "DDR_VDDQ", "1V1_SYS", "0V8_SW"),
    *("VDD_CORE", "3V3_DAC", "3V3_ADC", "0V8_AON", "HDMI"),
)
"""In the order that the firmware of a Raspberry Pi 5 tells them."""


def pmic_text(rails: Mapping[str, tuple[float, float]]) -> str:
    """What ``vcgencmd pmic_read_adc`` prints of rails with these amperes and volts."""
    numbers = range(len(rails))
    amps = zip(numbers, rails.items(), strict=True)
    lines = [f"{name + '_A':>14} current({i})={a:.8f}A" for i, (name, (a, _)) in amps]
    volts = zip(numbers, rails.items(), strict=True)
    lines += [f"{name + '_V':>14} volt({i + 8})={v:.8f}V" for i, (name, (_, v)) in volts]
    lines += ["       EXT5V_V volt(24)=5.13170000V", "        BATT_V volt(25)=0.00000000V"]
    return "\n".join(lines) + "\n"


class FakeVcio:
    """The firmware's side of ``/dev/vcio``: answers one command.

    Args:
        answer: What it prints; may be changed at any time.
        command: The command.
    """

    def __init__(self, answer: str, command: str = "pmic_read_adc") -> None:
        self.answer = answer
        self.command = command.encode()
        self.error = 0
        """What the firmware says in place of an answer, where it is not 0."""
        self.vanished = False
        """Whether the driver is gone."""

    def __call__(self, handle: int, request: int, buffer: bytearray) -> int:
        """As ``ioctl(2)``: the answer takes the place of the command in the buffer.

        Raises:
            OSError: As the kernel does where the message is malformed, or the driver is gone.
        """
        del handle
        size, asked, tag, room, _, _ = _HEAD.unpack_from(buffer)
        sound = (size, asked, tag, room) == (len(buffer), 0, _TAG, _TEXT_BYTE)
        text = bytes(buffer[_HEAD.size :]).partition(b"\0")[0]
        pointer = struct.calcsize("P")
        if self.vanished or not sound or request != (3 << 30 | pointer << 16 | 100 << 8):
            raise OSError(errno.EINVAL, "Invalid argument")
        told = self.answer.encode() if text == self.command and not self.error else b""
        _HEAD.pack_into(buffer, 0, size, 1 << 31, tag, room, 1 << 31, self.error)
        end = _HEAD.size + _TEXT_BYTE
        buffer[_HEAD.size : end] = told[: _TEXT_BYTE - 1].ljust(_TEXT_BYTE, b"\0")
        return 0


class FakeGpu(msgspec.Struct):
    """A GPU as NVML tells of it; None where it does not support the question."""

    name: str = "NVIDIA Planted"
    energy_mj: int | None = None
    power_mw: int | None = None


class FakeNvml:
    """NVML with planted GPUs: the functions that `edgebench.meters.nvml` calls.

    Args:
        gpus: May be changed at any time.
        starts: What ``nvmlInit`` returns; 0 is success.
    """

    _NOT_SUPPORTED, _INVALID = 3, 2

    def __init__(self, gpus: Sequence[FakeGpu], starts: int = 0) -> None:
        self.gpus = list(gpus)
        self.starts = starts
        self.open = 0
        """Starts without an end."""

    def nvmlInit_v2(self) -> int:
        """Start, or say why not."""
        self.open += not self.starts
        return self.starts

    def nvmlShutdown(self) -> int:
        """End."""
        self.open -= 1
        return 0

    def nvmlErrorString(self, code: int) -> bytes:
        """The words for a code."""
        return b"Driver/library version mismatch" if code else b"Success"

    def nvmlSystemGetDriverVersion(self, text: Any, room: int) -> int:
        """Of the driver."""
        text.value = b"580.1"[:room]
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        """How many there are."""
        count._obj.value = len(self.gpus)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        """A GPU's handle."""
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetName(self, handle: Any, text: Any, room: int) -> int:
        """A GPU's name."""
        text.value = self.gpus[handle.value - 1].name.encode()[: room - 1]
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, energy: Any) -> int:
        """The counter, in mJ."""
        return self._tell(self.gpus[handle.value - 1].energy_mj, energy)

    def nvmlDeviceGetPowerUsage(self, handle: Any, power: Any) -> int:
        """The power, in mW."""
        return self._tell(self.gpus[handle.value - 1].power_mw, power)

    def _tell(self, value: int | None, into: Any) -> int:
        if value is None:
            return self._NOT_SUPPORTED
        into._obj.value = value
        return 0
