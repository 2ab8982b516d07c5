"""Minutes on end: what is left of the first minute's speed, in words and over time."""

from __future__ import annotations

import re
from pathlib import Path

import drawn
import pytest

import edgebench
from edgebench.report import charts, rows
from edgebench.report.sections.base import Material
from edgebench.report.sections.stages import stages
from edgebench.report.sections.sustained import sustained
from edgebench.store.read import read_all
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

HOT = Cell(scenario="sustained", latency_ms=10.0, burst_sustained_ratio=0.6, slowed_after_s=200.0)
COOL = Cell(scenario="sustained", backend="litert", latency_ms=12.0)


@pytest.fixture
def material(tmp_path: Path) -> Material:
    """Two devices, one of which slows down in one of its two cells."""
    for name, cells in (("hot-board", (HOT, COOL)), ("cool-board", (COOL,))):
        fleet.write(
            tmp_path, Device(name=name, cells=cells), launches=3, samples=600, seed=len(name)
        )
    runs, _ = read_all([tmp_path])
    return Material(runs, rows.of_runs(runs))


def test_what_each_cell_keeps_is_told_in_words_first(material: Material) -> None:
    section = sustained(material)
    assert section is not None
    hot, cool, turned = section.context["lines"]
    assert re.fullmatch(
        r"mnist_cnn on onnxruntime/fp32/hot-board keeps 60\.0 % \([\d.]+ to [\d.]+\) of its "
        r"first minute's speed; slowed down from 200 s on",
        hot,
    )
    assert cool == "2 cells keep their first speed (within 2 %)"
    assert "the ranking of minute 1 is not the ranking at the end" in turned


def test_the_table_holds_what_the_words_tell(material: Material) -> None:
    section = sustained(material)
    assert section is not None
    found = drawn.listed(material, section.context["figures"][0].data)
    assert len(found) == 3
    (hot,) = [one for one in found if one["sustained_throttle_s"] == 200]
    assert hot["burst_sustained_ratio"] == pytest.approx(0.6, rel=0.01)
    assert hot["sustained_p50_ms"] > 1.6 * hot["burst_p50_ms"]


def test_speed_latency_temperature_and_clock_share_an_axis_of_time(material: Material) -> None:
    section = sustained(material)
    assert section is not None
    picture = drawn.figure(material, section.context["figures"][0])
    titles = [title.partition(" mnist_cnn")[0] for title in drawn.titles(picture)[:-1]]
    assert titles == [
        "speed, % of the first minute",
        "median latency (ms)",
        "hottest sensor (degC)",
        "fastest clock (MHz)",
    ]
    axes = [one for one in drawn.labels(picture) if one.startswith("X-axis")]
    assert len(axes) == 4
    assert len(set(axes)) == 1
    speed, latency, *_ = [one for one in drawn.labels(picture) if one.startswith("Y-axis")]
    assert "from 0 to" in speed
    assert "from 0 to" in latency


def test_curves_follow_the_filters(material: Material) -> None:
    section = sustained(material)
    assert section is not None
    at = next(int(row) for row in material.cells["row"] if row_of(material, int(row)) == "cool")
    picture = drawn.figure(material, section.context["figures"][0], rows=[at])
    shown = [one for one in drawn.labels(picture) if "cell: " in one]
    assert shown
    assert not any("hot-board" in one for one in shown)


def row_of(material: Material, row: int) -> str:
    """``hot`` or ``cool``."""
    return str(material.cells["device"][row]).partition("-")[0]


def test_a_curve_is_the_median_of_its_bins_and_no_more_than_51_of_them(material: Material) -> None:
    found = charts.curves(material.timed, material.frame, material.looks)
    (hot,) = found[found["burst_sustained_ratio"] < 0.9].to_dict("records")
    assert len(hot["p50_ms"]) <= 51
    assert hot["bin_minute"] * len(hot["p50_ms"]) == pytest.approx(10, rel=0.02)
    assert hot["p50_ms"][0] == pytest.approx(hot["burst_p50_ms"], rel=0.03)
    assert hot["p50_ms"][-1] == pytest.approx(hot["sustained_p50_ms"], rel=0.03)
    for low, middle, high in zip(hot["low_ms"], hot["p50_ms"], hot["high_ms"], strict=True):
        assert low <= middle <= high
    known = [one for one in hot["mhz"] if one is not None]
    assert (known[0], known[-1]) == (2400, pytest.approx(0.6 * 2400))


def test_a_notebook_needs_no_looks(tmp_path: Path) -> None:
    fleet.write(tmp_path, Device(name="board", cells=(HOT,)), launches=1, samples=600)
    samples, frame = edgebench.load_samples(tmp_path), edgebench.load(tmp_path)
    picture = drawn.svg(charts.sustained(samples, frame).to_dict())
    titles = [title.partition(" mnist_cnn")[0] for title in drawn.titles(picture)[:-1]]
    assert titles == ["speed, % of the first minute", "median latency (ms)"]


def test_without_a_time_of_each_inference_there_is_a_table_and_no_curve(
    material: Material,
) -> None:
    vars(material)["timed"] = material.timed[:0]  # as of a launch whose minutes do not fit
    section = sustained(material)
    assert section is not None
    assert section.context["figures"] == []
    assert len(drawn.listed(material, section.context["tables"][0])) == 3


def test_launches_too_short_for_two_bins_have_no_curve(tmp_path: Path) -> None:
    fleet.write(tmp_path, Device(name="board", cells=(HOT,)), launches=1, samples=3)
    samples, frame = edgebench.load_samples(tmp_path), edgebench.load(tmp_path)
    assert samples["second"].notna().all()
    assert charts.curves(samples, frame).empty
    titles = drawn.titles(drawn.svg(charts.sustained(samples, frame).to_dict()))
    assert titles == ["Speed and heat over minutes on end"]


def test_a_frame_without_cells_has_no_curve(material: Material) -> None:
    chart = charts.sustained(material.timed, material.frame.iloc[:0], material.looks)
    assert chart.datasets[charts.CURVES] == []


def test_other_scenarios_have_no_such_section(tmp_path: Path) -> None:
    fleet.write(tmp_path, Device(name="board", cells=(Cell(),)))
    runs, _ = read_all([tmp_path])
    assert sustained(Material(runs, rows.of_runs(runs))) is None


def test_stages_are_shown_as_times_and_as_shares_with_their_intervals(tmp_path: Path) -> None:
    way = {"decode": 6.0, "resize": 1.0, "invoke": 3.0}
    fleet.write(tmp_path, Device(name="board", cells=(Cell(stages_ms=way), Cell())), launches=3)
    runs, _ = read_all([tmp_path])
    made = Material(runs, rows.of_runs(runs))
    section = stages(made)
    assert section is not None
    (figure,) = section.context["figures"]
    (found,) = drawn.listed(made, figure.data)  # region invoke has no stages
    assert found["share_decode_ratio"] == pytest.approx(0.6, rel=0.01)
    assert found["stage_decode_lo_ms"] < found["stage_decode_ms"] < found["stage_decode_hi_ms"]
    picture = drawn.figure(made, figure)
    assert [title.partition(" mnist_cnn")[0] for title in drawn.titles(picture)[:-1]] == [
        "median of each stage (ms)",
        "share of all stages (%)",
    ]
    words = re.findall(r"<text[^>]*>(decode|resize|invoke)</text>", picture)
    # Once in the legend, and in each panel where there is room.
    assert sorted(words) == ["decode"] * 3 + ["invoke"] * 3 + ["resize"] * words.count("resize")
