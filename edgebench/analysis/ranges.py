"""Adding and multiplying figures with their ends: the least of all together, and the most."""

from __future__ import annotations

from edgebench.analysis import apart
from edgebench.analysis.candidates import Figure


def between(low: float, value: float, high: float, source: str = "") -> Figure:
    """A figure that lies between two ends; exact where they are one."""
    if low == high:
        return Figure(value, exact=True, source=source)
    return Figure(value, low, high, source=source)


def plus(one: Figure, other: Figure) -> Figure:
    """The sum; its ends are not known where one's are not."""
    value = one.value + other.value
    a, b = apart.ends(one), apart.ends(other)
    return Figure(value) if a is None or b is None else between(a[0] + b[0], value, a[1] + b[1])


def product(one: Figure, other: Figure) -> Figure:
    """The product of two that are not below 0; its ends are not known where one's are not."""
    value = _times(one.value, other.value)
    a, b = apart.ends(one), apart.ends(other)
    if a is None or b is None:
        return Figure(value)
    return between(_times(a[0], b[0]), value, _times(a[1], b[1]))


def scaled(one: Figure, factor: float) -> Figure:
    """So many times a figure."""
    return product(one, Figure(factor, exact=True))


def _times(a: float, b: float) -> float:
    """Nothing of what has no upper bound is nothing."""
    return a * b if a and b else 0.0
