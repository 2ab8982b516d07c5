"""Small kernel files: what is no number is no reading, and no folder is an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest
import sensors
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench import plugins
from edgebench.meters import files
from edgebench.protocols import Meter

MINE = ("battery", "hwmon", "rapl", "rapl-perf")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12\n", 12),
        ("-3", -3),
        ("0", 0),
        ("", None),
        ("1_0", None),
        ("٣", None),
        ("3.0", None),
        ("3 mW", None),
        ("\x00", None),
    ],
)
def test_whole_numbers_and_nothing_else(tmp_path: Path, text: str, value: int | None) -> None:
    file = tmp_path / "value"
    file.write_text(text, encoding="utf-8")
    assert files.read_int(file) == value


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=40))
def test_whatever_a_file_holds_it_is_an_amount_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "amount"
    file.write_bytes(content)
    value = files.read_amount(file)
    assert value is None or (0 <= value < 2**64 and str(value).encode() in content)


@pytest.mark.parametrize("value", [-1, 2**64, None])
def test_what_a_series_cannot_hold_is_no_amount(value: int | None) -> None:
    assert files.amount(value) is None


def test_missing_files_folders_in_their_place_and_denied_ones_are_told_apart() -> None:
    with sensors.folder_for_all() as root:
        sensors.put(root / "denied", 1)
        (root / "denied").chmod(0)
        (root / "folder").mkdir()
        paths = [root / name for name in ("denied", "folder", "none")]
        with sensors.without_rights():
            assert [files.read_int(path) for path in paths] == [None, None, None]
            assert [files.denied(path) for path in paths] == [True, False, False]


def test_numbered_entries_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("hwmon10", "hwmon2", "hwmon2a"):
        (tmp_path / name).touch()
    assert [one.name for one in files.entries(tmp_path)] == ["hwmon2", "hwmon2a", "hwmon10"]
    assert files.entries(tmp_path / "none") == ()


def test_a_kernels_list_of_cpus() -> None:
    assert files.cpu_list("0-2,8") == (0, 1, 2, 8)
    assert files.cpu_list("x,5,3-y") == (5,)


@pytest.mark.parametrize("name", MINE)
def test_registered_meters_fulfil_their_contract(name: str) -> None:
    meter = plugins.open_meter(name)
    assert isinstance(meter, Meter)
    assert meter.name == name
    assert meter.channels == ()
    assert meter.read() == ()
    probe = plugins.probe_meter(name, Path("/"))
    assert probe.name == name
    assert probe.available or probe.reason


def test_a_name_that_is_no_meter_is_told_without_a_traceback() -> None:
    assert "no meter named" in plugins.probe_meter("nothing", Path("/")).reason
    told = plugins.probe_meter("edgebench.testing:NullBackend", Path("/"))
    assert "is not a meter: it has no channels, read, close" in told.reason
    assert "is not a class" in plugins.probe_meter("edgebench.meters.files:re", Path("/")).reason
    assert "no_such is not installed" in plugins.probe_meter("no_such:Meter", Path("/")).reason
