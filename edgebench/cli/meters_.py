"""`edgebench meters`: what measures power here, what it covers, and what it says just now."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import click
import msgspec

from edgebench import plugins
from edgebench.cli.text import fill
from edgebench.errors import UsageError
from edgebench.metering import Channel
from edgebench.protocols import Meter, Probe, Readings

ROOT = Path("/")
_NAME = 13
_LABEL = 11
_PERIOD_S = 0.1
_UW_PER_W = 1e6
_UJ_PER_J = 1e6
_UJ_PER_NS_IN_W = 1e3
"""A microjoule a nanosecond is a thousand watts."""
_READABLE = 2
"""Readings from which a mean power can be told."""
_UNREAD = "not readable just now"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel says: a momentary power, or a counter that means nothing alone."""

    channel: Channel
    value: int | None
    """In the channel's unit; None where it cannot be read just now."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A meter, whether it can be read here, and one reading of each of its channels."""

    name: str
    available: bool
    reason: str = ""
    remedy: str = ""
    version: str = ""
    readings: tuple[Reading, ...] = ()


def look(name: str, root: Path = ROOT) -> Look:
    """Open a meter, read it once and close it; a broken one is one that cannot be read."""
    probe = plugins.probe_meter(name, root)
    if not probe.available:
        return _refused(probe)
    meter = plugins.open_meter(name)
    try:
        meter.probe(root)
        channels, values = meter.channels, meter.read()
    except Exception as error:  # noqa: BLE001 - a third party's: whatever it raises is its reason
        return Look(name=name, available=False, reason=f"{type(error).__name__}: {error}")
    finally:
        meter.close()
    pairs = zip(channels, values, strict=False)
    readings = [Reading(channel=one, value=told[1] if told else None) for one, told in pairs]
    return Look(name=name, available=True, version=probe.version, readings=tuple(readings))


def _refused(probe: Probe) -> Look:
    return Look(name=probe.name, available=False, reason=probe.reason, remedy=probe.remedy)


def line(seen: Look) -> str:
    """A meter in a line: its channels, or why there are none and what mends it."""
    if not seen.available:
        return " -> ".join(part for part in (seen.reason, seen.remedy) if part)
    tiers = dict.fromkeys(one.channel.tier for one in seen.readings)
    names = [one.channel.name for one in seen.readings]
    return f"{', '.join(tiers)}: {', '.join(names)}"


def root_option(command: click.decorators.FC) -> click.decorators.FC:
    """The option ``--root``."""
    return click.option(
        "--root",
        metavar="FOLDER",
        default=ROOT,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Look at this folder's /proc and /sys files in place of this machine's.",
    )(command)


