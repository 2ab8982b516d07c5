"""Cooling down between blocks, so that no block pays for the heat of the one before it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from edgebench.host import thermal
from edgebench.host.cpu import ROOT
from edgebench.units import NS_PER_S

WITHIN_DEGC = 3.0
"""So near to the start's temperature is as cool as at the start."""
_LOOK_S = 1.0

Tell = Callable[[float, float], None]
"""Called at each look with the temperature now and the one waited for, in degrees Celsius."""


class Waited(NamedTuple):
    """A wait that is over."""

    wait_ns: int | None = None
    """None where there is nothing to wait by."""
    caveat: str = ""
    """What was not reached."""


class CoolDown:
    """Temperatures of the run's start, and waiting until they are back.

    Args:
        max_s: Longest wait; None never waits.
        before: Temperatures of the run's start as an earlier part of it saw them.
        root: Stands for ``/``.
    """

    def __init__(
        self,
        max_s: float | None,
        before: Mapping[str, float] | None = None,
        *,
        root: Path = ROOT,
    ) -> None:
        self._max_s, self._root = max_s, root
        self._start = {} if max_s is None else thermal.temperatures(root)
        for name, degc in (before or {}).items():  # it may be resumed hot
            if name in self._start:
                self._start[name] = min(degc, self._start[name])

    def wait(self, tell: Tell, at_most_s: float) -> Waited:
        """Wait until every sensor is within 3 degC of the start, or the cap is reached.

        Args:
            tell: Told at each look.
            at_most_s: What the run's budget leaves.
        """
        if self._max_s is None or not self._start:
            return Waited()
        begun_s = time.monotonic()
        cap_s = min(self._max_s, at_most_s)
        while True:
            now, start = self._hottest()
            waited_s = time.monotonic() - begun_s
            if now - start <= WITHIN_DEGC or waited_s >= cap_s:
                break
            tell(now, start + WITHIN_DEGC)
            time.sleep(min(_LOOK_S, cap_s - waited_s))
        caveat = ""
        if now - start > WITHIN_DEGC:
            caveat = (
                f"began {now - start:.0f} degC warmer than the run's start after waiting "
                f"{waited_s:.0f} s"
            )
        return Waited(int(waited_s * NS_PER_S), caveat)

    def _hottest(self) -> tuple[float, float]:
        """Now and at the start, of the sensor that has risen most; one that is gone is cool."""
        now = thermal.temperatures(self._root)
        pairs = [(now[name], start) for name, start in self._start.items() if name in now]
        return max(pairs, key=lambda pair: pair[0] - pair[1], default=(0.0, 0.0))
