"""RAPL by powercap: nested, mirrored, wrapped, forbidden, masked and broken counters."""

from __future__ import annotations

from pathlib import Path

import pytest
import sensors
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench import plugins
from edgebench.meters.rapl import Rapl
from edgebench.testing import write_tree

POWERCAP = "sys/class/powercap"
WRAP_UJ = 262_143_328_850
CPUINFO = "processor\t: 0\nflags\t\t: fpu sse2 avx2\n"
N100 = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "uncore",
    "intel-rapl:1": "psys",
    "intel-rapl-mmio:0": "package-0",
}


def plant(root: Path, zones: dict[str, str], wrap_uj: int = WRAP_UJ) -> Path:
    """Zones by folder; every counter begins elsewhere."""
    files = {"proc/cpuinfo": CPUINFO}
    for place, (folder, name) in enumerate(zones.items()):
        files[f"{POWERCAP}/{folder}/name"] = f"{name}\n"
        files[f"{POWERCAP}/{folder}/max_energy_range_uj"] = f"{wrap_uj}\n"
        files[f"{POWERCAP}/{folder}/energy_uj"] = f"{5_000_000_000 * (place + 1)}\n"
    return write_tree(root, files)


def counter(root: Path, zone: str) -> Path:
    return root / POWERCAP / zone / "energy_uj"


def probed(root: Path) -> Rapl:
    meter = Rapl()
    assert meter.probe(root).available
    return meter


def counted(meter: Rapl) -> list[str]:
    return [channel.name for channel in meter.channels if channel.counted]


def test_the_sum_is_of_packages_and_memory_and_of_nothing_within_them(tmp_path: Path) -> None:
    server = {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "dram",
        "intel-rapl:0:1": "core",
        "intel-rapl:1": "package-1",
        "intel-rapl:1:0": "dram",
        "intel-rapl:10": "psys-1",
    }
    meter = probed(plant(tmp_path, server))
    assert counted(meter) == ["package-0", "package-0/dram", "package-1", "package-1/dram"]
    assert [c.name for c in meter.channels if not c.counted] == ["package-0/core", "psys-1"]


def test_memory_mapped_registers_are_not_added_to_the_same_package_by_msr(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, N100))
    assert counted(meter) == ["package-0"]
    assert len(meter.channels) == 4
    only = probed(plant(tmp_path / "mmio", {"intel-rapl-mmio:0": "package-0"}))
    assert counted(only) == ["package-0"]
    root = plant(tmp_path / "still", N100)
    counter(root, "intel-rapl:0").write_text("0\n")
    assert counted(probed(root)) == ["package-0"], "the MSR stands still, the registers do not"


def test_a_package_with_graphics_covers_them_and_every_channel_says_what_it_excludes(
    tmp_path: Path,
) -> None:
    meter = probed(plant(tmp_path, N100))
    assert meter.channels[0].covers == ("cpu", "gpu")
    for channel in meter.channels:
        assert channel.tier == "partial_measured"
        assert channel.excludes
        assert channel.wrap_uj == WRAP_UJ


def test_planted_energies_come_out(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, N100))
    power_w = {"intel-rapl:0": 6.0, "intel-rapl:0:0": 4.0, "intel-rapl:1": 11.0}

    def move(t_s: float) -> None:
        for zone, watts in power_w.items():
            sensors.put(counter(tmp_path, zone), 7_000_000 + round(watts * t_s * 1e6))

    found = sensors.readings_of(meter, move)
    assert sensors.counted_j(meter, found) == pytest.approx(240.0, rel=1e-3)
    assert sensors.energy_j(meter.channels[1], found, 1) == pytest.approx(160.0, rel=1e-3)


@settings(deadline=None, max_examples=40)
@given(
    wrap_uj=st.integers(10**6, 2**62),
    start=st.floats(0, 1),
    shares=st.lists(st.floats(0, 0.99), min_size=2, max_size=20),
)
def test_a_counter_that_begins_again_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, wrap_uj: int, start: float, shares: list[float]
) -> None:
    root = plant(tmp_path_factory.mktemp("wrap"), {"intel-rapl:0": "package-0"}, wrap_uj)
    sensors.put(counter(root, "intel-rapl:0"), 1)
    meter = probed(root)
    at_uj = [min(wrap_uj - 1, int(start * wrap_uj))]
    at_uj += [int(share * wrap_uj) for share in shares]
    for place in range(1, len(at_uj)):
        at_uj[place] += at_uj[place - 1]

    def move(t_s: float) -> None:
        sensors.put(counter(root, "intel-rapl:0"), at_uj[round(t_s)] % wrap_uj)

    found = sensors.readings_of(meter, move, seconds=len(shares), rate_hz=1.0)
    assert sensors.counted_j(meter, found) == pytest.approx((at_uj[-1] - at_uj[0]) / 1e6)


