"""A real run keeps which images each cell had right, and judges its loss by them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from scipy import stats

from edgebench import resources
from edgebench.measure import passes
from edgebench.store.read import read_all


def answers(precision: str) -> list[bool]:
    """Which of the shipped samples a model has right, by the runtime itself."""
    workload = resources.open_workload("mnist_cnn")
    assert workload.spec.samples is not None
    with np.load(workload.file(workload.spec.samples.path)) as stored:
        pixels, labels = stored["images"], stored["labels"]
    spec = workload.spec
    images = passes.normalise(pixels, spec.mean, spec.std).transpose(0, 3, 1, 2)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        workload.file(f"models/{precision}.onnx"), options, providers=["CPUExecutionProvider"]
    )
    found = [session.run(None, {"input": image[None]})[0] for image in images]
    return [bool(right) for right in np.concatenate(found).argmax(axis=1) == labels]


def test_a_run_judges_a_loss_image_by_image(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgebench.cli.main", "run", "-w", "mnist_cnn"]
    command += ["-b", "onnxruntime", "-p", "fp32,int8", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    fp32, int8 = json.loads(done.stdout)
    before, after = answers("fp32"), answers("int8")
    lost = sum(a and not b for a, b in zip(before, after, strict=True))
    won = sum(b and not a for a, b in zip(before, after, strict=True))
    assert (int8["top1_lost_samples"], int8["top1_won_samples"]) == (lost, won)
    assert int8["top1_loss_ratio"] == pytest.approx((lost - won) / len(before))
    assert int8["top1_loss_lo_ratio"] <= int8["top1_loss_ratio"] <= int8["top1_loss_hi_ratio"]
    exact = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert int8["top1_mcnemar_p"] <= exact
    assert (fp32["top1_loss_against"], fp32["top1_mcnemar_p"]) == ("onnxruntime", None)
    (run,), _ = read_all([tmp_path / "edgebench-results"])
    kept = [record.accuracy for record in run.latest() if record.accuracy is not None]
    bits = {one.right for one in kept}
    assert bits == {
        sum(right << index for index, right in enumerate(answered)) for answered in (before, after)
    }
