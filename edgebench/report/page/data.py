"""The data of the page: embedded once, for all of its charts and tables.

Sets by name, each stored by columns, for names of fields and words that are repeated a thousand
times are most of what plain records weigh.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import altair as alt
import pandas as pd

from edgebench.report.charts.base import CELLS, IDENTITY, Chart, records
from edgebench.report.page.listing import Listing

_MOST_WHOLE = 1e9
"""Longer floats are not written out."""
_MOST_DECIMALS, _MOST_UNITS = 22, 1 << 53
"""Up to which JavaScript holds a power of ten, and an integer, exactly."""


class PageData:
    """Collects what the charts and tables of a page show.

    Args:
        cells: As `edgebench.report.charts.base.prepared` gives them.
    """

    def __init__(self, cells: pd.DataFrame) -> None:
        self._frame = cells
        found = records(cells, (*IDENTITY, "verdict"))
        self._cells = {int(one["row"]): one for one in found}
        self._sets: dict[str, list[Mapping[str, Any]]] = {}

    def spec(self, chart: Chart) -> dict[str, Any]:
        """The chart without its data, which is put to the page's.

        Raises:
            ValueError: Another chart has a set of this name with other data.
        """
        bare = chart.copy(deep=False)  # altair would copy the data several times
        sets, bare.datasets = chart.datasets, alt.Undefined
        made: dict[str, Any] = bare.to_dict(validate=False)
        named = {} if sets is alt.Undefined else sets
        for name, values in {**named, **made.pop("datasets", {})}.items():
            self.add(name, values)
        return made

    def add(self, name: str, values: Sequence[Mapping[str, Any]]) -> None:
        """More of the cells, or a set that is not of cells.

        Its records follow the filters where they have a ``row``, the place of their cell.

        Raises:
            ValueError: There is one of this name with other data.
        """
        if name == CELLS:
            for one in values:
                self._cells[one["row"]].update(one)
        elif self._sets.setdefault(name, list(values)) != list(values):
            raise ValueError(f"two sets of data are called {name!r}")

    def show(self, listing: Listing) -> None:
        """See that what a table shows is there."""
        if listing.source == CELLS:
            self.take(listing.names)

    def take(self, names: Iterable[str]) -> None:
        """See that cells have these columns, those of them that there are."""
        known = [name for name in names if name in self._frame.columns]
        for one in records(self._frame, ("row", *known)):
            self._cells[one["row"]].update(one)

    def tell(self, facts: Mapping[int, Mapping[str, Any]]) -> None:
        """Fields of cells that are no columns, by their places."""
        for row, fields in facts.items():
            self._cells[row].update(fields)

    def told(self) -> dict[str, Any]:
        """The data as the page's script reads it: by set its count and its columns."""
        return {name: _columns(values) for name, values in self.sets().items()}

    def sets(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """The data as plain records, by set."""
        return {CELLS: list(self._cells.values()), **self._sets}


def _columns(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for one in values for name in one)
    columns = {name: _column([one.get(name) for one in values]) for name in names}
    return {"count": len(values), "columns": columns}


def _column(values: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
    """The shortest of the forms that ``page/data.js`` reads."""
    return min(_forms(values), key=lambda form: len(json.dumps(form, separators=(",", ":"))))


def _forms(values: Sequence[Any]) -> Iterator[Any]:
    """A column as a list, null where there is none, and in what other forms there are of it.

    Values that repeat are ``{words, at}``, -1 is none; what stays from record to record is
    ``{each, times}``; what few records have is ``{places, held}``; lists of numbers are
    ``{steps}``: of each its decimals, then what is added from one to the next.
    """
    whole = [_whole(value) for value in values]
    yield whole
    known = [value for value in whole if value is not None]
    if not any(isinstance(value, (list, dict)) for value in known):
        keys = [(type(value), value) for value in whole]  # True is not 1
        found = [key for key in dict.fromkeys(keys) if key[1] is not None]
        words = {key: place for place, key in enumerate(found)}
        yield {"words": [word for _, word in words], "at": [words.get(key, -1) for key in keys]}
        runs = [(word, len(list(run))) for (_, word), run in itertools.groupby(keys)]
        yield {"each": [word for word, _ in runs], "times": [times for _, times in runs]}
    if all(isinstance(value, list) and _numbers(value) for value in known):
        yield {"steps": [value and _steps(value) for value in values]}
    places = [place for place, value in enumerate(values) if value is not None]
    yield {"places": places, "held": [whole[place] for place in places]}


def _whole(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A float without a fraction as an integer: JavaScript knows no other, and it is shorter."""
    short = isinstance(value, float) and value.is_integer() and abs(value) < _MOST_WHOLE
    return int(value) if short else value


def _numbers(values: Sequence[Any]) -> bool:
    """Whether these are floats whose steps JavaScript adds up exactly."""
    if not values or not all(isinstance(value, float) for value in values):
        return False
    decimals, *steps = _steps(values)
    largest = max(abs(unit) for unit in itertools.accumulate(steps))
    return decimals <= _MOST_DECIMALS and largest < _MOST_UNITS


def _steps(values: Sequence[float]) -> list[int]:
    """``[decimals, first, step, step ...]``, all integers, which give back these very numbers."""
    told = [Decimal(repr(value)) for value in values]
    decimals = max(0, *(-int(one.as_tuple().exponent) for one in told))
    units = [int(one.scaleb(decimals)) for one in told]
    return [decimals, units[0], *(after - before for before, after in itertools.pairwise(units))]
