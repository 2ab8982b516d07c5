"""What another tool measured, as it is stored: an import is one file, ``import.json``."""

from __future__ import annotations

import msgspec

from edgebench.protocols import ImportedRow
from edgebench.records import SCHEMA_VERSION


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """``import.json``: the cells of another tool's files, and where each figure stands in them."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    """Like a run's, of the time of the import: a later import takes the place of an earlier."""
    imported_at_utc: str
    edgebench_version: str
    format: str
    """The importer, as in ``edgebench import FORMAT``."""
    tool: str
    """Who measured: ``benchmark_app 2026.1``."""
    files: dict[str, str]
    """sha256 of every file that was read, by its path below the one that was named."""
    rows: tuple[ImportedRow, ...]
    notes: tuple[str, ...] = ()
    """What was in the files and was left out, and why, a line each."""
