"""`edgebench history` leaves flat histories alone in 94 % and finds a step of 10 % in 90 %.

Simulated series of run figures, seeds 1, 2 and 3, judged as the product judges them: each run lies
off its level by 2 % (what a machine does from day to day) and by its own standard error, which the
history is told and which runs do not share. 5,000 flat series of 5, 10, 20 and 100 runs: those with
any change found count. 1,000 series of 20 runs with one step of 10 %, at any place that leaves four
runs on either side: found means a change within one run of it. Smaller and shorter ones are shown,
not judged. `--plant` judges PELT with the penalty and the noise of `edgebench.analysis.steady`,
which was made for long series.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from simulate import SEEDS, spread
from verdict import Verdict

from edgebench.analysis.change_points import change_points

FLAT, STEPPED = 5_000, 1_000
FLAT_RUNS = (5, 10, 20, 100)
RUN_SD, ERRORS = 0.02, (0.003, 0.01)
STEP, STEP_RUNS = 0.10, 20
MARGIN_RUNS = 4
MOST_FLAGGED, LEAST_FOUND = 0.06, 0.90
SHOWN = ((0.10, 8), (0.05, 10), (0.05, 20), (0.05, 50), (0.03, 50))

_Array = NDArray[np.float64]
_Detector = Callable[[_Array, _Array], list[int]]


class Task(NamedTuple):
    """So many series of a kind."""

    seed: int
    runs: int
    step: float
    many: int
    plant: str


def of_product(values: _Array, errors: _Array) -> list[int]:
    """As `edgebench history`."""
    return [one.first for one in change_points(values, errors)]


def of_pelt(values: _Array, errors: _Array) -> list[int]:
    """The planted fault."""
    from ruptures import KernelCPD

    del errors
    steps = np.diff(values)
    most = 3 * 1.4826 * float(np.median(np.abs(steps)))
    scale = float(np.sqrt(np.mean(np.clip(steps, -most, most) ** 2)) / math.sqrt(2))
    finder = KernelCPD(kernel="linear", min_size=2).fit((values / scale).reshape(-1, 1))
    return [int(edge) for edge in finder.predict(pen=3 * np.log(len(values)))[:-1]]


METHODS: dict[str, _Detector] = {"": of_product, "pelt": of_pelt}


def found(task: Task) -> float:
    """Share of series with a change found: any of flat ones, one in its place of others."""
    rng = np.random.default_rng([task.seed, task.runs, round(1000 * task.step)])
    hits = 0
    for _ in range(task.many):
        errors = rng.uniform(*ERRORS, task.runs)
        values = rng.normal(0, np.hypot(RUN_SD, errors))
        if not task.step:
            hits += bool(METHODS[task.plant](values, errors))
            continue
        place = int(rng.integers(MARGIN_RUNS, task.runs - MARGIN_RUNS + 1))
        values[place:] += math.log1p(task.step)
        hits += any(abs(cut - place) <= 1 for cut in METHODS[task.plant](values, errors))
    return hits / task.many


def main() -> int:
    """Judge every seed; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", choices=sorted(METHODS), default="")
    parser.add_argument("--share", type=float, default=1.0, help="less, to try a plant")
    options = parser.parse_args()
    flat, stepped = (round(count * options.share) for count in (FLAT, STEPPED))
    tasks = [Task(seed, n, 0.0, flat, options.plant) for seed in SEEDS for n in FLAT_RUNS]
    tasks += [Task(seed, STEP_RUNS, STEP, stepped, options.plant) for seed in SEEDS]
    shown = [Task(1, n, step, stepped, options.plant) for step, n in SHOWN]
    verdict = Verdict()
    for task, share in zip([*tasks, *shown], spread(found, [*tasks, *shown]), strict=True):
        what = f"{task.runs} runs, seed {task.seed}"
        if task in shown:
            print(f"      a step of {task.step:.0%} found, {what}: {share:.1%}", flush=True)
        elif task.step:
            passed = share >= LEAST_FOUND
            verdict.check(
                f"a step of 10 % found within a run, {what}",
                f"{share:.1%}",
                ">= 90 %",
                passed=passed,
            )
        else:
            passed = share <= MOST_FLAGGED
            verdict.check(
                f"flat, but told to change, {what}", f"{share:.1%}", "<= 6 %", passed=passed
            )
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
