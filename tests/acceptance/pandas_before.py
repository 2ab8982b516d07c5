"""Frames on the pandas before this one: the oldest that the package allows.

An environment of its own gets the tree, [report]'s pandas at 2.2, and what the suite's own setup
imports (pytest, hypothesis); the tests of frames run there. What they import of the current pandas
only, or what 2.2 does otherwise, fails them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from verdict import ROOT, Verdict, bare_environment

OLDEST = "2.2"
TESTS = ("report/test_recommendation.py", "report/test_comparison.py", "report/test_report.py")


def run(*line: str) -> subprocess.CompletedProcess[str]:
    """Run in the tree, without signs of another environment."""
    return subprocess.run(
        line, cwd=ROOT, env=bare_environment(), capture_output=True, text=True, check=False
    )


def main() -> int:
    """Install, test."""
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-pandas-") as name:
        own = str(Path(name) / "env/bin/python")
        run(sys.executable, "-m", "uv", "venv", "-q", "-p", "3.11", str(Path(name) / "env"))
        wanted = [f"{ROOT}[report]", f"pandas=={OLDEST}.*", "pytest", "hypothesis"]
        uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "-p", own]
        installed = run(*uv, "-e", *wanted)
        found = run(own, "-c", "import pandas; print(pandas.__version__)").stdout.strip()
        verdict.check("pandas", found or installed.stderr[-300:], OLDEST, passed=OLDEST in found)
        tests = [f"tests/{one}" for one in TESTS]
        done = run(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
        counts = re.findall(r"\d+ (?:passed|failed|errors?|skipped)", done.stdout[-400:])
        if done.returncode:
            print(done.stdout[-3000:])
        passed = done.returncode == 0 and "passed" in " ".join(counts)
        verdict.check("tests of frames", ", ".join(counts), "none failed", passed=passed)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
