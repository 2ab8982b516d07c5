"""CPUs that this process may really use, and which of them to measure on."""

from __future__ import annotations

import math
import os
from pathlib import Path

ROOT = Path(os.environ.get("EDGEBENCH_ROOT") or "/").absolute()
"""Where /proc, /sys and /dev are looked for. For tests: with ``EDGEBENCH_ROOT=FOLDER`` a run and
its workers see the planted machine of that folder, and every launch says so (`planted`)."""
_LARGEST_FILE_BYTE = 4 << 20
"""More than /proc/cpuinfo of a thousand CPUs; what lies behind is not read."""
_LONGEST_NAME = 200
_LARGEST = 1 << 64
"""The kernel counts in 64 bits, and so do the records."""
_MOST_CPUS = 8192
"""The largest NR_CPUS that Linux is built with on x86 (arch/x86/Kconfig)."""


def planted() -> str:
    """A caveat where the machine that is looked at is not this one; else empty."""
    return "" if Path("/") == ROOT else f"the machine was read from EDGEBENCH_ROOT={ROOT}"


def read_text(path: Path) -> str | None:
    """A small kernel file, stripped; None where it is missing, unreadable or vanished."""
    try:
        with open(path, "rb", opener=_open) as file:
            # None is a pipe whose writer is silent.
            told: bytes | None = file.read(_LARGEST_FILE_BYTE)
    except (OSError, ValueError):  # a path with a NUL, which a file told
        return None
    return (told or b"").decode("utf-8", "replace").strip("\0\n ")


def _open(path: str, flags: int) -> int:
    """Nobody waits for the writer of a pipe that stands where a file should."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def plain(text: str | None) -> str | None:
    """A name that a kernel file holds, fit to be shown: one line, no control characters."""
    shown = "".join(c if c.isprintable() else " " for c in (text or "")[:_LONGEST_NAME])
    return " ".join(shown.split()) or None


def whole(text: str | None) -> int | None:
    """The whole number that a text is, if it is one that the kernel could have counted."""
    try:
        value = int(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and abs(value) < _LARGEST else None


def read_int(path: Path) -> int | None:
    """A kernel file that holds one whole number; None for anything else."""
    return whole(read_text(path))


def subfolders(path: Path) -> tuple[Path, ...]:
    """What a folder holds, by name; empty where it is missing, unreadable or none."""
    try:
        return tuple(sorted(path.iterdir()))
    except OSError:
        return ()


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """CPU numbers of a kernel list such as ``0-3,8``; malformed parts are passed over.

    Source: Linux Documentation/admin-guide/cputopology.rst.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        low, high = whole(first), whole(last if dash else first)
        if low is not None and high is not None and low >= 0:
            found.update(range(low, min(high + 1, _MOST_CPUS)))
        if len(found) == _MOST_CPUS:
            break
    return tuple(sorted(found))


def cgroup_folders(root: Path = ROOT) -> tuple[Path, ...]:
    """This process's cgroup (version 2) and its ancestors, innermost first.

    Source: Linux Documentation/admin-guide/cgroup-v2.rst: a limit of any ancestor holds too.
    Where both versions are mounted, version 2 lies in ``unified`` (systemd's hybrid layout).
    """
    base = root / "sys/fs/cgroup"
    hybrid = base / "unified"
    return _chain(hybrid if hybrid.is_dir() else base, _cgroup_path(root, ""))


def cgroup1_folders(controller: str, root: Path = ROOT) -> tuple[Path, ...]:
    """This process's cgroup of a version 1 controller and its ancestors; empty without one.

    Source: Linux Documentation/admin-guide/cgroup-v1. Controllers may share a mount
    (``cpu,cpuacct``), and inside a container the path of /proc/self/cgroup is the host's: the
    mount itself then is the container's own cgroup, which is the chain's last member.
    """
    for mount in subfolders(root / "sys/fs/cgroup"):
        if controller in mount.name.split(","):
            return _chain(mount, _cgroup_path(root, controller))
    return ()


