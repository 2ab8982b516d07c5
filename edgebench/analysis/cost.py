"""Sizing and cost: how many devices so many cameras need, what they draw, and what that costs.

Who buys must not be short of a device: they are counted by the lower end of the capacity's
interval, of which only a share is planned for (`Need.utilisation_ratio`), and a camera is never
split between two. Where a figure has ends, the lower one says what it would be if all turned out
well, the upper one what it would be if nothing did.

Total cost of ownership is purchase plus running cost (Barroso, Hölzle, Ranganathan, "The Datacenter
as a Computer", chapter "Modeling Costs"), of which only what is known here is counted: devices and
their electricity.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edgebench.analysis import capacity, draw, ranges
from edgebench.analysis.candidates import Candidate, Cells, Figure
from edgebench.analysis.capacity import Capacity, Evidence
from edgebench.analysis.draw import Draw
from edgebench.analysis.figure import told
from edgebench.analysis.published import PRICE
from edgebench.errors import UsageError

PURCHASE, TOTAL = "cost_purchase_usd", "cost_total_usd"
NAMES = (
    *("cost_devices", "cost_cameras_per_device", "cost_headroom_ratio", "cost_power_w"),
    *("cost_purchase_usd", "cost_electricity_kwh", "cost_electricity_usd", "cost_total_usd"),
    "cost_per_million_usd",
)
OF_POWER = (
    *("cost_power_w", "cost_electricity_kwh", "cost_electricity_usd", "cost_total_usd"),
    "cost_per_million_usd",
)
"""Those of them that power is in: they are of a tier, and are not ranked across tiers."""
NO_TARIFF = "the price of a kWh was not stated (--kwh-usd)"
_NO_SPREAD = "spread not known"
_DAYS_PER_YEAR = 365.25
_HOURS_PER_DAY = 24.0
_S_PER_HOUR = 3600.0
_W_PER_KW = 1000.0
_MILLION = 1_000_000
_MOST_CAMERAS = 1_000_000_000
_ROUNDING = 1e-9
"""A device that does 119.9999999999 of 120 frames a second does them."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What the devices are bought for.

    Raises:
        UsageError: A figure is none that a purchase could be planned with.
    """

    cameras: int
    rate_hz: float
    """Frames a second of each camera; each is one inference."""
    years: float = 3.0
    hours_per_day: float = 24.0
    """Hours in which frames come; in the others the devices idle."""
    kwh_usd: float | None = None
    """Price of a kilowatt hour; None: not stated, and then electricity is told in kWh alone."""
    utilisation_ratio: float = 0.8
    """Share of the capacity that is planned for. At 0.8 a frame that comes at random waits for two
    inferences on average (Pollaczek and Khinchine: ``u / (2 (1 - u))`` of equal length)."""

    def __post_init__(self) -> None:
        if isinstance(self.cameras, bool) or not isinstance(self.cameras, int):
            raise UsageError(f"cameras {self.cameras!r} is no whole number")
        _within("cameras", self.cameras, 1, _MOST_CAMERAS)
        _within("frames a second", self.rate_hz, 1e-6, 1e6)
        _within("years", self.years, 0.001, 100)
        _within("hours a day", self.hours_per_day, 0.01, _HOURS_PER_DAY)
        _within("utilisation", self.utilisation_ratio, 0.01, 1)
        if self.kwh_usd is not None:
            _within("the price of a kWh", self.kwh_usd, 0, 1000)

    @property
    def frames_hz(self) -> float:
        """Of all cameras together."""
        return self.cameras * self.rate_hz

    @property
    def hours(self) -> float:
        """In which frames come, over all years."""
        return self.hours_per_day * _DAYS_PER_YEAR * self.years

    @property
    def resting_hours(self) -> float:
        """In which none come."""
        return (_HOURS_PER_DAY - self.hours_per_day) * _DAYS_PER_YEAR * self.years

    @property
    def million_frames(self) -> float:
        """Inferences made over all years, in millions."""
        return self.frames_hz * self.hours * _S_PER_HOUR / _MILLION

    @property
    def words(self) -> str:
        """``40 cameras at 10 frames/s``."""
        return f"{self.cameras} camera{'s' * (self.cameras > 1)} at {self.rate_hz:g} frames/s"

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What holds for every candidate, a line each."""
        tariff = f"{self.kwh_usd:g} USD, as stated" if self.kwh_usd is not None else "not stated"
        share = f"{self.utilisation_ratio:.0%}"
        rest = "" if not self.resting_hours else "; the devices idle for the rest of the day"
        return (
            f"{self.words} each, none split between devices",
            f"{self.hours_per_day:g} h a day for {self.years:g} years of 365.25 days{rest}",
            f"{share} of the capacity's lower end is planned for, all of it where waiting is in it",
            f"price of a kWh: {tariff}",
            "no supplies, network, storage, cooling, spares, work or interest are counted",
        )


