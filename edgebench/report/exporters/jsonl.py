"""JSON Lines: a row a line, for jq, DuckDB, pandas and log collectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgebench.protocols import Exported, Stored
from edgebench.report.columns import COLUMNS
from edgebench.report.exporters import plain


class JsonLines:
    """A row a line, every column in each.

    A reader that looks at the first line knows them all. What was not measured is null, never left
    out, NaN or 0.
    """

    name = "jsonl"
    suffix = ".jsonl"

    def write(
        self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], stored: Stored
    ) -> Exported:
        """A line a row, keys in the order of the columns; figures read back as they are."""
        del stored
        names = tuple(columns) or tuple(column.name for column in COLUMNS)
        lines = (plain.dumps({name: plain.finite(row.get(name)) for name in names}) for row in rows)
        return Exported(data="".join(f"{line}\n" for line in lines).encode())
