"""OpenVINO's benchmark_app: ``benchmark_report.json``, as its Python and its C++ form write it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from edgebench.errors import UsageError, plain
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers.figures import FORMAT, Cells, latency, nearest_ranks
from edgebench.store.importers.opened import Node, Opened

REPORT = "benchmark_report.json"
_RESULTS, _SETUP, _OPTIONS = "execution_results", "configuration_setup", "cmd_options"
_Names = Mapping[str, str | tuple[str, ...]]
_CPP: _Names = {
    "first": "first_inference_time",
    "mean": "latency_avg",
    "min": "latency_min",
    "max": "latency_max",
    "count": "iterations_num",
    "throughput": "throughput",
    "batch": "batch_size",
    "requests": "nireq",
    "device": "target_device",
    "load": ("read_model_time", "reshape_model_time", "compile_model_time"),
}
_PYTHON: _Names = {
    "first": "first inference time (ms)",
    "mean": "avg latency",
    "min": "min latency",
    "max": "max latency",
    "count": "total number of iterations",
    "throughput": "throughput",
    "batch": "batch size",
    "requests": "number of parallel infer requests",
    "device": "target device",
    "load": ("read model time (ms)", "reshape model time (ms)", "compile model time (ms)"),
}
_THREADS = ("nthreads", "number_threads")
_SHOWN = ("hint", "infer_precision", "nstreams", "number_streams", "pin")
"""Options of the command line that change what the runtime does."""
_MEDIAN = 50
_OTHER = re.compile(r"latency \((\d{1,3}) percentile\) \(ms\)")


class BenchmarkApp:
    """`protocols.Importer`: a report, or every one below a folder."""

    name = "benchmark-app"
    wants = ("device", "workload", "precision")

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """The report's cell.

        Args:
            path: ``benchmark_report.json``, or a folder of such.
            stated: Not looked at: the report tells neither model nor machine.

        Raises:
            UsageError: It is no such report, damaged, or tells no figure.
        """
        del stated
        opened = Opened(path)
        found = opened.below(REPORT) if path.is_dir() else [""]
        if not found:
            raise UsageError(
                f"there is no {REPORT} below {path}",
                remedy="benchmark_app writes it with -json_stats -report_type no_counters",
            )
        notes: list[str] = []
        rows = tuple(_row(opened.json(name), notes) for name in found)
        return Imported(tool="benchmark_app", files=opened.files, rows=rows, notes=tuple(notes))


def _row(report: Node, notes: list[str]) -> ImportedRow:
    if report.find("report_type") is not None:
        raise UsageError(f"{report.place} holds operators' times", remedy=f"name {REPORT}")
    if report.find(_RESULTS) is None:
        raise UsageError(f"{report.place} is no report of benchmark_app: no {_RESULTS!r}")
    results, setup = report.get(_RESULTS), report.get(_SETUP)
    names = _CPP if setup.find("target_device") else _PYTHON
    cells = Cells()
    cells.put("backend", "openvino", FORMAT)
    _put_setup(cells, setup, names)
    _put_options(cells, report)
    if error := results.find("error"):
        cells.put("status", "failed", error.place)
        cells.put("reason", plain(error.text()), error.place)
        return cells.row()
    cells.put("status", "ok", FORMAT)
    _put_results(cells, results, names, notes)
    told = setup.find("precision")
    if told is not None and told.text() != "UNSPECIFIED":
        notes.append(f"{told.place} is the type of the inputs, not of the model: left out")
    return cells.row()


def _put_setup(cells: Cells, setup: Node, names: _Names) -> None:
    device = setup.get(str(names["device"]))
    cells.put("accelerator", device.text().lower(), device.place)
    batch = setup.get(str(names["batch"]))
    if str(batch.value).isdigit():  # a dynamic one is written as its range
        cells.put("batch", batch.count(), batch.place)
    requests = setup.get(str(names["requests"]))
    cells.put("streams", requests.count(), requests.place)
    if requests.count() == 1:
        cells.put("scenario", "single_stream", requests.place)
        cells.put("region", "invoke", FORMAT)
    else:
        cells.caveat(
            f"{requests.count()} requests were in flight: latency holds waiting for one another",
            requests.place,
        )


def _put_options(cells: Cells, report: Node) -> None:
    given = report.find(_OPTIONS)
    options = {key.lstrip("-"): node for key, node in (given.items() if given else ())}
    for name in _THREADS:
        if name in options:
            cells.put("threads", options[name].count(), options[name].place)
    shown = {name: options[name] for name in _SHOWN if name in options}
    if shown:
        words = " ".join(f"{name}={plain(str(node.value))}" for name, node in shown.items())
        cells.put("options", words, " + ".join(node.place for node in shown.values()))


def _put_results(cells: Cells, results: Node, names: _Names, notes: list[str]) -> None:
    count = results.get(str(names["count"]))
    cells.put("samples", count.count(), count.place)
    cells.put("launches", 1, FORMAT)
    _put_latencies(cells, results, names, notes)
    if first := results.find(str(names["first"])):
        latency(cells, "first_inference_ms", first, notes)
    parts = [one for key in names["load"] if (one := results.find(key)) is not None]
    if parts:
        cells.put(
            "load_ms",
            math.fsum(one.number() for one in parts),
            " + ".join(one.place for one in parts),
        )
    throughput = results.get(str(names["throughput"]))
    cells.positive("throughput_ips", throughput.number(), throughput.place)
    own = {key: one.number() for key, one in results.items() if not isinstance(one.value, list)}
    cells.own(own, results.place)
    if names is _PYTHON:
        cells.caveat("benchmark_app rounds latencies to 0.01 ms", FORMAT)


def _put_latencies(cells: Cells, results: Node, names: _Names, notes: list[str]) -> None:
    told = _percentile(results)
    if told is None:  # as of several devices at once
        notes.append(f"{results.place} tells no latency")
        return
    percent, node = told
    column = nearest_ranks(results.get(str(names["count"])).count()).get(percent)
    if column is None:
        notes.append(f"{node.place}: percentile {percent} is in engine_figures only")
    else:
        latency(cells, column, node, notes)
    for key, place in (("mean", "latency_mean_ms"), ("min", "latency_min_ms")):
        latency(cells, place, results.get(str(names[key])), notes)


def _percentile(results: Node) -> tuple[int, Node] | None:
    """Which percentile the report's one is, and where it stands."""
    if (node := results.find("latency_median")) is not None:  # its name, whatever it is
        return results.get("percentile_boundary").count(), node
    if (node := results.find("latency (ms)")) is not None:
        return _MEDIAN, node
    for key, node in results.items():
        if found := _OTHER.fullmatch(key):
            return int(found[1]), node
    return None
