"""Fronts on the page: drawn by Vega-Lite, they are the ones that `edgebench.pareto` tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import vl_convert
from deciding import HOSTILE, row

from edgebench.analysis import candidates, directions, pareto, refusals
from edgebench.analysis.candidates import Candidate
from edgebench.errors import UsageError
from edgebench.report import charts
from edgebench.report.charts.pareto_chart import priced
from edgebench.report.frame import frame as as_frame
from edgebench.report.page.data import PageData
from edgebench.report.rows import Row, of_runs
from edgebench.report.sections.base import Material
from edgebench.report.sections.fronts import fronts
from edgebench.store.read import read_all
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

RING = re.compile(r'aria-label="on the front of ([^"]*): ([^"]*)"')


def rings(frame: pd.DataFrame, x: str = "latency_p50_ms", y: str = "energy_net_mj") -> set[str]:
    """Cells with a ring, ``panel: cell``, in the picture that Vega makes."""
    svg = vl_convert.vegalite_to_svg(charts.pareto(frame, x, y).to_dict())
    return {unescape(f"{panel}: {cell}") for panel, cell in RING.findall(svg)}


def told(rows: Sequence[Row], x: str, y: str, tier: str = "") -> set[str]:
    """The members of the fronts of those rows, as the picture names them."""
    frame = charts.prepared(as_frame(list(rows)))
    names = dict(
        zip(zip(frame["device"], frame["case_id"], strict=True), frame["cell"], strict=True)
    )
    found = set()
    for group in candidates.of_rows(
        [one for one in rows if not tier or one["power_tier"] == tier], each_unit=True
    ):
        front = pareto.front(group, [directions.objective(name) for name in (x, y)])
        for one in front.members:
            name = names[one.row["device"], one.row["case_id"]]
            found.add(f"{front.question}{', ' if tier else ''}{tier}: {name}")
    return found


def planted(seed: int) -> list[Row]:
    """Cells of few values, so that many tie in one figure or in both; some that never rank."""
    rng = np.random.default_rng(seed)
    found = []
    for n in range(60):
        one = row(
            f"board-{n % 6}",
            float(rng.integers(1, 9)),
            backend=("litert", "ncnn", "openvino")[n // 6 % 3],
            precision=("fp32", "fp16", "int8", "int8_dynamic")[n // 18],
            workload=("mnist_cnn", "resnet50")[n % 2],
            power_tier=("board_measured", "wall_measured")[n // 2 % 2],
            energy_net_mj=float(rng.integers(1, 9)),
            power_launches=6,
            top1_ratio=float(rng.integers(90, 99)) / 100,
            top1_samples=1000,
        )
        if n % 10 == 4:
            one |= {"validity": "invalid", "latency_p50_ms": 0.5, "energy_net_mj": 0.5}
        if n % 10 == 7:
            one |= {"fallback": "precision", "latency_p50_ms": 0.5, "energy_net_mj": 0.5}
        found.append(one)
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_front_that_is_drawn_is_the_one_of_the_analysis_in_each_tier(seed: int) -> None:
    rows = planted(seed)
    figures = ("latency_p50_ms", "energy_net_mj")
    expected = told(rows, *figures, "board_measured") | told(rows, *figures, "wall_measured")
    assert rings(as_frame(rows)) == expected
    assert len(expected) >= 4


@pytest.mark.parametrize(
    "figures", [("latency_p50_ms", "top1_ratio"), ("top1_ratio", "latency_p50_ms")]
)
def test_more_of_a_figure_may_be_better_on_either_axis(figures: tuple[str, str]) -> None:
    rows = planted(4)
    assert rings(as_frame(rows), *figures) == told(rows, *figures)


def test_what_may_rank_in_the_picture_is_what_the_page_answers_with() -> None:
    rows = [
        row("a", 5.0, energy_net_mj=5.0, power_tier="board_measured"),
        row("b", 4.0, energy_net_mj=6.0, power_tier="board_measured", validity="suspect"),
        row("f", 7.0, energy_net_mj=4.0, power_tier="board_measured"),
        row("c", 1.0, energy_net_mj=1.0, power_tier="board_measured", validity="invalid"),
        row("d", 1.0, energy_net_mj=1.0, power_tier="board_measured", status="failed"),
        row("e", 1.0, energy_net_mj=1.0, power_tier="board_measured", fallback="precision"),
    ]
    fit = {
        str(one["device"])
        for one in rows
        if not refusals.unfit(Candidate(name="", rows=(one,)), require_valid=True)
    }
    assert fit == {"a", "f"}
    drawn = rings(as_frame(rows))
    assert {name.rpartition("/")[2] for name in drawn} == fit


def test_latencies_of_loads_that_cells_chose_have_no_front() -> None:
    rows = [
        row(name, 5.0 + n, energy_net_mj=5.0, power_tier="board_measured", scenario="offline")
        for n, name in enumerate("abc")
    ]
    assert rings(as_frame(rows)) == set()


def test_meters_that_leave_out_other_parts_do_not_share_a_panel() -> None:
    rows = [
        row(n, 5.0, energy_net_mj=5.0, power_tier="partial_measured", power_excludes=without)
        for n, without in (("a", "ram"), ("b", "ram"), ("c", "usb"), ("d", "usb"))
    ]
    panels = {name.partition(": ")[0] for name in rings(as_frame(rows))}
    assert panels == {f"mnist_cnn, partial_measured without {one}" for one in ("ram", "usb")}


def test_energies_that_reach_0_are_drawn_on_a_linear_axis() -> None:
    rows = [
        row(n, 5.0, energy_net_mj=mj, power_tier="wall_measured")
        for n, mj in (("a", -1.0), ("b", 2.0))
    ]
    spec = charts.pareto(as_frame(rows)).to_dict()
    scales = [one["encoding"]["y"]["scale"] for one in spec["spec"]["layer"]]
    assert all("type" not in scale for scale in scales)
    assert rings(as_frame(rows)) == {"mnist_cnn, wall_measured: litert/int8/a"}


def test_hostile_names_are_drawn_as_text_on_one_line() -> None:
    rows = [
        row(f"{HOSTILE}{n}", 5.0 + n, energy_net_mj=5.0, power_tier="wall_measured")
        for n in range(2)
    ]
    (name,) = rings(as_frame(rows))
    assert "\n" not in name
    assert "\x1b" not in name


@pytest.mark.parametrize(("x", "y"), [("no_such_ms", "top1_ratio"), ("latency_p50_ms", "threads")])
def test_a_figure_without_a_better_way_is_refused(x: str, y: str) -> None:
    with pytest.raises(UsageError, match="no front is drawn of"):
        charts.pareto(as_frame([row()]), x, y)


def test_the_section_draws_what_was_measured_and_prices_that_are_published(tmp_path: Path) -> None:
    cells = (Cell(top1_ratio=0.98), Cell(precision="int8", latency_ms=5.0, top1_ratio=0.97))
    fleet.write_all(
        tmp_path, [Device(name=name, cells=cells) for name in ("raspberry-pi-5", "rock-5b", "mine")]
    )
    runs, _ = read_all([tmp_path])
    material = Material(runs, of_runs(runs))
    section = fronts(material)
    assert section is not None
    assert [one.id for one in section.context["figures"]] == [
        "chart-front-top1",
        "chart-front-price",
    ]
    prices = priced(material.cells).groupby("device")["price_usd"].first()
    assert prices["raspberry-pi-5"] == 80
    assert np.isnan(prices["mine"])
    assert "price_usd" in material.data.told()["cells"]["columns"]
    points = section.context["figures"][1].spec["spec"]["layer"][-1]["encoding"]
    assert points["y"]["axis"]["values"] == sorted(prices.dropna())


def test_the_data_of_a_front_is_the_page_s() -> None:
    frame = charts.prepared(as_frame(planted(5)))
    data = PageData(frame)
    spec = data.spec(charts.pareto(frame))
    assert "datasets" not in spec
    assert sum("energy_net_mj" in one for one in data.sets()["cells"]) == len(frame)


def test_without_cells_that_may_rank_there_is_no_section() -> None:
    rows = [row(n, 5.0, top1_ratio=top1) for n, top1 in (("a", 0.9), ("b", 0.8))]
    assert fronts(Material([], rows)) is not None
    for one in rows:
        one["validity"] = "suspect"
    assert fronts(Material([], rows)) is None


def test_words_of_neighbours_on_a_front_stand_at_unlike_heights() -> None:
    rows = [
        row(n, ms, precision=name, energy_net_mj=mj, power_tier="wall_measured")
        for n, ms, name, mj in (
            *(("a", 5.0, "fp32", 2.0), ("b", 5.01, "int8", 1.999)),
            ("c", 500.0, "fp16", 0.01),
        )
    ]
    svg = vl_convert.vegalite_to_svg(charts.pareto(as_frame(rows)).to_dict())
    heights = {
        words: float(y)
        for y, words in re.findall(r"translate\([^,]+,([^)]+)\)[^>]*>[A-Z] (fp32|int8)<", svg)
    }
    assert abs(heights["fp32"] - heights["int8"]) > 10
