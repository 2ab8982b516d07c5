"""Rows of whatever lies at some paths: runs of edgebench, and what was imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from edgebench.errors import StoreError
from edgebench.report import imported_rows, rows
from edgebench.report.rows import Row
from edgebench.store import imported, merge
from edgebench.store.read import StoredRun, each, folders_with, holds_runs


class Gathered(NamedTuple):
    """What lies at some paths."""

    runs: tuple[StoredRun, ...]
    """Those that edgebench measured, where they were asked for."""
    rows: list[Row]
    problems: tuple[str, ...]
    """What could not be read, a line each."""


def read(paths: Iterable[Path], *, all_runs: bool = False) -> tuple[list[Row], tuple[str, ...]]:
    """``(rows, problems)`` of all that lies at or below the paths.

    Args:
        paths: Run folders, import folders or any folders above them.
        all_runs: Every run's rows, not only the newest of each (device_id, case_id).

    Raises:
        UsageError: A path does not exist, or there is nothing below it.
        StoreError: Nothing of what is there can be read.
    """
    found = gather(paths, all_runs=all_runs)
    return found.rows, found.problems


def gather(
    paths: Iterable[Path],
    *,
    all_runs: bool = False,
    definition: str | None = None,
    keep_runs: bool = False,
    each_setup: bool = False,
) -> Gathered:
    """As `read`, with figures by another tool's definition and the runs themselves if asked.

    Args:
        paths: As `read`.
        all_runs: As `read`.
        definition: A key of `edgebench.analysis.definitions.DEFINITIONS`.
        keep_runs: Whether the runs are wanted, too; else one is held at a time.
        each_setup: As `edgebench.store.merge.latest`.

    Raises:
        UsageError: As `read`.
        StoreError: As `read`.
    """
    paths = list(paths)
    below = {path: folders_with(imported.FILE, path) for path in paths}
    folders = {folder.resolve(): folder for found in below.values() for folder in found}
    imports, lost = imported.read_all(folders.values())
    taken, unfit = imported_rows.of_imports(imports)
    runs: list[StoredRun] = []
    problems: list[str] = []
    found: list[Row] = []
    seen = bool(taken)
    try:
        for run in _measured(paths, below, problems):
            seen = True
            found += rows.of_run(run, definition=definition)
            runs += [run] if keep_runs else []
    except StoreError as error:
        if not taken:
            raise
        problems = problems or [str(error)]
    problems += (*lost, *unfit)
    if not seen:
        raise StoreError(problems[0] if problems else "no folder was named")
    found += taken
    chosen = found if all_runs else merge.latest(found, each_setup=each_setup)
    return Gathered(tuple(runs), chosen, tuple(problems))


def _measured(
    paths: Iterable[Path], below: dict[Path, list[Path]], problems: list[str]
) -> Iterator[StoredRun]:
    """Runs one after the other; a path that holds imports alone is no mistake."""
    if wanted := [path for path in paths if not below[path] or holds_runs(path)]:
        yield from each(wanted, problems)
