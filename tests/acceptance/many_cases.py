"""10,000 cases are read, compared and chosen among in a minute and a GiB, in proportion to fewer.

Planted runs (`edgebench.testing.fleet`): up to 20 devices x 5 backends x 4 precisions x 5 numbers
of threads, a run a workload, 6 launches x 400 samples a case with a power pass: as many samples as
a `--standard` run of a network of 5 ms has. Each row is a process of its own, which reads its own
peak memory (VmHWM) when it is done: Python's `load`, then `compare` and `recommend` of what was
loaded; and the commands `report` and `recommend`, from the start to the table. Seconds need a quiet
machine:

    python tests/acceptance/many_cases.py

The limits: a minute is what a reader waits once for what took a night to measure (10,000 cases of
`--quick` take eight hours), and 10 s what one waits for an answer about what is in memory; a GiB is
what a small laptop has to spare. Growth is between the last two sizes, in proportion is 1.

`--plant pairs` holds each cell against each other one, which must not pass; `--sizes 30,100,300`
looks at fewer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
from verdict import Verdict

from edgebench.records import PRECISIONS
from edgebench.testing.fleet import Cell, Device, write

SIZES = (100, 1000, 10_000)
DEVICES = 20
BACKENDS = ("onnxruntime", "litert", "openvino", "ncnn", "mnn")
THREADS = (1, 2, 3, 4, 8)
LAUNCHES, SAMPLES = 6, 400
READ_S, ANSWER_S = 60.0, 10.0
MOST_MIB = 1024.0
MOST_GROWTH = 1.2
"""Exponent: 1 is in proportion, 2 is each against each; the rest is what caches no longer hold."""
LIMITS_S = {
    "load": READ_S,
    "compare": ANSWER_S,
    "recommend": ANSWER_S,
    "edgebench report": READ_S,
    "edgebench recommend": READ_S,
}
_KIB_PER_MIB = 1024


def plant(folder: Path, cases: int) -> None:
    """Runs with so many cases in all, a folder a device."""
    rng = np.random.default_rng(1)
    each = [(b, p, t) for b in BACKENDS for p in PRECISIONS if p != "bf16" for t in THREADS]
    devices = min(DEVICES, max(6, cases // len(each)))
    share = -(-cases // devices)
    for number in range(devices):
        left = min(share, cases - number * share)
        for workload, first in enumerate(range(0, left, len(each))):
            cells = tuple(
                Cell(
                    backend=backend,
                    precision=precision,
                    threads=threads,
                    latency_ms=float(np.exp(rng.uniform(0, 5))),
                    top1_ratio=float(rng.uniform(0.6, 0.9)),
                    power_w=float(rng.uniform(3, 6)),
                )
                for backend, precision, threads in each[: left - first]
            )
            write(
                folder / f"unit-{number}",
                Device(name=f"device-{number}", cells=cells),
                workload=f"workload_{workload}",
                seed=1 + number * len(each) + workload,
                launches=LAUNCHES,
                samples=SAMPLES,
            )


def _python(folder: Path, planted: str) -> Iterator[tuple[str, Callable[[], int]]]:
    import edgebench

    frame = None

    def load() -> int:
        nonlocal frame
        frame = edgebench.load(folder)
        return len(frame)

    def compare() -> int:
        assert frame is not None
        later = frame.assign(latency_p50_ms=frame["latency_p50_ms"] * 1.05, run_id="later")
        return len(edgebench.compare(frame, later))

    def recommend() -> int:
        assert frame is not None
        from edgebench.analysis import candidates, constraints
        from edgebench.analysis.recommend import Objective
        from edgebench.analysis.recommend import recommend as choose
        from edgebench.report.frame import _rows

        limits = [constraints.parse("top1_ratio=0.7", "min")]
        groups = candidates.of_rows(_rows(frame))
        answers = [choose(group, limits, Objective("latency_p50_ms")) for group in groups]
        if planted == "pairs":
            pairs = itertools.combinations(frame["latency_p50_ms"].tolist(), 2)
            assert sum(a < b for a, b in pairs) >= 0
        return sum(len(answer.standings) for answer in answers)

    yield from (("load", load), ("compare", compare), ("recommend", recommend))


def _commands(folder: Path, which: str) -> Iterator[tuple[str, Callable[[], int]]]:
    def command() -> int:
        from edgebench.cli.main import cli

        with redirect_stdout(StringIO()) as shown, redirect_stderr(StringIO()):
            cli.main([which, str(folder)], standalone_mode=False)
        return len(shown.getvalue().splitlines())

    yield f"edgebench {which}", command


def child(folder: Path, what: str, planted: str) -> None:
    """Do it, and tell seconds, peak memory and how much came of it, as JSON."""
    todo = _python(folder, planted) if what == "python" else _commands(folder, what)
    told = {}
    for name, step in todo:
        begun = time.perf_counter()
        count = step()
        told[name] = (time.perf_counter() - begun, peak_mib(), count)
    print(json.dumps(told))


def peak_mib() -> float:
    """This process's own peak: ru_maxrss would hold its parent's, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / _KIB_PER_MIB


def measured(folder: Path, planted: str) -> dict[str, tuple[float, float, int]]:
    """``(seconds, peak MiB, rows)`` of each step, each process fresh."""
    found: dict[str, tuple[float, float, int]] = {}
    for what in ("python", "report", "recommend"):
        command = [sys.executable, __file__, "--child", what, str(folder), "--plant", planted]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"FAIL  {what} of {folder.name} cases: {done.stderr[-2000:]}")
        found |= {name: tuple(told) for name, told in json.loads(done.stdout).items()}
    return found


def main() -> int:
    """Judge every step at every size; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--plant", choices=["", "pairs"], default="")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(Path(options.child[1]), options.child[0], options.plant)
        return 0
    sizes = [int(size) for size in options.sizes.split(",")]
    found = []
    with tempfile.TemporaryDirectory(prefix="edgebench-many-") as root:
        for size in sizes:
            folder = Path(root) / str(size)
            plant(folder, size)
            found.append(measured(folder, options.plant))
            for name, (seconds, mib, count) in found[-1].items():
                print(f"      {name}, {size} cases: {seconds:.2f} s, {mib:.0f} MiB, {count} rows")
    verdict = Verdict()
    for name, limit_s in LIMITS_S.items():
        (before_s, *_), (seconds, mib, count) = found[-2][name], found[-1][name]
        what = f"{name}, {sizes[-1]} cases"
        verdict.check(what, f"{seconds:.1f} s", f"<= {limit_s:g} s", passed=seconds <= limit_s)
        passed = mib <= MOST_MIB
        verdict.check(f"{what}, peak memory", f"{mib:.0f} MiB", "<= 1 GiB", passed=passed)
        verdict.check(
            f"{what} are told of", f"{count}", f">= {sizes[-1]}", passed=count >= sizes[-1]
        )
        growth = math.log(seconds / before_s) / math.log(sizes[-1] / sizes[-2])
        passed = growth <= MOST_GROWTH
        verdict.check(
            f"{name} grows by size to the power of", f"{growth:.2f}", "<= 1.2", passed=passed
        )
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
