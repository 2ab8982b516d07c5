"""The meters of `meter_trees.py`: planted machine, what its sensors say, what it must find.

A new meter is a row here. Values are functions of seconds; energies are their integrals, written
down by hand and not computed from what the meter read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

Signal = Callable[[float], float]
"""What a sensor file says after so many seconds, before it is rounded to a whole number."""
SECONDS = 40.0
WRAP_UJ = 262_143_328_850
HWMON = "sys/class/hwmon/hwmon9"
SUPPLY = "sys/class/power_supply"
RAPL = "sys/devices/virtual/powercap"
PMU = "sys/bus/event_source/devices/power"
USB_C = f"{SUPPLY}/tcpm-source-psy-4-0022/online"
"""A ROCK 5B's plug, which is in as the tree stands."""
NATIVE_HWMON = ("container-quota",)
"""Trees whose processor tells its own power."""
ORIN = "sys/bus/i2c/devices/1-0040/hwmon/hwmon1"
NANO = "sys/bus/i2c/devices/6-0040/iio:device0"


class Moved(NamedTuple):
    """A sensor file and the channel that it feeds."""

    path: str
    channel: str
    signal: Signal
    signed: bool = False
    """Whether drivers write it with either sign: a negative one then is no fault."""


class Row(NamedTuple):
    """One meter in one planted machine."""

    meter: str
    tree: str
    """Of `edgebench.testing.trees`."""
    moved: tuple[Moved, ...]
    energy_j: Mapping[str, float]
    """Of its counted channels, over `SECONDS`: no other channel may be counted."""
    planted: Mapping[str, str | int] = {}
    """Files that the tree does not have."""
    limited: str = ""
    """What the probe must say where the user may read none of the moved files."""


def swinging(low_w: float, high_w: float, period_s: float = 5.0) -> tuple[Signal, float]:
    """Power in W that swings between two values, and its energy in J over whole periods."""
    mean, half = (low_w + high_w) / 2, (high_w - low_w) / 2
    return lambda t_s: mean + half * math.sin(2 * math.pi * t_s / period_s), mean * SECONDS


def counting(watts: float, start_uj: int = 0, wrap_uj: int = WRAP_UJ) -> Signal:
    """A counter in uJ that begins again at its range."""
    return lambda t_s: (start_uj + round(watts * t_s * 1e6)) % wrap_uj


def scaled(signal: Signal, factor: float) -> Signal:
    """The same in another unit."""
    return lambda t_s: signal(t_s) * factor


def _rail(tree: str) -> Row:
    """A shunt monitor of which every board may have one."""
    power_w, energy_j = swinging(2.0, 5.0)
    return Row(
        meter="hwmon",
        tree=tree,
        moved=(Moved(f"{HWMON}/power1_input", "ina226/power1", scaled(power_w, 1e6)),),
        energy_j={"ina226/power1": energy_j},
        planted={f"{HWMON}/name": "ina226", f"{HWMON}/power1_input": 2_000_000},
        limited="only root may read it" if tree not in NATIVE_HWMON else "",
    )


def _battery(tree: str) -> Row:
    """A battery that every board may have; its gauge tells the power and what is left."""
    power_w, energy_j = swinging(3.0, 9.0)
    left = f"{SUPPLY}/BAT0"
    return Row(
        meter="battery",
        tree=tree,
        moved=(
            Moved(f"{left}/power_now", "BAT0", scaled(power_w, 1e6), signed=True),
            Moved(f"{left}/energy_now", "BAT0/drawn", lambda t_s: 40e6 - 6 * t_s / 3600 * 1e6),
        ),
        energy_j={"BAT0": energy_j},
        planted={
            f"{left}/type": "Battery",
            f"{left}/status": "Discharging",
            f"{left}/power_now": 6_000_000,
            f"{left}/energy_now": 40_000_000,
            **({USB_C: 0} if tree == "rock-5b" else {}),
        },
        limited="the battery tells neither",
    )


_N100 = f"{RAPL}/intel-rapl/intel-rapl:0"
_PACKAGE_UJ = counting(6.0, WRAP_UJ - 60_000_000)
_IN_W, _IN_J = swinging(3.0, 7.0)

