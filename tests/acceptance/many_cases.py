"""10,000 cases are read, compared and chosen among in two minutes and a GiB, as 1,000 in a tenth.

Planted runs (`edgebench.testing.fleet`): up to 20 devices x 5 backends x 4 precisions x 5 numbers
of threads, a run a workload, 6 launches x 400 samples a case with a power pass: as many samples as
a `--standard` run of a network of 5 ms has. Each row is a process of its own, which reads its own
peak memory (VmHWM) when it is done: Python's `load`, then `compare` and `recommend` of what was
loaded; and the commands `report` and `recommend`, from the start to the table. Seconds need a quiet
machine:

    python tests/acceptance/many_cases.py

The limits: two minutes are what one waits once for what took a night to measure (10,000 cases of
`--quick` take eight hours), and 10 s what one waits for an answer about what is in memory; a GiB is
what a small laptop has to spare. Growth is that of CPU seconds between the last
two sizes; in proportion is 1.

`--plant pairs` holds each cell against each other one, which must not pass: `--sizes 100,300`
shows it in less than the hours that 10,000 would take.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from verdict import Verdict

from edgebench.records import PRECISIONS
from edgebench.testing.fleet import Cell, Device, write

SIZES = (100, 1000, 10_000)
DEVICES = 20
BACKENDS = ("onnxruntime", "litert", "openvino", "ncnn", "mnn")
THREADS = (1, 2, 3, 4, 8)
LAUNCHES, SAMPLES = 6, 400
READ_S, ANSWER_S = 120.0, 10.0
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


class _Told(NamedTuple):
    """What a step took."""

    wall_s: float
    cpu_s: float
    mib: float
    rows: int


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
        answers = edgebench.recommend(frame, min={"top1_ratio": 0.7})
        if planted == "pairs":
            _each_against_each(frame["latency_p50_ms"].tolist())
        return sum(len(answer.standings) for answer in answers.answers)

    yield from (("load", load), ("compare", compare), ("recommend", recommend))


def _each_against_each(values: Sequence[float]) -> None:
    """The planted fault: what grows as the square of the cases."""
    from edgebench.analysis.compare import Summary, summaries

    # Ten times each: at the few cases of a test it must outweigh what recommend costs once.
    for a, b in itertools.chain.from_iterable(itertools.combinations(values, 2) for _ in range(10)):
        summaries(
            Summary(a, 0.99 * a, 1.01 * a, LAUNCHES), Summary(b, 0.98 * b, 1.02 * b, LAUNCHES)
        )


def _commands(folder: Path, which: str) -> Iterator[tuple[str, Callable[[], int]]]:
    def command() -> int:
        from edgebench.cli.main import cli

        with redirect_stdout(StringIO()) as shown, redirect_stderr(StringIO()):
            cli.main([*which.split(), str(folder)], standalone_mode=False)
        return len(shown.getvalue().splitlines())

    yield f"edgebench {which.split(maxsplit=1)[0]}", command


def child(folder: Path, what: str, planted: str) -> None:
    """Do it, and tell seconds, peak memory and how much came of it, as JSON."""
    todo = _python(folder, planted) if what == "python" else _commands(folder, what)
    told = {}
    for name, step in todo:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        count = step()
        cpu_s = time.process_time() - begun_cpu
        told[name] = (time.perf_counter() - begun, cpu_s, peak_mib(), count)
    print(json.dumps(told))


def peak_mib() -> float:
    """This process's own peak: ru_maxrss would hold its parent's, too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / _KIB_PER_MIB


def measured(folder: Path, planted: str) -> dict[str, _Told]:
    """Of each step, each process fresh."""
    found: dict[str, _Told] = {}
    for what in ("python", "report", "recommend --all"):
        command = [sys.executable, __file__, "--child", what, str(folder), "--plant", planted]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"FAIL  {what} of {folder.name} cases: {done.stderr[-2000:]}")
        found |= {name: _Told(*told) for name, told in json.loads(done.stdout).items()}
    return found


def judge(
    verdict: Verdict, step: tuple[str, float], sizes: Sequence[int], told: Sequence[_Told]
) -> None:
    """Hold the largest size against the limits, and against the one before it."""
    (name, limit_s), size, last = step, sizes[-1], told[-1]
    what = f"{name}, {size} cases"
    seconds = f"{last.wall_s:.1f} s"
    verdict.check(what, seconds, f"<= {limit_s:g} s", passed=last.wall_s <= limit_s)
    memory = f"{last.mib:.0f} MiB"
    verdict.check(f"{what}, peak memory", memory, "<= 1 GiB", passed=last.mib <= MOST_MIB)
    shown = f"{last.rows}"
    verdict.check(f"{what}, rows or lines", shown, f">= {size}", passed=last.rows >= size)
    growth = math.log(last.cpu_s / told[-2].cpu_s) / math.log(size / sizes[-2])
    passed = growth <= MOST_GROWTH
    verdict.check(f"{name} grows by size to the power of", f"{growth:.2f}", "<= 1.2", passed=passed)


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
            for name, one in found[-1].items():
                seconds = f"{one.wall_s:.2f} s ({one.cpu_s:.2f} s of a CPU)"
                print(f"      {name}, {size} cases: {seconds}, {one.mib:.0f} MiB", flush=True)
    verdict = Verdict()
    for name, limit_s in LIMITS_S.items():
        judge(verdict, (name, limit_s), sizes, [each[name] for each in found])
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
