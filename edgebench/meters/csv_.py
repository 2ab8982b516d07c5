"""An external meter by the log it writes: a CSV file of times and watts, or volts and amperes.

Read: a time column in Unix seconds, ms, us or ns, or as ISO 8601 (UTC where no zone is told), and
the power in W or mW, or a voltage and a current whose product it is. Columns are told apart by
their names and units (``Power (mW)``), two without names are time and watts. A row that is no
reading is named by its line and never becomes a 0. Whoever may read the file may use it.

The meter's clock is not this machine's: ``offset_s`` is added to the log's times. Where it is not
known, set the meter's clock by NTP, or switch a load on at a known time and take the difference;
an offset moves the window over the log, so for a window of 30 s keep it below 0.05 s.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import math
import re
import statistics
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from edgebench.errors import UsageError
from edgebench.metering import Channel, Power, Series
from edgebench.meters.command import external_channel
from edgebench.protocols import Probe, Readings
from edgebench.samples import Samples

_TOLD = "name them: --power-columns TIME,WATTS or TIME,VOLTS,AMPS"
_WORDS = {
    "time": {"time", "timestamp", "date", "datetime", "t", "ts", "unix", "epoch", "utc"},
    "power": {"power", "watt", "watts", "p", "w", "mw", "uw", "µw"},
    "volts": {"voltage", "volt", "volts", "v", "mv", "uv"},
    "amps": {"current", "ampere", "amperes", "amp", "amps", "i", "a", "ma", "ua", "µa"},
}
_NOT_POWER = {"factor", "reactive", "apparent"}
_SCALES = {"k": 1e3, "m": 1e-3, "u": 1e-6, "µ": 1e-6}
_TIME_NS = {"s": 1e9, "sec": 1e9, "seconds": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "ns": 1.0}
_MAGNITUDES = ((1e11, 1e9), (1e14, 1e6), (1e17, 1e3), (math.inf, 1.0))
"""Unix time now is 1.8e9 s: below which value it is how many ns."""
_OLDEST_NS = 10**17
"""1973: what is earlier does not count from 1970 but from the log's own start."""
_PREAMBLE_LINES = 100
_HEAD_BYTE = 1 << 16
_GAP_STEPS = 10


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What a log holds, in its own order."""

    utc_ns: Samples
    """Since 1970, the offset added."""
    power_uw: Samples
    problems: tuple[str, ...]
    """Every row that is no reading, and every gap: a line each."""


class _Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Which cells of a row are what."""

    delimiter: str
    time: int
    time_ns: float | None
    """ns of a 1 in the time column; None: by its size, or ISO 8601."""
    factors: tuple[int, ...]
    """Power, or voltage and current."""
    scale_uw: float
    first: int
    """The line of the first reading, from 1."""


class _EmptyLogError(UsageError):
    """Nothing but the beginning of a preamble yet."""