@click.group("meters")
def command() -> None:
    """List, show and read what measures power."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@root_option
def list_(*, as_json: bool, root: Path) -> None:
    """Every registered meter: its channels, or why it cannot be read here."""
    found = [look(name, root) for name in plugins.names(plugins.METERS)]
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found), indent=1))
        return
    for seen in found:
        state = "" if seen.available else "- "
        click.echo(fill(state + line(seen), f"{seen.name:{_NAME}} ", " " * (_NAME + 1)))


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@root_option
def show(name: str, *, as_json: bool, root: Path) -> None:
    """One meter: each channel, what it covers and leaves out, and one reading."""
    _check(name)
    seen = look(name, root)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(seen), indent=1))
        return
    click.echo(f"{seen.name} {seen.version}".rstrip())
    for label, words in _facts(seen):
        click.echo(fill(words, f"  {label:{_LABEL}} ", " " * (_LABEL + 3)))


def _check(name: str) -> None:
    known = plugins.names(plugins.METERS)
    if name not in known and ":" not in name:
        raise UsageError(f"no meter named {name!r} (known: {', '.join(known) or 'none'})")


def _facts(seen: Look) -> Iterator[tuple[str, str]]:
    if not seen.available:
        yield "cannot", seen.reason or "be read here"
        if seen.remedy:
            yield "remedy", seen.remedy
    for one in seen.readings:
        channel = one.channel
        yield "channel", channel.name + ("" if channel.counted else " (within another one)")
        yield "tier", channel.tier
        yield "covers", ", ".join(channel.covers) or "not told"
        yield "excludes", ", ".join(channel.excludes) or "nothing that it knows of"
        yield "reading", _words(one)
        if channel.update_ms is not None:
            yield "new every", f"{channel.update_ms:g} ms"
        if channel.wrap_uj is not None:
            yield "wraps at", f"{channel.wrap_uj / _UJ_PER_J:,.0f} J"
        if channel.fit_error_ratio is not None:
            yield "fit error", f"{channel.fit_error_ratio:.1%}"


def _words(one: Reading) -> str:
    if one.value is None:
        return _UNREAD
    if one.channel.quantity == "power_uw":
        return f"{one.value / _UW_PER_W:.3f} W"
    return f"{one.value / _UJ_PER_J:,.3f} J since some moment"


@command.command("read")
@click.argument("names", nargs=-1)
@click.option("--seconds", metavar="N", default=1.0, type=click.FloatRange(0.2, 3600))
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def read(*, names: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """Mean power of each channel over --seconds (default: 1), in W.

    NAMES: meters to read (default: all that can be read here).
    """
    meters = _opened(names)
    try:
        series = _series(meters, seconds)
    finally:
        for meter in meters:
            meter.close()
    told = [
        {"meter": meter.name, "channel": channel.name, "tier": channel.tier}
        | {"counted": channel.counted, "power_w": watts(channel, [one[at] for one in taken])}
        for meter, taken in zip(meters, series, strict=True)
        for at, channel in enumerate(meter.channels)
    ]
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    for one in told:
        power = one["power_w"]
        figure = f"{'-':>9}  " if power is None else f"{power:9.3f} W"
        nested = "" if one["counted"] else ", within another one"
        click.echo(f"{one['meter']:{_NAME}} {one['channel']:20} {figure}  {one['tier']}{nested}")


def _opened(names: Sequence[str]) -> list[Meter]:
    """The meters of these names, or all that can be read.

    Raises:
        UsageError: A named one cannot be read, or there is none.
    """
    found = []
    for name in names:
        _check(name)
    for name in names or plugins.names(plugins.METERS):
        probe = plugins.probe_meter(name, ROOT)
        if probe.available:
            meter = plugins.open_meter(name)
            meter.probe(ROOT)
            found.append(meter)
        elif names:
            raise UsageError(f"meter {name}: {probe.reason}", remedy=probe.remedy)
    if not found:
        raise UsageError("no meter can be read here", remedy="see why: edgebench meters list")
    return found


def _series(meters: Sequence[Meter], seconds: float) -> list[list[Readings]]:
    """Readings of each meter, ten a second, the last one when the time is up."""
    series = [[_once(meter)] for meter in meters]
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(_PERIOD_S, left))
        for taken, meter in zip(series, meters, strict=True):
            taken.append(_once(meter))
    return series


def _once(meter: Meter) -> Readings:
    try:
        return meter.read()
    except Exception as error:  # noqa: BLE001 - a third party's: whatever it raises is the reason
        raise UsageError(f"meter {meter.name}: {type(error).__name__}: {error}") from None


def watts(channel: Channel, readings: Sequence[tuple[int, int] | None]) -> float | None:
    """Mean power of a channel over its readings; None where they are too few.

    Args:
        channel: Whose readings these are.
        readings: ``(t_ns, value)`` in the channel's unit.
    """
    known = [one for one in readings if one is not None]
    if len(known) < _READABLE or known[-1][0] <= known[0][0]:
        return None
    total_uj = 0.0
    for (t, value), (then, after) in pairwise(known):
        if channel.quantity == "power_uw":
            total_uj += (value + after) / 2 * (then - t) / 1e9
        else:  # at most one round a tenth of a second: the counter's range divided out
            step = (after - value) % channel.wrap_uj if channel.wrap_uj else after - value
            if step < 0:  # it began anew, and nobody knows where it was
                return None
            total_uj += step
    return total_uj / (known[-1][0] - known[0][0]) * _UJ_PER_NS_IN_W
