"""The state of the machine before a run: what a person could still change."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from edgebench.host import cpu, environment, knobs
from edgebench.host.cpu import ROOT, read_int, read_text
from edgebench.host.knobs import PowerMode, Service
from edgebench.host.virtual import virtualisation
from edgebench.machine import Environment

_MILLI = 1000
_KHZ_PER_MHZ = 1000
_BUSY_RATIO = 0.1
"""Of one CPU: what `analysis.validity` calls a disturbance when others use it during a launch."""


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """A process that takes CPU time just now."""

    pid: int
    name: str
    cpu_ratio: float
    """CPUs that it keeps busy: 1.5 is one and a half."""


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A thermal zone; ``limit_degc`` is where the kernel begins to slow the device down."""

    name: str
    degc: float
    limit_degc: float | None = None


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What `edgebench.host.spoilers` judges; empty or None where it cannot be read."""

    system: str = "linux"
    cpus_online: tuple[int, ...]
    cpus_allowed: tuple[int, ...]
    cpu_quota: float | None = None
    cpus_usable: int
    environment: Environment
    governors: tuple[str, ...] = ()
    """Of every frequency domain, each once."""
    capped_mhz: tuple[float, float] | None = None
    """Of the first frequency domain that may not go as fast as it can: may and can."""
    top_mhz: float | None = None
    """What the fastest domain can."""
    zones: tuple[Zone, ...] = ()
    cooling: tuple[str, ...] = ()
    """Cooling devices that hold the CPU back just now."""
    under_voltage: bool = False
    on_battery: bool = False
    mem_total_byte: int | None = None
    mem_limit_byte: int | None = None
    virtualisation: str | None = None
    busy: tuple[Busy, ...] = ()
    energy_preferences: tuple[str, ...] = ()
    """Of every frequency domain, each once."""
    platform_profile: str | None = None
    platform_profiles: tuple[str, ...] = ()
    """Those that the firmware offers."""
    power_mode: PowerMode | None = None
    fastest_mode: PowerMode | None = None
    loose_clocks: tuple[str, ...] = ()
    """Of a Jetson: what ``jetson_clocks`` would hold at its maximum, and is not held there."""
    siblings: tuple[tuple[int, ...], ...] = ()
    """Usable CPUs that share a core."""
    isolated: tuple[int, ...] = ()
    pressure_ratios: dict[str, float] = {}
    """Share of the last 10 s in which some task waited for ``cpu``, ``memory``, ``io``."""
    swap_devices: tuple[str, ...] = ()
    """That hold pages just now."""
    services: tuple[Service, ...] = ()
    perf_event_paranoid: int | None = None
    up_ns: int | None = None
    """Time since boot."""


def gather(root: Path = ROOT, busy: tuple[Busy, ...] = ()) -> Conditions:
    """Look once; a few file reads, no waiting.

    Args:
        root: Stands for ``/``.
        busy: What `busy_processes` found.
    """
    allowed = _allowed(root)
    profile, profiles = knobs.platform_profile(root)
    mode, fastest = knobs.jetson_modes(root)
    return Conditions(
        system=sys.platform,
        cpus_online=cpu.online_cpus(root),
        cpus_allowed=allowed,
        cpu_quota=cpu.cgroup_cpu_quota(root),
        cpus_usable=cpu.usable_cpus(root) if root == ROOT else _usable(allowed, root),
        environment=environment.snapshot(root),
        governors=_governors(root),
        capped_mhz=_capped_mhz(root),
        top_mhz=_top_mhz(root),
        zones=tuple(_zones(root)),
        cooling=tuple(_cooling(root)),
        under_voltage=_under_voltage(root),
        on_battery=_on_battery(root),
        mem_total_byte=environment.memory_total_byte(root),
        mem_limit_byte=environment.memory_limit_byte(root),
        virtualisation=virtualisation(root),
        busy=busy,
        energy_preferences=knobs.energy_preferences(root),
        platform_profile=profile,
        platform_profiles=profiles,
        power_mode=mode,
        fastest_mode=fastest,
        loose_clocks=knobs.loose_clocks(root),
        siblings=knobs.siblings(allowed, root),
        isolated=knobs.isolated(root),
        pressure_ratios=knobs.pressure_ratios(root),
        swap_devices=knobs.swap_devices(root),
        services=knobs.services(root),
        perf_event_paranoid=knobs.perf_event_paranoid(root),
        up_ns=knobs.up_ns(root),
    )


def _allowed(root: Path) -> tuple[int, ...]:
    """CPUs in the affinity mask: this process's, or what a folder of files says of its own."""
    if root == ROOT:
        return cpu.allowed_cpus()
    for line in (read_text(root / "proc/self/status") or "").splitlines():
        key, _, told = line.partition(":")
        if key == "Cpus_allowed_list":
            return cpu.parse_cpu_list(told)
    return cpu.online_cpus(root)


