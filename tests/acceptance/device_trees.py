"""Every planted machine is taken for what it is: board, chip, CPUs, memory, limits, accelerators.

Prints each fact as it was identified beside the one that was planted, one line a machine more
for how much was compared, and exits with 1 where they differ. Needs edgebench alone; seconds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from verdict import Verdict

from edgebench import resources
from edgebench.codec import to_builtins
from edgebench.host.identify import identify
from edgebench.testing import trees

FACTS = (
    *("device", "board", "soc", "architecture", "cpu_model", "cpus_online", "cpu_quota"),
    *("cpu_clusters", "isa_features", "caches_byte", "mem_total_byte", "mem_limit_byte"),
    *("power_mode", "accelerators", "virtualisation"),
)
"""What a tree's truth may tell; what it does not tell must not be found either."""
MACHINES = 10


def main() -> int:
    """Plant and identify every machine."""
    verdict = Verdict()
    names = trees.names()
    verdict.check("machines", str(len(names)), f">= {MACHINES}", passed=len(names) >= MACHINES)
    devices = resources.open_devices()
    for name in names:
        truth = trees.truth(name)
        with tempfile.TemporaryDirectory() as folder:
            facts = to_builtins(identify(devices=devices, root=trees.plant(name, Path(folder))))
        for fact in FACTS:
            nothing = type(facts[fact])() if isinstance(facts[fact], (list, tuple, dict)) else None
            planted = truth.get(fact, nothing)
            verdict.check(
                f"{name}: {fact}",
                _words(facts[fact]),
                _words(planted),
                passed=_plain(facts[fact]) == _plain(planted),
            )
        strange = sorted(set(truth) - set(FACTS))
        verdict.check(f"{name}: planted, not asked", _words(strange), "none", passed=not strange)
    return verdict.exit_code


def _plain(value: object) -> object:
    """As JSON has it; what a struct leaves at None and the truth leaves out is the same."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one not in (None, (), [])}
    return value


def _words(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value)) or "none"
    if isinstance(value, dict):
        told = {key: one for key, one in value.items() if one not in (None, (), [])}
        return " ".join(f"{key}={_words(one)}" for key, one in told.items()) or "none"
    return "not told" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