def test_dies_that_mirror_one_counter_are_counted_once(tmp_path: Path) -> None:
    dies = {"intel-rapl:0": "package-0-die-0", "intel-rapl:1": "package-0-die-1"}
    plant(tmp_path, dies)
    assert counted(probed(tmp_path)) == ["package-0-die-0", "package-0-die-1"]
    sensors.put(counter(tmp_path, "intel-rapl:1"), 5_000_060_000)
    meter = probed(tmp_path)
    assert counted(meter) == ["package-0-die-0"]
    assert len(meter.channels) == 2  # what was read of it stays in the record


def test_dies_that_bear_their_packages_name_are_told_apart(tmp_path: Path) -> None:
    plant(tmp_path, {"intel-rapl:0": "package-0", "intel-rapl:1": "package-0"})
    assert counted(probed(tmp_path)) == ["package-0@intel-rapl:0", "package-0@intel-rapl:1"]
    sensors.put(counter(tmp_path, "intel-rapl:1"), 5_000_060_000)
    assert counted(probed(tmp_path)) == ["package-0@intel-rapl:0"]


def test_packages_that_say_the_same_are_two(tmp_path: Path) -> None:
    plant(tmp_path, {"intel-rapl:0": "package-0", "intel-rapl:1": "package-1"})
    sensors.put(counter(tmp_path, "intel-rapl:1"), 5_000_000_000)
    assert counted(probed(tmp_path)) == ["package-0", "package-1"]


def test_a_counter_that_only_root_may_read_is_told_with_its_remedy() -> None:
    with sensors.folder_for_all() as root:
        plant(root, N100)
        for zone in N100:
            counter(root, zone).chmod(0)
        with sensors.without_rights():
            probe = Rapl().probe(root)
    assert not probe.available
    assert probe.reason == "only root may read energy_uj"
    assert "sudo chmod a+r" in probe.remedy


def test_a_masked_folder_is_told_from_a_missing_one(tmp_path: Path) -> None:
    target = tmp_path / "sys/devices/virtual/powercap"
    target.mkdir(parents=True)  # the engine's empty folder over the real one
    (tmp_path / POWERCAP).mkdir(parents=True)
    (tmp_path / POWERCAP / "intel-rapl:0").symlink_to(target / "intel-rapl/intel-rapl:0")
    probe = Rapl().probe(tmp_path)
    assert not probe.available
    assert "masked" in probe.reason
    assert "outside of the container" in probe.remedy


@pytest.mark.parametrize(
    ("cpuinfo", "words"),
    [
        ("flags\t: fpu hypervisor\n", "virtual machine"),
        ("Features\t: asimd\n", "no x86"),
        (CPUINFO, "no RAPL domain"),
    ],
)
def test_why_there_is_none_is_told(tmp_path: Path, cpuinfo: str, words: str) -> None:
    probe = Rapl().probe(write_tree(tmp_path, {"proc/cpuinfo": cpuinfo}))
    assert not probe.available
    assert words in probe.reason


def test_this_machine_is_read_or_says_why_not() -> None:
    meter = plugins.open_meter("rapl")
    probe = meter.probe(Path("/"))
    assert probe.available == bool(meter.channels)
    assert probe.available or probe.reason
    assert plugins.probe_meter("rapl", Path("/")) == probe


@pytest.mark.parametrize("content", ["", "garbage", "12 uJ", "-5", "1e6", "0x10", "9" * 30])
def test_a_malformed_counter_is_no_reading(tmp_path: Path, content: str) -> None:
    meter = probed(plant(tmp_path, {"intel-rapl:0": "package-0"}))
    sensors.put(counter(tmp_path, "intel-rapl:0"), content)
    assert meter.read() == (None,)
    assert not Rapl().probe(tmp_path).available


def test_a_counter_that_stands_at_0_is_none_but_may_pass_through_it(tmp_path: Path) -> None:
    plant(tmp_path, {"intel-rapl:0": "package-0"})
    meter = probed(tmp_path)
    sensors.put(counter(tmp_path, "intel-rapl:0"), 0)
    (reading,) = meter.read()
    assert reading is not None  # it began again just now
    assert reading[1] == 0
    probe = Rapl().probe(tmp_path)
    assert not probe.available
    assert "above 0" in probe.reason


def test_a_counter_beyond_its_own_range_is_no_reading(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, {"intel-rapl:0": "package-0"}))
    sensors.put(counter(tmp_path, "intel-rapl:0"), WRAP_UJ + 1)
    assert meter.read() == (None,)


def test_a_counter_that_vanishes_is_no_reading_and_comes_back(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, N100))
    file = counter(tmp_path, "intel-rapl:0")
    file.unlink()
    first, *others = meter.read()
    assert first is None
    assert None not in others
    file.mkdir()  # unreadable for root too
    assert meter.read()[0] is None
    file.rmdir()
    sensors.put(file, 17)
    first, *_ = meter.read()
    assert first is not None
    assert first[1] == 17


def test_a_closed_meter_reads_nothing(tmp_path: Path) -> None:
    meter = probed(plant(tmp_path, N100))
    meter.close()
    assert meter.channels == ()
    assert meter.read() == ()
    assert meter.probe(tmp_path).available
