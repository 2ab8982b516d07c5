"""Whether two figures of candidates can be told apart, whatever their intervals were made of."""

from __future__ import annotations

from edgebench.analysis import compare
from edgebench.analysis.candidates import Figure

APART = "apart"


def verdict(one: Figure, other: Figure) -> str:
    """`APART`, `compare.SAME` (for every purpose) or `compare.CANNOT_TELL`; symmetrical.

    Measured figures are held against each other by `compare.summaries`. An interval without
    launches behind it (an envelope, a cost) is no estimate but bounds, and so is a price: with one
    of those they are apart where the intervals share nothing.
    """
    if one.exact and other.exact:
        return compare.SAME if one.value == other.value else APART
    if min(one.launches, other.launches) > 1 and min(_least(one), _least(other)) > 0:
        left, right = (compare.Summary(f.value, f.low, f.high, f.launches) for f in (one, other))
        found = compare.summaries(left, right).verdict
        return found if found in {compare.SAME, compare.CANNOT_TELL} else APART
    a, b = ends(one), ends(other)
    if a is None or b is None or (a[0] <= b[1] and b[0] <= a[1]):
        return compare.CANNOT_TELL
    return APART


def ends(figure: Figure) -> tuple[float, float] | None:
    """Lower and upper end; of a price both are the price; None where nothing tells the spread."""
    if figure.exact:
        return figure.value, figure.value
    if figure.low is None or figure.high is None:
        return None
    return figure.low, figure.high


def _least(figure: Figure) -> float:
    return figure.value if figure.low is None else min(figure.low, figure.value)
