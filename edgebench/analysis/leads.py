"""How far the best is ahead of the next that is told apart from it, as a ratio."""

from __future__ import annotations

from typing import NamedTuple

from edgebench.analysis.compare import METRICS, Summary, summaries
from edgebench.analysis.figure import Figure
from edgebench.analysis.standings import Answer


class Lead(NamedTuple):
    """One figure over another, with the 95 % interval that `compare` has for them."""

    ratio: float
    low: float | None = None
    """None where `compare` tells no interval: prices, costs, what it does not compare."""
    high: float | None = None

    def inverse(self) -> Lead:
        """The other figure over the one."""
        low, high = (None if end is None else 1 / end for end in (self.high, self.low))
        return Lead(1 / self.ratio, low, high)


def of(answer: Answer) -> tuple[str, Lead] | None:
    """The next one by name, and the best one's figure over its; None where there is no next.

    The next one is the best of rank 2: whoever shares rank 1 is not told apart from the best.
    """
    second = next((one for one in answer.ranked if one.rank == 2), None)  # noqa: PLR2004 - its rank
    if second is None or second.figure is None or (best := answer.ranked[0].figure) is None:
        return None
    found = between(best, second.figure, answer.objective.name)
    return None if found is None else (second.candidate.name, found)


def between(one: Figure, other: Figure, name: str) -> Lead | None:
    """One figure over another of the same name; None where one of them is not above 0."""
    if one.value <= 0 or other.value <= 0:
        return None
    ratio = one.value / other.value
    if name not in METRICS:
        return Lead(ratio)
    known = summaries(Summary(*other[:4]), Summary(*one[:4]), name)
    return Lead(ratio, known.low, known.high)
