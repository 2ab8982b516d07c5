"""Known energies through the real sampler process and the integrator: at most 1 % off.

A fake meter plays square waves of 2 W and 5 W, whose energy between any two moments is known in
closed form, to the real sampler at 1, 10 and 100 Hz. Windows of 30 s and more are cut at several
phases and must give the energy of a known count of inferences; windows that hold fewer than 10
readings must be refused.

Which wave a sensor can see at all is not the integrator's affair: one that tells the power of a
moment is played waves of 100 readings a period and more, one that counts energy or tells the
mean since its last value also those that are faster than it is read. `--plant` cuts windows at
the readings instead of between them, which must fail. Takes 90 s; needs no quiet machine.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import NamedTuple

import msgspec
from verdict import Verdict

from edgebench import sampling
from edgebench.analysis import energy
from edgebench.metering import Channel, Power, Series
from edgebench.runner.power import Process, settle_s
from edgebench.samples import Samples
from edgebench.testing import Wave
from edgebench.units import NS_PER_S

RATES_HZ = (1.0, 10.0, 100.0)
TRACE_S = 78.0
IDLE_S = 12.0
WINDOWS_S = ((15.0, 30.0), (16.37, 30.0), (18.91, 37.3), (23.11, 45.0), (15.6, 60.0), (17.23, 60.0))
LONG_S = 60.0
WRAP_AT_S, WIDE_J = 30.0, 2000.0
SLOWEST = Channel(
    name="1 Hz", tier="board_measured", quantity="power_uw", covers=("board",), update_ms=1000
)
LOAD_FROM_S = WINDOWS_S[0][0] - settle_s([SLOWEST])
"""The load runs before the first window for as long as a runner lets it."""
COUNT = 1234
LIMIT_RATIO = 0.01
METER = "edgebench.testing:FakeMeter"


class Played(NamedTuple):
    """One meter and the truth about it."""

    name: str
    wave: Wave
    arguments: dict[str, object]
    least_s: float = 0.0
    """Windows shorter than this are not judged by it."""


def of_rate(rate_hz: float, begin_s: float) -> list[Played]:
    """Every meter that is read so often."""
    every_s = 1 / rate_hz
    # At 2 W until the load begins, then at 5 W to the end: what a power pass is.
    pass_s = 10 * TRACE_S
    load = Wave(2, 5, pass_s, 0.5, -(begin_s + LOAD_FROM_S) % pass_s)
    sensors: dict[str, dict[str, object]] = {
        "counter": {"quantity": "energy_uj"},
        "mean": {"update_ms": 1000 * every_s},
        "moment": {},
    }
    made = [Played(f"load {kind}", load, more) for kind, more in sensors.items()]
    for period_s, duty, phase_s in ((0.23, 0.5, 0.0), (0.23, 0.3, 0.1), (0.071, 0.6, 0.05)):
        fast = Wave(2, 5, period_s, duty, phase_s)
        name = f"fast {period_s:g} s {duty:g}"
        wraps = {**sensors["counter"], "wrap_uj": wrapping(fast, begin_s)}
        made += [
            Played(f"{name} counter", fast, wraps),
            Played(f"{name} mean", fast, sensors["mean"]),
        ]
    for periods, duty, phase in ((1.0, 0.5, 0.3), (1.37, 0.4, 0.7), (1.0, 0.7, 0.0)):
        period_s = max(1.0, 100 * every_s) * periods
        slow = Wave(2, 5, period_s, duty, phase * period_s)
        # One edge between two readings is 1.5 J at 1 Hz: too much of what 30 s hold.
        least_s = LONG_S if every_s >= 1 else 0.0
        name = f"slow {period_s:g} s {duty:g} moment"
        made.append(Played(name, slow, sensors["moment"], least_s))
    return made


def wrapping(wave: Wave, begin_s: float) -> int:
    """A counter's range in uJ: wide enough to be read once a second, and over amid all windows."""
    total_j = wave.energy_j(0.0, begin_s + WRAP_AT_S)
    return int(1e6 * total_j / max(1, total_j // WIDE_J))


def at_readings(power: Power, series: Series) -> Power:
    """The planted fault: only what lies between two readings within the window."""
    inside = [
        (t, v)
        for t, v in zip(series.t_ns, series.value, strict=True)
        if power.start_ns <= t <= power.end_ns
    ]
    first, last = inside[0], inside[-1]
    moved = [(power.start_ns, first[1]), *inside[1:-1], (power.end_ns, last[1])]
    idle = [
        (t, v)
        for t, v in zip(series.t_ns, series.value, strict=True)
        if t <= (power.idle_end_ns or 0)
    ]
    kept = [*idle, *moved]
    cut = msgspec.structs.replace(
        series, t_ns=Samples(t for t, _ in kept), value=Samples(v for _, v in kept)
    )
    return msgspec.structs.replace(power, series=(cut,))


def worst(
    played: list[Played], series: dict[str, Series], begin_ns: int, *, plant: bool
) -> dict[str, tuple[float, str]]:
    """The largest error of each kind of wave, and where."""
    found: dict[str, tuple[float, str]] = {}
    for one in played:
        for start_s, length_s in WINDOWS_S:
            if length_s < one.least_s:
                continue
            start_ns = begin_ns + int(start_s * NS_PER_S)
            power = Power(
                idle_start_ns=begin_ns + NS_PER_S,
                idle_end_ns=begin_ns + int(IDLE_S * NS_PER_S),
                start_ns=start_ns,
                end_ns=start_ns + int(length_s * NS_PER_S),
                inferences=COUNT,
                series=(series[one.name],),
            )
            if plant:
                power = at_readings(power, series[one.name])
            told = energy.of_meter(power, one.name)
            t0, t1 = power.start_ns / NS_PER_S, power.end_ns / NS_PER_S
            errors = {"gross": told.gross_mj / (1e3 * one.wave.energy_j(t0, t1) / COUNT) - 1}
            if one.name.startswith("load"):
                true_mj = 1e3 * 3.0 * (t1 - t0) / COUNT
                errors["net"] = (told.net_mj or 0.0) / true_mj - 1
            for figure, error in errors.items():
                kind = f"{one.name.split()[0]} {one.name.split()[-1]}, {figure}"
                if abs(error) >= abs(found.get(kind, (0.0, ""))[0]):
                    found[kind] = (error, f"{one.name}, {length_s:g} s from {start_s:g} s")
    return found


def refused(series: Series, rate_hz: float, begin_ns: int) -> str:
    """What is said of a window that holds about 7 readings."""
    start_ns = begin_ns + 20 * NS_PER_S
    power = Power(
        start_ns=start_ns,
        end_ns=start_ns + int(7 / rate_hz * NS_PER_S),
        inferences=COUNT,
        series=(series,),
    )
    try:
        return f"{energy.of_meter(power, series.meter).gross_mj:g} mJ"
    except energy.RefusedError as error:
        return error.message


def main() -> int:
    """Judge every rate; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="cut windows at the readings")
    plant = parser.parse_args().plant
    begin_ns = time.perf_counter_ns() + 15 * NS_PER_S  # by then all samplers have opened
    played = {rate: of_rate(rate, begin_ns / NS_PER_S) for rate in RATES_HZ}
    processes = {rate: Process() for rate in RATES_HZ}
    verdict = Verdict()
    try:
        for rate, process in processes.items():
            meters = tuple(
                sampling.Wanted(
                    name=METER, called=one.name, arguments=one.wave._asdict() | one.arguments
                )
                for one in played[rate]
            )
            process.tell(sampling.Open(parent_pid=os.getpid(), meters=meters, rate_hz=rate))
        for process in processes.values():
            process.answer(60.0)
        for rate, process in processes.items():
            process.tell(sampling.Begin(meters=tuple(one.name for one in played[rate])))
        time.sleep(max(0.0, begin_ns / NS_PER_S + TRACE_S - time.perf_counter()))
        for rate, process in processes.items():
            process.tell(sampling.Halt())
            answer = process.answer(5.0)
            if not isinstance(answer, sampling.Taken) or answer.lost:
                raise SystemExit(f"FAIL  the sampler: {answer}")
            series = {one.meter: one for one in answer.series}
            for kind, (error, where) in worst(played[rate], series, begin_ns, plant=plant).items():
                what = f"{rate:g} Hz, {kind}"
                figure = f"{error:+.3%} at worst ({where})"
                verdict.check(what, figure, "+-1 %", passed=abs(error) <= LIMIT_RATIO)
            words = refused(series["load moment"], rate, begin_ns)
            good = words.endswith("10 needed")
            verdict.check(f"{rate:g} Hz, too few readings", words, "refused", passed=good)
    finally:
        for process in processes.values():
            process.end()
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
