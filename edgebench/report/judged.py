"""One word for how a cell came out."""

from __future__ import annotations

from collections.abc import Mapping


def verdict(row: Mapping[str, object]) -> str:
    """One word for a cell: valid, suspect or invalid where it is ok, else its status.

    What another tool measured is ``imported``: nobody judged it.
    """
    status = row.get("status")
    if status == "ok" and row.get("imported_from"):
        return "imported"
    return str(row.get("validity") if status == "ok" and row.get("validity") else status)
