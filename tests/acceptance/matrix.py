"""Every workload on every backend in every precision, in one run; each hole with its reason.

Derives what runtimes with formats of their own need, lays a stand-in ``.eim`` beside each
workload's models, then starts one ``edgebench run --standard --accuracy full`` with every
registered backend named, so that one that is not installed is an error and not a gap. Prints a
line a cell: latency, what really ran, parity, top-1. Then it judges: rows of every backend in the
one run, every cell ok or with a reason, every ok cell with parity, top-1 and what ran.

``--variants`` adds options that one would choose between (XNNPACK, torch.compile, XLA, OpenVINO on
TFLite files); ``--keep DIR`` keeps the run; ``--read RUN_DIR`` judges a run that was kept.
tflite-runtime lives in an environment of its own (EDGEBENCH_TFLITE_PYTHON, else one that is made).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import full_accuracy
import pandas as pd
import tomli_w
from verdict import ROOT, Verdict

sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "backends")]
import eim_workload
import second_env

import edgebench
from edgebench import plugins, resources
from edgebench.derive.contract import CONVERTERS
from edgebench.records import PRECISIONS
from edgebench.specs import read_toml, sha256_of

WORKLOADS = ("mnist_cnn", "cifar10_cnn")
VARIANTS: Mapping[str, Mapping[str, object]] = {
    "litert": {"options": [{}, {"xnnpack": "0"}]},
    "openvino": {"formats": ["onnx", "tflite"]},
    "torch": {"options": [{}, {"compile": "1"}]},
    "tensorflow": {"options": [{}, {"xla": "1"}]},
}
"""Ways of one backend that an engineer would choose between."""
EIM = ("fp32", "int8")
"""Precisions that the stand-ins have models of."""
UNTOLD = ("edge-impulse",)
"""An executable does not tell in which precision it computes; a caveat says so."""
TEST_IMAGES = 10_000


def edgebench_command(*arguments: str, folder: Path, codes: tuple[int, ...] = (0,)) -> str:
    """Run the command line with folders of its own; its progress goes to our stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "edgebench.cli.main", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={
            **os.environ,
            "EDGEBENCH_DATA": str(folder / "data"),
            "EDGEBENCH_CACHE": str(folder / "cache"),
            "EDGEBENCH_PATH": str(folder),
        },
        check=False,
    )
    if done.returncode not in codes:
        sys.exit(f"FAIL  edgebench {' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def derive(workloads: Sequence[str], folder: Path, data: Path) -> None:
    """Every format that has a converter, calibrated on the very images that the zoo took."""
    chosen = ("--format", ",".join(CONVERTERS), "--data", str(data))
    edgebench_command("workloads", "derive", *workloads, *chosen, folder=folder)


def with_eim(name: str, root: Path) -> None:
    """The bundled workload as a user's, who has ``.eim`` files of it too."""
    source = resources.open_workload(name)
    folder = root / "workloads" / name
    shutil.copytree(source.folder, folder)
    told = read_toml(folder / "workload.toml")
    for precision in EIM:
        path = eim_workload.standin(folder / "models" / f"{precision}.eim", name, precision)
        told["models"].append(
            {
                "path": f"models/{path.name}",
                "format": "eim",
                "precision": precision,
                "layout": "NHWC",
                "sha256": sha256_of(path),
                "size_byte": path.stat().st_size,
            }
        )
    (folder / "workload.toml").write_text(tomli_w.dumps(told), encoding="utf-8")


def config(tflite_python: Path, options: argparse.Namespace) -> str:
    """The run, as TOML."""
    backends = plugins.names(plugins.BACKENDS)
    tables: dict[str, dict[str, object]] = {"tflite-runtime": {"python": str(tflite_python)}}
    if options.variants:
        tables |= {name: dict(table) for name, table in VARIANTS.items()}
    lines = [
        f"workload = {json.dumps(options.workload or WORKLOADS)}",
        f"precision = {json.dumps(PRECISIONS)}",
        f"backend = {json.dumps(backends)}",
        f'preset = "{options.preset}"',
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
    workloads = options.workload or WORKLOADS
    derive(workloads, folder, options.data.resolve())
    for workload in workloads:
        with_eim(workload, folder)
    python = second_env.find_or_create(folder / "second")
    settings = folder / "matrix.toml"
    settings.write_text(config(python, options), encoding="utf-8")
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
        for workload in sorted(set(rows["workload"]))
        for backend in plugins.names(plugins.BACKENDS)
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
        told = ok[~ok["backend"].isin(UNTOLD)] if column == "effective_precision" else ok
        known = int(told[column].notna().sum())
        limit = f"{len(told)}{'' if told is ok else '; not told by ' + ', '.join(UNTOLD)}"
        verdict.check(f"ok cells with {column}", f"{known}", limit, passed=known == len(told))
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
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="only these")
    parser.add_argument("--variants", action="store_true", help="options of backends too")
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
