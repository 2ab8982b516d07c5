"""Two sets of rows against each other: one row a pair and metric, a table of them, its notes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from edgebench.analysis import limits, pairing
from edgebench.analysis.compare import (
    CANNOT_TELL,
    DEFAULT_METRIC,
    METRICS,
    NOT_COMPARABLE,
    Comparison,
    Summary,
    common_factor,
    judged_together,
    summaries,
)
from edgebench.analysis.limits import Limit
from edgebench.analysis.pairing import Cells
from edgebench.report.labels import labels
from edgebench.report.rows import Row, Value
from edgebench.report.table import clean
from edgebench.stats import CONFIDENCE

if TYPE_CHECKING:
    from rich.table import Table

_SHARED = ("workload", "backend", "precision", "accelerator", "threads", "batch")
_SIDES = ("device", "device_id", "run_id", "case_id", "launches")
COLUMNS = (
    "metric",
    "case",
    *_SHARED,
    *(f"{name}_{side}" for name in _SIDES for side in "ab"),
    "value_a",
    "value_b",
    "ratio",
    "ratio_lo",
    "ratio_hi",
    "p_value",
    "p_holm",
    "verdict",
    "reason",
    "changed",
)
"""Of a comparison's row; ratio is B / A, its interval holds 95 %, p_holm is over the table."""
_NAMED = 3


class Break(NamedTuple):
    """A limit that is surely broken."""

    limit: Limit
    row: Row
    low: float
    high: float
    """The ratio's interval at the confidence at which it was judged."""


class Compared(NamedTuple):
    """The outcome of a comparison."""

    rows: list[Row]
    breaks: list[Break]


def of_rows(
    a: Sequence[Cells],
    b: Sequence[Cells],
    metrics: Sequence[str] = (DEFAULT_METRIC,),
    checked: Sequence[Limit] = (),
) -> Compared:
    """Compare rows of A with rows of B.

    Args:
        a: Rows of A, at most one for each device_id and case_id.
        b: The same of B.
        metrics: Keys of `METRICS`; those of the limits come on top.
        checked: Limits; Holm's adjustment is over all of them and all cells.
    """
    wanted = tuple(dict.fromkeys([*metrics, *(limit.metric for limit in checked)]))
    matched = pairing.pair(a, b)
    shown: list[tuple[Cells | None, Cells | None]] = [*matched.pairs]
    shown += [(row, None) for row in matched.only_a] + [(None, row) for row in matched.only_b]
    names = _names([one or other or {} for one, other in shown])
    found: list[Row] = []
    judged: list[tuple[Limit, Comparison, Row]] = []
    for metric in wanted:
        raw = [compared(ours, theirs, metric) for ours, theirs in shown]
        for (ours, theirs), name, (one, p_holm) in zip(
            shown, names, judged_together(raw, metric), strict=True
        ):
            row = _row(ours, theirs, metric, one) | {"case": name, "p_holm": p_holm}
            found.append(row)
            judged += [(limit, one, row) for limit in checked if limit.metric == metric]
    return Compared(found, _breaks(judged))


def _names(rows: Sequence[Cells]) -> list[str]:
    return [f"{row.get('workload')}/{name}" for row, name in zip(rows, labels(rows), strict=True)]


def compared(a: Cells | None, b: Cells | None, metric: str) -> Comparison:
    """B against A in one figure, or why they are not held against each other."""
    if a is None or b is None:
        return Comparison(verdict=NOT_COMPARABLE, reason=f"not in {'A' if a is None else 'B'}")
    if reason := pairing.obstacle(a, b) or pairing.obstacle_of(metric, a, b):
        return Comparison(verdict=NOT_COMPARABLE, reason=reason)
    return summaries(_summary(a, metric), _summary(b, metric), metric)


def _summary(row: Cells, metric: str) -> Summary:
    stem, _, unit = metric.rpartition("_")
    return Summary(
        _number(row.get(metric)),
        _number(row.get(f"{stem}_lo_{unit}")),
        _number(row.get(f"{stem}_hi_{unit}")),
        int(_number(row.get(METRICS[metric].launches)) or 0),
    )


