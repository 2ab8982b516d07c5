"""TensorRT's trtexec: the trace that ``--exportTimes`` writes, a query's times in each entry.

Reference: ``samples/common/sampleReporting.cpp`` of ``NVIDIA/TensorRT``. Latency is the time of
copying in (H2D), computing, and copying out (D2H). A query holds a whole batch, and the trace does
not tell of how many samples.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path

from edgebench.errors import UsageError, plain
from edgebench.protocols import Imported, ImportedRow
from edgebench.stats import quantile
from edgebench.store.importers.figures import FORMAT, Cells, nearest_ranks
from edgebench.store.importers.opened import Node, Opened

_EXPORT = "trtexec writes it with --exportTimes=FILE"
_TIMES = {
    "Latency": "latencyMs",
    "GPU Compute Time": "computeMs",
    "H2D Latency": "h2dMs",
    "D2H Latency": "d2hMs",
}
"""As trtexec's summary calls them."""
_STAMPS = ("startEnqMs", "endEnqMs", "startH2dMs", "endD2hMs")
_LOG = ("&&&& RUNNING", "=== Performance summary ===")
_SUM_MS = 1e-2
"""How far a latency may be from its three parts: the trace has six digits of each."""


class TrtExec:
    """`protocols.Importer`: a trace."""

    name = "trtexec"
    wants = ("device", "workload", "precision")

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """The trace's cell.

        Args:
            path: What ``--exportTimes`` wrote.
            stated: ``batch`` (samples in a query) makes a throughput of the rate of queries.

        Raises:
            UsageError: It is no such trace, damaged, or empty.
        """
        opened = Opened(path)
        text = opened.text()
        if any(mark in text for mark in _LOG):
            raise UsageError(f"{opened.name} is what trtexec prints", remedy=_EXPORT)
        trace = _trace(opened.json())
        row = _row(trace, opened.name, stated)
        return Imported(tool="trtexec", files=opened.files, rows=(row,))


def _trace(document: Node) -> list[Node]:
    """The queries, after the other files that trtexec writes have been named and refused."""
    if isinstance(document.value, dict):
        what = "layers (--exportLayerInfo)" if "Layers" in document.value else "no trace of trtexec"
        raise UsageError(f"{document.place} holds {what}", remedy=_EXPORT)
    queries = list(document.each())
    if not queries:
        raise UsageError(f"{document.place} is empty")
    first = queries[0]
    if first.find("count") is not None:
        raise UsageError(f"{document.place} is a profile (--exportProfile)", remedy=_EXPORT)
    if first.find("startInMs") is not None:
        raise UsageError(f"{document.place} is of TensorRT 7 or older", remedy="measure again")
    if first.find("dimensions") is not None:
        raise UsageError(f"{document.place} holds outputs (--exportOutput)", remedy=_EXPORT)
    return queries


def _times(trace: list[Node], key: str) -> list[float]:
    found = []
    for query in trace:
        node = query.get(key)
        value = node.number()
        if value < 0:
            raise UsageError(f"{node.place} is {value:g}: no time is")
        found.append(value)
    return found


def _row(trace: list[Node], file: str, stated: Mapping[str, str]) -> ImportedRow:
    times = {name: _times(trace, key) for name, key in _TIMES.items()}
    stamps = {key: _times(trace, key) for key in _STAMPS}
    _check_sums(trace, times)
    cells = Cells()
    usual = {"backend": "tensorrt", "status": "ok"}
    for column, value in usual.items():
        cells.put(column, value, FORMAT)
    cells.put("accelerator", "gpu", FORMAT)
    cells.put("launches", 1, FORMAT)
    origin = f"{file}: [*].latencyMs"
    cells.put("samples", len(trace), origin)
    values_ms = times["Latency"]
    cells.positive("latency_min_ms", min(values_ms), origin)
    cells.put("latency_mean_ms", statistics.fmean(values_ms), origin)
    for percent, column in nearest_ranks(len(trace)).items():
        half = percent == 50  # noqa: PLR2004 - the median
        ms = statistics.median(values_ms) if half else quantile(values_ms, percent / 100)
        cells.put(column, ms, origin)
    wall_ms = stamps["endD2hMs"][-1] - stamps["startH2dMs"][0]
    own = _own(times, stamps, wall_ms)
    cells.own(own, file)
    _put_throughput(cells, own, stated, file)
    if trace[0].find("endToEndMs") is not None:
        cells.caveat("this trtexec (8.4 or older) writes its warm-up into the trace", file)
    if not any(times["H2D Latency"]) and not any(times["D2H Latency"]):
        cells.caveat("nothing was copied in or out (--noDataTransfers)", file)
    return cells.row()


def _check_sums(trace: list[Node], times: Mapping[str, list[float]]) -> None:
    parts = zip(times["GPU Compute Time"], times["H2D Latency"], times["D2H Latency"], strict=True)
    for query, latency_ms, three in zip(trace, times["Latency"], parts, strict=True):
        if abs(sum(three) - latency_ms) > max(_SUM_MS, 1e-3 * latency_ms):
            raise UsageError(f"{query.place}: latencyMs is not h2dMs + computeMs + d2hMs")


def _own(
    times: Mapping[str, list[float]], stamps: Mapping[str, list[float]], wall_ms: float
) -> dict[str, float]:
    """What trtexec's own summary says of the trace, under its names: ms, and queries/s."""
    pairs = zip(stamps["startEnqMs"], stamps["endEnqMs"], strict=True)
    every = {**times, "Enqueue Time": [end - start for start, end in pairs]}
    found: dict[str, float] = {}
    for name, values in every.items():
        found |= {
            f"{name} min (ms)": min(values),
            f"{name} max (ms)": max(values),
            f"{name} mean (ms)": statistics.fmean(values),
            f"{name} median (ms)": statistics.median(values),
        }
    if wall_ms > 0:
        found["Throughput (qps)"] = len(times["Latency"]) / wall_ms * 1000
    return found


def _put_throughput(
    cells: Cells, own: Mapping[str, float], stated: Mapping[str, str], file: str
) -> None:
    batch, rate_hz = stated.get("batch"), own.get("Throughput (qps)")
    if batch is None or rate_hz is None:
        return
    if not batch.isdecimal() or int(batch) < 1:
        raise UsageError(f"batch {plain(batch[:30])!r} is no count of samples")
    origin = f"{file}: [*].startH2dMs + [*].endD2hMs, batch as stated"
    cells.put("throughput_ips", rate_hz * int(batch), origin)
