"""LiteRT's tools: ``litert-benchmark --result_json``, and the log of C++'s ``benchmark_model``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from edgebench.errors import UsageError
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers.figures import FORMAT, Cells, latency, milliseconds
from edgebench.store.importers.opened import Node, Opened

_NUMBER = r"([0-9.]+(?:e[+-]?[0-9]+)?)"
_TIMINGS = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}$"
)
_STAT = re.compile(rf"\b(count|first|curr|min|max|avg|std|p5|median|p95)={_NUMBER}(?= |$)")
_RUNS = re.compile(r"(?:^|\s)count=\d+ ")
_THREADS = re.compile(r"(?:#threads used for CPU inference|[Nn]um threads): \[(\d+)\]$")
_DELEGATES = {
    "Use gpu": "gpu",
    "Use NNAPI": "nnapi",
    "Use Hexagon": "hexagon",
    "Use CoreML": "coreml",
}
_DELEGATE = re.compile(rf"({'|'.join(_DELEGATES)}): \[(?:1|true)\]$", re.IGNORECASE)


class LiteRTBenchmark:
    """`protocols.Importer`: a result or a log, or every ``*.json`` and ``*.txt`` of a folder."""

    name = "litert-benchmark"
    wants = ("device", "workload", "precision")

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """A cell of each file.

        Args:
            path: What ``--result_json`` wrote, or what ``benchmark_model`` printed.
            stated: Not looked at: neither tells model nor machine.

        Raises:
            UsageError: It is no such file, damaged, or tells no figure.
        """
        del stated
        opened = Opened(path)
        notes: list[str] = []
        text = opened.text()
        if text.lstrip().startswith(("{", "[")):
            row = _of_json(opened.json(), notes)
            tool = "litert-benchmark"
        else:
            row = _of_log(text, opened.name, notes)
            tool = "benchmark_model"
        return Imported(tool=tool, files=opened.files, rows=(row,), notes=tuple(notes))


def _common() -> Cells:
    cells = Cells()
    usual = {"backend": "litert", "format": "tflite", "scenario": "single_stream"}
    for column, value in {**usual, "region": "invoke", "status": "ok"}.items():
        cells.put(column, value, FORMAT)
    cells.put("launches", 1, FORMAT)
    return cells


def _of_json(result: Node, notes: list[str]) -> ImportedRow:
    if result.find("latency", "num_runs") is None:
        raise UsageError(f"{result.place} is no result of litert-benchmark: no 'latency.num_runs'")
    cells, times = _common(), result.get("latency")
    _put_accelerator(cells, result)
    threads, runs = result.get("num_threads"), times.get("num_runs")
    cells.positive("threads", threads.count(), threads.place)
    cells.positive("samples", runs.count(), runs.place)
    for key, column in (
        ("median_ms", "latency_p50_ms"),
        ("avg_ms", "latency_mean_ms"),
        ("min_ms", "latency_min_ms"),
        ("init_ms", "load_ms"),
    ):
        latency(cells, column, times.get(key), notes)
    if times.get("num_warmup_runs").count():
        latency(cells, "first_inference_ms", times.get("warmup_first_ms"), notes)
    size = result.get("model_size_mb")
    if size.number() > 0:
        cells.put("model_size_mib", size.number(), size.place)  # it divides by 1024 * 1024
    own = {key: node.number() for key, node in times.items()}
    rate = result.get("throughput_mb_s")  # of input, not of inferences
    cells.own(own | {"throughput_mb_s": rate.number()}, f"{times.place} + {rate.place}")
    cells.caveat("litert-benchmark rounds latencies to 0.01 ms", FORMAT)
    return cells.row()


def _put_accelerator(cells: Cells, result: Node) -> None:
    """The one that was asked for, and whether all of the model ran there."""
    node = result.get("accelerators")
    asked = [one.text().lower() for one in node.each()]
    if not asked:
        raise UsageError(f"{node.place} names none")
    others = [name for name in asked if name != "cpu"]
    cells.put("accelerator", "+".join(others) or "cpu", node.place)
    whole = result.get("fully_accelerated")
    if not isinstance(whole.value, bool):
        raise UsageError(f"{whole.place} is neither true nor false")
    if others and not whole.value:
        cells.put("fallback", "accelerator", whole.place)


class _Line(NamedTuple):
    place: str
    text: str


def _of_log(text: str, file: str, notes: list[str]) -> ImportedRow:
    lines = [_Line(f"{file}: line {n}", t.rstrip()) for n, t in enumerate(text.split("\n"), 1)]
    found = [(line, told) for line in lines if (told := _TIMINGS.search(line.text))]
    if len(found) != 1:
        many = "none" if not found else f"{len(found)}"
        raise UsageError(
            f"{file} has {many} of the line 'Inference timings in us: ...'",
            remedy="name the log of one run of benchmark_model, or a --result_json",
        )
    (line, told), *_ = found
    cells = _common()
    own = {}
    for name, column, digits in zip(
        ("Init", "First inference", "Warmup (avg)", "Inference (avg)"),
        ("load_ms", "first_inference_ms", "", "latency_mean_ms"),
        told.groups(),
        strict=True,
    ):
        own[name] = _us(digits, line.place)
        if column:
            _put_us(cells, column, own[name], line.place, notes)
    origins = [line.place]
    runs = [one for one in lines[: lines.index(line)] if _RUNS.search(one.text)]
    if runs:
        own |= _put_stats(cells, runs[-1], notes)
        origins.append(runs[-1].place)
    _put_log_setup(cells, lines, notes)
    cells.own(own, " + ".join(origins))
    return cells.row()


def _put_stats(cells: Cells, line: _Line, notes: list[str]) -> dict[str, float]:
    """Of the last line of counts before the timings: that of the runs, not of the warm-up."""
    stats = {name: _us(digits, line.place) for name, digits in _STAT.findall(line.text)}
    if "count" in stats:
        cells.positive("samples", int(stats["count"]), line.place)
    for name, column in (("min", "latency_min_ms"), ("median", "latency_p50_ms")):
        if name in stats:
            _put_us(cells, column, stats[name], line.place, notes)
    return stats


def _put_log_setup(cells: Cells, lines: list[_Line], notes: list[str]) -> None:
    """Threads and delegate where the log tells them; what it does not tell is not there."""
    delegates = []
    for line in lines:
        if told := _THREADS.search(line.text):
            cells.positive("threads", int(told[1]), line.place)
        if told := _DELEGATE.search(line.text):
            asked = next(v for k, v in _DELEGATES.items() if k.lower() == told[1].lower())
            delegates.append((asked, line.place))
    if delegates:
        cells.put("accelerator", "+".join(name for name, _ in delegates), delegates[0][1])
        notes.append(f"{delegates[0][1]}: the log does not tell how much of the model ran there")


def _us(digits: str, place: str) -> float:
    try:
        value = float(digits)
    except ValueError:
        raise UsageError(f"{place}: {digits[:30]!r} is no number") from None
    if value == float("inf"):
        raise UsageError(f"{place}: {digits[:30]!r} is beyond every number")
    return value


def _put_us(cells: Cells, column: str, value_us: float, place: str, notes: list[str]) -> None:
    if value_us > 0:
        cells.put(column, milliseconds(value_us, "us"), place)
    else:
        notes.append(f"{place}: a time of 0 us is left out")
