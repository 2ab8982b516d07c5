"""A rich table with headings between its rows, which take no room in any column."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.style import Style
from rich.table import Table

_MARK = "\ue000"
"""Stands for a heading until widths are known; no row consists of it alone, figures have ``-``."""


class Headed(Table):
    """A table; a heading is drawn over its whole width.

    In a column it would be as wide as the longest device's name, and figures would be broken.
    """

    headings: tuple[str, ...] = ()

    def add_heading(self, words: str) -> None:
        """Add a line above the rows that follow."""
        self.headings = (*self.headings, words)
        self.add_row(_MARK)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[Segment]:
        """The table's own lines, with the headings in the place of their marks."""
        waiting = iter(self.headings)
        drawn = super().__rich_console__(console, options)
        for line in Segment.split_lines(part for part in drawn if isinstance(part, Segment)):
            if "".join(part.text for part in line).strip() == _MARK:
                yield Segment(next(waiting)[: options.max_width], Style(bold=True))
            else:
                yield from line
            yield Segment.line()
