"""A meter that plays a square wave or a planted tree, healthy or sick, where no sensor is needed.

Its truth is known in closed form, so what the sampler and the integrator make of it can be held
against it: ``-m edgebench.testing:FakeMeter`` in a run, or with arguments where it is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from edgebench.metering import Channel, Quantity, Tier
from edgebench.protocols import Probe, Readings
from edgebench.units import NS_PER_S

Fault = Literal["", "absent", "raises", "hangs", "blind"]
"""``absent``: no sensor; ``raises``, ``hangs``: while it is read; ``blind``: gives no reading."""
PLANTED = "edgebench_fake_meter"
"""Folder below the root: a folder a channel, with ``power_uw`` or ``energy_uj`` in it."""
_HANG_S = 3600.0
_UW_PER_W = 1e6


class Wave(NamedTuple):
    """Power that is high for a share of every period and low for the rest."""

    low_w: float = 2.0
    high_w: float = 5.0
    period_s: float = 1.0
    duty_ratio: float = 0.5
    phase_s: float = 0.0
    """How far into a period it was when the monotonic clock began."""

    def power_w(self, t_s: float) -> float:
        """At a moment."""
        into_s = (t_s + self.phase_s) % self.period_s
        return self.high_w if into_s < self.duty_ratio * self.period_s else self.low_w

    def energy_j(self, start_s: float, end_s: float) -> float:
        """Between two moments, exactly."""
        return self._since_phase_j(end_s) - self._since_phase_j(start_s)

    def _since_phase_j(self, t_s: float) -> float:
        high_s = self.duty_ratio * self.period_s
        whole, into_s = divmod(t_s + self.phase_s, self.period_s)
        a_period_j = self.high_w * high_s + self.low_w * (self.period_s - high_s)
        part_j = self.high_w * min(into_s, high_s) + self.low_w * max(0.0, into_s - high_s)
        return whole * a_period_j + part_j


class FakeMeter:
    """A meter without a sensor.

    Without arguments it reads what is planted below the root (see `PLANTED`), and where nothing
    is, it plays a steady 3 W.

    Args:
        low_w: Of the wave; so are the next four.
        high_w: As above.
        period_s: As above.
        duty_ratio: As above.
        phase_s: As above.
        quantity: A counter of energy, or the power at the moment it is read.
        tier: Of its one channel.
        wrap_uj: The counter's range.
        update_ms: The sensor has a new value only so often: the mean power since the one before,
            or the counter as it was then.
        fault: What is wrong with it.
    """

    name = "edgebench.testing:FakeMeter"

    def __init__(
        self,
        *,
        low_w: float = 3.0,
        high_w: float = 3.0,
        period_s: float = 1.0,
        duty_ratio: float = 0.5,
        phase_s: float = 0.0,
        quantity: Quantity = "power_uw",
        tier: Tier = "board_measured",
        wrap_uj: int | None = None,
        update_ms: float | None = None,
        fault: Fault = "",
    ) -> None:
        self.wave = Wave(low_w, high_w, period_s, duty_ratio, phase_s)
        self._fault = fault
        self._update_ns = int((update_ms or 0) * 1_000_000)
        self._playing = Channel(
            name="wave",
            tier=tier,
            quantity=quantity,
            covers=("board",),
            excludes=("everything real",) if tier == "partial_measured" else (),
            wrap_uj=wrap_uj if quantity == "energy_uj" else None,
            update_ms=update_ms,
        )
        self._channels: tuple[Channel, ...] = ()
        self._sources: tuple[Callable[[], tuple[int, int] | None], ...] = ()

    def probe(self, root: Path) -> Probe:
        """Whatever is planted below the root, else the wave."""
        self.close()
        if self._fault == "absent":
            remedy = "plant one with edgebench.testing"
            return Probe(name=self.name, available=False, reason="no fake sensor", remedy=remedy)
        folder = root / PLANTED
        if folder.is_dir():
            found = [_planted(each) for each in sorted(folder.iterdir())]
            self._channels = tuple(channel for channel, _ in found)
            self._sources = tuple(source for _, source in found)
        else:
            self._channels, self._sources = (self._playing,), (self._play,)
        return Probe(name=self.name, available=True)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The wave, or what was planted."""
        return self._channels

    def read(self) -> Readings:
        """Every channel, unless it is sick."""
        if self._fault == "raises":
            raise OSError("the fake sensor has come loose")
        if self._fault == "hangs":
            time.sleep(_HANG_S)
        if self._fault == "blind":
            return (None,) * len(self._channels)
        return tuple(source() for source in self._sources)

    def close(self) -> None:
        """Forget what was probed."""
        self._channels, self._sources = (), ()

    def _play(self) -> tuple[int, int]:
        """The wave now, or as the sensor saw it last; ``t_ns`` is when it was read."""
        t_ns = time.perf_counter_ns()
        seen_ns = t_ns // self._update_ns * self._update_ns if self._update_ns else t_ns
        if self._playing.quantity == "energy_uj":
            total_uj = int(self.wave.energy_j(0.0, seen_ns / NS_PER_S) * _UW_PER_W)
            return t_ns, total_uj % self._playing.wrap_uj if self._playing.wrap_uj else total_uj
        if not self._update_ns:
            return t_ns, int(self.wave.power_w(t_ns / NS_PER_S) * _UW_PER_W)
        took_s = self._update_ns / NS_PER_S
        mean_w = self.wave.energy_j(seen_ns / NS_PER_S - took_s, seen_ns / NS_PER_S) / took_s
        return t_ns, int(mean_w * _UW_PER_W)


def _planted(folder: Path) -> tuple[Channel, Callable[[], tuple[int, int] | None]]:
    quantity: Quantity = "energy_uj" if (folder / "energy_uj").exists() else "power_uw"
    wrap_uj = _number(folder / "wrap_uj")
    channel = Channel(
        name=folder.name,
        tier="board_measured",
        quantity=quantity,
        covers=("board",),
        wrap_uj=wrap_uj if quantity == "energy_uj" else None,
    )

    def read() -> tuple[int, int] | None:
        value = _number(folder / quantity)
        return None if value is None else (time.perf_counter_ns(), value)

    return channel, read


def _number(path: Path) -> int | None:
    """A planted whole number; None where it is missing, vanished or something else."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
