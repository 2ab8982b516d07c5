"""A tree of MLPerf results, made up: LoadGen's logs, power readings, a system."""

from __future__ import annotations

import json
from pathlib import Path

_RULE = "=" * 48
_FIGURES = {
    "SingleStream": "90.0th percentile latency (ns) : 2100000",
    "MultiStream": "99.0th percentile latency (ns) : 2500000",
    "Server": "Completed samples per second    : 249.50",
    "Offline": "Samples per second: 4000.25",
}
_MORE = {
    "SingleStream": "QPS w/ loadgen overhead : 490.25\nQPS w/o loadgen overhead : 500.00",
    "MultiStream": "Per-query latency:  ",
    "Server": "Scheduled samples per second : 250.00",
    "Offline": "",
}
_EACH = {"SingleStream": 1, "MultiStream": 8, "Server": 1, "Offline": 24576}


def summary(scenario: str = "SingleStream", *, valid: bool = True) -> str:
    doubt = "" if valid else "Recommendations:\n * Increase \x1b[31mthe duration.\n"
    ranks = {"50.00": 2, "90.00": 2.1, "95.00": 2.2, "97.00": 2.3, "99.00": 2.5, "99.90": 3}
    tail = "".join(
        f"{rank} percentile latency (ns)   : {ms * 1e6:.0f}\n" for rank, ms in ranks.items()
    )
    return f"""{_RULE}
MLPerf Results Summary
{_RULE}
SUT name : 12
Scenario : {scenario}
Mode     : PerformanceOnly
{_FIGURES[scenario]}
Result is : {"VALID" if valid else "INVALID"}
  Min duration satisfied : {"Yes" if valid else "NO"}
{doubt}Early Stopping Result:
 * Processed at least 64 queries (1000).
 * Early stopping 90.0th percentile estimate: 2200000

{_RULE}
Additional Stats
{_RULE}
{_MORE[scenario]}
Min latency (ns)                : 1500000
Max latency (ns)                : 9000000
Mean latency (ns)               : 2000001
{tail}
{_RULE}
Test Parameters Used
{_RULE}
samples_per_query : {_EACH[scenario]}
target_latency (ns): 15000000
min_query_count : 100

No warnings encountered during test.
"""


def detail(scenario: str = "SingleStream", **other: object) -> str:
    told: dict[str, object] = {
        "loadgen_version": "9.9 @ 0123",
        "test_datetime": "2031-02-03T04:05:06Z",
        "effective_scenario": scenario,
        "effective_samples_per_query": _EACH[scenario],
        "power_begin": "02-03-2031 04:05:10.500",
        "power_end": "02-03-2031 04:05:30.500",
        "result_validity": "VALID",
        "result_query_count": 1000,
        **other,
    }
    lines = [f':::MLLOG {{"key": "{k}", "value": {json.dumps(v)}}}' for k, v in told.items()]
    return "\n".join(lines) + "\n"


def spl(first_s: int = 5, last_s: int = 40) -> str:
    """A reading a second, 10 W and 12 W in turns; the window's first and last are not of it."""
    return "".join(
        f"Time,02-03-2031 04:05:{second:02}.000,Watts,{10 + 2 * (second % 2)}.0,Volts,230.0\n"
        for second in range(first_s, last_s)
    )


def plant(root: Path, scenario: str = "SingleStream", benchmark: str = "resnet50") -> Path:
    """A submitter's folder with a system; gives the scenario's folder."""
    (root / "systems").mkdir(parents=True, exist_ok=True)
    system = {
        "system_name": "Some Board",
        "framework": "Runtime 1.2",
        "accelerator_model_name": "NPU",
        "host_processor_model_name": "Some CPU",
    }
    (root / "systems" / "board_x.json").write_text(json.dumps(system))
    told = root / "measurements" / "board_x" / benchmark / scenario
    told.mkdir(parents=True)
    (told / f"board_x_impl_{scenario}.json").write_text('{"weight_data_types": "INT8"}')
    place = root / "results" / "board_x" / benchmark / scenario
    run = place / "performance" / "run_1"
    run.mkdir(parents=True)
    (place / "accuracy").mkdir()
    (run / "mlperf_log_summary.txt").write_text(summary(scenario))
    (run / "mlperf_log_detail.txt").write_text(detail(scenario))
    (place / "accuracy" / "accuracy.txt").write_text("accuracy=75.500%, good=1510, total=2000\n")
    return place
