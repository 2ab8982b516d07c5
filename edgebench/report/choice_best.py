"""What is told beside a choice: how far it leads, what nobody measured of it, how ranks stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgebench.analysis import leads
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.figure import Cells, number, text
from edgebench.analysis.leads import Lead
from edgebench.analysis.recommend import Answer, Objective, Standing
from edgebench.errors import plain

SPEED = Objective("latency_p50_ms")
"""So many times as fast is said of it; of all others that a figure is so many times the other."""
_DIGITS = 3
_ACCURACIES = ("top1_ratio", "map50_ratio", "miou_ratio")


def lines(answer: Answer) -> list[str]:
    """What belongs to the first sentence of an answer, whoever ties with its best."""
    if not answer.ranked:
        return []
    found = leads.of(answer)
    ahead = [f"{lead(answer.objective, found[1])}, {found[0]}"] if found else []
    unknown = accuracy(answer.ranked[0].candidate)
    return [*ahead, *([unknown] if unknown else [])]


def lead(objective: Objective, found: Lead) -> str:
    """``it is 1.12 x as fast (95 %: 1.09 to 1.15) as the next in rank``; else a figure's ratio."""
    if objective == SPEED:
        ratio, within = _times(found.inverse())
        return f"it is {ratio} as fast{within} as the next in rank"
    ratio, within = _times(found)
    return f"its {objective.name} is {ratio}{within} that of the next in rank"


def _times(found: Lead) -> tuple[str, str]:
    """``1.12 x`` and ``(95 %: 1.09 to 1.15)``, which is empty where nothing tells it."""
    ratio = f"{_told(found.ratio)} x"
    if found.low is None or found.high is None:
        return ratio, ""
    return ratio, f" (95 %: {_told(found.low)} to {_told(found.high)})"


def _told(ratio: float) -> str:
    """Three significant digits with their zeros, never in exponent form."""
    rounded = float(f"{ratio:.{_DIGITS - 1}e}")
    decimals = _DIGITS - 1 - math.floor(math.log10(rounded))
    return f"{rounded:.{max(0, decimals)}f}"


def accuracy(candidate: Candidate) -> str:
    """Why nothing tells how good its answers are; empty where something does."""
    rows = candidate.rows
    if any(text(row, "weights") == "random" for row in rows):
        return "its weights are random, so its accuracy means nothing"
    if any(number(row, name) is not None for row in rows for name in _ACCURACIES):
        return ""
    if all(_imported(row) for row in rows):
        return "its accuracy is not told where it was imported from"
    return "its accuracy was not measured here"


def order(answer: Answer, shown: Sequence[Standing]) -> list[str]:
    """Why one stands above another whose figure is better, where that is so; the first of them."""
    sign, name = answer.objective.sign, answer.objective.name
    known = [(one, sign * one.figure.value) for one in shown if one.figure is not None]
    for place, (one, value) in enumerate(known):
        better = min(known[place:], key=lambda pair: pair[1])[0]
        if better is one or better.figure is None or sign * better.figure.value >= value:
            continue
        first = next(other for other, _ in known if other.rank == one.rank)
        above, below, best = (each.candidate.name for each in (one, better, first))
        words = f"{above} stands above {below}, whose {name} is better: {above} cannot be told"
        return [plain(f"{words} apart from {best}, the first of its rank, and {below} can")]
    return []


def _imported(row: Cells) -> bool:
    return bool(text(row, "imported_from"))
