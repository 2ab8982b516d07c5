"""LiteRT's tools: the Python tool's JSON in ms, and the C++ tool's log in us."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgebench.errors import UsageError
from edgebench.protocols import Imported, Importer
from edgebench.store.importers.litert_benchmark import LiteRTBenchmark

RESULT: dict[str, Any] = {
    "model": "net.tflite",
    "model_size_mb": 3.5,
    "accelerators": ["CPU"],
    "signature": "serving_default",
    "fully_accelerated": True,
    "num_threads": 2,
    "latency": {
        "init_ms": 12.5,
        "warmup_first_ms": 9.25,
        "warmup_avg_ms": 6.0,
        "num_warmup_runs": 5,
        "avg_ms": 5.75,
        "min_ms": 5.5,
        "max_ms": 8.0,
        "median_ms": 5.625,
        "std_ms": 0.4,
        "p5_ms": 5.5,
        "p95_ms": 7.0,
        "num_runs": 500,
    },
    "throughput_mb_s": 99.5,
}
LOG = """\
INFO: Num threads: [4]
INFO: Graph: [net.tflite]
INFO: #threads used for CPU inference: [4]
INFO: Initialized session in 12.345ms.
INFO: count=3 first=9001 curr=8002 min=8002 max=9001 avg=8335 std=400

INFO: count=50 first=8100 curr=8050 min=7900 max=9100 avg=8123.5 std=99 p5=7950 median=8075 p95=8800

