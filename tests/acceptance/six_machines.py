"""The devices of `six_devices.py`: this machine under three limits, and six that nobody has.

Measured for real are one CPU by affinity, all CPUs with two threads, and a cgroup quota of half a
CPU (where none can be made: the last CPU by affinity). The planted ones' figures are stated
(`edgebench.testing.fleet`), and their records say so.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from verdict import Verdict

import edgebench
from edgebench.metering import Tier
from edgebench.testing.fleet import Cell, Device

RUN = ("-w", "mnist_cnn", "-b", "onnxruntime,litert", "-p", "fp32,int8", "--seed", "1")
HERE = "this-machine"
BOARD: Tier = "board_measured"
WALL: Tier = "wall_measured"


def fakes() -> tuple[Device, ...]:
    """Six devices, with something to be said against most."""
    pair = (Cell(latency_ms=0.040, top1_ratio=0.989, power_w=5.5),)
    return (
        Device(  # of two that are alike, int8 of another runtime, which loses too much top-1
            name="raspberry-pi-5",
            tier=BOARD,
            cells=(
                Cell(latency_ms=0.060, top1_ratio=0.989, power_w=6.0),
                Cell(precision="int8", latency_ms=0.0300, top1_ratio=0.990, power_w=5.0),
                Cell(backend="ncnn", latency_ms=0.0300, top1_ratio=0.989, power_w=5.0),
                Cell(backend="ncnn", precision="int8", latency_ms=0.02, top1_ratio=0.96),
            ),
        ),
        Device(  # faster than all, and dearer than the limit
            name="jetson-orin-nano",
            tier=BOARD,
            cells=(
                Cell(latency_ms=0.010, top1_ratio=0.989, power_w=7.0),
                Cell(precision="fp16", latency_ms=0.008, top1_ratio=0.989, power_w=6.0),
            ),
        ),
        Device(name="board-without-descriptor", cells=pair, tier=BOARD),
        Device(  # its int8 outputs are not those of the model
            name="rock-5b",
            tier=BOARD,
            cells=(*pair, Cell(precision="int8", latency_ms=0.005, top1_ratio=0.989, cosine=0.4)),
        ),
        Device(  # asked for int8, it ran fp32; another cell failed, and one is too slow
            name="orange-pi-5",
            tier=BOARD,
            cells=(
                Cell(
                    precision="int8", latency_ms=0.02, top1_ratio=0.99, effective_precision="fp32"
                ),
                Cell(backend="ncnn", reason="the model was refused"),
                Cell(latency_ms=0.200, top1_ratio=0.989, power_w=4.0),
            ),
        ),
        Device(
            name="gmktec-g3-plus",
            tier=WALL,
            cells=(
                Cell(latency_ms=0.020, top1_ratio=0.989, power_w=6.3),
                Cell(precision="int8", latency_ms=0.0155, top1_ratio=0.990, power_w=6.2),
            ),
        ),
    )


@contextlib.contextmanager
def half_a_cpu() -> Iterator[Path | None]:
    """A cgroup with a quota of half a CPU, version 1 or 2; None where none can be made."""
    mark = f"edgebench-six-{os.getpid()}"
    for base, limit, words in (
        (Path("/sys/fs/cgroup/cpu"), "cpu.cfs_quota_us", "50000"),
        (Path("/sys/fs/cgroup"), "cpu.max", "50000 100000"),
    ):
        group = base / mark
        try:
            group.mkdir()
            try:
                (group / limit).write_text(words)
                joined = f"echo $$ > '{group}/cgroup.procs'"
                subprocess.run(["/bin/sh", "-c", joined], check=True, capture_output=True)
                yield group
            finally:
                group.rmdir()
        except (OSError, subprocess.CalledProcessError):
            continue
        return
    yield None


def measure(verdict: Verdict, folder: Path) -> None:
    """This machine under three limits, each a device_id of its own."""
    cpus = sorted(os.sched_getaffinity(0))
    run(verdict, folder, "one-cpu", taskset=cpus[0])
    run(verdict, folder, "two-threads", "--threads", str(min(2, len(cpus))))
    with half_a_cpu() as group:
        if group is None:
            print(
                "NOT RUN  a quota of half a CPU: no cgroup can be made here; its last CPU instead"
            )
            run(verdict, folder, "last-cpu", taskset=cpus[-1])
        else:
            run(verdict, folder, "half-a-cpu", group=group)


def run(
    verdict: Verdict,
    folder: Path,
    name: str,
    *more: str,
    taskset: int | None = None,
    group: Path | None = None,
) -> None:
    """One run of this machine under a limit."""

    def limited() -> None:
        if taskset is not None:
            os.sched_setaffinity(0, {taskset})
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    words = ["run", *RUN, *more, "--device-name", f"{HERE}-{name}", "-o", str(folder / name)]
    done = subprocess.run(
        [sys.executable, "-m", "edgebench", *words],
        preexec_fn=limited,
        env={**os.environ, "EDGEBENCH_LOCK": str(folder / "lock")},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = edgebench.load(folder / name) if done.returncode == 0 else pd.DataFrame()
    setup = done.stderr[-300:]
    if len(rows):
        told = rows["device_setup"].iloc[0]
        setup = "nothing taken away" if pd.isna(told) else told
    verdict.check(
        f"measured here: {name}", f"{len(rows)} cells ({setup})", "4 cells", passed=len(rows) == 4
    )
