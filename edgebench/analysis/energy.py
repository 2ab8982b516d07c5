"""Energy of an inference from a launch's readings: windows cut, counters unwrapped, idle taken off.

``gross = P_window * T / n`` and ``net = (P_window - P_idle) * T / n``, where a mean power is the
energy between the window's edges over its length: of a counter the difference, of power the
trapezoid, both with linear interpolation at the edges. The channels' edges are the worker's own
stamps, so splitting a window adds up. What the readings do not carry is refused with its reason:
a figure of too few readings would look like any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import EdgebenchError
from edgebench.metering import TIERS, Power, Series, Tier, worst_tier
from edgebench.stats import CONFIDENCE, Interval, student_t_quantile
from edgebench.units import NS_PER_S

MIN_READINGS = 10
MAX_GAP_RATIO = 0.1
MIN_COVERAGE_RATIO = 0.95
_MOST_W = 10_000.0
"""A counter that says more was set back: its driver was loaded anew, or the device slept."""
_NOTHING_RATIO = 0.01
"""Net energy that is less of the gross, either way, is none."""
_W_PER_UW = 1e-6
_MJ_PER_J = 1e3
_WHOLE = frozenset({"soc", "module", "board", "device"})
"""What runs, runs within these."""

_Array = NDArray[np.float64]


class RefusedError(EdgebenchError):
    """Readings that carry no figure, in words that end a sentence ``not measured: ...``."""


class Part(NamedTuple):
    """Mean power of one or several channels in one window."""

    power_w: float
    readings: int
    """In the window; of several channels the fewest."""
    coverage_ratio: float
    """Share of the window between the first reading and the last; of several the least."""


class Energy(NamedTuple):
    """What one meter says of one launch."""

    meter: str
    tier: Tier
    channels: tuple[str, ...]
    """Those that were added up."""
    covers: frozenset[str]
    excludes: tuple[str, ...]
    power_w: float
    idle_w: float | None
    gross_mj: float
    """Per inference, a call with ``batch`` samples."""
    net_mj: float | None
    readings: int
    coverage_ratio: float
    fit_error_ratio: float | None = None

    @property
    def kind(self) -> tuple[Tier, str, tuple[str, ...]]:
        """What must be alike for figures to be of one quantity."""
        return self.tier, self.meter, self.channels


def of_meter(power: Power, meter: str) -> Energy:
    """What one meter says of a launch.

    Raises:
        RefusedError: Its readings carry no figure.
    """
    counted = _together(
        distinct([one for one in power.series if one.meter == meter and one.channel.counted])
    )
    tier = worst_tier(one.channel for one in counted)
    if tier is None or power.inferences <= 0:
        raise RefusedError("no readings" if tier is None else "no inference ended")
    window = summed(counted, power.start_ns, power.end_ns)
    idle_w = _idle_w(power, counted)
    window_s = (power.end_ns - power.start_ns) / NS_PER_S
    each = _MJ_PER_J * window_s / power.inferences
    errors = [e for one in counted if (e := one.channel.fit_error_ratio) is not None]
    excluded = (what for one in counted for what in one.channel.excludes)
    return Energy(
        meter=meter,
        tier=tier,
        channels=tuple(one.channel.name for one in counted),
        covers=frozenset(what for one in counted for what in one.channel.covers),
        excludes=tuple(dict.fromkeys(excluded)),
        power_w=window.power_w,
        idle_w=idle_w,
        gross_mj=each * window.power_w,
        net_mj=None if idle_w is None else each * (window.power_w - idle_w),
        readings=window.readings,
        coverage_ratio=window.coverage_ratio,
        fit_error_ratio=max(errors, default=None),
    )


def _together(counted: Sequence[Series]) -> Sequence[Series]:
    """What may be added up: a sensor of the whole device holds all others (a log of each)."""
    whole = [one for one in counted if "device" in one.channel.covers]
    return whole or counted


def _idle_w(power: Power, counted: Sequence[Series]) -> float | None:
    if power.idle_start_ns is None or power.idle_end_ns is None:
        return None
    try:
        return summed(counted, power.idle_start_ns, power.idle_end_ns).power_w
    except RefusedError:
        return None


def summed(channels: Sequence[Series], start_ns: int, end_ns: int) -> Part:
    """Mean power of all channels together.

    Raises:
        RefusedError: As `mean_power`, of any of them: a sum without one part is another quantity;
            or they say 0 all the time, which a sensor that measures does not.
    """
    parts = [mean_power(one, start_ns, end_ns) for one in channels]
    power_w = math.fsum(part.power_w for part in parts)
    if parts and power_w <= 0:
        raise RefusedError("it says 0 all the time: no device draws nothing")
    return Part(
        power_w=power_w,
        readings=min(part.readings for part in parts),
        coverage_ratio=min(part.coverage_ratio for part in parts),
    )


def mean_power(series: Series, start_ns: int, end_ns: int) -> Part:
    """Mean power of one channel between two moments.

    Raises:
        RefusedError: Fewer than 10 readings in the window, a tenth of it without any, or less
            than 95 % of it between the first and the last; readings out of order, or a counter
            that went back.
    """
    length_s = (end_ns - start_ns) / NS_PER_S
    if length_s <= 0:
        raise RefusedError("the window has no length")
    t_ns = np.asarray(series.t_ns).astype(np.int64) - start_ns
    if bool((np.diff(t_ns) <= 0).any()):
        raise RefusedError("its readings are not in order")
    t_s = t_ns / NS_PER_S
    inside = np.flatnonzero((t_s >= 0) & (t_s <= length_s))
    if len(inside) < MIN_READINGS:
        raise RefusedError(f"{len(inside)} readings in {length_s:.3g} s, {MIN_READINGS} needed")
    largest_s = MAX_GAP_RATIO * length_s
    gap_s = float(np.diff(t_s[inside]).max())
    if gap_s > largest_s:
        raise RefusedError(f"no reading for {gap_s:.3g} of {length_s:.3g} s")
    # One more on either side carries the edge, unless it is of another stage of the launch.
    first, last = int(inside[0]), int(inside[-1])
    first -= bool(first and t_s[first] - t_s[first - 1] <= largest_s)
    last += bool(last + 1 < len(t_s) and t_s[last + 1] - t_s[last] <= largest_s)
    t_s, value = t_s[first : last + 1], np.asarray(series.value).astype(np.int64)[first : last + 1]
    low_s, high_s = max(0.0, float(t_s[0])), min(length_s, float(t_s[-1]))
    coverage_ratio = (high_s - low_s) / length_s
    if coverage_ratio < MIN_COVERAGE_RATIO:
        told = min(coverage_ratio, MIN_COVERAGE_RATIO - 0.001)  # 94.97 % is not 95.0 %
        raise RefusedError(
            f"readings cover {told:.1%} of the window, {MIN_COVERAGE_RATIO:.0%} needed"
        )
    return Part(_mean_w(series, t_s, value, low_s, high_s), len(inside), coverage_ratio)


def _mean_w(
    series: Series, t_s: _Array, value: NDArray[np.int64], low_s: float, high_s: float
) -> float:
    """Between two moments that the readings enclose."""
    if series.channel.quantity == "energy_uj":
        total_uj = unwrapped(value, series.channel.wrap_uj)
        if bool((np.diff(total_uj) > _MOST_W / _W_PER_UW * np.diff(t_s)).any()):
            raise RefusedError("its counter was set back")
        used_uj = np.interp([low_s, high_s], t_s, total_uj)
        return float(used_uj[1] - used_uj[0]) * _W_PER_UW / (high_s - low_s)
    between = t_s[(t_s > low_s) & (t_s < high_s)]
    at_s = np.concatenate([[low_s], between, [high_s]])
    power_uw = np.interp(at_s, t_s, value.astype(np.float64))
    energy_uj = float(np.sum((power_uw[1:] + power_uw[:-1]) / 2 * np.diff(at_s)))
    return energy_uj * _W_PER_UW / (high_s - low_s)


def unwrapped(value: NDArray[np.int64], wrap_uj: int | None) -> _Array:
    """A counter's readings since the first of them, as if it never began again.

    Raises:
        RefusedError: It went back and has no range, or left it.
    """
    steps = np.diff(value)
    back = steps < 0
    if bool(back.any()):
        if wrap_uj is None or bool((value > wrap_uj).any()):
            raise RefusedError("its counter went back")
        steps = np.where(back, steps + wrap_uj, steps)
    return np.concatenate([[0.0], np.cumsum(steps, dtype=np.float64)])


def distinct(channels: Sequence[Series]) -> tuple[Series, ...]:
    """Channels without those that only mirror another one.

    Dies of one package may give one and the same counter under two names (AMD's do): two counters
    that are never further apart than one of them moves between two readings are one.
    """
    kept: list[Series] = []
    for one in channels:
        if not any(_mirrors(one, other) for other in kept):
            kept.append(one)
    return tuple(kept)


def _mirrors(a: Series, b: Series) -> bool:
    if {a.channel.quantity, b.channel.quantity} != {"energy_uj"} or len(a.value) != len(b.value):
        return False
    mine, theirs = (np.asarray(one.value).astype(np.int64) for one in (a, b))
    steps = np.abs(np.diff(mine))
    if len(steps) < MIN_READINGS or not steps.any():
        return False
    return bool((np.abs(mine - theirs) <= np.median(steps)).mean() > MIN_COVERAGE_RATIO)


class Cell(NamedTuple):
    """Energy of a case, over its launches."""

    tier: Tier
    source: str
    excludes: tuple[str, ...]
    power_w: Interval
    """Limits are NaN for one launch, here and below."""
    idle_w: float | None
    gross_mj: Interval
    net_mj: Interval | None
    readings: int
    coverage_ratio: float
    launches: int
    notes: tuple[str, ...] = ()
    """What a reader must know: launches left out, and what other meters say."""


def of_launches(powers: Sequence[Power], accelerator: str = "cpu") -> Cell:
    """Energy of a case: the best tier that any meter has, of launches that are alike in it.

    Args:
        powers: Of its launches, in their order.
        accelerator: What computed; a meter that does not see it says nothing of the case.

    Raises:
        RefusedError: No launch has a figure.
    """
    groups: dict[tuple[Tier, str, tuple[str, ...]], list[Energy]] = {}
    refusals: dict[str, None] = {}
    for power in powers:
        meters = dict.fromkeys(one.meter for one in power.series)
        if not meters:
            refusals["no meter gave a reading"] = None
        for meter in meters:
            try:
                found = of_meter(power, meter)
            except RefusedError as error:
                refusals[f"{meter}: {error.message}" if len(meters) > 1 else error.message] = None
                continue
            if _sees(found.covers, accelerator):
                groups.setdefault(found.kind, []).append(found)
            else:
                what = ", ".join(sorted(found.covers))
                refusals[f"{meter} sees {what}, this ran on {accelerator}"] = None
    if not groups:
        raise RefusedError("; ".join(refusals) or "no power pass")
    ranked = sorted(groups.values(), key=_rank)
    notes = [f"power: {why}" for why in refusals]
    notes += [_told(found) for found in ranked[1:]]
    return _cell(ranked[0], tuple(notes))


def _rank(found: Sequence[Energy]) -> tuple[int, int, int]:
    """The best tier first, then the most launches, then what sees more of the device."""
    return TIERS.index(found[0].tier), -len(found), -len(found[0].covers)


def _sees(covers: Iterable[str], accelerator: str) -> bool:
    """Whether what computes is covered; of a provider it is known only not to be the CPU."""
    covers = frozenset(covers)
    if covers & _WHOLE:
        return True
    if accelerator in {"cpu", "gpu", "npu", "tpu"}:
        return accelerator in covers
    return bool(covers - {"cpu", "ram"})


def _told(found: Sequence[Energy]) -> str:
    mean_mj = math.fsum(one.gross_mj for one in found) / len(found)
    return f"power: {source(found[0])} says {mean_mj:.4g} mJ gross ({found[0].tier}), not mixed in"


def source(found: Energy) -> str:
    """A meter and what of it was added up: ``rapl: package-0 + dram``."""
    error = found.fit_error_ratio
    fit = "" if error is None else f" (fit error {error:.0%})"
    return f"{found.meter}: {' + '.join(found.channels)}{fit}"


def _on_idle(found: Sequence[Energy], nets: Sequence[float]) -> str:
    """What is to be known of net energy: a baseline that is missing or cannot be one; or empty."""
    if not nets:
        return "power: no net energy, too few readings of the idle baseline"
    if len(nets) < len(found):
        few = f"{len(nets)} of {len(found)} launches"
        return f"power: net energy of {few}, the others have too few readings of the idle baseline"
    if math.fsum(nets) < -_NOTHING_RATIO * math.fsum(one.gross_mj for one in found):
        return "power: net energy below 0: the device drew more while it was to be idle"
    return ""


def _cell(found: Sequence[Energy], notes: tuple[str, ...]) -> Cell:
    idles = [one.idle_w for one in found if one.idle_w is not None]
    nets = [one.net_mj for one in found if one.net_mj is not None]
    return Cell(
        tier=found[0].tier,
        source=source(found[0]),
        excludes=tuple(dict.fromkeys(what for one in found for what in one.excludes)),
        power_w=interval([one.power_w for one in found]),
        idle_w=math.fsum(idles) / len(idles) if idles else None,
        gross_mj=interval([one.gross_mj for one in found]),
        net_mj=interval(nets) if nets else None,
        readings=min(one.readings for one in found),
        coverage_ratio=min(one.coverage_ratio for one in found),
        launches=len(found),
        notes=(*notes, *filter(None, [_on_idle(found, nets)])),
    )


def interval(values: Sequence[float]) -> Interval:
    """The mean of launches with Student's t interval; NaN limits for one alone.

    Not of logarithms, as for latencies: net energy may be 0 or less, and gross, idle and net must
    add up.
    """
    k = len(values)
    mean = math.fsum(values) / k
    if k == 1:
        return Interval(mean, math.nan, math.nan)
    spread = float(np.std(np.asarray(values), ddof=1)) / math.sqrt(k)
    half = student_t_quantile(0.5 + CONFIDENCE / 2, k - 1) * spread
    return Interval(mean, mean - half, mean + half)
