"""The terminal table: 80 columns unless more were asked for; plain text when not on a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgebench.report.columns import BY_NAME, DEFAULT
from edgebench.report.rows import Row, Value

if TYPE_CHECKING:
    from rich.table import Table

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SIGNIFICANT = 4


def build(rows: Sequence[Row], columns: Sequence[str] = ()) -> Table:
    """A rich table of rows.

    Args:
        rows: In the order shown.
        columns: Names; the six defaults where empty.
    """
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    names = list(columns) or list(DEFAULT)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        column = BY_NAME[name]
        table.add_column(
            column.heading or name,
            justify="left" if column.kind == "str" else "right",
            overflow="fold",
        )
    for row in rows:
        # Text, not str: a name with [brackets] is no markup, one with escapes no command.
        table.add_row(*(Text(cell(name, row)) for name in names), style=_style(row))
    return table


def cell(name: str, row: Row) -> str:
    """One value as text: figures with their interval, what went wrong instead of a blank."""
    if name == "precision" and row.get("fallback") and "precision" in str(row["fallback"]):
        return f"{row['precision']} (ran {row.get('effective_precision')})"
    if name == "latency_p50_ms" and row.get("status") != "ok" and row.get(name) is None:
        return str(row.get("status"))
    text = number(row.get(name))
    if name == "latency_p50_ms" and row.get("latency_p50_lo_ms") is not None:
        text += f" {_plus_minus(row)}"
    return clean(text)


def _plus_minus(row: Row) -> str:
    low, high, middle = (row[f"latency_p50{part}_ms"] for part in ("_lo", "_hi", ""))
    if isinstance(low, float) and isinstance(high, float) and isinstance(middle, float) and middle:
        return f"±{(high - low) / 2 / middle:.0%}".rjust(5)
    return ""


def clean(text: str) -> str:
    """The text with control characters (terminal commands among them) made visible and inert."""
    return _CONTROL.sub("?", text)


def number(value: Value) -> str:
    """A value for people: four significant digits, ``-`` where not measured."""
    if value is None:
        return "-"
    if isinstance(value, float):
        # Four significant digits, never in exponent form.
        text = f"{value:.{_SIGNIFICANT}g}"
        return f"{value:,.0f}" if "e+" in text else f"{value:.6f}" if "e-" in text else text
    return str(value)


def _style(row: Row) -> str:
    if row.get("status") != "ok":
        return "red"
    return "yellow" if row.get("validity") != "valid" else ""


def notes(rows: Sequence[Row]) -> list[str]:
    """What the table cannot say in six columns: a line for each cell that is not as asked."""
    lines = []
    for row in rows:
        label = f"{row['workload']}/{row['backend']}/{row['precision']}"
        if row.get("status") != "ok":
            lines.append(f"{label}: {row['status']}: {row['reason']}")
        elif row.get("validity") != "valid":
            lines.append(f"{label}: {row['validity']}: {row['caveats']}")
    return [clean(line) for line in lines]
