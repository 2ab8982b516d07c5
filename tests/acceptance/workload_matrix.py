"""All workloads x all installed backends x fp32 and int8, in one run; each hole with its reason.

Derives what runtimes with formats of their own need (into edgebench's cache, so a second time costs
nothing), then starts one ``edgebench run`` with every workload, backend and precision named, reads
it with `edgebench.load` and prints tables in Markdown: medians at a glance, every cell with parity,
accuracy and peak memory, and the holes. Judged are: a row for each combination, a reason for each
hole, figures in each ok cell, the answers of fp32, and the seconds.

    python tests/acceptance/workload_matrix.py --built FOLDER --keep results

``--built`` names folders of workloads that were built elsewhere; ``--read RUN`` judges a run that
was kept. Timings need a quiet machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from command_line import edgebench, newest, with_workloads
from verdict import ROOT, Verdict

from edgebench import load, resources
from edgebench.derive import contract
from edgebench.report.table import number
from edgebench.specs import WorkloadSpec
from edgebench.units import human_s

WORKLOADS = (
    *("mnist_cnn", "cifar10_cnn", "resnet8", "mobilenet_v1_025_96", "mobilenet_v2"),
    *("mobilenet_v3_small", "efficientnet_lite0", "squeezenet", "resnet50"),
    *("ssd_digits", "unet_digits"),
)
PRECISIONS = ("fp32", "int8")
NOT_ASKED = ("edge-impulse",)
"""Runs what a vendor built, for which no workload here has files; `matrix.py` has a stand-in."""
ACCURACIES = ("top1_ratio", "map50_ratio", "miou_ratio")
LARGEST_S = 40 * 60.0
Row = dict[str, Any]


def readable() -> dict[str, list[str]]:
    """Formats that each backend reads, best first, of those that can be used here."""
    told = json.loads(edgebench("backends", "list", "--json"))
    return {one["name"]: one["formats"] for one in told if one["available"]}


def lacking(spec: WorkloadSpec, read: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Formats and precisions to derive, so that every backend has all that can be made.

    Args:
        spec: The workload, with the models that it ships.
        read: Formats that each backend reads, best first.
    """
    made: list[tuple[str, str]] = []
    shipped = {(model.format, model.precision) for model in spec.models}
    for formats, precision in itertools.product(read, PRECISIONS):
        if not any((fmt, precision) in shipped for fmt in formats):
            made += [(fmt, precision) for fmt in formats if precision in makes(fmt)][:1]
    return list(dict.fromkeys(made))


def makes(fmt: str) -> set[str]:
    """Precisions that a format can be derived in; none where nothing makes it."""
    if fmt not in contract.CONVERTERS:
        return set()
    return {one for converter in contract.converters_of(fmt) for one in converter.precisions}


def derive(
    options: argparse.Namespace, formats: dict[str, list[str]], environment: dict[str, str]
) -> float:
    """Make the models that runtimes with formats of their own need; the seconds it took."""
    start = time.monotonic()
    for name in options.workloads:
        spec = resources.open_workload(name).spec
        read = [formats[backend] for backend in options.backends]
        for fmt, precision in lacking(spec, read):
            asked = ["--format", fmt, "-p", precision, "--timeout", "900"]
            if precision == "int8" and spec.calibration is None and "dataset" in spec.recipe:
                asked += ["--data", str(options.data)]
            # Whatever is not made is a hole of the run, with its reason.
            edgebench(
                *("workloads", "derive", name, *asked), environment=environment, codes=(0, 2, 3)
            )
    return time.monotonic() - start


def measure(options: argparse.Namespace, environment: dict[str, str]) -> Path:
    """The one run; gives its folder."""
    asked: tuple[str, ...] = ("-w", ",".join(options.workloads))
    asked += ("-b", ",".join(options.backends), "-p", ",".join(PRECISIONS))
    asked += (f"--{options.preset}", "--timeout", "600")
    asked += ("--budget", options.budget) if options.budget else ()
    edgebench("run", *asked, "-o", str(options.keep), "--json", environment=environment)
    return newest(options.keep)


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """The frame's rows, None for what was not measured."""
    whole = frame.astype(object).where(frame.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in whole.to_dict("records")]


def grid(rows: Sequence[Row], precision: str) -> None:
    """Medians at a glance: a line a workload, a column a backend."""
    backends = list(dict.fromkeys(row["backend"] for row in rows))
    print(f"\n**{precision}, median ms** (! suspect, !! invalid, x no figure)\n")
    print(f"| workload | {' | '.join(backends)} |")
    print(f"|---|{'---:|' * len(backends)}")
    by_name: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["precision"] == precision:
            by_name[row["workload"]][row["backend"]] = row
    for name, mine in by_name.items():
        print(f"| {name} | {' | '.join(_glance(mine.get(one)) for one in backends)} |")


def _glance(row: Row | None) -> str:
    if row is None:
        return "no row"
    mark = {"valid": "", "suspect": " !"}.get(row["validity"], " !!")
    return f"{number(row['latency_p50_ms'])}{mark}" if row["status"] == "ok" else "x"


