"""Jetson's rails on planted trees of JetPack 4, 5 and 6."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.meters.jetson import Jetson
from edgebench.testing import write_tree

ORIN_NANO = {"VDD_IN": (5032, 1384), "VDD_CPU_GPU_CV": (5032, 432), "VDD_SOC": (5032, 288)}
AGX_ORIN = {
    "1-0040": {"VDD_GPU_SOC": (19800, 161), "VDD_CPU_CV": (19800, 40), "VIN_SYS_5V0": (5000, 700)},
    "1-0041": {"NC": (1, 1), "VDDQ_VDD2_1V8AO": (5000, 101)},
}


def jetpack6(root: Path, rails: dict[str, tuple[int, int]], chip: str = "1-0040") -> Path:
    """A tree with ``{label: (mV, mA)}`` as JetPack 5 and 6 show an INA3221."""
    folder = f"sys/bus/i2c/drivers/ina3221/{chip}/hwmon/hwmon4"
    files = {f"{folder}/in7_label": "sum of shunt voltages\n", f"{folder}/in7_input": "8\n"}
    for number, (label, (volt_mv, current_ma)) in enumerate(rails.items(), 1):
        files[f"{folder}/in{number}_label"] = f"{label}\n"
        files[f"{folder}/in{number}_input"] = f"{volt_mv}\n"
        files[f"{folder}/curr{number}_input"] = f"{current_ma}\n"
    return write_tree(root, files)


def jetpack4(root: Path, rails: dict[str, str], chip: str = "6-0040") -> Path:
    """A tree with ``{label: mW}`` as JetPack 4 shows an INA3221."""
    folder = f"sys/bus/i2c/drivers/ina3221x/{chip}/iio:device0"
    files = {}
    for number, (label, power_mw) in enumerate(rails.items()):
        files[f"{folder}/rail_name_{number}"] = f"{label}\n"
        files[f"{folder}/in_power{number}_input"] = f"{power_mw}\n"
    return write_tree(root, files)


def opened(root: Path) -> Jetson:
    meter = Jetson()
    probe = meter.probe(root)
    assert probe.available, probe.reason
    return meter


def counted_uw(meter: Jetson) -> int:
    """The meter's figure: the sum of what counts, all of it readable."""
    pairs = zip(meter.channels, meter.read(), strict=True)
    values = [reading for channel, reading in pairs if channel.counted]
    assert all(value is not None for value in values)
    return sum(value[1] for value in values if value is not None)


def test_the_input_of_an_orin_nano_counts_alone(tmp_path: Path) -> None:
    meter = opened(jetpack6(tmp_path, ORIN_NANO))
    assert [(one.name, one.tier, one.counted) for one in meter.channels] == [
        ("VDD_IN", "board_measured", True),
        ("VDD_CPU_GPU_CV", "partial_measured", False),
        ("VDD_SOC", "partial_measured", False),
    ]
    assert meter.channels[0].excludes == ("carrier board",)
    assert meter.channels[1].covers == ("cpu", "gpu", "npu")
    assert counted_uw(meter) == 5032 * 1384


def test_the_input_of_a_nano_counts_alone_on_jetpack_4(tmp_path: Path) -> None:
    rails = {"POM_5V_IN": "2371", "POM_5V_GPU": "120", "POM_5V_CPU": "720"}
    meter = opened(jetpack4(tmp_path, rails))
    assert [one.counted for one in meter.channels] == [True, False, False]
    assert counted_uw(meter) == 2_371_000


def test_an_agx_orin_has_no_input_rail_and_is_the_sum_of_both_chips(tmp_path: Path) -> None:
    for chip, rails in AGX_ORIN.items():
        jetpack6(tmp_path, rails, chip)
    meter = opened(tmp_path)
    assert {one.tier for one in meter.channels} == {"partial_measured"}
    assert all(one.counted and "carrier board" in one.excludes for one in meter.channels)
    wanted = 19800 * 161 + 19800 * 40 + 5000 * 700 + 5000 * 101
    assert counted_uw(meter) == wanted


