"""Rows as CSV: one header, every column, empty where not measured.

A stranger's text is changed where a spreadsheet would run it or a terminal obey it; `--json` and
`edgebench.load` give it as it was stored.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TextIO

from edgebench.report.column import Column
from edgebench.report.columns import COLUMNS
from edgebench.report.rows import Row, Value
from edgebench.report.table import clean

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What a formula begins with; a spreadsheet set to Chinese or Japanese takes the wide forms too."""


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


def encoded(
    rows: Iterable[Row], columns: Sequence[str] = (), added: Sequence[Column] = ()
) -> bytes:
    """The whole of a file: one that is written as it is made would be cut where the disk ends."""
    text = io.StringIO(newline="")
    write(rows, text, columns, added)
    return text.getvalue().encode()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.9g}"
    if not isinstance(value, str):
        return str(value)
    # A spreadsheet runs text that begins like a formula, white space before it or not; a leading
    # quote makes it inert (OWASP, "CSV injection").
    text = clean(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
