"""Rows of what other tools measured: every column empty but what was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgebench.errors import UsageError
from edgebench.imports import Import
from edgebench.protocols import Imported, ImportedRow
from edgebench.report import told
from edgebench.report.columns import COLUMNS
from edgebench.report.figures import Row
from edgebench.store import imported
from edgebench.store.imported import StoredImport

CAVEAT = "imported: not checked by edgebench"
_FIGURES = tuple(column.name for column in COLUMNS if column.kind == "float")


def accept(
    form: str,
    found: Imported,
    said: Mapping[str, told.Told],
    known: dict[tuple[object, str], ImportedRow],
) -> tuple[ImportedRow, ...]:
    """An importer's cells with what the user states, each checked.

    Args:
        form: The importer's name.
        found: What it found.
        said: See `told.stated`.
        known: Cells that were accepted before, by device_id and case_id; these are added.

    Raises:
        UsageError: One does not fit, see `told.complete`; or two are the same cell.
    """
    rows = []
    for row in found.rows:
        values, origin = told.complete(row.values, row.origin, said)
        if "status" not in values:
            if not any(name in values for name in _FIGURES):
                raise UsageError(
                    f"{place(ImportedRow(values=values, origin=origin))}: the cell has no figure",
                    remedy="map a column to one, or leave the cell out",
                )
            values["status"], origin["status"] = "ok", "its figures are there"
        one = ImportedRow(values=values, origin=origin)
        key = (values["device_id"], imported.case_id(form, values))
        if key in known:
            both = f"{place(known[key])} and {place(one)}"
            raise UsageError(
                f"{both} are the same cell: {told_of(values)}",
                remedy="tell them apart by a column: workload, threads, options ...",
            )
        known[key] = one
        rows.append(one)
    if not rows:
        raise UsageError("there is no cell in it", remedy="; ".join(found.notes[:1]))
    return tuple(rows)


def told_of(values: Mapping[str, object]) -> str:
    """A cell in words: ``mobilenet_v2/openvino/int8``."""
    return "/".join(str(values.get(name)) for name in ("workload", "backend", "precision"))


def place(row: ImportedRow) -> str:
    """Where the first of a row's figures stands, in the order of the columns."""
    places = [where for where in row.origin.values() if where not in {told.AS_STATED, told.UNNAMED}]
    first = next((row.origin[name] for name in _FIGURES if name in row.values), None)
    return first or next(iter(places), told.AS_STATED)


def of_imports(stored: Iterable[StoredImport]) -> tuple[list[Row], tuple[str, ...]]:
    """``(rows, problems)``: an import whose values do not fit is left out as a whole."""
    rows: list[Row] = []
    problems = []
    for one in stored:
        try:
            rows += [_row(one.content, row) for row in one.content.rows]
        except UsageError as error:  # noqa: PERF203 - one import's fault is not another's
            problems.append(f"{one.folder}: {error}")
    return rows, tuple(problems)


def _row(content: Import, stored: ImportedRow) -> Row:
    values, _ = told.complete(stored.values, stored.origin, {})
    figures = sum(name in values for name in _FIGURES)
    more = f" (and {figures - 1} more)" if figures > 1 else ""
    row: Row = dict.fromkeys(column.name for column in COLUMNS)
    row |= values
    caveats = [CAVEAT, *([str(values["caveats"])] if "caveats" in values else [])]
    return row | {
        "run_id": content.run_id,
        "case_id": imported.case_id(content.format, values),
        "imported_from": f"{content.tool}: {place(stored)}{more}",
        "started_at_utc": values.get("started_at_utc"),
        "caveats": "; ".join(caveats),
    }
