"""A real run in every exported format: other tools read it, every figure is the store's.

Measures mnist_cnn on onnxruntime in fp32 and int8 (10 s), exports it, lets the real
`pytest-benchmark compare` and pandas read the files, and goes back from each figure to the stored
samples or the row it came from. Needs no quiet machine. ``--plant`` moves a figure in each file
by a percent after the export: every check of figures must then print FAIL.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from verdict import Verdict

import edgebench
from edgebench.store.read import read_all

Row = dict[str, Any]
FORMATS = ("pytest-benchmark", "parquet", "jsonl", "markdown")
CELLS = 2
EXACT_RATIO = 1e-12
"""Of statistics that are sums of thousands of samples, in another order."""


def command(*words: str, cwd: Path) -> str:
    """Run a Python module's command line and give its stdout."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"FAIL  {' '.join(words)}: {done.stderr or done.stdout}")
    return done.stdout


def stored_s(folder: Path) -> dict[str, list[float]]:
    """Seconds of every timed inference by case, straight from the records."""
    found: dict[str, list[float]] = {}
    for run in read_all([folder])[0]:
        for record in sorted(run.records, key=lambda one: one.launch):
            found.setdefault(record.case_id, []).extend(ns / 1e9 for ns in record.latency_ns)
    return found


def near(ours: float, theirs: float) -> bool:
    """Equal but for the order of a sum."""
    return math.isclose(ours, theirs, rel_tol=EXACT_RATIO)


def benchmark_figures(folder: Path) -> Iterator[tuple[str, bool]]:
    """What `pytest-benchmark compare` prints into its CSV, against the stored samples."""
    table = command("pytest_benchmark", "compare", "out.json", "--csv=out.csv", cwd=folder)
    with (folder / "out.csv").open(encoding="utf-8") as file:
        lines = {line["name"]: line for line in csv.DictReader(file)}
    document = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    samples = stored_s(folder)
    yield "both cells are in the printed table", table.count("\nmnist_cnn[") == CELLS
    for one in document["benchmarks"]:
        data = samples[one["extra_info"]["case_id"]]
        line = lines[one["fullname"]]
        expected = {
            "min": min(data),
            "max": max(data),
            "mean": statistics.mean(data),
            "stddev": statistics.stdev(data),
            "median": statistics.median(data),
            "ops": 1 / statistics.mean(data),
            "rounds": len(data),
        }
        yield f"{one['name']} data", one["stats"]["data"] == data
        for name, value in expected.items():
            yield f"{one['name']} {name}", near(float(line[name]), value)


def own_figures(folder: Path, rows: list[Row]) -> Iterator[tuple[str, bool]]:
    """``extra_info`` against the rows."""
    document = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    by_case = {row["case_id"]: row for row in rows}
    for one in document["benchmarks"]:
        told = one["extra_info"]
        for name, value in told.items():
            if name != "samples_by_launch":
                yield f"{one['name']} {name}", by_case[told["case_id"]][name] == value


def line_figures(folder: Path, rows: list[Row]) -> Iterator[tuple[str, bool]]:
    """Each value of each line."""
    lines = (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    yield "a line a row", len(lines) == len(rows)
    for line, row in zip(map(json.loads, lines), rows, strict=True):
        for name in row:
            yield f"{row['precision']} {name}", name in line and line[name] == row[name]


def parquet_figures(folder: Path) -> Iterator[tuple[str, bool]]:
    """Each value of the frame that pandas reads, against `edgebench.load`."""
    ours, theirs = edgebench.load(folder), pd.read_parquet(folder / "out.parquet")
    yield "dtypes", ours.dtypes.equals(theirs.dtypes)
    for name in ours.columns:
        yield name, name in theirs and ours[name].equals(theirs[name])


def markdown_figures(folder: Path, rows: list[Row]) -> Iterator[tuple[str, bool]]:
    """Each figure of the table, to the digits shown, against the row's columns."""
    lines = (folder / "out.md").read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    yield "a line a row", len(cells) == 2 + len(rows)
    names = {"p50 ms": "latency_p50", "p99 ms": "latency_p99", "peak MiB": "rss_peak"}
    units = {"latency_p50": "ms", "latency_p99": "ms", "rss_peak": "mib"}
    for line, row in zip(cells[2:], rows, strict=True):
        told = dict(zip(cells[0], line, strict=True))
        for heading, stem in names.items():
            figures = [float(x) for x in re.findall(r"[\d.]+", told[heading])]
            wanted = [row[f"{stem}{end}_{units[stem]}"] for end in ("", "_lo", "_hi")]
            good = [math.isclose(a, b, rel_tol=6e-4) for a, b in zip(figures, wanted, strict=True)]
            yield f"{row['precision']} {heading}", all(good)


def plant(folder: Path) -> None:
    """Move a figure in each file by a percent."""
    path = folder / "out.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["benchmarks"][0]["stats"]["mean"] *= 1.01
    document["benchmarks"][0]["extra_info"]["latency_p50_ms"] *= 1.01
    path.write_text(json.dumps(document), encoding="utf-8")
    path = folder / "out.jsonl"
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    moved = json.loads(first)
    moved["latency_p50_ms"] *= 1.01
    path.write_text("\n".join([json.dumps(moved), *rest]), encoding="utf-8")
    frame = pd.read_parquet(folder / "out.parquet")
    frame["latency_p50_ms"] *= 1.01
    frame.to_parquet(folder / "out.parquet")
    path = folder / "out.md"
    text = path.read_text(encoding="utf-8")
    moved_text = re.sub(r"\| (0\.\d+) \(", lambda m: f"| {float(m[1]) * 1.01:.4g} (", text, count=1)
    path.write_text(moved_text, encoding="utf-8")


def main() -> int:
    """Run, export, trace back; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="move a figure in each file")
    planted = parser.parse_args().plant
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-export-") as name:
        folder = Path(name)
        case = ("-w", "mnist_cnn", "-b", "onnxruntime", "-p", "fp32,int8")
        command("edgebench", "run", *case, "-o", "runs", cwd=folder)
        suffixes = dict(zip(FORMATS, (".json", ".parquet", ".jsonl", ".md"), strict=True))
        for fmt, suffix in suffixes.items():
            command("edgebench", "export", fmt, "runs", "-o", f"out{suffix}", cwd=folder)
        rows = json.loads(command("edgebench", "report", "runs", "--json", cwd=folder))
        if planted:
            plant(folder)
        judged = {
            "pytest-benchmark compare prints our samples' figures": benchmark_figures(folder),
            "extra_info holds our rows' figures": own_figures(folder, rows),
            "JSON Lines hold our rows": line_figures(folder, rows),
            "pandas reads edgebench.load's frame from Parquet": parquet_figures(folder),
            "Markdown tells our rows' figures": markdown_figures(folder, rows),
        }
        for what, found in judged.items():
            told = list(found)
            wrong = [one for one, good in told if not good]
            words = f"{len(told) - len(wrong)} of {len(told)} alike {wrong[:3] or ''}".strip()
            verdict.check(what, words, "all", passed=not wrong)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
