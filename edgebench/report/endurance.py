"""What minutes on end left of each cell's first speed, and which order they turned around."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from edgebench.report import answers
from edgebench.report.figures import Row

_TOLD = 8
"""Cells that have a line of their own."""
_APART_RATIO = 0.02
"""Medians nearer to each other than this are the same, as in a comparison."""
_FIRST, _END = "burst_p50_ms", "sustained_p50_ms"


def kept(rows: Sequence[Row], name: Callable[[Row], str]) -> list[str]:
    """What cells keep of the speed of their first minute, who keeps least first.

    Args:
        rows: Of any scenario; only cells of ``sustained`` that ran and are not invalid count.
        name: What a cell is called.

    Returns:
        A line each of 8 cells that lose 2 % or more, one for the others of those, and one for all
        that lose less.
    """
    timed = [row for row in rows if _counts(row) and _ratio(row) is not None]
    timed.sort(key=lambda row: _ratio(row) or 0.0)
    lost = [row for row in timed if (_ratio(row) or 0.0) <= 1 - _APART_RATIO]
    lines = [_kept(row, name) for row in lost[:_TOLD]]
    if further := lost[_TOLD:]:
        lines.append(f"{len(further)} more keep {_percent(further[0])} of it or more")
    if rest := timed[len(lost) :]:
        who = name(rest[0]) if len(rest) == 1 else f"{len(rest)} cells"
        one = "s its" if len(rest) == 1 else " their"
        lines.append(f"{who} keep{one} first speed (within {100 * _APART_RATIO:g} %)")
    return lines


def _kept(row: Row, name: Callable[[Row], str]) -> str:
    low, high = (row.get(f"burst_sustained_{end}_ratio") for end in ("lo", "hi"))
    known = isinstance(low, float) and isinstance(high, float)
    between = f" ({100 * float(low or 0):.1f} to {100 * float(high or 0):.1f})" if known else ""
    after_s = row.get("sustained_throttle_s")
    when = f"; slowed down from {after_s:.0f} s on" if isinstance(after_s, float) else ""
    return f"{name(row)} keeps {_percent(row)}{between} of its first minute's speed{when}"


def _ratio(row: Row) -> float | None:
    found = row.get("burst_sustained_ratio")
    return found if isinstance(found, float) else None


def _percent(row: Row) -> str:
    return f"{100 * (_ratio(row) or 0.0):.1f} %"


def overtaken(rows: Sequence[Row], name: Callable[[Row], str]) -> list[str]:
    """A line for each question whose ranking in minute 1 is not the ranking at the end.

    Who is overtaken must have been ahead by 2 % and end behind by 2 %. The line tells of the
    fastest cell of the first minute that was overtaken, and of the fastest that overtook it.

    Args:
        rows: Of any scenario; only cells of ``sustained`` that ran and are not invalid count.
        name: What a cell is called.
    """
    lines = []
    for asked in answers.fastest(rows):
        timed = [row for row in asked.rows if _counts(row)]
        timed.sort(key=lambda row: _ms(row, _FIRST))
        turned = [pair for pair in combinations(timed, 2) if _turned(*pair)]
        if turned:
            first = turned[0][0]
            passed = [late for early, late in turned if early is first]
            ahead = min(passed, key=lambda row: _ms(row, _END))
            lines.append(_line(asked.workload, (first, ahead), name))
    return lines


def _counts(row: Row) -> bool:
    known = all(isinstance(row.get(column), float) for column in (_FIRST, _END))
    return known and row.get("status") == "ok" and row.get("validity") != "invalid"


def _ms(row: Row, column: str) -> float:
    return float(row[column] or 0.0)


def _turned(early: Row, late: Row) -> bool:
    """Whether the one that was clearly ahead is clearly behind at the end."""
    was_ahead = _ms(early, _FIRST) * (1 + _APART_RATIO) < _ms(late, _FIRST)
    return was_ahead and _ms(late, _END) * (1 + _APART_RATIO) < _ms(early, _END)


def _line(question: str, pair: tuple[Row, Row], name: Callable[[Row], str]) -> str:
    first, ahead = pair
    told = "; ".join(
        f"{when}: {name(first)} {_ms(first, column):.4g} ms, {name(ahead)} {_ms(ahead, column):.4g}"
        for when, column in (("minute 1", _FIRST), ("the end", _END))
    )
    return f"{question}: the ranking of minute 1 is not the ranking at the end ({told})"
