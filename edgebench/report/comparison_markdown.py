"""A comparison as Markdown: what a CI job posts to a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edgebench.analysis.compare import CANNOT_TELL, NOT_COMPARABLE, SAME
from edgebench.analysis.limits import Limit
from edgebench.report import comparison
from edgebench.report.comparison import Compared
from edgebench.report.markdown import code, folded, grid, join
from edgebench.report.rows import Row, Value
from edgebench.report.table import number

_PLAIN = frozenset({SAME, CANNOT_TELL, NOT_COMPARABLE})
_HEADINGS = ("case", "A", "B", "B / A", "95 % interval", "verdict")
_FIGURES = (1, 2, 3)


def build(found: Compared, checked: Sequence[Limit]) -> str:
    """What changed, in one glance; then a table a metric, and what it leaves out behind a fold."""
    metrics = dict.fromkeys(str(row["metric"]) for row in found.rows)
    parts = [_limits(found, checked)]
    for metric in metrics:
        mine = [row for row in found.rows if row["metric"] == metric]
        often = Counter(str(row["verdict"]) for row in mine)
        words = ", ".join(f"{n} {verdict}" for verdict, n in often.items())
        parts += [f"{code(metric)}: {words}", grid(_HEADINGS, map(_line, mine), _FIGURES)]
        parts.append(folded("Notes", [code(note) for note in comparison.notes(mine)]))
    return join(*parts)


def _limits(found: Compared, checked: Sequence[Limit]) -> str:
    lines = [
        f"**Limit broken**: {code(one.row['case'])}: {code(one.limit.words)}: B / A is "
        f"{one.row['ratio']:.3f}, surely within {one.low:.3f} to {one.high:.3f}"
        for one in found.breaks
    ]
    return "\n\n".join(lines) or ("No limit is surely broken." if checked else "")


def _line(row: Row) -> tuple[str, ...]:
    low, high, verdict = row["ratio_lo"], row["ratio_hi"], str(row["verdict"])
    interval = f"{low:.3f} to {high:.3f}" if low is not None and high is not None else "-"
    return (
        code(row["case"]),
        number(row["value_a"]),
        number(row["value_b"]),
        _ratio(row["ratio"]),
        interval,
        verdict if verdict in _PLAIN else f"**{verdict}**",
    )


def _ratio(value: Value) -> str:
    return "-" if value is None else f"{value:.3f}"
