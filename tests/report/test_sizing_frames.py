"""`edgebench.pareto` and `edgebench.cost` on a frame of planted runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import edgebench
from edgebench.analysis.cost import Need
from edgebench.errors import UsageError
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """A metered board with a price, one without either, one that failed."""
    folder = tmp_path_factory.mktemp("fleet")
    quick, lean = Cell(precision="int8", latency_ms=5.0, power_w=7.0), Cell(latency_ms=12.0)
    fleet.write_all(
        folder,
        [
            Device(name="raspberry-pi-5", cells=(quick, lean), tier="wall_measured"),
            Device(name="mystery", cells=(Cell(latency_ms=2.0, rss_mib=80.0),)),
            Device(name="broken", cells=(Cell(reason="no memory"),)),
        ],
    )
    return edgebench.load(folder)


def test_a_front_of_a_frame_has_everyone_with_place_and_figures(frame: pd.DataFrame) -> None:
    found = edgebench.pareto(frame, "latency_p50_ms,rss_peak_mib")
    places = dict(zip(found["candidate"], found["place"], strict=True))
    assert places["mystery onnxruntime fp32"] == "member"
    assert places["broken onnxruntime fp32"] == "left out"
    assert len(found) == len(frame)
    assert found["latency_p50_ms"].dtype == np.float64
    assert found.loc[found["place"] == "left out", "latency_p50_ms"].isna().all()
    listed = edgebench.pareto(frame, ["latency_p50_ms", "rss_peak_mib:min"])
    pd.testing.assert_frame_equal(found, listed)


def test_a_front_may_be_of_what_a_need_costs(frame: pd.DataFrame) -> None:
    need = Need(cameras=20, rate_hz=15, kwh_usd=0.3)
    with pytest.raises(UsageError, match=r"wall_measured .* and envelope"):
        edgebench.pareto(frame, "cost_total_usd,latency_p50_ms", need=need)
    found = edgebench.pareto(
        frame, "cost_total_usd,latency_p50_ms", need=need, allow_tier="wall_measured"
    )
    assert found["candidate"].tolist()[0] == "raspberry-pi-5 onnxruntime int8"
    assert found["cost_total_usd"][0] > 80
    with pytest.raises(UsageError, match="need"):
        edgebench.pareto(frame, "cost_total_usd,latency_p50_ms")


def test_a_cost_of_a_frame_has_a_row_a_candidate_with_what_it_rests_on(frame: pd.DataFrame) -> None:
    """5 ms are 200/s, 80 % of that 160/s: 10 cameras of 15/s on one device, 20 on two."""
    found = edgebench.cost(frame, cameras=20, fps=15, kwh_usd=0.3).set_index("candidate")
    quick = found.loc["raspberry-pi-5 onnxruntime int8"]
    assert quick["cost_devices"] == 2
    assert quick["cost_purchase_usd"] == 160
    assert quick["cost_power_tier"] == "wall_measured"
    parts = quick["cost_purchase_usd"] + quick["cost_electricity_usd"]
    assert quick["cost_total_usd"] == pytest.approx(parts)
    assert "not sustained" in quick["capacity_basis"]
    unknown = found["cost_purchase_usd"].isna()
    assert unknown["mystery onnxruntime fp32"]
    assert "no price of the device is known" in found["reasons"]["mystery onnxruntime fp32"]
    assert found["cost_devices"].isna()["broken onnxruntime fp32"]


def test_a_stated_price_goes_before_the_published_one(frame: pd.DataFrame) -> None:
    found = edgebench.cost(frame, cameras=20, fps=15, prices_usd={"mystery": 50})
    known = found.set_index("candidate")["cost_purchase_usd"]
    assert known["mystery onnxruntime fp32"] == 50


def test_whole_numbers_of_numpy_are_cameras_and_halves_are_none(frame: pd.DataFrame) -> None:
    found = edgebench.cost(frame, cameras=np.int64(20), fps=np.float32(15))  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(found, edgebench.cost(frame, cameras=20, fps=15))
    with pytest.raises(UsageError, match="no whole number"):
        edgebench.cost(frame, cameras=2.5, fps=15)  # type: ignore[arg-type]


def test_mistakes_are_told_in_one_line(frame: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match="cifar"):
        edgebench.cost(frame, cameras=1, fps=1, workload="cifar")
    with pytest.raises(UsageError, match="empty"):
        edgebench.cost(frame.iloc[:0], cameras=1, fps=1)
    with pytest.raises(UsageError, match="latency_p50_ms"):
        edgebench.pareto(frame, "latency_p5_ms:min,load_ms")
