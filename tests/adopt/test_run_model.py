"""`edgebench run --model` and `edgebench workloads new`, as a user types them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))
import models
import standin_eim

import edgebench
from edgebench import resources
from edgebench.runner import journal

COMPILER = shutil.which("cc")
ONE = ("-b", "onnxruntime", "-p", "fp32")


def call(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def run_folder(cwd: Path) -> Path:
    (folder,) = (cwd / "edgebench-results").iterdir()
    return folder


def test_a_model_is_measured_told_and_resumed(tmp_path: Path) -> None:
    path = models.classifier(tmp_path / "My Net.onnx")
    done = call("run", "--model", "My Net.onnx", *ONE, "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert (row["workload"], row["status"], row["validity"] == "invalid") == ("my_net", "ok", False)
    assert row["parity_cosine"] == pytest.approx(1.0)
    note = r"my_net: My Net\.onnx; parity is against its own outputs on\s+onnxruntime"
    assert re.search(note, done.stderr)
    folder = run_folder(tmp_path)
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["config"]["model"] == [str(path)]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = call("run", "--resume", str(folder), cwd=elsewhere)
    assert "0 launches" in again.stderr
    models.classifier(path, ("n", 3, 8, 8))
    refused = call("run", "--resume", str(folder), cwd=tmp_path, code=2)
    assert "is not the one that it began with" in refused.stderr
    path.unlink()
    gone = call("run", "--resume", str(folder), cwd=tmp_path, code=2)
    assert "there is no such file" in gone.stderr


def test_several_models_run_beside_a_workload(tmp_path: Path) -> None:
    models.classifier(tmp_path / "net.onnx")
    models.two_inputs(tmp_path / "two.onnx")
    both = ("--model", "net.onnx", "--model", "two.onnx")
    call("run", *both, "-w", "mnist_cnn", *ONE, cwd=tmp_path)
    frame = edgebench.load(tmp_path / "edgebench-results")
    assert sorted(frame["workload"]) == ["mnist_cnn", "net", "two"]
    assert set(frame["status"]) == {"ok"}
    assert set(frame["source_sha256"].str.len()) == {64}


def test_what_can_be_derived_is_and_the_rest_is_told(tmp_path: Path) -> None:
    models.classifier(tmp_path / "net.onnx")
    done = call("run", "--model", "net.onnx", "-b", "mnn,onnxruntime", "--json", cwd=tmp_path)
    rows = {(row["backend"], row["precision"]): row for row in json.loads(done.stdout)}
    assert rows["mnn", "int8"]["status"] == "ok"
    assert "int8 is calibrated on random inputs" in rows["mnn", "int8"]["caveats"]
    assert "random" not in (rows["mnn", "fp32"]["caveats"] or "")
    assert rows["onnxruntime", "fp32"]["status"] == "ok"
    for row in rows.values():
        assert row["status"] == "ok" or "deriving" in row["reason"], row
    assert re.search(r"int8 is\s+calibrated\s+on\s+random\s+inputs", done.stderr)


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler: an .eim is a program")
def test_an_eim_gets_random_pixels(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs edgebench[litert]")
    model = resources.open_workload("mnist_cnn").file("models/fp32.tflite")
    script = standin_eim.write(tmp_path / "script", model, labels=list("0123456789"))
    start = f'#include <unistd.h>\nint main(int n, char **v) {{ return execv("{script}", v); }}'
    (tmp_path / "net.c").write_text(start)
    subprocess.run([str(COMPILER), "net.c", "-o", "net.eim"], cwd=tmp_path, check=True)
    done = call("run", "--model", "net.eim", "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert (row["backend"], row["status"]) == ("edge-impulse", "ok"), row["reason"]
    assert row["parity_cosine"] == pytest.approx(1.0)


def test_a_configuration_file_names_models_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    models.classifier(tmp_path / "deep" / "net.onnx", ("n", 3, "h", "w"))
    text = 'model = ["net.onnx"]\nshape = ["3x16x16"]\nmean = [127.5]\nstd = [127.5]\n'
    (tmp_path / "deep" / "run.toml").write_text(text)
    done = call("run", "--config", "deep/run.toml", "--dry-run", *ONE, cwd=tmp_path)
    assert done.stdout.splitlines() == ["net/onnxruntime/fp32"]
    dumped = call("run", "--config", "deep/run.toml", "--dump-config", cwd=tmp_path).stdout
    assert "mean = [127.5]" in dumped


def test_equal_numbers_for_each_channel_stay_three(tmp_path: Path) -> None:
    models.classifier(tmp_path / "net.onnx")
    three = ("--mean", "127.5,127.5,127.5", "--std", "58,57,57")
    call("workloads", "new", "kept", "--model", "net.onnx", *three, cwd=tmp_path)
    assert "mean = [127.5, 127.5, 127.5]" in (tmp_path / "kept" / "workload.toml").read_text()


def test_a_kept_model_is_a_workload(tmp_path: Path) -> None:
    models.classifier(tmp_path / "net.onnx")
    done = call("workloads", "new", "kept", "--model", "net.onnx", cwd=tmp_path)
    assert done.stdout == "edgebench run -w ./kept\n"
    call("run", "-w", "./kept", *ONE, cwd=tmp_path)
    assert edgebench.load(tmp_path / "edgebench-results")["workload"].tolist() == ["kept"]
    again = call("workloads", "new", "kept", "--model", "net.onnx", cwd=tmp_path, code=2)
    assert "is there already" in again.stderr
    bad = call("workloads", "new", "../kept", "--model", "net.onnx", cwd=tmp_path, code=2)
    assert "cannot name a workload" in bad.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "nowhere.onnx"), "there is no such file"),
        (("--model", "text.onnx"), "is a text file, no ONNX model"),
        (("--labels", "text.onnx"), "--labels is about a model of yours"),
        (("--layout", "NCHW"), "--layout is about a model of yours"),
        (("--model", "open.onnx"), "has the open shape"),
        (("--model", "open.onnx", "--shape", "abc"), "is no shape"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    (tmp_path / "text.onnx").write_text("hello, this is no model at all\n")
    models.classifier(tmp_path / "open.onnx", ("n", 3, "h", "w"))
    done = call("run", *options, *ONE, cwd=tmp_path, code=2)
    told = done.stderr.splitlines()
    assert words in told[-1]
    assert told[-1].startswith("edgebench: ")
    assert not (tmp_path / "edgebench-results").exists()


@pytest.mark.parametrize("option", ["--model", "--labels", "--images"])
def test_a_name_that_is_no_unicode_is_one_line(tmp_path: Path, option: str) -> None:
    models.classifier(tmp_path / "net.onnx")
    path = tmp_path / os.fsdecode(b"net\xff.onnx")
    models.classifier(path)
    given = ("--model", "net.onnx", option, str(path))
    done = call("run", *given, *ONE, cwd=tmp_path, code=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"edgebench: {option} ")
    assert line.endswith("its name is no Unicode (rename it)")


def test_a_labelled_folder_of_any_names_is_written_down(tmp_path: Path) -> None:
    models.classifier(tmp_path / "net.onnx")
    for index in range(models.CLASSES):
        folder = tmp_path / "images" / os.fsdecode(b"kind \xff" + bytes([48 + index]))
        folder.mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(folder / "one.png")
    call("run", "--model", "net.onnx", "--images", "images", *ONE, "--dry-run", cwd=tmp_path)


def test_nothing_is_taken_in_while_another_run_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBENCH_LOCK", str(tmp_path / "lock"))
    models.classifier(tmp_path / "net.onnx")
    with journal.one_run_at_a_time():
        done = call("run", "--model", "net.onnx", *ONE, cwd=tmp_path, code=2)
    (line,) = done.stderr.splitlines()
    assert "another edgebench run is under way" in line
