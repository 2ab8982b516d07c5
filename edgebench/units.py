"""Units: the factors between what is stored (ns, byte) and what is shown (ms, MiB)."""

from __future__ import annotations

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000
BYTE_PER_MIB = 1 << 20


def ms_from_ns(value_ns: float) -> float:
    """Milliseconds from nanoseconds."""
    return value_ns / NS_PER_MS


def mib_from_byte(value_byte: float) -> float:
    """Mebibytes from bytes."""
    return value_byte / BYTE_PER_MIB


def human_s(value_s: float) -> str:
    """A duration for people: ``8 s``, ``2 min 05 s``, ``1 h 12 min``."""
    seconds = round(value_s)
    if seconds < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes in an hour
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
