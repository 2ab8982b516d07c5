"""What this machine is, from a folder of /proc and /sys files; no host or user name leaves it."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from edgebench.host.accelerators import accelerators
from edgebench.host.board import board as board_of
from edgebench.host.board import compatible, dmi, power_mode, raspberry_pi, soc
from edgebench.host.cores import architecture, caches_byte, clusters, cpuinfo, features, model
from edgebench.host.cpu import ROOT, cgroup_cpu_quota, online_cpus, plain, read_text, usable_cpus
from edgebench.host.environment import memory_limit_byte, memory_total_byte
from edgebench.host.virtual import virtualisation
from edgebench.machine import DeviceFacts, Envelope, KnownPower
from edgebench.specs import DeviceMatch, DeviceSpec


def identify(
    *, device_name: str | None = None, devices: Sequence[DeviceSpec] = (), root: Path = ROOT
) -> DeviceFacts:
    """The facts of this machine.

    Args:
        device_name: Given by the user: tells one unit of a kind from another.
        devices: Descriptors to recognise the board by.
        root: Stands for ``/``.
    """
    cpus = cpuinfo(root)
    board = board_of(root)
    found = clusters(cpus, root)
    models = " + ".join(dict.fromkeys(c.model for c in found if c.model)) or None
    known = recognise(devices, root)
    return DeviceFacts(
        device=known.name if known else _slug(board or models or platform.machine()),
        device_id=_slug(device_name) if device_name else _device_id(root),
        board=board,
        soc=soc(root),
        cpu_model=models,
        architecture=architecture(cpus, root) or platform.machine(),
        cpus_online=len(online_cpus(root)),
        cpus_usable=usable_cpus(root),
        cpu_quota=cgroup_cpu_quota(root),
        cpu_clusters=found,
        isa_features=features(cpus.values()),
        caches_byte=caches_byte(root),
        mem_total_byte=memory_total_byte(root),
        mem_limit_byte=memory_limit_byte(root),
        power_mode=power_mode(root),
        accelerators=accelerators(root),
        kernel=plain(read_text(root / "proc/sys/kernel/osrelease")) or platform.release(),
        os=_os_name(root),
        virtualisation=plain(virtualisation(root)),
        python=platform.python_version(),
        envelope=envelope(known) if known else None,
    )


def envelope(device: DeviceSpec) -> Envelope | None:
    """The published powers of a device, at rest and at the most; None where one is missing.

    The most is ``peak_w`` where that is above ``load_w``: inference keeps the wide units busy, as
    Linpack does, and draws more than what only keeps every core busy.
    """
    idle, load, peak = (_known_power(device, key) for key in ("idle_w", "load_w", "peak_w"))
    if idle is None or load is None:
        return None
    return Envelope(idle=idle, load=peak if peak is not None and peak.w > load.w else load)


def _known_power(device: DeviceSpec, key: str) -> KnownPower | None:
    fact = device.fact(key)
    if fact is None or isinstance(fact.value, str):
        return None
    return KnownPower(w=fact.value, source=fact.source, year=fact.year)


def match_keys(root: Path = ROOT) -> DeviceMatch:
    """What a descriptor's ``match`` is held against on this machine.

    Of the device tree's ``compatible`` only the first string names the board itself; the ones
    after it name what it is compatible with (Devicetree Specification, 2.3.1).
    """
    named = dmi(root)
    models = dict.fromkeys(name for cpu in cpuinfo(root).values() if (name := model(cpu)))
    return DeviceMatch(
        compatible=compatible(root)[:1] or raspberry_pi(root),
        dmi=(named,) if named else (),
        cpu_model=tuple(models),
    )


def recognise(devices: Sequence[DeviceSpec], root: Path = ROOT) -> DeviceSpec | None:
    """The descriptor of this machine: by its board first, by its CPU where no board fits."""
    keys = match_keys(root)
    for kind in ("compatible", "dmi", "cpu_model"):
        mine = set(getattr(keys, kind))
        for device in devices:
            if mine & set(getattr(device.match, kind)):
                return device
    return None


def _os_name(root: Path) -> str:
    for line in (read_text(root / "etc/os-release") or "").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return plain(value.strip('"')) or platform.system()
    return platform.system()


def _device_id(root: Path) -> str:
    """A hash of the machine-id: tells two boards of a kind apart, tells nobody who they are.

    Source: machine-id(5) asks applications to publish only a keyed hash of it.
    """
    sources = ("etc/machine-id", "var/lib/dbus/machine-id", "proc/device-tree/serial-number")
    texts = (read_text(root / name) for name in sources)
    # machine-id(5): an image that was never booted says "uninitialized", a container's is empty.
    found = next((text for text in texts if text and text != "uninitialized"), None)
    if found is None:  # a minimal container: all that is left is the kind of machine
        models = match_keys(root).cpu_model
        found = f"{board_of(root)}/{'+'.join(models)}/{memory_total_byte(root)}"
    return hashlib.sha256(f"edgebench:{found}".encode()).hexdigest()[:12]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "unknown"
