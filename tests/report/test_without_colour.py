"""What colour tells, something else tells too: for other eyes than most, and on black print."""

from __future__ import annotations

import pytest
from deciding import HOSTILE
from page import cells, drawn
from plotted import Node, panels

from edgebench.report import charts
from edgebench.report.charts import base
from edgebench.report.charts.base import Chart
from edgebench.report.rows import Row

BACKENDS = ("litert", "ncnn", "onnxruntime")


def swept(**further: object) -> list[Row]:
    """Two points of a line of each backend."""
    return [
        {"throughput_ips": 9.0 + threads, "threads": threads, "backend": backend, **further}  # type: ignore[dict-item]
        for backend in BACKENDS
        for threads in (1, 2)
    ]


def every(node: Node, kind: str) -> list[Node]:
    """Marks of a kind, those of lines that are one of several too."""
    mine = node["items"] if node.get("marktype") == kind else []
    return [*mine, *(found for one in node.get("items", ()) for found in every(one, kind))]


def test_lines_of_throughput_have_dashes_of_their_own_which_the_legend_shows() -> None:
    (panel,) = panels(charts.throughput(cells(*swept())))
    lines = {
        str(one["stroke"]): str(one.get("strokeDash"))
        for one in every(panel.node, "line")
        if one.get("strokeWidth") == 1.5
    }
    assert len(lines) == len(set(lines.values())) == len(BACKENDS)
    legend = [one for one in every(panel.whole, "symbol") if one.get("shape") == "stroke"]
    assert {str(one["stroke"]): str(one.get("strokeDash")) for one in legend} == lines


def test_a_filter_leaves_a_line_its_dashes() -> None:
    chart = charts.throughput(cells(*swept()))
    shown = [one for one in chart.datasets[base.CELLS] if one["backend"] == "onnxruntime"]
    before = {str(one.get("strokeDash")) for one in every(panels(chart)[0].node, "line")}
    chart.datasets[base.CELLS] = shown
    after = {str(one.get("strokeDash")) for one in every(panels(chart)[0].node, "line")}
    assert after < before


def test_an_offline_cell_beside_the_lines_names_its_backend() -> None:
    offline: Row = {"scenario": "offline", "offline_batch": 4, "throughput_ips": 40.0}
    rows: list[Row] = [one | {"batch": one.pop("threads")} for one in swept()]
    chart = charts.throughput(cells(*rows, offline | {"backend": "ncnn"}), over="batch")
    (panel,) = panels(chart)
    assert ["offline", "ncnn"] in [one["text"] for one in panel.marks("text")]


def costly(count: int, *devices: str) -> list[Row]:
    """Cells of these devices in turn: of the first the best, all others are beaten by it."""
    return [
        {
            "latency_p50_ms": 1.0 + place,
            "energy_net_mj": 1.0 + place,
            "power_tier": "wall_measured",
            "device": devices[place % len(devices)],
            "threads": place + 1,
        }
        for place in range(count)
    ]


def texts(chart: Chart) -> list[str]:
    """Words beside the points of the first panel."""
    return sorted(str(one["text"]) for one in panels(chart)[0].marks("text"))


def test_the_front_tells_devices_by_letters_that_the_legend_explains() -> None:
    chart = charts.pareto(cells(*costly(4, "orin", "n100")))
    assert texts(chart) == ["A", "A", "B", "B fp32"]
    found = drawn(chart)
    assert {"A  n100", "B  orin"} <= set(found)


def test_of_many_cells_only_the_front_has_letters() -> None:
    assert texts(charts.pareto(cells(*costly(40, "orin", "n100")))) == ["B fp32"]


def test_what_may_not_be_chosen_has_no_letter() -> None:
    rows = costly(4, "orin", "n100")
    rows[3]["validity"] = "invalid"
    assert texts(charts.pareto(cells(*rows))) == ["A", "B", "B fp32"]


@pytest.mark.parametrize("name", [HOSTILE, "it's", '"', "\\", "A", "constructor", "\N{SNOWMAN}"])
def test_devices_of_any_name_have_letters(name: str) -> None:
    assert texts(charts.pareto(cells(*costly(2, name, "~")))) in (["A fp32", "B"], ["A", "B fp32"])


def test_devices_beyond_the_alphabet_have_two_letters() -> None:
    names = [f"d{place:02}" for place in range(28)]
    rows = costly(28, *names)
    frame = cells(*rows)
    chart = charts.pareto(frame)
    chart.datasets[base.CELLS] = chart.datasets[base.CELLS][24:]
    assert texts(chart) == ["AA", "AB", "Y fp32", "Z"]
