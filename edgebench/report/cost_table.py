"""What a need costs with each candidate, for people and programs, with all that it rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING

from edgebench.analysis import cost, draw, questions, ranges
from edgebench.analysis.candidates import Figure
from edgebench.analysis.cost import NAMES, Cost, Need
from edgebench.report import front
from edgebench.report.rows import Row
from edgebench.report.table import clean, number

if TYPE_CHECKING:
    from rich.table import Table

_TENFOLD = 9
_CAPACITY = "capacity_hz"
COLUMNS = (
    *("question", "candidate", *front.TELLS, _CAPACITY, *front.ends(_CAPACITY), "capacity_basis"),
    *(part for name in NAMES for part in (name, *front.ends(name))),
    *("cost_power_tier", "cost_power_basis", "reasons", "notes"),
)
"""Of `rows`."""


def sentence(need: Need) -> str:
    """What was asked, in a line."""
    return (
        f"{need.words} for {need.years:g} year{'s' * (need.years != 1)}, "
        f"{need.hours_per_day:g} h a day"
    )


def table(costs: Sequence[Cost]) -> Table:
    """A rich table of 80 columns, in the order given; one need, one or more candidates."""
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    priced = costs[0].need.kwh_usd is not None
    shown = [*_COMMON, *(_PRICED if priced else _UNPRICED)]
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    grid.add_column("", justify="right", no_wrap=True)  # no ranks: the notes below name them
    grid.add_column("candidate", overflow="fold", vertical="bottom")
    for heading, _, _ in shown:
        grid.add_column(heading, justify="right", no_wrap=True)
    for place, one in enumerate(costs, 1):
        words = (tell(one.figures.get(name)) for _, name, tell in shown)
        grid.add_row(*(Text(clean(cell)) for cell in (mark(place), one.candidate.name, *words)))
    return grid


def mark(place: int) -> str:
    """``a`` of the first row, ``z`` of the 26th, ``aa`` after it: no digits, which ranks are."""
    letters = ""
    while place:
        place, letter = divmod(place - 1, len(ascii_lowercase))
        letters = ascii_lowercase[letter] + letters
    return letters


def _count(figure: Figure | None) -> str:
    """``4``, or ``3-4`` where as few might do."""
    return _ranged(figure, lambda value: f"{value:.0f}")


def _watts(figure: Figure | None) -> str:
    """``23.2``; ``9-40`` of an envelope; ``>=23.2`` of a meter that does not see all."""
    if figure is not None and not figure.source.startswith(draw.ENVELOPE):
        ends = ranges.ends(figure)
        return f">={_brief(ends[0])}" if ends and math.isinf(ends[1]) else _brief(figure.value)
    return _ranged(figure, _brief)


def _share(figure: Figure | None) -> str:
    """``62%``; ``x12`` where there is room for ten times as much and more."""
    if figure is None:
        return "-"
    return f"{figure.value:.0%}" if figure.value < _TENFOLD else f"x{figure.value + 1:,.0f}"


def _small(figure: Figure | None) -> str:
    return "-" if figure is None else f"{figure.value:.3g}"


def _brief(value: float) -> str:
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _ranged(figure: Figure | None, tell: Callable[[float], str]) -> str:
    if figure is None:
        return "-"
    ends = ranges.ends(figure)
    if ends is None or tell(ends[0]) == tell(ends[1]):
        return tell(figure.value)
    return f"{tell(ends[0])}-{tell(ends[1])}"


_Tell = Callable[[Figure | None], str]
_COMMON: tuple[tuple[str, str, _Tell], ...] = (
    ("units", "cost_devices", _count),
    ("cams\neach", "cost_cameras_per_device", _count),
    ("room", "cost_headroom_ratio", _share),
    ("W", "cost_power_w", _watts),
    ("USD\nonce", "cost_purchase_usd", _watts),
)
_PRICED: tuple[tuple[str, str, _Tell], ...] = (
    ("USD\nin all", "cost_total_usd", _watts),
    ("USD per\nmillion", "cost_per_million_usd", _small),
)
_TELLS_OF = {name: tell for _, name, tell in (*_COMMON, *_PRICED)}
_UNPRICED: tuple[tuple[str, str, _Tell], ...] = (("kWh", "cost_electricity_kwh", _watts),)


def cell(name: str, figure: Figure | None) -> str:
    """A cost as the terminal's table has it, with its ends where they are told apart."""
    return _TELLS_OF.get(name, _watts)(figure)


