"""What this machine is, from a folder of /proc and /sys files; no host or user name leaves it."""

from __future__ import annotations

import hashlib
import platform
import re
from pathlib import Path

from edgebench.host.cpu import ROOT, online_cpus, read_text, usable_cpus
from edgebench.host.environment import memory_limit_byte, memory_total_byte
from edgebench.records import DeviceFacts

_INFERENCE_FEATURES = (
    *("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimddp", "asimdhp", "fphp", "i8mm", "bf16", "sve", "sve2", "sme", "neon", "vfpv4"),
)
"""CPU flags that decide how fast convolutions run; names as /proc/cpuinfo spells them."""
_ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd40": "Neoverse-V1",
    "0xd49": "Neoverse-N2",
}
"""Arm main ID register, part numbers of implementer 0x41 (Arm's Technical Reference Manuals)."""


def identify(*, device_name: str | None = None, root: Path = ROOT) -> DeviceFacts:
    """The facts of this machine.

    Args:
        device_name: Given by the user; then the device_id too.
        root: Stands for ``/``.
    """
    cpu = _cpuinfo(root)
    board = _board(root)
    model = _cpu_model(cpu)
    return DeviceFacts(
        device=_slug(device_name or board or model or platform.machine()),
        device_id=_slug(device_name) if device_name else _device_id(root),
        board=board,
        cpu_model=model,
        architecture=platform.machine(),
        cpus_online=len(online_cpus(root)),
        cpus_usable=usable_cpus(root),
        isa_features=_features(cpu),
        mem_total_byte=memory_total_byte(root),
        mem_limit_byte=memory_limit_byte(root),
        kernel=platform.release(),
        os=_os_name(root),
        virtualisation=_virtualisation(cpu, root),
        python=platform.python_version(),
    )


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first value of each field of /proc/cpuinfo."""
    fields: dict[str, str] = {}
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def _cpu_model(cpu: dict[str, str]) -> str | None:
    named = cpu.get("model name")
    if named:
        return " ".join(named.split())
    if cpu.get("CPU implementer") == "0x41":
        return _ARM_PARTS.get(cpu.get("CPU part", ""))
    return cpu.get("Hardware") or None


def _board(root: Path) -> str | None:
    """The board by device tree (``model``) or DMI (vendor and product); None in most VMs."""
    model = read_text(root / "proc/device-tree/model")
    if model:
        return model
    dmi = root / "sys/class/dmi/id"
    parts = [read_text(dmi / name) for name in ("sys_vendor", "product_name")]
    useful = [part for part in parts if part and part.lower() not in _DMI_FILLERS]
    return " ".join(useful) or None


_DMI_FILLERS = {"to be filled by o.e.m.", "system manufacturer", "system product name", "default"}


def _features(cpu: dict[str, str]) -> tuple[str, ...]:
    flags = set((cpu.get("flags") or cpu.get("Features") or "").split())
    return tuple(feature for feature in _INFERENCE_FEATURES if feature in flags)


def _virtualisation(cpu: dict[str, str], root: Path) -> str | None:
    """``container``, the hypervisor's name, or None on bare metal (as far as one can see)."""
    inside = [(root / name).exists() for name in (".dockerenv", "run/.containerenv")]
    if any(inside):
        return "container"
    if "hypervisor" in (cpu.get("flags") or "").split():
        kind = read_text(root / "sys/hypervisor/type")
        vendor = read_text(root / "sys/class/dmi/id/sys_vendor")
        return f"vm ({kind or vendor or 'unknown hypervisor'})"
    return None


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
        cpu = _cpuinfo(root)
        found = f"{_board(root)}/{_cpu_model(cpu)}/{memory_total_byte(root)}"
    return hashlib.sha256(f"edgebench:{found}".encode()).hexdigest()[:12]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "unknown"
