"""From Enter to the first table: the README's run command in a fresh clone, timed in two parts."""

from __future__ import annotations

import json
import os
import sys
import time

from verdict import Verdict, fresh_clone, readme_command, shell

MAX_RUN_S = 60.0
MIN_CELLS = 12
TABLE_WIDTH = 80


def main() -> int:
    """Install, run, count."""
    verdict = Verdict()
    install, _, run = readme_command("edgebench run").rpartition(" && ")
    with fresh_clone() as clone:
        start = time.monotonic()
        installed = shell(f"{install} 2>&1 | tail -5; exit ${{PIPESTATUS[0]}}", clone)
        install_s = time.monotonic() - start
        if installed.returncode:
            verdict.check("install", f"exit {installed.returncode}", "0", passed=False)
            return verdict.exit_code
        start = time.monotonic()
        done = shell(f". .venv/bin/activate && {run}", clone, capture=True)
        run_s = time.monotonic() - start
        report = shell(". .venv/bin/activate && edgebench report --json", clone, capture=True)
    print(done.stdout)
    print(done.stderr[-2000:])
    rows = json.loads(report.stdout)
    ok = sum(row["status"] == "ok" for row in rows)
    print(f"      install: {install_s:.1f} s, run: {run_s:.1f} s, {os.cpu_count()} CPUs")
    verdict.check("exit code", str(done.returncode), "0", passed=done.returncode == 0)
    verdict.check("run", f"{run_s:.1f} s", f"< {MAX_RUN_S:g} s", passed=run_s < MAX_RUN_S)
    verdict.check("cells ok", f"{ok} of {len(rows)}", f">= {MIN_CELLS}", passed=ok >= MIN_CELLS)
    widest = max(map(len, done.stdout.splitlines()), default=0)
    fits = 0 < widest <= TABLE_WIDTH
    verdict.check("table", f"{widest} columns", f"<= {TABLE_WIDTH}", passed=fits)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
