"""`edgebench profile` as it is typed: tables, files, a run's case, mistakes, workers that end."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from edgebench.resources import open_workload

ORT = "mnist_cnn/onnxruntime/int8"
NULL = "mnist_cnn/edgebench.testing:NullBackend/fp32"
QUICK = ("-n", "20")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "edgebench", *words]


def profile(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    run = command("profile", *words)
    return subprocess.run(run, capture_output=True, text=True, cwd=cwd, check=False)


def folder_of(parent: Path) -> Path:
    """The one profile below; nothing half made lies beside it."""
    (found,) = parent.iterdir()
    return found


def test_a_case_is_told_in_80_columns_and_kept_in_three_files(tmp_path: Path) -> None:
    done = profile(ORT, *QUICK, "--top", "5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "QLinearConv" in done.stdout
    assert "others" in done.stdout
    assert "overhead" in done.stdout.splitlines()[-1]
    assert "not a benchmark" in done.stderr
    folder = folder_of(tmp_path / "edgebench-results" / "profiles")
    assert {"operators.csv", "profile.json", "trace.json"} <= {p.name for p in folder.iterdir()}
    told = json.loads((folder / "profile.json").read_bytes())
    assert told["label"] == ORT
    assert told["effective"]["precision"] == "int8"
    assert told["calls"] == 20
    assert told["overhead_ratio"] == pytest.approx(told["profiled_us"] / told["plain_us"] - 1)
    trace = json.loads((folder / "trace.json").read_bytes())
    calls = [event for event in trace["traceEvents"] if event.get("cat") == "call"]
    assert len(calls) == 20
    report = subprocess.run(command("report"), capture_output=True, cwd=tmp_path, check=False)
    assert report.returncode == 2, "a profile is no run"


def test_csv_and_json_are_all_that_stdout_holds(tmp_path: Path) -> None:
    done = profile(ORT, *QUICK, "--csv", "-o", "kept", cwd=tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert sum(float(row["share_ratio"]) for row in rows) == pytest.approx(1.0)
    assert {row["kind"] for row in rows} >= {"QLinearConv", "QGemm"}
    assert (folder_of(tmp_path / "kept") / "operators.csv").read_text() == done.stdout
    assert "overhead" in done.stderr
    done = profile("mnist_cnn/litert/fp32", *QUICK, "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert told["operators"][0]["kind"] == "Convolution"
    assert told["same_outputs"]


def test_a_model_file_needs_no_workload(tmp_path: Path) -> None:
    path = open_workload("mnist_cnn").file("models/fp32.tflite")
    done = profile(f"{path}/openvino/fp32", *QUICK, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["source"].startswith("OpenVINO")


def test_a_case_of_a_run_is_found_by_its_label_and_its_id(tmp_path: Path) -> None:
    words = ["run", "-w", "mnist_cnn", "-b", "onnxruntime", "-p", "int8", "--threads", "1"]
    words += ["--scenario", "paced", "--rate", "50", "--budget", "3s"]
    ran = subprocess.run(command(*words), capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
    run = folder_of(tmp_path / "edgebench-results")
    (planned,) = json.loads((run / "run.json").read_bytes())["plan"]
    done = profile(str(run), planned["case_id"], *QUICK, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] == ORT, "one call, whatever the scenario"
    for more, known in (((), "name one case of"), ((ORT,), "has no case")):
        missing = profile(str(run), *more, cwd=tmp_path)
        assert missing.returncode == 2
        assert known in missing.stderr
        assert f"{ORT}/paced" in missing.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("mnist_cnn",), "is no case"),
        (("nonsense/onnxruntime/fp32",), "no workload named 'nonsense'"),
        (("mnist_cnn/nonsense/fp32",), "nonsense: no backend named"),
        (("mnist_cnn/onnxruntime/bf16",), "onnxruntime has no bf16"),
        ((NULL,), "gives no times of operators (these do: litert, "),
        ((ORT, "-n", "0"), "-n"),
        ((ORT, "--csv", "--json"), "stdout takes one of them"),
        ((ORT, "--timeout", "0"), "--timeout 0"),
        (("nowhere", ORT), "nowhere is no run folder"),
        ((ORT, "-o", "/proc/here"), "cannot write to /proc/here"),
        ((), "CASE"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = profile(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_is_killed_is_one_line(tmp_path: Path) -> None:
    run = command("profile", ORT, "-n", "1000", "-o", "kept")
    pipe = subprocess.PIPE
    with subprocess.Popen(run, stdout=pipe, stderr=pipe, text=True, cwd=tmp_path) as process:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # the folder is made right before the worker
            workers = psutil.Process(process.pid).children()
            if (tmp_path / "kept").is_dir() and workers:
                os.kill(workers[0].pid, signal.SIGKILL)
                break
            time.sleep(0.01)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert stdout == ""
    (line,) = stderr.splitlines()
    assert line.startswith(f"edgebench: {ORT}: ")
    assert line.endswith("crashed: killed by SIGKILL")
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_worker_that_takes_too_long_is_one_line(tmp_path: Path) -> None:
    done = profile(ORT, "--timeout", "0.01", cwd=tmp_path)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edgebench: {ORT}: start: timeout: no answer for 0.0")


def test_help_says_that_it_is_no_benchmark(tmp_path: Path) -> None:
    done = profile("--help", cwd=tmp_path)
    words = " ".join(done.stdout.split())
    assert "These are shares of a call: benchmark with `edgebench run`" in words
    assert "ui.perfetto.dev" in words


@pytest.mark.parametrize("backend", ["onnxruntime", "litert", "openvino", "opencv-dnn"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_operators_bear_the_work_that_the_file_counts(
    backend: str, precision: str, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="work of operators is counted with onnx")
    done = profile(f"mnist_cnn/{backend}/{precision}", *QUICK, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    macs = open_workload("mnist_cnn").spec.macs
    assert macs is not None
    counted = [one["work_mmac"] for one in told["operators"] if one["work_mmac"] is not None]
    # OpenVINO does not tell of what takes less than a microsecond.
    least = 0.5 if backend == "openvino" else 1.0
    by_kind = sum(one["work_mmac"] or 0 for one in told["kinds"])
    for mmac in (sum(counted), by_kind):
        assert least * macs / 1e6 * (1 - 1e-6) <= mmac <= macs / 1e6 * (1 + 1e-6)


def test_twice_the_batch_is_twice_the_work(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="work of operators is counted with onnx")
    done = profile("mnist_cnn/onnxruntime/fp32/b2", *QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "MMAC GMAC/s" in done.stdout
    assert "by kind: convolution" in done.stdout
    with (folder_of(tmp_path / "edgebench-results" / "profiles") / "operators.csv").open() as file:
        works = [float(row["work_mmac"] or 0) for row in csv.DictReader(file)]
    macs = open_workload("mnist_cnn").spec.macs
    assert macs is not None
    assert sum(works) == pytest.approx(2 * macs / 1e6)
