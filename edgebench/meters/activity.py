"""What the CPUs do: how long each was busy, and at which frequency; from /proc/stat and cpufreq."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgebench.meters.files import read_long, whole
from edgebench.power_model import IDLE, Activity

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_BUSY_FIELDS = (0, 1, 2, 5, 6)
"""user, nice, system, irq, softirq of /proc/stat; guests are in user, what is stolen is others'."""
_KHZ_PER_GHZ = 1e6


class Domain(NamedTuple):
    """CPUs that share a frequency."""

    cpus: tuple[int, ...]
    folder: Path | None
    """Of cpufreq; None where the kernel tells no frequency."""


Cluster = tuple[Domain, ...]
"""Domains of one top speed: on Arm boards one, on x86 often one a CPU."""


class Look(NamedTuple):
    """The kernel's books at one moment."""

    t_ns: int
    busy_ns: dict[int, int]
    """Of each CPU, since boot."""
    at_khz: dict[Path, dict[int, int]]
    """Of each domain: time at each frequency since boot, or the one it has just now, once."""


def clusters(root: Path) -> tuple[Cluster, ...]:
    """The CPUs by their top speed, fastest first; empty where nothing tells what they do."""
    found: dict[int, list[Domain]] = {}
    for folder in sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*")):
        told = map(whole, read_long(folder / "affected_cpus").split())
        cpus = tuple(cpu for cpu in told if cpu is not None)
        if cpus:
            key = whole(read_long(folder / "cpuinfo_max_freq")) or 0
            found.setdefault(key, []).append(Domain(cpus, folder))
    if found:
        return tuple(tuple(found[key]) for key in sorted(found, reverse=True))
    every = tuple(sorted(_busy(root)))
    return ((Domain(every, None),),) if every else ()


def look(root: Path, known: Sequence[Cluster]) -> Look | None:
    """The books now; None where they cannot be read."""
    t_ns, busy_ns = time.perf_counter_ns(), _busy(root)
    folders = [domain.folder for cluster in known for domain in cluster if domain.folder]
    at_khz = {folder: _frequencies(folder) for folder in folders}
    cpus = {cpu for cluster in known for domain in cluster for cpu in domain.cpus}
    if not cpus or not cpus <= busy_ns.keys() or not all(at_khz.values()):
        return None
    return Look(t_ns, busy_ns, at_khz)


def between(before: Look, after: Look, known: Sequence[Cluster]) -> tuple[Activity, ...] | None:
    """What each cluster did between two looks; None where they lie too close to tell."""
    if after.t_ns <= before.t_ns:
        return None
    shares = {folder: _shares(before.at_khz[folder], now) for folder, now in after.at_khz.items()}
    if not all(shares.values()):
        return None
    return tuple(_of_cluster(before, after, shares, cluster) for cluster in known)


def mean(looks: Sequence[Look], known: Sequence[Cluster]) -> tuple[Activity, ...] | None:
    """What each cluster did from the first look to the last, by the time between each two.

    Short stretches are added up, because a CPU may be slow while it is idle and fast while it is
    busy. None where too little can be told.
    """
    parts = [
        (seen, after.t_ns - before.t_ns)
        for before, after in itertools.pairwise(looks)
        if (seen := between(before, after, known)) is not None
    ]
    total_ns = sum(ns for _, ns in parts)
    if not total_ns:
        return None
    return tuple(
        _mean_of([(seen[place], ns / total_ns) for seen, ns in parts])
        for place in range(len(known))
    )


def _mean_of(parts: Sequence[tuple[Activity, float]]) -> Activity:
    """Of one cluster, each part with its share of the time."""
    busy = [one for one, _ in parts if one.busy >= IDLE and one.min_ghz is not None]
    return Activity(
        busy=sum(one.busy * share for one, share in parts),
        busy_ghz=sum(one.busy_ghz * share for one, share in parts),
        busy_ghz3=sum(one.busy_ghz3 * share for one, share in parts),
        min_ghz=min((one.min_ghz for one in busy if one.min_ghz is not None), default=None),
        max_ghz=max((one.max_ghz for one in busy if one.max_ghz is not None), default=None),
    )


def _of_cluster(
    before: Look, after: Look, at_khz: dict[Path, dict[int, float]], cluster: Cluster
) -> Activity:
    took_ns = after.t_ns - before.t_ns
    busy = busy_ghz = busy_ghz3 = 0.0
    seen: list[float] = []
    for domain in cluster:
        grown = (after.busy_ns[cpu] - before.busy_ns[cpu] for cpu in domain.cpus)
        # Ticks make single shares too large or too small: unbiased as long as nothing is cut off.
        mine = sum(max(0, ns) for ns in grown) / took_ns
        ghz = ghz3 = 1.0
        if domain.folder is not None:
            shares = at_khz[domain.folder]
            ghz = sum(share * khz / _KHZ_PER_GHZ for khz, share in shares.items())
            ghz3 = sum(share * (khz / _KHZ_PER_GHZ) ** 3 for khz, share in shares.items())
            if mine > 0:
                seen.append(ghz)
        busy, busy_ghz, busy_ghz3 = busy + mine, busy_ghz + mine * ghz, busy_ghz3 + mine * ghz3
    return Activity(
        busy=busy,
        busy_ghz=busy_ghz,
        busy_ghz3=busy_ghz3,
        min_ghz=min(seen, default=None),
        max_ghz=max(seen, default=None),
    )


def _shares(before: dict[int, int], after: dict[int, int]) -> dict[int, float]:
    """Share of the time at each frequency in kHz; empty where the books did not move."""
    if len(after) == 1:
        return dict.fromkeys(after, 1.0)
    grown = {khz: max(0, ns - before.get(khz, 0)) for khz, ns in after.items()}
    total = sum(grown.values())
    if not total:
        return {}
    return {khz: ns / total for khz, ns in grown.items()}


def _busy(root: Path) -> dict[int, int]:
    """Time that each CPU was busy since boot, in ns; proc(5), /proc/stat."""
    found = {}
    for line in read_long(root / "proc/stat").splitlines():
        name, *fields = line.split() or [""]
        number, ticks = whole(name.removeprefix("cpu")), [whole(field) for field in fields]
        if name.startswith("cpu") and number is not None:
            busy = [tick for i, tick in enumerate(ticks) if i in _BUSY_FIELDS]
            known = [tick for tick in busy if tick is not None]
            if len(known) == len(busy):
                found[number] = sum(known) * _TICK_NS
    return found


def _frequencies(folder: Path) -> dict[int, int]:
    """Time at each frequency in kHz (cpufreq-stats.rst), else the one it has now; or empty."""
    found = {}
    for line in read_long(folder / "stats/time_in_state").splitlines():
        numbers = [number for part in line.split() if (number := whole(part)) is not None]
        if len(numbers) == 2:  # noqa: PLR2004 - a pair
            found[numbers[0]] = numbers[1] * _TICK_NS
    if not found:
        now = whole(read_long(folder / "scaling_cur_freq"))
        return {} if now is None else {now: 0}
    return found
