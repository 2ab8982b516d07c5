"""What known hwmon chips measure: which of them hold a whole device, and which hold each other.

Names are those of the kernel's drivers (https://docs.kernel.org/hwmon/). A chip that is not known
is a part of the device of which nobody told what it feeds.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from edgebench.metering import Tier


class Chip(NamedTuple):
    """What a kind of chip measures."""

    name: str
    """A regular expression for the hwmon's ``name``."""
    tier: Tier
    covers: tuple[str, ...]
    """Empty where nobody can tell: an SFP module's ``power1`` is its light."""
    excludes: tuple[str, ...]
    outer: str = ""
    """A regular expression for the label of the sensor that holds the chip's others; empty where
    they lie side by side."""
    rank: int = 2
    """0 what feeds the whole module or device, 1 one of its rails, 2 what a chip says of itself:
    whatever has a lower rank may hold it, so only the lowest that is there is counted."""
    nested: bool = False
    """Whether another chip of the same driver holds it."""
    board: str = ""
    """A regular expression for the device tree's ``compatible``: on others it says nothing."""


_NOT_AMDGPU = ("processor, unless it is one chip with the GPU (APU)", "rest of the device")
"""Linux drivers/gpu/drm/amd/pm/amdgpu_pm.c: "on APUs this includes the CPU"."""
_NOT_GPU = ("processor outside of the graphics chip", "rest of the device")
_NOT_CPU = ("memory modules", "rest of the device")
_NOT_RAIL = ("everything that this rail does not feed",)
_NOT_AC = ("losses of the power supply",)

CHIPS = (
    # KV260, KR260, KD240: the module's 5 V behind the carrier's regulator (AMD UG1089).
    Chip(
        name="ina260_u14",
        tier="board_measured",
        covers=("module",),
        excludes=("carrier board", "fan", "losses of the power supply"),
        rank=0,
        board=r"xlnx,zynqmp-(sk|smk)-",
    ),
    Chip("power_meter", "board_measured", ("device",), (), rank=0),  # ACPI's
    Chip("corsairpsu", "board_measured", ("device",), _NOT_AC, "power total", rank=0),
    Chip("amdgpu", "partial_measured", ("gpu",), _NOT_AMDGPU),
    Chip("i915_gt[0-9]+", "partial_measured", ("gpu",), _NOT_GPU, nested=True),
    Chip("i915", "partial_measured", ("gpu",), _NOT_GPU),
    Chip("xe", "partial_measured", ("gpu",), _NOT_GPU, "card"),
    Chip("amd_energy", "partial_measured", ("cpu",), _NOT_CPU, "Esocket[0-9]+"),
    Chip("fam15h_power", "partial_measured", ("cpu",), _NOT_CPU),
    Chip("zenpower", "partial_measured", ("cpu",), _NOT_CPU),
    Chip(
        name=r"(ina[0-9]+|ltc[0-9]+|pac19[0-9]+|isl28022|sy24655|sq52206|tsc1641)(_.*)?",
        tier="partial_measured",
        covers=("soc",),  # soldered in or chosen by whoever wants to know what the board draws
        excludes=_NOT_RAIL,
        rank=1,
    ),
)
UNKNOWN = Chip("", "partial_measured", (), ("whatever this chip does not see",))


def chip_of(name: str, compatible: str) -> Chip:
    """What a chip measures on a board; `UNKNOWN` where nobody told."""
    for chip in CHIPS:
        if re.fullmatch(chip.name, name) and re.search(chip.board, compatible):
            return chip
    return UNKNOWN
