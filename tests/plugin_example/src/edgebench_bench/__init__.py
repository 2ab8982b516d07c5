"""An example of a meter: a bench supply whose maker's daemon keeps its power in a file.

Reads ``/run/bench-supply/power_mw``, the mean power in mW of the last 100 ms at the device's input;
any user may. What a real one reads (a serial port, a socket) stands in its place.
"""

from __future__ import annotations

import time
from pathlib import Path

from edgebench.metering import Channel
from edgebench.protocols import Probe, Readings

_UW_PER_MW = 1000


class BenchMeter:
    """The power at the device's input, as a bench supply measures it."""

    name = "bench"

    def __init__(self) -> None:
        self._file: Path | None = None

    def probe(self, root: Path) -> Probe:
        """Whether the daemon tells a power."""
        self._file = root / "run/bench-supply/power_mw"
        if self._milliwatts() is not None:
            return Probe(name=self.name, available=True, version="1")
        self._file = None
        return Probe(
            name=self.name,
            available=False,
            reason="no bench supply tells its power",
            remedy="switch it on and start its daemon",
        )

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The supply's one output."""
        if self._file is None:
            return ()
        return (
            Channel(
                name="output",
                tier="wall_measured",
                quantity="power_uw",
                covers=("device",),
                update_ms=100.0,
            ),
        )

    def read(self) -> Readings:
        """The power now; None where the daemon has gone or talks nonsense."""
        if self._file is None:
            return ()
        power_mw = self._milliwatts()
        reading = None if power_mw is None else (time.perf_counter_ns(), power_mw * _UW_PER_MW)
        return (reading,)

    def close(self) -> None:
        """Forget the file."""
        self._file = None

    def _milliwatts(self) -> int | None:
        if self._file is None:
            return None
        try:
            power_mw = int(self._file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return power_mw if power_mw >= 0 else None
