"""pyperf's JSON (``python -m pyperf timeit -o FILE``): each of its processes is a launch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgebench import stats
from edgebench.errors import UsageError
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers.opened import Cells, Node, Opened
from edgebench.store.importers.timed import put_tails

_MS_PER_S = 1e3
_VERSION = "1.0"


class Pyperf:
    """Importer of pyperf's files; values are in s, of a call, warm-ups apart."""

    name = "pyperf"
    wants = ("device", "device_id", "workload", "backend", "precision")

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """A cell a benchmark.

        Raises:
            UsageError: It is no such file, or of another version, or has no values.
        """
        del stated
        opened = Opened(path)
        root = opened.json()
        if root.find("version") is None or root.get("version").value != _VERSION:
            raise UsageError(f"{opened.name} is no file of pyperf, version {_VERSION}")
        benchmarks = list(root.get("benchmarks").each())
        notes = [note for one in benchmarks for note in _machine(one, root)]
        return Imported(
            tool=f"pyperf {_of('perf_version', benchmarks[0], root)}" if benchmarks else "pyperf",
            files=opened.files,
            rows=tuple(_row(one, root) for one in benchmarks),
            notes=tuple(dict.fromkeys(notes)),
        )


def _metadata(key: str, *holders: Node) -> Node | None:
    """Of a run, its benchmark or the file: what all of them share is told once, further out."""
    return next((one for holder in holders if (one := holder.find("metadata", key))), None)


def _of(key: str, *holders: Node) -> str:
    found = _metadata(key, *holders)
    return found.text() if found else ""


def _machine(benchmark: Node, root: Node) -> list[str]:
    told = _metadata("cpu_model_name", benchmark, root)
    return [f"{told.text()} ({told.place}): which device that is, nothing tells"] if told else []


def _row(benchmark: Node, root: Node) -> ImportedRow:
    unit = _metadata("unit", benchmark, root)
    if unit is not None and unit.text() != "second":
        raise UsageError(f"{unit.place} is {unit.text()!r}: no latency")
    runs = [run for run in benchmark.get("runs").each() if run.find("values") is not None]
    launches = [[one.number() * _MS_PER_S for one in run.get("values").each()] for run in runs]
    launches = [values for values in launches if values]
    if not launches:
        raise UsageError(f"{benchmark.place} has no values")
    calls = [_calls(run, benchmark, root) for run in runs]
    where = f"{benchmark.place}.runs[].values"
    medians = [stats.quantile(values, 0.5) for values in launches]
    cells = Cells()
    interval = stats.log_t_interval(medians) if min(medians) > 0 else None
    cells.put(
        "latency_p50_ms",
        interval.value if interval else medians[0],
        f"{where}, geometric mean of the processes' medians, from s",
    )
    if interval is not None:
        cells.put("latency_p50_lo_ms", interval.low, f"{where}, Student's t over processes")
        cells.put("latency_p50_hi_ms", interval.high, f"{where}, Student's t over processes")
    pooled = np.concatenate(launches)
    cells.put("latency_mean_ms", float(pooled.mean()), f"{where}, mean, from s")
    cells.put("launches", len(launches), f"{benchmark.place}.runs[], those with values")
    counts = zip(launches, calls, strict=True)
    cells.put("samples", sum(len(values) * n for values, n in counts), f"{where} times loops")
    if max(calls) == 1:
        put_tails(cells, pooled, where)
    else:
        cells.put("caveats", f"each value is the mean of {max(calls)} calls", f"{where}: loops")
    return cells.row()


def _calls(run: Node, benchmark: Node, root: Node) -> int:
    """Calls that one value is the mean of."""
    found = 1
    for key in ("loops", "inner_loops"):
        told = _metadata(key, run, benchmark, root)
        found *= told.count() if told else 1
    return found
