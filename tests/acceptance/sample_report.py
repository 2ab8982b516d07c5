"""Measure this machine under three limits, and make the sample report and its picture of it.

As `python tests/acceptance/sample_report.py`; takes about fourteen minutes, which should be quiet
ones. Needs [dev], [convert] and pnnx (pip install --no-deps pnnx). ``--results FOLDER`` takes runs
that were measured before (``--keep FOLDER`` leaves them there), ``--brief`` measures little. The
limits are honest ones, each a device by its name: one CPU by affinity, all CPUs, and half a CPU by
a cgroup's quota (where none can be made: the last CPU). Prints its figures, and exits with 1 where
a limit is broken.
"""

from __future__ import annotations

import argparse
import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from six_machines import half_a_cpu
from verdict import ROOT, Verdict

SAMPLE = ROOT / "reports" / "sample"
FAILED_TOO = (0, 3)
"""Exit codes of a run: cells that fail are part of the sample."""
KINDS = "kinds"
"""Of devices: a folder of descriptors for each limit, by which the machine is known under it."""
LARGEST_BYTE = {"report.html": 1_500_000, "latency.png": 150_000}
BACKENDS = "onnxruntime,litert,openvino,opencv-dnn,ncnn,mnn"
ONE, ALL, HALF = "one-core", "all-cores", "half-a-core"
LAST = "last-core"
"""Where no quota can be set."""
QUICK = ("--quick", "--seed", "9", "--meter", "none")
Run = tuple[tuple[str, ...], tuple[str, ...]]
"""Under which limits, and what."""
SUSTAINED = ("--scenario", "sustained", "--minutes", "3.1")
"""What is left of the first minute's speed needs three whole ones."""
EACH, MORE = (ONE, ALL, HALF), (ALL, HALF)
WHOLE: tuple[Run, ...] = (
    (EACH, ("-w", "mnist_cnn,cifar10_cnn,resnet8", "-b", BACKENDS, "-p", "fp32,fp16,int8")),
    ((ALL,), ("-w", "mnist_cnn,resnet8", "-b", BACKENDS, "-p", "fp32,int8", "--threads", "2")),
    (MORE, ("-w", "resnet8", "-b", "onnxruntime,openvino,mnn", "-p", "fp32", "--batch", "2,4,8")),
    (EACH, ("-w", "resnet8", "-b", "onnxruntime", "-p", "fp32,int8", "--region", "e2e")),
    (MORE, ("-w", "resnet8", "-b", "onnxruntime", "-p", "int8", "--scenario", "offline")),
    ((ALL,), ("-w", "resnet8", "-b", "onnxruntime", "-p", "int8", *SUSTAINED)),
)
BRIEF: tuple[Run, ...] = (
    (EACH, ("-w", "mnist_cnn,resnet8", "-b", "onnxruntime,litert,mnn", "-p", "fp32,int8")),
    *WHOLE[3:],
)
SCRIPT = re.compile("<script>.*?</script>", re.DOTALL)
"""Programs of the page; its data is not among them."""
ONE_QUESTION = tuple(
    f"--only={words}"
    for words in ("workload=resnet8", "batch=1", "scenario=single_stream", "region=invoke")
)


def derive() -> None:
    """Models for runtimes with a format of their own; what cannot be made is skipped, and told."""
    for fmt in ("onnx", "ncnn", "mnn"):
        names = ("mnist_cnn", "cifar10_cnn", "resnet8")
        edgebench("workloads", "derive", *names, "--format", fmt, codes=FAILED_TOO)


def measure(folder: Path, runs: Sequence[Run]) -> None:
    """All runs, each under its limits."""
    cpus = sorted(os.sched_getaffinity(0))
    for limits, words in runs:
        for limit in limits:
            if limit == ONE:
                run(folder, ONE, words, taskset=cpus[0])
            elif limit == ALL:
                run(folder, ALL, words)
            else:
                with half_a_cpu() as group:
                    if group is None:
                        run(folder, LAST, words, taskset=cpus[-1])
                    else:
                        run(folder, HALF, words, group=group)


def run(
    folder: Path,
    name: str,
    words: Sequence[str],
    *,
    taskset: int | None = None,
    group: Path | None = None,
) -> None:
    """One run of this machine under a limit."""

    def limited() -> None:
        if taskset is not None:
            os.sched_setaffinity(0, {taskset})
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    kind = folder / KINDS / name
    if not kind.exists():
        edgebench("devices", "add", f"x86-{name}", paths=(kind,))
    device = ("--device-name", f"x86-{name}", "-o", str(folder / name))
    edgebench("run", *words, *QUICK, *device, paths=(kind,), limited=limited, codes=FAILED_TOO)


def edgebench(
    *arguments: str,
    paths: Sequence[Path] = (),
    limited: Callable[[], None] | None = None,
    codes: Sequence[int] = (0,),
) -> None:
    """Run the command line as a user does, with further folders of devices."""
    print("$ edgebench", *arguments, flush=True)
    command = [sys.executable, "-m", "edgebench", *arguments]
    env = {**os.environ, "EDGEBENCH_PATH": os.pathsep.join(map(str, paths))}
    quiet = subprocess.DEVNULL
    done = subprocess.run(command, preexec_fn=limited, env=env, stdout=quiet, check=False)
    if done.returncode not in codes:
        raise SystemExit(f"exit code {done.returncode}")


def make(results: Path, out: Path) -> None:
    """The page and its picture."""
    out.mkdir(parents=True, exist_ok=True)
    kinds = sorted((results / KINDS).iterdir())
    edgebench("report", str(results), "--html", str(out / "report.html"), paths=kinds)
    picture = ("--png", f"latency={out / 'latency.png'}", "--width", "900", "--rows", "12")
    edgebench("report", str(results), *picture, *ONE_QUESTION)


def judge(results: Path, out: Path) -> int:
    """Whether they may lie in a repository; the exit code."""
    verdict = Verdict()
    for name, limit in LARGEST_BYTE.items():
        size = (out / name).stat().st_size
        verdict.check(f"{name}, byte", str(size), f"<= {limit}", passed=size <= limit)
    page = SCRIPT.sub("", (out / "report.html").read_text(encoding="utf-8"))
    private = {socket.gethostname(), getpass.getuser(), str(ROOT), str(Path.home()), str(results)}
    private -= {"root", "vm", "localhost"}  # words that name nobody
    told = sorted(word for word in private if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", page))
    verdict.check("names of the host, its user, its folders", str(told), "[]", passed=not told)
    return verdict.exit_code


def main() -> int:
    """Measure, unless that was done, write and judge; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SAMPLE)
    parser.add_argument("--results", type=Path, help="runs that were measured before")
    parser.add_argument("--keep", type=Path, help="a folder for the runs")
    parser.add_argument("--brief", action="store_true", help="little, to try this out")
    asked = parser.parse_args()
    results = asked.results or asked.keep or Path(tempfile.mkdtemp())
    try:
        if asked.results is None:
            derive()
            measure(results, BRIEF if asked.brief else WHOLE)
        make(results, asked.out)
        return judge(results, asked.out)
    finally:
        if not (asked.results or asked.keep):
            shutil.rmtree(results)


if __name__ == "__main__":
    raise SystemExit(main())