def listing(rows: Sequence[Row]) -> None:
    """Every cell with figures, then the holes by reason."""
    print("\n| cell | p50 ms | GMAC/s | parity | accuracy | peak MiB | ran as | verdict |")
    print("|---|---:|---:|---:|---:|---:|---|---|")
    for row in rows:
        if row["status"] == "ok":
            shown = (*("latency_p50_ms", "work_rate_gmacps", "parity_cosine"), "", "rss_peak_mib")
            figures = [_accuracy(row) if not name else _number(row[name]) for name in shown]
            print(
                f"| {cell(row)} | {' | '.join(figures)} | {row['effective_precision'] or '-'} "
                f"| {row['validity']} |"
            )
    holes: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["status"] != "ok":
            holes[f"{row['status']}: {row['reason']}"].append(cell(row))
    for reason, cells in holes.items():
        print(f"\n{reason}\n    {', '.join(cells)}")


def cell(row: Row) -> str:
    """``mnist_cnn/litert/int8``."""
    return "/".join(str(row[key]) for key in ("workload", "backend", "precision"))


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)


def _accuracy(row: Row) -> str:
    known = {name: row[name] for name in ACCURACIES if row.get(name) is not None}
    return ", ".join(f"{name.removesuffix('_ratio')} {value:.4f}" for name, value in known.items())


def judge(rows: Sequence[Row], options: argparse.Namespace, verdict: Verdict) -> None:
    """The acceptance lines."""
    wanted = {
        (workload, backend, precision)
        for workload in options.workloads
        for backend in options.backends
        for precision in PRECISIONS
    }
    seen = {(row["workload"], row["backend"], row["precision"]) for row in rows}
    runs = len({row["run_id"] for row in rows})
    missing = ", ".join("/".join(one) for one in sorted(wanted - seen)) or "none"
    verdict.check(
        "combinations with a row",
        f"{len(wanted & seen)} in {runs} run",
        f"{len(wanted)} in 1 run; missing: {missing}",
        passed=wanted <= seen and runs == 1,
    )
    ok = [row for row in rows if row["status"] == "ok"]
    holes = [row for row in rows if row["status"] != "ok"]
    told = [row for row in holes if row["reason"]]
    verdict.check(
        "holes with a reason", str(len(told)), str(len(holes)), passed=len(told) == len(holes)
    )
    lost = [cell(row) for row in holes if row["status"] not in {"failed", "skipped"}]
    verdict.check(
        "cells that crashed, hung or were killed",
        f"{len(lost)} {', '.join(lost)}".strip(),
        "0",
        passed=not lost,
    )
    for name in ("latency_p50_ms", "parity_cosine", "rss_peak_mib"):
        known = sum(row[name] is not None for row in ok)
        verdict.check(f"ok cells with {name}", str(known), str(len(ok)), passed=known == len(ok))
    _judge_answers(ok, verdict)


def _judge_answers(ok: Sequence[Row], verdict: Verdict) -> None:
    labelled = {
        name
        for name in {row["workload"] for row in ok}
        if (spec := resources.open_workload(name).spec).samples and spec.weights != "random"
    }
    owed = [row for row in ok if row["workload"] in labelled]
    judged = [row for row in owed if _accuracy(row)]
    verdict.check(
        f"ok cells with accuracy, of {len(labelled)} workloads that have labels",
        str(len(judged)),
        str(len(owed)),
        passed=len(judged) == len(owed) and bool(owed) == bool(labelled),
    )
    wrong = [cell(row) for row in ok if row["precision"] == "fp32" and row["validity"] == "invalid"]
    verdict.check(
        "fp32 cells that may not be trusted (answers, throttling)",
        f"{len(wrong)} {', '.join(wrong)}".strip(),
        "0",
        passed=not wrong,
    )


def _names(text: str) -> list[str]:
    return text.split(",")


def main() -> int:
    """Derive, measure, print, judge; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", type=_names, default=list(WORKLOADS))
    parser.add_argument("--backends", type=_names, help="default: all installed")
    parser.add_argument("--built", type=Path, action="append", default=[])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--preset", default="quick", choices=("quick", "standard", "thorough"))
    parser.add_argument("--budget", help="as of edgebench run: 30m")
    parser.add_argument("--keep", type=Path, help="parent of the run folder")
    parser.add_argument("--read", type=Path, help="judge this run instead of measuring")
    parser.add_argument("--limit-s", type=float, default=LARGEST_S)
    options = parser.parse_args()
    formats = readable()
    options.backends = options.backends or [name for name in formats if name not in NOT_ASKED]
    verdict = Verdict()
    derived_s = measured_s = None
    with tempfile.TemporaryDirectory(prefix="edgebench-workloads-") as name:
        environment = with_workloads(options.built, Path(name))
        os.environ |= environment
        options.keep = (options.keep or Path(name) / "results").resolve()
        if options.read is None:
            derived_s = derive(options, formats, environment)
            start = time.monotonic()
            options.read = measure(options, environment)
            measured_s = time.monotonic() - start
        rows = rows_of(load(options.read))
        for precision in PRECISIONS:
            grid(rows, precision)
        listing(rows)
        print()
        judge(rows, options, verdict)
    if derived_s is not None and measured_s is not None:
        print(f"      derived in {human_s(derived_s)} before")
        verdict.check(
            "the whole run",
            human_s(measured_s),
            human_s(options.limit_s),
            passed=measured_s <= options.limit_s,
        )
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
