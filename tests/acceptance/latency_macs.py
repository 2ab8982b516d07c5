"""Latency against MACs: the picture, and each outlier explained by the operator profile.

Takes a run of ``workload_matrix.py`` (or any run), finds the cells further than a factor from the
line of their backend (`edgebench.analysis.work`), and has ``edgebench profile`` look at each, and
at a cell of the same backend and precision that lies on the line. What is slower or faster there
per MAC, or does not multiply at all, is named (`outliers`); what that leaves open counts.

Writes ``report.html``, ``latency_macs.png`` and ``.svg`` to ``--out`` and prints a table in
Markdown. Profiles of a noisy machine blame whichever operator was interrupted: it must be quiet.

    python tests/acceptance/latency_macs.py RUN_DIR --built FOLDER --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from command_line import edgebench, with_workloads
from outliers import Profile, explain, profile_of
from verdict import Verdict
from workload_matrix import Row, cell, rows_of

from edgebench import load
from edgebench.analysis import work
from edgebench.analysis.work import Standing
from edgebench.report.table import number

LARGEST_UNEXPLAINED_RATIO = 0.25
ON_THE_LINE_RATIO = 1.25
"""Times off the line up to which a cell is one that others may be held against."""
TRIES = 3
"""Cells on the line that are profiled until one can be."""
CALLS = (50, 10, 2)
"""To profile; fewer where a runtime's buffer holds no more."""


class Verdicts(NamedTuple):
    """An outlier and what its profile says."""

    standing: Standing
    explained: bool
    sentences: tuple[str, ...]


class Profiler:
    """`edgebench profile` of a run's cells, each once.

    Args:
        run: Its folder.
        environment: In which its workloads are found.
        out: Parent of the profiles' folders.
    """

    def __init__(self, run: Path, environment: Mapping[str, str], out: Path) -> None:
        self._run, self._environment, self._out = run, environment, out
        self._known: dict[str, Profile | str] = {}

    def __call__(self, row: Row) -> Profile | str:
        """Where the time of a cell goes, or the reason why nobody can tell."""
        key = str(row["case_id"])
        if key not in self._known:
            self._known[key] = self._profile(key, work.call_mmac(row) or 0.0)
        return self._known[key]

    def _profile(self, case_id: str, mmac: float) -> Profile | str:
        reason = ""
        for calls in CALLS:
            asked = ("profile", str(self._run), case_id, "--json", "-n", str(calls))
            done = subprocess.run(
                [sys.executable, "-m", "edgebench.cli.main", *asked, "-o", str(self._out)],
                capture_output=True,
                text=True,
                env={**os.environ, **self._environment},
                check=False,
            )
            if done.returncode == 0:
                return profile_of(json.loads(done.stdout), mmac)
            reason = (done.stderr.strip().splitlines() or ["no words"])[-1]
        return reason


def on_the_line(one: Standing, standings: Sequence[Standing]) -> list[Standing]:
    """Cells to hold an outlier against, the best first: of like work, and close to the line."""

    def apart(other: Standing) -> float:
        works = [work.call_mmac(standing.row) or 1.0 for standing in (other, one)]
        return abs(math.log(works[0] / works[1]))

    key = (one.row["backend"], one.row["precision"])
    same = [s for s in standings if (s.row["backend"], s.row["precision"]) == key and s != one]
    off = {id(s): max(s.ratio, 1 / s.ratio) for s in same}
    close = sorted((s for s in same if off[id(s)] <= ON_THE_LINE_RATIO), key=apart)
    near = sorted((s for s in same if not s.outlier and s not in close), key=lambda s: off[id(s)])
    return [*close, *near]


def judged(one: Standing, standings: Sequence[Standing], look: Profiler) -> Verdicts:
    """An outlier against the first cell on the line that can be profiled."""
    mine = look(one.row)
    if isinstance(mine, str):
        return Verdicts(one, False, (mine,))
    reason = "no cell lies on its line"
    for other in on_the_line(one, standings)[:TRIES]:
        usual = look(other.row)
        if not isinstance(usual, str):
            found = explain(one.ratio, one.ratio * one.expected_ms, mine, usual)
            return Verdicts(one, found.explained, found.sentences)
        reason = usual
    return Verdicts(one, False, (reason,))


def explained(standings: Sequence[Standing], look: Profiler) -> list[Verdicts]:
    """Every outlier with its explanation, the furthest off first; a line each on stdout."""
    print("| cell | times its line | why | explained |")
    print("|---|---:|---|---|")
    found = []
    for one in (one for one in standings if one.outlier):
        verdict = judged(one, standings, look)
        why = "; ".join(verdict.sentences)
        said = "yes" if verdict.explained else "NO"
        print(f"| {cell(one.row)} | {number(one.ratio)} | {why} | {said} |", flush=True)
        found.append(verdict)
    return found


def draw(frame: pd.DataFrame, out: Path) -> None:
    """The picture alone, for a note."""
    # Imported here: Altair wants `packaging`, which is not our packaging.py.
    sys.path.remove(str(Path(__file__).resolve().parent))
    from edgebench.report import charts

    chart = charts.work(frame)
    for suffix in ("png", "svg"):
        chart.save(str(out / f"latency_macs.{suffix}"))


def main() -> int:
    """Draw, profile, print, judge; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--built", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("latency-macs"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-macs-") as name:
        environment = with_workloads(options.built, Path(name))
        os.environ |= environment
        page = options.out / "report.html"
        edgebench("report", str(options.run), "--html", str(page), "--json")
        frame = load(options.run)
        draw(frame, options.out)
        standings = work.standings(rows_of(frame))
        look = Profiler(options.run, environment, options.out / "profiles")
        found = explained(standings, look)
    drawn = 'id="chart-work"' in page.read_text(encoding="utf-8")
    verdict.check("the picture is on the page", str(drawn), "True", passed=drawn)
    verdict.check(
        "cells judged by a line", str(len(standings)), "1 or more", passed=bool(standings)
    )
    open_ones = [cell(one.standing.row) for one in found if not one.explained]
    verdict.check(
        f"outliers that a profile does not explain, of {len(found)}",
        f"{len(open_ones)} {', '.join(open_ones)}".strip(),
        f"{LARGEST_UNEXPLAINED_RATIO:.0%} of them",
        passed=len(open_ones) <= LARGEST_UNEXPLAINED_RATIO * len(found),
    )
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
