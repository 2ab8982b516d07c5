"""devices/*.toml: what is wrong is named in one line; what a machine says is held against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench import resources
from edgebench.descriptors import (
    Held,
    begun,
    detected,
    fits_by,
    hold,
    read_device,
    shared_matches,
    surest,
)
from edgebench.errors import UsageError
from edgebench.machine import Accelerator, CpuCluster, DeviceFacts
from edgebench.specs import DeviceMatch, DeviceSpec, FactSpec

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
        (("https://example.org/review", "detected by a friend in 2023"), "https"),
        (("value = 2.5", "value = nan"), "0 or more"),
        (("value = 2.5", "value = -1"), "0 or more"),
        (('key = "idle_w"', 'key = "npu_tops"'), "INT8 or INT4"),
        (("[[rails]]", FACT.replace("idle", "load").replace("2.5", "2") + "[[rails]]"), "above"),
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
    with pytest.raises(UsageError, match=r"did you mean raspberry-pi-.* devices list"):
        resources.open_device("raspberry-pi-6")


def test_the_bundled_devices_are_in_order_and_claim_a_board_each() -> None:
    devices = resources.open_devices()
    assert len(devices) >= 20
    assert shared_matches(devices) == {}
    facts = [fact for device in devices for fact in device.facts]
    assert {fact.year for fact in facts} <= set(range(2019, 2027))
    assert all(fact.source.startswith("https://") for fact in facts)
    assert all(fact.note for fact in facts if fact.key.endswith("_tops"))


def test_a_bundled_envelope_has_two_ends_and_a_peak_above_them() -> None:
    with_both = 0
    for spec in resources.open_devices():
        idle, load, peak = map(spec.figure, ("idle_w", "load_w", "peak_w"))
        assert (idle is None) == (load is None), spec.name
        assert peak is None or load is None or load <= peak, spec.name
        with_both += spec.envelope_w() is not None
    assert with_both >= 15


def test_rails_tell_which_of_them_is_the_total() -> None:
    totals = {
        spec.name: [rail.label for rail in spec.rails if rail.total]
        for spec in resources.open_devices()
        if spec.rails
    }
    assert totals["jetson-nano"] == ["POM_5V_IN"]
    assert totals["jetson-orin-nano"] == totals["jetson-xavier-nx"] == ["VDD_IN"]
    assert totals["jetson-agx-orin"] == totals["jetson-agx-xavier"] == []
    assert totals["raspberry-pi-5"] == []
    assert max(map(len, totals.values())) == 1
    assert len(resources.open_device("raspberry-pi-5").rails) == 12


def test_an_envelope_is_told_with_its_sources_or_not_at_all(tmp_path: Path) -> None:
    both = DEVICE.replace(FACT, FACT + FACT.replace("idle_w", "load_w").replace("2.5", "9"))
    spec = read_device(device(tmp_path, both))
    assert spec.envelope_w() == (2.5, 9)
    ends = spec.envelope()
    assert ends is not None
    assert {fact.source for fact in ends} == {"https://example.org/review"}
    one = read_device(device(tmp_path, DEVICE))
    assert one.envelope() is None
    assert one.envelope_w() is None
    words = read_device(device(tmp_path, both.replace("value = 9", 'value = "much"')))
    assert words.envelope_w() is None


FACTS = DeviceFacts(
    device="maker-board",
    device_id="a",
    board="Maker Board",
    cpu_clusters=(
        CpuCluster(model="Cortex-A76", cpus=2, max_mhz=2400.0),
        CpuCluster(model="Cortex-A76", cpus=2, max_mhz=2352.0),
        CpuCluster(model="Cortex-A55", cpus=4, max_mhz=1800.0),
    ),
    isa_features=("asimd", "asimddp"),
    mem_total_byte=7800 << 20,
    accelerators=(Accelerator(kind="npu", name="rknpu"),),
)


def told(facts: DeviceFacts) -> dict[str, FactSpec]:
    found = detected(facts, version="0.1.0", date="2026-11-22")
    return {fact.key: fact for fact in found}


def test_what_a_machine_says_of_itself_becomes_facts_with_the_tool_as_their_source() -> None:
    found = told(FACTS)
    assert {key: fact.value for key, fact in found.items()} == {
        "board": "Maker Board",
        "cpu": "4 x Cortex-A76 + 4 x Cortex-A55",
        "cpu_mhz": 2400,
        "isa": "asimd, asimddp",
        "mem_mib": 7800,
        "accelerators": "npu rknpu",
    }
    assert {(fact.source, fact.year) for fact in found.values()} == {
        ("detected by edgebench 0.1.0 on 2026-11-22", 2026)
    }


def test_what_a_machine_does_not_say_is_no_fact() -> None:
    assert told(DeviceFacts(device="x", device_id="a")) == {}
    nameless = (CpuCluster(model=None, cpus=4), CpuCluster(model="Cortex-A76", cpus=2))
    assert told(DeviceFacts(device="x", device_id="a", cpu_clusters=nameless)) == {}


@pytest.mark.parametrize("board", ["Maker Board", 'a "b" \\ \x7f\n\t\0', "板子"])
def test_a_begun_descriptor_is_read_back_to_the_same(tmp_path: Path, board: str) -> None:
    facts = tuple(told(FACTS).values())
    match = DeviceMatch(compatible=("maker,board",))
    spec = read_device(device(tmp_path, begun("board", board, match, facts)))
    assert (spec.summary, spec.match, spec.facts) == (board, match, facts)


def test_a_begun_descriptor_asks_for_what_was_not_detected_and_takes_it(tmp_path: Path) -> None:
    match = DeviceMatch(dmi=("Maker Board",))
    text = begun("board", "Maker Board", match, tuple(told(FACTS).values()))
    for answer in ('#source = "https://"', "#year =", '#note = ""'):
        assert text.count(answer) == 7
    assert '#key = "mem_mib"' not in text
    filled = (
        text.replace("#value =\n", "value = 4\n")
        .replace('#value = ""', 'value = "RK3588"')
        .replace('#source = "https://"', 'source = "https://example.org"')
        .replace("#year =", "year = 2025")
        .replace('#note = ""', 'note = "INT8"')
        .replace("#[[", "[[")
        .replace("#key", "key")
    )
    spec = read_device(device(tmp_path, filled))
    assert spec.envelope_w() == (4, 4)
    assert {"price_usd", "npu_tops", "peak_w", "limit_degc", "soc"} <= {f.key for f in spec.facts}


def known(**values: float | str) -> DeviceSpec:
    facts = (FactSpec(key=k, value=v, source="https://a", year=2023) for k, v in values.items())
    return DeviceSpec(schema=1, name="known", match=DeviceMatch(), facts=tuple(facts))


def held(key: str, spec: DeviceSpec | None, facts: DeviceFacts = FACTS) -> Held:
    return next(one for one in hold(spec, tuple(told(facts).values())) if one.key == key)


@pytest.mark.parametrize(
    ("sizes", "same"),
    [
        ({"mem_mib": 8192}, True),
        ({"mem_mib": 4096}, False),
        ({"mem_mib": 12288}, False),
        ({"mem_min_mib": 2048, "mem_max_mib": 16384}, True),
        ({"mem_min_mib": 1024, "mem_max_mib": 4096}, False),
        ({"mem_max_mib": 16384}, True),
        ({}, None),
    ],
)
def test_memory_is_the_told_one_less_what_the_firmware_keeps(
    sizes: dict[str, float], same: bool | None
) -> None:
    one = held("mem_mib", known(**sizes))
    assert one.same is same
    assert (one.told is None) == (not sizes)


def test_a_clock_and_cores_are_held_against_the_told_ones() -> None:
    assert held("cpu_mhz", known(cpu_mhz=2400)).same
    assert held("cpu_mhz", known(cpu_mhz=2200)).same is False
    assert held("cpu", known(cpu="4 x Cortex-A76 + 4 x Cortex-A55")).same
    assert held("cpu", known(cpu="2 x Cortex-A76 + 4 x Cortex-A55")).same is False
    assert held("cpu", known(cpu="8 x Cortex-A57")).same is False
    assert held("cpu", None).told is None
    assert held("cpu", None).same is None


def test_a_trade_name_is_not_held_against_the_name_of_a_core() -> None:
    clusters = (CpuCluster(model="Intel(R) N100", cpus=4),)
    facts = DeviceFacts(device="x", device_id="a", cpu_clusters=clusters)
    assert held("cpu", known(cpu="4 x Gracemont"), facts).same is None
    assert held("cpu", known(cpu="2 x Intel(R) N100"), facts).same is False


def test_a_chip_is_known_under_the_name_that_a_device_tree_has_for_it() -> None:
    facts = DeviceFacts(device="x", device_id="a", soc="brcm,bcm2711")
    assert held("soc", known(soc="Broadcom BCM2711"), facts).same
    assert held("soc", known(soc="RP3A0"), facts).same is None


def test_a_machine_is_told_by_its_board_before_its_processor() -> None:
    keys = DeviceMatch(dmi=("Maker Mini",), cpu_model=("Intel(R) N100",))
    assert surest(keys) == DeviceMatch(dmi=("Maker Mini",))
    assert surest(DeviceMatch()) is None
    n100 = resources.open_device("intel-n100")
    assert fits_by(n100, keys) == ("cpu_model", "Intel(R) N100")
    assert fits_by(n100, DeviceMatch(dmi=("Maker Mini",))) is None
