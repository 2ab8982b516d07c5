"""Latency against MACs: the picture, and each outlier explained by the operator profile.

Takes a run of ``workload_matrix.py`` (or any run), finds the cells further than a factor from the
line of their backend (`edgebench.analysis.work`), and has ``edgebench profile`` look at each:

- slower than its MACs suggest: explained where the dense convolutions and matrix products alone
  would lie within the factor, so that the rest (depthwise convolutions, elementwise operators,
  layout changes, the runtime's own time between operators) takes what the MACs do not explain;
- faster: explained where dense operators, which runtimes are best at, take most of the time.

Beside it stands the profile of that backend's cell which lies nearest to the line. Writes
``report.html``, ``latency_macs.png`` and ``.svg`` to ``--out`` and prints a table in Markdown.

    python tests/acceptance/latency_macs.py RUN_DIR --built FOLDER --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import pandas as pd
from command_line import edgebench, with_workloads
from verdict import Verdict
from workload_matrix import Row, cell, rows_of

from edgebench import load, resources
from edgebench.analysis import work
from edgebench.analysis.work import Standing
from edgebench.report.table import number

LARGEST_UNEXPLAINED_RATIO = 0.25
SMALLEST_DENSE_RATIO = 0.5
"""Share of dense operators from which a cell that is faster than its MACs suggest is explained."""
TRIES = 3
"""Cells on the line that are profiled until one can be."""
CALLS = (30, 5, 1)
"""To profile; fewer where a runtime's buffer holds no more."""
DEPTHWISE = re.compile(r"depthwise|dwconv|group_?conv|convolutiondw", re.IGNORECASE)
DENSE = re.compile(
    r"conv|gemm|mat_?mul|inner_?product|fully_?connected|linear|addmm|dense|winograd", re.IGNORECASE
)
NOT_DENSE = re.compile(r"convert|im2col", re.IGNORECASE)
AROUND = re.compile(r"^onnx_node(_output_\d+)?!|_nchwc$|_quant(ized)?$|:0$")
"""What runtimes put around the names of an ONNX file's nodes."""
OUTSIDE = "between operators"
FOLLOWING = frozenset({"Add", "Mul", "Relu", "Clip", "BatchNormalization", "HardSwish"})
"""Operators that runtimes fuse into the convolution before them, which then bears their name."""


class Split(NamedTuple):
    """Where a call's time goes, as shares of it."""

    dense_ratio: float
    depthwise_ratio: float
    others: dict[str, float]
    """By kind of operator, what lies between them included; the costliest first."""

    def words(self) -> str:
        """``dense 41%, depthwise 20%, Transpose 25% ...``."""
        named = {"dense": self.dense_ratio, "depthwise": self.depthwise_ratio}
        shown = {**named, **dict(list(self.others.items())[:3])}
        return ", ".join(f"{kind} {share:.0%}" for kind, share in shown.items() if share > 0.01)


class Verdicts(NamedTuple):
    """An outlier and what its profile says."""

    standing: Standing
    explained: bool
    why: str


def depthwise_names(model: Path) -> frozenset[str]:
    """Names under which runtimes know the depthwise convolutions of an ONNX file."""
    graph = onnx.load(str(model), load_external_data=False).graph
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    found: set[str] = set()
    for node in graph.node:
        groups = next((one.i for one in node.attribute if one.name == "group"), 1)
        if "Conv" not in node.op_type or groups == 1:
            continue
        chain: onnx.NodeProto | None = node
        while chain is not None:
            found |= {chain.name, *chain.output}
            after = readers.get(chain.output[0], [])
            chain = after[0] if len(after) == 1 and after[0].op_type in FOLLOWING else None
    return frozenset(AROUND.sub("", name) for name in found)


