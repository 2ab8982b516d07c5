"""What stands beside a recommendation: the front, and what so many cameras cost."""

from __future__ import annotations

from typing import NamedTuple

from edgebench.analysis import cost, ties
from edgebench.analysis.cost import Cost
from edgebench.errors import plain
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


def cost_lines(decided: Decided, *, everything: bool = False) -> list[str]:
    """Who costs the least, where that was not what ranks; then what the costs rest on."""
    found = cost_table.lines(costs(decided, everything=everything))
    first = _least(decided) if decided.named else _ranked_by(decided)
    return [*filter(None, [first]), *found]


def _ranked_by(decided: Decided) -> str:
    """What ranks where nobody said what should, and why not all of the money."""
    name = decided.answer.objective.name
    words = f"ranked by {name}, as no figure was named"
    if name == cost.TOTAL:
        return words
    if name != cost.PURCHASE:
        return f"{words} and no price is known (--price DEVICE=USD)"
    if all(one.need.kwh_usd is None for one in decided.costs):
        return f"{words} and the price of a kWh was not stated (--kwh-usd)"
    return f"{words}; {cost.TOTAL} is not known of all, or holds several tiers of power"


def _least(decided: Decided) -> str:
    """The least money of those that rank, where something else ranked them."""
    answer = decided.answer
    ranked = decided.costs[: len(answer.ranked)]
    name = cost.comparable(ranked, decided.allow_tiers)
    if not name or answer.objective.name in cost.NAMES:
        return ""
    known = [(one.figures[name], one.candidate.name) for one in ranked if name in one.figures]
    known.sort(key=lambda pair: (pair[0].value, pair[1]))
    figure, cheapest = known[0]
    tied = [known[place][1] for place in ties.Figures([one for one, _ in known]).tied(0)[1:]]
    unlike = f"; {choice.listed(tied)} cannot be told apart from it by that" if tied else ""
    return plain(f"the least {name} of those that rank: {cheapest}, {choice.value(figure)}{unlike}")


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
            (
                f"{cost_table.mark(place)}: {one.candidate.name}",
                *(cost_table.cell(name, one.figures.get(name)) for name in names),
            )
            for place, one in enumerate(shown, 1)
        )
        lines = tuple(cost_lines(decided, everything=everything))
        found.append(Beside(cost_table.sentence(shown[0].need), ("candidate", *names), rows, lines))
    return found