def lines(costs: Sequence[Cost]) -> list[str]:
    """What is missing and why, and all that the figures rest on, by the marks of the rows."""
    found = []
    if known := [(place, one) for place, one in enumerate(costs, 1) if one.capacity.rate_hz]:
        each = ", ".join(f"({mark(place)}) {cost.spread(one.capacity)}" for place, one in known)
        found.append(f"frames/s that one unit does: {each}")
    told = [(place, words) for place, one in enumerate(costs, 1) for words in _told(one)]
    found += _said_once(told, len(costs))
    return [clean(line) for line in (*found, *costs[0].need.assumptions)]


def _told(one: Cost) -> Iterable[str]:
    """Why something is missing, without what the assumptions say already; then the notes."""
    reasons = dict.fromkeys(part for words in one.missing.values() for part in words.split("; "))
    return (*(words for words in reasons if words != cost.NO_TARIFF), *one.notes)


def _said_once(pairs: Iterable[tuple[int, str]], everyone: int) -> list[str]:
    """Each line with the rows that it is of before it; of all rows it is said without."""
    whose: dict[str, list[int]] = {}
    for place, words in pairs:
        whose.setdefault(words, []).append(place)
    return [
        words if len(places) == everyone else f"({_runs(places)}) {words}"
        for words, places in whose.items()
    ]


def _runs(places: Sequence[int]) -> str:
    """``a-c, e``."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], place]
        else:
            runs.append([place])
    return ", ".join("-".join(map(mark, run)) for run in runs)


def rows(costs: Iterable[Cost]) -> list[Row]:
    """One row a candidate with `COLUMNS`; None where a figure is not known, `reasons` tell why."""
    known = list(costs)
    asked = questions.names([one.candidate.row for one in known])
    return [_row(*each) for each in zip(known, asked, strict=True)]


def _row(one: Cost, question: str) -> Row:
    row: Row = dict.fromkeys(COLUMNS)
    row |= {"question": question, "candidate": one.candidate.name}
    for name in front.TELLS:
        row[name] = front.plain_value(one.candidate.row.get(name))
    row |= front.cells(_CAPACITY, one.capacity.rate_hz)
    for name in NAMES:
        row |= front.cells(name, one.figures.get(name))
    return row | {
        "capacity_basis": one.capacity.basis,
        "cost_power_tier": one.draw.tier,
        "cost_power_basis": one.draw.basis,
        "reasons": "; ".join(f"{name}: {words}" for name, words in one.missing.items()) or None,
        "notes": "; ".join((*one.need.assumptions, *one.notes)),
    }


def to_json(costs: Sequence[Cost]) -> dict[str, object]:
    """What was asked and what it costs, as `json.dumps` takes it."""
    if not costs:
        return {"need": None, "assumptions": [], "candidates": []}
    need = costs[0].need
    return {
        "need": {name: getattr(need, name) for name in need.__dataclass_fields__},
        "assumptions": list(need.assumptions),
        "candidates": [
            {
                "candidate": one.candidate.name,
                "capacity_hz": front.cells(_CAPACITY, one.capacity.rate_hz),
                "capacity_basis": one.capacity.basis,
                "power_tier": one.draw.tier,
                "power_basis": one.draw.basis,
                "figures": {
                    name: {**_plain(figure), "source": figure.source}
                    for name, figure in one.figures.items()
                },
                "missing": one.missing,
                "notes": list(one.notes),
            }
            for one in costs
        ],
    }


def _plain(figure: Figure) -> dict[str, float | None]:
    ends = ranges.ends(figure) or (None, None)
    low, high = (end if end is not None and math.isfinite(end) else None for end in ends)
    return {"value": figure.value, "low": low, "high": high}
