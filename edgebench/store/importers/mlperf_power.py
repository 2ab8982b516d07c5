"""``spl.txt`` of an MLPerf run: a power analyser's readings at the wall, cut to the run's window.

Reference: the submission checker of ``mlcommons/inference``: the mean of the readings that are
above 0 and lie between LoadGen's ``power_begin`` and ``power_end``. Energy per sample needs the
samples too, and is power times the window over them.
"""

from __future__ import annotations

import math
import statistics
from datetime import datetime
from typing import NamedTuple

from edgebench.errors import UsageError
from edgebench.store.importers.figures import FORMAT, Cells
from edgebench.store.importers.mlperf_logs import Detail
from edgebench.store.importers.opened import Opened

_STAMP = "%m-%d-%Y %H:%M:%S.%f"
_MIN_READINGS = 10
"""As edgebench asks of its own meters."""
_MJ_PER_J = 1000


class _Window(NamedTuple):
    begin: datetime
    end: datetime
    place: str

    @property
    def duration_s(self) -> float:
        return (self.end - self.begin).total_seconds()


def put(cells: Cells, opened: Opened, name: str, detail: Detail, notes: list[str]) -> None:
    """Power, and energy where the samples are told.

    Raises:
        UsageError: A line of the log is damaged.
    """
    window = _window(detail)
    if window is None:
        notes.append(f"{name}: no log tells the run's window: left out")
        return
    watts = _watts(opened.text(name), name, window)
    if len(watts) < _MIN_READINGS:
        notes.append(f"{name}: {len(watts)} readings in the run's window: left out")
        return
    origin = f"{name} + {window.place}"
    power_w = statistics.fmean(watts)
    cells.put("power_tier", "wall_measured", FORMAT)
    cells.put("power_source", "power analyser by PTDaemon (spl.txt)", FORMAT)
    cells.positive("power_w", power_w, origin)
    cells.put("power_samples", len(watts), origin)
    cells.put("power_launches", 1, FORMAT)
    queries = detail.count("result_query_count")
    each = detail.count("effective_samples_per_query")
    if queries is None or each is None:
        return
    samples = queries[0] * each[0]
    where = f"{origin} + {queries[1]} + {each[1]}"
    cells.put("energy_gross_mj", power_w * window.duration_s * _MJ_PER_J / samples, where)
    if each[0] > 1:
        cells.caveat("energy is per sample", where)


def _window(detail: Detail) -> _Window | None:
    ends = [detail.told.get(key) for key in ("power_begin", "power_end")]
    stamps = [_stamp(str(told.value), told.place) for told in ends if told is not None]
    if len(stamps) < len(ends):
        return None
    place = " + ".join(told.place for told in ends if told is not None)
    if stamps[1] <= stamps[0]:
        raise UsageError(f"{place}: the window ends before it begins")
    return _Window(stamps[0], stamps[1], place)


def _stamp(words: str, place: str) -> datetime:
    try:
        # Of two clocks that the rules want alike; neither tells its zone.
        return datetime.strptime(words, _STAMP)  # noqa: DTZ007 - as above
    except ValueError:
        raise UsageError(f"{place}: {words[:40]!r} is no time") from None


def _watts(text: str, name: str, window: _Window) -> list[float]:
    """Readings in the window: strictly within, and above 0, as the checker takes them."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("Time,"):
            continue
        place = f"{name}: line {number}"
        words = line.split(",")
        if len(words) < 4 or words[2] != "Watts":  # noqa: PLR2004 - Time,STAMP,Watts,VALUE
            raise UsageError(f"{place} is damaged")
        try:
            watts = float(words[3])
        except ValueError:
            raise UsageError(f"{place}: {words[3][:40]!r} is no number") from None
        if not math.isfinite(watts):
            raise UsageError(f"{place}: {words[3][:40]!r} is no number")
        if window.begin < _stamp(words[1], place) < window.end and watts > 0:
            found.append(watts)
    return found
