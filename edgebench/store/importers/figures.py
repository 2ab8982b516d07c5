"""What the importers of benchmark tools share: which figure has a column, and which has not."""

from __future__ import annotations

import json
from collections.abc import Mapping

from edgebench.errors import UsageError
from edgebench.stats import min_samples
from edgebench.store.importers import opened
from edgebench.store.importers.opened import Node
from edgebench.units import NS_PER_MS, NS_PER_US

FORMAT = "by the tool's definition"
"""Origin of what holds for every file of a tool: benchmark_app runs OpenVINO."""
NS_PER = {"ns": 1, "us": NS_PER_US, "ms": NS_PER_MS}
_COLUMNS = {50: "latency_p50_ms", 90: "latency_p90_ms", 95: "latency_p95_ms", 99: "latency_p99_ms"}


def has(found: opened.Opened, name: str) -> bool:
    """Whether there is a file of a name below the folder that the user named."""
    return (found.path / name).is_file()


def nearest_ranks(count: int) -> dict[int, str]:
    """Percentiles that so many samples tell, by percent: the columns' own minimum holds."""
    return {
        percent: column
        for percent, column in _COLUMNS.items()
        if percent == 50 or count >= min_samples(percent / 100)  # noqa: PLR2004 - the median
    }


def milliseconds(value: float, unit: str) -> float:
    """A time in ms, divided once so that it is rounded once."""
    return value / (NS_PER_MS / NS_PER[unit])


class Cells(opened.Cells):
    """A row in the making that knows caveats, and that no figure of a clock is 0."""

    def caveat(self, words: str, origin: str) -> None:
        """One more thing that a reader should know."""
        known = self._values.get("caveats")
        self.put("caveats", f"{known}; {words}" if known else words, self._beside(origin))

    def positive(self, column: str, value: float, origin: str) -> None:
        """A figure that is above 0 or wrong.

        Raises:
            UsageError: It is not above 0.
        """
        if value <= 0:
            raise UsageError(f"{origin} is {value:g}: no such figure is")
        self.put(column, value, origin)

    def has(self, column: str) -> bool:
        """Whether a column is told."""
        return column in self._values

    def own(self, figures: Mapping[str, float], origin: str) -> None:
        """The tool's figures under its own names and in its own units."""
        self.put("engine_figures", json.dumps(figures), origin)

    def _beside(self, origin: str) -> str:
        known = self._origin.get("caveats", origin)
        return known if origin in known.split(" + ") else f"{known} + {origin}"


def latency(cells: Cells, column: str, node: Node, notes: list[str], unit: str = "ms") -> None:
    """Put a time, unless the tool has rounded it away.

    Raises:
        UsageError: It is below 0, or no number.
    """
    value = node.number()
    if value < 0:
        raise UsageError(f"{node.place} is {value:g}: no time is")
    if value == 0:
        notes.append(f"{node.place} is 0: rounded away by the tool, left out")
        return
    cells.put(column, milliseconds(value, unit), node.place)
