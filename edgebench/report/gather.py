"""Rows of whatever lies at some paths: runs of edgebench, and what was imported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from edgebench.errors import StoreError
from edgebench.report import imported_rows, rows
from edgebench.report.rows import Row
from edgebench.store import imported, merge
from edgebench.store.read import StoredRun, folders_with, holds_runs, read_all


class Gathered(NamedTuple):
    """What lies at some paths."""

    runs: tuple[StoredRun, ...]
    """Those that edgebench measured; empty where there are imports alone."""
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
    paths: Iterable[Path], *, all_runs: bool = False, definition: str | None = None
) -> Gathered:
    """As `read`, with the runs themselves, and figures by another tool's definition if asked.

    Raises:
        UsageError: As `read`.
        StoreError: As `read`.
    """
    paths = list(paths)
    below = {path: folders_with(imported.FILE, path) for path in paths}
    folders = {folder.resolve(): folder for found in below.values() for folder in found}
    imports, lost = imported.read_all(folders.values())
    taken, unfit = imported_rows.of_imports(imports)
    runs: tuple[StoredRun, ...] = ()
    problems: tuple[str, ...] = ()
    if measured := [path for path in paths if not below[path] or holds_runs(path)]:
        try:
            runs, problems = read_all(measured)
        except StoreError as error:
            if not taken:
                raise
            problems = (str(error),)
    problems += lost + unfit
    if not runs and not taken:
        raise StoreError(problems[0])
    found = [*rows.of_runs(runs, definition=definition), *taken]
    return Gathered(runs, found if all_runs else merge.latest(found), problems)
