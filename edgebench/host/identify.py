"""What this machine is, from a folder of /proc and /sys files; no host or user name leaves it."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from edgebench.host.cpu import (
    ROOT,
    cgroup_cpu_quota,
    online_cpus,
    read_int,
    read_text,
    speed_rank,
    usable_cpus,
)
from edgebench.host.environment import memory_limit_byte, memory_total_byte
from edgebench.host.virtual import virtualisation
from edgebench.machine import CpuCluster, DeviceFacts, Envelope, KnownPower
from edgebench.specs import DeviceMatch, DeviceSpec

_KHZ_PER_MHZ = 1000
_INFERENCE_FEATURES = (
    *("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2", "sme", "neon", "vfpv4"),
)
"""CPU flags that decide how fast convolutions run; names as /proc/cpuinfo spells them."""
_ARM_PARTS = {
    "0xc07": "Cortex-A7",
    "0xc0f": "Cortex-A15",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
    "0xd4d": "Cortex-A715",
    "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2",
    "0xd80": "Cortex-A520",
    "0xd81": "Cortex-A720",
}
"""Arm main ID register, part numbers of implementer 0x41 (Linux arch/arm64 cputype.h)."""
_NVIDIA_PARTS = {"0x003": "Denver 2", "0x004": "Carmel"}
"""Implementer 0x4e (as above)."""
_DMI_FILLERS = {
    *("to be filled by o.e.m.", "system manufacturer", "system product name", "default"),
    *("default string", "not applicable", "not specified", "none", "o.e.m."),
}

_Cpu = dict[str, str]
"""What /proc/cpuinfo says of one CPU."""


def identify(
    *, device_name: str | None = None, devices: Sequence[DeviceSpec] = (), root: Path = ROOT
) -> DeviceFacts:
    """The facts of this machine.

    Args:
        device_name: Given by the user: tells one unit of a kind from another.
        devices: Descriptors to recognise the board by.
        root: Stands for ``/``.
    """
    cpus = _cpuinfo(root)
    board = _board(root)
    clusters = _clusters(cpus, root)
    model = " + ".join(dict.fromkeys(c.model for c in clusters if c.model)) or None
    known = recognise(devices, root)
    return DeviceFacts(
        device=known.name if known else _slug(board or model or platform.machine()),
        device_id=_slug(device_name) if device_name else _device_id(root),
        board=board,
        cpu_model=model,
        architecture=platform.machine(),
        cpus_online=len(online_cpus(root)),
        cpus_usable=usable_cpus(root),
        cpu_quota=cgroup_cpu_quota(root),
        cpu_clusters=clusters,
        isa_features=_features(cpus),
        mem_total_byte=memory_total_byte(root),
        mem_limit_byte=memory_limit_byte(root),
        kernel=read_text(root / "proc/sys/kernel/osrelease") or platform.release(),
        os=_os_name(root),
        virtualisation=virtualisation(root),
        python=platform.python_version(),
        envelope=envelope(known) if known else None,
    )


def envelope(device: DeviceSpec) -> Envelope | None:
    """``idle_w`` and ``load_w`` of a descriptor, with who says so; None where one is missing."""
    idle, load = (
        KnownPower(w=fact.value, source=fact.source, year=fact.year)
        if (fact := device.fact(key)) is not None and not isinstance(fact.value, str)
        else None
        for key in ("idle_w", "load_w")
    )
    return Envelope(idle=idle, load=load) if idle is not None and load is not None else None


def match_keys(root: Path = ROOT) -> DeviceMatch:
    """What a descriptor's ``match`` is held against on this machine.

    Of the device tree's ``compatible`` only the first string names the board itself; the ones
    after it name what it is compatible with (Devicetree Specification, 2.3.1).
    """
    compatible = (_device_tree(root, "compatible") or "").split("\0")[0]
    dmi = _dmi(root)
    models = dict.fromkeys(m for cpu in _cpuinfo(root).values() if (m := _model(cpu)))
    return DeviceMatch(
        compatible=(compatible,) if compatible else (),
        dmi=(dmi,) if dmi else (),
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


def _cpuinfo(root: Path) -> dict[int, _Cpu]:
    """The fields of /proc/cpuinfo by CPU number.

    Fields outside a CPU's block (``Hardware``, ``Model`` on Arm boards) are the number -1's.
    """
    cpus: dict[int, _Cpu] = {}
    current = -1
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, colon, value = (part.strip() for part in line.partition(":"))
        if key == "processor" and value.isdigit():
            current = int(value)
        elif not line.strip():
            current = -1
        if colon and key:
            cpus.setdefault(current, {}).setdefault(key, value)
    return cpus


def _model(cpu: _Cpu) -> str | None:
    named = cpu.get("model name")
    if cpu.get("CPU implementer") == "0x41":
        return _ARM_PARTS.get(cpu.get("CPU part", "")) or named
    if cpu.get("CPU implementer") == "0x4e":
        return _NVIDIA_PARTS.get(cpu.get("CPU part", "")) or named
    return " ".join(named.split()) if named else None


def _clusters(cpus: dict[int, _Cpu], root: Path) -> tuple[CpuCluster, ...]:
    """Online CPUs by model and speed, fastest first."""
    found: dict[tuple[int, str | None], list[int]] = {}
    for number in online_cpus(root):
        key = (speed_rank(number, root), _model(cpus.get(number, {})))
        found.setdefault(key, []).append(number)
    clusters = []
    for (_, model), members in sorted(found.items(), key=lambda item: -item[0][0]):
        top = f"sys/devices/system/cpu/cpu{members[0]}/cpufreq/cpuinfo_max_freq"
        khz = read_int(root / top)
        mhz = khz / _KHZ_PER_MHZ if khz else None
        clusters.append(CpuCluster(model=model, cpus=len(members), max_mhz=mhz))
    return tuple(clusters)


def _device_tree(root: Path, name: str) -> str | None:
    """A property of the device tree's root node."""
    places = ("proc/device-tree", "sys/firmware/devicetree/base")
    return next((text for place in places if (text := read_text(root / place / name))), None)


