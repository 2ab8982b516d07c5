"""Throttling planted mid-run and a CPU hog beside a run are flagged, each with its reason.

Whole `edgebench run`s on a planted machine (``EDGEBENCH_ROOT``): after the second of six launches a
file changes as it does when a device is slowed down, and stays so. Each run is told apart from one
on the same machine without the change. Then a real hog beside a real run, and `--require-valid` with
it. Last, 100 clean runs of three short launches of a backend that computes nothing: at most 6 of
them may be flagged.

The last part needs a machine on which nobody else works; how busy others kept it is printed, and
what was flagged. Alone: `throttle.py --clean`; all but that: `throttle.py --flagged`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from verdict import Verdict

from edgebench import resources
from edgebench.analysis import validity
from edgebench.records import Case, PlannedCase, Record
from edgebench.runner import launcher
from edgebench.testing import NullBackend, write_tree
from edgebench.wire import LaunchRequest

RUNS, LAUNCHES, FLAGGED_LIMIT = 100, 3, 6
HOG = "edgebench-hog"
CPUFREQ = "sys/devices/system/cpu/cpufreq/policy0"
THERMAL = "sys/class/thermal"
QUIET_CPUS = 0.05
"""CPUs that others may keep busy before it is said that they were at work."""
PI = "sys/devices/platform/soc/soc:firmware/get_throttled"
X86 = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"


class Plant(NamedTuple):
    """A machine, what happens to it, and how that is to be told."""

    name: str
    tree: dict[str, str]
    change: dict[str, str]
    verdict: str
    words: str


PLANTS = (
    Plant(
        "kernel's cooling",
        {
            f"{THERMAL}/cooling_device0/type": "cpufreq-cpu0\n",
            f"{THERMAL}/cooling_device0/cur_state": "0\n",
            f"{CPUFREQ}/scaling_max_freq": "1800000\n",
        },
        {f"{THERMAL}/cooling_device0/cur_state": "4\n"},
        "suspect",
        "throttled: cpufreq-cpu0",
    ),
    Plant(
        "a Pi's heat",
        {PI: "0\n"},
        {PI: "40004\n"},
        "suspect",
        "throttled: the firmware throttles for heat",
    ),
    Plant(
        "a Pi's under-voltage",
        {PI: "50000\n"},
        {PI: "50005\n"},
        "invalid",
        "the power supply is too weak: under-voltage",
    ),
    Plant(
        "a Jetson's alert",
        {
            f"{THERMAL}/cooling_device0/type": "gpu-throttle-alert\n",
            f"{THERMAL}/cooling_device0/cur_state": "0\n",
        },
        {f"{THERMAL}/cooling_device0/cur_state": "1\n"},
        "suspect",
        "throttled: gpu-throttle-alert",
    ),
    Plant(
        "an x86's counter",
        {X86: "17\n"},
        {X86: "counts"},
        "suspect",
        "throttled: the processor throttled itself for heat",
    ),
)


def run(
    folder: Path, root: Path | None = None, *more: str
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """One run of six launches of 2 s; its row, and how it ended."""
    planted = {"EDGEBENCH_ROOT": str(root)} if root is not None else {}
    command = [sys.executable, "-m", "edgebench", "run", "--standard", "-w", "mnist_cnn"]
    command += ["-b", "onnxruntime", "-p", "fp32", "--json", "-o", str(folder), *more]
    done = subprocess.run(  # noqa: S603 - our own command
        command,
        env={**os.environ, **planted},
        capture_output=True,
        text=True,
        check=False,
    )
    (row,) = json.loads(done.stdout)
    return row, done


def change_later(folder: Path, root: Path, change: dict[str, str], over: threading.Event) -> None:
    """Wait for the second record, then let it happen: in the middle of the next launch, or so."""
    while not over.wait(0.05):
        lines = sum(len(p.read_bytes().splitlines()) for p in folder.glob("*/results.jsonl"))
        if lines >= 2:  # noqa: PLR2004 - two of six launches are as they should be
            break
    over.wait(2.0)
    count = 0
    while not over.wait(0.2):
        count += 1
        counted = {p: f"{17 + count}\n" if t == "counts" else t for p, t in change.items()}
        for path, text in counted.items():  # whole or not at all: it is being read
            made = root / f"{path}.new"
            made.write_text(text, encoding="ascii")
            made.replace(root / path)


def check_plant(verdict: Verdict, plant: Plant, *, changes: bool) -> None:
    """A run on a planted machine, with the change or without."""
    with tempfile.TemporaryDirectory(prefix="edgebench-throttle-") as name:
        folder, root = Path(name) / "runs", write_tree(Path(name) / "root", plant.tree)
        over = threading.Event()
        change = plant.change if changes else {}
        args = (folder, root, change, over)
        planter = threading.Thread(target=change_later, args=args)
        planter.start()
        try:
            row, _ = run(folder, root)
        finally:
            over.set()
            planter.join()
    caveats = str(row["caveats"])
    told = plant.words in caveats
    if changes:
        passed = told and row["validity"] == plant.verdict
        figure, limit = f"{row['validity']}: {caveats}", f"{plant.verdict}: {plant.words}"
        verdict.check(f"{plant.name}, planted after launch 2", figure, limit, passed=passed)
    else:
        figure = "told" if told else "not told"
        verdict.check(f"{plant.name}, not planted", figure, "not told", passed=not told)


def check_hog(verdict: Verdict) -> None:
    """A real run beside a real hog, which has a name of its own."""
    with tempfile.TemporaryDirectory(prefix="edgebench-throttle-") as name:
        hog = Path(name) / HOG
        hog.symlink_to("/bin/sh")
        with subprocess.Popen([str(hog), "-c", "while :; do :; done"]) as process:  # noqa: S603 - sh
            try:
                row, done = run(Path(name) / "runs", None, "--require-valid")
            finally:
                process.kill()
    figure = f"{row['validity']}: {row['caveats']}"
    passed = row["validity"] == "suspect" and HOG in str(row["caveats"])
    verdict.check("a CPU hog beside a run", figure, f"suspect, and {HOG}", passed=passed)
    passed = done.returncode == 3 and HOG in done.stderr  # noqa: PLR2004 - the exit code
    verdict.check(
        "--require-valid beside it", f"exit code {done.returncode}", "3, and why", passed=passed
    )


def clean_request(number: int, launch: int) -> LaunchRequest:
    """A launch of a backend that computes nothing for 0.3 s."""
    workload = resources.open_workload("mnist_cnn")
    model = workload.model("onnx", "fp32")
    assert model is not None
    case = Case(
        workload="mnist_cnn",
        workload_version=1,
        source_sha256="",
        backend=NullBackend.name,
        format="onnx",
        precision="fp32",
        options={"busy_us": "500"},
    )
    return LaunchRequest(
        parent_pid=os.getpid(),
        run_id=f"clean-{number}",
        case_id=case.case_id,
        launch=launch,
        started_at_utc="",
        case=case,
        compares=False,
        model_path=str(workload.file(model.path)),
        model_layout=model.layout,
        model_sha256=model.sha256,
        reference_path=str(workload.file("reference.npz")),
        warmup_s=0.05,
        warmup_max_s=1.0,
        measure_s=0.3,
    )


def check_clean(verdict: Verdict) -> None:
    """As many runs as it says, none of them disturbed by us."""
    limits = launcher.Limits(timeout_s=60.0, measure_s=0.3)
    flagged: Counter[str] = Counter()
    count, quiet = 0, Quiet()
    with tempfile.TemporaryDirectory(prefix="edgebench-throttle-") as name:
        for number in range(RUNS):
            records: list[Record] = []
            for launch in range(LAUNCHES):
                request = clean_request(number, launch)
                records.append(launcher.launch(request, limits, Path(name) / "log"))
                if records[-1].status != "ok":
                    raise SystemExit(f"FAIL  a launch failed: {records[-1].reason}")
            planned = PlannedCase(case_id=request.case_id, case=request.case)
            judged, reasons = validity.verdict(records, planned)
            count += judged != "valid"
            flagged.update(reasons)
    for reason, times in flagged.most_common(FLAGGED_LIMIT):
        print(f"      {times} x {reason}", flush=True)
    print(f"      {quiet.words()}", flush=True)
    verdict.check(
        f"false flags on {RUNS} clean runs",
        str(count),
        f"<= {FLAGGED_LIMIT}",
        passed=count <= FLAGGED_LIMIT,
    )


class Quiet:
    """How busy others kept the machine since it was made, by the kernel's books less our own."""

    def __init__(self) -> None:
        self._wall_s, self._others_s = time.monotonic(), self._now_s()

    @staticmethod
    def _now_s() -> float:
        times, mine = psutil.cpu_times(), os.times()
        busy = sum(times) - times.idle - getattr(times, "iowait", 0.0)
        busy -= getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return float(busy - sum(mine[:4]))

    def words(self) -> str:
        """A line that says whether the machine was quiet."""
        cpus = (self._now_s() - self._others_s) / (time.monotonic() - self._wall_s)
        note = "quiet" if cpus <= QUIET_CPUS else "OTHERS WERE AT WORK: flags may be right ones"
        return f"others kept {cpus:.2f} CPUs busy meanwhile ({note})"


def main() -> int:
    """Plant, hog and wait; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clean", action="store_true", help="the clean runs alone")
    parser.add_argument("--flagged", action="store_true", help="all but the clean runs")
    parser.add_argument("--plant", action="store_true", help="plant nothing: must FAIL")
    args = parser.parse_args()
    verdict = Verdict()
    if not args.clean:
        for plant in PLANTS:
            check_plant(verdict, plant, changes=not args.plant)
            if args.plant:
                verdict.check("planted nothing", "valid", plant.verdict, passed=False)
        for plant in PLANTS[:1]:
            check_plant(verdict, plant, changes=False)
        check_hog(verdict)
    if not args.flagged:
        check_clean(verdict)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