def _cgroup_path(root: Path, controller: str) -> str:
    """This process's path below a controller's mount; the empty controller is version 2."""
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and controller in controllers.split(","):
            return path
    return ""


def _chain(base: Path, path: str) -> tuple[Path, ...]:
    folder = base / path.lstrip("/")
    return tuple(f for f in (folder, *folder.parents) if f == base or base in f.parents)


def cgroup_cpu_quota(root: Path = ROOT) -> float | None:
    """CPUs that the cgroup's quota grants (1.5 = one and a half); None without a quota.

    Reads ``cpu.max`` (version 2) or ``cpu.cfs_quota_us`` / ``cpu.cfs_period_us`` (version 1).
    """
    quotas = []
    for folder in cgroup_folders(root):
        quota, _, period = (read_text(folder / "cpu.max") or "").partition(" ")
        quota_us, period_us = whole(quota), whole(period)
        if quota_us and period_us and quota_us > 0 and period_us > 0:
            quotas.append(quota_us / period_us)
    for folder in cgroup1_folders("cpu", root):
        quota_us = read_int(folder / "cpu.cfs_quota_us")
        period_us = read_int(folder / "cpu.cfs_period_us")
        if quota_us and period_us and quota_us > 0 and period_us > 0:
            quotas.append(quota_us / period_us)
    return min(quotas) if quotas else None


def online_cpus(root: Path = ROOT) -> tuple[int, ...]:
    """CPUs that the kernel has switched on."""
    listed = parse_cpu_list(read_text(root / "sys/devices/system/cpu/online") or "")
    return listed or tuple(range(os.cpu_count() or 1))


def allowed_cpus() -> tuple[int, ...]:
    """CPUs in this process's affinity mask."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def usable_cpus(root: Path = ROOT) -> int:
    """How many threads can run at once: min(affinity, floor(cgroup quota), online), 1 or more."""
    count = len(set(allowed_cpus()) & set(online_cpus(root))) or 1
    quota = cgroup_cpu_quota(root)
    return max(1, min(count, math.floor(quota))) if quota is not None else count


def policies(root: Path = ROOT) -> list[Path]:
    """Folders of the frequency domains; Linux Documentation/admin-guide/pm/cpufreq.rst."""
    base = root / "sys/devices/system/cpu"
    found = base.glob("cpufreq/policy[0-9]*")
    return sorted(found, key=lambda folder: int("".join(filter(str.isdecimal, folder.name)))) or [
        folder for cpu in online_cpus(root) if (folder := base / f"cpu{cpu}/cpufreq").is_dir()
    ]


def speed_rank(cpu: int, root: Path = ROOT) -> int:
    """What orders CPUs by speed: maximum frequency in kHz, else the scheduler's capacity, else 0.

    Source: Linux Documentation/admin-guide/pm/cpufreq.rst and scheduler/sched-capacity.rst.
    """
    folder = root / f"sys/devices/system/cpu/cpu{cpu}"
    return read_int(folder / "cpufreq/cpuinfo_max_freq") or read_int(folder / "cpu_capacity") or 0


def choose_cpus(threads: int, root: Path = ROOT) -> tuple[int, ...]:
    """CPUs to measure on: the fastest clusters, whole, as many as hold ``threads`` threads.

    A cluster is the CPUs of one speed (big.LITTLE boards have several). Whole clusters, not
    single CPUs: the scheduler can then step around other work.
    """
    clusters: dict[int, list[int]] = {}
    for cpu in sorted(set(allowed_cpus()) & set(online_cpus(root))) or allowed_cpus():
        clusters.setdefault(speed_rank(cpu, root), []).append(cpu)
    chosen: list[int] = []
    for speed in sorted(clusters, reverse=True):
        chosen += clusters[speed]
        if len(chosen) >= threads:
            break
    return tuple(sorted(chosen))
