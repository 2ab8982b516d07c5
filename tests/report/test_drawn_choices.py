"""What a reader takes from the charts that choose and compare is what the figures say."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from page import cells
from plotted import Panel, panels
from scipy import stats

import edgebench
from edgebench.report import charts
from edgebench.report.rows import Row
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

approx = pytest.approx
PX = 2e-3
"""Of a place read off an axis, whose labels are rounded."""
LAUNCHES = 4
CELLS = (
    Cell(latency_ms=10.0, power_w=5.0, top1_ratio=0.95),
    Cell(latency_ms=14.0, power_w=5.0, threads=2),
    Cell(precision="int8", latency_ms=5.0, power_w=9.0, top1_ratio=0.90),
    Cell(backend="litert", latency_ms=16.0, power_w=4.0, top1_ratio=0.96),
    Cell(backend="litert", precision="int8", latency_ms=15.8, effective_precision="fp32"),
    Cell(backend="ncnn", latency_ms=20.0, top1_ratio=0.97),
    Cell(backend="ncnn", precision="int8", latency_ms=2.0, cosine=0.5, top1_ratio=0.99),
    Cell(backend="openvino", reason="no such operator"),
)


@pytest.fixture(scope="module")
def frame(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Three devices, one of which is measured at the wall."""
    folder = tmp_path_factory.mktemp("planted")
    for seed, (name, factor) in enumerate((("a", 1.0), ("b", 1.7), ("c", 0.8)), 1):
        device = Device(
            name=name,
            cells=CELLS[: 8 - seed],
            latency_factor=factor,
            tier="wall_measured" if name == "c" else "board_measured",
        )
        fleet.write(folder, device, launches=LAUNCHES, samples=60, seed=seed)
    return charts.prepared(edgebench.load(folder))


def place(panel: Panel, item: dict[str, Any], *, log: tuple[bool, bool]) -> tuple[float, float]:
    """The figures at which a mark stands."""
    return panel.x.value(item["x"], log=log[0]), panel.y.value(item["y"], log=log[1])


def best(rows: pd.DataFrame, figure: str, *, more: bool) -> list[tuple[float, float]]:
    """The front in the plainest way: none is better in one and not worse in the other."""
    own = rows[(rows["verdict"] == "valid") & rows["fallback"].isna()]
    sign = -1 if more else 1
    found = [(row["latency_p50_ms"], sign * row[figure]) for _, row in own.iterrows()]
    kept = [
        one
        for one in found
        if not any(a <= one[0] and b <= one[1] and (a, b) != one for a, b in found)
    ]
    return sorted((ms, sign * value) for ms, value in kept)


@pytest.mark.parametrize(
    ("figure", "more", "log"), [("energy_net_mj", False, True), ("top1_ratio", True, False)]
)
def test_rings_and_the_stepped_line_are_the_front(
    frame: pd.DataFrame, figure: str, more: bool, log: bool
) -> None:
    drawn = panels(charts.pareto(frame, y=figure))
    known = frame[frame[figure].notna()]
    groups = {"mnist_cnn": known}
    if figure.startswith("energy"):
        groups = {f"mnist_cnn, {tier}": some for tier, some in known.groupby("power_tier")}
    assert {one.title for one in drawn} == set(groups)
    for panel in drawn:
        rows = groups[panel.title]
        expected = [approx(one, rel=PX) for one in best(rows, figure, more=more)]
        marks = panel.symbols()
        rings = [one for one in marks if one["size"] > 200]
        assert sorted(place(panel, one, log=(True, log)) for one in rings) == expected
        (line,) = panel.lines()
        ends = [{"x": x, "y": y} for x, y in line]
        assert sorted(place(panel, one, log=(True, log)) for one in ends) == expected
        points = sorted(place(panel, one, log=(True, log)) for one in marks if one["size"] < 200)
        whole = sorted(zip(rows["latency_p50_ms"], rows[figure], strict=True))
        assert points == [approx(one, rel=PX) for one in whole]


