"""The README's commands of `edgebench import`, run as they stand on files of the real tools."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.resources import workload_folders

ROOT = Path(__file__).resolve().parents[2]
TABLE = "board,model,runtime,precision,median_us,top1\npi5,mnist_cnn,litert,int8,21.5,99.0\n"
BENCHMARK = """
import pytest

@pytest.mark.parametrize(("backend", "precision"), [("litert", "fp32")])
def test_mnist_cnn(benchmark, backend, precision):
    benchmark(sum, range(1000))
"""
REPORT = "benchmark_report.json"


def section() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("## Figures of other tools\n")[2].partition("\n## ")[0]


def commands() -> list[list[str]]:
    """Each command of the section, without its comment."""
    lines = re.findall(r"^    edgebench (.*)$", section(), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def run(*command: str, folder: Path) -> str:
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the README names, as the tools leave them."""
    folder = tmp_path_factory.mktemp("readme")
    toml = re.search(r"<!-- file: fleet.toml -->\n```toml\n(.*?)```", section(), re.DOTALL)
    assert toml
    (folder / "fleet.toml").write_text(toml[1])
    (folder / "fleet.csv").write_text(TABLE)
    (folder / "test_it.py").write_text(BENCHMARK)
    quiet = ("-q", "-p", "no:cacheprovider", "--benchmark-max-time=0.01")
    run("-m", "pytest", *quiet, "--benchmark-json=bench.json", "test_it.py", folder=folder)
    short = ("-p", "2", "-n", "3", "-w", "1", "-l", "10")
    run("-m", "pyperf", "timeit", *short, "-o", "perf.json", "sum(range(99))", folder=folder)
    model = str(workload_folders()["mnist_cnn"] / "models" / "fp32.onnx")
    tool = str(ROOT / "tests" / "acceptance" / "native" / "make_results.py")
    words = ("-api", "sync", "-niter", "20", "-hint", "none", "-nthreads", "1")
    run(tool, "benchmark_app", model, ".", *words, folder=folder)
    return folder


def test_every_command_of_the_readme_does_what_it_says(folder: Path) -> None:
    told = commands()
    assert len(told) >= 6
    outputs = {" ".join(one): run("-m", "edgebench.cli.main", *one, folder=folder) for one in told}
    listed = next(text for words, text in outputs.items() if "--list" in words)
    shown = next(text for words, text in outputs.items() if "--show" in words)
    for form in ("mlperf", "benchmark-app", "litert-benchmark", "benchncnn", "trtexec", "csv"):
        assert form in listed
        assert f"`{form}`" in section()
    rows = json.loads(run("-m", "edgebench.cli.main", "report", "--json", folder=folder))
    imported = {row["imported_from"].partition(":")[0].partition(" ")[0]: row for row in rows}
    assert set(imported) == {"csv", "pytest-benchmark", "pyperf", "benchmark_app"}
    assert imported["csv"]["latency_p50_ms"] == 0.0215
    assert imported["csv"]["top1_ratio"] == 0.99
    report = json.loads((folder / REPORT).read_text())["execution_results"]
    median = next(v for k, v in report.items() if k.startswith(("latency (ms)", "latency_median")))
    assert imported["benchmark_app"]["latency_p50_ms"] == float(median)
    assert f"({REPORT}: execution_results.latency" in shown
    for row in rows:
        assert row["validity"] is None
        assert row["device"] in {"my-board", "pi5"}