def _number(value: object) -> float | None:
    """A finite number; None for all else (a baseline may hold anything)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def _row(a: Cells | None, b: Cells | None, metric: str, one: Comparison) -> Row:
    ours, theirs = a or {}, b or {}
    row: Row = dict.fromkeys(COLUMNS)
    row["metric"] = metric
    row |= {name: _value((a or theirs).get(name)) for name in _SHARED}
    for name in _SIDES:
        row |= {f"{name}_a": _value(ours.get(name)), f"{name}_b": _value(theirs.get(name))}
    doubts = pairing.doubts(ours, theirs) if one.verdict != NOT_COMPARABLE else ""
    return row | {
        "value_a": _number(ours.get(metric)),
        "value_b": _number(theirs.get(metric)),
        "ratio": one.ratio,
        "ratio_lo": one.low,
        "ratio_hi": one.high,
        "p_value": one.p_value,
        "verdict": one.verdict,
        "reason": "; ".join(filter(None, [one.reason, doubts])) or None,
        "changed": "; ".join(pairing.changes(ours, theirs)) or None if a and b else None,
    }


def _value(value: object) -> Value:
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _breaks(judged: Sequence[tuple[Limit, Comparison, Row]]) -> list[Break]:
    adjusted = limits.broken([(limit, one) for limit, one, _ in judged])
    found = []
    for (limit, one, row), p_holm in zip(judged, adjusted, strict=True):
        p_value = limit.p_value(one)
        if not limits.is_broken(p_holm) or p_value is None or p_holm is None:
            continue
        # Holm multiplied the p-value by the number of rivals: the interval is as much stricter.
        rivals = max(1.0, p_holm / p_value) if p_value else float(len(judged))
        low, high = one.interval(1 - (1 - CONFIDENCE) / rivals) or (math.nan, math.nan)
        found.append(Break(limit, row, low, high))
    return found


def table(rows: Sequence[Row]) -> Table:
    """A rich table of one metric's rows, for 80 columns."""
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading, right in (("case", 0), ("B / A", 1), ("95 % interval", 0), ("verdict", 0)):
        grid.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rows:
        ratio, low, high = (row[name] for name in ("ratio", "ratio_lo", "ratio_hi"))
        interval = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else "-"
        cells = (row["case"], "-" if ratio is None else f"{ratio:.3f}", interval, row["verdict"])
        grid.add_row(*(Text(clean(str(cell))) for cell in cells), style=_style(row))
    return grid


def _style(row: Row) -> str:
    metric = METRICS[str(row["metric"])]
    worse = metric.less if metric.more_is_better else metric.more
    return {worse: "red", CANNOT_TELL: "dim", NOT_COMPARABLE: "yellow"}.get(str(row["verdict"]), "")


def notes(rows: Sequence[Row]) -> list[str]:
    """What the table's words leave out, a line each; rows of one metric."""
    compared = [row for row in rows if row["ratio"] is not None]
    found = [f"{_listed(cells)}: {reason}" for reason, cells in _reasons(rows).items()]
    changed = Counter(part for row in compared for part in str(row["changed"] or "").split("; "))
    del changed[""]
    found += [f"changed: {part} ({n} of {len(compared)} cells)" for part, n in changed.items()]
    factor = common_factor([_number(row["ratio"]) for row in compared])
    if factor is not None:
        found.append(
            f"nearly all cells moved by about {factor:.2f}: look at what they share (the machine, "
            "its clock, heat, neighbours) before the code"
        )
    lost = [row for row in compared if row["verdict"] == CANNOT_TELL and _alone(row)]
    if lost:
        found.append(
            f"{_listed(lost)}: the interval alone excludes 1, among {len(compared)} cells that "
            "is to be expected by chance (Holm)"
        )
    if any(row["run_id_a"] != row["run_id_b"] for row in compared):
        found.append("A and B ran at different times: what the machine did between is in B / A")
    return [clean(line) for line in found]


def _alone(row: Row) -> bool:
    return isinstance(row["p_value"], float) and row["p_value"] < 1 - CONFIDENCE


def _reasons(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["verdict"] == NOT_COMPARABLE:
            groups.setdefault(f"not comparable: {row['reason']}", []).append(row)
        elif row["reason"] is not None:
            groups.setdefault(str(row["reason"]), []).append(row)
    return groups


def _listed(rows: Sequence[Row]) -> str:
    if len(rows) > _NAMED:
        return f"{len(rows)} cells ({rows[0]['case']} ...)"
    return ", ".join(str(row["case"]) for row in rows)
