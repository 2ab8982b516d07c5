"""What tests of meters share: readings on a planted clock, their energies, a user of no rights."""

from __future__ import annotations

import itertools
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from edgebench.metering import Channel
from edgebench.protocols import Meter, Readings
from edgebench.testing import FakeClock

NS_PER_S = 1_000_000_000
NOBODY = 65534


def put(path: Path, content: str | int) -> None:
    """Write a sensor file, its folders too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{content}\n", encoding="utf-8")


def readings_of(
    meter: Meter, plant: Callable[[float], None], *, seconds: float = 40.0, rate_hz: float = 10.0
) -> list[Readings]:
    """Readings of a probed meter whose sensors ``plant(t_s)`` moves before each of them."""
    clock = FakeClock()
    found = []
    with mock.patch("time.perf_counter_ns", clock):
        for number in range(int(seconds * rate_hz) + 1):
            clock.now_ns = 1 + round(number / rate_hz * NS_PER_S)
            plant(number / rate_hz)
            found.append(meter.read())
    return found


def energy_j(channel: Channel, readings: list[Readings], place: int) -> float:
    """Energy of one channel over all its readings: unwrapped, or by trapezoids."""
    series = [one for reading in readings if (one := reading[place]) is not None]
    pairs = list(itertools.pairwise(series))
    if channel.quantity == "power_uw":
        return sum((b[0] - a[0]) / NS_PER_S * (a[1] + b[1]) / 2e6 for a, b in pairs)
    wrap = channel.wrap_uj or 0
    return sum(b[1] - a[1] + (wrap if b[1] < a[1] else 0) for a, b in pairs) / 1e6


def counted_j(meter: Meter, readings: list[Readings]) -> float:
    """The meter's own figure: the sum of its counted channels."""
    return sum(
        energy_j(channel, readings, place)
        for place, channel in enumerate(meter.channels)
        if channel.counted
    )


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that every user may enter: what is planted there has the rights that it has."""
    with tempfile.TemporaryDirectory(prefix="edgebench-rights-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def without_rights() -> Iterator[None]:
    """A user for whom the kernel checks permissions: root becomes nobody, others stay themselves.

    Who is not root owns what he planted: take the rights away from him with ``chmod(0)``.
    """
    own = os.geteuid()
    if own == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(own)


class PlayedEvents:
    """The kernel's part of perf events: a pipe an event, which holds the counts to come."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []
        self.ends: list[int] = []
        self.handles: list[int] = []

    def __call__(self, kind: int, config: int, cpu: int) -> int:
        """Open an event."""
        self.asked.append((kind, config, cpu))
        handle, end = os.pipe()
        os.set_blocking(handle, False)
        self.handles.append(handle)
        self.ends.append(end)
        return handle

    def say(self, place: int, count: int) -> None:
        """What the next reading of an event gives."""
        os.write(self.ends[place], struct.pack("=Q", count))

    def close(self) -> None:
        """End every event."""
        for end in self.ends:
            os.close(end)
        self.ends = []
