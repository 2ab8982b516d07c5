"""RAPL by perf events: which events on which CPUs, what a count is, and who may open them."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
import sensors

from edgebench.meters import rapl_perf
from edgebench.meters.rapl_perf import RaplPerf
from edgebench.testing import write_tree

PMU = "sys/bus/event_source/devices/power"
SCALE = 2.0**-32
NUMBERS = {"pkg": 2, "cores": 1, "gpu": 4, "ram": 3, "psys": 5}


def plant(root: Path, *events: str, cpumask: str = "0", vendor: str = "GenuineIntel") -> Path:
    """The power PMU of a machine whose even CPUs are package 0 and whose odd ones package 1."""
    files = {
        f"{PMU}/type": "9\n",
        f"{PMU}/cpumask": f"{cpumask}\n",
        "proc/cpuinfo": f"vendor_id\t: {vendor}\nflags\t\t: fpu\n",
        "proc/sys/kernel/perf_event_paranoid": "2\n",
    }
    for event in events:
        files[f"{PMU}/events/energy-{event}"] = f"event=0x{NUMBERS[event]:02x}\n"
        files[f"{PMU}/events/energy-{event}.scale"] = "2.3283064365386962890625e-10\n"
        files[f"{PMU}/events/energy-{event}.unit"] = "Joules\n"
    for cpu in range(4):
        topology = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files[f"{topology}/physical_package_id"] = f"{cpu % 2}\n"
        files[f"{topology}/die_id"] = f"{cpu // 2}\n"
    return write_tree(root, files)


def counted(meter: RaplPerf) -> list[str]:
    return [channel.name for channel in meter.channels if channel.counted]


def test_the_sum_is_of_packages_and_memory_on_the_cpus_of_the_mask(tmp_path: Path) -> None:
    kernel = sensors.PlayedEvents()
    meter = RaplPerf(kernel)
    plant(tmp_path, "pkg", "cores", "gpu", "ram", "psys", cpumask="0-1,9")
    assert meter.probe(tmp_path).available
    packages = ["package-0", "package-1", "package-9"]  # of CPU 9 no package is told
    assert counted(meter) == [f"{one}{part}" for one in packages for part in ("", "/dram")]
    assert kernel.asked[0] == (9, 2, 0)
    assert {cpu for _, _, cpu in kernel.asked} == {0, 1, 9}
    assert {c.wrap_uj for c in meter.channels} == {None}
    names = [channel.name for channel in meter.channels]
    assert len(set(names)) == len(names)
    meter.close()
    kernel.close()


@pytest.mark.parametrize(
    ("vendor", "names"),
    [
        ("GenuineIntel", ["package-0", "package-0-die-1"]),
        ("AuthenticAMD", ["package-0"]),
    ],
)
def test_dies_count_where_each_has_a_counter_of_its_own(
    tmp_path: Path, vendor: str, names: list[str]
) -> None:
    kernel = sensors.PlayedEvents()
    meter = RaplPerf(kernel)
    assert meter.probe(plant(tmp_path, "pkg", cpumask="0,2", vendor=vendor)).available
    assert counted(meter) == names
    meter.close()
    kernel.close()


def test_planted_energies_come_out_beyond_32_bits(tmp_path: Path) -> None:
    kernel = sensors.PlayedEvents()
    meter = RaplPerf(kernel)
    assert meter.probe(plant(tmp_path, "pkg", "ram")).available

    def move(t_s: float) -> None:
        kernel.say(0, round((8.0 + 12.5 * t_s) / SCALE))
        kernel.say(1, round(1.5 * t_s / SCALE))

    found = sensors.readings_of(meter, move)
    assert sensors.counted_j(meter, found) == pytest.approx(40 * 14.0, rel=1e-3)
    meter.close()
    kernel.close()


def test_this_kernel_counts_through_the_same_call(tmp_path: Path) -> None:
    """The CPU clock, which every kernel has, in place of a counter of energy: 1 J a second."""
    plant(tmp_path, "pkg")
    sensors.put(tmp_path / PMU / "type", 1)  # PERF_TYPE_SOFTWARE
    sensors.put(tmp_path / PMU / "events/energy-pkg", "event=0x00")  # PERF_COUNT_SW_CPU_CLOCK
    sensors.put(tmp_path / PMU / "events/energy-pkg.scale", "1e-9")
    meter = RaplPerf(rapl_perf.open_event)
    probe = meter.probe(tmp_path)
    if not probe.available:
        assert "perf_event_paranoid" in probe.reason
        pytest.skip(f"this user may not: {probe.reason}")
    clock_ns = time.perf_counter_ns
    before_ns, (first,), after_ns = clock_ns(), meter.read(), clock_ns()
    time.sleep(0.3)
    ending_ns, (second,), end_ns = clock_ns(), meter.read(), clock_ns()
    meter.close()
    assert first is not None
    assert second is not None
    assert before_ns < first[0] < after_ns < ending_ns < second[0] < end_ns
    # A busy machine may take the CPU away between a clock's reading and the counter's.
    counted_ns = 1000 * (second[1] - first[1])
    assert 0.98 * (ending_ns - after_ns) < counted_ns < 1.02 * (end_ns - before_ns)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM])
def test_who_may_not_open_them_is_told_what_would_let_him(tmp_path: Path, code: int) -> None:
    def refuse(*_event: int) -> int:
        raise OSError(code, os.strerror(code))

    probe = RaplPerf(refuse).probe(plant(tmp_path, "pkg"))
    assert not probe.available
    assert "kernel.perf_event_paranoid <= 0 (it is 2)" in probe.reason
    assert "sudo sysctl" in probe.remedy


def test_an_event_that_cannot_be_opened_leaves_none_open(tmp_path: Path) -> None:
    kernel = sensors.PlayedEvents()

    def second_fails(kind: int, config: int, cpu: int) -> int:
        if kernel.handles:
            raise OSError(errno.EINVAL, "Invalid argument")
        return kernel(kind, config, cpu)

    meter = RaplPerf(second_fails)
    probe = meter.probe(plant(tmp_path, "pkg", "ram"))
    assert not probe.available
    assert "Invalid argument" in probe.reason
    assert meter.channels == ()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.handles[0])
    kernel.close()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("type", "nine"),
        ("events/energy-pkg", "event=two"),
        ("events/energy-pkg", "event=0x02,umask=0x01"),
        ("events/energy-pkg.scale", "small"),
        ("events/energy-pkg.scale", "nan"),
        ("events/energy-pkg.unit", "Watts"),
    ],
)
def test_an_event_that_is_not_understood_is_not_opened(
    tmp_path: Path, file: str, content: str
) -> None:
    plant(tmp_path, "pkg")
    sensors.put(tmp_path / PMU / file, content)
    kernel = sensors.PlayedEvents()
    assert not RaplPerf(kernel).probe(tmp_path).available
    assert kernel.asked == []


def test_a_counter_that_ends_is_no_reading(tmp_path: Path) -> None:
    kernel = sensors.PlayedEvents()
    meter = RaplPerf(kernel)
    assert meter.probe(plant(tmp_path, "pkg")).available
    assert meter.read() == (None,)  # the kernel has nothing to say (EAGAIN)
    kernel.close()
    assert meter.read() == (None,)  # the end of the file
    meter.close()


def test_events_of_this_kernel_are_not_opened_for_another_root(tmp_path: Path) -> None:
    probe = RaplPerf().probe(plant(tmp_path, "pkg"))
    assert not probe.available
    assert "running kernel" in probe.reason


def test_a_machine_without_the_events_is_told_why() -> None:
    probe = RaplPerf().probe(Path("/"))
    assert probe.available or probe.reason
