"""What may be chosen: a device, a backend and a precision, with every figure there is of it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgebench.analysis import elsewhere, questions
from edgebench.analysis.figure import FACTS, Cells, Figure, figure_of, text
from edgebench.analysis.pooled import UnitSpread, pooled, spread

__all__ = ["Candidate", "Cells", "Figure", "figure_of", "names", "of_rows"]

_KIND = ("device", "device_setup", "backend", "precision", "accelerator", "threads", "options")
"""What the units of a candidate share; their format and whether they were imported, too."""
_LAST = ("imported_from", "format", "device_setup", "run_id", "case_id")
"""What is added to names that would be the same, until they are not."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One cell of one kind of device (or of one unit of it) that answers a question."""

    name: str
    """Unique among those that answer the same question."""
    rows: tuple[Cells, ...]
    """A row a unit that was measured, the newest run of each."""
    told: Mapping[str, Figure] = field(default_factory=dict)
    """Figures that are no column: the device's published facts and prices, costs."""
    lost: tuple[str, ...] = ()
    """Of each row what accuracy its model lost elsewhere (`edgebench.analysis.elsewhere`)."""

    @property
    def row(self) -> Cells:
        """The row that tells what it is: its units agree in that."""
        return self.rows[0]

    @property
    def units(self) -> tuple[str, ...]:
        """The device_id of each row."""
        return tuple(str(row.get("device_id")) for row in self.rows)

    def by_unit(self, name: str) -> tuple[tuple[str, Figure | None], ...]:
        """``(unit, figure)`` of each unit; one without a unit's name, where it is told of all."""
        if name in self.told or name in FACTS:
            figure = self.told.get(name)
            return (("", None if figure is None or math.isnan(figure.value) else figure),)
        return tuple(
            (unit, figure_of(row, name)) for unit, row in zip(self.units, self.rows, strict=True)
        )

    def figure(self, name: str) -> Figure | None:
        """A figure by name, the mean over units; None where one of them lacks it."""
        found = [figure for _, figure in self.by_unit(name)]
        known = [figure for figure in found if figure is not None]
        return pooled(known) if len(known) == len(found) else None

    def spread(self, name: str) -> UnitSpread | None:
        """How unlike its units are in a figure; None where fewer than two of them have it."""
        known = [(unit, figure) for unit, figure in self.by_unit(name) if figure is not None]
        return spread(known)


def of_rows(
    rows: Iterable[Cells],
    told: Mapping[str, Mapping[str, Figure]] | None = None,
    *,
    each_unit: bool = False,
) -> list[list[Candidate]]:
    """Candidates by question; the order of the rows changes nothing.

    Units of one kind of device that could use the same of it (`device_setup`) are one candidate.
    Where rows of several runs of a unit are given, each run is a candidate of its own.

    Args:
        rows: The newest of each (device_id, case_id), `edgebench.store.merge.latest`.
        told: By device, figures that are no column, see `edgebench.analysis.published`.
        each_unit: Every unit is a candidate of its own.
    """
    rows = list(rows)
    lost = {id(row): words for row, words in zip(rows, elsewhere.told(rows), strict=True)}
    groups = sorted(questions.grouped(rows), key=_order)
    found = [_of_question(group, told or {}, each_unit=each_unit) for group in groups]
    return [
        [replace(one, lost=tuple(lost[id(row)] for row in one.rows)) for one in group]
        for group in found
    ]


def names(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Their names, in order."""
    return tuple(one.name for one in candidates)


def _of_question(
    rows: Sequence[Cells], told: Mapping[str, Mapping[str, Figure]], *, each_unit: bool
) -> list[Candidate]:
    pools: defaultdict[tuple[object, ...], list[Cells]] = defaultdict(list)
    for row in rows:
        kind = [str(row.get(name)) for name in (*_KIND, "format")]
        pools[(*kind, bool(text(row, "imported_from")))].append(row)
    found = []
    for pool in pools.values():
        ordered = sorted(pool, key=_identity)
        units = Counter(row.get("device_id") for row in ordered)
        apart = each_unit or max(units.values()) > 1
        split = [(row,) for row in ordered] if apart else [tuple(ordered)]
        by_unit = apart and len(units) > 1
        device = str(ordered[0].get("device"))
        found += [
            Candidate(name=_name(some, by_unit=by_unit), rows=some, told=told.get(device, {}))
            for some in split
        ]
    for column in _LAST:
        found = _apart(found, [_words(one.row, column) for one in found])
    found.sort(key=lambda one: (one.name, _identity(one.row)))
    return _apart(found, [f"#{place}" for place in range(1, len(found) + 1)])


def _name(rows: Sequence[Cells], *, by_unit: bool) -> str:
    row = rows[0]
    device, unit = str(row.get("device")), str(row.get("device_id"))
    # A unit that is named after its kind needs no second name before it.
    shown = device if not by_unit else unit if unit.startswith(device) else f"{device} {unit}"
    words = [shown, str(row.get("backend")), str(row.get("precision"))]
    if (accelerator := text(row, "accelerator")) not in {"", "cpu"}:
        words.append(accelerator)
    if (threads := row.get("threads")) not in {None, 1}:
        words.append(f"{threads} threads")
    return " ".join(filter(None, [*words, text(row, "options")]))


def _apart(found: list[Candidate], words: Sequence[str]) -> list[Candidate]:
    """Add words, of each candidate, to the same names whose words are not the same."""
    ways: defaultdict[str, set[str]] = defaultdict(set)
    for one, more in zip(found, words, strict=True):
        ways[one.name].add(more)
    return [
        replace(one, name=f"{one.name} {more}".strip()) if len(ways[one.name]) > 1 else one
        for one, more in zip(found, words, strict=True)
    ]


def _words(row: Cells, column: str) -> str:
    if column == "imported_from":
        return "imported" if text(row, column) else ""
    return text(row, column)


def _order(group: Sequence[Cells]) -> tuple[str, ...]:
    models = max((text(row, "source_sha256") for row in group), default="")
    return _sorting([*questions.key(group[0]), models])


def _identity(row: Cells) -> tuple[str, ...]:
    return _sorting([row.get(name) for name in ("device_id", *_KIND, *_LAST)])


def _sorting(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, values))
