"""What every section is made of: the results in, words and tables and charts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import pandas as pd

from edgebench.analysis import elsewhere
from edgebench.report import charts, doubts, frame, moments
from edgebench.report.charts.base import CELLS, Chart
from edgebench.report.choosing import Asked
from edgebench.report.doubts import Doubt
from edgebench.report.grid import Grid
from edgebench.report.page.data import PageData
from edgebench.report.page.listing import Listing, text
from edgebench.report.rows import Row
from edgebench.store.read import StoredRun

_QUESTION = text("question", "workload", "the workload, and what of it was asked")


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
    reading: str
    """More words, which a phone folds away."""
    spec: dict[str, Any]
    data: Grid | Listing


def view(**filters: str | Sequence[str]) -> str:
    """What a link says of the filters that it sets, as the page's address does."""
    return urlencode(filters, doseq=True, errors="replace")


@dataclass(frozen=True)
class Material:
    """What a report is made from.

    Args:
        runs: Every run read.
        rows: The cells to show.
        problems: What could not be read, a line each.
        asked: The question to answer first, and prices that are stated.
    """

    runs: Sequence[StoredRun]
    rows: Sequence[Row]
    problems: Sequence[str] = ()
    asked: Asked = field(default_factory=Asked)

    @cached_property
    def names(self) -> list[str]:
        """A short name for each row, unique in its question."""
        return [str(name) for name in self.cells["cell"]]

    @cached_property
    def questions(self) -> list[str]:
        """What each row was asked: its workload, and what is not usual."""
        return [str(asked) for asked in self.cells["question"]]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as `edgebench.load` gives them."""
        return frame.frame(list(self.rows))

    @cached_property
    def quantiles(self) -> pd.DataFrame:
        """Of each cell's latencies, a run at a time: nothing needs all samples at once."""
        parts = (frame.samples([run]) for run in self.runs)
        found = [charts.quantiles(samples) for samples in parts if not samples.empty]
        return pd.concat(found) if found else charts.quantiles(frame.samples([]))

    @cached_property
    def timed(self) -> pd.DataFrame:
        """The inferences of which it is known when they began: those of sustained launches."""
        sustained = [run for run in self.runs if _has_sustained(run)]
        parts = [frame.samples([run]) for run in sustained] or [frame.samples([])]
        return pd.concat([part[part["second"].notna()] for part in parts])

    @cached_property
    def looks(self) -> pd.DataFrame:
        """What was seen of the machines, as `edgebench.load_looks` gives it."""
        return moments.looks(self.runs)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The frame with what charts and tables need beside, see `charts.prepared`."""
        return charts.prepared(self.frame)

    @cached_property
    def doubts(self) -> dict[int, list[Doubt]]:
        """Why each cell is not simply to be trusted, by its place; a good one is not there."""
        told = zip(self.rows, elsewhere.told(self.rows), strict=True)
        found = {place: doubts.of(*one) for place, one in enumerate(told)}
        return {place: mine for place, mine in found.items() if mine}

    @cached_property
    def data(self) -> PageData:
        """What the page embeds, once for all charts and tables."""
        return PageData(self.cells)

    def listing(self, listing: Listing) -> Listing:
        """The table, for which the page then has the data.

        Where a workload was asked several things, its column says what: names of cells are unique
        in their question only.
        """
        if listing.source == CELLS and len(set(self.questions)) > self.cells["workload"].nunique():
            fields = [_QUESTION if one.names == ("workload",) else one for one in listing.fields]
            listing = replace(listing, fields=fields)
        self.data.show(listing)
        return listing

    def figure(
        self, name: str, chart: Chart, caption: str, data: Listing, *, reading: str = ""
    ) -> Figure:
        """A chart over its table; the page then has the data of both.

        Args:
            name: Its anchor is ``chart-{name}``.
            chart: As a function of `edgebench.report.charts` makes it of `cells`.
            caption: What is seen, in a sentence or two.
            data: The table behind it.
            reading: How it is to be read in full, and what it does not show.
        """
        spec, table = self.data.spec(chart), self.listing(data)
        return Figure(id=f"chart-{name}", caption=caption, reading=reading, spec=spec, data=table)

    def name(self, row: Row) -> str:
        """The short name of a row."""
        return self._name_of[id(row)]

    def place(self, row: Row) -> int:
        """Where a row stands among the rows: what the page's data calls it."""
        return self._place_of[id(row)]

    @cached_property
    def _place_of(self) -> dict[int, int]:
        return {id(row): place for place, row in enumerate(self.rows)}

    @cached_property
    def _name_of(self) -> dict[int, str]:
        return {id(row): name for row, name in zip(self.rows, self.names, strict=True)}


def _has_sustained(run: StoredRun) -> bool:
    return any(case.scenario == "sustained" for case in run.cases.values())
