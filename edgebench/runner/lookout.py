"""What the parent sees of the machine while a launch runs: about once a second, a few small files.

A look costs well below a millisecond and takes place in this process, beside the worker; what a
runtime is given to compute with is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from edgebench.host import thermal, throttle
from edgebench.host.cpu import ROOT, policies, read_int
from edgebench.machine import COUNTERS, Look, Stage

_EVERY_NS = 950_000_000
"""A little less than the second in which the launcher comes around: none is left out."""
_KEPT = 512
_KHZ_PER_MHZ = 1000


class Lookout:
    """Looks at the machine; which files there are is found out once, before the worker starts.

    Args:
        root: Stands for ``/``.
        clock: In ns; CLOCK_MONOTONIC.
    """

    def __init__(self, root: Path = ROOT, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock = clock
        self._root = root
        self._zones = thermal.zone_files(root)
        self._cooling = thermal.cooling_files(root)
        self._counters = throttle.counter_files(root)
        self._clocks = [policy / "scaling_cur_freq" for policy in policies(root)]
        self._counts = throttle.read_counts(self._counters)
        self._stage: Stage | None = None
        self._last_ns = 0
        self.looks: list[Look] = []

    def glance(self, stage: Stage) -> None:
        """Look, if the stage is another one or the last look is a second old."""
        now_ns = self._clock()
        if stage == self._stage and now_ns - self._last_ns < _EVERY_NS:
            return
        self._stage, self._last_ns = stage, now_ns
        self.looks.append(self._look(stage, now_ns))
        if len(self.looks) > _KEPT:
            self.looks = _thinned(self.looks)

    def _look(self, stage: Stage, now_ns: int) -> Look:
        degc = thermal.read_degc(self._zones)
        clocks = [read_int(path) for path in self._clocks]
        return Look(
            t_ns=now_ns,
            stage=stage,
            hottest_degc=max(degc.values(), default=None),
            cpu_mhz=tuple(khz / _KHZ_PER_MHZ for khz in clocks if khz is not None),
            slowed_by=self._slowed_by(),
        )

    def _slowed_by(self) -> tuple[str, ...]:
        """What holds the device back now, or did since the last look where only that is counted."""
        found = list(throttle.words_now(throttle.throttle_bits(self._root)))
        states = thermal.read_states(self._cooling)
        found += [name.partition(":")[2] for name, state in states.items() if state > 0]
        before, self._counts = self._counts, throttle.read_counts(self._counters)
        found += [
            COUNTERS.get(name, name)
            for name, count in self._counts.items()
            if count > before.get(name, count)
        ]
        return tuple(dict.fromkeys(found))


def _thinned(looks: list[Look]) -> list[Look]:
    """Every other look of a long launch, but all at which something began or ceased to slow it."""
    return [
        look
        for number, look in enumerate(looks)
        if number % 2 == 0 or look.slowed_by != looks[number - 1].slowed_by
    ]
