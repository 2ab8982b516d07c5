"""Line 3 of choosing, Python's tools: each imported figure against the tool's own reading of it.

pytest-benchmark and pyperf run here on a real runtime and leave their files; what is imported of
them is held against ``pyperf``'s own classes, against pytest-benchmark's own CSV of the
same file, and a table against itself after a way through three units. ``--plant`` moves a figure in
the tenth digit and must FAIL. Needs no quiet machine: figures of one file are compared.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyperf
from verdict import Verdict

from edgebench import resources

RELATIVE = 1e-12
"""Conversions of units and means of the same doubles; a wrong figure is further off."""
T_OF_2 = 0.95 * math.sqrt(2 / (1 - 0.95**2))
"""Student's t, two-sided 95 %, two degrees of freedom (three processes), in closed form."""
LOAD = """
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession({model!r}, providers=["CPUExecutionProvider"])
feed = {{session.get_inputs()[0].name: np.zeros((1, 1, 28, 28), np.float32)}}
"""
BENCHMARK = """
import pytest

@pytest.mark.parametrize("backend", ["onnxruntime"])
def test_mnist_cnn(benchmark, backend):
    benchmark.pedantic(lambda: session.run(None, feed), rounds=400, iterations=1, warmup_rounds=5)
"""
NAMES = "test_{workload}[{backend}]"
STATED = ("--set", "device=here", "--set", "precision=fp32", "--device-name", "this")
Row = dict[str, Any]


def run(*command: str, folder: Path) -> str:
    """A tool, or one line of why not."""
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"FAIL  {' '.join(command)}: {(done.stdout + done.stderr)[-500:]}")
    return done.stdout


def imported(folder: Path, form: str, file: str, *words: str) -> list[Row]:
    """Rows of a file, through the command line and `edgebench report --json`."""
    out = f"of-{form}-{file}"
    edgebench = ("-m", "edgebench.cli.main")
    run(*edgebench, "import", form, file, "-o", out, *STATED, *words, folder=folder)
    rows: list[Row] = json.loads(run(*edgebench, "report", out, "--json", folder=folder))
    return rows


def judge(verdict: Verdict, what: str, row: Row, expected: dict[str, float], scale: float) -> None:
    """Every figure that a row has, and each of those that it must have."""
    figures = {k for k, v in row.items() if isinstance(v, float)} | {"launches", "samples"}
    worst, wrong = 0.0, sorted(figures ^ expected.keys())
    for name in figures & expected.keys():
        off = abs(row[name] * scale - expected[name]) / abs(expected[name])
        worst = max(worst, off)
        wrong += [] if off <= RELATIVE else [name]
    verdict.check(
        f"{what}, {len(expected)} figures",
        f"{len(wrong)} wrong {' '.join(wrong)}, furthest off by {worst:.1e}",
        f"0 wrong, {RELATIVE:g}",
        passed=not wrong,
    )


def of_pytest(verdict: Verdict, folder: Path, load: str, scale: float) -> None:
    """Against pytest-benchmark's own CSV of its file, which has seconds; percentiles by numpy."""
    (folder / "test_it.py").write_text(load + BENCHMARK)
    words = ("-q", "-p", "no:cacheprovider", "--benchmark-json=b.json")
    run("-m", "pytest", *words, "test_it.py", folder=folder)
    run("-m", "pytest_benchmark", "compare", "b.json", "--csv=b", folder=folder)
    with (folder / "b.csv").open(encoding="utf-8") as file:
        (told,) = csv.DictReader(file)
    data = json.loads((folder / "b.json").read_text())["benchmarks"][0]["stats"]["data"]
    names = {"p50": "median", "min": "min", "mean": "mean"}
    expected = {f"latency_{ours}_ms": float(told[theirs]) * 1e3 for ours, theirs in names.items()}
    for percent in (90, 95, 99):
        figure = np.quantile(data, percent / 100, method="inverted_cdf") * 1e3
        expected[f"latency_p{percent}_ms"] = float(figure)
    expected |= {"launches": 1, "samples": float(told["rounds"])}
    (row,) = imported(folder, "pytest-benchmark", "b.json", "--names", NAMES)
    judge(verdict, "pytest-benchmark", row, expected, scale)


def of_pyperf(verdict: Verdict, folder: Path, load: str, scale: float) -> None:
    """Against pyperf's classes; the interval by hand."""
    words = ("-p", "3", "-n", "50", "-w", "3", "-l", "1", "-o", "p.json", "-s", load)
    run("-m", "pyperf", "timeit", *words, "session.run(None, feed)", folder=folder)
    bench = pyperf.Benchmark.load(str(folder / "p.json"))
    launches = [one.values for one in bench.get_runs() if one.values]
    logs = np.log([np.quantile(one, 0.5, method="inverted_cdf") * 1e3 for one in launches])
    half = T_OF_2 * logs.std(ddof=1) / math.sqrt(len(logs))
    values = bench.get_values()
    ends = {"": 0.0, "_lo": -half, "_hi": half}
    expected = {f"latency_p50{end}_ms": math.exp(logs.mean() + by) for end, by in ends.items()}
    expected |= {"latency_mean_ms": bench.mean() * 1e3, "latency_min_ms": min(values) * 1e3}
    for percent in (90, 95):  # 150 values tell no p99
        figure = np.quantile(values, percent / 100, method="inverted_cdf") * 1e3
        expected[f"latency_p{percent}_ms"] = float(figure)
    expected |= {"launches": len(launches), "samples": bench.get_nvalue()}
    stated = ("--set", "workload=mnist_cnn", "--set", "backend=onnxruntime")
    (row,) = imported(folder, "pyperf", "p.json", *stated)
    judge(verdict, "pyperf", row, expected, scale)


def of_csv(verdict: Verdict, folder: Path, scale: float) -> None:
    """A table in other units, each figure converted by hand in decimals."""
    table = {"median_us": "1234.567", "rss_byte": "7340033", "energy_j": "0.00251", "top1": "70.1"}
    (folder / "t.csv").write_text(",".join(table) + "\n" + ",".join(table.values()) + "\n")
    columns = {
        "latency_p50_ms": ("median_us:us", Decimal(table["median_us"]) / 1000),
        "rss_peak_mib": ("rss_byte:byte", Decimal(table["rss_byte"]) / (1 << 20)),
        "energy_net_mj": ("energy_j:J", Decimal(table["energy_j"]) * 1000),
        "top1_ratio": ("top1:percent", Decimal(table["top1"]) / 100),
    }
    maps = [f"--map={ours}={theirs}" for ours, (theirs, _) in columns.items()]
    stated = ("--set", "workload=w", "--set", "backend=b", "--set", "launches=3")
    (row,) = imported(folder, "csv", "t.csv", *stated, "--set", "samples=30", *maps)
    expected = {ours: float(figure) for ours, (_, figure) in columns.items()}
    judge(verdict, "csv", row, {**expected, "launches": 3, "samples": 30}, scale)


def main() -> int:
    """All three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="move the figures: must FAIL")
    scale = 1 + 1e-10 if parser.parse_args().plant else 1.0
    workload = resources.open_workload("mnist_cnn")
    model = workload.model("onnx", "fp32")
    if model is None:
        raise SystemExit("FAIL  mnist_cnn has no onnx")
    load = LOAD.format(model=str(workload.file(model.path)))
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-interchange-") as name:
        of_pytest(verdict, Path(name), load, scale)
        of_pyperf(verdict, Path(name), load, scale)
        of_csv(verdict, Path(name), scale)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
