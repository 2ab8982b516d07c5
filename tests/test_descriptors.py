"""devices/*.toml: what is wrong is named in one line; what a machine says is held against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench import resources
from edgebench.descriptors import read_device, shared_matches
from edgebench.errors import UsageError

FACT = """[[facts]]
key = "idle_w"
value = 2.5
source = "https://example.org/review"
year = 2023
"""
DEVICE = f"""
schema = 1
name = "board"
match = {{ compatible = ["maker,board"] }}
{FACT}
[[rails]]
label = "VDD_IN"
covers = ["module"]
total = true
source = "https://example.org/schematic"
"""


def device(folder: Path, text: str, name: str = "board") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_device_is_read(tmp_path: Path) -> None:
    spec = read_device(device(tmp_path, DEVICE))
    fact = spec.fact("idle_w")
    assert fact is not None
    assert (fact.value, fact.year) == (2.5, 2023)
    assert spec.fact("price_usd") is None
    assert spec.rails[0].total


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("schema = 1", "schema = 9"), "schema"),
        (('name = "board"', 'name = "other"'), "file's name"),
        (('compatible = ["maker,board"]', ""), "match is empty"),
        (("compatible", "compatable"), "compatable"),
        (('key = "idle_w"', 'key = "idle"'), "unit"),
        (("value = 2.5", "value = true"), "value"),
        (("https://example.org/review", "http://example.org"), "https"),
        (("https://example.org/schematic", "a friend"), "https"),
        (("year = 2023", "year = 23"), "year"),
        (("year = 2023", ""), "year"),
        (("[[rails]]", FACT + "[[rails]]"), "told twice"),
    ],
)
def test_a_wrong_device_is_told_by_its_key(
    tmp_path: Path, change: tuple[str, str], names: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_device(device(tmp_path, DEVICE.replace(*change, 1)))
    assert names in str(caught.value)


def test_a_board_that_two_devices_claim_is_found(tmp_path: Path) -> None:
    one = read_device(device(tmp_path, DEVICE))
    twin = DEVICE.replace('name = "board"', 'name = "twin"')
    two = read_device(device(tmp_path, twin, "twin"))
    assert shared_matches([one, two]) == {"twin": "match compatible 'maker,board' is board's too"}


def test_user_devices_come_before_the_bundled_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "devices").mkdir()
    mine = device(tmp_path / "devices", DEVICE.replace('"board"', '"rock-5b"'), "rock-5b")
    monkeypatch.setenv("EDGEBENCH_PATH", str(tmp_path))
    assert resources.device_files()["rock-5b"] == mine
    assert resources.open_device("rock-5b").match.compatible == ("maker,board",)
    with pytest.raises(UsageError, match=r"known: .*raspberry-pi-5"):
        resources.open_device("raspberry-pi-6")


def test_the_bundled_devices_are_in_order_and_claim_a_board_each() -> None:
    devices = resources.open_devices()
    assert {device.name for device in devices} >= {
        "raspberry-pi-4",
        "raspberry-pi-5",
        "raspberry-pi-zero-2-w",
        "jetson-orin-nano",
        "jetson-nano",
        "rock-5b",
        "coral-dev-board",
        "intel-n100",
    }
    assert shared_matches(devices) == {}
    years = {fact.year for device in devices for fact in device.facts}
    assert years <= set(range(2019, 2027))
    for spec in devices:
        idle, load = spec.fact("idle_w"), spec.fact("load_w")
        assert (idle is None) == (load is None), f"{spec.name}: an envelope has two ends"
