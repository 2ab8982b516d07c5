"""Test k of the method, throttle half: a device that is slowed down is flagged, a clean one is not.

Planted machines whose files change while a launch of 2 to 60 s is played on a virtual clock, looked
at as a run does: before, after, and once a second by the parent. Five kinds of device tell of
throttling each in their own way (a Raspberry Pi's firmware, a kernel that lowers a cap, a Jetson's
alerts and over-current counters, an x86's counters, a firmware that only the residency betrays). It
begins at random and lasts 0.5 s or longer; what only the residency betrays, a third of the launch.
Clean devices wander as clean ones do: fans turn, temperatures rise, bits and counters are left over
from before, caps are low but stay, other clusters rest, kernels are built without a residency.

200 series of each sort with seeds 1, 2 and 3. `--plant` judges with looks and counters taken away.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from simulate import SEEDS
from verdict import Verdict

from edgebench.analysis import validity
from edgebench.host import environment
from edgebench.machine import Environment
from edgebench.records import Case, PlannedCase, Record
from edgebench.runner.lookout import Lookout
from edgebench.testing import FakeClock, write_tree

SERIES = 200
FOUND_LIMIT, FALSE_LIMIT = 0.95, 0.06
CPU = "sys/devices/system/cpu/cpufreq"
THERMAL = "sys/class/thermal"
FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
COUNT = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
NS = 1_000_000_000
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - planted files only

CASE = Case(
    workload="mnist_cnn",
    workload_version=1,
    source_sha256="",
    backend="null",
    format="onnx",
    precision="fp32",
)
PLANNED = PlannedCase(case_id=CASE.case_id, case=CASE)


class Moment(NamedTuple):
    """What the machine's files depend on."""

    share: float
    """How much of the launch is over."""
    slowed: bool
    """Whether it is slowed down just now."""
    ever: bool
    """Whether it was in this launch."""
    slow_ns: int
    """For how long so far."""
    now_ns: int


