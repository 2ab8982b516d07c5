"""Rows of whatever lies at some paths: runs of edgebench, and what was imported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgebench.report import rows
from edgebench.report.rows import Row
from edgebench.store import merge
from edgebench.store.read import each


def read(paths: Iterable[Path], *, all_runs: bool = False) -> tuple[list[Row], tuple[str, ...]]:
    """``(rows, problems)`` of all that lies at or below the paths.

    Args:
        paths: Run folders or any folders above them.
        all_runs: Every run's rows, not only the newest of each (device_id, case_id).

    Raises:
        UsageError: A path does not exist, or there is nothing below it.
        StoreError: Nothing of what is there can be read.
    """
    problems: list[str] = []
    found = rows.of_runs(each(paths, problems))
    return (found if all_runs else merge.latest(found)), tuple(problems)