def test_ties_share_a_front_and_equals_in_one_figure_do_not() -> None:
    told = {"a": (1.0, 5.0), "twin": (1.0, 5.0), "behind": (1.0, 6.0), "b": (2.0, 4.0)}
    told |= {"level": (3.0, 4.0)}
    rows: list[Row] = [
        {"backend": name, "latency_p50_ms": ms, "energy_net_mj": mj, "power_tier": "wall_measured"}
        for name, (ms, mj) in told.items()
    ]
    (panel,) = panels(charts.pareto(cells(*rows)))
    rings = [one["description"] for one in panel.symbols() if one["size"] > 200]
    assert {words.rpartition(": ")[2].partition("/")[0] for words in rings} == {"a", "twin", "b"}


def test_a_tile_is_its_best_valid_cell_against_the_best_of_all(frame: pd.DataFrame) -> None:
    drawn = {one.title.split()[0]: one for one in panels(charts.heat_map(frame))}
    assert set(drawn) == {"a", "b", "c"}
    counted = (frame["verdict"] == "valid") & frame["fallback"].isna()
    least = frame.loc[counted, "latency_p50_ms"].min()
    for device, panel in drawn.items():
        tiles = panel.marks("rect")
        found = {(one["told"]["backend"], one["told"]["precision"]): one for one in tiles}
        mine = frame[(frame["device"] == device)]
        assert set(found) == set(zip(mine["backend"], mine["precision"], strict=True))
        for key, rows in mine.groupby(["backend", "precision"], observed=True):
            tile, ms = found[key[0], key[1]], rows["latency_p50_ms"].min()
            x, y = (tile[at] + tile[size] / 2 for at, size in (("x", "width"), ("y", "height")))
            assert (panel.y.name(y), panel.x.name(x)) == key
            texts = [t["text"] for t in panel.marks("text") if (t["x"], t["y"]) == (x, y)]
            words = [text for text in texts if text]
            verdict, ran = rows["verdict"].iloc[0], rows["effective_precision"].iloc[0]
            shown = [] if pd.isna(ms) else [ms]
            assert [float(text) for text in words[: len(shown)]] == approx(shown, rel=6e-3)
            odd = {"valid": [], "suspect": ["suspect ?"]}.get(verdict, [verdict])
            odd += ["ran fp32"] if ran == "fp32" and key[1] == "int8" else []
            assert words[len(shown) :] == odd
            if verdict in {"valid", "suspect"} and rows["fallback"].isna().all():
                assert float(tile["told"]["times the fastest"]) == approx(ms / least, rel=6e-3)
            else:
                assert tile["fill"] == "transparent"


def test_a_tile_of_broken_cells_tells_the_best_figure_that_there_is() -> None:
    broken: Row = {"validity": "invalid"}
    slow, fast = (broken | {"latency_p50_ms": ms} for ms in (9.0, 3.0))
    (panel,) = panels(charts.heat_map(cells(slow, broken, fast)))
    assert [one["text"] for one in panel.marks("text")] == ["3.00", "invalid", ""]


def interval(faster: pd.Series, slower: pd.Series) -> tuple[float, float, float]:
    """How many times as fast, by Welch's t on the logarithms of launches' medians."""
    by_t = stats.t.ppf(0.975, LAUNCHES - 1)
    parts = [
        (math.log(one["latency_p50_hi_ms"] / one["latency_p50_lo_ms"]) / 2 / by_t) ** 2
        for one in (faster, slower)
    ]
    degrees = sum(parts) ** 2 / sum(part**2 / (LAUNCHES - 1) for part in parts)
    half = stats.t.ppf(0.975, degrees) * math.sqrt(sum(parts))
    ratio = slower["latency_p50_ms"] / faster["latency_p50_ms"]
    return ratio * math.exp(-half), ratio, ratio * math.exp(half)


