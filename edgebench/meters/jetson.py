"""NVIDIA Jetson's power rails: INA3221 sensors of the module, read from sysfs.

Read: on JetPack 4 (L4T r32) ``rail_name_N`` and ``in_powerN_input`` in mW, below
``/sys/bus/i2c/drivers/ina3221x/*/iio:device*/``; on JetPack 5 and 6 (r35, r36) ``inN_label``,
``inN_input`` in mV and ``currN_input`` in mA, whose product is uW, below
``/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/``. Bus numbers differ from board to board. Any user
may read them.

Source: Linux Documentation/hwmon/ina3221.rst (https://docs.kernel.org/hwmon/ina3221.html); rails:
arch/arm64/boot/dts/nvidia/tegra194-p2888.dtsi, tegra234-p3701.dtsi, tegra234-p3767.dtsi.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from edgebench.metering import Channel
from edgebench.meters.files import amount, denied, read_amount, read_text
from edgebench.protocols import Probe, Readings

_IIO = "sys/bus/i2c/drivers/ina3221x"
_HWMON = "sys/bus/i2c/drivers/ina3221"
_TOTALS = ("VDD_IN", "POM_5V_IN", "VIN")
"""Rails that feed the whole module: what else is measured lies behind them. AGX Orin's
``VIN_SYS_5V0`` is none: its processor's rails do not come from it."""
_PARTS = {"CPU": "cpu", "GPU": "gpu", "CV": "npu", "SOC": "soc", "VDDQ": "ram", "VDDRQ": "ram"}
"""What a part of a rail's name stands for; the processor's accelerators (DLA, PVA) are ``CV``."""
_CARRIER = "carrier board"
_UNMEASURED = ("rails without a sensor", "losses of the module's regulators", _CARRIER)
_IN_JETPACK = "NVIDIA's kernel (JetPack) has the driver"


class _Rail(msgspec.Struct, frozen=True, kw_only=True):
    """Files whose product is a rail's power."""

    label: str
    files: tuple[Path, ...]
    scale: int
    """uW of a product of 1."""


class Jetson:
    """The module's input where it has a sensor, else the sum of its rails."""

    name = "jetson"

    def __init__(self) -> None:
        self._channels: tuple[Channel, ...] = ()
        self._rails: tuple[_Rail, ...] = ()

    def probe(self, root: Path) -> Probe:
        """Look for INA3221 sensors under either driver, on whatever bus."""
        self.close()
        found = _by_name((*_iio_rails(root), *_hwmon_rails(root)))
        read = {label: rail for label, rail in found.items() if _power_uw(rail) is not None}
        if not read:
            return _why_not(root, tuple(found.values()))
        silent = tuple(label for label in found if label not in read)
        self._rails = tuple(read.values())
        self._channels = _channels(tuple(read), silent)
        return Probe(name=self.name, available=True)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """A channel a rail."""
        return self._channels

    def read(self) -> Readings:
        """Power of every rail in uW."""
        return tuple(_reading(rail) for rail in self._rails)

    def close(self) -> None:
        """Forget what was found; no file is kept open."""
        self._channels, self._rails = (), ()


def _by_name(rails: Iterable[_Rail]) -> dict[str, _Rail]:
    """Rails by their labels; where two chips have the same, the later one is numbered."""
    named: dict[str, _Rail] = {}
    for rail in rails:
        same = sum(one.label == rail.label for one in named.values())
        named[f"{rail.label} ({same + 1})" if same else rail.label] = rail
    return named


def _iio_rails(root: Path) -> Iterator[_Rail]:
    """JetPack 4: each rail's power in mW, counted from 0."""
    for named in sorted((root / _IIO).glob("*/iio:device*/rail_name_*")):
        label, number = read_text(named), named.name.removeprefix("rail_name_")
        if label and number.isdigit():
            power = named.with_name(f"in_power{number}_input")
            yield _Rail(label=label, files=(power,), scale=1000)


def _hwmon_rails(root: Path) -> Iterator[_Rail]:
    """JetPack 5 and 6: mV and mA of each rail, counted from 1.

    A label without a current is the sum of the shunts' voltages (in7), ``NC`` a channel to nowhere.
    """
    for named in sorted((root / _HWMON).glob("*/hwmon/hwmon*/in*_label")):
        label, number = read_text(named), named.name[2:].removesuffix("_label")
        current = named.with_name(f"curr{number}_input")
        if label and label != "NC" and number.isdigit() and current.exists():
            voltage = named.with_name(f"in{number}_input")
            yield _Rail(label=label, files=(voltage, current), scale=1)


def _power_uw(rail: _Rail) -> int | None:
    """The rail's power; None where a file is gone, forbidden, no number, or below 0."""
    product = rail.scale
    for path in rail.files:
        value = read_amount(path)
        if value is None:
            return None
        product *= value
    return amount(product)


def _reading(rail: _Rail) -> tuple[int, int] | None:
    power_uw = _power_uw(rail)
    return None if power_uw is None else (time.perf_counter_ns(), power_uw)


def _channels(labels: tuple[str, ...], silent: tuple[str, ...]) -> tuple[Channel, ...]:
    """The input alone counts where there is one: the other rails are within it."""
    total = next((label for label in _TOTALS if label in labels), None)
    return tuple(
        Channel(
            name=label,
            tier="board_measured" if label == total else "partial_measured",
            quantity="power_uw",
            covers=("module",) if label == total else _covers(label),
            excludes=(_CARRIER,) if label == total else (*_UNMEASURED, *silent),
            counted=total in (None, label),
        )
        for label in labels
    )


def _covers(label: str) -> tuple[str, ...]:
    """What a rail feeds, by the parts of its name: ``VDD_CPU_GPU_CV`` is cpu, gpu, npu."""
    parts = [_PARTS[part] for part in label.upper().split("_") if part in _PARTS]
    return tuple(dict.fromkeys(parts)) or ("module",)


def _why_not(root: Path, silent: tuple[_Rail, ...]) -> Probe:
    """Reason and remedy where no rail gives a number."""
    locked = next((path for rail in silent for path in rail.files if denied(path)), None)
    compatible = read_text(root / "proc/device-tree/compatible") or ""
    if locked is not None:
        reason, remedy = f"{locked.name} may not be read", f"sudo chmod a+r {locked}"
    elif silent:
        reason = f"no number from {', '.join(rail.label for rail in silent)}"
        remedy = "reboot, then look for ina3221 in dmesg"
    elif "nvidia,tegra" in compatible:
        reason, remedy = "this Jetson shows no INA3221 sensor", _IN_JETPACK
    else:
        reason, remedy = "no NVIDIA Jetson", ""
    return Probe(name=Jetson.name, available=False, reason=reason, remedy=remedy)
