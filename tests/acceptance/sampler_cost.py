"""What reading meters costs a running case: it against itself, the sampler at work in B's turns.

`edgebench ab`'s own parts: two live workers of one case take turns in random order, and the ratio's
interval is Student's t over launches. Two things are unlike `ab`. A turn takes half a second, so
that a sampler of 10 Hz reads in it; and it counts by its mean, because a few inferences that wait
for a reading would not move its median. The sampler is a run's own process, told to begin and to
halt as the runner does it, and reads a planted tree of four sensors at 10 Hz, which is judged, and
at 100 Hz, which is shown; that it did read is checked. Run it on a quiet machine of two CPUs or
more, about three minutes a rate:

    python tests/acceptance/sampler_cost.py

`--beside` keeps the sampler on the worker's only CPU, as on a board that has one; `--plant` has it
read 64 sensors a thousand times a second there, which must not pass.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec
from verdict import Verdict

from edgebench.analysis import compare
from edgebench.cli.resume import probe
from edgebench.runner import config as configs
from edgebench.runner import contenders, journal, launcher, power, turns
from edgebench.runner.config import RunConfig
from edgebench.runner.contenders import Contender
from edgebench.runner.live import LiveWorker
from edgebench.runner.power import Sampling
from edgebench.testing import write_tree
from edgebench.testing.meters import PLANTED
from edgebench.units import NS_PER_S

CASE = "cifar10_cnn/onnxruntime/fp32"
JUDGED_HZ, SHOWN_HZ, PLANTED_HZ = 10.0, 100.0, 1000.0
MAX_RATIO = 1.02
TURN_S = 0.5
LAUNCHES = 5
SENSORS, PLANTED_SENSORS = 4, 64
MIN_READ_RATIO = 0.8
"""Of the readings that the rate makes in B's turns: without them nothing would have been tested."""


class Launch(NamedTuple):
    """A fresh pair of workers, measured against each other."""

    log_ratio: float
    b_s: float
    """Of B's turns together."""


def mean_of(worker: LiveWorker) -> Callable[[int, int], tuple[int]]:
    """A side's turns, each by its mean in ns."""

    def turn(inferences: int, dropped: int) -> tuple[int]:
        latency_ns = worker.turn(inferences, dropped)
        return (round(math.fsum(latency_ns) / len(latency_ns)),)

    return turn


def sampled(
    turn: Callable[[int, int], tuple[int]], sampling: Sampling
) -> Callable[[int, int], tuple[int]]:
    """The same turns with the sampler at work in them."""

    def with_sampler(inferences: int, dropped: int) -> tuple[int]:
        sampling.entered("power")
        try:
            return turn(inferences, dropped)
        finally:
            sampling.entered("measure")

    return with_sampler


def measure(side: Contender, sampling: Sampling, launch: int, *, beside: bool) -> Launch:
    """One launch of the pair; the sampler sleeps but for B's turns."""
    limits = launcher.Limits(timeout_s=60.0, measure_s=2 * TURN_S)
    rng = random.Random(launch)  # noqa: S311 - an order, no secret
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers, shapes = [], []
        for number in (2 * launch, 2 * launch + 1):
            request = msgspec.structs.replace(side.request("cost", number, 0), turns=True)
            cpus = request.cpus[:1] if beside else request.cpus
            request = msgspec.structs.replace(request, cpus=cpus)
            worker = LiveWorker(request, limits, folder / f"{number}.log", None, lambda: None)
            stack.callback(worker.end)
            expected_ns = worker.load()
            inferences = max(1, round(TURN_S * NS_PER_S / expected_ns))
            turn_ns = round(TURN_S * NS_PER_S)
            shapes.append(
                turns.Shape(inferences=inferences, dropped=turns.DROPPED, turn_ns=turn_ns)
            )
            workers.append(worker)
        sampling.prepared(msgspec.structs.replace(request, launch=0))
        if beside:
            sampling._cpus = request.cpus
        a, b = (mean_of(worker) for worker in workers)
        found = turns.alternate(
            (a, sampled(b, sampling)), (shapes[0], shapes[1]), rng=rng, launch=launch
        )
    b_s = math.fsum(found.b_ns) / NS_PER_S * (shapes[1].inferences + turns.DROPPED)
    print(f"      launch {launch}: {math.exp(found.log_ratio):.4f}", flush=True)
    return Launch(found.log_ratio, b_s)


def readings_of(sampling: Sampling) -> int:
    """Readings of each sensor since it was last prepared."""
    taken = sampling._taken
    return sum(len(one.series[0].t_ns) for one in taken if one.series)


def judge(verdict: Verdict, side: Contender, rate_hz: float, options: argparse.Namespace) -> None:
    """All launches at one rate."""
    plant = options.plant
    config = RunConfig(meters=("edgebench.testing:FakeMeter",), power_rate_hz=rate_hz)
    preset = configs.preset(config)
    with tempfile.TemporaryDirectory() as folder:
        sensors = range(PLANTED_SENSORS if plant else SENSORS)
        files = {f"{PLANTED}/rail{number}/power_uw": "2500000\n" for number in sensors}
        root = write_tree(Path(folder), files)
        logs, read, wanted = [], 0, 0.0
        with power.opened(config, preset, root) as meters:
            if meters.sampling is None:
                raise SystemExit(f"FAIL  no sampler: {meters.note}")
            for number in range(options.launches):
                found = measure(
                    side, meters.sampling, number, beside=options.beside or options.plant
                )
                logs.append(found.log_ratio)
                read += readings_of(meters.sampling)
                wanted += found.b_s * rate_hz
    found_ratio = compare.paired(logs, deciding=options.launches)
    low, high = found_ratio.low or math.nan, found_ratio.high or math.nan
    words = f"{found_ratio.ratio:.4f} [{low:.4f}, {high:.4f}] at 95 %, {options.launches} launches"
    what = f"{options.case} with the sampler at {rate_hz:g} Hz over without"
    if rate_hz == JUDGED_HZ or plant:
        passed = high <= MAX_RATIO
        verdict.check(what, words, f"upper end <= {MAX_RATIO}", passed=passed)
    else:
        print(f"      {what}: {words} (shown, not judged)", flush=True)
    if not plant:  # that many sensors may well be too many for their rate
        figure, limit = f"{read} of {wanted:.0f} readings", f">= {MIN_READ_RATIO:.0%}"
        passed = read >= MIN_READ_RATIO * wanted
        verdict.check(f"it did read at {rate_hz:g} Hz", figure, limit, passed=passed)


def opened(words: str) -> Contender:
    """A case as `edgebench ab` takes it."""
    wanted = contenders.read(words)
    probes = {one.name: one for one in probe(RunConfig(), contenders.backends_to_ask(wanted))}
    return contenders.resolve(wanted, probes, {})


def main() -> int:
    """Judge both rates; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default=CASE, help="as edgebench run names it")
    parser.add_argument("--launches", type=int, default=LAUNCHES)
    parser.add_argument("--beside", action="store_true", help="on the worker's only CPU")
    parser.add_argument("--plant", action="store_true", help="a sampler that takes the CPU")
    options = parser.parse_args()
    verdict = Verdict()
    with journal.one_run_at_a_time():
        side = opened(options.case)
        for rate_hz in (PLANTED_HZ,) if options.plant else (JUDGED_HZ, SHOWN_HZ):
            judge(verdict, side, rate_hz, options)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
