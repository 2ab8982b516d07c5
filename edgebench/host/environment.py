"""The machine around a launch: load, memory, clocks, temperatures; what is absent stays None."""

from __future__ import annotations

import os
from pathlib import Path

from edgebench.host.cpu import (
    ROOT,
    cgroup1_folders,
    cgroup_folders,
    online_cpus,
    read_int,
    read_text,
    whole,
)
from edgebench.machine import Environment

_KIB = 1024
_NS_PER_TICK_BASE = 1_000_000_000
_MILLI = 1000
_THROTTLED_NS = {"throttled_usec": 1000, "throttled_time": 1}
"""Fields of ``cpu.stat`` (cgroup version 2, version 1) and their unit in ns."""
_UNLIMITED_BYTE = 1 << 60
"""Version 1 writes "no limit" as the largest whole page below 2^63."""
_BUSY_FIELDS = (0, 1, 2, 5, 6, 7)
"""user, nice, system, irq, softirq, steal of /proc/stat; idle and iowait are not busy."""


def snapshot(root: Path = ROOT) -> Environment:
    """One look at the machine; a few file reads, no waiting."""
    load = (read_text(root / "proc/loadavg") or "").split()
    memory = _meminfo(root)
    swap_total, swap_free = memory.get("SwapTotal"), memory.get("SwapFree")
    swapped = swap_total is not None and swap_free is not None
    return Environment(
        load_average_1min=_float(load[0]) if load else None,
        mem_available_byte=memory.get("MemAvailable"),
        swap_used_byte=(swap_total or 0) - (swap_free or 0) if swapped else None,
        governor=read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        cpu_mhz=_clocks(root),
        temperature_degc=temperatures(root),
        busy_all_ns=_busy_ns(root),
        throttled_ns=_throttled_ns(root),
    )


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _meminfo(root: Path) -> dict[str, int]:
    """Fields of /proc/meminfo in byte."""
    fields = {}
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        key, _, rest = line.partition(":")
        number = whole(next(iter(rest.split()), None))
        if number is not None and number >= 0:
            fields[key] = number * _KIB
    return fields


def memory_total_byte(root: Path = ROOT) -> int | None:
    """Physical memory of the machine."""
    return _meminfo(root).get("MemTotal")


def memory_limit_byte(root: Path = ROOT) -> int | None:
    """Memory that the cgroup (version 2 or 1) grants; None without a limit."""
    limits = [read_int(folder / "memory.max") for folder in cgroup_folders(root)]
    folders = cgroup1_folders("memory", root)
    limits += [read_int(folder / "memory.limit_in_bytes") for folder in folders]
    found = [limit for limit in limits if limit is not None and limit < _UNLIMITED_BYTE]
    return min(found) if found else None


def _clocks(root: Path) -> tuple[float, ...]:
    """Current frequency of each online CPU in MHz; empty where the kernel does not tell."""
    base = root / "sys/devices/system/cpu"
    found = [read_int(base / f"cpu{cpu}/cpufreq/scaling_cur_freq") for cpu in online_cpus(root)]
    return tuple(khz / _MILLI for khz in found if khz is not None)


def temperatures(root: Path) -> dict[str, float]:
    """Thermal zones in degrees Celsius by type; Linux Documentation/driver-api/thermal."""
    found = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        value = read_int(zone / "temp")
        if value is not None:
            found[f"{zone.name}:{read_text(zone / 'type') or '?'}"] = value / _MILLI
    return found


def _busy_ns(root: Path) -> int | None:
    """CPU time of everything on the machine since boot; proc(5), /proc/stat, first line."""
    for line in (read_text(root / "proc/stat") or "").splitlines():
        parts = line.split()
        if parts and parts[0] == "cpu" and all(part.isdigit() for part in parts[1:]):
            ticks = sum(int(parts[1 + i]) for i in _BUSY_FIELDS if 1 + i < len(parts))
            return ticks * (_NS_PER_TICK_BASE // os.sysconf("SC_CLK_TCK"))
    return None


def _throttled_ns(root: Path) -> int | None:
    """Time the innermost cgroup with a quota was held back; ``cpu.stat`` of version 2 or 1."""
    for folder in (*cgroup_folders(root), *cgroup1_folders("cpu", root)):
        for line in (read_text(folder / "cpu.stat") or "").splitlines():
            key, _, value = line.partition(" ")
            if key in _THROTTLED_NS and value.isdigit():
                return int(value) * _THROTTLED_NS[key]
    return None
