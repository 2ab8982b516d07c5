"""Knobs that decide how fast a machine runs and who disturbs it: read here, never turned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgebench.host.cpu import ROOT, parse_cpu_list, plain, read_int, read_text, whole

_CPU = "sys/devices/system/cpu"
_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>")
"""A mode of ``/etc/nvpmodel.conf``; NVIDIA, Jetson Linux Developer Guide, "Power Model Editor"."""
_WATTS = re.compile(r"(\d+)W", re.IGNORECASE)
_PERCENT = 100
_SERVICES = {
    "unattended-upgr": "unattended-upgrades",
    "packagekitd": "packagekit",
    "apt.systemd.dai": "apt-daily.timer apt-daily-upgrade.timer",
    "snapd": "snapd.socket snapd",
    "fwupd": "fwupd",
    "updatedb": "updatedb.timer",
    "updatedb.plocat": "plocat-updatedb.timer",
    "tracker-miner-f": "",
    "baloo_file": "",
}
"""Programs that sleep and wake to work for minutes: the first 15 letters of their names, as the
kernel keeps them, and the units that systemd stops them by; empty for a desktop user's own."""


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A background service that is running, perhaps asleep."""

    name: str
    units: str = ""
    """What ``systemctl stop`` takes; empty where it is no system service."""


class PowerMode(msgspec.Struct, frozen=True, kw_only=True):
    """A Jetson's power mode."""

    number: int
    name: str


def energy_preferences(root: Path = ROOT) -> tuple[str, ...]:
    """What each frequency domain prefers, each once: ``performance`` ... ``power``.

    Source: Linux Documentation/admin-guide/pm/intel_pstate.rst (amd-pstate has it too).
    """
    found = (root / _CPU).glob("cpufreq/policy*/energy_performance_preference")
    return tuple(dict.fromkeys(told for path in sorted(found) if (told := read_text(path))))


def platform_profile(root: Path = ROOT) -> tuple[str | None, tuple[str, ...]]:
    """The firmware's profile and those it offers; Linux Documentation/ABI/testing, acpi.

    None and nothing where the firmware has none.
    """
    folder = root / "sys/firmware/acpi"
    offered = (read_text(folder / "platform_profile_choices") or "").split()
    return read_text(folder / "platform_profile") or None, tuple(offered)


def jetson_modes(root: Path = ROOT) -> tuple[PowerMode | None, PowerMode | None]:
    """A Jetson's power mode and its fastest; None where either cannot be told.

    The fastest is the one called MAXN, or without one that of most watts: on an Orin Nano
    without "Super" mode 0 is 15W and there is no MAXN.
    """
    text = read_text(root / "etc/nvpmodel.conf") or ""
    told = ((whole(number), plain(name)) for number, name in _MODE.findall(text))
    modes = [PowerMode(number=n, name=name) for n, name in told if n is not None and name]
    found = re.search(r"pmode:(\d+)", read_text(root / "var/lib/nvpmodel/status") or "")
    number = whole(found.group(1)) if found else None
    now = next((mode for mode in modes if mode.number == number), None)
    if now is None and number is not None:
        now = PowerMode(number=number, name=f"mode {number}")
    return now, max(modes, key=_speed, default=None)


def _speed(mode: PowerMode) -> tuple[bool, int]:
    watts = _WATTS.search(mode.name)
    return mode.name.upper().startswith("MAXN"), whole(watts.group(1)) or 0 if watts else 0


def is_jetson(root: Path = ROOT) -> bool:
    """Whether NVIDIA's system for Tegra boards runs here."""
    told = read_text(root / "proc/device-tree/compatible") or ""
    return "nvidia,tegra" in told or (root / "etc/nv_tegra_release").exists()


def loose_clocks(root: Path = ROOT) -> tuple[str, ...]:
    """Of a Jetson, what may still run below its maximum: ``jetson_clocks`` ties both together."""
    if not is_jetson(root):
        return ()
    found = []
    for policy in sorted((root / _CPU).glob("cpufreq/policy*")):
        low, high = (read_int(policy / f"scaling_{end}_freq") for end in ("min", "max"))
        if low is not None and high is not None and low < high:
            found.append("cpu")
    for folder in sorted((root / "sys/class/devfreq").glob("*")):
        low, high = (read_int(folder / f"{end}_freq") for end in ("min", "max"))
        if low is not None and high is not None and low < high:
            graphics = folder.name.endswith((".gpu", ".ga10b", ".gv11b", ".gp10b", ".gm20b"))
            found.append("gpu" if graphics else folder.name)
    return tuple(dict.fromkeys(found))


def siblings(allowed: tuple[int, ...], root: Path = ROOT) -> tuple[tuple[int, ...], ...]:
    """Usable CPUs that are one core (SMT); Linux Documentation/admin-guide/cputopology.rst."""
    found = set()
    for number in allowed:
        told = read_text(root / _CPU / f"cpu{number}/topology/thread_siblings_list") or ""
        mine = tuple(sorted(set(parse_cpu_list(told)) & set(allowed)))
        if len(mine) > 1:
            found.add(mine)
    return tuple(sorted(found))


def isolated(root: Path = ROOT) -> tuple[int, ...]:
    """CPUs that ``isolcpus=`` has taken from the scheduler."""
    return parse_cpu_list(read_text(root / _CPU / "isolated") or "")


def pressure_ratios(root: Path = ROOT) -> dict[str, float]:
    """Share of the last 10 s in which some task waited for ``cpu``, ``memory``, ``io``.

    Source: Linux Documentation/accounting/psi.rst; empty where the kernel does not count it.
    """
    found = {}
    for name in ("cpu", "memory", "io"):
        told = re.search(
            r"^some avg10=(\d+\.?\d*) ", read_text(root / f"proc/pressure/{name}") or ""
        )
        if told:
            found[name] = float(told.group(1)) / _PERCENT
    return found


def swap_devices(root: Path = ROOT) -> tuple[str, ...]:
    """Files and devices that hold swapped pages just now; proc(5), /proc/swaps."""
    lines = (read_text(root / "proc/swaps") or "").splitlines()[1:]
    used = [line.split() for line in lines if len(line.split()) > 3]  # noqa: PLR2004 - "Used"
    return tuple(parts[0] for parts in used if whole(parts[3]))


def services(root: Path = ROOT) -> tuple[Service, ...]:
    """Background services of ours to know that are running; their processes may sleep."""
    running = sorted({name for name in _programs(root) if name in _SERVICES})
    return tuple(Service(name=name, units=_SERVICES[name]) for name in running)


def _programs(root: Path) -> Iterator[str]:
    for path in (root / "proc").glob("[0-9]*/comm"):
        if (name := read_text(path)) is not None:
            yield name


def perf_event_paranoid(root: Path = ROOT) -> int | None:
    """Who may count events; Linux Documentation/admin-guide/sysctl/kernel.rst."""
    return read_int(root / "proc/sys/kernel/perf_event_paranoid")


def up_ns(root: Path = ROOT) -> int | None:
    """Time since boot."""
    seconds = (read_text(root / "proc/uptime") or "").partition(" ")[0]
    try:
        return max(0, int(float(seconds) * 1e9)) or None
    except (ValueError, OverflowError):
        return None