INFO: Inference timings in us: Init: 12345, First inference: 9001, Warmup (avg): 8335, \
Inference (avg): 8123.5
INFO: Memory footprint delta from the start of the tool (MB): init=4.9 overall=33.5
"""


def read(tmp_path: Path, content: object) -> Imported:
    path = tmp_path / "result.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return LiteRTBenchmark().read(path, {})


def changed(key: str, value: object, *, inner: bool = True) -> dict[str, Any]:
    other = copy.deepcopy(RESULT)
    place = other["latency"] if inner else other
    if value is None:
        del place[key]
    else:
        place[key] = value
    return other


def test_it_is_an_importer() -> None:
    assert isinstance(LiteRTBenchmark(), Importer)


def test_a_result_tells_its_median_but_not_its_interpolated_p95(tmp_path: Path) -> None:
    (row,) = read(tmp_path, RESULT).rows
    told = {
        "latency_p50_ms": 5.625,
        "latency_mean_ms": 5.75,
        "latency_min_ms": 5.5,
        "load_ms": 12.5,
        "first_inference_ms": 9.25,
        "model_size_mib": 3.5,
        "samples": 500,
        "threads": 2,
        "accelerator": "cpu",
    }
    assert {name: row.values[name] for name in told} == told
    assert "latency_p95_ms" not in row.values
    assert "throughput_ips" not in row.values  # it tells MB of input a second
    own = json.loads(str(row.values["engine_figures"]))
    assert (own["p95_ms"], own["throughput_mb_s"]) == (7.0, 99.5)
    assert row.origin["latency_p50_ms"] == "result.json: latency.median_ms"


def test_a_model_that_ran_only_in_part_on_the_accelerator_fell_back(tmp_path: Path) -> None:
    part = changed("accelerators", ["NPU", "CPU"], inner=False) | {"fully_accelerated": False}
    (row,) = read(tmp_path, part).rows
    assert (row.values["accelerator"], row.values["fallback"]) == ("npu", "accelerator")
    (row,) = read(tmp_path, part | {"fully_accelerated": True}).rows
    assert "fallback" not in row.values


def test_without_a_warm_up_there_is_no_first_inference(tmp_path: Path) -> None:
    (row,) = read(tmp_path, changed("num_warmup_runs", 0)).rows
    assert "first_inference_ms" not in row.values


def test_a_log_is_converted_from_us_and_its_runs_are_not_the_warm_up(tmp_path: Path) -> None:
    found = read(tmp_path, LOG)
    (row,) = found.rows
    told = {
        "latency_mean_ms": 8.1235,
        "latency_p50_ms": 8.075,
        "latency_min_ms": 7.9,
        "load_ms": 12.345,
        "first_inference_ms": 9.001,
        "samples": 50,
        "threads": 4,
    }
    assert {name: row.values[name] for name in told} == told
    assert row.origin["latency_min_ms"] == "result.json: line 7"
    assert found.tool == "benchmark_model"
    assert "accelerator" not in row.values  # the log does not tell


def test_an_older_log_without_median_tells_none(tmp_path: Path) -> None:
    (row,) = read(tmp_path, LOG.replace(" p5=7950 median=8075 p95=8800", "")).rows
    assert "latency_p50_ms" not in row.values
    assert row.values["latency_min_ms"] == 7.9


def test_numbers_with_exponents_are_read(tmp_path: Path) -> None:
    big = LOG.replace("Inference (avg): 8123.5", "Inference (avg): 2.95034e+06")
    big = big.replace("avg=8123.5", "avg=2.95034e+06")
    (row,) = read(tmp_path, big).rows
    assert row.values["latency_mean_ms"] == 2950.34


def test_runs_that_are_all_alike_have_one_time(tmp_path: Path) -> None:
    head, _, tail = LOG.partition("count=50")
    alike = f"{head}count=50 curr=8123456(all same)\n{tail.partition(chr(10))[2]}"
    (row,) = read(tmp_path, alike.replace("(avg): 8123.5", "(avg): 8.12346e+06")).rows
    assert (row.values["samples"], row.values["latency_mean_ms"]) == (50, 8123.46)
    assert "latency_min_ms" not in row.values


def test_a_delegate_is_told_with_a_note(tmp_path: Path) -> None:
    found = read(tmp_path, "INFO: Use gpu: [1]\n" + LOG)
    assert found.rows[0].values["accelerator"] == "gpu"
    assert "how much" in found.notes[0]


BROKEN: dict[str, Callable[[], object]] = {
    "cut": lambda: json.dumps(RESULT)[:-30],
    "empty": lambda: "",
    "a list": lambda: "[1]",
    "another tool's": lambda: {"benchmarks": []},
    "no runs": lambda: changed("num_runs", None),
    "no run": lambda: changed("num_runs", 0),
    "no median": lambda: changed("median_ms", None),
    "a word": lambda: changed("avg_ms", "fast"),
    "NaN": lambda: json.dumps(RESULT).replace("5.625", "NaN"),
    "below 0": lambda: changed("avg_ms", -5.0),
    "minus one thread": lambda: changed("num_threads", -1, inner=False),
    "no accelerator": lambda: changed("accelerators", [], inner=False),
    "accelerators a word": lambda: changed("accelerators", "CPU", inner=False),
    "neither true nor false": lambda: changed("fully_accelerated", 1, inner=False),
    "deep": lambda: "[" * 200_000,
    "a log without timings": lambda: LOG.replace("Inference timings in us", "Timings"),
    "two logs": lambda: LOG + LOG,
    "a log in ms": lambda: LOG.replace("timings in us", "timings in ms"),
    "a log cut within its timings": lambda: LOG[: LOG.index(", Warmup (avg)")],
    "a log of dots": lambda: LOG.replace("Init: 12345", "Init: 1.2.3"),
    "a log beyond numbers": lambda: LOG.replace("Init: 12345", "Init: 1e999"),
    "a log of no whole run": lambda: LOG.replace("count=50", "count=50.5"),
    "a log of endless runs": lambda: LOG.replace("count=50 ", "count=5e300 "),
    "no text": lambda: "\x00\x01",
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, BROKEN[how]())
    assert str(refused.value).isprintable()
    assert "result.json" in str(refused.value)
    assert len(str(refused.value)) < 300


@settings(deadline=None)  # it writes a file each time
@given(
    lines=st.lists(st.sampled_from(LOG.split("\n")), max_size=12),
    noise=st.text(max_size=40),
)
@example(lines=[], noise="count=")
def test_any_log_is_read_or_refused(
    lines: list[str], noise: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.txt"
    path.write_text("\n".join([*lines, noise]), encoding="utf-8")
    try:
        (row,) = LiteRTBenchmark().read(path, {}).rows
    except UsageError:
        return
    assert float(row.values["latency_mean_ms"]) > 0
