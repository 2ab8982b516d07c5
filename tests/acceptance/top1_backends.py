"""Top-1 across backends: fp32 agrees within 0.05 points, int8 stays within 1 point of fp32.

Adds MNIST and CIFAR-10 to a data folder of its own, makes the models of runtimes with a format of
their own, runs both workloads on every backend that is installed in every precision by `edgebench
run --accuracy full`, and prints for each cell what it lost, on how many images it and fp32 differ,
and McNemar's p-value. Other precisions are printed and not judged; a cell that ran in another
precision than asked says so. With `--run DIR` a run that is there already is judged instead.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from verdict import ROOT, Verdict

from edgebench.analysis import mcnemar
from edgebench.records import Accuracy, Record
from edgebench.report import figures, rows
from edgebench.report.rows import Row
from edgebench.report.table import cell
from edgebench.store.read import StoredRun, read_all

SOURCES = {"mnist": "mnist.npz", "cifar10": "cifar10-jpeg.zip"}
WORKLOADS = ("mnist_cnn", "cifar10_cnn")
LARGEST_SPREAD_RATIO = 0.0005
LARGEST_LOSS_RATIO = 0.01
TEST_IMAGES = 10_000
_ROUNDING_RATIO = 1e-9
_SOME_FAILED = 3

Judged = tuple[Row, Accuracy]


def measured(folder: Path, arguments: argparse.Namespace) -> Path:
    """Run everything; the folder of results."""

    def edgebench(*words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "edgebench.cli.main", *words],
            env={**os.environ, "EDGEBENCH_DATA": str(folder / "data")},
            stdout=subprocess.DEVNULL,  # the table is made of the stored run below
            check=False,
        )
        if done.returncode not in {0, _SOME_FAILED}:
            sys.exit(f"FAIL  edgebench {' '.join(words)} ended with {done.returncode}")

    data = arguments.data.resolve()
    for name, file in SOURCES.items():
        edgebench("data", "add", name, str(data / file))
    edgebench("workloads", "derive", *WORKLOADS, "--data", str(data))
    chosen = ["-w", ",".join(WORKLOADS), "--accuracy", "full", "-o", str(folder / "results")]
    chosen += ["--config", str(arguments.config.resolve())] if arguments.config else []
    chosen += ["-b", arguments.backend] if arguments.backend else []
    edgebench("run", *chosen)
    return folder / "results"


def of_run(run: StoredRun) -> list[tuple[Row, Accuracy | None]]:
    """Every row of a run, with the answers that its top-1 was made of."""
    mine: dict[str, list[Record]] = {}
    for record in run.latest():
        mine.setdefault(record.case_id, []).append(record)
    found = rows.of_run(run, tails=False)
    return [(row, figures.accuracy(mine.get(str(row["case_id"]), []))) for row in found]


def line(row: Row, accuracy: Accuracy | None, first: Accuracy | None) -> str:
    """A cell's figures; an fp32 one is held against the workload's first fp32 cell."""
    name = f"{row['workload']:12} {row['backend']:16} {cell('precision', row):24}"
    extra = f" {row['format']} {row['options'] or ''}".rstrip()
    if accuracy is None:
        return f"{name} {row['status']}: {row['reason'] or 'top-1 not measured'}{extra}"
    found = mcnemar.discordant(first, accuracy)
    if row["precision"] != "fp32":
        lost, won = row["top1_lost_samples"], row["top1_won_samples"]
        found = None
        if isinstance(lost, int) and isinstance(won, int):
            found = mcnemar.Discordant(lost, won, accuracy.samples)
    words = f"{name} top-1 {100 * accuracy.correct / accuracy.samples:.2f} %"
    if found is not None:
        loss, low, high = (100 * ratio for ratio in mcnemar.loss(found))
        words += (
            f"  loses {loss:+.2f} points [{low:+.2f}, {high:+.2f}]"
            f"  lost {found.lost}, won {found.won}  p {mcnemar.p_value(found):.2g}"
        )
    return words + extra


def judge(workload: str, cells: list[tuple[Row, Accuracy | None]], verdict: Verdict) -> None:
    """Print a workload's cells, then its two limits."""
    seen: list[Judged] = [(row, found) for row, found in cells if found is not None]
    fp32 = [
        (row, found)
        for row, found in seen
        if row["precision"] == "fp32" and "precision" not in str(row["fallback"])
    ]
    first = fp32[0][1] if fp32 else None
    for row, found in cells:
        print(line(row, found, None if found is first else first))
    short = [str(row["backend"]) for row, found in seen if found.samples != TEST_IMAGES]
    images = f"{len(seen)} cells, fewer images in {', '.join(short) or 'none'}"
    verdict.check(f"{workload}, images", images, f"{TEST_IMAGES} each", passed=not short)
    shares = {str(row["backend"]): found.correct / found.samples for row, found in fp32}
    spread = max(shares.values(), default=1.0) - min(shares.values(), default=0.0)
    verdict.check(
        f"{workload}, fp32 over {len(shares)} backends",
        f"spread {100 * spread:.3f} points ({', '.join(shares)})",
        f"{100 * LARGEST_SPREAD_RATIO:g} points, two backends or more",
        passed=len(shares) > 1 and spread <= LARGEST_SPREAD_RATIO + _ROUNDING_RATIO,
    )
    losses = {
        f"{row['backend']} {row['precision']}": row["top1_loss_ratio"]
        for row, _ in seen
        if str(row["precision"]).startswith("int8")
    }
    known = {name: lost for name, lost in losses.items() if isinstance(lost, float)}
    worst = max(known, key=lambda name: known[name], default="none")
    verdict.check(
        f"{workload}, {len(losses)} int8 cells",
        f"most lost {100 * known.get(worst, float('nan')):.2f} points ({worst})",
        f"{100 * LARGEST_LOSS_RATIO:g} point",
        passed=len(known) == len(losses) > 0
        and known[worst] <= LARGEST_LOSS_RATIO + _ROUNDING_RATIO,
    )


def main() -> int:
    """Judge every workload; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--config", type=Path, help="for `edgebench run`: other interpreters ...")
    parser.add_argument("--backend", help="names, separated by commas; default: all installed")
    parser.add_argument("--run", type=Path, help="judge this run instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        runs, problems = read_all([arguments.run or measured(Path(scratch), arguments)])
    cells = [one for run in runs for one in of_run(run)]
    verdict = Verdict()
    verdict.check("runs read", f"{len(runs)}, {len(problems)} damaged", "1", passed=not problems)
    for workload in WORKLOADS:
        judge(workload, [one for one in cells if one[0]["workload"] == workload], verdict)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
