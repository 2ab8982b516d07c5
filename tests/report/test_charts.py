"""Charts: what is drawn of which cells, whatever is missing and whatever filters leave."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import vl_convert
from page import cells, drawn, marks

from edgebench.errors import UsageError
from edgebench.report import charts
from edgebench.report.charts import base, throughput_chart
from edgebench.report.charts.throughput_chart import Over, scaling
from edgebench.report.rows import Row


def timed(ms: float, **further: object) -> Row:
    """A cell with a median and its interval."""
    ends = {"latency_p50_lo_ms": ms * 0.9, "latency_p50_hi_ms": ms * 1.1}
    return {"latency_p50_ms": ms, **ends, **further}  # type: ignore[dict-item]


def without(chart: base.Chart, *rows: int) -> base.Chart:
    """The chart as the page draws it where filters hide these cells."""
    kept = [one for one in chart.datasets[base.CELLS] if one["row"] not in rows]
    chart.datasets[base.CELLS] = kept
    return chart


def names(chart: base.Chart) -> list[str]:
    """The names of cells on its axes, from top to bottom."""
    return [text for text in drawn(chart) if "/" in text and " " not in text]


def test_what_is_not_measured_is_in_no_record() -> None:
    found = base.records(cells(timed(1.23456789), {}), ("row", "latency_p50_ms", "reason"))
    assert found == [{"row": 0, "latency_p50_ms": 1.23457}, {"row": 1}]
    assert [type(value) for value in found[0].values()] == [int, float]
    assert base.plain(["\x1b[31m", 1.00000001]) == ["?[31m", 1.0]


def test_a_prepared_frame_is_prepared_once() -> None:
    found = cells({}, {"batch": 8}, {"status": "failed", "validity": None})
    assert base.prepared(found) is found
    assert found["question"].tolist() == ["w", "w, batch 8", "w"]
    assert found["question_at"].tolist() == [0, 1, 0]
    assert found["verdict"].tolist() == ["valid", "valid", "failed"]


def test_prepared_frames_may_be_put_together() -> None:
    several = pd.concat([cells(timed(1.0)), cells(timed(2.0, backend="other"))])
    assert list(charts.prepared(several)["row"]) == [0, 1]
    assert names(charts.latency(several)) == ["b/fp32", "other/fp32"]


OF_A_FRAME = (
    *(charts.latency, charts.throughput, charts.memory, charts.energy, charts.stages, charts.work),
    *(charts.pareto, charts.heat_map, charts.precisions, charts.matrix),
)
KEYS = ["run_id", "case_id", "device", "workload", "backend", "precision", "status"]


@pytest.mark.parametrize("chart", OF_A_FRAME)
def test_columns_that_were_left_out_count_as_not_measured(
    chart: Callable[[pd.DataFrame], base.Chart],
) -> None:
    known = cells(timed(1.0), timed(2.0, precision="int8"))[[*KEYS, "latency_p50_ms"]]
    assert bool(names(chart(known))) is (chart is charts.latency)


@pytest.mark.parametrize("chart", OF_A_FRAME)
def test_a_frame_that_does_not_tell_its_cells_is_one_line(
    chart: Callable[[pd.DataFrame], base.Chart],
) -> None:
    known = cells(timed(1.0))[[*KEYS, "latency_p50_ms"]]
    with pytest.raises(UsageError, match="charts need the columns run_id, case_id") as caught:
        chart(known.set_index(["run_id", "case_id"]))
    assert "\n" not in str(caught.value)


def test_the_fastest_come_first_and_no_more_than_can_be_read() -> None:
    frame = cells(*(timed(50.0 - place, threads=place + 1) for place in range(45)))
    found = names(charts.latency(frame))
    assert len(found) == base.ROWS
    assert found[:2] == ["b/fp32/t45", "b/fp32/t44"]


@pytest.mark.parametrize("chart", [charts.latency, charts.memory, charts.energy, charts.throughput])
def test_no_more_panels_are_drawn_than_can_be_read(
    chart: Callable[[pd.DataFrame], base.Chart],
) -> None:
    known: Row = {"rss_peak_mib": 9.0, "throughput_ips": 99.0}
    known |= {"energy_gross_mj": 9.0, "power_tier": "wall_measured"}
    asked = [(f"asked{number:02}", threads) for number in range(30) for threads in (1, 2)]
    frame = cells(*(timed(1.0, workload=word, threads=n, **known) for word, n in asked))
    picture = vl_convert.vegalite_to_svg(json.dumps(chart(frame).to_dict()))
    found = list(dict.fromkeys(re.findall(r">(asked\d+)\b[^<]*</t", picture)))
    most = throughput_chart.PANELS if chart is charts.throughput else base.PANELS
    assert found == [f"asked{number:02}" for number in range(most)]


def test_filters_bring_up_cells_that_were_too_slow_to_be_drawn() -> None:
    frame = cells(*(timed(1.0 + place, threads=place + 1) for place in range(42)))
    found = names(without(charts.latency(frame), *range(10)))
    assert len(found) == 32
    assert found[-1] == "b/fp32/t42"


def test_colours_stay_whatever_filters_hide() -> None:
    frame = cells(*(timed(1.0 + place, backend=name) for place, name in enumerate("cab")))
    spec = charts.latency(frame).to_dict()
    (scale,) = {json.dumps(one["scale"]) for one in encodings(spec, "color")}
    assert json.loads(scale) == {"domain": ["a", "b", "c"], "range": list(base.PALETTE[:3])}


def encodings(spec: object, channel: str) -> list[Any]:
    """Every encoding of a channel in a chart."""
    if isinstance(spec, list):
        return [found for one in spec for found in encodings(one, channel)]
    if not isinstance(spec, dict):
        return []
    mine = [spec["encoding"][channel]] if channel in spec.get("encoding", {}) else []
    return mine + [found for one in spec.values() for found in encodings(one, channel)]


def test_a_median_without_an_interval_has_no_bar_and_p99_is_drawn_where_it_is_known() -> None:
    ends: Row = {"latency_p99_lo_ms": 1.9, "latency_p99_hi_ms": 2.1}
    tail = timed(1.0, latency_p99_ms=2.0) | ends
    frame = cells({"latency_p50_ms": 3.0, "backend": "alone"}, tail)
    chart = charts.latency(frame)
    assert names(chart) == ["b/fp32", "alone/fp32"]
    assert {one["cell"] for one in marks(chart, "rule mark")} == {"b/fp32"}
    assert len(marks(chart, "rule mark")) == len(("p50", "p99"))
    ticks = marks(chart, "tick")
    assert {one["cell"] for one in ticks} == {"b/fp32"}
    assert [one["p99 (ms)"] for one in ticks if "p99 (ms)" in one] == ["2"]


def test_a_distribution_is_a_tick_for_every_quantile() -> None:
    frame = cells(timed(1.5, run_id="r"), timed(1.0, run_id="r", backend="none"))
    samples = pd.DataFrame({"latency_ns": range(1_000_000, 2_000_000, 1000)}).assign(
        run_id="r", case_id="0", workload="w", backend="b", precision="fp32"
    )
    chart = charts.distributions(samples, frame)
    assert names(chart) == ["b/fp32"]
    ticks = marks(chart, "tick")
    assert len(ticks) == len(charts.PERCENTS) == 51
    assert {float(one["quantile (%)"]) for one in ticks} == set(charts.PERCENTS)
    (found,) = charts.quantiles(samples, frame).to_dict("records")
    assert (found["latency_min_ms"], found["latency_max_ms"]) == (1.0, 1.999)


def fast(ips: float, **further: object) -> Row:
    """A cell with a throughput."""
    return {"throughput_ips": ips, **further}  # type: ignore[dict-item]


def test_throughput_is_drawn_where_cells_differ_in_nothing_else() -> None:
    frame = cells(
        *(fast(10.0 * count, threads=count) for count in (1, 2, 4)),
        fast(99.0, backend="alone"),
        fast(30.0, scenario="paced", parameters="rate_hz=30"),
        fast(31.0, scenario="paced", parameters="rate_hz=30", threads=2),
    )
    found = scaling(frame, "threads")
    assert found["threads_line"].tolist()[:3] == ["b/fp32"] * 3
    assert found["threads_line"].isna().tolist() == [False] * 3 + [True] * 3
    assert found["threads_ratio"].tolist()[:3] == [1.0, 2.0, 4.0]
    chart = charts.throughput(frame, over="threads")
    assert {one["threads"] for one in marks(chart, "point")} == {"1", "2", "4"}
    assert {"w", "on board"} <= set(drawn(chart))
    assert scaling(frame, "streams")["streams_line"].isna().all()


@pytest.mark.parametrize("over", ["threads", "batch", "streams"])
def test_a_line_that_filters_leave_one_point_of_is_not_drawn(over: Over) -> None:
    lines = [fast(9.0 + n, device=name, **{over: n}) for name in ("one", "other") for n in (1, 2)]
    chart = charts.throughput(cells(*lines), over=over)
    titles = [text for text in drawn(without(chart, 0)) if text.startswith("on ")]
    assert titles == ["on other"]


def test_lines_are_parted_by_whatever_else_differs() -> None:
    lines = [
        fast(9.0, threads=n, batch=b, accelerator=a) for n in (1, 2) for b in (1, 8) for a in "xy"
    ]
    found = scaling(cells(*lines), "threads")
    assert set(found["threads_panel"]) == {"w on board", "w, batch 8 on board"}
    assert set(found["threads_line"]) == {"b/fp32/x", "b/fp32/y"}
    over_batch = scaling(cells(*lines), "batch")
    assert set(over_batch["batch_panel"]) == {"w on board"}
    assert len(set(over_batch["batch_line"])) == 4


def test_an_offline_cell_stands_at_what_it_found() -> None:
    offline: Row = {"scenario": "offline", "parameters": "max_batch=8", "offline_batch": 4}
    frame = cells(fast(10.0), fast(12.0, batch=2), fast(15.0, offline_streams=2, **offline))
    found = scaling(frame, "batch")
    assert found["batch_at"].tolist() == [1, 2, 4]
    assert found["batch_line"].tolist() == ["b/fp32", "b/fp32", "offline: b/fp32"]
    assert found["batch_ratio"].isna().tolist() == [False, False, True]
    texts = drawn(charts.throughput(frame, over="batch"))
    assert texts.count("offline") == texts.count("b") - 1 == 1
    alone = scaling(cells(fast(10.0), fast(15.0, offline_streams=2, **offline)), "batch")
    assert alone["batch_line"].isna().all()


def heavy(peak: float, **further: object) -> Row:
    """A cell with a peak of memory."""
    return {"rss_peak_mib": peak, **further}  # type: ignore[dict-item]


def test_a_bar_of_memory_is_made_of_what_is_known() -> None:
    parts = {"rss_baseline_mib": 30.0, "rss_load_mib": 45.0}
    frame = cells(heavy(50.0, **parts), heavy(60.0, backend="whole"), {"backend": "none"})
    chart = charts.memory(frame)
    assert names(chart) == ["b/fp32", "whole/fp32"]
    bars = {(one["cell"], one["part"]): one["MiB"] for one in marks(chart, "bar")}
    assert bars == {
        ("b/fp32", "runtime"): "30",
        ("b/fp32", "model loaded"): "15",
        ("b/fp32", "at its peak"): "5",
        ("whole/fp32", "not told apart"): "60",
    }


@pytest.mark.parametrize(
    ("peak", "seen"), [(100.0, set()), (500.0, {"512 MiB"}), (900.0, {"512 MiB", "1 GiB"})]
)
def test_a_line_stands_where_a_board_ends_if_bars_come_near(peak: float, seen: set[str]) -> None:
    rules = marks(charts.memory(cells(heavy(peak))), "text mark")
    assert {one["words"] for one in rules if float(one["opacity"]) > 0} == seen
