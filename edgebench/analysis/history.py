"""One case on one unit of a device over all its runs: where its level changed, and what with it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple

import numpy as np

from edgebench.analysis import compare, pairing
from edgebench.analysis.candidates import Cells, Figure, figure_of
from edgebench.analysis.change_points import change_points
from edgebench.analysis.compare import METRICS
from edgebench.analysis.pooled import on_scale

_ONE_CASE = (
    *("device_id", "preset", "workload", "backend", "format", "precision", "accelerator"),
    *("threads", "batch", "streams", "scenario", "parameters", "region", "image_sha256"),
    *("engine", "tuning", "options"),
)
"""What stays the same in a history; a new version of the workload or another file of the model is
what may have changed its level."""
_ALSO = (
    *("workload_version", "source_sha256", "device_setup", "validity"),
    *("fallback", "effective_precision", "imported_from"),
)
"""What is looked at beside what `compare` names, at a change."""
_OF_POWER = ("power_", "energy_")
_TIER = "power_tier"
_OTHER_PROTOCOL = "ab"
"""Turns with another case are no run of this one."""


class Point(NamedTuple):
    """A run of the case."""

    row: Cells
    figure: Figure | None
    """None: this run has none that counts."""
    absent: str = ""
    """Why it has none."""


class Change(NamedTuple):
    """A change of level between two runs."""

    before: int
    """The place of the last run of the old level among all points."""
    after: int
    """That of the first one of the new level; runs between them have no figure."""
    ratio: float
    """New level over the old one: geometric means of runs."""
    low: float
    """The ratio's 95 % interval, Welch's t over runs."""
    high: float
    p_value: float
    """How often runs without a change would look like it."""
    verdict: str
    """faster, slower ...; ``more`` or ``less`` where nobody says what is better."""
    changed: tuple[str, ...]
    """What else is not the same before and after: ``backend_version 1.17 -> 1.18``."""


@dataclass(frozen=True, kw_only=True)
class History:
    """A case on a unit, the oldest run first."""

    metric: str
    points: tuple[Point, ...]
    changes: tuple[Change, ...]

    @property
    def row(self) -> Cells:
        """The newest run's: its names hold for all."""
        return self.points[-1].row


def of_rows(rows: Iterable[Cells], metric: str) -> list[History]:
    """Histories of all cases on all units, by the names of the cases and then of the units.

    Args:
        rows: Of all runs, not only the newest ones; in any order.
        metric: A column with a number above 0.
    """
    cases: defaultdict[tuple[object, ...], list[Cells]] = defaultdict(list)
    for row in rows:
        if row.get("preset") != _OTHER_PROTOCOL:
            cases[tuple(row.get(name) for name in _ONE_CASE)].append(row)
    found = [_history(mine, metric) for mine in cases.values()]
    return sorted(found, key=lambda one: (labelled(one.row), str(one.row.get("device_id"))))


def _history(rows: Sequence[Cells], metric: str) -> History:
    ordered = sorted(rows, key=_begun)
    points = tuple(_point(row, metric) for row in ordered)
    return History(metric=metric, points=points, changes=_changes(points, metric))


def _begun(row: Cells) -> tuple[str, str]:
    """By the time as a run's id has it, ``20260122T101500Z``: an import's id has its own time."""
    run_id, told = str(row.get("run_id")), row.get("started_at_utc")
    try:
        then = datetime.fromisoformat(str(told).replace("Z", "+00:00"))
    except ValueError:  # another tool's file may not tell
        return run_id, run_id
    then = then if then.tzinfo else then.replace(tzinfo=timezone.utc)
    return f"{then.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}", run_id


def _point(row: Cells, metric: str) -> Point:
    if row.get("status") != "ok":
        return Point(row, None, f"{row.get('status')}: {row.get('reason') or 'no reason known'}")
    if row.get("validity") == "invalid":
        return Point(row, None, f"invalid: {row.get('caveats') or 'no reason known'}")
    figure = figure_of(row, metric)
    if figure is None:
        return Point(row, None, "not measured")
    if not (figure.value > 0 and math.isfinite(figure.value)):
        return Point(row, None, f"{figure.value:g} has no ratio to others")
    return Point(row, figure)


def _changes(points: Sequence[Point], metric: str) -> tuple[Change, ...]:
    places = [place for place, point in enumerate(points) if point.figure is not None]
    figures = [point.figure for point in points if point.figure is not None]
    values = [figure.value for figure in figures]
    errors = np.array([_log_error(figure) for figure in figures])
    found = change_points(np.log(values), errors)
    edges = [0, *(one.first for one in found), len(values)]
    also = (*_ALSO, _TIER) if metric.startswith(_OF_POWER) else _ALSO
    told = []
    for one, first, last in zip(found, edges[:-2], edges[2:], strict=True):
        level = compare.unpaired(values[first : one.first], values[one.first : last])
        if level.verdict == compare.SAME or None in {level.ratio, level.low, level.high}:
            continue  # sure, and of no consequence
        before, after = places[one.first - 1], places[one.first]
        change = Change(
            before,
            after,
            level.ratio or 0.0,
            level.low or 0.0,
            level.high or 0.0,
            one.p_value,
            _verdict(metric, level.ratio or 0.0),
            tuple(pairing.changes(points[before].row, points[after].row, also)),
        )
        told.append(change)
    return tuple(told)


def _log_error(figure: Figure) -> float:
    """Standard error of the figure's logarithm, by its own interval; 0 where it has none."""
    side = on_scale(figure, log=True)
    return 0.0 if side is None or side.error is None else side.error


def _verdict(metric: str, ratio: float) -> str:
    known = METRICS.get(metric)
    words = ("less", "more") if known is None else (known.less, known.more)
    return words[ratio > 1]


def labelled(row: Mapping[str, object]) -> str:
    """What a person calls a row's case, as `edgebench.records.Case.label` does."""
    counts = (("t", "threads"), ("b", "batch"), ("s", "streams"))
    extra = [f"{short}{row.get(name)}" for short, name in counts if row.get(name) not in {1, None}]
    usual = {"scenario": "single_stream", "parameters": None, "region": "invoke"}
    usual |= {"engine": "edgebench", "tuning": "native", "accelerator": "cpu", "options": None}
    told = (row.get(name) for name, value in usual.items() if row.get(name) not in {value, None})
    extra += ["/".join(str(value).split(" ")) for value in told]
    return "/".join(
        [*(str(row.get(name)) for name in ("workload", "backend", "precision")), *extra]
    )
