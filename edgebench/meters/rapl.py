"""RAPL by powercap: energy counters of x86 processors, from `/sys/class/powercap`.

Reads ``energy_uj`` in uJ; only root may (mode 0400 since Linux 5.10, CVE-2020-8694). Intel, and
AMD since Linux 5.8; not in virtual machines, and container engines mask it.
https://docs.kernel.org/power/powercap/powercap.html
"""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from edgebench.metering import Channel
from edgebench.meters import files, rapl_domains
from edgebench.protocols import Probe, Readings

_ZONE = re.compile(r"intel-rapl(?P<mmio>-mmio)?:(?P<numbers>[0-9]+(?::[0-9]+)*)")
_DOMAIN = re.compile(
    r"(?P<package>package-[0-9]+)(?P<die>-die-[0-9]+)?|core|uncore|dram|(?P<psys>psys)(-[0-9]+)?"
)
_MIRROR_UJ = 1_000_000
"""Two counters this close are one: of 65 kJ or more since the boot, 1 J is no coincidence."""


class _Zone(NamedTuple):
    """A powercap zone that can be read."""

    folder: Path
    domain: str
    name: str
    """``package-0``, ``package-0/core``."""
    package: str
    """``package-0`` of ``package-0-die-1``; empty for zones of no package."""
    mmio: bool
    wrap_uj: int | None

    def read_uj(self) -> int | None:
        """The counter, unless it says more than it can hold."""
        value = files.read_amount(self.folder / "energy_uj")
        beyond = value is not None and self.wrap_uj is not None and value > self.wrap_uj
        return None if beyond else value


class Rapl:
    """The processor's own energy counters, by powercap; packages and memory make the sum."""

    name = "rapl"

    def __init__(self) -> None:
        self._zones: tuple[tuple[_Zone, Channel], ...] = ()

    def probe(self, root: Path) -> Probe:
        """Look for zones whose counter can be read."""
        self._zones = ()
        base = root / "sys/class/powercap"
        folders = [one for one in files.entries(base) if _ZONE.fullmatch(one.name)]
        zones = [zone for one in folders if (zone := _zone(one)) is not None]
        # Counters run since the boot: one that stands at 0 is none, as some hypervisors show it.
        running = _once([zone for zone in zones if zone.read_uj()])
        gpu = any(zone.domain == "uncore" for zone in zones)
        self._zones = tuple(zip(running, _channels(running, gpu=gpu), strict=True))
        if any(channel.counted for channel in self.channels):
            return Probe(name=self.name, available=True)
        self._zones = ()
        reason, remedy = _why_not(root, folders)
        return Probe(name=self.name, available=False, reason=reason, remedy=remedy)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """A domain each; those within others and psys are not counted."""
        return tuple(channel for _, channel in self._zones)

    def read(self) -> Readings:
        """Every counter once, in uJ since some moment, modulo its range."""
        return tuple(_reading(zone) for zone, _ in self._zones)

    def close(self) -> None:
        """Forget the zones: no file stays open."""
        self._zones = ()


def _reading(zone: _Zone) -> tuple[int, int] | None:
    value = zone.read_uj()
    return None if value is None else (time.perf_counter_ns(), value)


def _zone(folder: Path) -> _Zone | None:
    """The zone of a folder; None where it does not say which domain it is."""
    number = _ZONE.fullmatch(folder.name)
    name = files.read_text(folder / "name") or ""
    domain = _DOMAIN.fullmatch(name)
    if number is None or domain is None:
        return None
    above = folder.name.rpartition(":")[0]
    parent = files.read_text(folder.parent / above / "name") if ":" in above else None
    return _Zone(
        folder=folder,
        domain="package" if domain["package"] else domain["psys"] or name,
        name=f"{parent}/{name}" if parent else name,
        package=domain["package"] or "",
        mmio=number["mmio"] is not None,
        wrap_uj=files.read_amount(folder / "max_energy_range_uj") or None,
    )


def _once(zones: list[_Zone]) -> list[_Zone]:
    """The zones less those that memory-mapped registers show beside the MSRs: the same counters."""
    by_msr = {zone.name for zone in zones if not zone.mmio}
    return [zone for zone in zones if not zone.mmio or zone.name not in by_msr]


def _channels(zones: list[_Zone], *, gpu: bool) -> list[Channel]:
    found = frozenset(zone.domain for zone in zones)
    mirrors = _mirrors(zones)
    often = Counter(zone.name for zone in zones)  # older kernels name dies as their package
    return [
        rapl_domains.channel(
            zone.domain,
            f"{zone.name}@{zone.folder.name}" if often[zone.name] > 1 else zone.name,
            counted=rapl_domains.counts(zone.domain, found) and zone not in mirrors,
            gpu=gpu,
            wrap_uj=zone.wrap_uj,
        )
        for zone in zones
    ]


def _mirrors(zones: list[_Zone]) -> set[_Zone]:
    """Dies whose counter is another die's of the same package, as on some AMD processors."""
    mirrors: set[_Zone] = set()
    packages = [zone for zone in zones if zone.domain == "package"]
    for place, zone in enumerate(packages):
        for other in packages[:place]:
            if other.package == zone.package and other not in mirrors and _same(other, zone):
                mirrors.add(zone)
    return mirrors


def _same(first: _Zone, second: _Zone) -> bool:
    """Whether a counter read between two readings of another one lies between them."""
    before, value, after = first.read_uj(), second.read_uj(), first.read_uj()
    if before is None or value is None or after is None:
        return False
    wrap = first.wrap_uj or 0
    after += wrap if after < before else 0  # it began again just now
    shifts = (0, wrap)
    return any(before - _MIRROR_UJ <= value + s <= after + _MIRROR_UJ for s in shifts)


def _why_not(root: Path, folders: list[Path]) -> tuple[str, str]:
    """Why no counter can be read, and what to do about it."""
    if any(files.denied(folder / "energy_uj") for folder in folders):
        return (
            "only root may read energy_uj",
            (
                "run as root, or where all users are trusted, until the next boot: "
                "sudo chmod a+r /sys/class/powercap/*/energy_uj"
            ),
        )
    if folders and not any((folder / "energy_uj").exists() for folder in folders):
        return (
            "RAPL is masked: container engines hide /sys/devices/virtual/powercap",
            "run outside of the container",
        )
    if folders:
        return "no RAPL counter gives a number above 0", ""
    return rapl_domains.absent(root, "intel_rapl_msr")
