"""`export` and `compare --markdown` as a user and a CI job meet them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.testing import fleet


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Runs ``old`` and ``new``: fp32 takes half as long again, int8 has stayed."""
    for seed, (name, level_ms) in enumerate((("old", 2.0), ("new", 3.0)), 1):
        cells = (fleet.Cell(latency_ms=level_ms), fleet.Cell(precision="int8"))
        fleet.write(tmp_path / name, fleet.Device(name="pi", cells=cells), seed=seed)
    return tmp_path


def test_formats_are_listed_and_an_unknown_one_names_them(folder: Path) -> None:
    lines = run("export", "--list", cwd=folder).stdout.splitlines()
    formats = ["jsonl", "markdown", "parquet", "pytest-benchmark"]
    assert [line.split()[0] for line in lines] == formats
    assert max(map(len, lines)) <= 80
    for words in ([], ["xml"]):
        done = run("export", *words, cwd=folder, code=2)
        assert all(name in done.stderr for name in formats)
        assert done.stderr.count("\n") == 1


def test_rows_go_to_stdout_or_to_a_file_filtered(folder: Path) -> None:
    done = run("export", "jsonl", "old", "-p", "int8", "--columns", "precision", cwd=folder)
    assert json.loads(done.stdout) == {"precision": "int8"}
    done = run("export", "markdown", "old", "new", "--all-runs", "-o", "all.md", cwd=folder)
    assert done.stdout == ""
    assert "4 rows in all.md" in done.stderr
    assert (folder / "all.md").read_text().count("mnist_cnn/") >= 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-w", "resnet"], "there is mnist_cnn"),
        (["--columns", "latency"], "no column 'latency'"),
        (["--columns", "mlperf_p90_ns"], "another tool's figure"),
        (["-o", "nowhere/x.md"], "cannot write nowhere/x.md"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, words: list[str], told: str) -> None:
    done = run("export", "markdown", "old", *words, cwd=folder, code=2)
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_third_partys_exporter_is_found_by_module_and_class(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "from edgebench.protocols import Exported\n"
        "class Names:\n"
        "    name, suffix = 'names', '.txt'\n"
        "    def write(self, rows, columns, stored):\n"
        "        n = [len(one) for one in stored.samples_ns(rows[0])]\n"
        "        told = f\"{stored.facts(rows[0])['device']} {n}\".encode()\n"
        "        return Exported(data=told, notes=('only the first',))\n"
    )
    done = run("export", "mine:Names", "old", cwd=folder)
    assert done.stdout == "pi [400, 400, 400, 400, 400, 400]"
    assert "only the first" in done.stderr
    (folder / "mine.py").write_text("class Names:\n    name = 'names'\n")
    done = run("export", "mine:Names", "old", cwd=folder, code=2)
    assert "it has no suffix, write" in done.stderr


def test_the_real_tool_reads_what_was_exported(folder: Path) -> None:
    for name in ("old", "new"):
        run("export", "pytest-benchmark", name, "-o", f"{name}.json", cwd=folder)
    tool = [sys.executable, "-m", "pytest_benchmark", "compare", "old.json", "new.json"]
    done = subprocess.run(tool, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    assert "benchmark 'mnist_cnn': 4 tests" in done.stdout
    assert done.stdout.count("mnist_cnn[onnxruntime-fp32]") == 2
    (folder / "test_it.py").write_text("def test_it(benchmark):\n    benchmark(len, 'x')\n")
    tool = [sys.executable, "-m", "pytest", "-q", "--benchmark-compare", "old.json"]
    done = subprocess.run(tool, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout
    assert "Failed to load" not in done.stdout + done.stderr


def test_a_comparison_is_told_to_a_pull_request(folder: Path) -> None:
    limit = ("--fail", "latency_p50_ms:+5%")
    done = run("compare", "old", "new", "--markdown", *limit, cwd=folder, code=1)
    text = done.stdout
    assert text.startswith("**Limit broken**: `mnist_cnn/onnxruntime/fp32`")
    (slower,) = (line for line in text.splitlines() if "**slower**" in line)
    old, new, ratio = (float(cell) for cell in slower.split("|")[2:5])
    assert new / old == pytest.approx(ratio, abs=0.001)
    assert (old, new) == pytest.approx((2.0, 3.0), rel=0.02)
    assert "`latency_p50_ms`: 1 slower, 1" in text
    assert "<details>" in text
    same = run("compare", "old", "old", "--markdown", *limit, cwd=folder).stdout
    assert same.startswith("No limit is surely broken.")
