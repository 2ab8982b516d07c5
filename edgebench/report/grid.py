"""Tables of the HTML report as plain data: texts for people, values to sort by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edgebench.report.rows import Row, Value
from edgebench.report.table import clean, number

MISSING = "\N{EN DASH}"
"""Shown where nothing was measured; never 0."""


class Head(NamedTuple):
    """A column's heading, with its meaning as a hint."""

    text: str
    numeric: bool = False
    meaning: str = ""


class Cell(NamedTuple):
    """What one cell shows."""

    text: str
    sort: float | None = None
    """Sorted by this where the column is numeric; None goes last, both ways."""
    href: str = ""
    """An anchor of the same page."""
    mark: str = ""
    """``bad`` or ``warn``: set off, beside what the words say."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table."""

    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    ids: Sequence[str] = field(default=())
    """Anchors of the rows, if they have any."""
    sortable: bool = True


def text(value: object) -> Cell:
    """A cell of words."""
    return Cell(MISSING if value is None or value == "" else clean(str(value)))


def figure(value: Value, scale: float = 1.0, digits: int | None = None) -> Cell:
    """A cell of one number: four significant digits, or a fixed number of decimals."""
    if value is None or isinstance(value, str):
        return text(value)
    scaled = value * scale if scale != 1.0 else value
    if digits is None:
        return Cell(_aligned(scaled), float(scaled))
    return Cell(f"{round(scaled, digits) + 0.0:.{digits}f}", float(scaled))  # + 0.0: no "-0.0"


def interval(row: Row, stem: str, unit: str) -> Cell:
    """A cell with both ends of an interval; sorted by its upper end."""
    low, high = row.get(f"{stem}_lo_{unit}"), row.get(f"{stem}_hi_{unit}")
    if not isinstance(low, float) or not isinstance(high, float):
        return Cell(MISSING)
    return Cell(f"{_aligned(low)} to {_aligned(high)}", high)


def _aligned(value: float) -> str:
    """As `number`, with the zeros that make one row line up with the next."""
    padded = f"{value:#.4g}".rstrip(".")
    return number(value) if isinstance(value, int) or "e" in padded else padded


def facts(caption: str, pairs: Sequence[tuple[str, object]]) -> Grid:
    """A table of names and values."""
    rows = [(text(name), text(value)) for name, value in pairs]
    return Grid(caption=caption, heads=(Head("what"), Head("value")), rows=rows, sortable=False)
