"""Tables of the page that are filled from its data: sorted and filtered along with the charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from edgebench.report.charts.base import CELLS
from edgebench.report.columns import BY_NAME
from edgebench.report.grid import Head

Kind = Literal["text", "lines", "number", "interval", "times", "verdict"]


class Field(NamedTuple):
    """A column of a listing."""

    head: Head
    names: tuple[str, ...]
    """Of the data: one field, or both ends of an interval."""
    kind: Kind = "text"
    scale: float = 1.0
    digits: int | None = None
    """Decimals; None: four significant digits."""

    @property
    def places(self) -> int | Literal["float"] | None:
        """Decimals as the page's script needs them told: JSON has no 5.0 beside its 5."""
        column = BY_NAME.get(self.names[0])
        if self.digits is None and self.kind == "number" and column and column.kind == "int":
            return 0
        return "float" if self.digits is None and column and column.kind == "float" else self.digits


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A table with a row for each record of one of the page's sets of data."""

    caption: str
    fields: Sequence[Field]
    source: str = CELLS
    needs: Sequence[str] = ()
    """Records without any of these fields are left out; empty: none is."""
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By field the values that a record must have one of."""
    anchor: str = ""
    """Rows are anchors ``{anchor}-{row}``; empty: they are none."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every field of the data that it takes."""
        shown = (name for one in self.fields for name in one.names)
        return tuple(dict.fromkeys((*shown, *self.needs, *self.where)))

    @property
    def told(self) -> dict[str, Any]:
        """What the page's script needs to fill it."""
        columns = [
            {"names": one.names, "kind": one.kind, "scale": one.scale, "digits": one.places}
            for one in self.fields
        ]
        told: dict[str, Any] = {"source": self.source, "columns": columns}
        further = {"needs": self.needs, "where": self.where, "anchor": self.anchor}
        return told | {name: value for name, value in further.items() if value}


def text(name: str, words: str = "", meaning: str = "") -> Field:
    """A column of words."""
    return Field(Head(words or name.replace("_", " "), meaning=meaning or _meaning(name)), (name,))


def number(
    name: str, words: str = "", *, scale: float = 1.0, digits: int | None = None, meaning: str = ""
) -> Field:
    """A column of figures: four significant digits, or a fixed number of decimals."""
    head = Head(words or name.replace("_", " "), numeric=True, meaning=meaning or _meaning(name))
    return Field(head, (name,), "number", scale, digits)


def interval(stem: str, unit: str, words: str = "") -> Field:
    """A column with both ends of an interval; sorted by its upper end."""
    names = (f"{stem}_lo_{unit}", f"{stem}_hi_{unit}")
    head = Head(words or f"95 % interval {unit}", numeric=True, meaning=_meaning(names[0]))
    return Field(head, names, "interval")


def times(name: str, words: str) -> Field:
    """A column with how many times the least of its question's cells a figure is.

    Of those that are valid and ran as asked; what ran otherwise is held against none.
    """
    return Field(Head(words, numeric=True), (name, "question", "comparable", "fallback"), "times")


def lines(name: str, words: str) -> Field:
    """A column of words with a line for each part of them."""
    return Field(Head(words), (name,), "lines")


def verdict() -> Field:
    """The verdict, set off, which leads to its reason."""
    meaning = "the status, or the validity of a cell that is ok"
    return Field(Head("verdict", meaning=meaning), ("verdict", "row"), "verdict")


def _meaning(name: str) -> str:
    column = BY_NAME.get(name)
    return column.meaning if column else ""
