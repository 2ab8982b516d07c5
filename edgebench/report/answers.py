"""What a reader asks first: which cell is the fastest of each workload, if any may be called so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from edgebench.report.rows import Row

_SAME = ("workload", "workload_version", "batch", "streams", "scenario", "region")
"""Cells that differ in one of these answer different questions and are not ranked together."""
_SHOWN_IF_OTHER = {"batch": 1, "streams": 1, "scenario": "single_stream", "region": "invoke"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The fastest cell of one workload, and what limits the claim."""

    workload: str
    best: Row | None
    """The valid cell with the lowest median; None where no cell is valid."""
    rivals: tuple[Row, ...] = ()
    """Valid cells whose interval reaches into the best one's: not told apart from it."""
    unranked: tuple[Row, ...] = ()
    """Cells with figures that are suspect, invalid or incomplete, lowest median first."""


def fastest(rows: Sequence[Row]) -> list[Answer]:
    """An answer for each workload (and batch, scenario ...), in the order the rows came.

    Only cells that are ok and valid are ranked. A cell without an interval cannot be told apart
    from any other.
    """
    groups: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.get(name) for name in _SAME)].append(row)
    return [_answer(mine) for mine in groups.values()]


def _answer(rows: Sequence[Row]) -> Answer:
    timed = sorted((row for row in rows if _figure(row) is not None), key=_order)
    valid = [row for row in timed if row["status"] == "ok" and row["validity"] == "valid"]
    others = tuple(row for row in timed if row not in valid)
    name = _name(rows[0])
    if not valid:
        return Answer(workload=name, best=None, unranked=others)
    best, *rest = valid
    rivals = tuple(row for row in rest if _overlap(best, row))
    return Answer(workload=name, best=best, rivals=rivals, unranked=others)


def _name(row: Row) -> str:
    extra = [f"{k} {row.get(k)}" for k, usual in _SHOWN_IF_OTHER.items() if row.get(k) != usual]
    return ", ".join([str(row.get("workload")), *extra])


def _figure(row: Row, part: str = "") -> float | None:
    value = row.get(f"latency_p50{part}_ms")
    return value if isinstance(value, float) else None


def _order(row: Row) -> float:
    return _figure(row) or 0.0


def _overlap(best: Row, other: Row) -> bool:
    high, low = _figure(best, "_hi"), _figure(other, "_lo")
    return high is None or low is None or low <= high
