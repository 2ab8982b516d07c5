"""Sizing and cost: the arithmetic of each figure is done by hand beside it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from boards import CELL, ENVELOPE, POWER, PRICE, RATE, board
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis import capacity, cost
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.cost import Need
from edgebench.errors import UsageError

TEN = Need(cameras=10, rate_hz=30, kwh_usd=0.30)


def value(found: cost.Cost, name: str) -> float:
    return found.figures[f"cost_{name}"].value


def ends(found: cost.Cost, name: str) -> tuple[float, float, float]:
    figure = found.figures[f"cost_{name}"]
    if figure.exact:
        return figure.value, figure.value, figure.value
    assert figure.low is not None
    assert figure.high is not None
    return figure.low, figure.value, figure.high


def test_ten_cameras_by_hand() -> None:
    """Each step of sizing, power and money.

    careful capacity 146/s, of which 80 % = 116.8/s; 116.8 / 30 = 3.89: 3 cameras a device
    10 / 3: 4 devices, the fullest with ceil(10 / 4) = 3 cameras = 90 frames/s
    at best 155/s * 80 % = 124/s; 124 / 30 = 4.13: 4 cameras, 3 devices
    headroom 146 / 90 - 1 = 0.622
    power 4 * 2.8 W + 300/s * 0.040 J = 11.2 + 12 = 23.2 W
    at best 3 * 2.8 + 300 * 0.038 = 19.8 W, at worst 11.2 + 300 * 0.042 = 23.8 W
    3 years of 365.25 days = 26,298 h; 23.2 W * 26,298 h = 610.1136 kWh; * 0.30 = 183.03408 USD
    4 * 80 USD = 320 USD; total 503.03408 USD
    300/s * 3600 * 26,298 h = 28,401.84 million frames; 503.03408 / 28,401.84 = 0.0177113 USD
    """
    found = cost.estimate(board(**RATE, **POWER), TEN)
    assert ends(found, "devices") == (3, 4, 4)
    assert value(found, "cameras_per_device") == 3
    assert value(found, "headroom_ratio") == pytest.approx(146 / 90 - 1)
    assert ends(found, "power_w") == pytest.approx((19.8, 23.2, 23.8))
    assert ends(found, "purchase_usd") == (240, 320, 320)
    assert value(found, "electricity_kwh") == pytest.approx(610.1136)
    assert value(found, "electricity_usd") == pytest.approx(183.03408)
    assert value(found, "total_usd") == pytest.approx(503.03408)
    assert value(found, "per_million_usd") == pytest.approx(503.03408 / 28_401.84)
    assert found.missing == {}


def test_figures_are_told_of_the_candidate_so_that_limits_may_name_them() -> None:
    found = cost.estimate(board(**RATE, **POWER), TEN)
    assert found.told.figure("cost_total_usd") == found.figures["cost_total_usd"]
    assert found.told.figure("price_usd") == PRICE["price_usd"]


def test_a_batch_counts_its_samples_and_shares_its_energy() -> None:
    """400 mJ a call of 8 are 50 mJ a frame: 300/s * 0.05 J = 15 W, and 4 * 2.8 W."""
    metered = {
        **POWER,
        "energy_net_mj": 400.0,
        "energy_net_lo_mj": 400.0,
        "energy_net_hi_mj": 400.0,
    }
    found = cost.estimate(board(**RATE, **metered, batch=8), TEN)
    assert value(found, "power_w") == pytest.approx(26.2)


def test_who_cannot_hold_one_camera_gets_no_number_of_devices() -> None:
    slow = {"throughput_ips": 22.0, "throughput_lo_ips": 21.0, "throughput_hi_ips": 23.0}
    found = cost.estimate(board(**slow, **POWER), TEN)
    words = "one camera needs 30/s, it does 21/s, of which 80% is planned for"
    assert found.figures == {}
    assert found.missing == dict.fromkeys(cost.NAMES, words)


def test_without_a_meter_published_powers_are_ends_and_no_measurement() -> None:
    """4 devices of at least 3 W (3 of them at best: 9 W), at most 10 W: 40 W, which is told."""
    found = cost.estimate(board({**PRICE, **ENVELOPE}, **RATE), TEN)
    assert ends(found, "power_w") == (9, 40, 40)
    assert found.draw.tier == "envelope"
    assert "no measurement" in found.figures["cost_power_w"].source


def test_a_cell_of_another_scenario_stands_upon_the_power_of_the_same_cell() -> None:
    """90/s hold the bound: 3 cameras a device, 4 devices; 4 * 2.8 W + 300/s * 0.04 J = 23.2 W."""
    server = {"scenario": "server", "parameters": "bound_ms=50", "server_rate_hz": 90.0}
    known = capacity.evidence([{**CELL, **POWER}])
    found = cost.estimate(board(**server), TEN, known)
    assert value(found, "power_w") == pytest.approx(23.2)
    assert found.figures["cost_power_w"].tier == "board_measured"
    assert "energy per frame is that of single_stream" in found.notes
    other = capacity.evidence([{**CELL, **POWER, "threads": 4}])
    assert cost.estimate(board(**server), TEN, other).draw.tier is None


def test_published_powers_of_a_cpu_are_none_of_an_accelerator() -> None:
    found = cost.estimate(board({**PRICE, **ENVELOPE}, **RATE, accelerator="npu"), TEN)
    assert "cost_power_w" not in found.figures
    assert "its CPU alone" in found.missing["cost_power_w"]


def test_without_any_power_there_is_no_electricity_and_no_total_but_a_purchase() -> None:
    found = cost.estimate(board(**RATE), TEN)
    assert value(found, "purchase_usd") == 320
    assert {*cost.OF_POWER} == {*found.missing}
    assert all("power was not measured" in words for words in found.missing.values())


def test_a_meter_that_does_not_see_all_gives_a_least_and_no_most() -> None:
    partial = {**POWER, "power_tier": "partial_measured", "power_excludes": "all but the CPU"}
    found = cost.estimate(board(**RATE, **partial), TEN)
    for name in ("power_w", "electricity_kwh", "total_usd"):
        least, told, most = ends(found, name)
        assert least <= told < most == math.inf
    assert "without all but the CPU: at least this" in found.figures["cost_total_usd"].source


def test_energy_above_idle_that_noise_took_below_0_gives_nothing_back() -> None:
    below = {"energy_net_mj": -3.0, "energy_net_lo_mj": -8.0, "energy_net_hi_mj": 2.0}
    found = cost.estimate(board(**RATE, **{**POWER, **below}), TEN)
    assert ends(found, "power_w") == pytest.approx((8.4, 11.2, 11.2 + 300 * 0.002))


def test_without_a_price_there_are_kwh_and_no_purchase() -> None:
    found = cost.estimate(board({}, **RATE, **POWER), TEN)
    assert value(found, "electricity_usd") == pytest.approx(183.03408)
    assert (
        found.missing["cost_purchase_usd"] == "no price of the device is known (--price DEVICE=USD)"
    )
    assert found.missing["cost_total_usd"] == "no price of the device is known (--price DEVICE=USD)"


def test_without_the_price_of_a_kwh_there_are_kwh_and_no_total() -> None:
    found = cost.estimate(board(**RATE, **POWER), Need(cameras=10, rate_hz=30))
    assert value(found, "electricity_kwh") == pytest.approx(610.1136)
    assert found.missing["cost_total_usd"] == cost.NO_TARIFF
    assert "cost_electricity_usd" in found.missing


def test_a_price_says_who_told_it_and_of_which_year() -> None:
    found = cost.estimate(board(**RATE, **POWER), TEN)
    assert found.figures["cost_purchase_usd"].source == "a shop (2023)"


def test_one_launch_tells_no_spread_and_says_so() -> None:
    found = cost.estimate(board(throughput_ips=150.0, **POWER), TEN)
    devices = found.figures["cost_devices"]
    assert (devices.value, devices.low, devices.high, devices.exact) == (3, None, None, False)
    assert any("not sustained: measured" in note for note in found.notes)


def test_devices_idle_in_the_hours_without_frames() -> None:
    """8 h of 23.2 W and 16 h of 4 * 2.8 W a day, 365.25 days: (185.6 + 179.2) Wh * 365.25."""
    need = Need(cameras=10, rate_hz=30, years=1, hours_per_day=8)
    found = cost.estimate(board(**RATE, **POWER), need)
    assert value(found, "electricity_kwh") == pytest.approx(364.8 * 365.25 / 1000)
    assert any("idle for the rest" in line for line in need.assumptions)


def test_every_assumption_is_told() -> None:
    told = " ".join((*TEN.assumptions, *cost.estimate(board(**RATE, **POWER), TEN).notes))
    for words in (
        "none split",
        "365.25",
        "80%",
        "0.3 USD",
        "cooling",
        "one process",
        "region invoke",
    ):
        assert words in told


@pytest.mark.parametrize(
    "stated",
    [
        {"cameras": 0},
        {"cameras": -3},
        {"cameras": 2.5},
        {"cameras": True},
        {"cameras": 10**10},
        {"rate_hz": 0},
        {"rate_hz": -1},
        {"rate_hz": math.inf},
        {"rate_hz": math.nan},
        {"rate_hz": "30"},
        {"years": 0},
        {"years": math.inf},
        {"hours_per_day": 25},
        {"hours_per_day": 0},
        {"kwh_usd": -0.1},
        {"kwh_usd": math.nan},
        {"utilisation_ratio": 0},
        {"utilisation_ratio": 1.01},
    ],
    ids=str,
)
def test_what_nobody_can_need_is_refused_in_one_line(stated: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        Need(**{"cameras": 1, "rate_hz": 30, **stated})
    assert "\n" not in str(caught.value)


def test_a_frame_in_a_quarter_of_an_hour_and_a_milliard_of_cameras_are_counted() -> None:
    """0.001/s: 116.8/s hold 116,800 cameras, so a milliard need 8562 devices."""
    many = cost.estimate(board(**RATE, **POWER), Need(cameras=10**9, rate_hz=0.001))
    assert value(many, "devices") == math.ceil(10**9 / 116_800) == 8562
    one = cost.estimate(board(**RATE, **POWER), Need(cameras=1, rate_hz=0.001))
    assert value(one, "devices") == 1
    assert value(one, "headroom_ratio") == pytest.approx(146 / 0.001 - 1)


@pytest.mark.parametrize("price", [-1.0, math.inf, math.nan])
def test_a_price_that_is_none_buys_nothing(price: float) -> None:
    found = cost.estimate(board({"price_usd": Figure(price, exact=True)}, **RATE, **POWER), TEN)
    assert "cost_purchase_usd" in found.missing


CAMERAS = st.integers(1, 10_000)
HZ = st.floats(0.01, 60)
KWH_USD = st.floats(0, 2)
CANDIDATES = st.sampled_from(
    [
        board(**RATE, **POWER),
        board({**PRICE, **ENVELOPE}, **RATE),
        board(throughput_ips=77.7, **POWER),
        board(**RATE, **{**POWER, "power_tier": "partial_measured"}),
    ]
)


@given(CANDIDATES, CAMERAS, st.integers(0, 1000), HZ, KWH_USD)
def test_more_cameras_never_cost_less(
    candidate: Candidate, cameras: int, more: int, rate_hz: float, kwh_usd: float
) -> None:
    few, many = (
        cost.estimate(candidate, Need(cameras=n, rate_hz=rate_hz, kwh_usd=kwh_usd)).figures
        for n in (cameras, cameras + more)
    )
    assert few.keys() == many.keys()
    for name in ("cost_devices", "cost_power_w", "cost_purchase_usd", "cost_total_usd"):
        if name in few:
            assert many[name].value >= few[name].value * (1 - 1e-12)


@given(CANDIDATES, CAMERAS, HZ, st.floats(1, 5))
def test_more_frames_never_need_fewer_devices(
    candidate: Candidate, cameras: int, rate_hz: float, times: float
) -> None:
    slow, fast = (
        cost.estimate(candidate, Need(cameras=cameras, rate_hz=hz)).figures.get("cost_devices")
        for hz in (rate_hz, rate_hz * times)
    )
    assert slow is not None or fast is None
    assert slow is None or fast is None or fast.value >= slow.value


@given(CANDIDATES, CAMERAS, HZ, KWH_USD, st.floats(0.01, 24))
def test_totals_add_up_and_figures_lie_between_their_ends(
    candidate: Candidate, cameras: int, rate_hz: float, kwh_usd: float, hours: float
) -> None:
    need = Need(cameras=cameras, rate_hz=rate_hz, kwh_usd=kwh_usd, hours_per_day=hours)
    found = cost.estimate(candidate, need).figures
    if "cost_total_usd" in found:
        parts = found["cost_purchase_usd"].value + found["cost_electricity_usd"].value
        assert found["cost_total_usd"].value == pytest.approx(parts)
        per_million = found["cost_per_million_usd"].value * need.million_frames
        assert per_million == pytest.approx(parts)
    for name, figure in found.items():
        if figure.low is not None and figure.high is not None:
            assert figure.low <= figure.value * (1 + 1e-12), name
            assert figure.value <= figure.high * (1 + 1e-12), name


@given(CANDIDATES, CAMERAS, HZ)
def test_every_device_holds_what_is_put_upon_it(
    candidate: Candidate, cameras: int, rate_hz: float
) -> None:
    found = cost.estimate(candidate, Need(cameras=cameras, rate_hz=rate_hz))
    if found.figures:
        devices, each = value(found, "devices"), value(found, "cameras_per_device")
        assert devices * each >= cameras
        assert each * rate_hz <= found.capacity.careful_hz * 0.8 * (1 + 1e-6)
        assert value(found, "headroom_ratio") >= 0.25 - 1e-6
