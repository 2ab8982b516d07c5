"""The contract of a meter as a check that its author runs: each part guards a joule."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edgebench.metering import Channel
from edgebench.protocols import Meter, Probe, Readings
from edgebench.testing.answers import require

_MEMBERS = ("name", "probe", "channels", "read", "close")
_READS = 5
_PROBE_S = 1.0
_READ_S = 0.1
"""Sampled ten times a second: one that takes longer is sampled less often than it says."""
_PAIR = 2
_MEASURED = ("wall_measured", "board_measured", "partial_measured", "model_calibrated")
_SPOILT = ("", "garbage\n", "-1\n")
"""What a file may hold one day: its driver has gone, fails, or has nothing to say."""


def check_meter(
    meter: Meter,
    root: Path = Path("/"),
    tree: Mapping[str, str] | None = None,
    values: Mapping[str, int] | None = None,
) -> None:
    r"""Hold a meter against the contract of `edgebench.protocols`, as every built-in one is.

    In the tests of a plug-in, whose meter reads a file::

        def test_my_meter_keeps_the_contract() -> None:
            tree = {"sys/class/my_meter/power": "2500000\n"}
            check_meter(MyMeter(), tree=tree, values={"board": 2_500_000})

    Args:
        meter: To be checked, not probed yet.
        root: Where it finds something to read; not used with ``tree``.
        tree: Files that it reads, by path below the root, if it reads files. They are planted in
            a folder, and then vanish and are garbled one after the other.
        values: What each channel must say of the tree, in its unit. Nothing: not compared.

    Raises:
        AssertionError: It breaks the contract; the message says which part, and how to mend it.
    """
    lacking = [name for name in _MEMBERS if not hasattr(meter, name)]
    require(not lacking, f"it has no {', '.join(lacking)}: see edgebench.protocols.Meter")
    _check_unprobed(meter)
    if tree is None:
        _check_reading(meter, root, values or {})
        return
    with tempfile.TemporaryDirectory(prefix="edgebench-contract-") as name:
        folder = Path(name)
        _check_nothing(meter, folder)
        _plant(folder, tree)
        _check_reading(meter, folder, values or {})
        for path in tree:
            _check_vanished(meter, folder, tree, path)
            for text in _SPOILT:
                _check_spoilt(meter, folder, tree, path, text)


def _plant(root: Path, tree: Mapping[str, str]) -> None:
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def _check_unprobed(meter: Meter) -> None:
    require(meter.channels == (), "channels must be empty before probe(): nothing was found yet")
    require(_read(meter) == (), "read() gives readings before probe(): it has no channels yet")


def _check_reading(meter: Meter, root: Path, values: Mapping[str, int]) -> None:
    """Probe, read a few times, close, and all of it once more."""
    probe = _probe(meter, root)
    require(probe.available, f"it cannot be read here: {probe.reason}: {probe.remedy}")
    channels = meter.channels
    _check_channels(channels)
    taken = [_timed(meter) for _ in range(_READS)]
    fastest_s = min(took_s for _, took_s in taken)
    words = f"read() takes {fastest_s * 1e3:.0f} ms: at most {_READ_S * 1e3:.0f}, it only reads"
    require(fastest_s <= _READ_S, words)
    readings = [one for one, _ in taken]
    told = meter.channels == channels and all(len(one) == len(channels) for one in readings)
    require(told, "channels must stay as probe() found them: None is read where one has gone")
    for at, channel in enumerate(channels):
        series = [one[at] for one in readings]
        words = f"{channel.name}: nothing can be read; probe() must not offer such a channel"
        require(any(one is not None for one in series), words)
        _check_series(channel, [one for one in series if one is not None])
        if channel.name in values and (last := series[-1]) is not None:
            wanted = values[channel.name]
            words = f"{channel.name} says {last[1]}, not {wanted} ({channel.quantity}: the unit?)"
            require(last[1] == wanted, words)
    lost = sorted({*values} - {channel.name for channel in channels})
    require(not lost, f"there is no channel {', '.join(lost)}")
    _check_closed(meter, root, channels)


def _probe(meter: Meter, root: Path) -> Probe:
    start = time.perf_counter()
    try:
        probe = meter.probe(root)
    except Exception as error:  # noqa: BLE001 - whatever it raises, it should not
        raise AssertionError(f"probe() must say why not, and raises {error!r}") from None
    took_s = time.perf_counter() - start
    require(isinstance(probe, Probe), "probe() must return an edgebench.protocols.Probe")
    require(took_s < _PROBE_S, f"probe() takes {took_s:.1f} s: everyone waits for it, 1 s at most")
    if probe.available:
        require(meter.channels != (), "probe() finds something and channels are empty")
    else:
        require(bool(probe.reason), "probe() must tell the reason why nothing can be read")
        require(meter.channels == (), "channels must be empty where nothing can be read")
    return probe


def _check_channels(channels: tuple[Channel, ...]) -> None:
    names = [channel.name for channel in channels]
    require(len({*names}) == len(names), f"two channels have one name: {', '.join(names)}")
    words = "no channel is counted: the meter's figure is the sum of those that are"
    require(any(channel.counted for channel in channels), words)
    for channel in channels:
        what = f"channel {channel.name!r}"
        try:
            msgspec.convert(msgspec.to_builtins(channel), Channel)
        except (msgspec.ValidationError, TypeError) as error:
            raise AssertionError(f"{what} holds a value of the wrong type: {error}") from None
        require(channel.tier in _MEASURED, f"{what}: {channel.tier} is no meter's tier")
        require(bool(channel.covers), f"{what}: covers must say what it feeds")
        partial = channel.tier == "partial_measured"
        words = f"{what} is partial_measured: excludes must say what it does not see"
        require(not partial or bool(channel.excludes), words)
        fitted = channel.tier == "model_calibrated"
        words = f"{what} is model_calibrated: it must tell its fit_error_ratio"
        require(not fitted or channel.fit_error_ratio is not None, words)
        words = f"{what}: only a counter of energy wraps"
        require(channel.wrap_uj is None or channel.quantity == "energy_uj", words)


def _timed(meter: Meter) -> tuple[Readings, float]:
    """One reading, whose times lie within it, and how long it took in s."""
    before = time.perf_counter_ns()
    readings = _read(meter)
    after = time.perf_counter_ns()
    for one in readings:
        if one is None:
            continue
        words = f"a reading is (t_ns, value), two integers, and not {one!r}"
        require(len(one) == _PAIR, words)
        require(all(type(part) is int for part in one), words)
        words = (
            "t_ns must be time.perf_counter_ns() at the reading itself: this one lies "
            f"{(one[0] - before) / 1e9:+.3f} s from its beginning"
        )
        require(before <= one[0] <= after, words)
    return readings, (after - before) / 1e9


def _read(meter: Meter) -> Readings:
    try:
        readings = meter.read()
    except Exception as error:  # noqa: BLE001 - whatever it raises, it should not
        raise AssertionError(f"read() gives None for what has gone, and raises {error!r}") from None
    words = f"read() gives a tuple, an entry a channel, and not {type(readings).__name__}"
    require(isinstance(readings, tuple), words)
    return readings


def _check_series(channel: Channel, series: list[tuple[int, int]]) -> None:
    values = [value for _, value in series]
    words = f"{channel.name} says {min(values)}: nothing draws less than 0; None where unreadable"
    require(min(values) >= 0, words)
    if channel.quantity == "power_uw":
        return
    if channel.wrap_uj is None:
        words = f"{channel.name} runs backwards: a counter that begins anew must tell its wrap_uj"
        require(values == sorted(values), words)
    else:
        words = f"{channel.name} says {max(values)}, beyond its wrap_uj of {channel.wrap_uj}"
        require(max(values) <= channel.wrap_uj, words)


def _check_closed(meter: Meter, root: Path, channels: tuple[Channel, ...]) -> None:
    _close(meter)
    _close(meter)
    again = _probe(meter, root).available and meter.channels == channels
    require(again, "after close() a second probe() must find the same channels")
    _close(meter)


def _close(meter: Meter) -> None:
    try:
        meter.close()
    except Exception as error:  # noqa: BLE001 - whatever it raises, it should not
        words = f"close() must do nothing where nothing is open, and raises {error!r}"
        raise AssertionError(words) from None


def _check_nothing(meter: Meter, root: Path) -> None:
    """Where none of its files are, it finds nothing: it must look below the root it is given."""
    found = _probe(meter, root).available
    require(not found, "probe() finds something in an empty folder: look below the root given")
    _close(meter)


def _check_vanished(meter: Meter, root: Path, tree: Mapping[str, str], path: str) -> None:
    """A file goes while it is read, as where a driver is unloaded."""
    meter.probe(root)
    before = _values(meter)
    (root / path).unlink()
    _check_held(before, _values(meter), f"without {path}")
    _probe(meter, root)
    _plant(root, tree)
    _close(meter)


def _check_spoilt(meter: Meter, root: Path, tree: Mapping[str, str], path: str, text: str) -> None:
    meter.probe(root)
    before = _values(meter)
    (root / path).write_text(text, encoding="utf-8")
    what = f"where {path} holds {text!r}"
    after = _values(meter)
    for told in after:
        require(told is None or told >= 0, f"{what} it says {told}: nothing draws less than 0")
    if not text.strip().lstrip("-").isdigit():
        _check_held(before, after, what)
    _probe(meter, root)
    _plant(root, tree)
    _close(meter)


def _values(meter: Meter) -> list[int | None]:
    return [None if one is None else one[1] for one in _read(meter)]


def _check_held(before: list[int | None], after: list[int | None], what: str) -> None:
    """Nothing new is read of a file that says nothing: the old value (kept open), or None."""
    require(len(after) == len(before), f"{what} a channel is lost: read None for it")
    for old, new in zip(before, after, strict=True):
        require(new in {old, None}, f"{what} it says {new}: None is read there, never 0")
