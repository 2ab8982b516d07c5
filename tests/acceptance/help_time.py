"""`edgebench --help`: how long it takes, and what it imports."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from verdict import Verdict

MAX_MS = 80.0
RUNS = 31
HEAVY = "numpy pandas scipy altair rich msgspec psutil onnxruntime ai_edge_litert"
LIST = f"""
import sys
sys.argv = ["edgebench", "--help"]
from edgebench.cli.main import main
try:
    main()
except SystemExit:
    pass
print([name for name in {HEAVY.split()!r} if name in sys.modules])
"""


def main() -> int:
    """Time the installed command; the empty interpreter beside it for scale."""
    verdict = Verdict()
    command = [str(Path(sys.executable).with_name("edgebench")), "--help"]
    bare = [sys.executable, "-c", "pass"]
    times: dict[str, list[float]] = {"help": [], "bare": []}
    for _ in range(RUNS):  # alternated: the machine's mood falls on both
        for name, line in (("help", command), ("bare", bare)):
            start = time.perf_counter()
            subprocess.run(line, stdout=subprocess.DEVNULL, check=True)
            times[name].append((time.perf_counter() - start) * 1000)
    median_ms, bare_ms = (statistics.median(times[name]) for name in ("help", "bare"))
    figure = f"{median_ms:.1f} ms, median of {RUNS} (python alone {bare_ms:.1f} ms)"
    verdict.check("--help", figure, f"<= {MAX_MS:g} ms", passed=median_ms <= MAX_MS)
    done = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True)
    heavy = done.stdout.strip().splitlines()[-1]
    verdict.check("imported by --help", heavy, "[]", passed=heavy == "[]")
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
