"""The sampler: ``python -m edgebench.meters.sampler``, one process a run that reads all meters.

It is told by lines on stdin (`edgebench.sampling`) and answers by lines on stdout; meters that
print do so on stderr. It has a thread a meter, so that one that hangs or raises loses its own
channels and no other's, and it ends when stdin does: with its parent. No numpy: on a board of one
GB every import is felt by what is measured.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from edgebench import plugins, sampling
from edgebench.errors import EdgebenchError
from edgebench.metering import Channel, Series
from edgebench.protocols import Meter, Probe
from edgebench.samples import Samples
from edgebench.units import NS_PER_MS, NS_PER_S

_PROBE_TIMEOUT_S = 5.0
"""A meter has a second; importing it, on a slow card, some more."""
_HALT_TIMEOUT_S = 1.0
_CLOSE_TIMEOUT_S = 1.2
_MOST_W = 1000.0
"""No device under test draws more: how soon a counter may be back where it was."""
_PR_SET_PDEATHSIG = 1
_LARGEST = (1 << 63) - 1

_Result = TypeVar("_Result")


class _Ward:
    """One meter in the sampler's care: what it has, what was read, what it fell ill of."""

    def __init__(self, wanted: sampling.Wanted, root: Path, rate_hz: float) -> None:
        self.name = wanted.filed
        self.channels: tuple[Channel, ...] = ()
        self.illness = ""
        self._wanted = wanted
        self._root = root
        self._rate_hz = rate_hz
        self._meter: Meter | None = None
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._book = _Book(())

    def probe(self) -> sampling.Found:
        """Open it and look; never raises, never takes longer than `_PROBE_TIMEOUT_S`."""
        made, why = _within(_PROBE_TIMEOUT_S, self._open)
        if made is None:
            return sampling.Found(probe=Probe(name=self.name, available=False, reason=why))
        self._meter, found = made
        self.channels = found.channels
        return found

    def _open(self) -> tuple[Meter | None, sampling.Found]:
        try:
            meter: Meter = plugins.load(plugins.METERS, self._wanted.name)(**self._wanted.arguments)
            told = meter.probe(self._root)
            probe = msgspec.structs.replace(told, name=self.name)
            channels = _told_apart(meter.channels) if probe.available else ()
        except EdgebenchError as error:
            reason, remedy = error.message, error.remedy
            probe = Probe(name=self.name, available=False, reason=reason, remedy=remedy)
            return None, sampling.Found(probe=probe)
        return meter, sampling.Found(probe=probe, channels=channels)

    def begin(self) -> None:
        """Read it from now on, in a thread of its own."""
        if self._thread is not None and self._thread.is_alive():
            return  # it still hangs in its last reading
        self.illness, self._halt = "", threading.Event()
        self._book = _Book(self.channels)
        arguments = (self._meter, self._book, self._halt)
        self._thread = threading.Thread(target=self._read_on, args=arguments, daemon=True)
        self._thread.start()

    def _read_on(self, meter: Meter, book: _Book, halt: threading.Event) -> None:
        """Readings on a grid of deadlines; one that is missed is left out, not made up for."""
        every_ns = int(interval_s(self.channels, self._rate_hz) * NS_PER_S)
        due_ns = time.perf_counter_ns()
        try:
            while True:
                last = halt.is_set()
                book.add(meter.read())
                if last:
                    return
                now_ns = time.perf_counter_ns()
                due_ns += every_ns * (1 + max(0, now_ns - due_ns) // every_ns)
                halt.wait((due_ns - now_ns) / NS_PER_S)
        except EdgebenchError as error:
            self.illness = str(error)
        except Exception as error:  # noqa: BLE001 - a sick meter must not cost the others
            self.illness = f"{type(error).__name__}: {error}"

    def halt(self) -> None:
        """Have it read once more and end; does not wait."""
        self._halt.set()

    def take(self, until_s: float) -> tuple[Series, ...]:
        """What it read; nothing where it fell ill, which `illness` then tells."""
        thread = self._thread
        if thread is None:
            return ()
        thread.join(max(0.0, until_s - time.monotonic()))
        if thread.is_alive():
            self.illness = "it hangs"
        return () if self.illness else self._book.series(self.name)

    def caveats(self) -> tuple[str, ...]:
        """What a meter that is well has to say of its readings."""
        take: Callable[[], tuple[str, ...]] | None = getattr(self._meter, "take_caveats", None)
        return take() if take is not None and not self.illness else ()

    def close(self) -> None:
        """Let its meter go, unless it hangs in a reading: what it has started ends here."""
        if self._meter is not None and not (self._thread is not None and self._thread.is_alive()):
            with contextlib.suppress(Exception):
                self._meter.close()


class _Book:
    """Readings of one meter, a pair of arrays a channel."""

    def __init__(self, channels: Iterable[Channel]) -> None:
        self._pages = [(channel, array("Q"), array("Q"), [0]) for channel in channels]

    def add(self, readings: Iterable[tuple[int, int] | None]) -> None:
        """One round; what was not read, or makes no sense, is counted as failed.

        A sensor that gives the reading it gave before, by its own time, has said nothing new.
        """
        for (_, t_ns, value, failed), reading in zip(self._pages, readings, strict=True):
            if reading is None or not 0 <= reading[1] <= _LARGEST:
                failed[0] += 1
            elif not t_ns or reading[0] > t_ns[-1]:
                t_ns.append(reading[0])
                value.append(reading[1])

    def series(self, meter: str) -> tuple[Series, ...]:
        """All channels."""
        return tuple(
            Series(
                meter=meter,
                channel=channel,
                t_ns=Samples(t_ns),
                value=Samples(value),
                failed_reads=failed[0],
            )
            for channel, t_ns, value, failed in self._pages
        )


def _told_apart(channels: Iterable[Channel]) -> tuple[Channel, ...]:
    """Channels by names of their own: two of one name would be joined to one series."""
    made: dict[str, Channel] = {}
    for one in channels:
        number, name = 1, one.name
        while name in made:
            number += 1
            name = f"{one.name} #{number}"
        made[name] = msgspec.structs.replace(one, name=name)
    return tuple(made.values())


def interval_s(channels: Iterable[Channel], rate_hz: float) -> float:
    """Between two readings: as asked, but no oftener than the quickest sensor has a new value.

    And at least twice in the time that a counter takes to come round, or a wrap is not seen.
    """
    channels = tuple(channels)
    updates_s = [(one.update_ms or 0) * NS_PER_MS / NS_PER_S for one in channels]
    wraps_s = [one.wrap_uj / 1e6 / _MOST_W / 2 for one in channels if one.wrap_uj]
    return min([max(1 / rate_hz, min(updates_s, default=0.0)), *wraps_s])


def _within(limit_s: float, work: Callable[[], _Result]) -> tuple[_Result | None, str]:
    """What some work gives, or None and why not."""
    done: list[_Result] = []
    words = [f"no answer for {limit_s:g} s"]

    def go() -> None:
        try:
            done.append(work())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - broken is not available
            words[0] = f"{type(error).__name__}: {error}"

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(limit_s)
    return (done[0], "") if done else (None, words[0])


class Sampler:
    """All meters of a run."""

    def __init__(self) -> None:
        self._opened: list[_Ward] = []
        self._wards: dict[str, _Ward] = {}
        self._reading: tuple[_Ward, ...] = ()
        self._anywhere: tuple[int, ...] = ()

    def obey(self, order: sampling.Order) -> sampling.Answer | None:
        """Do as told; the answer, if the order wants one."""
        if isinstance(order, sampling.Open):
            wards = [_Ward(wanted, Path(order.root), order.rate_hz) for wanted in order.meters]
            self._opened += wards
            found = tuple(ward.probe() for ward in wards)
            self._wards = {ward.name: ward for ward in wards if ward.channels}
            return sampling.Opened(meters=found)
        if isinstance(order, sampling.Begin):
            self._begin(order)
            return None
        for ward in self._reading:
            ward.halt()
        until_s = time.monotonic() + _HALT_TIMEOUT_S
        series = tuple(one for ward in self._reading for one in ward.take(until_s))
        lost = {ward.name: ward.illness for ward in self._reading if ward.illness}
        said = tuple(words for ward in self._reading for words in ward.caveats())
        return sampling.Taken(series=series, caveats=said, lost=lost)

    def close(self) -> None:
        """Let all meters go; no longer than `_CLOSE_TIMEOUT_S`."""
        closing = [threading.Thread(target=ward.close, daemon=True) for ward in self._opened]
        for thread in closing:
            thread.start()
        until_s = time.monotonic() + _CLOSE_TIMEOUT_S
        for thread in closing:
            thread.join(max(0.0, until_s - time.monotonic()))

    def _begin(self, order: sampling.Begin) -> None:
        if hasattr(os, "sched_setaffinity"):  # threads that are started from here inherit it
            self._anywhere = self._anywhere or tuple(os.sched_getaffinity(0))
            os.sched_setaffinity(0, order.cpus or self._anywhere)
        self._reading = tuple(ward for name, ward in self._wards.items() if name in order.meters)
        for ward in self._reading:
            ward.begin()


def _die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to end this process with its parent (prctl(2)), even while a meter hangs.

    As `edgebench.host.process.die_with_parent`: meters know nothing of the host.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Obey until stdin ends."""
    # Whatever a meter's library prints must not stand between answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the runner's to answer
    sampler = Sampler()
    for line in sys.stdin.buffer:
        order = sampling.read_order(line)
        if isinstance(order, sampling.Open):
            _die_with_parent(order.parent_pid)
        answer = sampler.obey(order)
        if answer is not None:
            answers.write(sampling.pack(answer))
            answers.flush()
    sampler.close()
    os._exit(0)  # a meter that hangs keeps its thread; nothing is left to be done


if __name__ == "__main__":
    main()
