"""Budgets in words: why a test failed, what it is warned of, and a table of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edgebench.analysis import limits
from edgebench.analysis.budgets import BROKEN, CANNOT_TELL, EXACT, KEPT, NOT_MEASURED, Judged
from edgebench.analysis.candidates import Cells
from edgebench.analysis.compare import DEFAULT_METRIC
from edgebench.analysis.history import labelled
from edgebench.errors import UsageError, plain
from edgebench.report import comparison
from edgebench.report.columns import BY_NAME, COLUMNS
from edgebench.report.rows import Row
from edgebench.report.table import number
from edgebench.store import baselines, merge

Line = tuple[str, str, str, str]
"""Figure, value with interval, limit, verdict."""
HEADINGS: Line = ("figure", "value (95 % interval)", "limit", "verdict")


_NAMED = 4
_COARSE = 10
"""Percent above which no tenths are told."""


def name_of(row: Cells) -> str:
    """``mnist_cnn/onnxruntime/int8``, inert."""
    return plain("/".join(str(row.get(key)) for key in ("workload", "backend", "precision")))


def only(rows: Sequence[Row], given: Mapping[str, object], path: object) -> Row:
    """The one row with these columns.

    Raises:
        UsageError: None or several have them; the message says which cells there are.
    """
    if unknown := [name for name in given if name not in BY_NAME]:
        raise UsageError(f"there is no column {unknown[0]!r}", remedy="threads=, device_id= ...")
    found = [row for row in rows if all(row[name] == value for name, value in given.items())]
    if len(found) == 1:
        return found[0]
    there = sorted({labelled(row) for row in found or rows})
    more = " ..." if len(there) > _NAMED else ""
    remedy = f"name one, by its columns: {', '.join(map(plain, there[:_NAMED]))}{more}"
    raise UsageError(f"{path} holds {len(found)} such cells", remedy=remedy)


def failure(row: Cells, judged: Sequence[Judged]) -> list[str]:
    """Two lines for each limit that is not kept; empty where all pass."""
    lines = []
    for one in judged:
        if one.verdict == BROKEN:
            lines += [f"budget broken: {name_of(row)}: {_beyond(one)}", f"  {_sure(row, one)}"]
        elif not one.passes:
            lines += [
                f"budget not judged: {name_of(row)}: {one.limit.words}",
                f"  not measured, which is never a pass: {plain(one.reason)}",
            ]
    return lines


def doubts(row: Cells, judged: Sequence[Judged]) -> list[str]:
    """A line for each limit that may be broken, and one where the cell itself is suspect."""
    together = sum(one.limit.name not in EXACT for one in judged)
    found = [
        f"{name_of(row)}: {_beyond(one)}, but {_unsure(one, together)}; "
        "measure longer (--edgebench-preset standard)"
        for one in judged
        if one.verdict == CANNOT_TELL
    ]
    return found + ([suspicion(row)] if row.get("validity") == "suspect" else [])


def suspicion(row: Cells) -> str:
    """Why a cell is suspect."""
    return f"{name_of(row)} is suspect: {plain(str(row.get('caveats')))}"


def lines(row: Cells, judged: Sequence[Judged]) -> list[Line]:
    """Of the table."""
    suspect = " (suspect)" if row.get("validity") == "suspect" else ""
    return [
        (
            one.limit.name,
            f"{_value(one)} {f'({told})' if (told := _interval(one)) else ''}".strip(),
            one.limit.words.removeprefix(f"{one.limit.name} "),
            f"{one.verdict}{suspect if one.figure else ''}",
        )
        for one in judged
    ]


def table(named: Sequence[tuple[str, Sequence[Line]]]) -> list[str]:
    """Aligned lines, the tests' names on lines of their own."""
    every = [HEADINGS, *(line for _, mine in named for line in mine)]
    widths = [max(len(line[i]) for line in every) for i in range(len(HEADINGS) - 1)]

    def aligned(line: Line) -> str:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=False))
        return f"  {'  '.join([*padded, line[-1]])}"

    found = [aligned(HEADINGS)]
    for name, mine in named:
        found += [plain(name), *map(aligned, mine)]
    return found


