"""What a reader asks first: which cell is the fastest of each workload, if any may be called so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgebench.analysis import pairing, questions, ties
from edgebench.analysis.figure import figure_of, number
from edgebench.report.rows import Row


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What cells of a scenario are ranked by: ``{stem}_{unit}`` with its ``_lo`` and ``_hi``."""

    stem: str
    unit: str
    shown: str
    """The unit as a person reads it."""
    noun: str
    highest: bool = False
    """More is better."""


_LATENCY = Measure(stem="latency_p50", unit="ms", shown="ms", noun="median")
_THROUGHPUT = Measure(stem="throughput", unit="ips", shown="inf/s", noun="throughput", highest=True)
_RATE = Measure(
    stem="server_rate", unit="hz", shown="Hz", noun="rate within the bound", highest=True
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The fastest cell of one workload, and what limits the claim."""

    workload: str
    best: Row | None
    """The valid cell with the best figure; None where no cell is valid."""
    by: Measure = _LATENCY
    rows: tuple[Row, ...] = ()
    """All that were asked the same."""
    rivals: tuple[Row, ...] = ()
    """Valid cells that are not told apart from it, as `edgebench recommend` judges ties."""
    next: Row | None = None
    """The best valid cell that is told apart from the best."""
    unranked: tuple[Row, ...] = ()
    """Cells with figures that are suspect, invalid, incomplete or ran otherwise than asked, the
    best figure first."""


def fastest(rows: Sequence[Row]) -> list[Answer]:
    """An answer for each workload (and batch, scenario ...), in the order the rows came.

    Only cells that are ok and valid and ran as asked are ranked. A cell without an interval cannot
    be told apart from any other.
    """
    groups = questions.grouped(rows)
    names = questions.names([group[0] for group in groups])
    return [_answer(*each) for each in zip(groups, names, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Least:
    """The valid cell that takes the least of something."""

    name: str
    """The column."""
    words: str
    """What it is: ``most frugal (board_measured)``."""
    best: Row
    rivals: tuple[Row, ...] = ()
    """Those that are not told apart from it."""


def least(rows: Sequence[Row]) -> list[Least]:
    """The most frugal cells, by each way in which power was measured, and the smallest in memory.

    Args:
        rows: All that were asked the same; those that are valid and ran as asked are held against
            each other.
    """
    fit = [row for row in rows if _counts(row)]
    by_meter: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in fit:
        by_meter[str(row.get("power_tier")), str(row.get("power_excludes") or "")].append(row)
    found = [
        _least(
            "energy_gross_mj", f"most frugal ({tier}{f', without {less}' if less else ''})", some
        )
        for (tier, less), some in by_meter.items()
    ]
    found.append(_least("rss_peak_mib", "smallest in memory", fit))
    return [one for one in found if one is not None]


def _least(name: str, words: str, rows: Sequence[Row]) -> Least | None:
    known = [row for row in rows if figure_of(row, name) is not None]
    if len(known) < 2:  # noqa: PLR2004 - of one there is nothing to choose
        return None
    best, *rest = sorted(known, key=lambda row: number(row, name) or 0.0)
    rivals = tuple(row for row in rest if _alike(best, row, name))
    return Least(name=name, words=words, best=best, rivals=rivals)


def _answer(rows: Sequence[Row], name: str) -> Answer:
    by = measure(rows[0])
    timed = [row for row in rows if _figure(row, by) is not None]
    timed.sort(key=lambda row: _figure(row, by) or 0.0, reverse=by.highest)
    valid = [row for row in timed if _counts(row)]
    others = tuple(row for row in timed if row not in valid)
    if not valid:
        return Answer(workload=name, best=None, by=by, rows=tuple(rows), unranked=others)
    best, *rest = valid
    rivals = tuple(row for row in rest if _tied(best, row, by))
    after = next((row for row in rest if row not in rivals), None)
    found = Answer(workload=name, best=best, by=by, rows=tuple(rows), unranked=others)
    return replace(found, rivals=rivals, next=after)


def measure(row: Mapping[str, object]) -> Measure:
    """Where a scenario looks for the most, the best cell is not the one of the lowest latency."""
    if row.get("scenario") == "offline":
        return _THROUGHPUT
    searched = pairing.obstacle_of(f"{_LATENCY.stem}_{_LATENCY.unit}", row, {})
    return _RATE if row.get("scenario") == "server" and searched else _LATENCY


def by_latency(row: Row) -> bool:
    """Whether its latency may be held against others': not where each cell chose its own load."""
    return measure(row) is _LATENCY


def _figure(row: Row, by: Measure) -> float | None:
    value = row.get(f"{by.stem}_{by.unit}")
    return value if isinstance(value, float) else None


def _counts(row: Row) -> bool:
    return row["status"] == "ok" and row["validity"] == "valid" and not row.get("fallback")


def _tied(best: Row, other: Row, by: Measure) -> bool:
    return _alike(best, other, f"{by.stem}_{by.unit}")


def _alike(best: Row, other: Row, name: str) -> bool:
    mine, theirs = figure_of(best, name), figure_of(other, name)
    return mine is None or theirs is None or ties.tied(mine, theirs, ties.margin_ratio(name))
