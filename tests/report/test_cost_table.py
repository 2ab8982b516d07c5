"""What a need costs, on the terminal and as rows: nothing is shown without what it rests on."""

from __future__ import annotations

import io
import json
import math

import pytest
from boards import CELL as BARE
from boards import ENVELOPE, POWER, PRICE, RATE, board
from rich.console import Console

from edgebench.analysis import cost
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.cost import Cost, Need
from edgebench.report import cost_table, csv_

CELL = {**BARE, **RATE}
NEED = Need(cameras=10, rate_hz=30, kwh_usd=0.30)


def costs(need: Need = NEED) -> list[Cost]:
    partial = {"power_tier": "partial_measured", "power_excludes": "memory"}
    slow = {"throughput_ips": 22.0, "throughput_lo_ips": 21.0, "throughput_hi_ips": 23.0}
    some = [
        Candidate(name="metered board litert int8", rows=({**CELL, **POWER},), told=PRICE),
        Candidate(name="published litert int8", rows=(CELL,), told={**PRICE, **ENVELOPE}),
        Candidate(name="partial litert int8", rows=({**CELL, **POWER, **partial},), told=PRICE),
        Candidate(name="unknown litert int8", rows=(CELL,)),
        Candidate(name="slow litert int8", rows=({**CELL, **slow},), told=PRICE),
    ]
    return cost.of_candidates(some, need)


def drawn(found: list[Cost]) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=80, color_system=None, highlight=False)
    console.print(cost_table.sentence(found[0].need))
    console.print(cost_table.table(found))
    for line in cost_table.lines(found):
        console.print(line)
    return stream.getvalue()


def row_of(text: str, mark: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(f"{mark} "))


@pytest.mark.parametrize("kwh_usd", [None, 0.3])
def test_it_fits_into_80_columns_and_names_stay_whole_words(kwh_usd: float | None) -> None:
    text = drawn(costs(Need(cameras=10, rate_hz=30, kwh_usd=kwh_usd)))
    assert max(map(len, text.splitlines())) <= 80
    assert "10 cameras at 30 frames/s for 3 years, 24 h a day" in text
    assert "published" in text


def test_each_kind_of_power_looks_as_sure_as_it_is() -> None:
    """As computed by hand in tests/analysis/test_sizing.py."""
    text = drawn(costs())
    assert "23.2" in row_of(text, "a")
    assert "9-40" in row_of(text, "b")
    assert any(word.startswith(">=") for word in row_of(text, "c"))
    assert row_of(text, "d")[-4:] == ["-", "-", "-", "-"]
    assert "3-4" in row_of(text, "a")


def test_who_holds_no_camera_is_told_why() -> None:
    text = drawn(costs())
    assert row_of(text, "e")[-7:] == ["-"] * 7
    flat = " ".join(text.split())
    assert "(e) one camera needs 30/s, it does 21/s, of which 80% is planned for" in flat


def test_labels_and_assumptions_are_told_beside_the_figures() -> None:
    lines = cost_table.lines(costs())
    assert "capacity: not sustained: measured for seconds" in lines
    assert "(d) power was not measured, and none is published for the device" in lines
    assert "(a) power: board_measured" in lines
    assert any(line.startswith("(b) power: envelope 3 to 10 W as published") for line in lines)
    assert "(c) power: partial_measured, without memory: at least this" in lines
    assert "(d) no price of the device is known (--price DEVICE=USD)" in lines
    assert set(NEED.assumptions) < set(lines)


def test_one_camera_of_much_too_fast_a_device_is_told_in_plain_numbers() -> None:
    fast = board(throughput_ips=74_400.0, throughput_lo_ips=73_700.0, throughput_hi_ips=75_100.0)
    text = drawn(cost.of_candidates([fast], Need(cameras=1, rate_hz=15, years=1)))
    assert "1 camera at 15 frames/s for 1 year, 24 h a day" in text
    assert "x4,913" in row_of(text, "a")
    assert "frames/s that one unit does: (a) 74400 (73700 to 75100)" in " ".join(text.split())


def test_without_the_price_of_a_kwh_the_kwh_are_shown() -> None:
    text = drawn(costs(Need(cameras=10, rate_hz=30)))
    assert "kWh" in text
    assert "610.1" in row_of(text, "a")
    assert "in all" not in text


def test_rows_hold_figures_ends_labels_and_reasons() -> None:
    rows = cost_table.rows(costs())
    assert all(tuple(row) == cost_table.COLUMNS for row in rows)
    metered, published, partial, unknown, slow = rows
    assert (metered["cost_devices"], metered["cost_lo_devices"]) == (4, 3)
    assert metered["cost_total_usd"] == pytest.approx(503.03408)
    assert (published["cost_power_lo_w"], published["cost_power_hi_w"]) == (9, 40)
    assert published["cost_power_tier"] == "envelope"
    assert partial["cost_power_hi_w"] is None
    assert "at least this" in str(partial["cost_power_basis"])
    assert unknown["cost_total_usd"] is None
    assert "cost_purchase_usd: no price of the device is known" in str(unknown["reasons"])
    assert slow["cost_devices"] is None
    assert slow["capacity_hz"] == 22


def test_json_is_json_and_tells_all() -> None:
    told = json.loads(json.dumps(cost_table.to_json(costs()), allow_nan=False))
    assert told["need"]["cameras"] == 10
    assert len(told["assumptions"]) == len(NEED.assumptions)
    metered, _, partial, _, slow = told["candidates"]
    assert metered["figures"]["cost_purchase_usd"] == {
        "value": 320,
        "low": 240,
        "high": 320,
        "source": "a shop (2023)",
    }
    assert partial["figures"]["cost_power_w"]["high"] is None
    assert slow["missing"]["cost_devices"].startswith("one camera needs 30/s")
    assert cost_table.to_json([])["candidates"] == []


def test_names_that_would_steer_a_terminal_or_a_spreadsheet_are_inert() -> None:
    hostile = Candidate(name="=cmd()\x1b[2J", rows=({**CELL, "options": "=1+1"},), told=PRICE)
    found = cost.of_candidates([hostile], NEED)
    assert "\x1b" not in drawn(found)
    file = io.StringIO()
    csv_.write(cost_table.rows(found), file, cost_table.COLUMNS)
    assert ",'=1+1," in file.getvalue()
    assert "'=cmd()" in file.getvalue()


def test_a_milliard_of_cameras_still_fits() -> None:
    text = drawn(costs(Need(cameras=10**9, rate_hz=0.001, kwh_usd=0.3)))
    assert max(map(len, text.splitlines())) <= 80
    assert math.isfinite(float(str(cost_table.rows(costs())[0]["cost_total_usd"])))
