"""benchmark_app's reports: both writers' keys, its own definitions, and whatever is not one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebench.errors import UsageError
from edgebench.protocols import ImportedRow, Importer
from edgebench.store.importers.benchmark_app import REPORT, BenchmarkApp

PYTHON: dict[str, Any] = {
    "cmd_options": {"-m": "net.xml", "-nthreads": "3", "-hint": "none"},
    "configuration_setup": {
        "topology": "Model7",
        "target device": "CPU",
        "API": "sync",
        "inference_only": True,
        "precision": "UNSPECIFIED",
        "batch size": "4",
        "number of iterations": "None",
        "number of parallel infer requests": "1",
        "duration (ms)": "2000",
    },
    "execution_results": {
        "read model time (ms)": "10.10",
        "compile model time (ms)": "20.20",
        "first inference time (ms)": "7.50",
        "total execution time (ms)": "2001.00",
        "total number of iterations": "400",
        "latency (ms)": "4.87",
        "avg latency": "5.02",
        "min latency": "4.11",
        "max latency": "9.99",
        "throughput": "799.60",
    },
}
CPP: dict[str, Any] = {
    "cmd_options": {"nthreads": 2, "infer_precision": "f32"},
    "configuration_setup": {
        "benchmark_mode": "inference only",
        "target_device": "GPU",
        "api": "async",
        "precision": "u8",
        "batch_size": 1,
        "iterations_num": 0,
        "nireq": 4,
        "duration": 2000,
        "gpu_streams_num": "2",
    },
    "execution_results": {
        "compile_model_time": 33.125,
        "read_model_time": 2.25,
        "first_inference_time": 8.5,
        "execution_time": 2000.75,
        "iterations_num": 1000,
        "latency_median": 8.0625,
        "percentile_boundary": 99,
        "latency_avg": 6.015625,
        "latency_min": 5.5,
        "latency_max": 12.0,
        "throughput": 499.8125,
    },
}


def read(tmp_path: Path, report: object) -> ImportedRow:
    path = tmp_path / REPORT
    path.write_text(report if isinstance(report, str) else json.dumps(report))
    (row,) = BenchmarkApp().read(path, {}).rows
    return row


def changed(report: dict[str, Any], section: str, key: str, value: object) -> dict[str, Any]:
    other = copy.deepcopy(report)
    if value is None:
        del other[section][key]
    else:
        other[section][key] = value
    return other


def test_it_is_an_importer() -> None:
    assert isinstance(BenchmarkApp(), Importer)


def test_a_report_of_python_tells_figures_with_their_places(tmp_path: Path) -> None:
    row = read(tmp_path, PYTHON)
    told = {
        "latency_p50_ms": 4.87,
        "latency_mean_ms": 5.02,
        "latency_min_ms": 4.11,
        "first_inference_ms": 7.5,
        "load_ms": 30.3,
        "throughput_ips": 799.6,
        "samples": 400,
        "batch": 4,
        "threads": 3,
        "streams": 1,
        "scenario": "single_stream",
        "accelerator": "cpu",
        "backend": "openvino",
        "options": "hint=none",
    }
    assert {name: row.values[name] for name in told} == told
    assert row.origin["latency_p50_ms"] == f"{REPORT}: execution_results.latency (ms)"
    assert "precision" not in row.values  # UNSPECIFIED is not told
    assert "rounds" in str(row.values["caveats"])
    assert set(row.values) == set(row.origin)


def test_the_percentile_of_cpp_is_the_one_that_its_boundary_says(tmp_path: Path) -> None:
    row = read(tmp_path, CPP)
    assert row.values["latency_p99_ms"] == 8.0625
    assert "latency_p50_ms" not in row.values
    assert row.values["accelerator"] == "gpu"
    assert "scenario" not in row.values  # four requests at once are no single stream
    assert "4 requests" in str(row.values["caveats"])
    assert "precision" not in row.values  # that of the inputs


def test_a_percentile_without_a_column_or_samples_stays_the_tools_own(tmp_path: Path) -> None:
    for key, value in (("percentile_boundary", 75), ("iterations_num", 367)):
        row = read(tmp_path, changed(CPP, "execution_results", key, value))
        assert not any(name.startswith("latency_p") for name in row.values)
        assert json.loads(str(row.values["engine_figures"]))["latency_median"] == 8.0625


def test_a_time_that_was_rounded_to_nothing_is_left_out(tmp_path: Path) -> None:
    row = read(tmp_path, changed(PYTHON, "execution_results", "min latency", "0.00"))
    assert "latency_min_ms" not in row.values


def test_a_failed_run_is_a_failed_cell_with_the_tools_words(tmp_path: Path) -> None:
    report = copy.deepcopy(PYTHON)
    report["execution_results"] = {"error": "no \x1b[31mmemory"}
    row = read(tmp_path, report)
    assert (row.values["status"], row.values["reason"]) == ("failed", "no ?[31mmemory")


def test_every_report_below_a_folder_is_a_cell(tmp_path: Path) -> None:
    for name, report in (("a", PYTHON), ("b", CPP)):
        (tmp_path / name).mkdir()
        (tmp_path / name / REPORT).write_text(json.dumps(report))
    found = BenchmarkApp().read(tmp_path, {})
    assert len(found.rows) == 2
    assert sorted(found.files) == [f"a/{REPORT}", f"b/{REPORT}"]


BROKEN: dict[str, Callable[[], object]] = {
    "cut": lambda: json.dumps(PYTHON)[:-40],
    "empty": lambda: "",
    "a list": lambda: "[]",
    "no results": lambda: {"configuration_setup": PYTHON["configuration_setup"]},
    "no setup": lambda: {"execution_results": PYTHON["execution_results"]},
    "operators' times": lambda: {"report_type": "average", "avg_performance": {}},
    "no throughput": lambda: changed(PYTHON, "execution_results", "throughput", None),
    "no count": lambda: changed(CPP, "execution_results", "iterations_num", None),
    "no boundary": lambda: changed(CPP, "execution_results", "percentile_boundary", None),
    "NaN": lambda: json.dumps(CPP).replace("8.0625", "NaN"),
    "NaN in words": lambda: changed(PYTHON, "execution_results", "latency (ms)", "nan"),
    "infinite": lambda: json.dumps(CPP).replace("8.0625", "1e999"),
    "below 0": lambda: changed(PYTHON, "execution_results", "avg latency", "-1.00"),
    "nothing done": lambda: changed(PYTHON, "execution_results", "throughput", "0.00"),
    "another unit": lambda: changed(PYTHON, "execution_results", "avg latency", "5.02 us"),
    "a list for a number": lambda: changed(PYTHON, "execution_results", "avg latency", [5]),
    "half a request": lambda: changed(CPP, "configuration_setup", "nireq", 1.5),
    "true for a count": lambda: changed(CPP, "execution_results", "iterations_num", True),
    "deep": lambda: "[" * 200_000,
    "twice": lambda: json.dumps(CPP).replace('"nireq"', '"batch_size": 2, "nireq"'),
    "a number of a million digits": lambda: json.dumps(CPP).replace("1000,", "9" * 1_000_000 + ","),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, BROKEN[how]())
    assert str(refused.value).isprintable()
    assert REPORT in str(refused.value)
    assert len(str(refused.value)) < 300
