"""Accuracy over full test sets: the command line gives the top-1 that the zoo stated.

Adds MNIST and CIFAR-10 to a data folder of its own by `edgebench data add`, runs the workloads that
were trained on them, in every precision that is in git and on both backends, by `edgebench run
--accuracy full`, and compares each top-1 with workload.toml's. Both sides decode CIFAR-10's JPEG
files by Pillow. Prints one line a cell and exits with 1 where one is more than 0.02 points off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from edgebench import resources

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"mnist": "mnist.npz", "cifar10": "cifar10-jpeg.zip"}
WORKLOADS = ("mnist_cnn", "cifar10_cnn", "resnet8")
BACKENDS = ("onnxruntime", "litert")
FORMATS = {"onnxruntime": "onnx", "litert": "tflite"}
PRECISIONS = ("fp32", "fp16", "int8", "int8_dynamic")
LARGEST_DIFFERENCE_RATIO = 0.0002
TEST_IMAGES = 10_000
_ROUNDING_RATIO = 1e-9


def shipped() -> set[tuple[str, str, str]]:
    """Workload, backend and precision of every model in git that these backends read."""
    return {
        (workload, backend, model.precision)
        for workload in WORKLOADS
        for model in resources.open_workload(workload).spec.models
        for backend in BACKENDS
        if model.format == FORMATS[backend]
    }


def edgebench(*arguments: str, folder: Path) -> str:
    """Run the command line with a data folder of its own; give its stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "edgebench.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "EDGEBENCH_DATA": str(folder / "data")},
        check=False,
    )
    if done.returncode:
        sys.exit(f"FAIL: edgebench {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def judge(row: dict[str, object]) -> bool:
    """Print one cell's figure, limit and verdict."""
    workload, backend, precision = (str(row[key]) for key in ("workload", "backend", "precision"))
    model = resources.open_workload(workload).model(FORMATS[backend], precision)
    stated = model.top1_ratio if model is not None else None
    top1, count = row["top1_ratio"], row["top1_samples"]
    known = isinstance(top1, float) and stated is not None
    off = abs(top1 - stated) if isinstance(top1, float) and stated is not None else float("nan")
    passed = known and count == TEST_IMAGES and off <= LARGEST_DIFFERENCE_RATIO + _ROUNDING_RATIO
    print(
        f"{workload:12} {backend:12} {precision:13} top-1 {top1} of {count}  stated {stated}  "
        f"off {off:.4f}  limit {LARGEST_DIFFERENCE_RATIO}  {'PASS' if passed else 'FAIL'}"
    )
    return passed


def main() -> int:
    """Judge every cell; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    data = parser.parse_args().data.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, file in SOURCES.items():
            edgebench("data", "add", name, str(data / file), folder=folder)
        chosen = ("-w", ",".join(WORKLOADS), "-b", ",".join(BACKENDS), "-p", ",".join(PRECISIONS))
        out = edgebench("run", *chosen, "--accuracy", "full", "--json", folder=folder)
    rows = {(row["workload"], row["backend"], row["precision"]): row for row in json.loads(out)}
    expected = shipped()
    verdicts = [judge(rows[cell]) for cell in sorted(expected & rows.keys())]
    whole = len(verdicts) == len(expected)
    print(
        f"{len(verdicts)} cells of {len(expected)}  {'PASS' if whole and all(verdicts) else 'FAIL'}"
    )
    return 0 if whole and all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