def _usable(allowed: tuple[int, ...], root: Path) -> int:
    """What `cpu.usable_cpus` is on the machine itself, for a folder of another one's files."""
    count = len(set(allowed) & set(cpu.online_cpus(root)))
    quota = cpu.cgroup_cpu_quota(root)
    return max(1, count if quota is None else min(count, math.floor(quota)))


def busy_processes(interval_s: float = 0.3) -> tuple[Busy, ...]:
    """Processes that keep a tenth of a CPU or more busy, busiest first; takes ``interval_s``."""
    before = {process.pid: used for process, used in _cpu_times()}
    start = time.monotonic()
    time.sleep(interval_s)
    took_s = time.monotonic() - start
    found = []
    for process, used in _cpu_times():
        ratio = (used - before.get(process.pid, used)) / took_s
        if ratio >= _BUSY_RATIO:
            name = process.info["name"] or "?"
            found.append(Busy(pid=process.pid, name=name, cpu_ratio=round(ratio, 2)))
    return tuple(sorted(found, key=lambda one: -one.cpu_ratio))


def _cpu_times() -> Iterator[tuple[psutil.Process, float]]:
    """Every other process and the CPU time in s it has used; unreadable ones are passed over."""
    for process in psutil.process_iter(["name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None and process.pid != psutil.Process().pid:
            yield process, times.user + times.system


def _policies(root: Path) -> list[Path]:
    """Frequency domains; Linux Documentation/admin-guide/pm/cpufreq.rst."""
    base = root / "sys/devices/system/cpu"
    return sorted(base.glob("cpufreq/policy*")) or sorted(base.glob("cpu[0-9]*/cpufreq"))


def _governors(root: Path) -> tuple[str, ...]:
    found = [read_text(policy / "scaling_governor") for policy in _policies(root)]
    return tuple(dict.fromkeys(governor for governor in found if governor))


def _capped_mhz(root: Path) -> tuple[float, float] | None:
    for policy in _policies(root):
        allowed = read_int(policy / "scaling_max_freq")
        possible = read_int(policy / "cpuinfo_max_freq")
        if allowed and possible and allowed < possible:
            return allowed / _KHZ_PER_MHZ, possible / _KHZ_PER_MHZ
    return None


def _top_mhz(root: Path) -> float | None:
    found = [read_int(policy / "cpuinfo_max_freq") for policy in _policies(root)]
    return max((khz / _KHZ_PER_MHZ for khz in found if khz), default=None)


def _zones(root: Path) -> Iterator[Zone]:
    """Thermal zones with their lowest passive trip; Documentation/driver-api/thermal."""
    for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        value = read_int(folder / "temp")
        if value is None:
            continue
        limits = []
        for kind in folder.glob("trip_point_*_type"):
            at = read_int(folder / kind.name.replace("_type", "_temp"))
            if read_text(kind) == "passive" and at is not None and at > 0:
                limits.append(at / _MILLI)
        name = read_text(folder / "type") or folder.name
        limit_degc = min(limits) if limits else None
        yield Zone(name=name, degc=value / _MILLI, limit_degc=limit_degc)


def _cooling(root: Path) -> Iterator[str]:
    """Passive cooling of a CPU at work; a fan that turns is none."""
    for folder in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind = read_text(folder / "type") or ""
        slows = "cpufreq" in kind or kind == "Processor"
        if slows and (read_int(folder / "cur_state") or 0) > 0:
            yield kind


def _under_voltage(root: Path) -> bool:
    """The Raspberry Pi's own alarm (Linux drivers/hwmon/raspberrypi-hwmon.c), sticky there."""
    for folder in (root / "sys/class/hwmon").glob("hwmon*"):
        if read_text(folder / "name") == "rpi_volt" and read_int(folder / "in0_lcrit_alarm"):
            return True
    return False


def _on_battery(root: Path) -> bool:
    supplies = (root / "sys/class/power_supply").glob("*")
    return any(
        read_text(folder / "type") == "Battery" and read_text(folder / "status") == "Discharging"
        for folder in supplies
    )
