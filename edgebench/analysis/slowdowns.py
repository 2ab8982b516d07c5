"""What slowed the device itself down while a launch was measured: its supply, its heat, its clock.

Nothing that could not be read counts either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from edgebench.machine import COUNTERS, OF_SUPPLY, STICKY_SHIFT, THROTTLE_BITS, Environment, Look
from edgebench.records import Record

Cause = Literal["supply", "heat", "unsure"]
"""Of what is unsure only the effect was seen, or only that it was near."""

_MEAN_RATIO = 0.9
"""Mean frequency over what was allowed. A governor that follows the load takes about 0.1 s to reach
the top: less than a tenth of a window of 1 s; the first step down of a throttled board is more."""
_AT_WORK_RATIO = 0.8
"""CPU time of the worker over its window, below which a clock has reason to rest."""
_NEAR_DEGC = 1.0
"""Zones are read in steps of 0.5 to 1 degC: so close to where the kernel slows the CPU down, it may
have done so between two looks."""
_EITHER = frozenset({THROTTLE_BITS[1], THROTTLE_BITS[2]})
"""What a Raspberry Pi's firmware does for heat and for under-voltage: for that, where it is so."""


class Slowdown(NamedTuple):
    """One thing that held the device back."""

    cause: Cause
    words: str
    throughout: bool = False
    """Whether it was so before, after, and at every look in between."""


def of(record: Record) -> list[Slowdown]:
    """What held the device back in a launch; empty where nothing did, or nothing could be read."""
    looks = [look for look in record.looks if look.stage == "measure"]
    before, after = record.environment_before, record.environment_after
    ends = [each for each in (before, after) if each is not None]
    moments = [*map(_now, ends), *(look.slowed_by for look in looks)]
    seen = dict.fromkeys(words for moment in moments for words in moment)
    if before is not None and after is not None:
        seen |= dict.fromkeys(_meanwhile(before, after))
    found = list(_grouped(seen, moments))
    if before is not None and after is not None:
        found += _capped(before, after)
        found += _slow_clock(record, before, after)
    if not found:
        found += _near(ends)
    return found


def first(looks: tuple[Look, ...]) -> tuple[int, tuple[str, ...]] | None:
    """When the device was first slowed down, in ns from the window's begin, and by what.

    None where nothing did, or nobody could tell.
    """
    measured = [look for look in looks if look.stage == "measure"]
    slowed = next((look for look in measured if look.slowed_by), None)
    return (slowed.t_ns - measured[0].t_ns, slowed.slowed_by) if slowed is not None else None


def _now(seen: Environment) -> tuple[str, ...]:
    """What holds the device back at that moment, in the words of `Look.slowed_by`."""
    bits = seen.throttle_bits or 0
    told = [words for bit, words in THROTTLE_BITS.items() if bits >> bit & 1]
    told += [name.partition(":")[2] for name, state in seen.cooling_states.items() if state > 0]
    return tuple(told)


def _meanwhile(before: Environment, after: Environment) -> Iterator[str]:
    """What only a counter or a sticky bit tells of; one set before that says nothing of now."""
    if before.throttle_bits is not None and after.throttle_bits is not None:
        new = (after.throttle_bits & ~before.throttle_bits) >> STICKY_SHIFT
        yield from (words for bit, words in THROTTLE_BITS.items() if new >> bit & 1)
    for name, count in after.throttle_counts.items():
        if count > before.throttle_counts.get(name, count):
            yield COUNTERS.get(name, name)


def _grouped(seen: dict[str, None], moments: list[tuple[str, ...]]) -> Iterator[Slowdown]:
    supply = [words for words in seen if words in OF_SUPPLY]
    if supply:
        always = all(any(words in moment for words in supply) for moment in moments)
        supply += [words for words in seen if words in _EITHER]
        yield Slowdown("supply", f"the power supply is too weak: {', '.join(supply)}", always)
    heat = [words for words in seen if words not in supply]
    if heat:
        always = all(any(words in moment for words in heat) for moment in moments)
        yield Slowdown("heat", f"throttled: {', '.join(heat)}", always)


def _capped(before: Environment, after: Environment) -> Iterator[Slowdown]:
    if len(before.allowed_mhz) == len(after.allowed_mhz):
        for first, last in zip(before.allowed_mhz, after.allowed_mhz, strict=True):
            if last < first:
                words = f"its highest clock fell from {first:.0f} to {last:.0f} MHz"
                yield Slowdown("heat", words)
                return


def _slow_clock(record: Record, before: Environment, after: Environment) -> Iterator[Slowdown]:
    """The mean frequency of the fastest domain, the one that is measured on, where it was at work.

    Other domains rest, and so does a CPU that waits for an accelerator or a camera.
    """
    means = mean_mhz(before, after)
    if not (at_work(record) and means):
        return
    name = max(means, key=lambda each: (top_mhz(before, each), means[each]))
    mean, top = means[name], top_mhz(before, name)
    if mean < _MEAN_RATIO * top:
        yield Slowdown("unsure", f"ran at {mean:.0f} MHz on average, {top:.0f} MHz are allowed")


def at_work(record: Record) -> bool:
    """Whether the worker computed all the time, so that its clock had no reason to rest."""
    return (record.cpu_ns or 0) >= _AT_WORK_RATIO * (record.window_ns or 1)


def mean_mhz(before: Environment, after: Environment) -> dict[str, float]:
    """Mean frequency of each domain between two moments; absent where it is not told."""
    found = {}
    for name, late in after.residency_ns.items():
        early = before.residency_ns.get(name, {})
        spent = {khz: ns - early.get(khz, 0) for khz, ns in late.items()}
        total = sum(spent.values())
        if early and total > 0 and min(spent.values()) >= 0:
            found[name] = sum(khz * ns for khz, ns in spent.items()) / total / 1000
    return found


def top_mhz(seen: Environment, name: str) -> float:
    """The highest frequency that a domain may take: of its table, or the cap on it."""
    table_mhz = max(seen.residency_ns.get(name, {}), default=0) / 1000
    if len(seen.allowed_mhz) == len(seen.residency_ns):
        return min(table_mhz, seen.allowed_mhz[list(seen.residency_ns).index(name)])
    return table_mhz


def _near(ends: list[Environment]) -> Iterator[Slowdown]:
    for seen in ends:
        for name, limit in seen.limit_degc.items():
            degc = seen.temperature_degc.get(name)
            if degc is not None and degc >= limit - _NEAR_DEGC:
                zone = name.partition(":")[2]
                yield Slowdown("unsure", f"{zone} at {degc:.0f} degC, slowed down from {limit:.0f}")
                return
