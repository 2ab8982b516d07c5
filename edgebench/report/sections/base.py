"""What every section is made of: the results in, words and tables and charts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from edgebench.report import frame
from edgebench.report.grid import Grid
from edgebench.report.labels import labels
from edgebench.report.rows import Row
from edgebench.report.table import clean
from edgebench.store.read import StoredRun

_MARKS = {"valid": "", "skipped": "warn", "suspect": "warn", "imported": "warn"}


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the page."""

    id: str
    title: str
    template: str
    context: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart, the words below it and the table of its data."""

    id: str
    caption: str
    spec: dict[str, Any]
    data: Grid


@dataclass(frozen=True)
class Material:
    """What a report is made from.

    Args:
        runs: Every run read.
        rows: The cells to show.
        problems: What could not be read, a line each.
    """

    runs: Sequence[StoredRun]
    rows: Sequence[Row]
    problems: Sequence[str] = ()

    @cached_property
    def names(self) -> list[str]:
        """A short name for each row."""
        return [clean(name) for name in labels(self.rows)]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as `edgebench.load` gives them."""
        return frame.frame(list(self.rows))

    @cached_property
    def samples(self) -> pd.DataFrame:
        """Every inference, as `edgebench.load_samples` gives them."""
        return frame.samples(self.runs)

    def name(self, row: Row) -> str:
        """The short name of a row."""
        return next(name for name, known in zip(self.names, self.rows, strict=True) if known is row)


def verdict(row: Row) -> str:
    """One word for a cell: valid, suspect or invalid where it is ok, else its status.

    What another tool measured is ``imported``: nobody judged it.
    """
    status = row.get("status")
    if status == "ok" and row.get("imported_from"):
        return "imported"
    return str(row.get("validity") if status == "ok" and row.get("validity") else status)


def mark(row: Row) -> str:
    """How the verdict is set off: ``bad``, ``warn`` or not at all."""
    return _MARKS.get(verdict(row), "bad")
