"""How hot the device is, where it begins to slow down for that, and what slows it down just now.

Source: Linux Documentation/driver-api/thermal/sysfs-api.rst; all files are world-readable.
"""

from __future__ import annotations

from pathlib import Path

from edgebench.host.cpu import ROOT, read_int, read_text

_MILLI = 1000
_SLOWS = ("cpufreq", "devfreq", "gpu", "throttle-alert", "-balanced", "powerclamp", "thermal-idle")
"""Parts of the types of cooling devices that slow something down; a fan, a display's light and a
stored offset (``TCC Offset``) do not. ``throttle-alert`` and ``-balanced`` are a Jetson's."""
_SLOWS_WHOLE = frozenset({"Processor", "heavy", "light"})
"""ACPI's processor; what the device trees of older Tegras call their hardware throttling."""


_NO_SENSOR = frozenset({"PMIC-Die"})
"""Types of zones that are constants: a Jetson Nano's says 100 degC, cold or hot."""


def zone_files(root: Path = ROOT) -> dict[str, Path]:
    """The file with the temperature (in thousandths of degC) of each thermal zone, by name."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    real = (zone for zone in zones if read_text(zone / "type") not in _NO_SENSOR)
    return {_label(zone): zone / "temp" for zone in real}


def cooling_files(root: Path = ROOT) -> dict[str, Path]:
    """The file with the state of each cooling device that slows something down, by name."""
    found = {}
    for folder in sorted((root / "sys/class/thermal").glob("cooling_device*")):
        kind = read_text(folder / "type") or ""
        if "fan" in kind.lower():
            continue
        if kind in _SLOWS_WHOLE or any(part in kind for part in _SLOWS):
            found[_label(folder)] = folder / "cur_state"
    return found


def _label(folder: Path) -> str:
    return f"{folder.name}:{read_text(folder / 'type') or '?'}"


def temperatures(root: Path = ROOT) -> dict[str, float]:
    """Thermal zones in degrees Celsius by name."""
    return read_degc(zone_files(root))


def read_degc(files: dict[str, Path]) -> dict[str, float]:
    """What those files say now; one that cannot be read is left out."""
    found = {name: read_int(path) for name, path in files.items()}
    return {name: value / _MILLI for name, value in found.items() if value is not None}


_TELLS_ONLY = ("x86_pkg_temp", "user_space")
"""A zone's type, a zone's governor: where a trip is passed, a program such as thermald is told, and
the kernel slows nothing down (Linux driver-api/thermal/x86_pkg_temperature_thermal.rst)."""


def limits(root: Path = ROOT) -> dict[str, float]:
    """Where the kernel begins to slow down, in degC: the lowest passive trip of each zone."""
    found = {}
    for name, temperature in zone_files(root).items():
        zone, trips = temperature.parent, []
        if any(read_text(zone / file) in _TELLS_ONLY for file in ("type", "policy")):
            continue
        for kind in zone.glob("trip_point_*_type"):
            at = read_int(kind.with_name(kind.name.replace("_type", "_temp")))
            if at is not None and at > 0 and read_text(kind) == "passive":
                trips.append(at / _MILLI)
        if trips:
            found[name] = min(trips)
    return found


def cooling_states(root: Path = ROOT) -> dict[str, int]:
    """How far each cooling device holds something back just now; 0 is not at all."""
    return read_states(cooling_files(root))


def read_states(files: dict[str, Path]) -> dict[str, int]:
    """What those files say now; one that cannot be read is left out, idle ones may say -1."""
    found = {name: read_int(path) for name, path in files.items()}
    return {name: max(0, value) for name, value in found.items() if value is not None}
