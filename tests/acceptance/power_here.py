"""On a machine without a power sensor `edgebench run --standard` says so and invents nothing.

Proxies are there, no column holds joules or watts, no time is spent on a power pass. For a
virtual machine without sensors: where there is one, the first line fails and says so.
`--plant` gives the run a fake meter, which must fail.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from verdict import Verdict

from edgebench.runner.power import NO_SENSOR
from edgebench.store.read import read_run

RUN = ("-w", "mnist_cnn", "-b", "onnxruntime", "-p", "fp32", "--standard", "--seed", "1")
PLANT = ("--meter", "edgebench.testing:FakeMeter", "--power-window", "3")
PROXIES = ("cpu_per_inference_ms",)
UNITS = ("_mj", "_j", "_w", "_mw")
"""Last words of columns that hold energy or power."""
IDLE_S = 10.0


def edgebench(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, its lock beside its results."""
    return subprocess.run(
        [sys.executable, "-m", "edgebench", *words],
        cwd=folder,
        env={**os.environ, "EDGEBENCH_LOCK": str(folder / "lock")},
        text=True,
        capture_output=True,
        check=False,
    )


def main() -> int:
    """Judge one run; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="give the run a fake meter")
    more = PLANT if parser.parse_args().plant else ()
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-power-") as name:
        folder = Path(name)
        ran = edgebench("run", *RUN, *more, "-o", "out", folder=folder)
        told = edgebench("report", "out", "--csv", "-", folder=folder)
        rows = list(csv.DictReader(io.StringIO(told.stdout)))
        folders = [path for path in (folder / "out").iterdir() if path.is_dir()]
        records = [record for each in folders for record in read_run(each).records]
    verdict.check("run --standard", f"exit code {ran.returncode}", "0", passed=not ran.returncode)
    said = ran.stderr.count(NO_SENSOR)
    verdict.check(f"{NO_SENSOR!r} is said", f"{said} times", "once", passed=said == 1)
    proxies = {key: row.get(key, "") for row in rows for key in PROXIES}
    verdict.check("proxies", str(proxies), "measured", passed=all(map(float, proxies.values())))
    joules = {k: v for row in rows for k, v in row.items() if k.endswith(UNITS) and v}
    columns = sum(key.endswith(UNITS) for key in rows[0]) if rows else 0
    figure = f"{len(joules)} of {columns} columns hold a figure {joules or ''}".strip()
    verdict.check("joules and watts", figure, "0, of some", passed=columns > 0 and not joules)
    reasons = {row.get("power_reason", "") for row in rows}
    good = all("no power sensor" in reason for reason in reasons)
    verdict.check("the reason in the CSV", "; ".join(reasons), "no power sensor", passed=good)
    longest_s = max((record.launch_ns or 0) / 1e9 for record in records)
    none = all(record.power is None for record in records) and longest_s < IDLE_S
    verdict.check("no power pass", f"launches of {longest_s:.1f} s", "< 10 s", passed=none)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