def _board(root: Path) -> str | None:
    """The board by device tree, by /proc/cpuinfo (Raspberry Pi, in a container) or by DMI."""
    return _device_tree(root, "model") or _cpuinfo(root).get(-1, {}).get("Model") or _dmi(root)


def _dmi(root: Path) -> str | None:
    """Vendor and product by DMI; None where the maker filled in nothing."""
    folder = root / "sys/class/dmi/id"
    parts = [read_text(folder / name) for name in ("sys_vendor", "product_name")]
    return " ".join(p for p in parts if p and p.lower() not in _DMI_FILLERS) or None


def _features(cpus: dict[int, _Cpu]) -> tuple[str, ...]:
    """Flags that every CPU has: a thread may be moved to any of them."""
    sets = [
        set(flags.split()) for c in cpus.values() if (flags := c.get("flags") or c.get("Features"))
    ]
    shared = set.intersection(*sets) if sets else set()
    return tuple(feature for feature in _INFERENCE_FEATURES if feature in shared)


def _os_name(root: Path) -> str:
    for line in (read_text(root / "etc/os-release") or "").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip('"')
    return platform.system()


def _device_id(root: Path) -> str:
    """A hash of the machine-id: tells two boards of a kind apart, tells nobody who they are.

    Source: machine-id(5) asks applications to publish only a keyed hash of it.
    """
    sources = ("etc/machine-id", "var/lib/dbus/machine-id", "proc/device-tree/serial-number")
    found = next((text for name in sources if (text := read_text(root / name))), None)
    if found is None:  # a minimal container: all that is left is the kind of machine
        models = match_keys(root).cpu_model
        found = f"{_board(root)}/{'+'.join(models)}/{memory_total_byte(root)}"
    return hashlib.sha256(f"edgebench:{found}".encode()).hexdigest()[:12]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "unknown"
