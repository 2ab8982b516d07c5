"""A plug-in is installed and measured; broken ones cost a line each and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebench import plugins

EXAMPLE = Path(__file__).resolve().parent / "plugin_example"
Done = subprocess.CompletedProcess[str]


def python(*arguments: str, path: tuple[Path, ...] = (), cwd: Path | None = None) -> Done:
    """Run this interpreter with more folders to import from."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, built as a wheel and installed into a folder of its own."""
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("plugins")
    built = python("-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels), cwd=EXAMPLE)
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.glob("*.whl")
    target = ("--no-deps", "--offline", "--target", str(folder))
    done = python("-m", "uv", "pip", "install", *target, str(wheel))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def edgebench(installed: Path, tmp_path: Path) -> Callable[..., Done]:
    """Runs the command line with the example installed, and what else lies in ``tmp_path``."""
    return lambda *words: python(
        "-m", "edgebench.cli.main", *words, path=(tmp_path, installed), cwd=tmp_path
    )


def register(folder: Path, name: str, value: str, *, code: str = "") -> None:
    """Install a plug-in as pip would leave it: an entry point, and perhaps a module."""
    info = folder / f"plug_{name.replace('-', '_')}_{len(list(folder.iterdir()))}-1.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {info.name.partition('-')[0]}\nVersion: 1\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    line = f"[{plugins.BACKENDS}]\n{name} = {value}\n"
    (info / "entry_points.txt").write_text(line, encoding="utf-8")
    if code:
        (folder / f"{value.partition(':')[0]}.py").write_text(code, encoding="utf-8")


def test_its_own_tests_pass(installed: Path, tmp_path: Path) -> None:
    command = ("-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests"))
    done = python(*command, "-c", os.devnull, path=(installed,), cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_it_is_listed_and_verified(edgebench: Callable[..., Done]) -> None:
    listed = json.loads(edgebench("backends", "list", "--json").stdout)
    (mine,) = [probe for probe in listed if probe["name"] == "numpy"]
    assert mine["available"]
    assert mine["precisions"] == ["fp32"]
    assert {"onnxruntime", "litert"} <= {one["name"] for one in listed if one["available"]}
    verified = edgebench("backends", "verify", "numpy")
    assert verified.returncode == 0, verified.stderr
    assert "numpy: ok" in verified.stdout


def test_its_meter_is_listed_shown_and_read(edgebench: Callable[..., Done], tmp_path: Path) -> None:
    listed = json.loads(edgebench("meters", "list", "--json").stdout)
    (mine,) = [one for one in listed if one["name"] == "bench"]
    assert (mine["available"], mine["reason"]) == (False, "no bench supply tells its power")
    supply = tmp_path / "elsewhere/run/bench-supply/power_mw"
    supply.parent.mkdir(parents=True)
    supply.write_text("2500\n")
    shown = edgebench("meters", "show", "bench", "--root", "elsewhere").stdout
    assert "wall_measured" in shown
    assert "2.500 W" in shown
    asked = edgebench("meters", "read", "bench")
    assert asked.returncode == 2
    assert "switch it on and start its daemon" in asked.stderr


def test_it_is_measured_like_any_other(edgebench: Callable[..., Done]) -> None:
    done = edgebench("run", "-b", "numpy", "-w", "mnist_cnn", "-p", "fp32", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["status"], row["backend"], row["launches"]) == ("ok", "numpy", 3)
    assert row["latency_p50_lo_ms"] < row["latency_p50_ms"] < row["latency_p50_hi_ms"]
    assert row["parity_cosine"] > 0.9999
    assert row["top1_ratio"] > 0.97
    assert (row["effective_precision"], row["fallback"]) == ("fp32", None)
    for name in ("throughput_ips", "rss_peak_mib", "load_ms", "first_inference_ms"):
        assert row[name] > 0


def test_it_can_be_tried_before_it_is_packaged(tmp_path: Path) -> None:
    words = ("-m", "edgebench.cli.main", "run", "-w", "mnist_cnn", "-p", "fp32,int8", "--json")
    name = "edgebench_numpy:NumpyBackend"
    done = python(*words, "-b", name, path=(EXAMPLE / "src",), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    fp32, int8 = json.loads(done.stdout)
    assert (fp32["backend"], fp32["status"]) == (name, "ok")
    assert (int8["status"], int8["reason"]) == ("skipped", f"{name} has no int8")


_PROBING = """
from edgebench.protocols import Probe
class Backend:
    name, formats, precisions, open = "x", (), (), print
    def probe(self):
        return {answer}
"""
BROKEN: dict[str, tuple[str, str, str]] = {
    "no-module": ("no_such_module:Backend", "", "no_such_module is not installed"),
    "no-package": ("p_needs:Backend", "import no_such_runtime", "no_such_runtime is not installed"),
    "no-class": ("p_empty:Backend", "x = 1", "has no attribute 'Backend'"),
    "no-call": ("json", "", "is not a class but <module 'json'"),
    "no-backend": ("json:JSONDecoder", "", "it has no name, formats, precisions, probe, open"),
    "no-default": ("p_args:Backend", "class Backend:\n def __init__(self, x): ...", "TypeError"),
    "no-import": ("p_raises:Backend", "raise OSError('libnpu.so: cannot open')", "libnpu.so"),
    "no-python": ("p_syntax:Backend", "def", "SyntaxError"),
    "no-end": ("p_leaves:Backend", "import os; os._exit(5)", "ended with exit code 5"),
    "no-exit": ("p_exits:Backend", "raise SystemExit('bye')", "importing it failed"),
    "no-signal": ("p_dies:Backend", "import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    "no-probe": ("p_dict:Backend", _PROBING.format(answer="3"), "edgebench.protocols.Probe"),
    "no-type": (
        "p_types:Backend",
        _PROBING.format(answer="Probe(name='x', available=True, version=7)"),
        "Expected `str`, got `int`",
    ),
}
"""Of each: its entry point, its code, and what is said of it."""


@pytest.fixture
def broken(tmp_path: Path) -> None:
    for name, (value, code, _) in BROKEN.items():
        register(tmp_path, name, value, code=code)


@pytest.mark.usefixtures("broken")
def test_a_broken_plugin_costs_one_line_and_no_other_backend(
    edgebench: Callable[..., Done],
) -> None:
    done = edgebench("backends", "list")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for name, (_, _, words) in BROKEN.items():
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert words in line
    for name in ("onnxruntime", "numpy"):
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        assert "cpu; fp32" in line


def test_a_run_says_which_plugins_it_leaves_out(
    edgebench: Callable[..., Done], tmp_path: Path
) -> None:
    left_out = ("no-import", "no-class", "no-backend")
    for name in left_out:
        value, code, _ = BROKEN[name]
        register(tmp_path, name, value, code=code)
    done = edgebench("run", "-w", "mnist_cnn", "--dry-run")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    for name in left_out:
        assert f"left out: backend {name}: " in said
        assert BROKEN[name][2] in said
    assert "mnist_cnn/numpy/fp32" in done.stdout + done.stderr
    named = edgebench("run", "-w", "mnist_cnn", "-b", "no-import,onnxruntime")
    assert named.returncode == 2
    assert "backend no-import: OSError: libnpu.so" in named.stderr
    assert "Traceback" not in named.stderr


def test_two_plugins_of_one_name_are_not_confused(
    edgebench: Callable[..., Done], tmp_path: Path
) -> None:
    register(tmp_path, "numpy", "other:Backend", code="class Backend: ...")
    probes: list[dict[str, Any]] = json.loads(edgebench("backends", "list", "--json").stdout)
    (mine,) = [probe for probe in probes if probe["name"] == "numpy"]
    assert not mine["available"]
    assert "'numpy' is registered by edgebench-numpy and plug_numpy" in mine["reason"]
