"""A verdict tells heat from a weak supply and from neighbours, and knows nothing it cannot read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebench.analysis import disturbances, slowdowns, validity
from edgebench.host import environment
from edgebench.machine import Environment, Look
from edgebench.records import Case, PlannedCase, Record
from edgebench.testing import trees

Make = Callable[..., Record]
WINDOW_NS = 2_000_000_000
QUIET = Environment(
    busy_all_ns=0,
    throttled_ns=0,
    steal_ns=0,
    swapped_pages=0,
    swap_used_byte=0,
    governor="ondemand",
    throttle_bits=0x50000,
    throttle_counts={"core": 3, "oc1": 1},
    cooling_states={"cooling_device0:cpufreq-cpu0": 0},
    pressure_ns={"cpu": 0, "memory": 0, "io": 0},
    allowed_mhz=(1000.0, 2000.0),
    residency_ns={
        "policy0": {600_000: 0, 1_000_000: 0},
        "policy4": {1_000_000: 5, 2_000_000: 9},
    },
    temperature_degc={"thermal_zone0:cpu": 50.0},
    limit_degc={"thermal_zone0:cpu": 80.0},
)
AT_WORK = {
    "policy0": {600_000: WINDOW_NS, 1_000_000: 0},
    "policy4": {1_000_000: 5, 2_000_000: 9 + WINDOW_NS},
}
SLOW = {
    "policy0": {600_000: WINDOW_NS, 1_000_000: 0},
    "policy4": {1_000_000: 5 + WINDOW_NS // 2, 2_000_000: 9 + WINDOW_NS // 2},
}


@pytest.fixture
def launched(case: Callable[..., Case], record: Make) -> Make:
    """A launch of 2 s, quiet but for what is given of its end."""

    def make(looks: tuple[tuple[str, ...], ...] = (), **after: Any) -> Record:  # noqa: ANN401
        late = msgspec.structs.replace(QUIET, **{"residency_ns": AT_WORK, **after})
        return record(
            case(),
            window_ns=WINDOW_NS,
            cpu_ns=WINDOW_NS,
            environment_before=QUIET,
            environment_after=late,
            looks=tuple(
                Look(t_ns=7 + second * 10**9, stage="measure", slowed_by=words)
                for second, words in enumerate(looks)
            ),
        )

    return make


@pytest.mark.parametrize(
    ("after", "cause", "words"),
    [
        ({"throttle_bits": 0x50001}, "supply", "the power supply is too weak: under-voltage"),
        ({"throttle_bits": 0xD0000}, "heat", "throttled: the firmware's soft temperature limit"),
        ({"throttle_counts": {"core": 4, "oc1": 1}}, "heat", "throttled: a core throttled"),
        ({"throttle_counts": {"core": 3, "oc1": 2}}, "supply", "under-voltage"),
        ({"cooling_states": {"cooling_device0:cpufreq-cpu0": 2}}, "heat", "cpufreq-cpu0"),
        ({"allowed_mhz": (1000.0, 1500.0)}, "heat", "clock fell from 2000 to 1500 MHz"),
        ({"residency_ns": SLOW}, "unsure", "ran at 1500 MHz on average, 2000 MHz are allowed"),
        ({"temperature_degc": {"thermal_zone0:cpu": 79.5}}, "unsure", "slowed down from 80"),
    ],
)
def test_what_held_a_device_back_is_named_with_its_cause(
    launched: Make, after: dict[str, object], cause: str, words: str
) -> None:
    (found,) = slowdowns.of(launched(**after))
    assert found.cause == cause
    assert words in found.words


def test_what_was_before_or_cannot_be_read_holds_nothing_back(
    launched: Make, case: Callable[..., Case], record: Make
) -> None:
    assert slowdowns.of(launched()) == []
    assert slowdowns.of(launched(throttle_bits=None, throttle_counts={}, residency_ns={})) == []
    dark = record(case(), environment_before=Environment(), environment_after=Environment())
    assert slowdowns.of(dark) == []
    assert disturbances.of(dark) == []
    # A CPU that waits for an accelerator or for a camera may rest.
    resting = msgspec.structs.replace(launched(residency_ns=SLOW), cpu_ns=WINDOW_NS // 2)
    assert slowdowns.of(resting) == []


def test_what_only_the_parent_saw_counts_within_the_window(launched: Make) -> None:
    (found,) = slowdowns.of(launched(looks=((), ("gpu-throttle-alert",), ())))
    assert found == ("heat", "throttled: gpu-throttle-alert", False)
    seen = launched(looks=((), (), ("under-voltage",))).looks
    assert slowdowns.first(seen) == (2_000_000_000, ("under-voltage",))
    assert slowdowns.first(()) is None
    warming = tuple(msgspec.structs.replace(look, stage="warmup") for look in seen)
    assert slowdowns.first(warming) is None


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"steal_ns": 150_000_000, "busy_all_ns": WINDOW_NS + 150_000_000}, "gave 8% of a CPU"),
        ({"pressure_ns": {"cpu": 0, "memory": 60_000_000}}, "waited for memory 3%"),
        ({"pressure_ns": {"cpu": 700_000_000, "memory": 0}}, "waited for cpu 35%"),
        ({"pressure_ns": {"cpu": 400_000_000, "io": WINDOW_NS}}, ""),
        ({"swapped_pages": 21}, "swapping: 21 pages"),
        ({"swapped_pages": 20, "swap_used_byte": 81920}, ""),  # a few cold ones, put aside
        ({"governor": "powersave"}, "governor changed from ondemand to powersave"),
        ({"governor": None, "steal_ns": None, "pressure_ns": {}}, ""),
    ],
)
def test_neighbours_are_told_by_what_they_took(
    launched: Make, after: dict[str, object], words: str
) -> None:
    found = disturbances.of(launched(**after))
    assert len(found) == bool(words)
    assert words in "".join(found)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"swapped_pages": 16, "pressure_ns": {"memory": 9_000_000}}, ""),
        ({"swapped_pages": 17}, "swapping: 17 pages"),
        ({"pressure_ns": {"memory": 12_000_000}}, "waited for memory 4%"),
        ({"busy_all_ns": 325_000_000, "steal_ns": 25_000_000}, ""),
        ({"busy_all_ns": 335_000_000}, "other processes used 12% of a CPU"),
    ],
)
def test_a_window_of_a_third_of_a_second_is_not_flagged_for_a_daemon_that_wakes(
    launched: Make, after: dict[str, object], words: str
) -> None:
    quiet = {"busy_all_ns": 300_000_000, "residency_ns": {}}
    short = msgspec.structs.replace(
        launched(**{**quiet, **after}), window_ns=300_000_000, cpu_ns=300_000_000
    )
    found = disturbances.of(short)
    assert len(found) == bool(words)
    assert words in "".join(found)


def test_an_intruder_is_named(launched: Make) -> None:
    noisy = launched(busy_all_ns=2 * WINDOW_NS)
    intruders = {"stress": WINDOW_NS * 9 // 10, "cron": WINDOW_NS // 100}
    (told,) = disturbances.of(msgspec.structs.replace(noisy, intruders=intruders))
    assert told == "other processes used 100% of a CPU: stress 90%"
    unread = msgspec.structs.replace(launched(busy_all_ns=None), intruders=intruders)
    assert disturbances.of(unread) == ["other processes used 91% of a CPU: stress 90%"]


def test_what_a_worker_does_beside_its_window_is_no_intruder(launched: Make) -> None:
    aside_ns = WINDOW_NS // 2
    seen = launched(busy_all_ns=WINDOW_NS + aside_ns, own_ns=WINDOW_NS + aside_ns)
    before = msgspec.structs.replace(QUIET, own_ns=0)
    assert disturbances.of(msgspec.structs.replace(seen, environment_before=before)) == []
    # Records of before that was kept have only the CPU time of the window.
    assert disturbances.of(seen) == ["other processes used 50% of a CPU"]


def judged(launches: list[Record], case: Case) -> tuple[str, list[str]]:
    """The verdict on a case of these launches."""
    return validity.verdict(launches, PlannedCase(case_id=case.case_id, case=case))


def test_one_hot_launch_is_enough_for_suspicion_and_no_heat_makes_invalid(
    launched: Make, case: Callable[..., Case]
) -> None:
    hot = launched(cooling_states={"cooling_device0:cpufreq-cpu0": 2})
    told = "throttled: cpufreq-cpu0 (1 of 3 launches)"
    assert judged([launched(), hot, launched()], case()) == ("suspect", [told])
    assert judged([hot, hot, hot], case())[0] == "suspect"


def test_sustained_asks_for_heat_but_not_for_a_weak_supply(
    launched: Make, case: Callable[..., Case]
) -> None:
    minutes = case(scenario="sustained", parameters={"minutes": 10.0})
    hot = launched(cooling_states={"cooling_device0:cpufreq-cpu0": 2}, residency_ns=SLOW)
    assert judged([hot], minutes) == ("valid", [])
    assert judged([launched(throttle_counts={"core": 3, "oc1": 2})], minutes)[0] == "suspect"


def test_under_voltage_from_end_to_end_of_half_the_launches_is_invalid(
    launched: Make, case: Callable[..., Case]
) -> None:
    low = ("under-voltage",)
    weak = launched(looks=(low, low), throttle_bits=0x50001)
    before = msgspec.structs.replace(QUIET, throttle_bits=0x50001)
    always = msgspec.structs.replace(weak, environment_before=before)
    assert judged([weak, weak], case())[0] == "suspect", "it began meanwhile"
    recovered = msgspec.structs.replace(always, looks=launched(looks=(low, ())).looks)
    assert judged([recovered], case())[0] == "suspect"
    assert judged([always, launched()], case()) == (
        "invalid",
        ["the power supply is too weak: under-voltage (1 of 2 launches)"],
    )
    assert judged([always, launched(), launched()], case())[0] == "suspect"


@pytest.mark.parametrize(
    ("board", "file", "text", "words"),
    [
        ("raspberry-pi-5", "get_throttled", "80008", "throttled: the firmware's soft temperature"),
        ("raspberry-pi-4", "get_throttled", "50005", "too weak: under-voltage, the firmware thr"),
        ("jetson-nano", "cooling_device1/cur_state", "1", "throttled: cpu-balanced"),
        ("rock-5b", "cooling_device2/cur_state", "3", "throttled: thermal-cpufreq-1"),
        ("n100", "cpu0/thermal_throttle/package_throttle_count", "4", "the processor throttled"),
    ],
)
def test_boards_tell_of_being_slowed_down_where_they_really_do(
    tmp_path: Path, board: str, file: str, text: str, words: str
) -> None:
    root = trees.plant(board, tmp_path)
    before = environment.snapshot(root)
    (path,) = (p for p in root.rglob(Path(file).name) if p.match(file))
    path.write_text(f"{text}\n", encoding="ascii")
    blank = Record(run_id="", case_id="", launch=0, started_at_utc="", status="ok")
    quiet = msgspec.structs.replace(
        blank, window_ns=WINDOW_NS, environment_before=before, environment_after=before
    )
    assert slowdowns.of(quiet) == []
    slow = msgspec.structs.replace(quiet, environment_after=environment.snapshot(root))
    assert [words in each.words for each in slowdowns.of(slow)] == [True]
