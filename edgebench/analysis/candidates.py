"""What may be chosen: a device, a backend and a precision, with every figure there is of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from edgebench.analysis import questions

Cells = Mapping[str, object]
"""A row of `edgebench.report.rows`, or one of a frame."""
_NAMED = {"accelerator": "cpu", "threads": 1, "options": None}
"""What stands in a candidate's name where it is not this."""


class Figure(NamedTuple):
    """A figure of a candidate, in the unit that is the last word of its name."""

    value: float
    low: float | None = None
    """Lower end of its 95 % interval; None where nothing tells how sure it is."""
    high: float | None = None
    launches: int = 0
    """Independent launches behind it."""
    exact: bool = False
    """A price or a count: it has no spread."""
    source: str = ""
    """Who says so, where it was not measured in this run."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One cell of one kind of device (or of one unit of it) that answers a question."""

    name: str
    """Unique among those that answer the same question."""
    rows: tuple[Cells, ...]
    """A row a unit that was measured, the newest run of each."""
    told: Mapping[str, Figure] = field(default_factory=dict)
    """Figures that are no column: the device's published facts and prices, costs."""

    @property
    def row(self) -> Cells:
        """The row that tells what it is: its units agree in that."""
        return self.rows[0]

    def figure(self, name: str) -> Figure | None:
        """A figure by name; None where it was not measured and nobody tells it."""
        if name in self.told:
            return self.told[name]
        return figure_of(self.row, name)


def figure_of(row: Cells, name: str) -> Figure | None:
    """A column of a row with its interval, if it is a number and was measured."""
    value = row.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    stem, _, unit = name.rpartition("_")
    low, high = (row.get(f"{stem}_{end}_{unit}") for end in ("lo", "hi"))
    known = isinstance(low, (int, float)) and isinstance(high, (int, float))
    launches = row.get("launches")
    return Figure(
        float(value),
        float(low) if known and isinstance(low, (int, float)) else None,
        float(high) if known and isinstance(high, (int, float)) else None,
        launches if isinstance(launches, int) else 0,
    )


def of_rows(
    rows: Iterable[Cells], told: Mapping[str, Mapping[str, Figure]] | None = None
) -> list[list[Candidate]]:
    """Candidates by question, in the order the rows came.

    Args:
        rows: The newest of each (device_id, case_id), `edgebench.store.merge.latest`.
        told: By device, figures that are no column, see `edgebench.analysis.published`.
    """
    found = []
    for group in questions.grouped(rows):
        kinds = defaultdict(set)
        for row in group:
            kinds[row.get("device")].add(row.get("device_id"))
        found.append([_candidate(row, kinds, told or {}) for row in group])
    return found


def _candidate(
    row: Cells, kinds: Mapping[object, set[object]], told: Mapping[str, Mapping[str, Figure]]
) -> Candidate:
    device = str(row.get("device"))
    shown = device if len(kinds[row.get("device")]) == 1 else str(row.get("device_id"))
    extra = [f"{row.get(k)}" for k, usual in _NAMED.items() if row.get(k) not in {usual, None}]
    words = [shown, str(row.get("backend")), str(row.get("precision")), *extra]
    return Candidate(name=" ".join(words), rows=(row,), told=told.get(device, {}))


def names(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Their names, in order."""
    return tuple(one.name for one in candidates)
