"""`edgebench ab` as it is typed: answers, exit codes, mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgebench.cli import ab_answer
from edgebench.resources import open_workload
from edgebench.store.read import read_run

NULL = "mnist_cnn/edgebench.testing:NullBackend/fp32"
FAULTY = "mnist_cnn/edgebench.testing:FaultyBackend/fp32"


def ab(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "edgebench", "ab", *words]
    return subprocess.run(run, capture_output=True, text=True, cwd=cwd, check=False)


def test_a_large_difference_is_told_stored_and_breaks_its_limit(tmp_path: Path) -> None:
    sides = (f"{NULL}/busy_us=100", f"{NULL}/busy_us=1000")
    words = (*sides, "--json", "--fail", "+5%", "--max-launches", "5", "--seed", "1")
    done = ab(*words, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "slower"
    assert answer["ratio_lo"] > 1.05
    assert answer["launches"] == len(answer["launch_ratios"]) > 1
    assert "limit broken" in done.stderr
    assert "Traceback" not in done.stderr
    folder = tmp_path / "edgebench-results" / answer["run_id"]
    run = read_run(folder)
    assert len(run.records) == 2 * answer["launches"]
    assert run.manifest.preset == "ab"
    stored = msgspec.json.decode((folder / "ab.json").read_bytes())
    assert len(stored["launches"]) == answer["launches"]
    report = [sys.executable, "-m", "edgebench", "report", str(tmp_path), "--json"]
    rows = json.loads(subprocess.run(report, capture_output=True, text=True, check=True).stdout)
    assert [row["options"] for row in rows] == ["busy_us=100", "busy_us=1000"]
    again = subprocess.run(
        [sys.executable, "-m", "edgebench", "run", "--resume", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 2
    assert "run `edgebench ab` again" in again.stderr
    assert "Traceback" not in again.stderr


def test_two_files_are_held_against_each_other_in_80_columns(tmp_path: Path) -> None:
    workload = open_workload("mnist_cnn")
    files = [str(workload.file(f"models/{name}")) for name in ("fp32.onnx", "int8.tflite")]
    done = ab(files[0], f"{files[1]}/litert/int8", "--budget", "1s", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = re.search(r"parity, cosine +(\S+) +(\S+)", done.stdout)
    assert found is not None
    assert float(found[1]) == pytest.approx(1.0)
    assert 0.9 < float(found[2]) < 1.0, "the same inputs, as NCHW and NHWC"
    assert "against A's outputs" in done.stderr
    assert "different models" in done.stderr


def test_a_worker_that_fails_ends_it_with_its_reason(tmp_path: Path) -> None:
    done = ab(NULL, f"{FAULTY}/at=open/fault=segv", cwd=tmp_path)
    assert done.returncode == 3
    assert "edgebench: B, launch 0, load: crashed: killed by SIGSEGV" in done.stderr
    assert "can't tell" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("mnist_cnn", NULL), "is no case"),
        ((NULL, "nonsense/onnxruntime/fp32"), "no workload named 'nonsense'"),
        ((NULL, "mnist_cnn/nonsense/fp32"), "nonsense: no backend named"),
        ((NULL, NULL, "--threads", "0"), "threads"),
        ((NULL, NULL, "--fail", "5"), "write it like"),
        ((NULL, NULL, "--target", "0"), "--target 0"),
        ((NULL, NULL, "--max-launches", "2"), "--max-launches"),
        ((NULL, NULL, "--timeout", "0"), "--timeout 0"),
    ],
)
def test_mistakes_are_told_before_anything_is_measured(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = ab(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "edgebench-results").exists()


def test_a_limit_is_broken_only_where_the_interval_clears_it() -> None:
    answer: ab_answer.Answer = {"ratio": 1.08, "ratio_lo": 1.04, "ratio_hi": 1.12}
    assert ab_answer.breaks(answer, 1.05) == ""
    assert "at least 1.0600" in ab_answer.breaks({**answer, "ratio_lo": 1.06}, 1.05)
    assert ab_answer.breaks({**answer, "ratio_lo": None}, 1.05) == ""
    assert ab_answer.breaks(answer, None) == ""
