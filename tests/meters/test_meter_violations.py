"""The contract finds every meter that breaks it and says what to mend: one fault each."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebench.metering import Channel
from edgebench.meters.rapl import Rapl
from edgebench.protocols import Probe
from edgebench.testing import check_meter

Reads = Any
"""Faulty meters give more kinds of readings than there are."""
POWER, ENERGY = "sys/good/power_mw", "sys/good/energy_uj"
TREE = {POWER: "2500\n", ENERGY: "7000000\n"}
VALUES = {"board": 2_500_000, "core": 7_000_000}
RAPL = {
    "sys/class/powercap/intel-rapl:0/name": "package-0\n",
    "sys/class/powercap/intel-rapl:0/energy_uj": "7500000\n",
    "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850\n",
    "sys/class/powercap/intel-rapl:0:0/name": "core\n",
    "sys/class/powercap/intel-rapl:0:0/energy_uj": "900000\n",
    "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj": "262143328850\n",
}
CHANNELS = (
    Channel(name="board", tier="board_measured", quantity="power_uw", covers=("board",)),
    Channel(
        name="core",
        tier="partial_measured",
        quantity="energy_uj",
        covers=("cpu",),
        excludes=("everything else",),
        counted=False,
        wrap_uj=10_000_000,
    ),
)


class Good:
    """A meter that keeps the contract; the faulty ones below each differ in one thing."""

    name = "good"

    def __init__(self) -> None:
        self.root: Path | None = None
        self.reads = 0

    def probe(self, root: Path) -> Probe:
        self.root = root
        if self.number(POWER) is None and self.number(ENERGY) is None:
            self.root = None
            return Probe(name=self.name, available=False, reason="nothing there", remedy="plant it")
        return Probe(name=self.name, available=True)

    @property
    def channels(self) -> tuple[Channel, ...]:
        return () if self.root is None else CHANNELS

    def read(self) -> Reads:
        if self.root is None:
            return ()
        power, energy = self.number(POWER), self.number(ENERGY)
        return (
            None if power is None else (time.perf_counter_ns(), power * 1000),
            None if energy is None else (time.perf_counter_ns(), energy),
        )

    def number(self, path: str) -> int | None:
        try:
            value = int(((self.root or Path()) / path).read_text())
        except (OSError, ValueError):
            return None
        return value if value >= 0 else None

    def close(self) -> None:
        self.root = None


def read_as(change: Callable[[Good, Any], Any]) -> type[Good]:
    """A meter whose readings are changed: ``change(the meter, its true readings)``."""

    class Faulty(Good):
        def read(self) -> Reads:
            self.reads += 1
            true = super().read()
            return change(self, true) if true else true

    return Faulty


def declared(**changes: object) -> type[Good]:
    """A meter whose channels are declared otherwise."""

    class Faulty(Good):
        @property
        def channels(self) -> tuple[Channel, ...]:
            return tuple(msgspec.structs.replace(one, **changes) for one in super().channels)

    return Faulty


def first(value: Callable[[Good, tuple[int, int]], Any]) -> type[Good]:
    """A meter whose first channel says something else."""
    return read_as(lambda one, true: (true[0] and value(one, true[0]), *true[1:]))


class _Zeroes(Good):
    def read(self) -> Reads:
        return tuple(one or (time.perf_counter_ns(), 0) for one in super().read())


class _ReadsUnprobed(Good):
    def read(self) -> Reads:
        return super().read() or ((time.perf_counter_ns(), 1), None)


class _KnowsUnprobed(Good):
    @property
    def channels(self) -> tuple[Channel, ...]:
        return CHANNELS


class _Raises(Good):
    def number(self, path: str) -> int | None:
        return int(((self.root or Path()) / path).read_text())


class _RaisesLater(Good):
    def read(self) -> Reads:
        if self.root and not (self.root / POWER).exists():
            raise FileNotFoundError(POWER)
        return super().read()


class _Negative(Good):
    def number(self, path: str) -> int | None:
        try:
            return int(((self.root or Path()) / path).read_text())
        except (OSError, ValueError):
            return None


class _Shrinks(Good):
    @property
    def channels(self) -> tuple[Channel, ...]:
        return super().channels[: 1 if self.reads > 2 else 2]

    def read(self) -> Reads:
        self.reads += 1
        return super().read()[: 1 if self.reads > 2 else 2]


class _Elsewhere(Good):
    def probe(self, root: Path) -> Probe:
        del root
        self.root = Path("/")
        return Probe(name=self.name, available=True)


class _Silent(Good):
    def probe(self, root: Path) -> Probe:
        return msgspec.structs.replace(super().probe(root), reason="")


class _ClosesOnce(Good):
    def close(self) -> None:
        if self.root is None:
            raise ValueError("closed already")
        super().close()


class _Slow(Good):
    def probe(self, root: Path) -> Probe:
        found = super().probe(root)
        time.sleep(1.05 if found.available else 0)
        return found


class _SlowRead(Good):
    def read(self) -> Reads:
        time.sleep(0.11)
        return super().read()


class _NoRead:
    name, channels = "x", ()
    probe = close = print


FAULTS: dict[str, tuple[type[Any], str]] = {
    "no read": (_NoRead, "it has no read"),
    "0 for what is missing": (_Zeroes, "None is read there, never 0"),
    "reads before probe": (_ReadsUnprobed, "read() gives readings before probe()"),
    "channels before probe": (_KnowsUnprobed, "channels must be empty before probe()"),
    "probe raises": (_Raises, "probe() must say why not, and raises FileNotFoundError"),
    "read raises": (_RaisesLater, "read() gives None for what has gone, and raises"),
    "negative": (_Negative, "nothing draws less than 0"),
    "fewer channels": (_Shrinks, "channels must stay as probe() found them"),
    "another root": (_Elsewhere, "look below the root given"),
    "no reason": (_Silent, "must tell the reason"),
    "closes once": (_ClosesOnce, "close() must do nothing"),
    "slow probe": (_Slow, "everyone waits for it"),
    "slow read": (_SlowRead, "it only reads"),
    "another clock": (first(lambda _, one: (time.time_ns(), one[1])), "t_ns must be"),
    "old time": (first(lambda _, one: (one[0] - 10**9, one[1])), "t_ns must be"),
    "a float": (first(lambda _, one: (one[0], 2.5)), "two integers"),
    "a bare value": (first(lambda _, one: one[1:]), "two integers"),
    "a bool": (first(lambda _, one: (one[0], True)), "two integers"),
    "a list": (read_as(lambda _, true: list(true)), "read() gives a tuple"),
    "milliwatts": (first(lambda _, one: (one[0], one[1] // 1000)), "(power_uw: the unit?)"),
    "never readable": (read_as(lambda _, true: (None, true[1])), "must not offer such a channel"),
    "backwards": (
        read_as(lambda one, true: (true[0], (true[1][0], true[1][1] * 9 - one.reads))),
        "beyond its wrap_uj",
    ),
    "no covers": (declared(covers=()), "covers must say"),
    "no excludes": (declared(tier="partial_measured", excludes=()), "excludes must say"),
    "no fit error": (declared(tier="model_calibrated"), "fit_error_ratio"),
    "a proxy": (declared(tier="proxy"), "proxy is no meter's tier"),
    "nothing counted": (declared(counted=False), "no channel is counted"),
    "one name": (declared(name="board"), "two channels have one name"),
    "a power that wraps": (declared(quantity="power_uw"), "only a counter of energy wraps"),
    "an odd type": (declared(update_ms="soon"), "value of the wrong type"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_named(fault: str) -> None:
    faulty, words = FAULTS[fault]
    with pytest.raises(AssertionError) as raised:
        check_meter(faulty(), tree=TREE, values=VALUES)
    assert words in str(raised.value)


def test_a_counter_without_a_range_may_not_run_backwards() -> None:
    class Backwards(Good):
        @property
        def channels(self) -> tuple[Channel, ...]:
            return tuple(msgspec.structs.replace(one, wrap_uj=None) for one in super().channels)

        def read(self) -> Reads:
            self.reads += 1
            power, energy = super().read() or (None, None)
            return (power, (energy[0], energy[1] - self.reads)) if energy else ()

    with pytest.raises(AssertionError, match="runs backwards"):
        check_meter(Backwards(), tree=TREE)


def test_a_good_meter_has_no_fault() -> None:
    check_meter(Good(), tree=TREE, values=VALUES)


def test_one_that_cannot_be_read_here_and_one_that_lacks_a_channel_are_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="cannot be read here: nothing there: plant it"):
        check_meter(Good(), root=tmp_path)
    with pytest.raises(AssertionError, match="there is no channel gpu"):
        check_meter(Good(), tree=TREE, values={"gpu": 1})


def test_a_built_in_meter_keeps_the_contract() -> None:
    values = {"package-0": 7_500_000, "package-0/core": 900_000}
    check_meter(Rapl(), tree=RAPL, values=values)
