"""How unlike the units of one kind of device are, and whether that is more than chance explains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edgebench.analysis import candidates, compare
from edgebench.analysis.candidates import Candidate, Cells, Figure
from edgebench.analysis.compare import METRICS, Summary
from edgebench.analysis.pooled import UnitSpread
from edgebench.stats import CONFIDENCE


class Unlike(NamedTuple):
    """One case on several units of a kind of device that could use the same of it."""

    candidate: Candidate
    """The units' rows, and their names."""
    spread: UnitSpread
    beyond: bool
    """Whether the units are surely unlike: the smallest and the largest differ by more than their
    own intervals explain, and by more than makes them the same for every purpose."""


def of_rows(rows: Iterable[Cells], metric: str) -> list[Unlike]:
    """All cases that two units of a kind or more have a figure of.

    Args:
        rows: The newest of each (device_id, case_id), `edgebench.store.merge.latest`; those that
            failed or are invalid are passed over.
        metric: A key of `edgebench.analysis.compare.METRICS`.
    """
    good = [r for r in rows if r.get("status") == "ok" and r.get("validity") != "invalid"]
    found = []
    for one in (one for group in candidates.of_rows(good) for one in group):
        spread = one.spread(metric)
        if spread is not None:
            found.append(Unlike(one, spread, _beyond(one, spread, metric)))
    return found


def _beyond(candidate: Candidate, spread: UnitSpread, metric: str) -> bool:
    """Welch's t of the two that are furthest apart, as many times as there are pairs to choose."""
    figures = dict(candidate.by_unit(metric))
    least, most = (_summary(figures[name]) for name in (spread.smallest_unit, spread.largest_unit))
    one = compare.summaries(least, most, metric if metric in METRICS else compare.DEFAULT_METRIC)
    if one.p_value is None or one.verdict == compare.SAME:
        return False
    pairs = spread.units * (spread.units - 1) / 2
    return one.p_value * pairs < 1 - CONFIDENCE


def _summary(figure: Figure | None) -> Summary:
    return Summary(None, None, None, 0) if figure is None else Summary(*figure[:4])
