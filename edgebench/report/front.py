"""A Pareto front for people and programs: its members, who beats the others, who has no place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.pareto import Dominated, Front
from edgebench.analysis.recommend import Objective
from edgebench.report import choice
from edgebench.report.rows import Row, Value
from edgebench.report.table import clean

if TYPE_CHECKING:
    from rich.table import Table

MEMBER, DOMINATED, LEFT_OUT = "member", "dominated", "left out"
TELLS = ("device", "device_setup", "backend", "precision", "accelerator", "threads", "options")
"""Columns that tell what a candidate is."""
_FEW = 5


def sentence(front: Front) -> str:
    """What the front is of: ``mnist_cnn: front of latency_p50_ms (less) and ...``."""
    wanted = " and ".join(map(_wanted, front.objectives))
    counts = f"{len(front.members)} of {_all(front)} candidates"
    return clean(f"{front.question}: front of {wanted}: {counts}")


def _all(front: Front) -> int:
    return len(front.members) + len(front.dominated) + len(front.left_out)


def _wanted(one: Objective) -> str:
    return f"{one.name} ({'more' if one.more_is_better else 'less'})"


def table(front: Front) -> Table:
    """The members as a rich table of 80 columns, the best by the first objective first."""
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column("on the front", overflow="fold")
    for one in front.objectives:
        grid.add_column(choice.heading(one.name), justify="right", overflow="fold")
    for member in front.members:
        figures = (choice.short(one.name, member.figure(one.name)) for one in front.objectives)
        grid.add_row(*(Text(clean(cell)) for cell in (member.name, *figures)))
    return grid


def lines(front: Front, *, everything: bool = False) -> list[str]:
    """Who may be on the front by noise, who is not on it and why; of many the first, a count."""
    groups: dict[str, list[str]] = {}
    for name, other in front.close.items():
        groups.setdefault(f"on it, but not told apart from {other} as better", []).append(name)
    for beaten in front.dominated:
        groups.setdefault(_beaten(beaten), []).append(beaten.candidate.name)
    for out in front.left_out:
        groups.setdefault(f"left out, {'; '.join(out.reasons)}", []).append(out.candidate.name)
    found = [f"{why}: {_listed(names, everything=everything)}" for why, names in groups.items()]
    return [clean(line) for line in found]


def _beaten(one: Dominated) -> str:
    if one.sure:
        return f"beaten by {one.by}"
    return f"beaten by {one.by} as it seems, but not told apart from the front"


def _listed(names: Sequence[str], *, everything: bool) -> str:
    shown = names if everything else names[:_FEW]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def columns(fronts: Sequence[Front]) -> tuple[str, ...]:
    """Of `rows`: what tells a candidate, where it is, each objective with the ends."""
    names = dict.fromkeys(one.name for front in fronts for one in front.objectives)
    wide = tuple(part for name in names for part in (name, *ends(name)))
    return (
        "question",
        "candidate",
        *TELLS,
        "place",
        "beaten_by",
        "sure",
        "close_to",
        *wide,
        "reasons",
    )


def ends(name: str) -> tuple[str, str]:
    """``latency_p50_lo_ms`` and ``latency_p50_hi_ms``, as columns are called."""
    stem, _, unit = name.rpartition("_")
    return f"{stem}_lo_{unit}", f"{stem}_hi_{unit}"


def rows(fronts: Sequence[Front]) -> list[Row]:
    """One row a candidate: the members first, then the beaten, then those left out."""
    found = []
    for front in fronts:
        for one in front.members:
            close: Row = {"close_to": front.close.get(one.name)}
            found.append(_row(front, one, MEMBER) | close)
        for beaten in front.dominated:
            told: Row = {"beaten_by": beaten.by, "sure": beaten.sure}
            found.append(_row(front, beaten.candidate, DOMINATED) | told)
        for out in front.left_out:
            reasons: Row = {"reasons": "; ".join(out.reasons)}
            found.append(_row(front, out.candidate, LEFT_OUT) | reasons)
    return found


def _row(front: Front, candidate: Candidate, place: str) -> Row:
    row: Row = dict.fromkeys(columns((front,)))
    row |= {"question": front.question, "candidate": candidate.name, "place": place}
    row |= {name: plain_value(candidate.row.get(name)) for name in TELLS}
    for one in front.objectives:
        row |= cells(one.name, candidate.figure(one.name))
    return row


def cells(name: str, figure: Figure | None) -> Row:
    """A figure and its ends as cells; None where there are none."""
    low, high = ends(name)
    if figure is None:
        return dict.fromkeys((name, low, high))
    return {name: finite(figure.value), low: finite(figure.low), high: finite(figure.high)}


def finite(value: float | None) -> float | None:
    """JSON has no infinity; what is no number was not measured."""
    return value if value is not None and math.isfinite(value) else None


def plain_value(value: object) -> Value:
    """As a cell of a table."""
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def to_json(front: Front) -> dict[str, object]:
    """The front as `json.dumps` takes it."""
    return {
        "question": front.question,
        "objectives": [one._asdict() for one in front.objectives],
        "members": [one.name for one in front.members],
        "close": dict(front.close),
        "dominated": [
            {"candidate": one.candidate.name, "by": one.by, "sure": one.sure}
            for one in front.dominated
        ],
        "left_out": [
            {"candidate": one.candidate.name, "reasons": list(one.reasons)}
            for one in front.left_out
        ],
    }
