"""Latency against work on the page: drawn where there is enough, outliers as sentences."""

from __future__ import annotations

import json
import math

from edgebench.analysis import work as analysis
from edgebench.report import frame, work_chart
from edgebench.report.columns import COLUMNS
from edgebench.report.rows import Row
from edgebench.report.sections.base import Figure, Material
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


def figure_of(rows: list[Row]) -> Figure:
    """The picture of these cells."""
    section = work(Material([], rows))
    assert section is not None
    (figure,) = section.context["figures"]
    assert isinstance(figure, Figure)
    return figure


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
    titles = [panel["title"] for panel in figure_of(rows).spec["vconcat"]]
    assert titles == ["fp32, board", "int8, board", "fp32, other"]


def test_the_data_below_the_chart_has_every_cell_drawn() -> None:
    figure = figure_of(rows_of("litert", "mnn"))
    assert len(figure.data.rows) == 10
    first = [cell.text for cell in figure.data.rows[0]]
    assert first[:3] == ["tiny", "litert/fp32", "0.6000"]
    assert first[-3:] == ["0.03000", "1.00", "valid"]


def test_lines_of_equal_speed_lie_where_they_say() -> None:
    chart = work_chart.work(frame.frame(rows_of("mnn"))).to_dict()
    (lines,) = [one for one in chart["vconcat"][0]["layer"] if one["mark"]["type"] == "line"]
    points = chart["datasets"][lines["data"]["name"]]
    assert {point["speed"] for point in points} == {"10 GMAC/s", "100 GMAC/s"}
    for point in points:
        rate = float(point["speed"].split()[0])
        assert math.isclose(point["call_mmac"] / point["latency_p50_ms"], rate)


def test_missing_ends_of_an_interval_are_not_drawn_as_0() -> None:
    rows = rows_of("mnn")
    for row in rows:
        row["latency_p50_lo_ms"] = row["latency_p50_hi_ms"] = None
    assert "NaN" not in json.dumps(work_chart.work(frame.frame(rows)).to_dict())


def test_an_interval_that_says_nothing_does_not_crush_the_picture() -> None:
    rows = rows_of("mnn")
    rows[0]["latency_p50_lo_ms"], rows[0]["latency_p50_hi_ms"] = 1e-9, 1e9
    panel = work_chart.work(frame.frame(rows)).to_dict()["vconcat"][0]
    low, high = panel["layer"][-1]["encoding"]["y"]["scale"]["domain"]
    assert low > 1e-3
    assert high < 1e4


def test_a_frame_without_work_gives_an_empty_chart() -> None:
    found = frame.frame(rows_of("mnn")).assign(work_mmac=None)
    assert work_chart.work(found).to_dict()["vconcat"] == []