class Csv:
    """An external meter's log.

    As a meter of a run it holds a place: `read` gives nothing, and the log's readings come to the
    launches when they are over.

    Args:
        path: The file; it may still grow.
        offset_s: Added to its times: how far its clock is behind this machine's; the Unix time of
            its start where it counts from 0.
        covers: What the meter stands at: the plug, or the board's own input.
        columns: Names or numbers (from 1) of time and power, or of time, voltage and current.
    """

    name = "csv"

    def __init__(
        self,
        path: Path | str,
        *,
        offset_s: float = 0.0,
        covers: Literal["wall", "board"] = "wall",
        columns: Sequence[str] = (),
    ) -> None:
        self.path = Path(path)
        self.offset_s = offset_s
        self._offset_ns = round(1e9 * offset_s)
        self._channel = external_channel(covers)
        self._columns = tuple(columns)

    def probe(self, root: Path) -> Probe:
        """Whether there is a log, or a place that it can come to; ``root`` is no matter."""
        del root
        if self.path.exists():
            self.check()
        there = self.path.parent.is_dir()
        reason = "" if there else f"there is no folder {self.path.parent}"
        return Probe(name=self.name, available=there, reason=reason)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the meter stands at."""
        return (self._channel,)

    def read(self) -> Readings:
        """Nothing now: what the meter measures at this moment is in the log later (`log`)."""
        return (None,)

    def close(self) -> None:
        """Nothing is kept open."""

    def check(self) -> None:
        """Look at the beginning of a log.

        Raises:
            UsageError: It cannot be read, or its columns cannot be told apart.
        """
        with contextlib.suppress(_EmptyLogError):
            _layout(self.path, self._text(_HEAD_BYTE).splitlines(), self._columns)

    def _text(self, size: int = -1) -> str:
        try:
            with self.path.open(encoding="utf-8-sig", errors="replace", newline=None) as file:
                return file.read(size)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}", remedy="name a CSV file") from None

    def log(self) -> Log:
        """The whole log as it is now.

        Raises:
            UsageError: It cannot be read, its columns cannot be told apart, or no row is a reading.
        """
        text = self._text()
        lines = text.splitlines()
        layout = _layout(self.path, lines, self._columns)
        times, powers, problems = array("Q"), array("Q"), list[str]()
        cut = len(lines) if text and not text.endswith(("\n", "\r")) else None
        for number, line in enumerate(lines[layout.first - 1 :], layout.first):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                t_ns, power_uw = _reading(line, layout, cut=number == cut)
                _check_time(t_ns + self._offset_ns, times)
            except ValueError as error:
                problems.append(f"{self.path.name}:{number}: {error}")
                continue
            times.append(t_ns + self._offset_ns)
            powers.append(power_uw)
        if not times:
            first = problems[0] if problems else f"{self.path.name}: no rows"
            raise UsageError(f"no reading in {self.path}: {first}", remedy=_TOLD)
        problems += (f"{self.path.name}: {gap}" for gap in _gaps(times))
        return Log(utc_ns=Samples(times), power_uw=Samples(powers), problems=tuple(problems))

    def series(self, log: Log, power: Power) -> Series | None:
        """The part of a log that lies in a launch's windows, by the machine's monotonic clock.

        It has one reading more at either end, so that the edges can be interpolated. None where
        fewer than two readings are within, or the launch does not tell its wall clock.
        """
        if power.utc_offset_ns is None:
            return None
        begin_ns = power.start_ns if power.idle_start_ns is None else power.idle_start_ns
        utc_ns = list(log.utc_ns)
        first = bisect_left(utc_ns, begin_ns + power.utc_offset_ns)
        last = bisect_right(utc_ns, power.end_ns + power.utc_offset_ns)
        if last - first < 2:  # noqa: PLR2004 - no interval without two
            return None
        part = slice(max(first - 1, 0), last + 1)
        return Series(
            meter=self.name,
            channel=self._channel,
            t_ns=Samples(t - power.utc_offset_ns for t in utc_ns[part]),
            value=Samples(list(log.power_uw)[part]),
        )


def _layout(path: Path, lines: Sequence[str], told: Sequence[str]) -> _Layout:
    """Find the header, or the first reading where there is none.

    Raises:
        UsageError: Neither is within the first lines, or columns cannot be told apart.
    """
    for number, line in enumerate(lines[:_PREAMBLE_LINES], 1):
        delimiter = next((one for one in "\t;," if one in line), " ")
        cells = _cells(line, delimiter)
        if not line.strip() or line.startswith("#") or len(cells) < 2:  # noqa: PLR2004 - a pair
            continue
        if any(_is_reading(cell) for cell in cells):
            return _unnamed(path, cells, told, delimiter, number)
        if found := _named(path, cells, told, delimiter, number + 1):
            return found
    kind = UsageError if len(lines) > _PREAMBLE_LINES else _EmptyLogError
    raise kind(f"{path}: no columns of time and power", remedy=_TOLD)


def _named(
    path: Path, names: Sequence[str], told: Sequence[str], delimiter: str, first: int
) -> _Layout | None:
    """By a header; None where the line is none."""
    if told:
        places = [_place(name, names) for name in told]
        if None in places:
            return None
        time, *factors = (place for place in places if place is not None)
    else:
        kinds = {
            kind: [i for i, name in enumerate(names) if _kind(name) == kind] for kind in _WORDS
        }
        wanted = ("time", "power") if kinds["power"] else ("time", "volts", "amps")
        if not all(kinds[kind] for kind in wanted):
            return None
        for kind in wanted:
            if len(kinds[kind]) > 1:
                both = " and ".join(repr(names[i]) for i in kinds[kind])
                raise UsageError(f"{path}: {both} may both be the {kind}", remedy=_TOLD)
        time, *factors = (kinds[kind][0] for kind in wanted)
    unit = _tokens(names[time])[-1:]
    return _Layout(
        delimiter=delimiter,
        time=time,
        time_ns=_TIME_NS.get(unit[0]) if unit and len(_tokens(names[time])) > 1 else None,
        factors=tuple(factors),
        scale_uw=1e6 * math.prod(_scale(names[i]) for i in factors),
        first=first,
    )


def _unnamed(
    path: Path, cells: Sequence[str], told: Sequence[str], delimiter: str, first: int
) -> _Layout:
    """Without a header: time and watts, or as told by numbers."""
    places = [_place(name, ()) for name in told] if told else [0, 1]
    if None in places or max(p or 0 for p in places) >= len(cells) or (not told and len(cells) > 2):  # noqa: PLR2004 - a pair
        raise UsageError(f"{path}: {len(cells)} columns without these names", remedy=_TOLD)
    time, *factors = (place for place in places if place is not None)
    return _Layout(
        delimiter=delimiter,
        time=time,
        time_ns=None,
        factors=tuple(factors),
        scale_uw=1e6,
        first=first,
    )


def _place(told: str, names: Sequence[str]) -> int | None:
    """Where a column lies: by its name, else by its number from 1."""
    if told in names:
        return list(names).index(told)
    return int(told) - 1 if told.isdecimal() and int(told) > 0 else None


def _tokens(name: str) -> list[str]:
    return re.findall(r"[a-zµ]+", name.lower().replace("μ", "µ"))


def _kind(name: str) -> str | None:
    tokens = set(_tokens(name))
    if tokens & _NOT_POWER:
        return None
    return next((kind for kind, words in _WORDS.items() if tokens & words), None)


def _scale(name: str) -> float:
    """What a 1 in a column is in its base unit, by the unit that ends its name."""
    unit = (_tokens(name) or [""])[-1]
    return _SCALES.get(unit[0], 1.0) if len(unit) == 2 and unit[1] in "wva" else 1.0  # noqa: PLR2004 - mW


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]


def _is_reading(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _reading(line: str, layout: _Layout, *, cut: bool) -> tuple[int, int]:
    """``(t_ns, power_uw)`` of a row.

    Raises:
        ValueError: It is none, and why.
    """
    if cut:
        raise ValueError("no end of the line: it is still being written")
    cells = _cells(line, layout.delimiter)
    if len(cells) <= max(layout.time, *layout.factors):
        raise ValueError(f"{len(cells)} columns only")
    product = layout.scale_uw
    for place in layout.factors:
        product *= _number(cells[place], layout.delimiter)
    if not 0 <= product < 1e15:  # noqa: PLR2004 - 1 GW is no device
        raise ValueError(f"{product / 1e6:g} W is no power of a device")
    return _time_ns(cells[layout.time], layout), round(product)


def _number(cell: str, delimiter: str) -> float:
    value = float(cell.replace(",", ".") if delimiter in "\t;" else cell) if cell else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{cell!r} is no number")
    return value


def _time_ns(cell: str, layout: _Layout) -> int:
    try:
        value = _number(cell, layout.delimiter)
    except ValueError:
        return _iso_ns(cell)
    unit = layout.time_ns or next(ns for below, ns in _MAGNITUDES if abs(value) < below)
    return round(value * unit)


def _iso_ns(cell: str) -> int:
    """An ISO 8601 time; Python 3.10 reads neither Z nor every number of decimals."""
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", cell
    )
    if found is None:
        raise ValueError(f"{cell!r} is no time")
    zone = (found[3] or "Z").replace("Z", "+00:00")
    zone = zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    whole = datetime.fromisoformat(f"{found[1]}{zone}").astimezone(timezone.utc)
    return int(whole.timestamp()) * 10**9 + int((found[2] or "0").ljust(9, "0"))


def _check_time(utc_ns: int, times: Sequence[int]) -> None:
    if utc_ns < _OLDEST_NS:
        raise ValueError("it counts from its own start: give that start's Unix time as the offset")
    if utc_ns >= 1 << 63:
        raise ValueError("its time is none of this century")
    if times and utc_ns <= times[-1]:
        raise ValueError("its time is not after the reading before")


def _gaps(times: Sequence[int]) -> Iterator[str]:
    """Where the log falls silent, against its own usual step."""
    steps = [after - before for before, after in itertools.pairwise(times)]
    usual = statistics.median(steps) if steps else 0
    for before, step in zip(times, steps, strict=False):
        if step > _GAP_STEPS * usual:
            at = datetime.fromtimestamp(before / 1e9, timezone.utc)
            yield f"no reading for {step / 1e9:.3g} s after {at:%Y-%m-%dT%H:%M:%SZ}"
