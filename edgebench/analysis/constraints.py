"""Limits that a choice must keep: who breaks them, by how much, and whether that is sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from edgebench.analysis import missing
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.figure import Figure, stated, told
from edgebench.errors import UsageError

Sense = Literal["max", "min"]
_SHARES = ("top1_", "map50_", "miou_", "quality_", "in_time_", "parity_", "precision_", "power_")
"""Stems of ratios that are shares: never above 1; other ratios may be a little."""
_PERCENT = 100
_NO_RATIO = 2.0


class Constraint(NamedTuple):
    """``latency_p99_ms`` at most 33, or ``top1_ratio`` at least 0.7."""

    name: str
    sense: Sense
    bound: float

    @property
    def words(self) -> str:
        """As a person reads it."""
        return f"{self.name} {'<=' if self.sense == 'max' else '>='} {stated(self.bound)}"

    def beyond(self, value: float) -> float:
        """How far a value is beyond the bound, in its unit; 0 or less where it keeps it."""
        return value - self.bound if self.sense == "max" else self.bound - value


class Break(NamedTuple):
    """A constraint that a candidate does not keep."""

    constraint: Constraint
    figure: Figure | None
    """Of the unit that breaks it the most; None: not measured, which is never a pass."""
    excess: float | None
    """How far beyond the bound, above 0, in the figure's unit; None where that is not known."""
    sure: bool
    """Whether the whole interval lies beyond; a figure without a spread is taken as it is."""
    words: str
    """In one line: ``latency_p99_ms 41.2 > 33 by 8.2 (25%)``."""
    unit: str = ""
    """The unit that it is of, where the candidate has several."""
    needed: float | None = None
    """The bound that it would keep; None where that is not known."""

    @property
    def excess_ratio(self) -> float | None:
        """The excess over the bound; None where that has no size."""
        bound = abs(self.constraint.bound)
        return self.excess / bound if self.excess is not None and bound else None


