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
import itertools
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
from edgebench.meters.csv_layout import TOLD, EmptyLogError, layout_of, reading
from edgebench.protocols import Probe, Readings
from edgebench.samples import Samples

_OLDEST_NS = 10**17
"""1973: what is earlier does not count from 1970 but from the log's own start."""
_HEAD_BYTE = 1 << 16
_GAP_STEPS = 10


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What a log holds, in its own order."""

    utc_ns: Samples
    """Since 1970, the offset added."""
    power_uw: Samples
    problems: tuple[str, ...]
    """Every row that is no reading, and every gap: a line each."""


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
        path: Path | str = "",
        *,
        offset_s: float = 0.0,
        covers: Literal["wall", "board"] = "wall",
        columns: Sequence[str] = (),
    ) -> None:
        self.path = Path(path)
        self.offset_s = offset_s
        self._offset_ns = round(1e9 * offset_s)
        self._channel = external_channel(covers)
        self._channels: tuple[Channel, ...] = ()
        self._columns = tuple(columns)

    def probe(self, root: Path) -> Probe:
        """Whether there is a place that the log is in or can come to; ``root`` is no matter."""
        del root
        self.close()
        if not self.path.name:
            remedy = "edgebench run --power-csv FILE, or edgebench attach"
            return Probe(name=self.name, available=False, reason="no log was named", remedy=remedy)
        there = self.path.parent.is_dir()
        reason = "" if there else f"there is no folder {self.path.parent}"
        self._channels = (self._channel,) if there else ()
        return Probe(name=self.name, available=there, reason=reason)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the meter stands at."""
        return self._channels

    def read(self) -> Readings:
        """Nothing now: what the meter measures at this moment is in the log later (`log`)."""
        return (None,) * len(self._channels)

    def close(self) -> None:
        """Nothing is kept open."""
        self._channels = ()

    def check(self) -> None:
        """Look at the beginning of a log.

        Raises:
            UsageError: It cannot be read, or its columns cannot be told apart.
        """
        with contextlib.suppress(EmptyLogError):
            layout_of(self.path, self._text(_HEAD_BYTE).splitlines(), self._columns)

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
        layout = layout_of(self.path, lines, self._columns)
        times, powers, problems = array("Q"), array("Q"), list[str]()
        cut = len(lines) if text and not text.endswith(("\n", "\r")) else None
        for number, line in enumerate(lines[layout.first - 1 :], layout.first):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                t_ns, power_uw = reading(line, layout, cut=number == cut)
                _check_time(t_ns + self._offset_ns, times)
            except ValueError as error:
                problems.append(f"{self.path.name}:{number}: {error}")
                continue
            times.append(t_ns + self._offset_ns)
            powers.append(power_uw)
        if not times:
            first = problems[0] if problems else f"{self.path.name}: no rows"
            raise UsageError(f"no reading in {self.path}: {first}", remedy=TOLD)
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
        first = bisect_left(log.utc_ns, begin_ns + power.utc_offset_ns)
        last = bisect_right(log.utc_ns, power.end_ns + power.utc_offset_ns)
        if last - first < 2:  # noqa: PLR2004 - no interval without two
            return None
        beside = range(max(first - 1, 0), min(last + 1, len(log.utc_ns)))
        part = [i for i in beside if log.utc_ns[i] >= power.utc_offset_ns]  # since the boot
        return Series(
            meter=self.name,
            channel=self._channel,
            t_ns=Samples(log.utc_ns[i] - power.utc_offset_ns for i in part),
            value=Samples(log.power_uw[i] for i in part),
        )


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
