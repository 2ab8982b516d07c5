"""trtexec's traces: times of queries, the warm-up cut off as trtexec does, other files named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebench.errors import UsageError
from edgebench.protocols import ImportedRow, Importer
from edgebench.store.importers.trtexec import TrtExec


def query(start_ms: float, compute_ms: float, copy_ms: float = 0.25) -> dict[str, float]:
    ready_ms, done_ms = start_ms + copy_ms, start_ms + copy_ms + compute_ms
    return {
        "startEnqMs": start_ms,
        "endEnqMs": start_ms + 0.5,
        "startH2dMs": start_ms,
        "endH2dMs": ready_ms,
        "startComputeMs": ready_ms,
        "endComputeMs": done_ms,
        "startD2hMs": done_ms,
        "endD2hMs": done_ms + copy_ms,
        "h2dMs": copy_ms,
        "computeMs": compute_ms,
        "d2hMs": copy_ms,
        "latencyMs": compute_ms + 2 * copy_ms,
    }


TRACE = [query(200 + 2 * n, 1.0 + n / 8) for n in range(5)]
"""Of a trtexec that leaves the warm-up out."""


def read(tmp_path: Path, trace: object, **stated: str) -> ImportedRow:
    path = tmp_path / "times.json"
    path.write_text(trace if isinstance(trace, str) else json.dumps(trace))
    (row,) = TrtExec().read(path, stated).rows
    return row


def changed(key: str, value: object) -> list[dict[str, Any]]:
    other: list[dict[str, Any]] = [dict(query) for query in TRACE]
    if value is None:
        del other[2][key]
    else:
        other[2][key] = value
    return other


def test_it_is_an_importer() -> None:
    assert isinstance(TrtExec(), Importer)


def test_latency_holds_both_copies(tmp_path: Path) -> None:
    row = read(tmp_path, TRACE)
    told = {"latency_p50_ms": 1.75, "latency_mean_ms": 1.75, "latency_min_ms": 1.5, "samples": 5}
    assert {name: row.values[name] for name in told} == told
    own = json.loads(str(row.values["engine_figures"]))
    assert own["GPU Compute Time median (ms)"] == 1.25
    assert own["H2D Latency max (ms)"] == 0.25
    assert own["Throughput (qps)"] == 5 / 10 * 1000
    assert "latency_p99_ms" not in row.values  # of five queries


def test_queries_are_samples_only_where_the_batch_is_stated(tmp_path: Path) -> None:
    assert "throughput_ips" not in read(tmp_path, TRACE).values
    assert read(tmp_path, TRACE, batch="8").values["throughput_ips"] == 8 * 500


def test_percentiles_come_with_enough_queries(tmp_path: Path) -> None:
    row = read(tmp_path, [query(200 + 2 * n, float(1 + n), 0.0) for n in range(400)])
    assert row.values["latency_p99_ms"] == 396
    assert row.values["latency_p90_ms"] == 360
    assert "noDataTransfers" in str(row.values["caveats"])


def test_a_warm_up_in_the_trace_must_be_told_and_is_cut_off(tmp_path: Path) -> None:
    cold = [query(1.0, 9.0), query(199.0, 9.0), *TRACE]  # computing begins at 199.25
    with pytest.raises(UsageError, match="warm-up"):
        read(tmp_path, cold)
    row = read(tmp_path, cold, options="warmUp=200")
    assert row.values["latency_mean_ms"] == 1.75
    assert "2 queries" in str(row.values["caveats"])
    assert read(tmp_path, cold, options="warmUp=0").values["samples"] == 7


OTHERS: dict[str, tuple[str, str]] = {
    "--exportProfile": (json.dumps([{"count": 9}, {"name": "conv"}]), "profile"),
    "--exportLayerInfo": (json.dumps({"Layers": []}), "layers"),
    "--exportOutput": (json.dumps([{"name": "y", "dimensions": "1x10"}]), "outputs"),
    "TensorRT 7": (json.dumps([{"startInMs": 0, "endInMs": 1}]), "TensorRT 7"),
    "the log": ("&&&& RUNNING TensorRT.trtexec # trtexec\n[I] Throughput: 9 qps\n", "prints"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_else_trtexec_writes_is_named(other: str, tmp_path: Path) -> None:
    text, word = OTHERS[other]
    with pytest.raises(UsageError, match=word) as refused:
        read(tmp_path, text)
    assert refused.value.remedy


BROKEN: dict[str, Callable[[], object]] = {
    "empty": lambda: "",
    "no query": list,
    "cut": lambda: json.dumps(TRACE)[:-30],
    "an object": dict,
    "numbers": lambda: [1, 2, 3],
    "no latency": lambda: changed("latencyMs", None),
    "no compute": lambda: changed("computeMs", None),
    "no stamp": lambda: changed("endD2hMs", None),
    "no start": lambda: changed("startComputeMs", None),
    "a word": lambda: changed("latencyMs", "fast"),
    "NaN": lambda: json.dumps(TRACE).replace("1.75", "NaN"),
    "infinite": lambda: json.dumps(TRACE).replace("1.75", "1e999"),
    "below 0": lambda: changed("h2dMs", -1.0),
    "another unit": lambda: changed("latencyMs", 1750.0),
    "parts that do not add up": lambda: changed("computeMs", 9.0),
    "true": lambda: changed("latencyMs", True),
    "a list": lambda: changed("latencyMs", [1.75]),
    "null": lambda: json.dumps(TRACE).replace("1.75", "null"),
    "a key twice": lambda: json.dumps(TRACE).replace('"h2dMs"', '"d2hMs"'),
    "deep": lambda: "[" * 200_000,
    "all of it warm-up": lambda: [query(0.0, 0.5)],
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, BROKEN[how](), options="warmUp=200")
    assert str(refused.value).isprintable()
    assert "times.json" in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("batch", ["0", "-1", "many", "1.5", "\x1b[31m"])
def test_a_batch_that_is_none_is_refused(batch: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="batch") as refused:
        read(tmp_path, TRACE, batch=batch)
    assert str(refused.value).isprintable()