def rows_of(panel: Panel) -> dict[str, tuple[float, float, float]]:
    """Of each row the ends of its bar with its point between them."""
    points = {panel.y.name(s["y"]): panel.x.value(s["x"], log=True) for s in panel.symbols()}
    found = {}
    for one in panel.marks("rule"):
        if "x2" in one:
            name = panel.y.name(one["y"])
            ends = sorted(panel.x.value(one[at], log=True) for at in ("x", "x2"))
            found[name] = (ends[0], points[name], ends[1])
    return found


def test_precisions_are_held_against_fp32_of_the_same_runtime(frame: pd.DataFrame) -> None:
    drawn = {one.title: one for one in panels(charts.precisions(frame))}
    assert set(drawn) == {"a", "b", "c"}
    for device, panel in drawn.items():
        mine = frame[(frame["device"] == device) & (frame["threads"] == 1)]
        by = {(row["backend"], row["precision"]): row for _, row in mine.iterrows()}
        found = rows_of(panel)
        assert set(found) == {f"int8, {name}" for name, p in by if p == "int8"}
        outcomes = {s["told"]["runtime"]: s["told"]["against fp32"] for s in panel.symbols()}
        assert outcomes["int8, onnxruntime"] == "faster"
        assert outcomes["int8, litert"] == "ran otherwise"
        assert outcomes.get("int8, ncnn", "invalid") == "invalid"
        for name, (low, ratio, high) in found.items():
            backend = name.removeprefix("int8, ")
            expected = interval(by[backend, "int8"], by[backend, "fp32"])
            assert ratio == approx(expected[1], rel=PX)
            if backend == "onnxruntime":
                assert (low, high) == approx((expected[0], expected[2]), rel=4e-3)


def test_devices_are_held_against_the_reference(frame: pd.DataFrame) -> None:
    drawn = {one.title: one for one in panels(charts.devices(frame, reference="a"))}
    assert set(drawn) == {"b against a", "c against a"}
    keys = ["backend", "precision", "threads"]
    sound = frame[frame["verdict"].isin(["valid", "suspect"])]  # what fell back did so on all
    sound = sound.astype(dict.fromkeys(keys[:2], object))
    by = {name: some.set_index(keys) for name, some in sound.groupby("device", observed=True)}
    (summary,) = panels(charts.matrix(frame))
    words = {
        (one["told"]["of"], one["told"]["the reference"]): one["text"]
        for one in summary.marks("text")
        if "\N{MULTIPLICATION SIGN}" in one["text"]
    }
    assert len(words) == 6
    for title, panel in drawn.items():
        name = title[0]
        found = rows_of(panel)
        ratios = []
        for key in by[name].index:
            case = f"mnist_cnn {key[0]}/{key[1]}/t{key[2]}"
            expected = interval(by[name].loc[key], by["a"].loc[key])
            ratios.append(expected[1])
            assert found.pop(case) == approx(expected, rel=4e-3)
        assert not found
        assert sorted(y for y, _ in panel.y.labels) == [y for y, _ in panel.y.labels]
        mean = float(np.exp(np.mean(np.log(ratios))))
        assert float(words[name, "a"][:-1]) == approx(mean, rel=0.05)
        assert float(words["a", name][:-1]) == approx(1 / mean, rel=0.05)


def test_of_many_cases_the_fastest_and_the_slowest_are_drawn(tmp_path: Path) -> None:
    for seed, name in enumerate("ab", 1):
        many = [
            Cell(workload=f"w{n}", latency_ms=1.05**n if name == "a" else 1.0) for n in range(32)
        ]
        fleet.write(
            tmp_path, Device(name=name, cells=tuple(many)), launches=2, samples=5, seed=seed
        )
    chart = charts.devices(edgebench.load(tmp_path), reference="a")
    (panel,) = panels(chart)
    shown = [text for _, text in sorted(panel.y.labels)]
    assert len(shown) == 30
    known = sorted(chart.datasets["against"], key=lambda one: -one["speed_ratio"])
    assert (shown[0], shown[-1]) == (known[0]["case"], known[-1]["case"])
