"""Rows as CSV: one header, every column, empty where not measured."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO

from edgebench.report.column import Column
from edgebench.report.columns import COLUMNS
from edgebench.report.rows import Row, Value

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(
    rows: Iterable[Row],
    file: TextIO,
    columns: Sequence[str] = (),
    added: Sequence[Column] = (),
) -> None:
    """Write rows as CSV (RFC 4180) with the given columns, or all and those added."""
    names = list(columns) or [column.name for column in (*COLUMNS, *added)]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.9g}"
    # A spreadsheet runs text that begins like a formula; a leading quote makes it inert (OWASP,
    # "CSV injection").
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value)
