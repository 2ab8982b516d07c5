"""RAPL by perf events: energy counters of x86 processors, kept in 64 bits by the kernel.

Reads the events of `/sys/bus/event_source/devices/power` (``energy-pkg`` ...) in units of their
``.scale``, system-wide, on the CPUs of ``cpumask``; root may, or CAP_PERFMON, or anyone where
``kernel.perf_event_paranoid`` is 0 or less. They do not wrap. The same counters as `rapl`.
https://man7.org/linux/man-pages/man2/perf_event_open.2.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edgebench.metering import Channel
from edgebench.meters import files, rapl_domains
from edgebench.protocols import Probe, Readings

_PMU = "sys/bus/event_source/devices/power"
_PARANOID = "proc/sys/kernel/perf_event_paranoid"
_DOMAINS = {
    "energy-pkg": "package",
    "energy-cores": "core",
    "energy-gpu": "uncore",
    "energy-ram": "dram",
    "energy-psys": "psys",
}
_ONE_DIE = frozenset({"AuthenticAMD", "HygonGenuine"})
"""Whose counters are a package's, whatever its dies (Linux arch/x86/events/rapl.c)."""
_SYSCALLS = {"x86_64": 298, "aarch64": 241}
_ATTR = struct.Struct("=IIQQQQQIIQ")
"""The first version of perf_event_attr, which every kernel takes: type, size, config ..."""
_CLOEXEC = 8
_COUNT = struct.Struct("=Q")

EventOpener = Callable[[int, int, int], int]
"""Opens an event: type, config, CPU -> file descriptor; raises OSError."""


def open_event(kind: int, config: int, cpu: int) -> int:
    """A file descriptor that counts an event on a CPU, whatever runs there.

    Raises:
        OSError: The kernel refuses; or this processor's number of the call is not known.
    """
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    attr = _ATTR.pack(kind, _ATTR.size, config, 0, 0, 0, 0, 0, 0, 0)
    longs = [ctypes.c_long(value) for value in (-1, cpu, -1, _CLOEXEC)]
    handle = int(libc.syscall(ctypes.c_long(number), attr, *longs))
    if handle < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return handle


class _Event(NamedTuple):
    """One event of the power PMU."""

    domain: str
    config: int
    scale_j: float


class RaplPerf:
    """The processor's own energy counters, by perf events; packages and memory make the sum.

    Args:
        opener: Opens events; by default this kernel does, and only for its own files.
    """

    name = "rapl-perf"

    def __init__(self, opener: EventOpener | None = None) -> None:
        self._opener = opener
        self._found: tuple[tuple[int, float, Channel], ...] = ()

    def probe(self, root: Path) -> Probe:
        """Open every event that there is."""
        self.close()
        kind = files.read_int(root / _PMU / "type")
        events = _events(root)
        if kind is None or not events:
            reason, remedy = rapl_domains.absent(root, "rapl")
            return Probe(name=self.name, available=False, reason=reason, remedy=remedy)
        if self._opener is None and root != Path("/"):
            reason = "perf events are the running kernel's: no other root has any"
            return Probe(name=self.name, available=False, reason=reason)
        try:
            self._open(root, kind, events)
        except OSError as error:
            self.close()
            reason, remedy = _refusal(root, error)
            return Probe(name=self.name, available=False, reason=reason, remedy=remedy)
        return Probe(name=self.name, available=True)

    def _open(self, root: Path, kind: int, events: list[_Event]) -> None:
        opener = self._opener or open_event
        found = frozenset(event.domain for event in events)
        for cpu, package in _places(root):
            for event in events:
                whole = event.domain == "package"
                channel = rapl_domains.channel(
                    event.domain,
                    package if whole else f"{package}/{event.domain}",
                    counted=rapl_domains.counts(event.domain, found),
                    gpu="uncore" in found,
                    wrap_uj=None,
                )
                handle = opener(kind, event.config, cpu)
                self._found = (*self._found, (handle, event.scale_j, channel))

    @property
    def channels(self) -> tuple[Channel, ...]:
        """A domain of a package each; those within others and psys are not counted."""
        return tuple(channel for _, _, channel in self._found)

    def read(self) -> Readings:
        """Every counter once, in uJ since it was opened."""
        return tuple(_reading(handle, scale_j) for handle, scale_j, _ in self._found)

    def close(self) -> None:
        """Close the events."""
        for handle, _, _ in self._found:
            os.close(handle)
        self._found = ()


def _reading(handle: int, scale_j: float) -> tuple[int, int] | None:
    try:
        raw = os.read(handle, _COUNT.size)
    except OSError:
        return None
    if len(raw) != _COUNT.size:
        return None
    return time.perf_counter_ns(), round(_COUNT.unpack(raw)[0] * scale_j * 1e6)


def _events(root: Path) -> list[_Event]:
    """Energy events that say their number, scale and unit."""
    found = []
    for name, domain in _DOMAINS.items():
        path = root / _PMU / "events" / name
        config = re.fullmatch(r"event=(0x[0-9a-fA-F]+|[0-9]+)", files.read_text(path) or "")
        scale_j = _scale_j(path)
        if config is not None and scale_j is not None:
            found.append(_Event(domain, int(config[1], 0), scale_j))
    return found


def _scale_j(path: Path) -> float | None:
    """What one count is in J; None where that is not told."""
    if files.read_text(path.with_name(f"{path.name}.unit")) != "Joules":
        return None
    try:
        scale = float(files.read_text(path.with_name(f"{path.name}.scale")) or "")
    except ValueError:
        return None
    return scale if 0 < scale < 1 else None


def _places(root: Path) -> list[tuple[int, str]]:
    """CPUs to count on, with the package of each: ``package-0``, ``package-0-die-1``."""
    topology = "sys/devices/system/cpu/cpu{}/topology"
    once = bool(files.cpu_words(root, "vendor_id") & _ONE_DIE)
    places: dict[str, int] = {}
    for cpu in files.cpu_list(files.read_text(root / _PMU / "cpumask") or "0"):
        folder = root / topology.format(cpu)
        number = files.read_int(folder / "physical_package_id")
        package = f"package-{cpu if number is None else number}"
        die = files.read_int(folder / "die_id")
        if package in places and not once:
            package = f"{package}-die-{cpu if die is None else die}"
        places.setdefault(package, cpu)
    return [(cpu, package) for package, cpu in places.items()]


def _refusal(root: Path, error: OSError) -> tuple[str, str]:
    """Why the kernel opened no event, and what to do about it."""
    if error.errno not in (errno.EACCES, errno.EPERM):
        return f"the kernel refuses the power events: {error.strerror}", ""
    level = files.read_int(root / _PARANOID)
    told = "" if level is None else f" (it is {level})"
    return (
        f"power events need root, CAP_PERFMON or kernel.perf_event_paranoid <= 0{told}",
        (
            "run as root, or where all users are trusted, until the next boot: "
            "sudo sysctl kernel.perf_event_paranoid=0"
        ),
    )
