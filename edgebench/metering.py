"""What meters measure and what a launch keeps of it: channels, series of readings, power passes.

Readings are kept as they were read, with the monotonic clock of the machine (CLOCK_MONOTONIC,
which `time.perf_counter_ns` reads on Linux and all its processes share); energies are derived from
them on reading (`edgebench.analysis.energy`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from edgebench.samples import Samples

Tier = Literal[
    "wall_measured",
    "board_measured",
    "partial_measured",
    "model_calibrated",
    "envelope",
    "proxy",
]
"""Where a power figure comes from, best first; tiers are never mixed in a ranking."""
TIERS: tuple[Tier, ...] = get_args(Tier)
Quantity = Literal["energy_uj", "power_uw"]
"""A counter's energy since some moment in uJ, or the momentary (or averaged) power in uW."""


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity that a meter reads: a domain, a rail, a battery, a whole device."""

    name: str
    """As the hardware calls it: ``package-0``, ``VDD_IN``."""
    tier: Tier
    quantity: Quantity
    covers: tuple[str, ...]
    """What it feeds: ``cpu``, ``gpu``, ``npu``, ``ram``, ``soc``, ``module``, ``board``,
    ``device`` ..."""
    excludes: tuple[str, ...] = ()
    """What of the device it does not see, in words; never empty for ``partial_measured``."""
    counted: bool = True
    """Whether it is a part of the meter's sum; False where another channel holds it already (a
    core within a package, a rail behind the module's input)."""
    wrap_uj: int | None = None
    """A counter's range: after so much it starts again at 0."""
    update_ms: float | None = None
    """How often the sensor has a new value, where its maker or driver tells."""
    fit_error_ratio: float | None = None
    """``model_calibrated``: error of the fit, as a share of what the meter said."""


def worst_tier(channels: Iterable[Channel]) -> Tier | None:
    """Of a sum of channels: that of its worst part; None where nothing is counted."""
    counted = [TIERS.index(channel.tier) for channel in channels if channel.counted]
    return TIERS[max(counted)] if counted else None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Readings of one channel, in the order they were taken."""

    meter: str
    channel: Channel
    t_ns: Samples
    """CLOCK_MONOTONIC."""
    value: Samples
    """In the channel's unit; as many as ``t_ns``."""
    failed_reads: int = 0
    """Reads that gave nothing: they are in neither series."""


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """The power pass of a launch: a window of its own, after the latency pass, clocks unread.

    Times are CLOCK_MONOTONIC. The model is loaded in both windows; in the idle one nothing runs.
    """

    idle_start_ns: int | None = None
    idle_end_ns: int | None = None
    start_ns: int
    end_ns: int
    inferences: int
    """Calls of ``invoke`` that began and ended within the window."""
    cpu_ns: int | None = None
    """CPU time of the worker within the window."""
    utc_offset_ns: int | None = None
    """CLOCK_REALTIME minus CLOCK_MONOTONIC: places what an external meter logged."""
    series: tuple[Series, ...] = ()


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What an external meter's log says of a launch: beside its record, for it came later."""

    case_id: str
    launch: int
    attempt: int
    source: str
    """Name of the log's file."""
    offset_s: float
    """Added to the log's times."""
    series: Series
