"""The Raspberry Pi 5's PMIC behind a mailbox that is played."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.meters.rpi_pmic import RpiPmic, rail_powers_uw
from edgebench.testing import write_tree
from edgebench.testing.sensors import PMIC_RAILS, FakeVcio, pmic_text

RAILS = {name: (0.01 * (i + 1), 0.8 + 0.1 * i) for i, name in enumerate(PMIC_RAILS)}
PI_5 = "raspberrypi,5-model-b\0brcm,bcm2712\0"


@pytest.fixture
def pi_5(tmp_path: Path) -> Path:
    return write_tree(tmp_path, {"proc/device-tree/compatible": PI_5, "dev/vcio": ""})


def opened(root: Path, vcio: FakeVcio) -> RpiPmic:
    meter = RpiPmic(vcio)
    probe = meter.probe(root)
    assert probe.available, probe.reason
    return meter


def test_the_twelve_rails_give_amperes_times_volts(pi_5: Path) -> None:
    meter = opened(pi_5, FakeVcio(pmic_text(RAILS)))
    assert {one.name for one in meter.channels} == set(PMIC_RAILS)
    assert all(one.counted and one.tier == "partial_measured" for one in meter.channels)
    assert {"USB", "HATs", "NVMe", "fan"} <= set(meter.channels[0].excludes)
    total_uw = sum(reading[1] for reading in meter.read() if reading is not None)
    assert total_uw == pytest.approx(1e6 * sum(a * v for a, v in RAILS.values()), rel=1e-3)
    meter.close()


def test_all_rails_of_an_answer_share_its_time(pi_5: Path) -> None:
    meter = opened(pi_5, FakeVcio(pmic_text(RAILS)))
    first, second = ({one[0] for one in meter.read() if one is not None} for _ in range(2))
    assert len(first) == len(second) == 1
    assert max(first) < min(second)
    meter.close()


def test_a_rail_that_is_cut_off_is_no_reading_and_costs_no_other(pi_5: Path) -> None:
    vcio = FakeVcio(pmic_text(RAILS))
    meter = opened(pi_5, vcio)
    vcio.answer = vcio.answer.replace("VDD_CORE_V volt(15)=", "VDD_CORE_V volt(15)=junk")
    by_name = dict(zip((one.name for one in meter.channels), meter.read(), strict=True))
    assert by_name.pop("VDD_CORE") is None
    assert all(by_name.values())
    meter.close()


def test_a_firmware_that_refuses_or_vanishes_gives_no_readings(pi_5: Path) -> None:
    vcio = FakeVcio(pmic_text(RAILS))
    meter = opened(pi_5, vcio)
    vcio.error = 1
    assert meter.read() == (None,) * 12
    vcio.error, vcio.vanished = 0, True
    assert meter.read() == (None,) * 12
    meter.close()


def test_who_may_not_open_the_mailbox_is_told_the_group(
    pi_5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refuse(path: Path, flags: int) -> int:  # the suite may run as root: nothing is refused
        if path.name in {"vcio", "vcio_gencmd"}:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr("os.open", refuse)
    probe = RpiPmic(FakeVcio(pmic_text(RAILS))).probe(pi_5)
    assert not probe.available
    assert "group video" in probe.remedy


def test_the_mailbox_that_is_left_to_group_video_is_enough(
    pi_5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(pi_5, {"dev/vcio_gencmd": ""})
    real = os.open

    def refuse(path: Path, flags: int) -> int:  # as Raspberry Pi OS does since 2026
        if path.name == "vcio":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr("os.open", refuse)
    opened(pi_5, FakeVcio(pmic_text(RAILS))).close()


def test_a_kernel_without_the_mailbox_says_so(pi_5: Path) -> None:
    (pi_5 / "dev/vcio").unlink()
    probe = RpiPmic(FakeVcio(pmic_text(RAILS))).probe(pi_5)
    assert probe.reason == "/dev/vcio: No such file or directory"


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("Raspberry Pi 4 Model B Rev 1.4", "a Raspberry Pi 4 has no current sensor"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "a Raspberry Pi Zero 2 W has no current sensor"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "a Raspberry Pi 3 has no current sensor"),
    ],
)
def test_earlier_boards_have_no_current_sensor(tmp_path: Path, model: str, reason: str) -> None:
    tree = {"compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0", "model": f"{model}\0"}
    write_tree(tmp_path, {f"proc/device-tree/{name}": text for name, text in tree.items()})
    assert RpiPmic(FakeVcio("")).probe(tmp_path).reason == reason


def test_the_input_has_a_voltage_only_and_is_no_rail() -> None:
    powers = rail_powers_uw(pmic_text(RAILS))
    assert "EXT5V" not in powers
    assert "BATT" not in powers


@given(st.text())
def test_any_answer_gives_powers_or_nothing(text: str) -> None:
    assert all(power >= 0 for power in rail_powers_uw(text).values())


@given(
    st.dictionaries(
        st.sampled_from(PMIC_RAILS),
        st.tuples(st.floats(0, 10), st.floats(0, 6)),
    )
)
def test_what_is_printed_is_read_back(rails: dict[str, tuple[float, float]]) -> None:
    powers = rail_powers_uw(pmic_text(rails))
    assert powers.keys() == rails.keys()
    for name, (ampere, volt) in rails.items():
        assert powers[name] == pytest.approx(1e6 * ampere * volt, rel=1e-3, abs=1)


@given(st.integers(0, 1023))
def test_an_answer_that_is_cut_anywhere_tells_no_wrong_rail(end: int) -> None:
    whole = rail_powers_uw(pmic_text(RAILS))
    cut = rail_powers_uw(pmic_text(RAILS)[:end])
    assert cut.items() <= whole.items()


def test_in_a_container_that_hides_the_device_tree_the_firmware_is_asked(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"dev/vcio_gencmd": ""})
    opened(root, FakeVcio(pmic_text(RAILS))).close()
    assert "no currents" in RpiPmic(FakeVcio("")).probe(root).reason


def test_a_copy_of_another_board_is_not_told_to_change_its_kernel(pi_5: Path) -> None:
    probe = RpiPmic().probe(pi_5)
    assert (probe.available, probe.remedy) == (False, "")
    assert "only the board itself can be asked" in probe.reason
