"""Which board this is, by device tree or DMI, its chip, and the power mode that it runs in."""

from __future__ import annotations

from pathlib import Path

from edgebench.host.cores import cpuinfo
from edgebench.host.cpu import ROOT, plain, read_text, subfolders
from edgebench.host.knobs import jetson_modes

_DMI_FILLERS = {
    *("to be filled by o.e.m.", "system manufacturer", "system product name", "default"),
    *("default string", "not applicable", "not specified", "none", "o.e.m."),
}
_NEW_STYLE_BIT = 23
_PI_TYPES = {
    0x0D: "3-model-b-plus",
    0x11: "4-model-b",
    0x12: "model-zero-2-w",
    0x13: "400",
    0x14: "4-compute-module",
    0x17: "5-model-b",
    0x18: "5-compute-module",
    0x19: "500",
    0x1A: "5-compute-module",  # without eMMC
}
"""Names of their device trees (Linux arch/arm/boot/dts/broadcom, arch/arm64/boot/dts/broadcom)."""


def compatible(root: Path = ROOT) -> tuple[str, ...]:
    """The device tree's ``compatible``: the board first, its chip last; empty without a tree.

    Source: Devicetree Specification, 2.3.1: from the most specific to the most general.
    """
    told = _device_tree(root, "compatible") or ""
    return tuple(name for part in told.split("\0") if (name := plain(part)))


def board(root: Path = ROOT) -> str | None:
    """The board by device tree, by /proc/cpuinfo (Raspberry Pi, in a container) or by DMI."""
    told = _device_tree(root, "model") or cpuinfo(root).get(-1, {}).get("Model")
    return plain(told) or dmi(root) or _dmi_of(root, "board_vendor", "board_name")


def raspberry_pi(root: Path = ROOT) -> tuple[str, ...]:
    """What the device tree of a Raspberry Pi would say, by the revision in /proc/cpuinfo.

    Container engines hide /sys/firmware, and the device tree with it; other boards then are known
    by their CPUs alone. Empty for boards that the table does not have.

    Source: Raspberry Pi documentation, "Raspberry Pi revision codes" (bits 4 to 11: the type).
    """
    told = cpuinfo(root).get(-1, {})
    try:
        code = int(told.get("Revision", ""), 16)
    except ValueError:
        return ()
    name = _PI_TYPES.get(code >> 4 & 0xFF) if code >> _NEW_STYLE_BIT & 1 else None
    named = name is not None and told.get("Model", "").startswith("Raspberry Pi")
    return (f"raspberrypi,{name}",) if named else ()


def dmi(root: Path = ROOT) -> str | None:
    """Vendor and product by DMI; None where the maker filled in nothing."""
    return _dmi_of(root, "sys_vendor", "product_name")


def soc(root: Path = ROOT) -> str | None:
    """The chip as the device tree names it, else as the kernel's soc bus does.

    Source: Linux Documentation/ABI/testing/sysfs-devices-soc. Its ``soc_id`` is often a mere
    number (Tegra234 is 35), which is why the device tree is asked first.
    """
    if names := compatible(root)[1:]:
        return names[-1]
    for folder in subfolders(root / "sys/bus/soc/devices"):
        parts = [plain(read_text(folder / name)) for name in ("family", "soc_id")]
        if told := " ".join(part for part in parts if part):
            return told
    return None


def power_mode(root: Path = ROOT) -> str | None:
    """The power budget that the device runs in, by the name its maker or the kernel gives it.

    A Jetson's mode of nvpmodel, else the firmware's profile and the CPU's preference between
    energy and performance: ``balanced (firmware), balance_power (CPU)`` where there are both.

    Source: NVIDIA Jetson Linux Developer Guide (nvpmodel); Linux Documentation/ABI/testing/
    sysfs-platform_profile, admin-guide/pm/intel_pstate.rst (``energy_performance_preference``).
    """
    if jetson := jetson_modes(root)[0]:
        return jetson.name
    profile = plain(read_text(root / "sys/firmware/acpi/platform_profile"))
    policies = subfolders(root / "sys/devices/system/cpu/cpufreq")
    names = (plain(read_text(p / "energy_performance_preference")) for p in policies)
    preference = " and ".join(dict.fromkeys(name for name in names if name)) or None
    if profile and preference:
        return f"{profile} (firmware), {preference} (CPU)"
    return profile or preference


def _device_tree(root: Path, name: str) -> str | None:
    """A property of the device tree's root node."""
    places = ("proc/device-tree", "sys/firmware/devicetree/base")
    return next((text for place in places if (text := read_text(root / place / name))), None)


def _dmi_of(root: Path, *names: str) -> str | None:
    parts = [plain(read_text(root / "sys/class/dmi/id" / name)) for name in names]
    return " ".join(p for p in parts if p and p.lower() not in _DMI_FILLERS) or None
