"""pytest-benchmark's and pyperf's own files, made here: every figure against the tool's."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyperf
import pytest

from edgebench.errors import UsageError
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers.pyperf_ import Pyperf
from edgebench.store.importers.pytest_benchmark import PytestBenchmark

BENCHMARKS = """
import pytest


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("backend", ["litert"])
def test_mnist_cnn(benchmark, backend, precision):
    benchmark.extra_info["threads"] = 2
    benchmark.extra_info["peak_byte"] = 1 << 21
    benchmark.pedantic(sum, (range(2000),), rounds=400, iterations=3 if precision == "int8" else 1)
"""
NAMES = "test_{workload}[{backend}-{precision}]"


def ran(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def of_pytest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pytest")
    (folder / "test_it.py").write_text(BENCHMARKS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    ran("pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json=b.json", cwd=folder)
    return folder / "b.json"


@pytest.fixture(scope="module")
def of_pyperf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three processes of 40 single calls each."""
    folder = tmp_path_factory.mktemp("pyperf")
    options = ("-p", "3", "-n", "40", "-w", "2", "-l", "1", "-o", "p.json", "--name", "sums")
    ran("pyperf", "timeit", *options, "sum(range(20000))", cwd=folder)
    return folder / "p.json"


def only(found: Imported) -> ImportedRow:
    (row,) = found.rows
    return row


def test_every_row_names_the_origin_of_every_value(of_pytest: Path, of_pyperf: Path) -> None:
    for found in (PytestBenchmark().read(of_pytest, {}), Pyperf().read(of_pyperf, {})):
        for row in found.rows:
            assert row.values.keys() == row.origin.keys()
            assert all(
                where.startswith(f"{next(iter(found.files))}: ") for where in row.origin.values()
            )


def test_pytest_benchmarks_figures_are_its_own_in_ms(of_pytest: Path) -> None:
    told: dict[str, Any] = json.loads(of_pytest.read_text())
    found = PytestBenchmark({"threads": "extra_info.threads"}, NAMES).read(of_pytest, {})
    assert found.tool == f"pytest-benchmark {told['version']}"
    for row, one in zip(found.rows, told["benchmarks"], strict=True):
        values = row.values
        assert values["workload"] == "mnist_cnn"
        assert values["backend"] == "litert"
        assert values["precision"] == one["params"]["precision"]
        assert values["threads"] == 2
        assert values["latency_p50_ms"] == one["stats"]["median"] * 1000
        assert values["latency_p50_ms"] == statistics.median(one["stats"]["data"]) * 1000
        assert values["latency_mean_ms"] == one["stats"]["mean"] * 1000
        assert values["launches"] == 1
    single, repeated = (row.values for row in found.rows)
    data_ms = np.array(told["benchmarks"][0]["stats"]["data"]) * 1000
    assert single["latency_min_ms"] == data_ms.min()
    assert single["latency_p99_ms"] == np.quantile(data_ms, 0.99, method="inverted_cdf")
    assert (single["samples"], repeated["samples"]) == (400, 1200)
    assert found.rows[0].origin["latency_p50_ms"] == "b.json: benchmarks[0].stats.median, from s"
    # The least of means of three calls is no shortest call, nor are their percentiles.
    assert not {"latency_min_ms", "latency_p99_ms"} & repeated.keys()
    assert repeated["caveats"] == "each value is the mean of 3 calls"


def test_a_place_of_pytest_benchmark_is_named_by_the_user(of_pytest: Path) -> None:
    importer = PytestBenchmark().mapped({"rss_peak_mib": "extra_info.peak_byte:byte"}, "")
    row = importer.read(of_pytest, {}).rows[0]
    assert row.values["rss_peak_mib"] == 2.0
    assert row.origin["rss_peak_mib"] == "b.json: benchmarks[0].extra_info.peak_byte"
    with pytest.raises(UsageError, match=r"stats.q3 is in s.*latency_p95_ms=stats.q3:s"):
        PytestBenchmark({"latency_p95_ms": "stats.q3"}).read(of_pytest, {})
    with pytest.raises(UsageError, match=r"benchmarks\[0\] has no 'extra_info.nothing'"):
        PytestBenchmark({"threads": "extra_info.nothing"}).read(of_pytest, {})
    with pytest.raises(UsageError, match="is not like"):
        PytestBenchmark(names="bench_{workload}").read(of_pytest, {})


def test_pyperfs_processes_are_launches(of_pyperf: Path) -> None:
    found = Pyperf().read(of_pyperf, {})
    suite = pyperf.BenchmarkSuite.load(str(of_pyperf))
    bench = suite.get_benchmark("sums")
    values = only(found).values
    launches = [run.values for run in bench.get_runs() if run.values]
    assert values["launches"] == len(launches) == 3
    assert values["samples"] == bench.get_nvalue() == 120
    assert values["latency_mean_ms"] == pytest.approx(bench.mean() * 1000, rel=1e-12)
    assert values["latency_min_ms"] == min(bench.get_values()) * 1000
    medians = np.log([np.quantile(one, 0.5, method="inverted_cdf") * 1000 for one in launches])
    half = 4.302652729911275 * medians.std(ddof=1) / 3**0.5  # t of 2 degrees of freedom
    for column, log in (("", 0.0), ("_lo", -half), ("_hi", half)):
        expected = np.exp(medians.mean() + log)
        assert values[f"latency_p50{column}_ms"] == pytest.approx(expected, rel=1e-9)


def test_pyperfs_loops_are_told(tmp_path: Path) -> None:
    options = ("-p", "1", "-n", "3", "-w", "1", "-l", "8", "-o", "p.json")
    ran("pyperf", "timeit", *options, "sum(range(100))", cwd=tmp_path)
    values = only(Pyperf().read(tmp_path / "p.json", {})).values
    assert values["samples"] == 24
    assert values["launches"] == 1
    assert values["caveats"] == "each value is the mean of 8 calls"
    assert not {"latency_p50_lo_ms", "latency_min_ms", "latency_p90_ms"} & values.keys()


def changed(path: Path, folder: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    (folder / path.name).write_text(text.replace(old, new))
    return folder / path.name


def test_what_is_no_latency_is_refused(of_pytest: Path, of_pyperf: Path, tmp_path: Path) -> None:
    memory = changed(of_pyperf, tmp_path, '"second"', '"byte"')
    with pytest.raises(UsageError, match="no latency"):
        Pyperf().read(memory, {})
    cpu = changed(of_pytest, tmp_path, '"timer": "perf_counter"', '"timer": "process_time"')
    with pytest.raises(UsageError, match="CPU time is no latency"):
        PytestBenchmark().read(cpu, {})


def test_another_tools_file_is_told_from_its_own(of_pytest: Path, of_pyperf: Path) -> None:
    with pytest.raises(UsageError, match="no file of pytest-benchmark"):
        PytestBenchmark().read(of_pyperf, {})
    with pytest.raises(UsageError, match="no file of pyperf"):
        Pyperf().read(of_pytest, {})


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"version": "1.0"}', '{"version": "1.0", "benchmarks": [1]}']
)
def test_what_is_no_file_of_theirs_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.json").write_text(text)
    for importer in (Pyperf(), PytestBenchmark()):
        with pytest.raises(UsageError) as caught:
            importer.read(tmp_path / "f.json", {})
        assert "\n" not in str(caught.value)
