"""The command line as a user meets it: exit codes, one-line errors, whole runs on fake backends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import edgebench
from edgebench import resources

NULL = "edgebench.testing:NullBackend"
FAULTY = "edgebench.testing:FaultyBackend"


@pytest.fixture
def quick(tmp_path: Path) -> tuple[str, ...]:
    """Options for a run of one short cell on the null backend."""
    config = tmp_path / "null.toml"
    config.write_text(f'[backends."{NULL}"]\noptions = {{ busy_us = "500" }}\n')
    return ("-w", "mnist_cnn", "-b", NULL, "-p", "fp32", "--config", str(config))


def run(*arguments: str, cwd: Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own, in a folder of its own."""
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    if code is not None:
        assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one quick run."""
    folder = tmp_path_factory.mktemp("made")
    run("run", "-w", "mnist_cnn", "-b", NULL, "-p", "fp32", cwd=folder)
    return folder / "edgebench-results"


@pytest.fixture
def results(made_once: Path, tmp_path: Path) -> Path:
    """A copy of them, to be read and spoilt."""
    return Path(shutil.copytree(made_once, tmp_path / "edgebench-results"))


def test_a_run_ends_in_a_table_a_folder_and_a_frame(tmp_path: Path) -> None:
    done = run("run", "-w", "mnist_cnn", "-b", "onnxruntime,litert", "-p", "int8", cwd=tmp_path)
    assert "mnist_cnn" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = edgebench.load(tmp_path / "edgebench-results")
    assert found["status"].tolist() == ["ok", "ok"]
    assert (found["top1_ratio"] > 0.97).all()
    assert found["effective_precision"].tolist() == ["int8", "int8"]
    assert found["fallback"].isna().all()
    table = found.pivot_table(
        index=["workload", "precision"], columns="backend", values="latency_p50_ms"
    )
    assert table.shape == (1, 2)


def test_rows_as_json_are_data_on_stdout_only(tmp_path: Path, quick: tuple[str, ...]) -> None:
    done = run("run", *quick, "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert row["backend"] == NULL
    assert row["validity"] == "invalid"  # it computes nothing, and parity says so
    csv = run("report", "--csv", "-", cwd=tmp_path).stdout.splitlines()
    assert csv[0].startswith("run_id,case_id,")
    assert len(csv) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "-w", "nope"), "no workload named 'nope'"),
        (("run", "-b", "nope"), "no backend named 'nope'"),
        (("run", "-p", "fp8"), "'fp8' is not one of"),
        (("run", "--threads", "9999"), "CPU(s)"),
        (("run", "-w", ""), "names nothing"),
        (("run", "--timeout", "nan"), "--timeout"),
        (("run", "--quick", "--standard"), "--quick and --standard exclude each other"),
        (("run", "--target", "1%"), "--quick measures for a fixed time (add --thorough"),
        (("run", "--target", "0.01", "--standard"), "--standard measures for a fixed time"),
        (("run", "--target", "tight", "--thorough"), "'tight' is not a share"),
        (("run", "--target", "120%", "--thorough"), "--target 1.2"),
        (("run", "--budget", "ten"), "'ten' is not a time"),
        (("run", "--budget", "0s"), "--budget 0"),
        (("run", "--resume", "x", "--target", "1%"), "without --target"),
        (("run", "--threads", "x"), "not a valid integer"),
        (("run", "--batch", "0"), "--batch 0"),
        (("run", "--config", "missing.toml"), "cannot read missing.toml"),
        (("run", "--resume", "missing"), "no run folder"),
        (("run", "--resume", "x", "-p", "int8"), "without --precision"),
        (("run", "--resume", "x", "--seed", "0"), "without --seed"),
        (("run", "--resume", "x", "--columns", "nope"), "no column 'nope'"),
        (("run", "--columns", "nope", "-w", "mnist_cnn"), "no column 'nope'"),
        (("run", "--bogus"), "--bogus"),
        (("report", "missing"), "missing does not exist"),
        (("report",), "does not exist"),
        (("report", "--columns", "nope", "."), "no column 'nope'"),
        (("workloads", "show", "nope"), "no workload named"),
        (("nonsense",), "No such command"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_nothing_is_measured(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run(*arguments, cwd=tmp_path, code=2)
    assert words in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_lists_and_measures_nothing(tmp_path: Path) -> None:
    done = run("run", "-w", "mnist_cnn", "-b", "litert", "--dry-run", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == "mnist_cnn/litert/fp32"
    assert "4 cells x 3 launches" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dumped_configuration_runs_the_same_cells(tmp_path: Path) -> None:
    options = ("-w", "mnist_cnn", "-b", "litert", "-p", "fp32,int8", "--seed", "7")
    (tmp_path / "run.toml").write_text(run("run", *options, "--dump-config", cwd=tmp_path).stdout)
    again = run("run", "--config", "run.toml", "--dry-run", cwd=tmp_path)
    assert again.stdout == run("run", *options, "--dry-run", cwd=tmp_path).stdout
    other = run("run", "--config", "run.toml", "-p", "fp16", "--dry-run", cwd=tmp_path)
    assert other.stdout == "mnist_cnn/litert/fp16\n"


def test_failed_cells_exit_3_keep_the_rest_and_resume(tmp_path: Path) -> None:
    config = f'[backends."{FAULTY}"]\noptions = {{ fault = "segv" }}\n'
    config += f'[backends."{NULL}"]\noptions = {{ busy_us = "500" }}\n'
    (tmp_path / "run.toml").write_text(config)
    options = ("-w", "mnist_cnn", "-b", f"{FAULTY},{NULL}", "-p", "fp32", "--config", "run.toml")
    done = run("run", *options, cwd=tmp_path, code=3)
    assert "SIGSEGV" in done.stderr
    found = edgebench.load(tmp_path / "edgebench-results").set_index("backend")
    assert found["status"].to_dict() == {FAULTY: "crashed", NULL: "ok"}
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    before = (folder / "results.jsonl").read_bytes()
    run("run", "--resume", str(folder), cwd=tmp_path, code=3)
    after = (folder / "results.jsonl").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == before.count(b"\n") + 1  # only the crashed launch, once more


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("facts", "device_id", "another"), "another device"),
        (("backend_versions", NULL, "9"), "now there is 0"),
        (("config", "brand_new", 1), "brand_new"),
    ],
)
def test_a_run_is_not_resumed_into_something_else(
    tmp_path: Path, results: Path, change: tuple[str, str, object], words: str
) -> None:
    (folder,) = results.iterdir()
    manifest = json.loads((folder / "run.json").read_text())
    manifest[change[0]][change[1]] = change[2]
    (folder / "run.json").write_text(json.dumps(manifest))
    done = run("run", "--resume", str(folder), cwd=tmp_path, code=2)
    assert words in done.stderr
    assert "start a new run" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_keeps_what_it_has_and_says_how_to_go_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    what = ("-w", "mnist_cnn", "-b", "litert", "--standard")
    command = [sys.executable, "-m", "edgebench.cli.main", "run", *what]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        # A shell starts jobs in the background with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - as above
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[1/"):
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "edgebench run --resume edgebench-results/" in err
    assert "mnist_cnn" in out
    assert edgebench.load(tmp_path / "edgebench-results")["launches"].sum() == 1


def test_several_runs_are_put_together_and_the_latest_shown(
    tmp_path: Path, quick: tuple[str, ...]
) -> None:
    for device in ("a", "b", "b"):
        run("run", *quick, "--device-name", device, cwd=tmp_path)
    latest = json.loads(run("report", "--json", cwd=tmp_path).stdout)
    assert [row["device_id"] for row in latest] == ["a", "b"]
    assert "device_id" in run("report", cwd=tmp_path).stdout  # what tells the rows apart is shown
    every = json.loads(run("report", "--json", "--all-runs", cwd=tmp_path).stdout)
    assert [row["device_id"] for row in every] == ["a", "b", "b"]


def test_workloads_and_backends_are_listed(tmp_path: Path) -> None:
    assert "mnist_cnn" in run("workloads", "list", cwd=tmp_path).stdout
    assert "top-1 of 10,000" in run("workloads", "show", "mnist_cnn", cwd=tmp_path).stdout
    assert "mnist_cnn: ok" in run("workloads", "verify", cwd=tmp_path).stdout
    assert "litert" in run("backends", "list", cwd=tmp_path).stdout


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m edgebench.cli.main report --list-columns | head -1"
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.stdout.startswith("run_id")
    assert done.stderr == ""


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("target", ["&-", "/dev/full"])
def test_a_stdout_that_cannot_be_written_is_told_without_a_trace(
    tmp_path: Path, target: str
) -> None:
    line = f"{sys.executable} -m edgebench report >{target}"
    done = subprocess.run(
        ["/bin/bash", "-c", line], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if target == "&-" else 2)


def test_a_terminal_without_our_signs_gets_question_marks(
    tmp_path: Path, quick: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert "mnist_cnn" in run("run", *quick, cwd=tmp_path).stdout


def test_cells_of_several_threads_are_told_apart(tmp_path: Path, quick: tuple[str, ...]) -> None:
    done = run("run", *quick, "--batch", "1,2", cwd=tmp_path)
    assert "batch" in done.stdout.splitlines()[0]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_two_workloads_of_one_name_are_refused(tmp_path: Path) -> None:
    source = resources.open_workload("mnist_cnn").folder
    shutil.copytree(source, tmp_path / "copy")
    done = run("run", "-w", "mnist_cnn,./copy", cwd=tmp_path, code=2)
    assert "both named 'mnist_cnn'" in done.stderr


def test_one_run_in_two_folders_counts_once(results: Path, made_once: Path) -> None:
    shutil.copytree(made_once, results / "copy")
    with pytest.warns(UserWarning, match="same run"):
        assert len(edgebench.load(results)) == 1
