"""Planted machines unpack into what they say, wherever they are unpacked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgebench.testing import trees

TEN = (
    *("cloud-vm", "container-quota", "coral-dev-board", "jetson-nano", "jetson-orin-nano"),
    *("n100", "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2-w", "rock-5b"),
)


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_the_ten_machines_are_there() -> None:
    assert trees.names() == TEN


@pytest.mark.parametrize("name", TEN)
def test_a_machine_is_the_same_however_often_it_is_planted(name: str, tmp_path: Path) -> None:
    first = contents(trees.plant(name, tmp_path / "a"))
    assert first == contents(trees.plant(name, tmp_path / "a"))
    assert first == contents(trees.plant(name, tmp_path / "b" / "c"))
    assert first["proc/cpuinfo"].count(b"processor\t:") == trees.truth(name)["cpus_online"]


def test_links_stay_inside_and_lead_to_what_they_name(tmp_path: Path) -> None:
    root = trees.plant("jetson-orin-nano", tmp_path)
    assert (root / "sys/class/hwmon/hwmon1/in1_label").read_text() == "VDD_IN\n"
    assert (root / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1").is_dir()
    for path in root.rglob("*"):
        if path.is_symlink():
            assert not path.readlink().is_absolute()
            assert path.resolve().is_relative_to(root.resolve())


def test_what_a_container_engine_masks_is_listed_and_leads_nowhere(tmp_path: Path) -> None:
    root = trees.plant("container-quota", tmp_path)
    zone = root / "sys/class/powercap/intel-rapl:0"
    assert zone.is_symlink()
    assert not zone.exists()
    assert list((root / "sys/devices/virtual/powercap").iterdir()) == []


def test_modes_are_those_of_the_device(tmp_path: Path) -> None:
    zone = trees.plant("n100", tmp_path) / "sys/class/powercap/intel-rapl:0"
    assert (zone / "energy_uj").stat().st_mode & 0o777 == 0o400
    assert (zone / "name").stat().st_mode & 0o004
    assert os.access(zone / "energy_uj", os.R_OK)


def test_numbers_of_a_path_are_those_of_its_content(tmp_path: Path) -> None:
    base = trees.plant("container-quota", tmp_path) / "sys/devices/system/cpu/cpufreq"
    assert (base / "policy11/affected_cpus").read_text() == "11\n"
    assert len(list(base.iterdir())) == 16


def test_an_unknown_machine_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="n100"):
        trees.plant("n10", tmp_path)
