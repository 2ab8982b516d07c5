"""tflite-runtime, which needs an interpreter of its own: beside its successor, and its traps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebench import resources
from edgebench.report import answers
from edgebench.specs import sha256_of

BACKEND = "tflite-runtime"
NEWER = Path(__file__).with_name("newer_int8_dynamic.tflite")
"""mnist_cnn's fp32.tflite by ai-edge-quantizer 0.10, recipe ``dynamic_wi8_afp32``."""
Row = dict[str, Any]
Run = Callable[..., list[Row]]


@pytest.fixture(scope="module")
def run(tflite_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs the command line with a configuration that names the interpreter; gives the rows."""
    folder = tmp_path_factory.mktemp("run")
    config = folder / "edgebench.toml"
    config.write_text(f'[backends.{BACKEND}]\npython = "{tflite_python}"\n')

    def measure(*arguments: str, code: int, **environment: str) -> list[Row]:
        line = [sys.executable, "-m", "edgebench.cli.main", "run", "--config", str(config)]
        done = subprocess.run(
            [*line, *arguments, "--json"],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "EDGEBENCH_LOCK": str(folder / "lock"), **environment},
            check=False,
        )
        assert done.returncode == code, done.stderr
        rows: list[Row] = json.loads(done.stdout)
        return rows

    return measure


def test_old_and_new_runtimes_are_rows_of_one_run(run: Run) -> None:
    names, precisions = (BACKEND, "litert"), ("fp32", "fp16", "int8", "int8_dynamic")
    rows = run("-w", "mnist_cnn", "-b", ",".join(names), code=3)
    assert len({row["run_id"] for row in rows}) == 1
    cells = {(row["backend"], row["precision"]): row for row in rows}
    assert set(cells) == {(name, one) for name in names for one in precisions}
    refused = cells.pop((BACKEND, "int8_dynamic"))
    assert refused["status"] == "failed"
    assert "Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'" in refused["reason"]
    assert {row["status"] for row in cells.values()} == {"ok"}
    assert all(row["latency_p50_ms"] > 0 for row in cells.values())
    assert {row["backend_version"] for row in rows if row["backend"] == BACKEND} == {"2.14.0"}
    ran = {one: cells[BACKEND, one]["effective_precision"] for one in precisions[:3]}
    assert ran == {"fp32": "fp32", "fp16": "fp32", "int8": "int8"}


def newer_workload(folder: Path) -> str:
    """mnist_cnn with the newer int8_dynamic file; gives its name."""
    source = resources.workload_folders()["mnist_cnn"]
    target = folder / "workloads" / "newer"
    shutil.copytree(source, target)
    old = target / "models" / "int8_dynamic.tflite"
    manifest = target / "workload.toml"
    text = manifest.read_text().replace('name = "mnist_cnn"', 'name = "newer"')
    text = text.replace(sha256_of(old), sha256_of(NEWER))
    manifest.write_text(text.replace(str(old.stat().st_size), str(NEWER.stat().st_size)))
    shutil.copy(NEWER, old)
    return target.name


def test_a_wrong_answer_without_an_error_keeps_its_figures_and_loses_its_verdict(
    run: Run, tmp_path: Path
) -> None:
    """It reads the newer file's weights of a channel each as if they had one scale."""
    name = newer_workload(tmp_path)
    rows = run(
        *("-w", name, "-p", "int8_dynamic", "-b", f"{BACKEND},litert"),
        code=0,
        EDGEBENCH_PATH=str(tmp_path),
    )
    wrong, right = sorted(rows, key=lambda row: str(row["backend"]), reverse=True)
    assert (wrong["backend"], wrong["status"], wrong["validity"]) == (BACKEND, "ok", "invalid")
    assert wrong["latency_p50_ms"] > 0
    assert wrong["parity_cosine"] < 0.5
    assert wrong["top1_ratio"] < 0.2
    assert "parity: cosine" in wrong["caveats"]
    (answer,) = answers.fastest(rows)
    assert wrong in answer.unranked
    assert right["validity"] != "invalid"
    assert right["parity_cosine"] > 0.99
    assert right["top1_ratio"] > 0.9


INSIDE = """
import json, sys
import numpy as np
from pathlib import Path
from edgebench import plugins, resources
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import Settings
asked, found = json.loads(sys.stdin.read()), []
for one in asked:
    workload = resources.open_workload(one.pop("workload", "mnist_cnn"))
    settings = Settings(**one)
    inputs, reference = passes.load_reference(workload.file("reference.npz"))
    path = workload.file(f"models/{settings.precision}.tflite")
    try:
        session = plugins.open_backend("tflite-runtime").open(path, settings)
    except ModelRefusedError as error:
        found.append({"refused": str(error)})
        continue
    outputs = passes.run_all(session, inputs, "NHWC", settings.batch)
    told = session.effective()
    found.append({name: getattr(told, name) for name in told.__struct_fields__})
    found[-1]["cosine"] = passes.compare(outputs, reference).cosine
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def inside(tflite_python: Path) -> Callable[..., list[dict[str, Any]]]:
    """What sessions inside the other interpreter tell, each opened with settings as told."""

    def ask(*settings: dict[str, Any]) -> list[dict[str, Any]]:
        done = subprocess.run(
            [str(tflite_python), "-c", INSIDE],
            input=json.dumps(settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return told

    return ask


def test_what_ran_is_read_back(inside: Callable[..., list[dict[str, Any]]]) -> None:
    fp32, fp16, int8, plain, pair = inside(
        {"precision": "fp32"},
        {"precision": "fp16"},
        {"precision": "int8"},
        {"options": {"xnnpack": "0"}},
        {"batch": 4, "workload": "cifar10_cnn"},
    )
    assert (fp32["precision"], fp32["accelerator_ops_ratio"]) == ("fp32", 1.0)
    assert "CONV_2D[XNNPACK]x3" in fp32["words"]
    assert fp16["precision"] == "fp32"
    assert fp16["accelerator_ops_ratio"] == 1.0
    assert (int8["precision"], int8["accelerator_ops_ratio"]) == ("int8", 0.0)
    assert "XNNPACK" not in int8["words"]
    assert (plain["precision"], plain["accelerator_ops_ratio"]) == ("fp32", 0.0)
    assert "XNNPACK" not in plain["words"]
    assert pair["accelerator_ops_ratio"] == 1.0
    for told in (fp32, fp16, plain, pair):
        assert told["backend_version"] == "2.14.0"
        assert told["cosine"] > 0.9999
    assert int8["cosine"] > 0.99
    assert fp32["threads"] is None


def test_what_it_cannot_do_is_told_in_its_own_words(
    inside: Callable[..., list[dict[str, Any]]],
) -> None:
    (newer, tpu, option, xnnpack) = inside(
        {"precision": "int8_dynamic"},
        {"accelerator": "edgetpu"},
        {"options": {"num_threads": "2"}},
        {"options": {"xnnpack": "off"}},
    )
    assert "FULLY_CONNECTED' version '12'" in newer["refused"]
    assert "edgetpu" in tpu["refused"]
    assert "there is no option 'num_threads'" in option["refused"]
    assert "xnnpack is 0 or 1, not 'off'" in xnnpack["refused"]
