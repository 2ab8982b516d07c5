"""The CPU's own counters for this process: cycles and instructions in user space (perf events).

Read at the beginning and the end of a window and never within it. They need a kernel that lets an
unprivileged process count itself (``kernel.perf_event_paranoid`` up to 2, no seccomp filter
against it) and a CPU that shows its counters, which most virtual machines do not: without them
there is nothing to read, and that costs no launch.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
from pathlib import Path
from typing import NamedTuple

from edgebench.host import process
from edgebench.host.cpu import ROOT, read_int, read_text

_SYSCALLS = {"x86_64": 298, "aarch64": 241}
"""Number of perf_event_open(2)."""
_HARDWARE = 0
"""PERF_TYPE_HARDWARE: the kernel knows how this CPU counts them."""
_GENERIC = {"cycles": 0, "instructions": 1}
_EVENTS = {
    "cycles": ("cpu-cycles", "cpu_cycles"),
    "instructions": ("instructions", "inst_retired"),
}
"""Names in a PMU's folder, x86's and Arm's."""
_FLAGS = 1 << 1 | 1 << 5 | 1 << 6
"""inherit (threads and processes made later count too), exclude_kernel, exclude_hv."""
_TIMES = 1 << 0 | 1 << 1
"""read_format: the times for which an event was wanted, and for which it really counted."""
_READING = struct.Struct("=QQQ")
_ATTRIBUTE_BYTE = 64
"""PERF_ATTR_SIZE_VER0: what every kernel takes."""
_FLAG_FD_CLOEXEC = 1 << 3
_MIN_RUNNING_RATIO = 0.99
"""An event that shared its counter with others is a guess: then it counts as not measured."""


class Count(NamedTuple):
    """One event: how often, and how much of the CPU time it was really counted in."""

    events: int = 0
    wanted_ns: int = 0
    running_ns: int = 0

    @property
    def known(self) -> int | None:
        """Events, where all of the time was counted."""
        whole = self.running_ns >= _MIN_RUNNING_RATIO * self.wanted_ns
        return self.events if self.wanted_ns and whole else None

    def grown(self, other: Count, sign: int) -> Count:
        """With another one's figures added, or with ``sign`` -1 taken away."""
        return Count(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


class Used(NamedTuple):
    """What this process, its threads and its helpers used of the CPU, all since some moment."""

    cpu_ns: int = 0
    cycles: Count = Count()
    instructions: Count = Count()

    def since(self, before: Used) -> Used:
        """What was used between two moments."""
        return self._with(before, -1)

    def plus(self, other: Used) -> Used:
        """What was used in both of two windows."""
        return self._with(other, 1)

    def _with(self, other: Used, sign: int) -> Used:
        return Used(
            self.cpu_ns + sign * other.cpu_ns,
            self.cycles.grown(other.cycles, sign),
            self.instructions.grown(other.instructions, sign),
        )

    def fields(self) -> dict[str, int | None]:
        """Fields of a `Record`; None where something was not counted."""
        return {
            "cpu_ns": self.cpu_ns,
            "cycles": self.cycles.known,
            "instructions": self.instructions.known,
        }


class Counters:
    """Events of this process, opened once and kept until it ends."""

    def __init__(self) -> None:
        self._files: dict[str, list[int]] = {}

    def open(self, root: Path = ROOT) -> None:
        """Begin to count; threads that exist already, other than this one, are left out.

        Args:
            root: Stands for ``/``.
        """
        self.close()
        for event in _EVENTS:
            found = [_open(*code) for code in codes(event, root)]
            if -1 not in found:
                self._files[event] = found
            else:
                _close(found)

    def read(self, event: str) -> Count:
        """``cycles`` or ``instructions`` so far; all zero, which is not known, where closed.

        On CPUs of several kinds each kind has an event: counted while a thread is on such a CPU.
        """
        try:
            parts = [
                Count(*_READING.unpack(os.read(number, _READING.size)))
                for number in self._files.get(event, [])
            ]
        except (OSError, struct.error):
            return Count()
        return Count(
            sum(part.events for part in parts),
            max((part.wanted_ns for part in parts), default=0),
            sum(part.running_ns for part in parts),
        )

    def close(self) -> None:
        """No more counting."""
        for numbers in self._files.values():
            _close(numbers)
        self._files = {}


counters = Counters()
"""Of this process."""


def used() -> Used:
    """What this process has used of the CPU so far."""
    return Used(process.cpu_ns(), counters.read("cycles"), counters.read("instructions"))


def codes(event: str, root: Path = ROOT) -> list[tuple[int, int]]:
    """``(type, config)`` of an event: one a kind of CPU where the kernel tells several.

    Source: Linux Documentation/ABI/testing/sysfs-bus-event_source-devices-events; a PMU of one
    kind of CPU among several has a file ``cpus`` (big.LITTLE, Intel's hybrids).
    """
    found = []
    for folder in sorted((root / "sys/bus/event_source/devices").glob("*")):
        number, cpus = read_int(folder / "type"), read_text(folder / "cpus")
        texts = (read_text(folder / "events" / name) for name in _EVENTS[event])
        config = next((code for text in texts if (code := config_of(text or "")) is not None), None)
        if cpus and number is not None and config is not None:
            found.append((number, config))
    return found if len(found) > 1 else [(_HARDWARE, _GENERIC[event])]


def config_of(text: str) -> int | None:
    """An event's description in sysfs, ``event=0x11``, as perf_event_attr.config; None if other."""
    match = re.fullmatch(r"event=(0x[0-9a-f]{1,4})(?:,umask=(0x[0-9a-f]{1,2}))?", text)
    if match is None:
        return None
    return int(match[1], 16) | int(match[2] or "0", 16) << 8


def _open(kind: int, config: int) -> int:
    """A file number of an event of this thread and all that it makes; -1 where that is refused."""
    number = _SYSCALLS.get(platform.machine())
    if number is None or struct.calcsize("P") != 8:  # noqa: PLR2004 - byte: 32-bit programs have others
        return -1
    packed = struct.pack("=IIQQQQQ", kind, _ATTRIBUTE_BYTE, config, 0, 0, _TIMES, _FLAGS)
    attribute = ctypes.create_string_buffer(packed, _ATTRIBUTE_BYTE)
    libc = ctypes.CDLL(None)
    fd: int = libc.syscall(
        ctypes.c_long(number), attribute, 0, -1, -1, ctypes.c_ulong(_FLAG_FD_CLOEXEC)
    )
    return fd


def _close(numbers: list[int]) -> None:
    for number in numbers:
        if number >= 0:
            os.close(number)
