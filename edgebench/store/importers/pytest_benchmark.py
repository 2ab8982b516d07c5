"""pytest-benchmark's JSON (``pytest --benchmark-json=FILE``): a launch a cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgebench.errors import UsageError
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers import mapping
from edgebench.store.importers.mapping import Template
from edgebench.store.importers.opened import Cells, Node, Opened
from edgebench.store.importers.timed import put_tails

_MS_PER_S = 1e3
_CPU_CLOCKS = ("process", "thread")


class PytestBenchmark:
    """Importer of pytest-benchmark's files; figures are in s, of a call.

    Args:
        columns: See `mapped`: places within a benchmark, ``params.backend``.
        names: See `mapped`: how a benchmark's name is made.
    """

    name = "pytest-benchmark"
    wants = ("device", "workload", "backend", "precision")

    def __init__(self, columns: Mapping[str, str] | None = None, names: str = "") -> None:
        self._sources = [mapping.source(ours, told) for ours, told in (columns or {}).items()]
        self._template = Template(names) if names else None

    def mapped(self, columns: Mapping[str, str], names: str) -> PytestBenchmark:
        """See `edgebench.protocols.MappedImporter`."""
        return PytestBenchmark(columns, names)

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """A cell a benchmark.

        Raises:
            UsageError: It is no such file, or times something else than a call.
        """
        del stated
        opened = Opened(path)
        root = opened.json()
        if root.find("machine_info") is None or root.find("benchmarks") is None:
            raise UsageError(f"{opened.name} is no file of pytest-benchmark")
        cpu = root.find("machine_info", "cpu", "brand_raw")
        return Imported(
            tool=f"pytest-benchmark {root.get('version').text()}",
            files=opened.files,
            rows=tuple(self._row(one) for one in root.get("benchmarks").each()),
            notes=(f"{cpu.text()} ({cpu.place}): which device that is, nothing tells",)
            if cpu
            else (),
        )

    def _row(self, benchmark: Node) -> ImportedRow:
        cells = Cells()
        if self._template is not None:
            name = benchmark.get("name")
            for column, text in self._template.read(name.text(), name.place).items():
                cells.put(column, text, f"{name.place}, {name.text()}")
        _timed(benchmark, cells)
        for source in self._sources:
            node = benchmark.get(*source.theirs.split("."))
            if source.factor is None and source.theirs.startswith("stats."):
                _check_unit(source.column, source.theirs)
            if source.factor is None:
                cells.put(source.column, node.value, node.place)
            else:
                figure = mapping.scaled(source, node.number(), node.place)
                cells.put(source.column, figure, node.place)
        return cells.row()


def _check_unit(column: str, theirs: str) -> None:
    """Refuse a statistic in s as a time in another unit: its name does not tell that it is."""
    if column.rpartition("_")[2] in {"ms", "s"}:
        raise UsageError(
            f"{theirs} is in s, as all of pytest-benchmark's", remedy=f"{column}={theirs}:s"
        )


def _timed(benchmark: Node, cells: Cells) -> None:
    clock = benchmark.find("options", "timer")
    if clock is not None and any(word in clock.text() for word in _CPU_CLOCKS):
        raise UsageError(f"{clock.place} is {clock.text()!r}: CPU time is no latency")
    told = benchmark.get("stats")
    calls, rounds = told.get("iterations").count(), told.get("rounds").count()
    for column, name in (("latency_p50_ms", "median"), ("latency_mean_ms", "mean")):
        figure = told.get(name)
        cells.put(column, figure.number() * _MS_PER_S, f"{figure.place}, from s")
    cells.put("launches", 1, f"{benchmark.place}, one process")
    cells.put("samples", rounds * calls, f"{told.place}.rounds times iterations")
    if calls > 1:
        words = f"each value is the mean of {calls} calls"
        cells.put("caveats", words, told.get("iterations").place)
        return
    least = told.get("min")
    if (data := told.find("data")) is not None and data.value:
        put_tails(cells, [one.number() * _MS_PER_S for one in data.each()], data.place)
    cells.put("latency_min_ms", least.number() * _MS_PER_S, f"{least.place}, from s")
