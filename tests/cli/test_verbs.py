"""doctor, and the verbs that list, show and verify, as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench import resources
from edgebench.cli import doctor_, show
from edgebench.cli.text import one_line
from edgebench.host.spoilers import Spoiler

NULL = "edgebench.testing:NullBackend"
FAULTY = "edgebench.testing:FaultyBackend"


def run(
    *arguments: str, cwd: Path, code: int = 0, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own; ``path`` becomes EDGEBENCH_PATH."""
    environment = {**os.environ, **({"EDGEBENCH_PATH": str(path)} if path else {})}
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, env=environment
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_doctor_tells_the_device_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    told = run("doctor", cwd=tmp_path).stdout
    assert max(map(len, told.splitlines())) <= 80
    for words in ("usable CPUs", "governor", "litert", "onnxruntime", "files whole"):
        assert words in told
    verdict = told.partition("What would spoil a run\n")[2]
    assert ("  - " in verdict) != ("nothing found that would spoil a run" in verdict)
    assert list(tmp_path.iterdir()) == []


def test_doctor_as_json_holds_every_section(tmp_path: Path) -> None:
    told = json.loads(run("doctor", "--json", cwd=tmp_path).stdout)
    assert told["device"]["cpus_usable"] == told["conditions"]["cpus_usable"]
    assert {probe["name"] for probe in told["backends"]} >= {"litert", "onnxruntime"}
    assert {one["name"]: one["problems"] for one in told["workloads"]}["mnist_cnn"] == []
    assert all(set(one) == {"what", "why", "remedy"} for one in told["spoilers"])


def test_doctor_tells_what_is_damaged_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "rock-5b.toml").write_text("schema = = 1")
    (tmp_path / "workloads" / "mnist_cnn").mkdir(parents=True)
    (tmp_path / "workloads" / "mnist_cnn" / "workload.toml").write_text("schema = 1")
    told = run("doctor", cwd=tmp_path, path=tmp_path).stdout
    assert "damaged" in told
    assert "rock-5b.toml is not valid TOML" in " ".join(told.split())
    assert "What would spoil a run" in told


def test_doctor_takes_no_arguments(tmp_path: Path) -> None:
    assert "unexpected extra argument" in run("doctor", "now", cwd=tmp_path, code=2).stderr


def test_a_run_repeats_in_a_line_each_what_doctor_found(tmp_path: Path) -> None:
    found = json.loads(run("doctor", "--json", cwd=tmp_path).stdout)["spoilers"]
    lasting = [one["what"] for one in found if not any(map(str.isdigit, one["what"]))]
    options = ("-w", "mnist_cnn", "-b", NULL, "-p", "fp32")
    told = run("run", *options, cwd=tmp_path).stderr.splitlines()
    assert {one_line(f"beware: {what}") for what in lasting} <= set(told)
    assert "beware" not in run("run", *options, "--json", cwd=tmp_path).stderr


def test_a_spoiler_is_a_line_of_80_columns_before_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    show.spoilers([Spoiler(what="x" * 200, why="y", remedy="z")])
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("beware: xxx")
    assert len(first) == 80
    assert "edgebench doctor" in second
    show.spoilers([])
    assert capsys.readouterr().err == ""


def test_a_command_that_mends_stays_whole_to_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    remedy = "echo performance | sudo tee /sys/devices/system/cpu/*/*/scaling_governor"
    doctor_.print_spoilers([Spoiler(what="a " * 60, why="b " * 60, remedy=remedy)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"    -> {remedy}"
    assert max(map(len, lines)) <= 80
    doctor_.print_spoilers([])
    assert "nothing found that would spoil a run" in capsys.readouterr().out


def test_devices_are_listed_shown_and_verified(tmp_path: Path) -> None:
    listed = run("devices", "list", cwd=tmp_path).stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(resources.device_files())
    shown = run("devices", "show", "raspberry-pi-5", cwd=tmp_path).stdout
    assert "raspberrypi,5-model-b" in shown
    assert "2.8 W (2023)" in shown
    assert "https://github.com/" in shown
    assert "rock-5b: ok" in run("devices", "verify", cwd=tmp_path).stdout


def test_every_broken_device_is_told_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    folder.mkdir()
    (folder / "a.toml").write_text("schema = 2")
    twin = resources.device_files()["rock-5b"].read_text().replace('"rock-5b"', '"twin"')
    (folder / "twin.toml").write_text(twin)
    done = run("devices", "verify", cwd=tmp_path, code=2, path=tmp_path)
    assert "a: " in done.stdout
    assert "twin: match compatible 'radxa,rock-5b' is rock-5b's too" in done.stdout
    assert "raspberry-pi-4: ok" in done.stdout
    assert "2 device descriptor(s) broken" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("devices", "show", "rock-5"), "did you mean rock-5c or rock-5b"),
        (("devices", "verify", "nope"), "edgebench devices list names them all"),
        (("backends", "show", "nope"), "litert, mnn, ncnn, onnxruntime"),
        (("backends", "verify", "nope"), "litert, mnn, ncnn, onnxruntime"),
        (("workloads", "verify", "nope"), "mnist_cnn"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run(*arguments, cwd=tmp_path, code=2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_backend_is_shown_with_its_extra(tmp_path: Path) -> None:
    shown = run("backends", "show", "litert", cwd=tmp_path).stdout
    assert "tflite" in shown
    assert "int8_dynamic" in shown
    assert "pip install 'edgebench[litert]'" in shown
    told = json.loads(run("backends", "show", "litert", "--json", cwd=tmp_path).stdout)
    assert told["formats"] == ["tflite"]


def test_installed_backends_compute_what_they_should(tmp_path: Path) -> None:
    lines = run("backends", "verify", "litert", "onnxruntime", cwd=tmp_path).stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["litert", "ok"], ["onnxruntime", "ok"]]
    assert all("cosine 1.00" in line for line in lines)


def test_a_backend_that_computes_nothing_or_fails_is_found(tmp_path: Path) -> None:
    done = run("backends", "verify", NULL, FAULTY, cwd=tmp_path, code=3)
    null, faulty = done.stdout.splitlines()
    assert null.startswith(f"{NULL}: parity: cosine")
    assert "failed in warmup: RuntimeError: planted failure" in faulty


def test_one_damaged_workload_does_not_hide_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "workloads" / "a_broken_one"
    folder.mkdir(parents=True)
    (folder / "workload.toml").write_text("schema = 1")
    done = run("workloads", "verify", cwd=tmp_path, code=2, path=tmp_path)
    assert "a_broken_one: " in done.stdout
    assert "mnist_cnn: ok" in done.stdout
    listed = run("workloads", "show", "mnist_cnn", cwd=tmp_path).stdout
    assert max(map(len, listed.splitlines())) <= 80
