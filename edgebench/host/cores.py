"""CPUs by kind and speed: their model, real clock, features and caches."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from edgebench.host.cpu import (
    ROOT,
    online_cpus,
    read_int,
    read_text,
    speed_rank,
    subfolders,
    whole,
)
from edgebench.machine import CpuCluster

Cpu = dict[str, str]
"""What /proc/cpuinfo says of one CPU."""

_KHZ_PER_MHZ = 1000
_KIB = 1024
_ARMV8 = 8
_CPUS = "sys/devices/system/cpu"
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
    "0xd0e": "Cortex-A76AE",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
    "0xd4b": "Cortex-A78C",
    "0xd4c": "Cortex-X1C",
    "0xd4d": "Cortex-A715",
    "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2",
    "0xd80": "Cortex-A520",
    "0xd81": "Cortex-A720",
    "0xd82": "Cortex-X4",
    "0xd84": "Neoverse-V3",
    "0xd85": "Cortex-X925",
    "0xd87": "Cortex-A725",
    "0xd8e": "Neoverse-N3",
}
"""Arm main ID register, part numbers of implementer 0x41 (Linux arch/arm64 cputype.h)."""
_NVIDIA_PARTS = {"0x003": "Denver 2", "0x004": "Carmel"}
"""Implementer 0x4e (as above)."""
_CACHE_KINDS = {"Data": "d", "Instruction": "i", "Unified": ""}


def cpuinfo(root: Path = ROOT) -> dict[int, Cpu]:
    """The fields of /proc/cpuinfo by CPU number.

    Fields outside a CPU's block (``Hardware``, ``Model`` on Arm boards) are the number -1's.
    """
    cpus: dict[int, Cpu] = {}
    current = -1
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, colon, value = (part.strip() for part in line.partition(":"))
        if key == "processor" and (number := whole(value)) is not None and number >= 0:
            current = number
        elif not line.strip():
            current = -1
        if colon and key:
            cpus.setdefault(current, {}).setdefault(key, value)
    return cpus


def model(cpu: Cpu) -> str | None:
    """A CPU's name: on Arm by its part number, elsewhere as it names itself."""
    named = cpu.get("model name")
    if cpu.get("CPU implementer") == "0x41":
        return _ARM_PARTS.get(cpu.get("CPU part", "")) or named
    if cpu.get("CPU implementer") == "0x4e":
        return _NVIDIA_PARTS.get(cpu.get("CPU part", "")) or named
    return " ".join(named.split()) if named else None


def architecture(cpus: dict[int, Cpu], root: Path = ROOT) -> str | None:
    """The machine's architecture, as ``uname -m`` has it; None where no file tells.

    Source: Linux Documentation/admin-guide/sysctl/kernel.rst (``arch``, since 6.1); before that a
    CPU says so itself: ``CPU architecture`` on Arm, the flag ``lm`` (long mode) on x86.
    """
    if told := read_text(root / "proc/sys/kernel/arch"):
        return told
    for cpu in cpus.values():
        if (version := whole(cpu.get("CPU architecture"))) is not None:
            return "aarch64" if version >= _ARMV8 else f"armv{version}l"
        if "lm" in cpu.get("flags", "").split():
            return "x86_64"
    return None


def clusters(cpus: dict[int, Cpu], root: Path = ROOT) -> tuple[CpuCluster, ...]:
    """Online CPUs by model and speed, fastest first."""
    found: dict[tuple[int, str | None], list[int]] = {}
    for number in online_cpus(root):
        key = (speed_rank(number, root), model(cpus.get(number, {})))
        found.setdefault(key, []).append(number)
    return tuple(
        CpuCluster(
            model=name,
            cpus=len(members),
            max_mhz=max_mhz(members[0], root),
            features=features(cpus[n] for n in members if n in cpus),
        )
        for (_, name), members in sorted(found.items(), key=lambda item: -item[0][0])
    )


def features(cpus: Iterable[Cpu]) -> tuple[str, ...]:
    """Flags that every one of them has: a thread may be moved to any."""
    sets = [set(flags.split()) for c in cpus if (flags := c.get("flags") or c.get("Features"))]
    shared: Collection[str] = set.intersection(*sets) if sets else ()
    return tuple(feature for feature in _INFERENCE_FEATURES if feature in shared)


def max_mhz(cpu: int, root: Path = ROOT) -> float | None:
    """The clock that a CPU reaches at best, turbo included; None where nothing tells.

    cpufreq's ``cpuinfo_max_freq`` has it with every driver but acpi-cpufreq, whose figure may be
    without the boost; there, and where there is no cpufreq, ACPI's performance scale has it
    (``acpi_cppc``: ``nominal_freq`` in MHz stands for ``nominal_perf``).

    Source: Linux Documentation/admin-guide/pm/cpufreq.rst, acpi/cppc_sysfs.rst.
    """
    folder = root / _CPUS / f"cpu{cpu}"
    khz = read_int(folder / "cpufreq/cpuinfo_max_freq")
    told = khz / _KHZ_PER_MHZ if khz and khz > 0 else None
    boosted = read_int(root / _CPUS / "cpufreq/boost") == 1
    if told is None or (boosted and read_text(folder / "cpufreq/scaling_driver") == "acpi-cpufreq"):
        names = ("nominal_freq", "highest_perf", "nominal_perf")
        mhz, highest, nominal = (read_int(folder / "acpi_cppc" / name) for name in names)
        if mhz and highest and nominal and min(mhz, highest, nominal) > 0:
            return max(told or 0.0, mhz * highest / nominal)
    return told


def caches_byte(root: Path = ROOT) -> dict[str, int]:
    """Sizes of the fastest CPU's caches: ``L1d``, ``L1i``, ``L2``, ``L3``.

    Source: Linux Documentation/ABI/testing/sysfs-devices-system-cpu (``cache/index*``).
    """
    fastest = max(online_cpus(root), key=lambda cpu: speed_rank(cpu, root))
    found = {}
    for index in subfolders(root / _CPUS / f"cpu{fastest}/cache"):
        level, size = read_int(index / "level"), read_text(index / "size") or ""
        kind = _CACHE_KINDS.get(read_text(index / "type") or "")
        kib = whole(size[:-1]) if size.endswith("K") else None
        if level is not None and kind is not None and kib and 0 < kib < 1 << 32:
            found[f"L{level}{kind}"] = kib * _KIB
    return dict(sorted(found.items()))
