"""Budgets in a test suite: a limit at the true value holds, 10 % over it is found.

Through the real pytest and plug-in: for each of the seeds 1, 2 and 3 and as many launches as quick
and standard have, a thousand planted runs whose true median is the limit (at most 5 % may fail;
2.5 % are to be expected of a right 95 % interval) and a hundred whose true median lies 10 % beyond
it (at least 95 % must); then one real run of mnist_cnn. Launches differ by 1 %, as planted. Of a
hundred runs at the limit six or more fail once in 28 times where all is right, which is why there
are a thousand. Needs no quiet machine; about five minutes, with ``--share 0.3`` a third of that.
``--plant`` puts the true median of the first 10 % over the limit and that of the second at it: both
must print FAIL.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from verdict import Verdict

from edgebench.testing import fleet

SEEDS = (1, 2, 3)
AT_LIMIT = 1000
BEYOND = 100
SAMPLES = 100
"""Of a launch: enough for its median."""
LIMIT_MS = 10.0
OVER_RATIO = 1.1
MOST_FALSE_RATIO = 0.05
LEAST_FOUND_RATIO = 0.95
PRESETS = {"quick": 3, "standard": 6}
"""Launches of each."""
SUITE = """
from pathlib import Path
import pytest

PLACES = sorted(Path("runs").iterdir())

@pytest.mark.edgebench(max={"latency_p50_ms": %s})
@pytest.mark.parametrize("place", PLACES, ids=lambda one: one.name)
def test_budget(edgebench, place):
    edgebench.budget(edgebench.read(place))
"""
REAL = """
import pytest

@pytest.mark.edgebench(max={"latency_p99_ms": %s}, min={"top1_ratio": 0.7})
def test_real(edgebench):
    cell = edgebench.run("mnist_cnn", backend="onnxruntime", precision="int8", threads=1)
    assert cell.latency_p50_lo_ms <= cell.latency_p50_ms <= cell.latency_p50_hi_ms
"""


def outcomes(folder: Path, source: str) -> tuple[int, int, str]:
    """``(tests, broken budgets, what pytest said)`` of a suite."""
    (folder / "test_budgets.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml", "junit.xml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    cases = list(ET.parse(folder / "junit.xml").iter("testcase"))  # noqa: S314 - made here
    failures = [one.text or "" for case in cases for one in case.iter("failure")]
    errors = [one for case in cases for one in case.iter("error")]
    if errors or any("budget broken" not in text for text in failures):
        raise SystemExit(f"FAIL  pytest did not judge: {done.stdout[-2000:]}")
    return len(cases), len(failures), done.stdout


def broken_of(budgets: int, median_ms: float, seed: int, launches: int) -> int:
    """How many of these budgets are broken where the true median is this."""
    with tempfile.TemporaryDirectory(prefix="edgebench-budget-") as name:
        folder = Path(name)
        for i in range(budgets):
            device = fleet.Device(name="planted", cells=(fleet.Cell(latency_ms=median_ms),))
            place = folder / "runs" / f"{i:04}"
            fleet.write(place, device, seed=10_000 * seed + i, launches=launches, samples=SAMPLES)
        tests, broken, _ = outcomes(folder, SUITE % LIMIT_MS)
    if tests != budgets:
        raise SystemExit(f"FAIL  {tests} tests ran, not {budgets}")
    return broken


def main() -> int:
    """Judge the planted and the real; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="swap the two: must print FAIL")
    parser.add_argument("--share", type=float, default=1.0, help="less than so many, for a gate")
    given = parser.parse_args()
    at_limit, over = (round(count * given.share) for count in (AT_LIMIT, BEYOND))
    within, beyond = LIMIT_MS, LIMIT_MS * OVER_RATIO
    if given.plant:
        within, beyond = beyond, within
    verdict = Verdict()
    for preset, launches in PRESETS.items():
        for seed in SEEDS:
            false = broken_of(at_limit, within, seed, launches) / at_limit
            what = f"{preset}, seed {seed}: {at_limit} budgets at the true value that fail"
            good = false <= MOST_FALSE_RATIO
            verdict.check(what, f"{false:.1%}", f"<= {MOST_FALSE_RATIO:.0%}", passed=good)
            found = broken_of(over, beyond, seed, launches) / over
            what = f"{preset}, seed {seed}: {over} budgets broken by 10 % that fail"
            good = found >= LEAST_FOUND_RATIO
            verdict.check(what, f"{found:.1%}", f">= {LEAST_FOUND_RATIO:.0%}", passed=good)
    for limit_ms, expected in ((1000.0, 0), (0.0001, 1)):
        with tempfile.TemporaryDirectory(prefix="edgebench-budget-") as name:
            _, broken, said = outcomes(Path(name), REAL % limit_ms)
        line = next(one for one in said.splitlines() if one.startswith("  latency_p99_ms"))
        what = f"a real run against {limit_ms:g} ms"
        good = broken == expected
        verdict.check(what, " ".join(line.split()), f"{expected} broken", passed=good)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
