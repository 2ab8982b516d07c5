"""A machine's parts in words for people: a cluster, its caches, an accelerator."""

from __future__ import annotations

from collections.abc import Mapping

from edgebench.machine import Accelerator, CpuCluster, Envelope
from edgebench.units import mib_from_byte

_KIB = 1024
_UNITS = {"w": "W", "usd": "USD", "tops": "TOPS", "degc": "degC", "mhz": "MHz", "mib": "MiB"}
"""As people write what a fact's key ends in."""
_NAMES = {
    "soc": "SoC",
    "cpu": "CPU",
    "npu": "NPU",
    "gpu": "GPU",
    "tpu": "TPU",
    "tdp": "TDP",
    "mem": "memory",
}
"""And what words of it stand for."""


def cluster(part: CpuCluster, otherwise: str = "CPUs") -> str:
    """``4 x Cortex-A76, up to 2400 MHz``.

    Args:
        part: CPUs of one kind.
        otherwise: What they are called where no model is known.
    """
    speed = "" if part.max_mhz is None else f", up to {part.max_mhz:.0f} MHz"
    return f"{part.cpus} x {part.model or otherwise}{speed}"


def accelerator(part: Accelerator) -> str:
    """``npu: Rockchip NPU (platform fdab0000.npu, driver RKNPU)``."""
    driver = f"driver {part.driver}" if part.driver else "no driver"
    return f"{part.kind}: {part.name} ({part.where}, {driver})"


def envelope(known: Envelope | None) -> str:
    """``2.8 to 9.7 W as published``; empty where nobody published it."""
    return f"{known.idle.w:g} to {known.load.w:g} W as published" if known is not None else ""


def caches(sizes_byte: Mapping[str, int]) -> str:
    """``L1d 64 KiB, L2 512 KiB, L3 2 MiB``; empty where nothing is known."""
    return ", ".join(f"{name} {_size(size)}" for name, size in sizes_byte.items())


def words(key: str) -> str:
    """A fact's key without its unit: ``memory min`` of ``mem_min_mib``, ``CPU clock`` of a MHz."""
    stem, _, unit = key.rpartition("_")
    parts = (stem if unit in _UNITS else key).split("_")
    parts += ["clock"] if unit == "mhz" else []
    return " ".join(_NAMES.get(part, part) for part in parts)


def figure(key: str, value: float | str) -> str:
    """A fact with its unit: ``6 TOPS``."""
    if isinstance(value, str):
        return value
    unit = key.rpartition("_")[2]
    return f"{value:g} {_UNITS.get(unit, unit)}".rstrip()


def _size(value_byte: int) -> str:
    if value_byte >= _KIB * _KIB:
        return f"{mib_from_byte(value_byte):g} MiB"
    return f"{value_byte / _KIB:g} KiB"
