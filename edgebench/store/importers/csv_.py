"""A table as CSV: a line a cell, its columns named like ours, or as the user says."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgebench.errors import UsageError, plain
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers import mapping
from edgebench.store.importers.mapping import Source
from edgebench.store.importers.opened import Cells, Opened

_DELIMITERS = (",", ";", "\t")
_MAX_ROWS, _MAX_COLUMNS = 100_000, 1000
_LONGEST_LINE = 1 << 20


class Csv:
    """Importer of a CSV file with a header; comma, semicolon or tab, decimal point.

    Args:
        columns: See `mapped`; empty where the header's names are ours.
    """

    name = "csv"
    wants: tuple[str, ...] = ()

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        self._told = dict(columns or {})

    def mapped(self, columns: Mapping[str, str], names: str) -> Csv:
        """See `edgebench.protocols.MappedImporter`.

        Raises:
            UsageError: A template of names was told: a table has columns.
        """
        if names:
            raise UsageError("csv takes no --names", remedy="--map COLUMN=THEIRS names columns")
        return Csv(columns)

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """A cell a line; an empty field tells nothing.

        Raises:
            UsageError: It is no table, lacks a column that was named, or has no line.
        """
        del stated
        opened = Opened(path)
        text = opened.text()
        delimiter = _delimiter(text.partition("\n")[0])
        try:
            reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
            lines = list(itertools.islice(reader, _MAX_ROWS + 2))
        except csv.Error as error:
            raise UsageError(f"{opened.name} is no CSV: {error}") from None
        header = [name.strip() for name in lines[0]] if lines else []
        sources = self._sources(header, opened.name)
        if not 0 < len(lines) - 1 <= _MAX_ROWS:
            much = "more lines than a table of results" if lines[1:] else "no line of cells"
            raise UsageError(f"{opened.name} has {much}")
        used = {source.theirs for source in sources}
        return Imported(
            tool="csv",
            files=opened.files,
            rows=tuple(
                _row(cells, header, sources, f"{opened.name}: row {number}")
                for number, cells in enumerate(lines[1:], 1)
                if any(cell.strip() for cell in cells)
            ),
            notes=tuple(f"column {plain(name[:80])!r}" for name in header if name not in used),
        )

    def _sources(self, header: Sequence[str], name: str) -> list[Source]:
        if len(header) > _MAX_COLUMNS:
            raise UsageError(f"{name} has {len(header):,} columns")
        twice = next((one for one in header if header.count(one) > 1), None)
        if twice is not None:
            raise UsageError(f"{name} has {plain(twice[:80])!r} twice")
        if not self._told:
            return [Source(column, column, None) for column in header]
        found = [mapping.source(ours, told, header) for ours, told in self._told.items()]
        for source in found:
            if source.theirs not in header:
                raise UsageError(
                    f"{name} has no column {plain(source.theirs[:80])!r}",
                    remedy=f"it has {', '.join(plain(one[:40]) for one in header[:20])}",
                )
        return found


def _lines(text: str) -> Iterator[str]:
    """Lines, none of them so long that parting it would take seconds.

    Raises:
        csv.Error: One is.
    """
    for line in io.StringIO(text):
        if len(line) > _LONGEST_LINE:
            raise csv.Error(f"a line of {len(line):,} characters")
        yield line


def _delimiter(header: str) -> str:
    """What parts the header into most columns."""
    return max(_DELIMITERS, key=header.count)


def _row(
    cells: Sequence[str], header: Sequence[str], sources: Sequence[Source], where: str
) -> ImportedRow:
    if len(cells) != len(header):
        raise UsageError(f"{where} has {len(cells)} fields, the header {len(header)}")
    told = dict(zip(header, (cell.strip() for cell in cells), strict=True))
    found = Cells()
    for source in sources:
        text = told[source.theirs]
        if not text:
            continue
        place = f"{where}, {source.theirs}"
        if source.factor is None:
            found.put(source.column, text, place)
        else:
            found.put(source.column, mapping.scaled(source, text, place), place)
    return found.row()
