"""The history of cases as text, as JSON and as a frame: a line a run, and one where it changed."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgebench.analysis import history
from edgebench.analysis.compare import DEFAULT_METRIC
from edgebench.analysis.history import Change, History, Point
from edgebench.errors import UsageError
from edgebench.report.columns import BY_NAME
from edgebench.report.figures import Row, plus_minus
from edgebench.report.table import clean, number
from edgebench.stats import Interval

if TYPE_CHECKING:
    import pandas as pd

FRAME = (
    *("device", "device_id", "preset", "case", "case_id", "metric", "run_id", "started_at_utc"),
    *("value", "value_lo", "value_hi", "launches", "validity", "absent", "level"),
    *("ratio", "ratio_lo", "ratio_hi", "p_value", "verdict", "changed"),
)
"""Columns of `frame`; from ratio on only where the level changed."""
_SAME = ("device", "device_id", "preset")
_WIDTH = 80
_CHART = 24
_FLAT_RATIO = 1.1
"""The chart spans at least this, so that noise alone does not look like a landscape."""
_SECONDS = len("2026-01-01T00:00")
"""A run's begin is shown without them."""


def check_metric(name: str) -> None:
    """Refuse what is no figure.

    Raises:
        UsageError: No column with numbers has this name.
    """
    column = BY_NAME.get(name)
    if column is None or column.kind not in {"float", "int"}:
        raise UsageError(
            f"there is no figure {clean(name)!r}", remedy="edgebench report --list-columns"
        )


def frame(found: pd.DataFrame, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
    """Every run of every case on every unit of a device, and where its level changed.

    Args:
        found: A frame of `edgebench.load`, or rows of one.
        metric: A column with numbers, ``latency_p50_ms``.

    Returns:
        One row a run, the oldest of a case first, with the columns of
        `edgebench.report.history.FRAME`: ``value`` with its 95 % interval in the unit of the
        metric, ``absent`` says why there is none; ``level`` counts from 0 and grows where a run
        began a new one; there ``ratio`` is the new level over the old one with its 95 % interval,
        and ``changed`` what else was not the same.

    Raises:
        UsageError: There is no such metric, or the frame lacks a column of `load`.
    """
    import pandas as pd  # noqa: PLC0415 - `edgebench history` does without

    from edgebench.report.frame import records  # noqa: PLC0415 - as above

    check_metric(metric)
    told = history.of_rows(records(found), metric)
    return pd.DataFrame([row for one in told for row in rows(one)], columns=list(FRAME))


def rows(one: History) -> list[Row]:
    """A row a run with the keys of `FRAME`."""
    found = []
    changes = {change.after: change for change in one.changes}
    for place, point in enumerate(one.points):
        row: Row = dict.fromkeys(FRAME)
        row |= {name: _text(point.row, name) for name in (*_SAME, "case_id", "run_id")}
        row |= {name: _text(point.row, name) for name in ("started_at_utc", "validity")}
        row |= {"case": history.labelled(point.row), "metric": one.metric}
        row |= {"level": sum(first <= place for first in changes), "absent": point.absent or None}
        if (figure := point.figure) is not None:
            row |= {"value": figure.value, "value_lo": figure.low, "value_hi": figure.high}
            row["launches"] = figure.launches
        found.append(row | (_changed(changes[place]) if place in changes else {}))
    return found


def _text(row: Mapping[str, object], name: str) -> str | None:
    return None if row.get(name) is None else str(row[name])


def _changed(change: Change) -> Row:
    return {
        "ratio": change.ratio,
        "ratio_lo": change.low,
        "ratio_hi": change.high,
        "p_value": change.p_value,
        "verdict": change.verdict,
        "changed": "; ".join(change.changed) or None,
    }


def lines(one: History) -> list[str]:
    """A case's history for a terminal of 80 columns: a line a run, and one at each change."""
    measured = [point.figure.value for point in one.points if point.figure is not None]
    changes = {change.after: change for change in one.changes}
    found = [clean(line) for line in _wrapped(heading(one), "")]
    for place, point in enumerate(one.points):
        if place in changes:
            found += [clean(line) for line in _wrapped(words(changes[place]), "  -> ")]
        found.append(clean(_run(point, measured))[:_WIDTH].rstrip())
    return found


def heading(one: History) -> str:
    """Which unit and case, and of how many runs."""
    row, runs = one.row, len(one.points)
    case = history.labelled(row)
    many = f"{runs} run{'s' if runs != 1 else ''}"
    return f"{row.get('device_id')}: {case} ({row.get('preset')}), {one.metric}, {many}"


def words(change: Change) -> str:
    """``slower by 9.8 % (8.9 to 10.7 %), with backend_version 1.17 -> 1.18``."""
    by, low, high = (100 * (ratio - 1) for ratio in (change.ratio, change.low, change.high))
    what = "; ".join(change.changed)
    why = f"with {what}" if what else "nothing else is known to have changed"
    return f"{change.verdict}: {by:+.1f} % ({low:+.1f} to {high:+.1f} %), {why}"


def _wrapped(text: str, first: str) -> list[str]:
    plain = " ".join(clean(text).split())
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=" " * (len(first) + 2 * (not first)),
        break_on_hyphens=False,
    )


def _run(point: Point, measured: Sequence[float]) -> str:
    begun = _text(point.row, "started_at_utc") or "-"  # another tool's file may not tell
    day = begun[:_SECONDS].replace("T", " ").ljust(_SECONDS)
    if point.figure is None:
        return f"  {day}  {'-':>8}  {point.absent}"
    value, low, high = point.figure[:3]
    half = (
        "" if low is None or high is None else plus_minus(Interval(value, low, high), tenths=True)
    )
    doubt = "  suspect" if point.row.get("validity") == "suspect" else ""
    return f"  {day}  {number(value):>8} {half:6}  |{_chart(value, measured)}|{doubt}"


def _chart(value: float, measured: Sequence[float]) -> str:
    """Where it lies between the smallest and the largest, on a scale of ratios."""
    low, high = math.log(min(measured)), math.log(max(measured))
    missing = max(0.0, math.log(_FLAT_RATIO) - (high - low)) / 2
    low, high = low - missing, high + missing
    place = round((math.log(value) - low) / (high - low) * (_CHART - 1))
    return " " * place + "o" + " " * (_CHART - 1 - place)