TREES = (
    "cloud-vm",
    "container-quota",
    "coral-dev-board",
    "jetson-nano",
    "jetson-orin-nano",
    "n100",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "raspberry-pi-zero-2-w",
    "rock-5b",
)
NATIVE: Mapping[str, tuple[str, ...]] = {
    "container-quota": ("hwmon",),
    "jetson-nano": ("jetson",),
    "jetson-orin-nano": ("jetson",),
    "n100": ("rapl",),
}
"""Meters that a tree has as it stands; all others must say why not. A Pi 5's PMIC and perf events
answer calls, which no file does."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "cloud-vm": {"rapl": "virtual machine", "rapl-perf": "virtual machine", "hwmon": "virtual"},
    "container-quota": {"rapl": "masked", "battery": "no battery"},
    "jetson-orin-nano": {"hwmon": "the meter jetson", "rapl": "no x86"},
    "raspberry-pi-4": {"hwmon": "--power-csv"},
}
"""Part of what meters must say for want of a sensor."""

ROWS = (
    # The package begins again after 10 s; the same registers by MMIO and the cores are not added.
    Row(
        meter="rapl",
        tree="n100",
        moved=(
            Moved(f"{_N100}/energy_uj", "package-0", _PACKAGE_UJ),
            Moved(f"{_N100}/intel-rapl:0:0/energy_uj", "package-0/core", counting(4.0, 5)),
            Moved(f"{RAPL}/intel-rapl-mmio/intel-rapl-mmio:0/energy_uj", "", _PACKAGE_UJ),
        ),
        energy_j={"package-0": 6.0 * SECONDS},
        limited="only root may read energy_uj",
    ),
    # Rails of a Jetson by JetPack 6 (mV x mA) and 4 (mW): the input holds the others.
    Row(
        meter="jetson",
        tree="jetson-orin-nano",
        moved=(
            Moved(f"{ORIN}/curr1_input", "VDD_IN", lambda t_s: _IN_W(t_s) / 5 * 1e3),
            Moved(f"{ORIN}/in1_input", "VDD_IN", lambda _: 5000),
            Moved(f"{ORIN}/curr2_input", "VDD_CPU_GPU_CV", lambda t_s: 100 + 10 * t_s),
        ),
        energy_j={"VDD_IN": _IN_J},
        limited="may not be read",
    ),
    Row(
        meter="jetson",
        tree="jetson-nano",
        moved=(
            Moved(f"{NANO}/in_power0_input", "POM_5V_IN", scaled(_IN_W, 1e3)),
            Moved(f"{NANO}/in_power1_input", "POM_5V_GPU", lambda t_s: 100 + 10 * t_s),
        ),
        energy_j={"POM_5V_IN": _IN_J},
        limited="may not be read",
    ),
    # An INA3221 that is no Jetson's: voltage times current, and never its sums.
    Row(
        meter="hwmon",
        tree="rock-5b",
        moved=(
            Moved(f"{HWMON}/curr1_input", "ina3221/VDD_5V0", lambda t_s: _IN_W(t_s) / 5 * 1e3),
            Moved(f"{HWMON}/curr4_input", "", lambda t_s: 2 * _IN_W(t_s) / 5 * 1e3),
        ),
        energy_j={"ina3221/VDD_5V0": _IN_J, "ina3221/VDD_3V3": 3.3 * 0.2 * SECONDS},
        planted={
            f"{HWMON}/name": "ina3221",
            f"{HWMON}/in1_label": "VDD_5V0",
            f"{HWMON}/in1_input": 5000,
            f"{HWMON}/curr1_input": 1000,
            f"{HWMON}/in2_label": "VDD_3V3",
            f"{HWMON}/in2_input": 3300,
            f"{HWMON}/curr2_input": 200,
            f"{HWMON}/curr4_input": 1200,
            f"{HWMON}/in7_input": 6000,
            f"{HWMON}/in7_label": "sum of shunt voltages",
        },
    ),
    # A KV260's INA260 is the module's input: the rail beside it lies behind it.
    Row(
        meter="hwmon",
        tree="coral-dev-board",
        moved=(Moved(f"{HWMON}/power1_input", "ina260_u14/power1", scaled(_IN_W, 1e6)),),
        energy_j={"ina260_u14/power1": _IN_J},
        planted={
            "proc/device-tree/compatible": "xlnx,zynqmp-sk-kv260-rev1\0xlnx,zynqmp\0",
            f"{HWMON}/name": "ina260_u14",
            f"{HWMON}/power1_input": 5_000_000,
            "sys/class/hwmon/hwmon8/name": "ina226",
            "sys/class/hwmon/hwmon8/power1_input": 1_000_000,
        },
    ),
    *(_rail(tree) for tree in TREES),
    *(_battery(tree) for tree in TREES),
)
