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
        rows = []
        for name in _summaries(opened, notes):
            summary = Summary(opened.text(name), name or opened.name)
            if summary.mode != "PerformanceOnly":
                notes.append(f"{summary.file} is of mode {summary.mode}: left out")
                continue
            if _is_inferred(opened, summary, name):
                notes.append(f"{summary.file} is of {summary.scenario}, as its neighbour: left out")
                continue
            rows.append(_row(opened, summary, name, stated, notes))
        if not rows:
            raise UsageError(f"there is no {SUMMARY} of a performance run at {path}")
        return Imported(
            tool="MLPerf LoadGen", files=opened.files, rows=tuple(rows), notes=tuple(notes)
        )


def _summaries(opened: Opened, notes: list[str]) -> list[str]:
    if not opened.path.is_dir():
        return [""]
    found, aside = [], 0
    for name in opened.below(SUMMARY):
        folders = PurePosixPath(name).parts[:-1]
        if any(part in _ASIDE or part.startswith("TEST") for part in folders):
            aside += 1
        elif "accuracy" not in folders:
            found.append(name)
    if aside:
        notes.append(f"{aside} runs of compliance tests and of the meter's range are left out")
    return found


def _is_inferred(opened: Opened, summary: Summary, name: str) -> bool:
    """Whether it is another scenario's run, copied: MLPerf lets some results be inferred."""
    folders = PurePosixPath(name).parts
    cell = cell_of(opened, name) if name else Cell()
    if not cell.root or cell.scenario.lower() == summary.scenario.lower():
        return False
    depth = folders.index(cell.scenario)
    return has(opened, "/".join((*folders[:depth], summary.scenario, *folders[depth + 1 :])))


def _row(
    opened: Opened, summary: Summary, name: str, stated: Mapping[str, str], notes: list[str]
) -> ImportedRow:
    cells = Cells()
    cell = cell_of(opened, name) if name else Cell()
    mlperf_system.put(cells, opened, cell, stated, notes)
    _check_told(cells, stated, summary.file)
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


def _check_told(cells: Cells, stated: Mapping[str, str], file: str) -> None:
    for column in ("device", "workload"):
        if not cells.has(column) and column not in stated:
            raise UsageError(
                f"{file} does not tell the {column}",
                remedy=f"name the submission's folder, or state it: --set {column}=NAME",
            )