def _within(what: str, value: object, least: float, most: float) -> None:
    if not isinstance(value, numbers.Real) or not least <= float(value) <= most:
        raise UsageError(f"{what}: {value!r} is not from {least:g} to {most:,.15g}")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a need costs with one candidate."""

    candidate: Candidate
    need: Need
    figures: dict[str, Figure]
    """Of `NAMES`, those that are known."""
    missing: dict[str, str]
    """Of `NAMES`, the others, and why."""
    capacity: Capacity
    draw: Draw
    notes: tuple[str, ...]
    """What these figures rest on, a line each; `Need.assumptions` comes on top."""

    def explained(self, words: str) -> str:
        """Words on its candidate, in which a cost was not measured, with why it is not known."""
        for name, reason in self.missing.items():
            words = words.replace(f"{name} was not measured", f"{name} is not known: {reason}")
        return words

    @property
    def told(self) -> Candidate:
        """The candidate, with these figures among what is told of it."""
        return replace(self.candidate, told={**self.candidate.told, **self.figures})


def of_candidates(
    candidates: Iterable[Candidate], need: Need, rows: Iterable[Cells] = ()
) -> list[Cost]:
    """What a need costs with each.

    Args:
        candidates: Of any questions.
        need: What they are bought for.
        rows: All that were measured: other scenarios of a cell are evidence, too.
    """
    known = capacity.evidence(rows)
    return [estimate(one, need, known) for one in candidates]


def comparable(costs: Iterable[Cost], allowed: Sequence[str] = ()) -> str:
    """The money by which candidates can be held against each other; empty where there is none.

    That is all of it where everyone's is known whose devices have a price, and its power is of one
    tier or of tiers that are let in; else the purchase, which no power is in.
    """
    priced = [one for one in costs if PURCHASE in one.figures]
    tiers = {one.draw.tier for one in priced}
    if priced and (allowed or len(tiers) == 1) and all(TOTAL in one.figures for one in priced):
        return TOTAL
    return PURCHASE if priced else ""


def estimate(candidate: Candidate, need: Need, known: Evidence | None = None) -> Cost:
    """What a need costs with one candidate, or why that cannot be told.

    Args:
        candidate: Its price is the figure ``price_usd`` that is told of it, its published powers
            ``idle_w`` and ``load_w``.
        need: What it is bought for.
        known: Rows of other scenarios, `edgebench.analysis.capacity.evidence`.
    """
    rate_hz, drawn = capacity.of(candidate, known), draw.of(candidate, known)
    found, missing = _sized(rate_hz, need)
    if devices := found.get("cost_devices"):
        _spend(found, missing, candidate, _powered(found, missing, drawn, devices, need), need)
    else:
        missing = dict.fromkeys(NAMES, missing["cost_devices"])
    found |= {n: found[n]._replace(tier=drawn.tier or "") for n in OF_POWER if n in found}
    return Cost(
        candidate=candidate,
        need=need,
        figures={name: found[name] for name in NAMES if name in found},
        missing={name: missing[name] for name in NAMES if name not in found},
        capacity=rate_hz,
        draw=drawn,
        notes=tuple(_notes(candidate, rate_hz, drawn)),
    )


def _sized(rate_hz: Capacity, need: Need) -> tuple[dict[str, Figure], dict[str, str]]:
    share = 1.0 if rate_hz.with_waiting else need.utilisation_ratio
    if rate_hz.rate_hz is None:
        return {}, {"cost_devices": rate_hz.basis}
    careful = _cameras_held(rate_hz.careful_hz * share, need)
    if careful == 0:
        planned = f", of which {share:.0%} is planned for" if share < 1 else ""
        words = f"one camera needs {need.rate_hz:g}/s, it does {rate_hz.careful_hz:.4g}/s{planned}"
        return {}, {"cost_devices": words}
    devices = _ceil(need.cameras, careful)
    each = _ceil(need.cameras, devices)
    headroom = rate_hz.careful_hz / (each * need.rate_hz) - 1
    high_hz = rate_hz.rate_hz.high
    if high_hz is None:  # one launch, or a rate that was offered: nothing tells how sure it is
        counts = Figure(float(devices)), Figure(float(each)), Figure(headroom)
    else:
        best = _ceil(need.cameras, _cameras_held(high_hz * share, need))
        counts = (
            ranges.between(best, float(devices), devices),
            ranges.between(each, float(each), _ceil(need.cameras, best)),
            ranges.between(headroom, headroom, high_hz / (each * need.rate_hz) - 1),
        )
    labelled = (one._replace(source=rate_hz.basis) for one in counts)
    return dict(zip(NAMES, labelled, strict=False)), {}


def _cameras_held(usable_hz: float, need: Need) -> int:
    """Whole cameras; more than there are is as good as all of them."""
    return math.floor(min(usable_hz / need.rate_hz * (1 + _ROUNDING), float(need.cameras)))


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _powered(
    found: dict[str, Figure], missing: dict[str, str], drawn: Draw, devices: Figure, need: Need
) -> Figure | None:
    """Adds power and kWh; gives back what the electricity costs, if that is known."""
    if drawn.tier is None:
        missing |= dict.fromkeys(OF_POWER, drawn.basis)
        return None
    power_w = drawn.power_w(devices, need.frames_hz)
    resting_w = drawn.resting_w(devices)
    spent = (ranges.scaled(power_w, need.hours), ranges.scaled(resting_w, need.resting_hours))
    kwh = ranges.scaled(ranges.plus(*spent), 1 / _W_PER_KW)
    found["cost_power_w"] = power_w._replace(source=drawn.basis, tier=drawn.tier)
    found["cost_electricity_kwh"] = kwh._replace(source=drawn.basis, tier=drawn.tier)
    if need.kwh_usd is None:
        missing |= dict.fromkeys(OF_POWER, NO_TARIFF)
        return None
    return ranges.scaled(kwh, need.kwh_usd)._replace(source=drawn.basis, tier=drawn.tier)


def _spend(
    found: dict[str, Figure],
    missing: dict[str, str],
    candidate: Candidate,
    electricity: Figure | None,
    need: Need,
) -> None:
    if electricity is not None:
        found["cost_electricity_usd"] = electricity
    price = candidate.told.get(PRICE)
    if price is None or not 0 <= price.value < math.inf:
        words = "no price of the device is known (--price DEVICE=USD)"
        missing["cost_purchase_usd"] = words
        for name in ("cost_total_usd", "cost_per_million_usd"):
            missing[name] = "; ".join(filter(None, [words, missing.get(name)]))
        return
    purchase = ranges.product(found["cost_devices"], price)._replace(source=price.source)
    found["cost_purchase_usd"] = purchase
    if electricity is not None:
        source, tier = electricity.source, electricity.tier
        total = ranges.plus(purchase, electricity)._replace(source=source, tier=tier)
        per_million = ranges.scaled(total, 1 / need.million_frames)
        found["cost_total_usd"] = total
        found["cost_per_million_usd"] = per_million._replace(source=source, tier=tier)


def _notes(candidate: Candidate, rate_hz: Capacity, drawn: Draw) -> Iterable[str]:
    row = candidate.row
    price = candidate.told.get(PRICE)
    if price is not None:
        yield f"price: {price.value:g} USD, {price.source or 'nobody tells who says so'}"
    if rate_hz.rate_hz is not None:
        yield f"capacity: {rate_hz.basis}"
        yield f"a device runs one process, threads={row.get('threads')}, as measured"
    if rate_hz.with_waiting:
        yield "waiting is in that capacity: all of it is planned for"
    if row.get("region") == "invoke":
        yield "decoding and resizing of images are not in it (region invoke)"
    if (batch := capacity.batch(row)) > 1 and row.get("scenario") != "offline":
        yield f"a frame waits until its batch of {batch} is full"
    yield from rate_hz.notes
    if drawn.tier is None:
        return
    yield f"power: {drawn.basis}"
    if drawn.tier != draw.ENVELOPE and row.get("scenario") not in {"single_stream", None}:
        yield "energy per frame is that of single_stream"


def spread(rate_hz: Capacity) -> str:
    """A capacity in words: ``82.8 (81.76 to 83.87)``."""
    figure = rate_hz.rate_hz
    if figure is None:
        return "-"
    ends = None if figure.exact else ranges.ends(figure)
    between = f"{told(ends[0])} to {told(ends[1])}" if ends else _NO_SPREAD
    return f"{told(figure.value)} ({between})"
