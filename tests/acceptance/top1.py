"""Every shipped model file keeps its top-1 on all 10,000 test images.

Needs numpy, pillow, onnxruntime, ai-edge-litert and edgebench; no TensorFlow. Prints one line a
file and exits with 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgebench.zoo import manifest
from edgebench.zoo.datasets import load_test, to_input
from edgebench.zoo.evaluate import evaluate_model

ROOT = Path(__file__).resolve().parents[2]
FLOORS_RATIO = {"mnist_cnn": 0.985, "cifar10_cnn": 0.70, "resnet8": 0.80}
LARGEST_LOSS_RATIO = 0.01
EXPECTED_FILES = {"mnist_cnn": 8, "cifar10_cnn": 8, "resnet8": 3}
TEST_IMAGES = 10_000
# Another processor's int8 kernels round otherwise; a wrong file is further off than this.
STATED_TOLERANCE_RATIO = 0.002


def judge(name: str, data: Path) -> bool:
    """Judge all files of one workload; give whether every limit holds."""
    folder = ROOT / "workloads" / name
    document = manifest.read(folder)
    images, labels = load_test(document["recipe"]["dataset"], data)
    inputs = to_input(images, document["preprocess"]["mean"], document["preprocess"]["std"])
    good = len(document["models"]) == EXPECTED_FILES[name] and len(labels) == TEST_IMAGES
    if not good:
        print(f"{name}: {len(document['models'])} files, {len(labels)} test images  FAIL")
    fp32: dict[str, float] = {}
    # fp32 first: the others' limit is taken from it.
    for model in sorted(document["models"], key=lambda m: m["precision"] != "fp32"):
        fmt, precision = model["format"], model["precision"]
        top1 = evaluate_model(folder / model["path"], fmt, inputs, labels)
        if precision == "fp32":
            fp32[fmt] = top1
        floor = FLOORS_RATIO[name]
        exact = fp32.get(fmt, fp32["onnx"])  # a workload need not ship both
        limit = floor if precision == "fp32" else max(floor, exact - LARGEST_LOSS_RATIO)
        passed = top1 >= limit and abs(top1 - model["top1_ratio"]) <= STATED_TOLERANCE_RATIO
        good = good and passed
        print(
            f"{name:12} {fmt:7} {precision:13} top-1 {top1:.4f}  "
            f"stated {model['top1_ratio']:.4f}  limit {limit:.4f}  "
            f"{'PASS' if passed else 'FAIL'}",
            flush=True,
        )
    return good


def main() -> int:
    """Judge every workload; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    data = parser.parse_args().data
    verdicts = [judge(name, data) for name in FLOORS_RATIO]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
