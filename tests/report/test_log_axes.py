"""Logarithmic axes: labels enough to read a value by, however near one another the ends are."""

from __future__ import annotations

import pytest
from page import cells
from plotted import panels

from edgebench.report import charts
from edgebench.report.charts.base import Chart
from edgebench.report.rows import Row

RANGES = [(0.93, 1.1), (0.99, 1.01), (3.0, 3.4), (1.0, 4.0), (0.1, 100.0)]
FEWEST = 3


def known(*ms: float, **further: object) -> list[Row]:
    """A cell of each latency, told apart by their backends; energies are the same upside down."""
    rows: list[Row] = []
    for place, one in enumerate(ms):
        told: Row = {"latency_p50_ms": one, "energy_net_mj": max(ms) * min(ms) / one}
        told |= {"power_tier": "wall_measured", "throughput_ips": one, "backend": f"b{place}"}
        rows.append(told | further)  # type: ignore[arg-type]
    return rows


def numbers(chart: Chart, along: str = "x") -> list[float]:
    """What the labels of the first panel's axis say."""
    axis = getattr(panels(chart)[0], along)
    return [float(text) for _, text in axis.labels if text]


@pytest.mark.parametrize("ends", RANGES)
def test_latencies_however_near_have_labels_to_read_them_by(ends: tuple[float, float]) -> None:
    for chart, along in (
        (charts.latency(cells(*known(*ends))), "x"),
        (charts.pareto(cells(*known(*ends))), "x"),
        (charts.pareto(cells(*known(*ends))), "y"),
    ):
        found = numbers(chart, along)
        assert len(found) >= FEWEST
        assert found == sorted(set(found))


@pytest.mark.parametrize("ends", RANGES)
def test_speeds_near_1_have_labels_and_one_of_them_is_1(ends: tuple[float, float]) -> None:
    ratios = {"int8": ends[0], "fp16": ends[1]}
    timed = [known(1 / ratio, precision=name)[0] for name, ratio in ratios.items()]
    precisions = charts.precisions(cells(*known(1.0), *timed))
    sides: list[Row] = []
    for device, slower in (("a", 1.0), ("b", 0.0)):
        for name, ratio in ratios.items():
            sides += known(slower or 1 / ratio, precision=name, device=device)
    for chart in (precisions, charts.devices(cells(*sides), reference="a")):
        found = numbers(chart)
        assert len(found) >= FEWEST
        assert 1 in found


def test_work_and_throughput_have_labels_too() -> None:
    lines = [known(ms, threads=n)[0] for n, ms in ((1, 3.0), (2, 3.1), (4, 3.2))]
    assert len(numbers(charts.throughput(cells(*lines)), "y")) >= FEWEST
    models = [
        known(ms, workload=name, work_mmac=mmac, work_rate_gmacps=mmac / ms, region="invoke")[0]
        for name, ms, mmac in (("u", 3.0, 200.0), ("v", 3.2, 210.0), ("w", 3.4, 220.0))
    ]
    chart = charts.work(cells(*models))
    assert len(numbers(chart, "x")) >= FEWEST
    assert len(numbers(chart, "y")) >= FEWEST


def test_an_axis_of_one_value_is_labelled_with_it() -> None:
    assert numbers(charts.latency(cells(*known(3.3)))) == [3.3]
