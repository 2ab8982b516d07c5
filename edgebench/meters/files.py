"""Small kernel files as meters read them: what cannot be read now is None, never 0."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MAX_BYTE = 4096
"""A sysfs attribute is a page at most."""
_WHOLE = re.compile(r"[+-]?[0-9]+")
_COUNTER_END = 1 << 64
"""Series hold unsigned 64 bits."""
_LONGEST_BYTE = 1 << 20
"""More than /proc/cpuinfo and /proc/stat of hundreds of CPUs."""
_LONGEST_NUMBER = 21
FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
"""Nobody waits for the writer of a pipe that stands where a file should."""


def read_text(path: Path) -> str | None:
    """A small file, stripped; None where it is missing, denied, vanished, or its driver fails."""
    try:
        handle = os.open(path, FLAGS)
        try:
            raw = os.read(handle, _MAX_BYTE)
        finally:
            os.close(handle)
    except OSError:
        return None
    return raw.decode("utf-8", errors="replace").strip("\0\n ")


def read_long(path: Path) -> str:
    """A file of many lines, which the kernel hands out by pages; empty if it cannot be read."""
    raw = b""
    try:
        handle = os.open(path, FLAGS)
        try:
            while len(raw) < _LONGEST_BYTE and (page := os.read(handle, _LONGEST_BYTE)):
                raw += page
        finally:
            os.close(handle)
    except OSError:
        return ""
    return raw.decode("utf-8", errors="replace").strip("\0\n ")


def whole(text: str) -> int | None:
    """The whole number that a text is; None for any other, and for one beyond all counters."""
    sound = len(text) <= _LONGEST_NUMBER and _WHOLE.fullmatch(text)
    return int(text) if sound else None


def read_int(path: Path) -> int | None:
    """A file that holds one whole number and nothing else; None for anything else."""
    text = read_text(path)
    return None if text is None else whole(text)


def read_amount(path: Path) -> int | None:
    """An energy or a power: a whole number from 0 on; None for anything else."""
    return amount(read_int(path))


def amount(value: int | None) -> int | None:
    """The value where it is one of an energy or a power; None where it is negative or absurd."""
    return value if value is not None and 0 <= value < _COUNTER_END else None


def denied(path: Path) -> bool:
    """Whether the file is there and this user may not read it."""
    try:
        os.close(os.open(path, FLAGS))
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def entries(folder: Path) -> tuple[Path, ...]:
    """What a folder holds, ordered by name with its numbers as numbers; empty without it."""
    try:
        return tuple(sorted(folder.iterdir(), key=_by_number))
    except OSError:
        return ()


def _by_number(path: Path) -> tuple[tuple[int, str], ...]:
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def cpu_words(root: Path, key: str) -> frozenset[str]:
    """The words behind the first ``key`` of /proc/cpuinfo: ``flags``, ``vendor_id``."""
    for line in read_long(root / "proc/cpuinfo").splitlines():
        found, colon, value = line.partition(":")
        if colon and found.strip() == key:
            return frozenset(value.split())
    return frozenset()


def cpu_list(text: str) -> tuple[int, ...]:
    """CPU numbers of a kernel list such as ``0-3,8``; malformed parts are passed over."""
    found: set[int] = set()
    for first, last in re.findall(r"(?:^|,)([0-9]{1,4})(?:-([0-9]{1,4}))?(?=,|$)", text):
        found.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def is_virtual(root: Path) -> bool:
    """Whether an x86 processor says that a hypervisor runs it (CPUID leaf 1, ECX bit 31)."""
    return "hypervisor" in cpu_words(root, "flags")
