"""Whether this is a container or a virtual machine, as far as one can see from inside."""

from __future__ import annotations

from pathlib import Path

from edgebench.host.cpu import ROOT, read_text

_CONTAINERS = ("docker", "kubepods", "libpod", "lxc", "containerd", "garden")
"""Parts of a cgroup's path that container engines leave there."""
_HYPERVISORS = {
    "qemu": "QEMU",
    "kvm": "KVM",
    "vmware": "VMware",
    "virtualbox": "VirtualBox",
    "virtual machine": "Hyper-V",
    "google compute engine": "Google Compute Engine",
    "hvm domu": "Xen",
    "parallels": "Parallels",
    "openstack": "OpenStack",
    "droplet": "DigitalOcean",
    "bhyve": "bhyve",
    "apple virtualization": "Apple Virtualization",
}
"""What DMI calls virtual machines: part of vendor or product, lower case. A cloud's name alone
is none: its bare-metal machines carry it too."""


def virtualisation(root: Path = ROOT) -> str | None:
    """``container (docker)``, ``vm (QEMU)``, ``container (docker) in vm (QEMU)``, or None.

    None means bare metal or a machine that hides it; nothing more can be said from inside.
    """
    parts = []
    if (engine := _container(root)) is not None:
        parts.append(f"container ({engine})")
    if (hypervisor := _hypervisor(root)) is not None:
        parts.append(f"vm ({hypervisor or 'unknown hypervisor'})")
    return " in ".join(parts) or None


def _container(root: Path) -> str | None:
    """The engine's name; None outside of containers."""
    named = read_text(root / "run/systemd/container")  # systemd's Container Interface
    if named:
        return named
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    paths = (read_text(root / "proc/self/cgroup") or "").lower()
    return next((word for word in _CONTAINERS if word in paths), None)


def _hypervisor(root: Path) -> str | None:
    """Its name, empty where only the CPU flag tells of one, None on bare metal."""
    dmi = root / "sys/class/dmi/id"
    texts = [read_text(dmi / name) or "" for name in ("sys_vendor", "product_name")]
    told = " ".join(texts).lower()
    for words, name in _HYPERVISORS.items():
        if words in told:
            return name
    tree = read_text(root / "proc/device-tree/hypervisor/compatible")
    if tree:
        return tree.partition("\0")[0]
    kind = read_text(root / "sys/hypervisor/type")
    flags = _flags(root)
    if "hypervisor" in flags:  # x86: CPUID leaf 1, ECX bit 31
        return kind or texts[0]
    return kind


def _flags(root: Path) -> set[str]:
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return set(value.split())
    return set()
