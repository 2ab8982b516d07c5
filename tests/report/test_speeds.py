"""Device against device and precision against fp32: speeds with the verdict words of `compare`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pandas as pd
import pytest
import vl_convert
from deciding import row

import edgebench
from edgebench.errors import UsageError
from edgebench.report import charts, rows, speeds
from edgebench.report.charts import devices_chart
from edgebench.report.charts.base import Chart
from edgebench.report.frame import plain_rows
from edgebench.report.sections.base import Material
from edgebench.report.sections.devices import devices
from edgebench.report.sections.precisions import precisions
from edgebench.store.read import read_all
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

FP32 = Cell(latency_ms=10.0, top1_ratio=0.98, power_w=4.0)


def material(folder: Path, *planted: Device, launches: int = 6) -> Material:
    """The results of some devices, as a page is made of."""
    for place, one in enumerate(planted, 1):
        fleet.write(folder / (one.unit or one.name), one, seed=place, launches=launches)
    runs, _ = read_all([folder])
    return Material(runs, rows.of_runs(runs))


def twice(folder: Path, *cells: Cell) -> Material:
    """A device, and another one that takes twice as long."""
    slow = tuple(Cell(**{**vars(one), "latency_ms": 2 * one.latency_ms}) for one in cells)
    return material(folder, Device(name="fast", cells=cells), Device(name="slow", cells=slow))


def drawn(chart: Chart) -> str:
    """As Vega draws it."""
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return svg


def test_the_same_case_on_a_device_of_twice_the_latency_is_half_as_fast(tmp_path: Path) -> None:
    found = speeds.of_devices(plain_rows(twice(tmp_path, FP32, Cell(precision="int8")).cells))
    assert list(found) == [("fast", "slow")]
    for one in found["fast", "slow"]:
        assert (one.verdict, one.cell["device"]) == ("slower", "slow")
        assert one.ratio is not None
        assert one.ratio == pytest.approx(0.5, rel=0.05)
        assert one.low is not None
        assert one.high is not None
        assert one.low < one.ratio < one.high
        back = speeds.mirrored(one)
        assert (back.verdict, back.cell["device"]) == ("faster", "fast")
        assert back.low == pytest.approx(1 / one.high)
        assert speeds.mirrored(back).ratio == pytest.approx(one.ratio)


def test_the_verdicts_are_those_of_edgebench_compare(tmp_path: Path) -> None:
    cells = (FP32, Cell(precision="int8", latency_ms=3.0), Cell(backend="litert", latency_ms=9.0))
    other = (
        Cell(latency_ms=10.02),
        Cell(precision="int8", latency_ms=4.0),
        Cell(backend="litert", latency_ms=9.0, cosine=0.5),
    )
    frame = material(tmp_path, Device(name="a", cells=cells), Device(name="b", cells=other)).cells
    expected = edgebench.compare(frame[frame["device"] == "a"], frame[frame["device"] == "b"])
    found = speeds.of_devices(plain_rows(frame))["a", "b"]
    key = ["backend", "precision"]
    mine = {tuple(one.cell[k] for k in key): one for one in found}
    assert len(mine) == len(expected) == 3
    for _, one in expected.iterrows():
        speed = mine[one["backend"], one["precision"]]
        assert speed.verdict == one["verdict"]
        if not pd.isna(one["ratio"]):
            assert speed.ratio == pytest.approx(1 / one["ratio"])
            assert speed.low == pytest.approx(1 / one["ratio_hi"])
    assert mine["litert", "fp32"].why == "b invalid"


def test_scenarios_that_look_for_the_most_are_held_against_each_other_by_it(tmp_path: Path) -> None:
    offline = Cell(scenario="offline", latency_ms=10.0, found_batch=4, found_streams=2)
    server = Cell(scenario="server", latency_ms=10.0, holds_hz=50.0)
    both = material(
        tmp_path,
        Device(name="a", cells=(offline, server)),
        Device(
            name="b",
            cells=(
                Cell(scenario="offline", latency_ms=5.0, found_batch=8, found_streams=2),
                Cell(scenario="server", latency_ms=10.0, holds_hz=100.0),
            ),
        ),
    )
    found = speeds.of_devices(plain_rows(both.cells))["a", "b"]
    assert {one.cell["scenario"]: one.verdict for one in found} == {
        "offline": "faster",
        "server": "faster",
    }


def test_cells_of_other_threads_or_backends_are_not_the_same_case(tmp_path: Path) -> None:
    both = material(
        tmp_path,
        Device(name="a", cells=(Cell(backend="litert"), Cell(backend="ncnn"))),
        Device(name="b", cells=(Cell(backend="openvino"), Cell(backend="ncnn", threads=4))),
    )
    (found,) = speeds.of_devices(plain_rows(both.cells)).values()
    assert [(one.verdict, one.why) for one in found] == [
        ("not comparable", "other number of threads")
    ]


def test_units_of_one_kind_are_devices_of_their_own(tmp_path: Path) -> None:
    planted = [Device(name="pi", unit=name, cells=(FP32,)) for name in ("one", "two")]
    found = speeds.of_devices(plain_rows(material(tmp_path, *planted).cells))
    assert [tuple(sorted(names)) for names in found] == [("pi one", "pi two")]


def test_there_are_at_most_so_many_references(tmp_path: Path) -> None:
    planted = [Device(name=f"d{n}", cells=(FP32,)) for n in range(speeds.REFERENCES + 3)]
    found = speeds.of_devices(plain_rows(material(tmp_path, *planted, launches=2).cells))
    assert len({reference for reference, _ in found}) == speeds.REFERENCES
    assert len(speeds.references(found)) == speeds.REFERENCES


def test_of_very_many_cells_only_one_device_is_a_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = [Device(name=f"d{n}", cells=(FP32,)) for n in range(4)]
    made = material(tmp_path, *planted, launches=2)
    monkeypatch.setattr(speeds, "_PAIRS", 5)
    assert list(speeds.of_devices(plain_rows(made.cells))) == [("d0", f"d{n}") for n in (1, 2, 3)]
    section = devices(made)
    assert section is not None
    assert section.context["references"] == ["d0"]
    full = devices_chart.full(plain_rows(made.cells))
    assert {one["reference"] for one in full} == {"d0"}


def test_the_reader_s_reference_is_drawn_and_an_unknown_one_refused(tmp_path: Path) -> None:
    frame = twice(tmp_path, FP32).cells
    assert "slow against fast" in drawn(charts.devices(frame, reference="fast"))
    assert "fast against slow" in drawn(charts.devices(frame, reference="slow"))
    with pytest.raises(UsageError, match="nothing is held against none"):
        charts.devices(frame, reference="none")
    with pytest.raises(UsageError, match="nothing is held against a device"):
        charts.devices(frame[frame["device"] == "fast"])


def test_the_matrix_tells_the_mean_and_how_many_are_surely_faster(tmp_path: Path) -> None:
    picture = drawn(charts.matrix(twice(tmp_path, FP32, Cell(precision="int8")).cells))
    assert ">2/2<" in picture
    assert ">0/2<" in picture


def test_of_many_cases_every_nth_is_drawn_from_the_fastest_to_the_slowest(tmp_path: Path) -> None:
    cells = tuple(Cell(threads=n, latency_ms=1.0 + n / 50) for n in range(1, 91))
    chart = charts.devices(twice(tmp_path, *cells).cells)
    picture = drawn(chart)
    assert picture.count("onnxruntime/fp32/t") >= 30
    labels = {words for words in picture.split(">") if words.startswith("mnist_cnn onnxruntime/")}
    assert len(labels) == 30


def test_the_page_has_each_pair_once_and_the_notebook_has_both_sides(tmp_path: Path) -> None:
    made = twice(tmp_path, FP32, Cell(precision="int8"))
    section = devices(made)
    assert section is not None
    assert section.context["references"] == ["fast", "slow"]
    sets = made.data.told()
    assert sets["pairs"]["count"] == 2
    assert sets["against"]["count"] == 0
    assert {one["unit"] for one in made.data.sets()["cells"]} == {"fast", "slow"}
    assert len(devices_chart.full(plain_rows(made.cells))) == 4


def test_one_device_is_held_against_nothing(tmp_path: Path) -> None:
    assert devices(material(tmp_path, Device(name="a", cells=(FP32,)))) is None


@pytest.mark.parametrize(
    ("cell", "outcome", "doubt"),
    [
        (Cell(precision="int8", latency_ms=5.0, top1_ratio=0.975), "faster", ""),
        (
            Cell(precision="int8", latency_ms=5.0, top1_ratio=0.95),
            "faster",
            "loses more than 1 point",
        ),
        (Cell(precision="int8", latency_ms=20.0, top1_ratio=0.98), "slower", "slower than fp32"),
        (
            Cell(precision="int8", latency_ms=5.0, effective_precision="fp32"),
            "ran otherwise",
            "ran fp32 instead",
        ),
        (Cell(precision="int8", latency_ms=5.0, cosine=0.5), "invalid", "invalid"),
        (Cell(precision="int8", reason="no such operator"), "failed", "failed"),
        (
            Cell(precision="int8", latency_ms=5.0, intruders_ratio={"apt": 0.5}),
            "faster",
            speeds.SUSPECT,
        ),
    ],
)
def test_int8_is_worth_it_where_it_is_surely_faster_valid_and_keeps_its_accuracy(
    tmp_path: Path, cell: Cell, outcome: str, doubt: str
) -> None:
    made = material(tmp_path, Device(name="pi", cells=(FP32, cell)))
    (one,) = speeds.of_precisions(plain_rows(made.cells))
    assert (one.outcome, one.doubt, one.worth) == (outcome, doubt, not doubt)
    if outcome in {"invalid", "ran otherwise"}:
        assert one.speed.ratio == pytest.approx(2.0, rel=0.05)
        assert one.speed.low is None


def test_a_line_a_device_and_precision_answers_whether_it_is_worth_it(tmp_path: Path) -> None:
    cells = (
        FP32,
        Cell(backend="ncnn", latency_ms=10.0, top1_ratio=0.98, power_w=4.0),
        Cell(precision="int8", latency_ms=5.0, top1_ratio=0.975, power_w=4.0),
        Cell(precision="int8", backend="ncnn", latency_ms=5.0, effective_precision="fp32"),
        Cell(precision="fp16", latency_ms=20.0),
    )
    section = precisions(material(tmp_path, Device(name="pi", cells=cells)))
    assert section is not None
    assert section.title == "Is int8 worth it?"
    int8, fp16 = section.context["answers"]["pi"]
    assert (int8.precision, int8.worth, int8.cases) == ("int8", "in part", "1 of 2")
    assert re.fullmatch(
        r"(1\.9|2\.0)\d times as fast, 0\.5 points of accuracy lost, 0\.(4|5)\d+ times the energy",
        int8.told,
    )
    assert int8.otherwise == "ran fp32 instead: mnist_cnn with ncnn"
    assert (fp16.precision, fp16.worth, fp16.cases) == ("fp16", "no", "0 of 1")
    assert fp16.otherwise == "slower than fp32: mnist_cnn with onnxruntime"


def test_a_device_that_was_held_back_throughout_cannot_tell_whether_it_is_worth_it(
    tmp_path: Path,
) -> None:
    hot: dict[str, Any] = {"throttled": True, "top1_ratio": 0.98}
    cells = (
        Cell(**hot),
        Cell(backend="ncnn", **hot),
        Cell(precision="int8", latency_ms=5.0, **hot),
        Cell(precision="int8", backend="ncnn", latency_ms=5.0, **hot | {"top1_ratio": 0.5}),
        Cell(precision="fp16", latency_ms=20.0, **hot),
    )
    quiet = (FP32, Cell(precision="int8", latency_ms=5.0, top1_ratio=0.98))
    hot_one, good = Device(name="hot", cells=cells), Device(name="good", cells=quiet)
    section = precisions(material(tmp_path, hot_one, good))
    assert section is not None
    held = section.context["held"]
    assert list(held) == ["hot"]
    assert held["hot"].startswith("all 5 of its cells are suspect: slowed down while measured")
    int8, fp16 = section.context["answers"]["hot"]
    assert (int8.worth, int8.because) == ("can't tell", "all 2 of its cases are suspect")
    assert speeds.SUSPECT in int8.otherwise
    assert "loses more than 1 point" in int8.otherwise
    assert (fp16.worth, fp16.because) == ("no", "slower than fp32 in 1 of 1")
    assert section.context["answers"]["good"][0].worth == "yes"


def test_cells_that_have_no_fp32_to_compare_with_are_counted_with_why(tmp_path: Path) -> None:
    int8 = Cell(precision="int8", latency_ms=5.0, top1_ratio=0.98)
    more: list[Cell] = [
        *(Cell(precision="int8", scenario=name) for name in ("offline", "sustained")),
        Cell(precision="int8", batch=4, workload="resnet8"),
        Cell(precision="int8", batch=4),
    ]
    section = precisions(material(tmp_path, Device(name="pi", cells=(FP32, int8, *more))))
    assert section is not None
    (one,) = section.context["answers"]["pi"]
    assert one.cases == "1 of 1"
    assert one.left_out == (
        "no fp32 of the same case was measured: 4 "
        "(2 of batch 4, 1 of scenario offline, 1 of scenario sustained)"
    )
    assert (one.spoilt, one.shows) == ("", "")


def test_a_link_of_a_card_leads_to_the_cells_that_are_not_valid(tmp_path: Path) -> None:
    cells = (
        FP32,
        Cell(precision="int8", latency_ms=5.0),
        Cell(precision="int8", backend="ncnn", throttled=True),
        Cell(precision="int8", backend="mnn", reason="no such operator"),
    )
    other = Device(name="nano", cells=cells)
    made = material(tmp_path, Device(name="pi & co", cells=cells), other)
    section = precisions(made)
    assert section is not None
    (one,) = section.context["answers"]["pi & co"]
    assert one.spoilt == "2 of all 3 int8 cells on pi & co"
    shown = parse_qs(one.shows)
    assert shown == {
        "device": ["pi & co"],
        "precision": ["int8"],
        "verdict": ["failed", "suspect"],
    }
    left = made.cells[
        [all(row[n] in some for n, some in shown.items()) for row in plain_rows(made.cells)]
    ]
    assert len(left) == 2


def test_a_cell_whose_model_loses_accuracy_elsewhere_is_not_worth_it() -> None:
    fp32 = row(precision="fp32", median_ms=10.0, scenario="sustained")
    alone = row(median_ms=5.0, case_id="alone", scenario="sustained")
    known = row(median_ms=5.0, case_id="known", top1_loss_ratio=0.012, validity="suspect")
    made = Material((), [fp32, alone, known])
    (one,) = (g for g in speeds.of_precisions(plain_rows(made.cells)) if g.speed.low is not None)
    assert (one.outcome, one.doubt) == ("faster", "loses more than 1 point elsewhere")


def test_without_anything_beside_fp32_there_is_no_such_section(tmp_path: Path) -> None:
    assert precisions(material(tmp_path, Device(name="pi", cells=(FP32,)))) is None


def test_the_chart_of_precisions_has_a_panel_a_device(tmp_path: Path) -> None:
    cells = (FP32, Cell(precision="int8", latency_ms=5.0), Cell(precision="fp16", cosine=0.5))
    picture = drawn(
        charts.precisions(
            material(
                tmp_path, Device(name="pi", cells=cells), Device(name="nano", cells=cells)
            ).frame
        )
    )
    for words in (">pi<", ">nano<", ">int8, onnxruntime<", ">fp16, onnxruntime<", ">invalid<"):
        assert words in picture
