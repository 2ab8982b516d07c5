"""What stands beside a recommendation: the front, and what so many cameras cost."""

from __future__ import annotations

from typing import NamedTuple

from edgebench.analysis import cost
from edgebench.analysis.cost import Cost
from edgebench.report import choice, cost_table, front
from edgebench.report.choosing import Decided


class Beside(NamedTuple):
    """A table with what belongs to it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first cell is a name, the others are figures."""
    lines: tuple[str, ...]


def costs(decided: Decided, *, everything: bool = False) -> tuple[Cost, ...]:
    """The costs that are shown: of what ranks the best, or where nothing does of all."""
    answer = decided.answer
    known = decided.costs[: len(answer.ranked)] or decided.costs
    return known if everything else known[: choice.BEST]


def tables(decided: Decided, *, everything: bool = False) -> list[Beside]:
    """The front and the costs as plain cells, those that were asked for."""
    found = []
    if decided.front is not None:
        made = decided.front
        names = [one.name for one in made.objectives]
        rows = tuple(
            (one.name, *(choice.short(name, one.figure(name)) for name in names))
            for one in made.members
        )
        heads = ("on the front", *map(choice.heading, names))
        lines = tuple(front.lines(made, everything=everything))
        found.append(Beside(front.sentence(made), heads, rows, lines))
    if shown := costs(decided, everything=everything):
        names = [name for name in cost.NAMES if any(name in one.figures for one in shown)]
        rows = tuple(
            (f"({place}) {one.candidate.name}", *(choice.value(one.figures.get(n)) for n in names))
            for place, one in enumerate(shown, 1)
        )
        lines = tuple(cost_table.lines(shown))
        found.append(Beside(cost_table.sentence(shown[0].need), ("candidate", *names), rows, lines))
    return found