class Device:
    """A kind of device with its own random past.

    Args:
        rng: Draws whatever differs from device to device.
        kind: One of `KINDS`.
    """

    def __init__(self, rng: np.random.Generator, kind: str) -> None:
        self.kind = kind
        self.top = int(rng.choice([1_500_000, 1_800_000, 2_400_000]))
        self.low = int(self.top * rng.uniform(0.4, 0.75) // 100_000 * 100_000)
        self.cap = self.top if rng.random() < 0.7 else int(self.top * 0.8)
        self.degc = rng.uniform(40, 60)
        self.rise = rng.uniform(0, 15)
        self.old_bits = int(rng.choice([0, 0x50000, 0x80000]))
        self.old_count = int(rng.integers(0, 900))
        self.fan = int(rng.integers(0, 4))
        self.idle = rng.uniform(0, 0.04)
        self.heat_bit = int(rng.choice([2, 4, 8]))
        self.counts_current = rng.random() < 0.5
        self.hidden = rng.random() < 0.3

    def files(self, at: Moment) -> dict[str, str]:
        """All files as they are at a moment."""
        degc = self.degc + self.rise * at.share + (8 if at.slowed else 0)
        found = {
            f"{THERMAL}/thermal_zone0/type": "cpu-thermal\n",
            f"{THERMAL}/thermal_zone0/temp": f"{int(1000 * degc)}\n",
            f"{THERMAL}/thermal_zone0/trip_point_0_type": "passive\n",
            f"{THERMAL}/thermal_zone0/trip_point_0_temp": "95000\n",
            f"{THERMAL}/cooling_device0/type": "pwm-fan\n",
            f"{THERMAL}/cooling_device0/cur_state": f"{self.fan + (at.share > 0.5)}\n",
            f"{THERMAL}/cooling_device1/type": "intel_powerclamp\n",
            f"{THERMAL}/cooling_device1/cur_state": "-1\n",
        }
        return found | KINDS[self.kind](self, at)

    def clock(self, at: Moment, *, slows: bool) -> dict[str, str]:
        """A fast domain at work and a slow one at rest, with their residency."""
        spent = (at.now_ns - at.slow_ns) if slows else at.now_ns
        slow = at.slow_ns if slows else 0
        rested = int(self.idle * spent)
        top = self.cap
        times = {self.low: slow + rested, top: spent - rested}
        table = dict.fromkeys((self.low, top, self.top), 0) | times
        lines = "".join(f"{khz} {1000 + ns // 10_000_000}\n" for khz, ns in sorted(table.items()))
        return {
            f"{CPU}/policy0/scaling_max_freq": "1000000\n",
            f"{CPU}/policy0/stats/time_in_state": f"600000 {at.now_ns // 10_000_000}\n1000000 9\n",
            f"{CPU}/policy4/scaling_max_freq": f"{top}\n",
            f"{CPU}/policy4/stats/time_in_state": lines,
        }


def pi(device: Device, at: Moment) -> dict[str, str]:
    """The firmware's bits; what the kernel asked for says nothing of what it got."""
    bits = device.old_bits | (device.heat_bit << 16 if at.ever else 0)
    bits |= device.heat_bit if at.slowed else 0
    return {FIRMWARE: f"{bits:x}\n"} | device.clock(at, slows=False)


def board(device: Device, at: Moment) -> dict[str, str]:
    """The kernel lowers a cap; where the residency is not compiled in, that is all."""
    found = device.clock(at, slows=True)
    found[f"{CPU}/policy4/scaling_max_freq"] = f"{device.low if at.slowed else device.cap}\n"
    if device.hidden:
        found = {path: text for path, text in found.items() if "stats" not in path}
    return found | {
        f"{THERMAL}/cooling_device2/type": "cpufreq-cpu4\n",
        f"{THERMAL}/cooling_device2/cur_state": f"{3 if at.slowed else 0}\n",
    }


def jetson(device: Device, at: Moment) -> dict[str, str]:
    """Alerts of the thermal framework, or over-current that only a counter tells of."""
    current = device.counts_current
    count = device.old_count + (1 + at.slow_ns // NS if at.ever and current else 0)
    return {
        f"{THERMAL}/cooling_device2/type": "gpu-throttle-alert\n",
        f"{THERMAL}/cooling_device2/cur_state": f"{int(at.slowed and not current)}\n",
        "sys/class/hwmon/hwmon3/name": "soctherm_oc\n",
        "sys/class/hwmon/hwmon3/oc3_throt_en": "1\n",
        "sys/class/hwmon/hwmon3/oc3_event_cnt": f"{count}\n",
    } | device.clock(at, slows=not current)


def x86(device: Device, at: Moment) -> dict[str, str]:
    """Counters; the driver tells no residency."""
    count = device.old_count + (1 + at.slow_ns // (NS // 4) if at.ever else 0)
    return {COUNT: f"{count}\n"}


def silent(device: Device, at: Moment) -> dict[str, str]:
    """Nothing but the time at each frequency."""
    return device.clock(at, slows=True)


KINDS: dict[str, Callable[[Device, Moment], dict[str, str]]] = {
    "pi": pi,
    "board": board,
    "jetson": jetson,
    "x86": x86,
    "silent": silent,
}


def launch(rng: np.random.Generator, root: Path, *, slows: bool, blind: bool) -> Record:
    """One launch on a planted device, seen as a run sees it.

    Args:
        rng: Draws the device, the launch's length and when it is slowed down.
        root: An empty folder.
        slows: Whether it is slowed down at all.
        blind: Whether all but the two ends is forgotten: the planted fault.
    """
    kind = str(rng.choice(list(KINDS)))
    device = Device(rng, kind)
    window = int(rng.uniform(2, 60) * NS)
    begin = int(rng.uniform(0.05, 0.8) * window)
    # What only a mean betrays must have moved it: a third of the launch or more.
    least = window // 3 if kind == "silent" else NS // 2
    end = begin + least + int(rng.uniform(0, 1) * max(0, window - begin - least))
    if kind == "silent":
        begin, end = min(begin, window - least), min(end, window) if end > window else end
    clock = FakeClock()

    there: dict[str, str] = {}

    def plant(now_ns: int) -> None:
        slow_ns = max(0, min(now_ns, end) - begin) if slows else 0
        slowed = slows and begin <= now_ns < end
        at = Moment(now_ns / window, slowed, slow_ns > 0, slow_ns, now_ns)
        changed = {p: text for p, text in device.files(at).items() if there.get(p) != text}
        there.update(changed)
        write_tree(root, changed)

    plant(0)
    lookout = Lookout(root, clock)
    before = _seen(root)
    for now_ns in range(0, window, NS):  # what lies between two looks, nobody sees
        clock.now_ns = 1 + now_ns
        plant(now_ns)
        lookout.glance("measure")
    plant(window)
    after = _seen(root)
    if blind:
        after = msgspec.structs.replace(after, throttle_counts={}, throttle_bits=None)
    return Record(
        run_id="r",
        case_id=CASE.case_id,
        launch=0,
        started_at_utc="2026-01-01T00:00:00Z",
        status="ok",
        window_ns=window,
        cpu_ns=window,
        environment_before=before,
        environment_after=after,
        looks=() if blind else tuple(lookout.looks),
    )


def _seen(root: Path) -> Environment:
    return environment.snapshot(root)


def main() -> int:
    """Judge every seed; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="a blind detector: must FAIL")
    blind = parser.parse_args().plant
    verdict = Verdict()
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        flagged = {True: 0, False: 0}
        for slows in flagged:
            for _ in range(SERIES):
                with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                    record = launch(rng, Path(folder), slows=slows, blind=blind)
                flagged[slows] += validity.verdict([record], PLANNED)[0] != "valid"
        found, false = flagged[True] / SERIES, flagged[False] / SERIES
        where = f"of {SERIES}, seed {seed}"
        verdict.check(
            f"throttling flagged, {where}",
            f"{found:.1%}",
            f">= {FOUND_LIMIT:.0%}",
            passed=found >= FOUND_LIMIT,
        )
        verdict.check(
            f"false flags, {where}",
            f"{false:.1%}",
            f"<= {FALSE_LIMIT:.0%}",
            passed=false <= FALSE_LIMIT,
        )
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
