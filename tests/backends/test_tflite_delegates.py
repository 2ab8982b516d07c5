"""External delegates by path, XNNPACK beside them and without, with a real shared library."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebench import plugins
from edgebench.backends import tflite_delegates
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Settings

SOURCE = Path(__file__).with_name("copying_delegate.c")
FP32_OPS = 8
"""Operators of mnist_cnn's fp32.tflite; one is the RESHAPE that the delegate takes."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delegate, compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to build a delegate with")
    path = tmp_path_factory.mktemp("delegate") / "libcopying.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(path), str(SOURCE)], check=True)
    return path


@pytest.mark.parametrize("batch", [1, 4])
def test_what_a_delegate_took_is_told_apart_from_what_xnnpack_took(
    ask: Callable[..., Any], library: Path, batch: int
) -> None:
    options = {"mine": str(library)}
    told = ask("litert", "fp32.tflite", accelerator="mine", options=options, batch=batch)
    assert told.parity.cosine > 0.9999
    effective = told.effective
    assert (effective.accelerator, effective.precision) == ("mine", "fp32")
    assert effective.accelerator_ops_ratio == pytest.approx(1 / FP32_OPS)
    assert "RESHAPE[mine]x1" in effective.words
    assert "CONV_2D[XNNPACK]x3" in effective.words


def test_a_delegate_without_xnnpack_leaves_the_rest_to_the_runtimes_own_kernels(
    ask: Callable[..., Any], library: Path
) -> None:
    options = {"mine": str(library), "xnnpack": "0"}
    effective = ask("litert", "fp32.tflite", accelerator="mine", options=options).effective
    assert "RESHAPE[mine]x1" in effective.words
    assert "XNNPACK" not in effective.words


def test_a_delegate_that_takes_nothing_is_a_fall_back_to_the_cpu(
    ask: Callable[..., Any], library: Path
) -> None:
    options = {"mine": str(library), "mine.take": "nothing"}
    effective = ask("litert", "fp32.tflite", accelerator="mine", options=options).effective
    assert (effective.accelerator, effective.accelerator_ops_ratio) == ("cpu", 0.0)


def test_its_own_options_arrive_and_nothing_else(
    ask: Callable[..., Any], library: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    own = {"log": str(log), "backends": "GpuAcc,CpuAcc", "device.type": "usb"}
    options = {f"mine.{key}": value for key, value in own.items()}
    options |= {"mine": str(library), "xnnpack": "1"}
    ask("litert", "fp32.tflite", accelerator="mine", options=options)
    assert dict(line.split("=", 1) for line in log.read_text().splitlines()) == own


def test_without_a_delegate_xnnpack_is_there_unless_it_is_left_out(ask: Callable[..., Any]) -> None:
    on = ask("litert", "fp32.tflite")
    off = ask("litert", "fp32.tflite", options={"xnnpack": "0"})
    assert on.effective.accelerator_ops_ratio == 1.0
    assert off.effective.accelerator_ops_ratio == 0.0
    assert "XNNPACK" not in off.effective.words
    assert (off.effective.precision, off.effective.accelerator) == ("fp32", "cpu")
    assert off.parity.cosine > 0.9999


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mine": "/nowhere/lib.so"}, "/nowhere/lib.so cannot be loaded: .*No such file"),
        ({"mine": "here/lib.so"}, "here/lib.so cannot be loaded: .*whole path"),
        ({"mine": "{text}"}, "cannot be loaded: .*(invalid ELF header|file too short)"),
        ({"mine": "{other}"}, "is no TFLite delegate: it has no tflite_plugin_create_delegate"),
        ({"mine": "{library}", "mine.fail": "no device"}, "cannot be loaded: no device"),
        ({}, "there is no accelerator 'mine' here .*options = { mine = "),
        ({"mine": "{library}", "yours.key": "1"}, "there is no option 'yours.key' on mine"),
    ],
    ids=[
        "missing",
        "relative",
        "no library",
        "no delegate",
        "refuses",
        "unknown",
        "another's option",
    ],
)
def test_a_delegate_that_cannot_be_had_is_one_line(
    model_path: Callable[..., Path], library: Path, options: dict[str, str], words: str
) -> None:
    maps = Path("/proc/self/maps").read_text().splitlines()
    other = next(line.split()[-1] for line in maps if "/libm.so" in line)
    real = {"text": SOURCE, "other": other, "library": library}
    made = {key: value.format(**real) for key, value in options.items()}
    with pytest.raises(ModelRefusedError, match=words) as caught:
        plugins.open_backend("litert").open(
            model_path("fp32.tflite"), Settings(accelerator="mine", options=made)
        )
    assert "\n" not in str(caught.value)


def test_accelerators_are_those_whose_library_is_installed(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[..., Any]
) -> None:
    shutil.copy(library, tmp_path / "libvx_delegate.so")
    (tmp_path / "libarmnnDelegate.so").mkdir()  # no file
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path}")
    assert tflite_delegates.present()["vx"] == tmp_path / "libvx_delegate.so"
    accelerators = plugins.probe_backend("litert").accelerators
    assert accelerators[0] == "cpu"
    assert "vx" in accelerators
    assert "armnn" not in accelerators
    effective = ask("litert", "fp32.tflite", accelerator="vx").effective
    assert "RESHAPE[vx]x1" in effective.words


def test_the_loaders_own_folders_are_searched() -> None:
    folders = tflite_delegates.folders()
    assert Path("/usr/lib") in folders
    assert Path("/usr/lib") / f"{platform.machine()}-linux-gnu" in folders


def test_one_run_compares_the_cpu_with_a_delegate_on_both_runtimes(
    library: Path, tflite_python: Path, tmp_path: Path
) -> None:
    table = f'accelerators = ["cpu", "mine"]\noptions = {{ mine = "{library}", "mine.a" = "b" }}\n'
    config = tmp_path / "edgebench.toml"
    config.write_text(
        f'[backends.litert]\n{table}[backends.tflite-runtime]\npython = "{tflite_python}"\n{table}'
    )
    chosen = ("-w", "mnist_cnn", "-p", "fp32", "-b", "litert,tflite-runtime", "--json")
    line = [sys.executable, "-m", "edgebench.cli.main", "run", "--config", str(config), *chosen]
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    found = {(row["backend"], row["accelerator"]): row for row in rows}
    both = ("litert", "tflite-runtime")
    assert set(found) == {(name, where) for name in both for where in ("cpu", "mine")}
    assert all(row["status"] == "ok" and row["fallback"] is None for row in rows)
    assert found["litert", "cpu"]["options"] is None
    assert "mine.a=b" in found["litert", "mine"]["options"]
