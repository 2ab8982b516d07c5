"""What hardware and firmware tell of having slowed the device down: counters and bits.

Intel and AMD count in ``thermal_throttle`` (Linux arch/x86/kernel/cpu/mce/therm_throt.c), Jetson
Orin in the ``oc*_event_cnt`` of its hwmon device ``soctherm_oc`` (NVIDIA Jetson Linux Developer
Guide, "Platform Power and Performance"); all world-readable. A Raspberry Pi's firmware is asked by
its mailbox (root or group ``video``), as ``vcgencmd get_throttled`` does, which clears no bit; else
the kernel's copy of its last answer is read (Raspberry Pi's kernel only).
"""

from __future__ import annotations

from pathlib import Path

from edgebench import vcio
from edgebench.host.cpu import ROOT, read_int, read_text
from edgebench.machine import THROTTLE_BITS


def throttle_bits(root: Path = ROOT) -> int | None:
    """What a Raspberry Pi's firmware says of throttling; None on any other device."""
    asked = parse_throttled(vcio.told(root, "get_throttled"))
    if asked is not None:
        return asked
    for path in sorted((root / "sys/devices/platform").glob("soc*/soc*:firmware/get_throttled")):
        bits = parse_throttled(read_text(path) or "")
        if bits is not None:
            return bits
    return None


def parse_throttled(text: str) -> int | None:
    """Bits from ``50005`` (the kernel's file) or ``throttled=0x50005`` (vcgencmd); else None."""
    try:
        bits = int(text.strip().removeprefix("throttled="), 16)
    except ValueError:
        return None
    return bits if 0 <= bits < 1 << 32 else None


def words_now(bits: int | None) -> tuple[str, ...]:
    """What holds the device back at this moment, in words."""
    return tuple(
        words for bit, words in THROTTLE_BITS.items() if bits is not None and bits >> bit & 1
    )


def counter_files(root: Path = ROOT) -> dict[str, tuple[Path, ...]]:
    """Files whose numbers add up to each of `throttle_counts`; hyper-threads share a core's."""
    cores: dict[tuple[int | None, int | str], Path] = {}
    packages: dict[int | None, Path] = {}
    for folder in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")):
        package = read_int(folder.parent / "topology/physical_package_id")
        core = read_int(folder.parent / "topology/core_id")
        # Where the topology is not told, each CPU counts as a core of its own.
        alone = folder.parent.name if core is None else core
        cores.setdefault((package, alone), folder / "core_throttle_count")
        packages.setdefault(package, folder / "package_throttle_count")
    found = {"core": tuple(cores.values()), "package": tuple(packages.values())}
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if read_text(folder / "name") == "soctherm_oc":
            for path in sorted(folder.glob("oc[0-9]_event_cnt")):
                number = path.name.partition("_")[0]
                if read_int(folder / f"{number}_throt_en") != 0:  # else it only counts
                    found[number] = (path,)
    return {name: paths for name, paths in found.items() if paths}


def throttle_counts(root: Path = ROOT) -> dict[str, int]:
    """How often since boot each thing slowed the hardware down; none: nothing tells."""
    return read_counts(counter_files(root))


def read_counts(files: dict[str, tuple[Path, ...]]) -> dict[str, int]:
    """The sums of those files now; what cannot be read is left out."""
    found = {}
    for name, paths in files.items():
        told = [value for path in paths if (value := read_int(path)) is not None]
        if told:
            found[name] = sum(told)
    return found
