"""This process's own books: memory, CPU queueing, switches; read from /proc, no sampling."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_KIB = 1024
_SELF = Path("/proc/self")
_CPU_CLOCK = 2
"""CPUCLOCK_SCHED: the clock of process N has the number that clock_getcpuclockid(3) makes so."""
helpers: set[int] = set()
"""Processes that compute for this one: what they use is on its books."""


def cpu_ns() -> int:
    """CPU time of this process and its helpers."""
    return time.process_time_ns() + sum(map(_cpu_ns_of, helpers))


def _cpu_ns_of(pid: int) -> int:
    try:
        return time.clock_gettime_ns(~pid << 3 | _CPU_CLOCK)
    except OSError:  # it has ended
        return 0


def _places() -> list[Path]:
    return [_SELF, *(_SELF.parent / str(pid) for pid in helpers)]


def _sum(numbers: list[int | None]) -> int | None:
    """The sum; None where a part of it cannot be read."""
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def status_byte(key: str) -> int | None:
    """A field of /proc/self/status that counts kB, in byte: ``VmRSS``, ``VmHWM`` (proc(5)).

    With helpers it is the sum.

    Never ``ru_maxrss``: a child inherits the high-water mark of the parent that forked it.
    """
    number = _sum([_field("status", key, place) for place in _places()])
    return number * _KIB if number is not None else None


def threads() -> int | None:
    """Threads of this process."""
    return _field("status", "Threads")


def involuntary_switches() -> int | None:
    """Times the kernel took the CPU away from the main thread."""
    return _field("status", "nonvoluntary_ctxt_switches")


def _field(file: str, key: str, place: Path | None = None) -> int | None:
    try:
        text = ((place or _SELF) / file).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name == key:
            number = rest.split()[0]
            return int(number) if number.isdigit() else None
    return None


def pss_byte() -> int | None:
    """Proportional set size: pages shared with others count by share.

    Source: Linux Documentation/filesystems/proc.rst, /proc/<pid>/smaps_rollup.
    """
    number = _sum([_field("smaps_rollup", "Pss", place) for place in _places()])
    return number * _KIB if number is not None else None


def run_delay_ns() -> int | None:
    """Time the main thread was runnable but waited for a CPU.

    Source: Linux Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat, second field.
    """
    try:
        parts = (_SELF / "schedstat").read_text(encoding="ascii").split()
        return int(parts[1])
    except (OSError, ValueError, IndexError):
        return None


def reset_peak_rss() -> bool:
    """Set VmHWM back to the present RSS (proc(5): write 5 to clear_refs); False if refused."""
    try:
        (_SELF / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)