def _beyond(one: Judged) -> str:
    than = ">" if one.limit.sense == "max" else "<"
    bound = one.limit.bound
    share = ""
    if one.figure is not None and bound:
        percent = 100 * abs(one.figure.value - bound) / abs(bound)
        share = f" (by {percent:,.{1 if percent < _COARSE else 0}f} %)"
    return f"{one.limit.name} {_value(one)} {than} {bound:g}{share}"


def _sure(row: Cells, one: Judged) -> str:
    told = _interval(one)
    if not told:
        return "surely: it is the same in every launch"
    count = row.get("launches")
    return f"surely: all of its 95 % interval, {told}, lies beyond the limit ({count} launches)"


def _unsure(one: Judged, limits_count: int) -> str:
    told = _interval(one)
    if one.clears:
        return f"not surely: {limits_count} limits judged together ask for more than {told}"
    return f"its 95 % interval reaches back: {told} does not tell"


def _value(one: Judged) -> str:
    return "-" if one.figure is None else number(one.figure.value)


def _interval(one: Judged) -> str:
    if one.figure is None or one.figure.low is None or one.figure.high is None:
        return ""
    return f"{number(one.figure.low)} to {number(one.figure.high)}"


class Against(NamedTuple):
    """A cell's median latency against a baseline's."""

    line: Line
    doubts: tuple[str, ...] = ()
    failure: tuple[str, ...] = ()
    """Why the test fails; empty: it does not."""


def against_baseline(row: Row, baseline: str, by: str) -> Against:
    """Whether a cell is surely slower than a baseline's by more than a share.

    Args:
        row: What was measured now.
        baseline: A name of `edgebench baseline save`, or its .json file.
        by: ``5%``.

    Raises:
        EdgebenchError: There is no such baseline, or the share is none.
    """
    limit = limits.parse(f"{DEFAULT_METRIC}:+{by}")
    blank: Row = dict.fromkeys(column.name for column in COLUMNS)
    old = merge.latest([blank | one for one in baselines.read(baseline).rows])
    found = comparison.of_rows(old, [row], (DEFAULT_METRIC,), [limit])
    (mine,) = (one for one in found.rows if one["case_id_b"] is not None)
    value, low, high = mine["ratio"], mine["ratio_lo"], mine["ratio_hi"]
    name, bound = name_of(row), f"<= {limit.ratio:g} x {plain(baseline)}"

    def line(shown: str, verdict: str) -> Line:
        return (DEFAULT_METRIC, shown, bound, verdict)

    if not isinstance(value, float) or low is None or high is None:
        why = plain(f"{mine['verdict']}: {mine['reason']}")
        failed = (f"budget not judged: {name}: against {plain(baseline)}", f"  {why}")
        return Against(line("-", NOT_MEASURED), failure=failed)
    interval = f"{low:.3f} to {high:.3f}"
    shown = f"x {value:.3f} ({interval})"
    if found.breaks:
        failed = (
            f"budget broken: {name}: {value:.3f} times as long as {plain(baseline)}, {by} allowed",
            f"  surely: all of its 95 % interval, {interval}, lies beyond {limit.ratio:g}",
        )
        return Against(line(shown, BROKEN), failure=failed)
    doubts = [plain(f"{name}: changed since {baseline}: {mine['changed']}")]
    doubts = doubts if mine["changed"] else []
    doubts += [suspicion(row)] if row.get("validity") == "suspect" else []
    if value > limit.ratio:
        doubts.append(f"{name}: {shown} of {plain(baseline)}: the interval reaches back")
        return Against(line(shown, CANNOT_TELL), tuple(doubts))
    return Against(line(shown, KEPT), tuple(doubts))