def parse(words: str, sense: Sense) -> Constraint:
    """A constraint from ``latency_p99_ms=33``.

    Raises:
        UsageError: It is none, or its bound is a percentage where a ratio is meant.
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
    found = Constraint(name.strip(), sense, bound)
    _check_ratio(found)
    return found


def _check_ratio(limit: Constraint) -> None:
    name, sense, bound = limit
    if not name.endswith("_ratio"):
        return
    share = name.startswith(_SHARES)
    loss = "_loss_" in name
    too_much = bound >= 1 if loss else bound > 1 if share else bound >= _NO_RATIO
    if too_much:
        whole = "so much is all of it" if loss else "1 is all of it"
        raise UsageError(
            f"--{sense} {name}={stated(bound)}: a ratio, {whole}",
            remedy=f"did you mean {stated(bound / _PERCENT)}?",
        )


def together(limits: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """Limits in their order, each once.

    Raises:
        UsageError: Two of them contradict each other, or say the same thing twice and unlike.
    """
    found: dict[tuple[str, Sense], Constraint] = {}
    for limit in limits:
        _check_ratio(limit)
        known = found.setdefault((limit.name, limit.sense), limit)
        if known != limit:
            raise UsageError(
                f"two limits of one figure: {known.words} and {limit.words}", remedy="name one"
            )
    for most in found.values():
        least = found.get((most.name, "min"))
        if most.sense == "max" and least is not None and least.bound > most.bound:
            raise UsageError(
                f"nothing can keep {most.words} and {least.words}",
                remedy="--max is the most, --min the least",
            )
    return tuple(found.values())


def judge(candidate: Candidate, constraint: Constraint, *, sure: bool = False) -> Break | None:
    """How a candidate breaks a constraint; None where every unit of it keeps it.

    Args:
        candidate: Its units are judged one by one: where a mean keeps a limit, a unit may not.
        constraint: Equality keeps it; what is not measured does not.
        sure: The whole interval must keep it, and a figure without an interval does not.
    """
    found = []
    for row, (unit, figure) in zip(
        candidate.rows, candidate.by_unit(constraint.name), strict=False
    ):
        named = unit if len(candidate.rows) > 1 else ""
        if figure is None:
            reason = missing.why(row, constraint.name)
            found.append(_not_measured(constraint, reason, named))
        elif constraint.beyond(figure.value) > 0:
            found.append(_beyond(constraint, figure, named, sure=sure))
        elif sure and (broken := _unsure(constraint, figure, named)):
            found.append(broken)
    if not found:
        return None
    # Not measured, then beyond, then what only its interval makes a break.
    worst = max(found, key=lambda one: (one.figure is None, _is_beyond(one), one.excess or 0.0))
    if len(found) == 1:
        return worst
    needed = [one.needed for one in found if one.needed is not None]
    if worst.needed is not None:
        all_keep = max(needed, key=constraint.beyond) if len(needed) == len(found) else None
        worst = worst._replace(needed=all_keep)
    return worst._replace(words=f"{worst.words}; {len(found)} of {len(candidate.rows)} units")


def _is_beyond(broken: Break) -> bool:
    return broken.figure is not None and broken.constraint.beyond(broken.figure.value) > 0


def note(candidate: Candidate, constraint: Constraint) -> str:
    """What to know of a limit that is kept: its interval reaches beyond it; or empty."""
    for unit, figure in candidate.by_unit(constraint.name):
        end = None if figure is None else _far_end(constraint, figure)
        if end is not None and constraint.beyond(end) > 0:
            whose = f" on {unit}" if len(candidate.rows) > 1 and unit else ""
            return f"{constraint.words} is not sure{whose}: its interval reaches {told(end)}"
    return ""


def _far_end(constraint: Constraint, figure: Figure) -> float | None:
    """The end of its interval that is nearer to breaking a limit; None where it has none."""
    if figure.exact:
        return figure.value
    return figure.high if constraint.sense == "max" else figure.low


def _not_measured(constraint: Constraint, reason: str, unit: str) -> Break:
    whose = f" on {unit}" if unit else ""
    because = f" ({reason})" if reason else ""
    words = f"{constraint.words}: {constraint.name} was not measured{whose}{because}"
    return Break(constraint, None, None, sure=False, words=words, unit=unit)


def _beyond(constraint: Constraint, figure: Figure, unit: str, *, sure: bool) -> Break:
    excess = constraint.beyond(figure.value)
    near = figure.low if constraint.sense == "max" else figure.high
    is_sure = constraint.beyond(figure.value if near is None else near) > 0
    far = _far_end(constraint, figure)
    needed = far if sure and far is not None else figure.value
    words = f"{constraint.name} {_sides(constraint, figure)} by {told(excess)}"
    words += _percent(excess, constraint.bound) + (f" on {unit}" if unit else "")
    doubt = "" if is_sure else ", within its interval"
    return Break(constraint, figure, excess, is_sure, f"{words}{doubt}", unit, needed)


def _unsure(constraint: Constraint, figure: Figure, unit: str) -> Break | None:
    """A break of a limit that is kept, but not by the whole interval; None where it is by all."""
    whose = f" on {unit}" if unit else ""
    end = _far_end(constraint, figure)
    if end is None:
        words = f"{constraint.words}: {constraint.name} {told(figure.value)}{whose} has no interval"
        return Break(constraint, figure, None, sure=False, words=words, unit=unit)
    excess = constraint.beyond(end)
    if excess <= 0:
        return None
    words = f"{constraint.words} is not sure: {constraint.name} {told(figure.value)}{whose}, "
    words += f"its interval reaches {told(end)}"
    return Break(constraint, figure, excess, sure=False, words=words, unit=unit, needed=end)


def _sides(constraint: Constraint, figure: Figure) -> str:
    """``41.2 > 33``, with as many digits as it takes to tell them apart."""
    than = ">" if constraint.sense == "max" else "<"
    shown, bound = told(figure.value), stated(constraint.bound)
    whole = figure.exact or constraint.beyond(float(shown)) <= 0
    return f"{stated(figure.value) if whole else shown} {than} {bound}"


def _percent(excess: float, bound: float) -> str:
    if not bound:
        return ""
    share = _PERCENT * excess / abs(bound)
    return f" ({share:.0f}%)" if share >= 1 else f" ({share:.1g}%)"
