"""pytest-benchmark's JSON: `pytest-benchmark compare` reads edgebench's runs beside its own."""

from __future__ import annotations

import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

import numpy as np

from edgebench.errors import UsageError
from edgebench.errors import plain as inert
from edgebench.protocols import Exported, Stored
from edgebench.report.exporters import plain
from edgebench.units import NS_PER_S

FORMAT_VERSION = "5.3.1"
"""Of pytest-benchmark, whose definitions these are (`pytest_benchmark.stats.Stats`)."""
_PARAMS = (
    *("backend", "precision", "accelerator", "threads", "batch", "streams", "scenario"),
    *("parameters", "region", "engine", "tuning", "options"),
)
_TOLD = (
    *("case_id", "run_id", "started_at_utc", "preset", "device", "device_id", "device_setup"),
    *("workload_version", "backend_version", "effective_precision", "fallback", "validity"),
    *("caveats", "launches", "latency_p50_ms", "latency_p50_lo_ms", "latency_p50_hi_ms"),
    *("latency_p99_ms", "latency_p99_lo_ms", "latency_p99_hi_ms", "throughput_ips"),
    *("rss_peak_mib", "power_tier", "energy_gross_mj", "energy_net_mj", "top1_ratio"),
    *("top1_lo_ratio", "top1_hi_ratio"),
)
"""What goes beside the statistics where no columns were named: verdict, intervals, accuracy."""


class PytestBenchmark:
    """JSON for `pytest-benchmark compare`.

    A benchmark a cell: its group is the workload, its rounds are the timed inferences.
    The statistics are that tool's, over all launches' samples together; edgebench's own figures
    with their intervals and the verdict are in ``extra_info``.
    """

    name = "pytest-benchmark"
    suffix = ".json"

    def write(
        self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], stored: Stored
    ) -> Exported:
        """One document as ``--benchmark-json`` writes it, ``data`` included.

        Raises:
            UsageError: No row has samples.
        """
        found, notes = [], []
        for row, (workload, rest) in zip(rows, plain.names(rows), strict=True):
            launches = [list(one) for one in stored.samples_ns(row) if len(one)]
            if launches:
                told = _told(row, columns or _TOLD, launches)
                found.append(_benchmark(row, (inert(workload), inert(rest)), launches, told))
            else:
                why = row.get("imported_from") or row.get("reason") or row.get("status")
                notes.append(f"{workload}[{rest}] is left out, it has no samples: {why}")
        if not found:
            raise UsageError(f"pytest-benchmark's format needs samples: {notes[0]}")
        newest = max(str(row["started_at_utc"]) for row in rows if row.get("started_at_utc"))
        document = {
            "machine_info": _machine([stored.facts(row) for row in rows]),
            "commit_info": dict(_NO_COMMIT),
            "benchmarks": found,
            "datetime": newest.replace("Z", "+00:00"),
            "version": FORMAT_VERSION,
        }
        return Exported(data=f"{plain.dumps(document)}\n".encode(), notes=tuple(notes))


_NO_COMMIT = {
    "id": "unversioned",
    "time": None,
    "author_time": None,
    "dirty": False,
    "project": "edgebench",
    "branch": "(unknown)",
}
"""As that tool writes it outside a repository: a run does not know whose commit it is about."""


def _told(
    row: Mapping[str, object], columns: Sequence[str], launches: Sequence[Sequence[int]]
) -> dict[str, object]:
    told = {name: plain.finite(row.get(name)) for name in columns}
    return told | {"samples_by_launch": [len(one) for one in launches]}


def _benchmark(
    row: Mapping[str, object],
    named: tuple[str, str],
    launches: Sequence[Sequence[int]],
    told: Mapping[str, object],
) -> dict[str, object]:
    workload, rest = named
    data = [ns / NS_PER_S for one in launches for ns in one]
    name = f"{workload}[{rest}]"
    return {
        "group": workload,
        "name": name,
        "fullname": f"edgebench::{name}",
        "params": {key: row[key] for key in _PARAMS if row.get(key) is not None},
        "param": rest,
        "extra_info": told,
        "options": {"disable_gc": True, "timer": "perf_counter_ns", "warmup": True},
        "stats": stats(data) | {"data": data, "iterations": 1},
    }


def stats(data: Sequence[float]) -> dict[str, float | int | str]:
    """The statistics of a benchmark, each as pytest-benchmark defines it.

    Args:
        data: Seconds of each round, shape (rounds,), one or more.
    """
    ordered = sorted(data)
    rounds = len(ordered)
    array = np.asarray(ordered)
    total, mean = float(array.sum()), float(array.mean())
    deviation = float(array.std(ddof=1)) if rounds > 1 else 0.0
    q1, q3 = _quartiles(ordered)
    iqr = q3 - q1
    low, high = q1 - 1.5 * iqr, q3 + 1.5 * iqr
    beyond_sd = int(np.sum((array < mean - deviation) | (array > mean + deviation)))
    beyond_iqr = int(np.sum((array < low) | (array > high)))
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": rounds,
        "median": statistics.median(ordered),
        "iqr": iqr,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond_iqr,
        "stddev_outliers": beyond_sd,
        "outliers": f"{beyond_sd};{beyond_iqr}",
        "ld15iqr": ordered[bisect_left(ordered, low)],
        "hd15iqr": ordered[bisect_right(ordered, high) - 1],
        "ops": rounds / total if total else 0.0,
        "total": total,
    }


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """Medians of the halves; of an odd number Mendenhall and Sincich's weighted neighbours."""
    rounds = len(ordered)
    if rounds == 1:
        return ordered[0], ordered[0]
    half = rounds // 2
    if rounds % 2 == 0:
        return statistics.median(ordered[:half]), statistics.median(ordered[half:])
    n, rest = divmod(rounds, 4)
    if rest == 1:
        return (
            0.25 * ordered[n - 1] + 0.75 * ordered[n],
            0.75 * ordered[3 * n] + 0.25 * ordered[3 * n + 1],
        )
    return (
        0.75 * ordered[n] + 0.25 * ordered[n + 1],
        0.25 * ordered[3 * n + 1] + 0.75 * ordered[3 * n + 2],
    )


def _machine(facts: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What is told of the machine; where a file holds several devices, their names alone."""
    known = {str(one.get("device_id")): one for one in facts if one}
    node = ", ".join(known)
    if len(known) != 1:
        return {"node": node, "devices": [str(one.get("device")) for one in known.values()]}
    (only,) = known.values()
    cpu = {"brand_raw": only.get("cpu_model"), "count": only.get("cpus_online")}
    return {
        "node": node,
        "device": only.get("device"),
        "board": only.get("board"),
        "processor": only.get("architecture"),
        "machine": only.get("architecture"),
        "python_version": only.get("python"),
        "release": only.get("kernel"),
        "system": "Linux",
        "cpu": {key: value for key, value in cpu.items() if value is not None},
    }