@pytest.mark.parametrize("chip", ["0-0040", "1-0040", "7-0040", "13-0043"])
def test_the_number_of_the_bus_does_not_matter(tmp_path: Path, chip: str) -> None:
    assert counted_uw(opened(jetpack6(tmp_path, ORIN_NANO, chip))) == 5032 * 1384


def test_a_label_of_two_chips_is_two_rails(tmp_path: Path) -> None:
    jetpack6(tmp_path, {"GPU": (1000, 10)}, "1-0040")
    jetpack6(tmp_path, {"GPU": (1000, 20)}, "1-0041")
    meter = opened(tmp_path)
    assert [one.name for one in meter.channels] == ["GPU", "GPU (2)"]
    assert counted_uw(meter) == 30_000


@pytest.mark.parametrize("content", ["", "abc", "-5", "1.5", "0x10", "99999999999999999999999"])
def test_what_is_no_number_is_no_reading(tmp_path: Path, content: str) -> None:
    meter = opened(jetpack6(tmp_path, ORIN_NANO))
    file = next(tmp_path.glob("**/curr1_input"))
    file.write_text(content)
    first, *others = meter.read()
    assert first is None
    assert all(others)


def test_a_file_that_vanishes_is_no_reading(tmp_path: Path) -> None:
    meter = opened(jetpack4(tmp_path, {"POM_5V_IN": "2371", "POM_5V_CPU": "720"}))
    next(tmp_path.glob("**/in_power0_input")).unlink()
    first, second = meter.read()
    assert first is None
    assert second is not None


def test_without_a_readable_input_the_other_rails_are_a_part_that_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    jetpack6(tmp_path, ORIN_NANO)
    next(tmp_path.glob("**/curr1_input")).write_text("")
    meter = opened(tmp_path)
    assert [one.name for one in meter.channels] == ["VDD_CPU_GPU_CV", "VDD_SOC"]
    assert all(one.counted and "VDD_IN" in one.excludes for one in meter.channels)


def test_another_machine_is_none(tmp_path: Path) -> None:
    probe = Jetson().probe(tmp_path)
    assert not probe.available
    assert probe.reason == "no NVIDIA Jetson"


def test_a_jetson_without_the_driver_says_so(tmp_path: Path) -> None:
    compatible = "nvidia,p3450-0000\0nvidia,tegra210\0"
    write_tree(tmp_path, {"proc/device-tree/compatible": compatible})
    probe = Jetson().probe(tmp_path)
    assert probe.reason == "this Jetson shows no INA3221 sensor"
    assert "JetPack" in probe.remedy


def test_files_that_are_locked_are_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jetpack4(tmp_path, {"POM_5V_IN": "2371"})
    real = os.open

    def refuse(path: Path, flags: int) -> int:  # the suite may run as root: nothing is refused
        if path.name == "in_power0_input":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr("os.open", refuse)
    probe = Jetson().probe(tmp_path)
    assert not probe.available
    assert probe.reason == "in_power0_input may not be read"
    assert probe.remedy.startswith("sudo chmod a+r ")


@given(st.text(max_size=12), st.text(max_size=12))
def test_whatever_is_in_the_files_it_is_a_power_or_none(
    tmp_path_factory: pytest.TempPathFactory, volt: str, current: str
) -> None:
    root = jetpack6(tmp_path_factory.mktemp("jetson"), ORIN_NANO)
    meter = opened(root)
    (found,) = root.glob("**/in1_input")
    found.write_text(volt, encoding="utf-8")
    found.with_name("curr1_input").write_text(current, encoding="utf-8")
    reading = meter.read()[0]
    digits = [text.strip("\0\n ").lstrip("+") for text in (volt, current)]
    if reading is not None:
        assert reading[1] == int(digits[0]) * int(digits[1])
    else:
        assert not all(text.isascii() and text.isdecimal() and text != "" for text in digits)
