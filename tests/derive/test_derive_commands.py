"""`edgebench workloads derive` and `edgebench run` on what it made, as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgebench import resources
from edgebench.derive import cache, calibration
from edgebench.derive.make import Made
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.runner import plan
from edgebench.runner.config import RunConfig

MNN = Probe(name="mnn", available=True, formats=("mnn",), precisions=("fp32", "fp16", "int8"))


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, env=dict(os.environ)
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_cell_without_its_derived_file_names_the_command() -> None:
    workloads = plan.choose_workloads(("mnist_cnn", "cifar10_cnn"))
    cells = plan.build(RunConfig(backends_named=("mnn",)), workloads, {"mnn": MNN}).cases
    skips = {f"{cell.case.workload} {cell.case.precision}": cell.skip for cell in cells}
    line = "edgebench workloads derive mnist_cnn --format mnn"
    assert skips["mnist_cnn fp32"] == f"mnist_cnn has no fp32 model as mnn ({line})"
    assert "cifar10_cnn --format mnn --data DIR" in skips["cifar10_cnn int8"]
    assert "mnist_cnn int8_dynamic" not in skips


def test_a_derived_model_is_planned_like_a_shipped_one(
    derived: Callable[..., Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = derived("mnist_cnn", "mnn", "fp32")
    monkeypatch.setenv("EDGEBENCH_CACHE", str(made.path.parents[2]))
    workloads = plan.choose_workloads(("mnist_cnn",))
    (cell,) = plan.build(RunConfig(precisions=("fp32",)), workloads, {"mnn": MNN}).cases
    assert cell.skip == ""
    assert cell.case.format == "mnn"
    assert cell.case.source_sha256 == workloads["mnist_cnn"].spec.source_sha256


def test_deriving_listing_and_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("MNN", reason="needs MNN")
    told = run(
        "workloads", "derive", "mnist_cnn", "--format", "mnn", "-p", "fp32,int8", cwd=tmp_path
    )
    assert told.stdout == ""
    assert [line.split(":")[0] for line in told.stderr.splitlines()] == [
        "mnist_cnn mnn fp32",
        "mnist_cnn mnn int8",
    ]
    again = run("workloads", "derive", "mnist_cnn", "--format", "mnn", "-p", "int8", cwd=tmp_path)
    assert "in the cache" in again.stderr
    assert "8+2 models" in run("workloads", "list", cwd=tmp_path).stdout
    shown = " ".join(run("workloads", "show", "mnist_cnn", cwd=tmp_path).stdout.split())
    assert "calibrated on 116 shipped images" in shown
    options = ("-w", "mnist_cnn", "-b", "mnn", "-p", "fp32,int8", "--json")
    rows = json.loads(run("run", *options, cwd=tmp_path).stdout)
    attached = cache.attach(resources.open_workload("mnist_cnn"))
    hashes = {model.precision: model.sha256 for model in attached.derived}
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert {row["precision"]: row["model_sha256"] for row in rows} == hashes
    assert [row["effective_precision"] for row in rows] == ["fp32", "int8"]
    (finished,) = (tmp_path / "edgebench-results").iterdir()
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "another"))
    lost = run("run", "--resume", str(finished), cwd=tmp_path, code=2).stderr
    assert (
        "no fp32 model as mnn any more; edgebench workloads derive mnist_cnn --format mnn" in lost
    )


def test_mistakes_are_a_line_each(tmp_path: Path) -> None:
    wrong = run("workloads", "derive", "--format", "eim", cwd=tmp_path, code=2)
    known = "onnx, mnn, ncnn, tflite, savedmodel, torch"
    assert wrong.stderr == f"edgebench: nothing derives 'eim' (known: {known})\n"
    pytest.importorskip("MNN", reason="needs MNN")
    never = ("workloads", "derive", "mnist_cnn", "--format", "mnn", "-p", "int8_dynamic")
    told = run(*never, cwd=tmp_path, code=2).stderr
    known = "mnn: fp32, fp16, int8"
    assert told == f"edgebench: nothing derives mnn in int8_dynamic (choose from {known})\n"
    absent = ("workloads", "derive", "mnist_cnn", "--data", "no-such-set")
    assert "no data set 'no-such-set'" in run(*absent, cwd=tmp_path, code=2).stderr
    nowhere = ("workloads", "derive", "mnist_cnn", "--data", "/no/such/folder")
    assert "there is no folder /no/such/folder" in run(*nowhere, cwd=tmp_path, code=2).stderr


def test_a_precision_that_a_named_format_never_has_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("MNN", reason="needs MNN")
    asked = ("workloads", "derive", "mnist_cnn", "--format", "mnn")
    told = run(*asked, "-p", "bf16", cwd=tmp_path, code=2).stderr
    assert told == "edgebench: nothing derives mnn in bf16 (choose from mnn: fp32, fp16, int8)\n"
    told = run(*asked, "-p", "bf16,fp16", cwd=tmp_path, code=2).stderr
    assert told == "edgebench: nothing derives bf16 files (choose from mnn: fp32, fp16, int8)\n"


def test_int8_that_was_asked_for_and_lacks_images_fails_and_else_is_told(tmp_path: Path) -> None:
    pytest.importorskip("MNN", reason="needs MNN")
    asked = ("workloads", "derive", "cifar10_cnn", "--format", "mnn")
    assert "--data" in run(*asked, "-p", "int8", cwd=tmp_path, code=3).stderr
    assert "--data" in run(*asked, cwd=tmp_path).stderr
    kept = cache.attach(resources.open_workload("cifar10_cnn")).derived
    assert [model.precision for model in kept] == ["fp32", "fp16"]


def test_images_are_drawn_from_a_training_set_and_never_from_a_test_set(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (700, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "all.npz", images=pixels, labels=np.arange(700) % 10)
    for split in ("train", "test"):
        run("data", "add", f"mine-{split}", "all.npz", "--split", split, cwd=tmp_path)
    workload = resources.open_workload("mnist_cnn")
    drawn = calibration.choose(workload, "mine-train", tmp_path)
    assert drawn is not None
    with np.load(drawn.path) as archive:
        chosen = [image.tobytes() for image in archive["images"]]
    assert len(set(chosen)) == 500
    assert set(chosen) <= {image.tobytes() for image in pixels}
    assert drawn.sha256 == calibration.choose(workload, "mine-train", tmp_path).sha256  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="test images"):
        calibration.choose(workload, "mine-test", tmp_path)
    with pytest.raises(UsageError, match="takes"):
        calibration.choose(resources.open_workload("cifar10_cnn"), "mine-train", tmp_path)


def test_verifying_passes_over_a_backend_whose_model_was_not_derived(tmp_path: Path) -> None:
    pytest.importorskip("MNN", reason="needs MNN")
    told = run("backends", "verify", cwd=tmp_path).stdout
    assert "mnn: not tried: mnist_cnn has no fp32 model as mnn" in told
    assert "--format mnn" in run("backends", "verify", "mnn", cwd=tmp_path, code=2).stderr
    run("workloads", "derive", "mnist_cnn", "--format", "mnn", "-p", "fp32", cwd=tmp_path)
    assert "mnn: ok" in run("backends", "verify", "mnn", cwd=tmp_path).stdout
