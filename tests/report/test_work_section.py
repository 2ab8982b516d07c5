"""Latency against work on the page: drawn where there is enough, outliers as sentences."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import drawn

from edgebench.analysis import work as analysis
from edgebench.report import charts, frame
from edgebench.report.columns import COLUMNS
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material
from edgebench.report.sections.work import work

SIZES_MMAC = {"tiny": 0.6, "small": 12.0, "middle": 60.0, "large": 300.0, "huge": 4000.0}


def rows_of(*backends: str, **changes: str | float) -> list[Row]:
    """A cell of every size on every backend, at 20 GMAC/s."""
    made = []
    for backend in backends:
        for name, size_mmac in SIZES_MMAC.items():
            row: Row = dict.fromkeys(column.name for column in COLUMNS)
            row |= {
                "case_id": f"{name}{backend}",
                "device": "board",
                "workload": name,
                "backend": backend,
                "precision": "fp32",
                "work_mmac": size_mmac,
                "batch": 1,
                "scenario": "single_stream",
                "region": "invoke",
                "status": "ok",
                "validity": "valid",
                "latency_p50_ms": size_mmac / 20,
                "latency_p50_lo_ms": size_mmac / 21,
                "latency_p50_hi_ms": size_mmac / 19,
            }
            row |= changes
            row["work_rate_gmacps"] = analysis.rate_gmacps(row)
            made.append(row)
    return made


def test_too_few_workloads_make_no_picture() -> None:
    assert work(Material([], rows_of("litert")[: analysis.MIN_DRAWN - 1])) is None
    assert work(Material([], rows_of("litert", work_mmac=math.nan))) is None


def test_cells_on_the_line_are_no_outliers() -> None:
    section = work(Material([], rows_of("litert", "mnn")))
    assert section is not None
    assert section.context["lead"].startswith("0 of 10 cells lie further than 2 times")
    assert section.context["outliers"] == []


def test_an_outlier_is_told_in_a_sentence() -> None:
    rows = rows_of("litert", "mnn")
    rows[2]["latency_p50_ms"] = 9.0
    section = work(Material([], rows))
    assert section is not None
    (told,) = section.context["outliers"]
    assert told == (
        "middle on litert/fp32: 3.0 times slower than its MACs suggest (9.000 ms; 3.000 ms by the "
        "line of its backend's 5 workloads)"
    )


def test_a_sentence_says_what_ran_instead() -> None:
    rows = rows_of("opencv-dnn", precision="int8")
    rows[2] |= {"fallback": "precision", "effective_precision": "fp32", "latency_p50_ms": 9.0}
    section = work(Material([], rows))
    assert section is not None
    (told,) = section.context["outliers"]
    assert "(int8 (ran fp32); 9.000 ms; 3.000 ms by the line" in told


def test_four_workloads_are_drawn_and_not_judged() -> None:
    section = work(Material([], rows_of("litert")[:4]))
    assert section is not None
    assert "No backend has the 5 workloads" in section.context["lead"]


def test_each_precision_and_device_has_a_panel() -> None:
    rows = [*rows_of("mnn"), *rows_of("mnn", precision="int8"), *rows_of("mnn", device="other")]
    assert panels(rows) == ["fp32, board", "int8, board", "fp32, other"]


def panels(rows: list[Row]) -> list[str]:
    """Their titles."""
    return drawn.titles(picture(rows))[:-1]


def picture(rows: list[Row]) -> str:
    """The chart of these cells."""
    return drawn.svg(charts.work(frame.frame(rows)).to_dict())


def test_the_data_below_the_chart_has_every_cell_drawn() -> None:
    material = Material([], rows_of("litert", "mnn"))
    section = work(material)
    assert section is not None
    found = drawn.listed(material, section.context["figures"][0].data)
    assert len(found) == 10
    assert found[0]["cell"] == "litert/fp32"
    assert (found[0]["workload"], found[0]["call_mmac"]) == ("tiny", 0.6)
    assert (found[0]["work_line_ms"], found[0]["work_times_ratio"]) == (0.03, 1.0)
    assert found[0]["verdict"] == "valid"


def test_a_filter_hides_points_and_whole_panels() -> None:
    material = Material([], [*rows_of("mnn"), *rows_of("litert"), *rows_of("mnn", device="other")])
    section = work(material)
    assert section is not None
    shown = drawn.figure(material, section.context["figures"][0], rows=range(5))
    assert drawn.titles(shown)[:-1] == ["fp32, board"]
    assert not any("backend: litert" in one for one in drawn.labels(shown))


def test_lines_of_equal_speed_lie_where_they_say() -> None:
    found = [numbers(one) for one in drawn.labels(picture(rows_of("mnn"))) if "GMAC/s" in one]
    named = [one for one in found if "speed" in one]
    assert {one["speed"] for one in named} == {10.0, 100.0}
    for one in named:
        assert math.isclose(
            one["MMAC of a call"] / one["median latency (ms)"], one["speed"], rel_tol=1e-4
        )


def numbers(label: str) -> dict[str, float]:
    """``{"MMAC of a call": 12.0}`` of what a mark says of itself."""
    parts = (part.partition(": ") for part in label.split("; "))
    return {name: float(words.split()[0]) for name, _, words in parts if words[:1].isdigit()}


def test_names_of_workloads_do_not_overlap() -> None:
    rows = rows_of("mnn")
    for row, size_mmac in zip(rows, (100.0, 101.0, 102.0, 103.0, 4000.0), strict=True):
        row |= {"work_mmac": size_mmac, "latency_p50_ms": size_mmac / 20}
        row["work_rate_gmacps"] = analysis.rate_gmacps(row)
    labels = drawn.labels(picture(rows))
    names = [numbers(one)["MMAC of a call"] for one in labels if re.search(r"workload: \w+$", one)]
    assert len(names) == 5
    logs = [math.log(at) for at in names]
    apart = math.log(40 * 1.6**2) * 13 / 480
    assert all(b - a > 0.99 * apart for a, b in pairwise(logs))


def test_missing_ends_of_an_interval_are_not_drawn_as_0() -> None:
    rows = rows_of("mnn")
    for row in rows:
        row["latency_p50_lo_ms"] = row["latency_p50_hi_ms"] = None
    low, _ = y_range(rows)
    assert low > 0.01


def test_an_interval_that_says_nothing_does_not_crush_the_picture() -> None:
    rows = rows_of("mnn")
    rows[0]["latency_p50_lo_ms"], rows[0]["latency_p50_hi_ms"] = 1e-9, 1e9
    low, high = y_range(rows)
    assert low > 1e-3
    assert high < 1e4


def y_range(rows: list[Row]) -> tuple[float, float]:
    """The ends of the axis of latency."""
    (axis,) = [one for one in drawn.labels(picture(rows)) if one.startswith("Y-axis")]
    low, high = axis.rpartition("from ")[2].split(" to ")
    return float(low), float(high)


def test_a_frame_without_work_gives_an_empty_chart() -> None:
    found = frame.frame(rows_of("mnn")).assign(work_mmac=None)
    assert drawn.titles(drawn.svg(charts.work(found).to_dict())) == ["Median latency against MACs"]
