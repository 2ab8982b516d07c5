"""Limits that a choice must keep: who breaks them, by how much, and whether that is sure."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from edgebench.analysis.candidates import Candidate, Figure
from edgebench.errors import UsageError

Sense = Literal["max", "min"]


class Constraint(NamedTuple):
    """``latency_p99_ms`` at most 33, or ``top1_ratio`` at least 0.7."""

    name: str
    sense: Sense
    bound: float

    @property
    def words(self) -> str:
        """As a person reads it."""
        return f"{self.name} {'<=' if self.sense == 'max' else '>='} {self.bound:g}"


class Break(NamedTuple):
    """A constraint that a candidate does not keep."""

    constraint: Constraint
    figure: Figure | None
    """None: not measured, which is never a pass."""
    excess: float | None
    """How far beyond the bound, above 0, in the figure's unit."""
    sure: bool
    """Whether the whole interval lies beyond; a figure without a spread is taken as it is."""
    words: str
    """In one line: ``latency_p99_ms 41.2 > 33 by 8.2 (25 %)``."""


def parse(words: str, sense: Sense) -> Constraint:
    """A constraint from ``latency_p99_ms=33``.

    Raises:
        UsageError: It is none.
    """
    name, equals, number = words.strip().partition("=")
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not equals or not name.strip() or not math.isfinite(bound):
        raise UsageError(
            f"{words!r} is no limit", remedy=f"write it like --{sense} latency_p99_ms=33"
        )
    return Constraint(name.strip(), sense, bound)


def judge(candidate: Candidate, constraint: Constraint) -> Break | None:
    """How a candidate breaks a constraint; None where its figure keeps it."""
    figure = candidate.figure(constraint.name)
    if figure is None:
        words = f"{constraint.words}: {constraint.name} was not measured"
        return Break(constraint, None, None, sure=False, words=words)
    sign = 1 if constraint.sense == "max" else -1
    excess = sign * (figure.value - constraint.bound)
    if not excess > 0 and not math.isnan(excess):
        return None
    nearest = figure.low if constraint.sense == "max" else figure.high
    sure = sign * ((figure.value if nearest is None else nearest) - constraint.bound) > 0
    than = ">" if sign > 0 else "<"
    share = f" ({excess / abs(constraint.bound):.0%})" if constraint.bound else ""
    words = f"{constraint.name} {figure.value:.4g} {than} {constraint.bound:g} by {excess:.3g}"
    return Break(constraint, figure, excess, sure, f"{words}{share}")
