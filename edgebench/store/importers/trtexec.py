"""TensorRT's trtexec: the trace that ``--exportTimes`` writes, a query's times in each entry.

Reference: ``samples/common/sampleReporting.cpp`` of ``NVIDIA/TensorRT``. Latency is the time of
copying in (H2D), computing, and copying out (D2H). A query holds a whole batch, and the trace does
not tell of how many samples. As its sources are published, 8.0 to 8.4 write the warm-up into the
trace, which moves its mean and tail, and 8.5.1 and later leave it out; a trace tells neither its
version nor how long the warm-up was.
"""

from __future__ import annotations

import re
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
_WARMUP = re.compile(r"(?:^|\s)warmUp=(\d{1,9})(?=\s|$)")
_USUAL_MS = 200
"""trtexec's own ``--warmUp``."""
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
            stated: ``batch`` (samples in a query) makes a throughput of the rate of queries;
                ``options`` with ``warmUp=200`` in it tells how long the warm-up was.

        Raises:
            UsageError: It is no such trace, damaged, or empty.
        """
        opened = Opened(path)
        text = opened.text()
        if any(mark in text for mark in _LOG):
            raise UsageError(f"{opened.name} is what trtexec prints", remedy=_EXPORT)
        whole = _trace(opened.json())
        trace = _warm(whole, opened.name, stated)
        row = _row(trace, opened.name, stated, len(whole) - len(trace))
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


def _warm(trace: list[Node], file: str, stated: Mapping[str, str]) -> list[Node]:
    """The queries after the warm-up, by trtexec's own rule: those that begin to compute after it.

    Raises:
        UsageError: It may be in the trace, and nobody tells how long it was; or nothing is left.
    """
    starts_ms = _times(trace, "startComputeMs")
    told = _WARMUP.search(stated.get("options", ""))
    if told is None and starts_ms[0] < _USUAL_MS:
        raise UsageError(
            f"{file} begins at {starts_ms[0]:g} ms: the warm-up may be in it",
            remedy="state how long that was: --set options=warmUp=200 (usual), or 0 for none",
        )
    until_ms = int(told[1]) if told else 0
    kept = [q for q, start_ms in zip(trace, starts_ms, strict=True) if start_ms >= until_ms]
    if not kept:
        raise UsageError(f"{file} holds no query after {until_ms} ms of warm-up")
    return kept


def _times(trace: list[Node], key: str) -> list[float]:
    found = []
    for query in trace:
        node = query.get(key)
        value = node.number()
        if value < 0:
            raise UsageError(f"{node.place} is {value:g}: no time is")
        found.append(value)
    return found


def _row(trace: list[Node], file: str, stated: Mapping[str, str], dropped: int) -> ImportedRow:
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
    if dropped:
        cells.caveat(f"{dropped} queries of the warm-up are left out, as trtexec does", file)
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
