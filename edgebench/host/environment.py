"""The machine around a launch: load, memory, clocks, temperatures; what is absent stays None."""

from __future__ import annotations

import os
from pathlib import Path

from edgebench.host import process
from edgebench.host.cpu import (
    ROOT,
    allowed_cpus,
    cgroup1_folders,
    cgroup_folders,
    online_cpus,
    policies,
    read_int,
    read_text,
    whole,
)
from edgebench.host.thermal import cooling_states, limits, temperatures
from edgebench.host.throttle import throttle_bits, throttle_counts
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
_STEAL_FIELD = 7
_PRESSURES = ("cpu", "memory", "io")
_NS_PER_US = 1000


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
        limit_degc=limits(root),
        throttled_ns=_throttled_ns(root),
        residency_ns=_residency_ns(root),
        allowed_mhz=_allowed_mhz(root),
        throttle_counts=throttle_counts(root),
        throttle_bits=throttle_bits(root),
        cooling_states=cooling_states(root),
        pressure_ns=_pressure_ns(root),
        swapped_pages=_swapped_pages(root),
        **_books(root),
    )


def _books(root: Path) -> dict[str, int | None]:
    """CPU time of everybody and of this process, at one moment: the difference is others'."""
    cpu_ticks = _cpu_ticks(root)
    return {
        "busy_all_ns": _sum_ns(cpu_ticks, _BUSY_FIELDS) if cpu_ticks else None,
        "steal_ns": _steal_ns(cpu_ticks),
        "own_ns": process.cpu_ns(),
    }


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


def _cpu_ticks(root: Path) -> list[int]:
    """CPU time of everything on the machine since boot; proc(5), /proc/stat, first line."""
    for line in (read_text(root / "proc/stat") or "").splitlines():
        parts = line.split()
        if parts and parts[0] == "cpu":
            ticks = [whole(part) for part in parts[1:]]
            known = [tick for tick in ticks if tick is not None and tick >= 0]
            return known if len(known) == len(ticks) else []
    return []


def _sum_ns(ticks: list[int], fields: tuple[int, ...]) -> int:
    return ns_of_ticks(sum(ticks[field] for field in fields if field < len(ticks)))


def ns_of_ticks(ticks: int) -> int:
    """The kernel's ticks for programs (USER_HZ, 10 ms each on every Linux we run on) in ns."""
    return ticks * (_NS_PER_TICK_BASE // os.sysconf("SC_CLK_TCK"))


def _steal_ns(ticks: list[int]) -> int | None:
    """What a hypervisor gave to others; old kernels have no such field."""
    return _sum_ns(ticks, (_STEAL_FIELD,)) if len(ticks) > _STEAL_FIELD else None


def parse_residency(text: str) -> dict[int, int]:
    """Time in ns at each frequency in kHz; malformed lines are passed over.

    Source: Linux Documentation/cpu-freq/cpufreq-stats.rst: ``<kHz> <ticks of 10 ms>`` a line.
    """
    found: dict[int, int] = {}
    for line in text.splitlines():
        parts = line.split()
        known = [n for part in parts if (n := whole(part)) is not None and n >= 0]
        if len(parts) == len(known) == 2:  # noqa: PLR2004 - a pair
            found[known[0]] = found.get(known[0], 0) + ns_of_ticks(known[1])
    return found


def _residency_ns(root: Path) -> dict[str, dict[int, int]]:
    """Of each frequency domain; absent where the CPU itself chooses (intel_pstate, amd-pstate)."""
    files = {each.name: each / "stats/time_in_state" for each in _named_policies(root)}
    parsed = {name: parse_residency(read_text(path) or "") for name, path in files.items()}
    return {name: times for name, times in parsed.items() if times}


def _named_policies(root: Path) -> list[Path]:
    """Frequency domains that have a name; kernels before 4.3 have folders of CPUs only."""
    return [folder for folder in _domains(root) if folder.name.startswith("policy")]


def _domains(root: Path) -> list[Path]:
    """Frequency domains that this process may run on: with `taskset` the fastest may rest."""
    found, mine = policies(root), set(allowed_cpus())
    cpus = {folder: set((read_text(folder / "affected_cpus") or "").split()) for folder in found}
    return [folder for folder in found if {str(cpu) for cpu in mine} & cpus[folder]] or found


def _allowed_mhz(root: Path) -> tuple[float, ...]:
    found = [read_int(policy / "scaling_max_freq") for policy in _domains(root)]
    return tuple(khz / _MILLI for khz in found if khz is not None)


def parse_pressure(text: str) -> int | None:
    """Total of the line ``some``, in ns; Linux Documentation/accounting/psi.rst."""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        total = whole(rest.rpartition("total=")[2])
        if kind == "some" and "total=" in rest and total is not None and total >= 0:
            return total * _NS_PER_US
    return None


def _pressure_ns(root: Path) -> dict[str, int]:
    files = {name: read_text(root / "proc/pressure" / name) or "" for name in _PRESSURES}
    parsed = {name: parse_pressure(text) for name, text in files.items()}
    return {name: total for name, total in parsed.items() if total is not None}


def _swapped_pages(root: Path) -> int | None:
    """Pages in and out since boot; /proc/vmstat, ``pswpin`` and ``pswpout``."""
    found = []
    for line in (read_text(root / "proc/vmstat") or "").splitlines():
        key, _, told = line.partition(" ")
        if key in {"pswpin", "pswpout"} and (value := whole(told)) is not None:
            found.append(value)
    return sum(found) if found else None


def _throttled_ns(root: Path) -> int | None:
    """Time this process's cgroup and its ancestors were held back; ``cpu.stat`` of either version.

    The sum of all: the quota may be an ancestor's, and one without a quota says 0.
    """
    found = []
    for folder in (*cgroup_folders(root), *cgroup1_folders("cpu", root)):
        for line in (read_text(folder / "cpu.stat") or "").splitlines():
            key, _, told = line.partition(" ")
            if key in _THROTTLED_NS and (value := whole(told)) is not None:
                found.append(value * _THROTTLED_NS[key])
    return sum(found) if found else None