def split(profile: Mapping[str, Any], depthwise: frozenset[str]) -> Split:
    """A profile's times by what kind of work they are.

    Args:
        profile: As ``edgebench profile --json`` prints it.
        depthwise: Of the ONNX file, for runtimes that call every convolution the same.
    """
    operators = profile["operators"]
    # A plain call: what looking costs lies between the operators of a profiled one.
    call_us, operators_us = float(profile["plain_us"]), float(profile["operators_us"])
    whole_us = max(call_us, operators_us)
    shares: Counter[str] = Counter({OUTSIDE: (whole_us - operators_us) / whole_us})
    for one in operators:
        bare = AROUND.sub("", AROUND.sub("", one["operator"]))
        told = f"{one['kind']} {one['kernel']}"
        kind = one["kind"]
        if bare in depthwise or DEPTHWISE.search(told):
            kind = "depthwise"
        elif DENSE.search(told) and not NOT_DENSE.search(kind):
            kind = "dense"
        shares[kind] += one["duration_us"] / whole_us
    dense, thin = shares.pop("dense", 0.0), shares.pop("depthwise", 0.0)
    return Split(dense, thin, dict(shares.most_common()))


def explain(standing: Standing, found: Split) -> Verdicts:
    """Whether the shares account for how far a cell lies from its line."""
    if standing.ratio < 1:
        enough = found.dense_ratio >= SMALLEST_DENSE_RATIO
        return Verdicts(standing, enough, f"{found.words()}")
    # What would be left of the distance if only dense operators took time.
    left = standing.ratio * found.dense_ratio
    return Verdicts(standing, left <= work.FACTOR, f"{found.words()}; dense alone {left:.1f} times")


def profile(run: Path, row: Row, environment: Mapping[str, str], out: Path) -> Split | str:
    """Where the time of a cell goes, or the reason why nobody can tell."""
    reason = ""
    for calls in CALLS:
        asked = ("profile", str(run), row["case_id"], "--json", "-n", str(calls), "-o", str(out))
        done = subprocess.run(
            [sys.executable, "-m", "edgebench.cli.main", *asked],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            check=False,
        )
        if done.returncode == 0:
            model = resources.open_workload(row["workload"])
            source = model.model("onnx", "fp32")
            known = depthwise_names(model.path_of(source)) if source else frozenset()
            return split(json.loads(done.stdout), known)
        reason = (done.stderr.strip().splitlines() or ["no words"])[-1]
    return reason


def beside(
    run: Path, standings: Sequence[Standing], environment: Mapping[str, str], out: Path
) -> str:
    """The profile of the cell nearest to the line that can be profiled, in words."""
    words = ""
    for one in list(reversed(standings))[:TRIES]:
        found = profile(run, one.row, environment, out)
        words = f"{one.row['workload']}: {found if isinstance(found, str) else found.words()}"
        if isinstance(found, Split):
            break
    return words


def explained(
    run: Path, standings: Sequence[Standing], environment: Mapping[str, str], out: Path
) -> list[Verdicts]:
    """Every outlier with its explanation, the furthest off first; a line each on stdout."""
    print("| cell | times its line | its time goes to | a cell on the line | explained |")
    print("|---|---:|---|---|---|")
    usual: dict[tuple[object, ...], str] = {}
    found = []
    for one in (one for one in standings if one.outlier):
        told = profile(run, one.row, environment, out)
        verdict = Verdicts(one, False, told) if isinstance(told, str) else explain(one, told)
        key = (one.row["backend"], one.row["precision"])
        if key not in usual:
            same = [s for s in standings if (s.row["backend"], s.row["precision"]) == key]
            usual[key] = beside(run, same, environment, out)
        print(
            f"| {cell(one.row)} | {number(one.ratio)} | {verdict.why} | {usual[key]} "
            f"| {'yes' if verdict.explained else 'NO'} |",
            flush=True,
        )
        found.append(verdict)
    return found


def draw(frame: pd.DataFrame, out: Path) -> None:
    """The picture alone, for a note."""
    # Imported here: Altair wants `packaging`, which is not our packaging.py.
    sys.path.remove(str(Path(__file__).resolve().parent))
    from edgebench.report import work_chart

    chart = work_chart.work(frame)
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
        found = explained(options.run, standings, environment, options.out / "profiles")
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
