"""Backends in another interpreter: what it lacks is one line with what mends it, wherever shown."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edgebench
from edgebench import plugins
from edgebench.records import SCHEMA_VERSION

sys.path.insert(0, str(Path(__file__).parents[1]))
import second_env

BACKEND = "tflite-runtime"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs the command line with a configuration that names an interpreter of the backend."""

    def run(python: Path, *arguments: str, code: int) -> subprocess.CompletedProcess[str]:
        config = tmp_path / "edgebench.toml"
        config.write_text(f'[backends.{BACKEND}]\npython = "{python}"\n')
        line = [sys.executable, "-m", "edgebench.cli.main", *arguments, "--config", str(config)]
        done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == code, done.stderr
        return done

    return run


def refusal(command: Command, python: Path) -> str:
    """The one line that a run ends with before anything is measured."""
    done = command(python, "run", "-w", "mnist_cnn", "-b", BACKEND, code=2)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_an_interpreter_without_edgebench(command: Command, tmp_path: Path) -> None:
    python = second_env.create(tmp_path / "env", "msgspec")
    told = refusal(command, python)
    assert f"{python} cannot run workers" in told
    assert "No module named 'edgebench'" in told
    assert "(install this edgebench in that environment)" in told


def test_an_interpreter_without_numpy(command: Command, tmp_path: Path) -> None:
    ours = ("--no-deps", "--editable", str(second_env.ROOT), "msgspec", "click", "psutil")
    python = second_env.create(tmp_path / "env", *ours)
    told = refusal(command, python)
    assert f"backend {BACKEND}: numpy is not installed" in told
    assert f"({python} -m pip install 'edgebench[tflite-runtime]')" in told


def test_numpy_2_beside_tflite_runtime(command: Command, tmp_path: Path) -> None:
    """It imports, and would fail with a SystemError in the middle of a run."""
    ours = ("--editable", str(second_env.ROOT), "tflite-runtime", "numpy>=2")
    python = second_env.create(tmp_path / "env", *ours)
    told = refusal(command, python)
    assert f"backend {BACKEND}: it wants numpy < 2, here is 2." in told
    assert f"({python} -m pip install 'numpy<2')" in told
    listed = command(python, "backends", "list", code=0).stdout
    assert "it wants numpy < 2" in listed
    assert "\nonnxruntime " in listed


def test_an_interpreter_with_an_edgebench_of_another_schema(
    command: Command, tmp_path: Path
) -> None:
    shutil.copytree(Path(edgebench.__file__).parent, tmp_path / "old" / "edgebench")
    records = tmp_path / "old" / "edgebench" / "records.py"
    now = f"SCHEMA_VERSION = {SCHEMA_VERSION}"
    assert now in records.read_text()
    records.write_text(records.read_text().replace(now, "SCHEMA_VERSION = 999"))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/old exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    told = refusal(command, python)
    assert f"{python} has an edgebench of schema 999, this one has {SCHEMA_VERSION}" in told
    assert "(install the same version in both)" in told


def test_an_interpreter_that_is_not_there_costs_its_own_backend_only(
    command: Command, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    assert f"cannot start '{missing}'" in refusal(command, missing)
    probes = json.loads(command(missing, "backends", "list", "--json", code=0).stdout)
    told = {one["name"]: one for one in probes}
    assert not told[BACKEND]["available"]
    assert f"cannot start '{missing}'" in told[BACKEND]["reason"]
    assert told["onnxruntime"]["available"]


def test_the_verbs_that_look_ask_the_interpreter_of_the_configuration(
    command: Command, tflite_python: Path
) -> None:
    shown = command(tflite_python, "backends", "show", BACKEND, code=0).stdout
    assert shown.startswith(f"{BACKEND} 2.")
    tried = command(tflite_python, "backends", "verify", BACKEND, code=0).stdout
    assert tried.startswith(f"{BACKEND}: ok: 2.")
    told = command(tflite_python, "doctor", code=0).stdout
    assert f"  {BACKEND} 2." in told
    assert max(map(len, told.splitlines())) <= 80


def test_where_it_is_not_installed_the_line_that_mends_it_names_an_interpreter_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "edgebench.backends.tflite_runtime", raising=False)
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    monkeypatch.setattr("numpy.__version__", "2.1.0")
    probe = plugins.probe_backend(BACKEND)
    assert probe.reason == "tflite_runtime is not installed; it wants Python <= 3.11 and numpy < 2"
    assert "python3.11 -m venv" in probe.remedy
    assert "[backends.tflite-runtime] python = " in probe.remedy
