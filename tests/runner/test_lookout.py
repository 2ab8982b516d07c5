"""The parent looks around while a launch runs: seldom, cheaply, and tells what slows a device."""

from __future__ import annotations

from pathlib import Path

from edgebench.machine import Stage
from edgebench.runner.lookout import Lookout
from edgebench.testing import FakeClock, write_tree

THERMAL = "sys/class/thermal"
COUNT = "sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count"
TREE = {
    f"{THERMAL}/thermal_zone0/type": "cpu\n",
    f"{THERMAL}/thermal_zone0/temp": "51000\n",
    f"{THERMAL}/cooling_device0/type": "cpufreq-cpu0\n",
    f"{THERMAL}/cooling_device0/cur_state": "0\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1800000\n",
    COUNT: "7\n",
}
NS = 1_000_000_000


def test_it_looks_once_a_second_and_where_a_stage_begins(tmp_path: Path) -> None:
    clock = FakeClock()
    lookout = Lookout(write_tree(tmp_path, TREE), clock)
    stages: tuple[Stage, ...] = ("load", "load", "measure", "measure")
    for stage in stages:
        lookout.glance(stage)
        clock.advance(NS // 4)
    assert [look.stage for look in lookout.looks] == ["load", "measure"]
    clock.advance(NS)
    lookout.glance("measure")
    last = lookout.looks[-1]
    assert (last.hottest_degc, last.cpu_mhz, last.slowed_by) == (51.0, (1800.0,), ())


def test_what_slows_the_device_down_is_named_while_it_does(tmp_path: Path) -> None:
    clock = FakeClock()
    lookout = Lookout(write_tree(tmp_path, TREE), clock)
    seen = []
    for state, count in ((0, 7), (2, 9), (0, 9), (0, 8)):
        write_tree(
            tmp_path, {f"{THERMAL}/cooling_device0/cur_state": f"{state}", COUNT: f"{count}"}
        )
        clock.advance(NS)
        lookout.glance("measure")
        seen.append(lookout.looks[-1].slowed_by)
    both = ("cpufreq-cpu0", "the processor throttled itself for heat")
    assert seen == [(), both, (), ()]


def test_half_an_hour_of_looks_stays_small_and_keeps_when_it_changed(tmp_path: Path) -> None:
    clock = FakeClock()
    lookout = Lookout(write_tree(tmp_path, TREE), clock)
    for second in range(1800):
        state = int(900 <= second < 905)
        write_tree(tmp_path, {f"{THERMAL}/cooling_device0/cur_state": f"{state}"})
        lookout.glance("measure")
        clock.advance(NS)
    assert len(lookout.looks) <= 512
    slowed = [look.t_ns // NS for look in lookout.looks if look.slowed_by]
    assert slowed[0] == 900
    assert next(look.t_ns // NS for look in lookout.looks if look.t_ns // NS > slowed[-1]) == 905


def test_files_that_vanish_tell_nothing(tmp_path: Path) -> None:
    lookout = Lookout(write_tree(tmp_path, TREE), FakeClock())
    for name in TREE:
        (tmp_path / name).unlink()
    lookout.glance("measure")
    (look,) = lookout.looks
    assert (look.hottest_degc, look.cpu_mhz, look.slowed_by) == (None, (), ())
