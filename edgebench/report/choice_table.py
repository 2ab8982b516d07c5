"""A recommendation in the terminal: the answer first, a table, why the others fell out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgebench.analysis.recommend import Answer, Standing
from edgebench.errors import plain
from edgebench.report import choice, choice_best, choice_more, cost_table, front
from edgebench.report.choosing import Decided

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

WIDTH = 80
_ROOM = 4
"""Figures that fit beside a name with their intervals."""


def parts(decided: Sequence[Decided], *, everything: bool = False) -> list[RenderableType]:
    """What a rich console prints of some decisions, in order.

    Args:
        decided: One a question.
        everything: All candidates, instead of the best, the nearest and a count of the others.
    """
    from rich.text import Text  # noqa: PLC0415 - rich only where it draws

    found: list[RenderableType] = []
    for one in decided:
        found += [*_answer(one.answer, everything=everything)]
        found += [*_beside(one, everything=everything), Text()]
    found += map(_line, choice.serving_lines([one.answer for one in decided]))
    return found if len(decided) > 1 else found[:-1]


def text(decided: Sequence[Decided], *, everything: bool = False, width: int = WIDTH) -> str:
    """The same as plain text, ``width`` columns wide."""
    from rich.console import Console  # noqa: PLC0415 - rich only where it draws

    stream = io.StringIO()
    # Within a notebook's kernel rich would write to the page instead.
    console = Console(
        file=stream, width=width, highlight=False, color_system=None, force_jupyter=False
    )
    for part in parts(decided, everything=everything):
        console.print(part)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _beside(decided: Decided, *, everything: bool) -> list[RenderableType]:
    """The front and the costs, those that were asked for."""
    from rich.text import Text  # noqa: PLC0415 - rich only where it draws

    found: list[RenderableType] = []
    if (made := decided.front) is not None:
        found += [Text(), _line(front.sentence(made)), Text()]
        found += [front.table(made)] if made.members else []
        found += map(_item, front.lines(made, everything=everything))
    if shown := choice_more.costs(decided, everything=everything):
        found += [Text(), _line(cost_table.sentence(shown[0].need)), Text()]
        found += [cost_table.table(shown)]
        found += map(_item, choice_more.cost_lines(decided, everything=everything))
    return found


def _answer(answer: Answer, *, everything: bool) -> list[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - rich only where it draws

    found: list[RenderableType] = [Text(plain(answer.question), style="bold")]
    found.append(_line(choice.sentence(answer)))
    found += [_item(line) for line in choice.second_lines(answer)]
    shown = answer.ranked if everything else answer.ranked[: choice.BEST]
    if shown:
        told = choice.notes(shown)
        found += [Text(), table(answer, shown, told)]
        if more := len(answer.ranked) - len(shown):
            found.append(_line(f"and {more} more that rank (--all shows them)"))
        found += [_item(line, mark) for mark, line in told.lines]
        found += [_item(line) for line in choice_best.order(answer, shown)]
    found += _section(_why(answer), choice.rejected_lines(answer, everything=everything))
    return found + _section("what would have to change", answer.changes)


def _why(answer: Answer) -> str:
    many = len(answer.rejected)
    whom = "the other one" if many == 1 else f"the other {many}"
    return f"why {whom if answer.ranked else f'all {many}'} fell out"


def _section(heading: str, lines: Sequence[str]) -> list[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - rich only where it draws

    if not lines:
        return []
    return [Text(), Text(heading), *(_item(line) for line in lines)]


def _line(words: str) -> RenderableType:
    from rich.text import Text  # noqa: PLC0415 - rich only where it draws

    return Text(plain(words), overflow="fold")


def _item(words: str, mark: str = "-") -> RenderableType:
    """A line of a list, which wraps under itself; a name without blanks breaks anywhere."""
    from rich.table import Table  # noqa: PLC0415 - rich only where it draws

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(_line(mark), _line(words))
    return grid


def table(answer: Answer, shown: Sequence[Standing], told: choice.Notes) -> Table:
    """The ranked candidates: the objective, figures under limits, the price, numbers of notes."""
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    names = choice.figures([answer])
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column("", justify="right")
    grid.add_column("candidate", overflow="fold")
    for name in names:
        grid.add_column(choice.heading(name), justify="right", overflow="fold")
    if told.lines:
        grid.add_column("note", justify="right", overflow="fold")
    for one in shown:
        cells = [choice.rank(one, answer), one.candidate.name]
        for place, name in enumerate(names):  # of many, only the objective has room for both
            figure = one.candidate.figure(name)
            whole = place == 0 or len(names) <= _ROOM
            cells.append(choice.short(name, figure) if whole else choice.value(figure))
        cells += [told.marks.get(one.candidate.name, "")] if told.lines else []
        grid.add_row(*(Text(plain(cell)) for cell in cells))
    return grid
