"""Every workload on every backend in every precision, in one run; each hole with its reason.

Derives what runtimes with formats of their own need, then starts one
``edgebench run --standard --accuracy full`` with every registered backend named, so that one that
is not installed is an error and not a gap. Prints a line a cell: latency, what really ran, parity,
top-1. Then it judges: rows of every backend in the one run, every cell ok or with a reason, every
ok cell with what ran, parity and top-1.

``--tflite-python`` names the interpreter that has tflite-runtime; ``--keep DIR`` keeps the run;
``--read RUN_DIR`` judges a run that was kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import full_accuracy
import pandas as pd
from verdict import ROOT, Verdict

import edgebench
from edgebench import plugins
from edgebench.derive.contract import CONVERTERS
from edgebench.records import PRECISIONS

WORKLOADS = ("mnist_cnn", "cifar10_cnn")
VARIANTS: Mapping[str, Mapping[str, object]] = {
    "litert": {"options": [{}, {"xnnpack": "0"}]},
    "openvino": {"formats": ["onnx", "tflite"]},
    "torch": {"options": [{}, {"compile": "1"}]},
    "tensorflow": {"options": [{}, {"xla": "1"}]},
}
"""Ways of one backend that an engineer would choose between."""
TEST_IMAGES = 10_000


def edgebench_command(*arguments: str, folder: Path, codes: tuple[int, ...] = (0,)) -> str:
    """Run the command line with folders of its own; its progress goes to our stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "edgebench.cli.main", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "EDGEBENCH_DATA": str(folder / "data")},
        check=False,
    )
    if done.returncode not in codes:
        sys.exit(f"FAIL  edgebench {' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def derive(folder: Path, data: Path) -> None:
    """Every format that has a converter, calibrated on the very images that the zoo took."""
    chosen = ("--format", ",".join(CONVERTERS), "--data", str(data))
    edgebench_command("workloads", "derive", *WORKLOADS, *chosen, folder=folder)


def config(tflite_python: str | None, preset: str) -> str:
    """The run, as TOML."""
    backends = [name for name in plugins.names(plugins.BACKENDS) if name != "edge-impulse"]
    tables = {name: dict(table) for name, table in VARIANTS.items() if name in backends}
    if tflite_python is not None:
        tables["tflite-runtime"] = {"python": tflite_python}
    lines = [
        f"workload = {json.dumps(WORKLOADS)}",
        f"precision = {json.dumps(PRECISIONS)}",
        f"backend = {json.dumps(backends)}",
        f'preset = "{preset}"',
        'accuracy = "full"',
        "timeout_s = 180.0",
    ]
    for name, table in tables.items():
        lines += ["", f"[backends.{name}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Strings and lists of strings or of tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value)


def measure(options: argparse.Namespace, folder: Path) -> Path:
    """Derive and run; gives the run's folder."""
    for name, file in full_accuracy.SOURCES.items():
        source = str(options.data.resolve() / file)
        edgebench_command("data", "add", name, source, folder=folder)
    derive(folder, options.data.resolve())
    settings = folder / "matrix.toml"
    settings.write_text(config(options.tflite_python, options.preset), encoding="utf-8")
    out = (options.keep or folder / "results").resolve()
    arguments = ("run", "--config", str(settings), "-o", str(out), "--json")
    edgebench_command(*arguments, folder=folder, codes=(0, 3))
    return max(out.iterdir())


def line(row: Mapping[Any, Any]) -> str:
    """A cell at a glance."""
    name = "/".join(str(row[key]) for key in ("workload", "backend", "precision"))
    what = f"{name:42} {row['format'] or '':10} {row['options'] or '':10}"
    if row["status"] != "ok":
        return f"{what} {row['status']}: {row['reason']}"
    half = (row["latency_p50_hi_ms"] - row["latency_p50_lo_ms"]) / 2 / row["latency_p50_ms"]
    ran = row["effective_precision"] or "not read back"
    return (
        f"{what} p50 {row['latency_p50_ms']:.4g} ms +-{half:.1%}  ran {ran}"
        f"{' FALLBACK ' + row['fallback'] if row['fallback'] else ''}"
        f"  top-1 {row['top1_ratio']:.4f}  {row['validity']}"
    )


def judge(rows: pd.DataFrame, verdict: Verdict) -> None:
    """The acceptance lines."""
    ok = rows[rows["status"] == "ok"]
    holes = rows[rows["status"] != "ok"]
    wanted = {
        (workload, backend)
        for workload in WORKLOADS
        for backend in plugins.names(plugins.BACKENDS)
        if backend != "edge-impulse"  # its model is the user's own: see its tests
    }
    seen = set(zip(ok["workload"], ok["backend"], strict=True))
    runs = len(set(rows["run_id"]))
    verdict.check(
        "backends with ok rows, times workloads",
        f"{len(wanted & seen)} in {runs} run",
        f"{len(wanted)} in 1 run; missing: {sorted(wanted - seen) or 'none'}",
        passed=wanted <= seen and runs == 1,
    )
    mute = holes[holes["reason"].isna() | (holes["reason"] == "")]
    verdict.check(
        "holes with a reason", f"{len(holes) - len(mute)}", f"{len(holes)}", passed=mute.empty
    )
    broken = holes[holes["status"] != "skipped"]
    refused = broken[broken["status"] == "failed"]
    verdict.check(
        "cells that crashed, hung or were killed",
        f"{len(broken) - len(refused)} (refused by their runtime: {len(refused)})",
        "0",
        passed=len(broken) == len(refused),
    )
    for column in ("effective_precision", "parity_cosine", "latency_p50_ms", "top1_ratio"):
        known = int(ok[column].notna().sum())
        verdict.check(f"ok cells with {column}", f"{known}", f"{len(ok)}", passed=known == len(ok))
    whole = int((ok["top1_samples"] == TEST_IMAGES).sum())
    verdict.check(
        f"ok cells judged on {TEST_IMAGES} images",
        f"{whole}",
        f"{len(ok)}",
        passed=whole == len(ok),
    )


def main() -> int:
    """Measure, print, judge; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--tflite-python", help="interpreter of the environment of tflite-runtime")
    parser.add_argument("--preset", default="standard", choices=("quick", "standard"))
    parser.add_argument("--keep", type=Path, help="parent of the run folder")
    parser.add_argument("--read", type=Path, help="judge this run folder instead of measuring")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgebench-matrix-") as scratch:
        run = options.read or measure(options, Path(scratch))
        rows = edgebench.load(run).reset_index()
    for row in rows.astype(object).where(rows.notna(), None).to_dict("records"):
        print(line(row))
    verdict = Verdict()
    judge(rows, verdict)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())
