"""Every planted machine is taken for what it is: board, chip, CPUs, memory, limits, accelerators.

Prints each fact as it was identified beside the one that was planted, and exits with 1 where they
differ. At the end files are changed one by one: what was told before must then be told
differently, or the comparison could not fail. Needs edgebench alone; seconds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from verdict import Verdict

from edgebench import resources
from edgebench.codec import to_builtins
from edgebench.host.identify import identify
from edgebench.specs import DeviceSpec
from edgebench.testing import trees

MACHINES = 10
CPU = "sys/devices/system/cpu"
CHANGES = (
    ("device", "raspberry-pi-5", "proc/device-tree/compatible", "5-model-b", "500"),
    ("board", "n100", "sys/class/dmi/id/product_name", "MINI S", "MINI T"),
    ("soc", "rock-5b", "sys/firmware/devicetree/base/compatible", "rk3588", "rk3588s"),
    ("cpu_clusters", "rock-5b", f"{CPU}/cpufreq/policy4/cpuinfo_max_freq", "24", "22"),
    ("isa_features", "raspberry-pi-5", "proc/cpuinfo", "asimddp", ""),
    ("caches_byte", "raspberry-pi-4", f"{CPU}/cpu0/cache/index2/size", "1024K", "512K"),
    ("mem_total_byte", "coral-dev-board", "proc/meminfo", "MemTotal", "MemSome"),
    ("cpu_quota", "container-quota", "sys/fs/cgroup/cpu.max", "150000", "max"),
    ("mem_limit_byte", "container-quota", "sys/fs/cgroup/memory.max", "536870912", "max"),
    ("power_mode", "jetson-orin-nano", "var/lib/nvpmodel/status", "2", "0"),
    ("accelerators", "raspberry-pi-4", "sys/bus/usb/devices/2-1/idProduct", "9302", "4ee1"),
    ("virtualisation", "cloud-vm", "sys/class/dmi/id/product_name", "Compute", "Storage"),
)
"""A fact, a machine, the file that it stands in, and what of that to change into what."""


def main() -> int:
    """Plant and identify every machine, then every change."""
    verdict = Verdict()
    names = trees.names()
    verdict.check("machines", str(len(names)), f">= {MACHINES}", passed=len(names) >= MACHINES)
    devices = resources.open_devices()
    told = {name: _facts(name, devices) for name in names}
    for name in names:
        truth = trees.truth(name)
        for fact in trees.FACTS:
            is_many = isinstance(told[name][fact], (list, tuple, dict))
            planted = truth.get(fact, type(told[name][fact])() if is_many else None)
            figure, limit = _words(told[name][fact]), _words(planted)
            verdict.check(f"{name}: {fact}", figure, limit, passed=figure == limit)
        strange = sorted(set(truth) - set(trees.FACTS))
        verdict.check(f"{name}: planted, not asked", _words(strange), "none", passed=not strange)
    for fact, name, *change in CHANGES:
        figure = _words(_facts(name, devices, *change)[fact])
        before = _words(told[name][fact])
        verdict.check(f"{name}: changed {fact}", figure, f"not {before}", passed=figure != before)
    return verdict.exit_code


def _facts(
    name: str, devices: Sequence[DeviceSpec], file: str = "", old: str = "", new: str = ""
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = trees.plant(name, Path(folder))
        if file:
            (root / file).write_text((root / file).read_text().replace(old, new))
        facts: dict[str, Any] = to_builtins(identify(devices=devices, root=root))
    return facts


def _words(value: object) -> str:
    """What a struct leaves at None and a tree's truth leaves out reads alike."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value)) or "none"
    if isinstance(value, dict):
        told = {key: one for key, one in value.items() if one not in (None, (), [])}
        return " ".join(f"{key}={_words(one)}" for key, one in sorted(told.items())) or "none"
    return "not told" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
