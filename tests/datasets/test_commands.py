"""`edgebench data` and `edgebench run --accuracy` as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgebench
from edgebench import resources


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own, in a folder of its own."""
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """The first 30 samples that mnist_cnn ships, in another file, the last 6 labels wrong."""
    workload = resources.open_workload("mnist_cnn")
    with np.load(workload.file("samples.npz")) as samples:
        images, labels = samples["images"][:30], samples["labels"][:30].copy()
    labels[24:] = (labels[24:] + 1) % 10
    np.savez(tmp_path / "digits.npz", x_test=images, y_test=labels)
    return tmp_path / "digits.npz"


def test_a_data_set_is_added_listed_verified_and_found_damaged(
    tmp_path: Path, digits: Path
) -> None:
    assert "no data sets" in run("data", "list", cwd=tmp_path).stderr
    added = run("data", "add", "mnist", str(digits), cwd=tmp_path)
    assert added.stdout == ""
    assert "30 images of 28x28x1" in added.stderr
    assert "already" in run("data", "add", "mnist", str(digits), cwd=tmp_path, code=2).stderr
    run("data", "add", "mnist", str(digits), "--replace", cwd=tmp_path)
    line = run("data", "list", cwd=tmp_path).stdout
    assert line.split() == ["mnist", "30", "28x28x1", "ok", "test", "of", "digits.npz"]
    (row,) = json.loads(run("data", "list", "--json", cwd=tmp_path).stdout)
    assert (row["count"], row["shape"], row["problem"]) == (30, [28, 28, 1], "")
    assert run("data", "verify", cwd=tmp_path).stdout == "mnist: ok\n"
    stored = Path(os.environ["EDGEBENCH_DATA"]) / "mnist" / "test.npz"
    stored.write_bytes(stored.read_bytes()[:-1])
    assert "sha256" in run("data", "list", cwd=tmp_path).stdout
    assert "1 data set(s) damaged" in run("data", "verify", cwd=tmp_path, code=2).stderr
    done = run("run", "-w", "mnist_cnn", "-b", "litert", "--accuracy", "full", cwd=tmp_path, code=2)
    assert "edgebench data add mnist PATH --replace" in done.stderr
    assert not (tmp_path / "edgebench-results").exists()


def test_accuracy_is_judged_on_what_was_asked_for(tmp_path: Path, digits: Path) -> None:
    run("data", "add", "mnist", str(digits), cwd=tmp_path)
    cell = ("run", "-w", "mnist_cnn", "-b", "onnxruntime", "-p", "fp32", "--json")
    figures = {}
    for choice in ("full", "samples", "none"):
        (row,) = json.loads(run(*cell, "--accuracy", choice, cwd=tmp_path).stdout)
        figures[choice] = (row["top1_ratio"], row["top1_samples"])
    assert figures["full"] == (24 / 30, 30)  # all right but those whose labels are wrong
    assert figures["samples"][1] == 1000
    assert figures["none"] == (None, None)
    frame = edgebench.load(tmp_path / "edgebench-results")
    assert sorted(frame["top1_samples"].dropna()) == [30, 1000]


def test_a_resumed_run_judges_on_the_same_images(tmp_path: Path, digits: Path) -> None:
    run("data", "add", "mnist", str(digits), cwd=tmp_path)
    cell = ("-w", "mnist_cnn", "-b", "onnxruntime", "-p", "fp32", "--accuracy", "full")
    run("run", *cell, cwd=tmp_path)
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    (folder / "results.jsonl").write_bytes(b"")
    again = run("run", "--resume", str(folder), "--json", cwd=tmp_path)
    assert json.loads(again.stdout)[0]["top1_samples"] == 30


def test_a_data_set_that_is_not_there_is_a_mistake_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    for workload, name in (("mnist_cnn", "mnist"), ("cifar10_cnn", "cifar10")):
        done = run(
            "run", "-w", workload, "-b", "litert", "--accuracy", "full", cwd=tmp_path, code=2
        )
        assert f"edgebench data download {name}, or edgebench data add {name} PATH" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shape", "label", "words"),
    [((3, 27, 28), 1, "images of (27, 28, 1)"), ((3, 28, 28), 10, "other classes")],
)
def test_a_data_set_of_another_kind_is_refused(
    tmp_path: Path, shape: tuple[int, ...], label: int, words: str
) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros(shape, np.uint8), labels=np.full(3, label))
    run("data", "add", "mnist", "a.npz", cwd=tmp_path)
    done = run("run", "-w", "mnist_cnn", "-b", "litert", "--accuracy", "full", cwd=tmp_path, code=2)
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "x", "missing"), "missing cannot be used: it does not exist"),
        (("add", "../x", "missing"), "cannot name a data set"),
        (("download", "nope"), "cannot be downloaded"),
        (("download", "mnist", "--split", "val"), "'val' is not one of"),
        (("verify", "nope"), "there is no data set 'nope'"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run("data", *arguments, cwd=tmp_path, code=2)
    assert words in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
