"""MLPerf Inference: a log of LoadGen, or a tree of results as it is submitted, a row a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from edgebench.errors import UsageError
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers import mlperf_accuracy, mlperf_power, mlperf_system
from edgebench.store.importers.figures import Cells, has
from edgebench.store.importers.mlperf_logs import DETAIL, SUMMARY, Detail, Summary, put_summary
from edgebench.store.importers.mlperf_system import Cell, cell_of
from edgebench.store.importers.opened import Opened

_NEEDED = ("device", "workload", "backend", "precision")
"""Without these nobody knows what a figure is of."""
_FIRST = "run_1"
"""The run that the rules take a result from."""
_ASIDE = ("compliance", "ranging")
"""Folders of runs that are no results: tests of the rules, and the search for the meter's range."""


class MLPerf:
    """`protocols.Importer`: a summary, a folder that holds one, or a whole submission."""

    name = "mlperf"
    wants = ()

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """A row a system, benchmark and scenario.

        Args:
            path: ``mlperf_log_summary.txt``, or any folder above such.
            stated: ``device`` and ``workload`` where the tree does not tell them, or calls them
                otherwise than their descriptors do.

        Raises:
            UsageError: There is no such log, or one is damaged; or neither tree nor user tells
                what was measured, and on what.
        """
        opened = Opened(path)
        notes: list[str] = []
        rows, untold = [], []
        for name in _summaries(opened, notes):
            summary = Summary(opened.text(name), name or opened.name)
            if summary.mode != "PerformanceOnly":
                notes.append(f"{summary.file} is of mode {summary.mode}: left out")
                continue
            if _is_inferred(opened, summary, name):
                notes.append(f"{summary.file} is of {summary.scenario}, as its neighbour: left out")
                continue
            row = _row(opened, summary, name, stated, notes)
            lacking = [one for one in _NEEDED if one not in {*row.values, *stated}]
            if lacking:
                untold.append(f"{summary.file} does not tell the {lacking[0]}")
            else:
                rows.append(row)
        if not rows and untold:
            column = untold[0].rpartition(" ")[2]
            raise UsageError(
                untold[0],
                remedy=f"name the submission's folder, or state it: --set {column}=NAME",
            )
        if not rows:
            raise UsageError(f"there is no {SUMMARY} of a performance run at {path}")
        notes += [f"{words}: left out" for words in untold]
        return Imported(
            tool="MLPerf LoadGen", files=opened.files, rows=tuple(rows), notes=tuple(notes)
        )


def _summaries(opened: Opened, notes: list[str]) -> list[str]:
    if not opened.path.is_dir():
        return [""]
    found, aside = [], 0
    names = opened.below(SUMMARY)
    for name in names:
        folders = PurePosixPath(name).parts[:-1]
        if any(part in _ASIDE or part.startswith("TEST") for part in folders):
            aside += 1
        elif folders and folders[-1] != _FIRST and _first_run(name) in names:
            notes.append(f"{name} is another run than {_FIRST}, which counts: left out")
        elif "accuracy" not in folders:
            found.append(name)
    if aside:
        notes.append(f"{aside} runs of compliance tests and of the meter's range are left out")
    return found


def _first_run(name: str) -> str:
    path = PurePosixPath(name)
    return str(path.parent.with_name(_FIRST) / path.name)


def _is_inferred(opened: Opened, summary: Summary, name: str) -> bool:
    """Whether it is another scenario's run, copied: MLPerf lets some results be inferred."""
    cell = cell_of(opened, name) if name else Cell()
    if not cell.system or cell.run == "." or cell.scenario.lower() == summary.scenario.lower():
        return False
    place = PurePosixPath(cell.run)
    inner = PurePosixPath(name).relative_to(place)
    neighbours = (opened.path / place.parent).iterdir()
    return any(
        other.name.lower() == summary.scenario.lower() and (other / inner).is_file()
        for other in neighbours
    )


def _row(
    opened: Opened, summary: Summary, name: str, stated: Mapping[str, str], notes: list[str]
) -> ImportedRow:
    cells = Cells()
    cell = cell_of(opened, name) if name else Cell()
    mlperf_system.put(cells, opened, cell, stated, notes)
    detail, log, watts = Detail(), _beside(name, DETAIL), _beside(name, "spl.txt")
    if name and has(opened, log):
        detail = Detail.read(opened.text(log), log, notes)
        detail.check(summary)
    own = put_summary(cells, summary, detail)
    if cell.run and has(opened, f"{cell.run}/accuracy/accuracy.txt"):
        own |= mlperf_accuracy.put(cells, opened, f"{cell.run}/accuracy/accuracy.txt", notes)
    if name and has(opened, watts):
        mlperf_power.put(cells, opened, watts, detail, notes)
    cells.own(own, summary.file)
    return cells.row()


def _beside(name: str, other: str) -> str:
    return str(PurePosixPath(name).with_name(other)) if name else other
