"""One worker killed and one made to hang during a real run: the rest complete, then resumed."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from verdict import Verdict

import edgebench

TIMEOUT_S = 5
MARK = secrets.token_hex(8)
"""In the environment of this run's workers, to tell them from others."""
BACKENDS = "onnxruntime,litert"
VICTIMS = {3: signal.SIGKILL, 7: signal.SIGSTOP}
"""Which worker (counted from 1) gets which signal; a stopped one hangs."""
EXIT_FAILED_CELLS = 3


def worker_of(run: psutil.Process) -> psutil.Process | None:
    """The measuring worker of a run, if one lives."""
    for child in run.children():
        with contextlib.suppress(psutil.Error):
            if "edgebench.measure.worker" in " ".join(child.cmdline()):
                return child
    return None


def harass(run: subprocess.Popen[bytes]) -> None:
    """Count workers as they come and signal the victims 0.25 s into their lives."""
    process = psutil.Process(run.pid)
    seen: list[int] = []
    while run.poll() is None:
        worker = worker_of(process)
        if worker is not None and worker.pid not in seen:
            seen.append(worker.pid)
            # The first process only probes the backends.
            if len(seen) - 1 in VICTIMS:
                time.sleep(0.25)
                worker.send_signal(VICTIMS[len(seen) - 1])
        time.sleep(0.005)


def orphans() -> int:
    """Workers of this run that are still there."""
    count = 0
    for process in psutil.process_iter(["cmdline"]):
        if "edgebench.measure.worker" in " ".join(process.info["cmdline"] or []):
            with contextlib.suppress(psutil.Error):
                count += process.environ().get("EDGEBENCH_TEST") == MARK
    return count


def main() -> int:
    """Harass a run, look at what it left, resume it, look again."""
    verdict = Verdict()
    os.environ["EDGEBENCH_TEST"] = MARK
    command = [str(Path(sys.executable).with_name("edgebench")), "run"]
    with tempfile.TemporaryDirectory(prefix="edgebench-faults-") as folder:
        options = ["-b", BACKENDS, "-o", folder, "--timeout", str(TIMEOUT_S)]
        run = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        harass(run)
        time.sleep(2)
        verdict.check(
            "exit code", str(run.returncode), "3", passed=run.returncode == EXIT_FAILED_CELLS
        )
        verdict.check("workers left after 2 s", str(orphans()), "0", passed=orphans() == 0)
        found = edgebench.load(folder)
        bad = found[found["status"] != "ok"]
        good = found[found["status"] == "ok"]
        whole = bool((good["launches"] == good["launches"].max()).all()) and len(good) > 0
        figure = f"{len(good)} of {len(found)} cells ok"
        verdict.check("the rest", figure, "all but 2", passed=len(bad) == len(VICTIMS) and whole)
        for _, row in bad.iterrows():
            print(f"      {row['workload']}/{row['backend']}/{row['precision']}: {row['reason']}")
        named = sorted(bad["status"])
        expected = ["crashed", "timeout"]
        verdict.check("reasons", str(named), str(expected), passed=named == expected)
        (run_dir,) = Path(folder).iterdir()
        before = (run_dir / "results.jsonl").read_bytes()
        resumed = subprocess.run([*command, "--resume", str(run_dir)], check=False)
        after = (run_dir / "results.jsonl").read_bytes()
        kept = after.startswith(before)
        verdict.check("earlier records", "kept" if kept else "changed", "kept", passed=kept)
        found = edgebench.load(folder)
        ok = int((found["status"] == "ok").sum())
        figure = f"exit {resumed.returncode}, {ok} of {len(found)} cells ok"
        passed = resumed.returncode == 0 and ok == len(found)
        verdict.check("--resume", figure, f"exit 0, {len(found)} ok", passed=passed)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
