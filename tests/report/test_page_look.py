"""What is folded on the page, and what a chart explains: as much as a reader needs, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import vl_convert
from deciding import row

import edgebench
from edgebench.report import charts, html
from edgebench.report.columns import COLUMNS
from edgebench.report.page import bundle
from edgebench.report.rows import Row
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

FOLDED = re.compile(r"<details[^>]*>(.*?)</details>", re.DOTALL)
LEGEND = "times the fastest"
Load = Callable[..., pd.DataFrame]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Plants devices with these cells and loads them."""

    def plant(*cells: Cell, devices: int = 1) -> pd.DataFrame:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        fleet.write_all(folder, [Device(name=f"d{n}", cells=cells) for n in range(devices)])
        return edgebench.load(folder)

    return plant


def page(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> str:
    """The page, with little of a bundle."""
    monkeypatch.setattr(bundle, "javascript", lambda _: "window.vegaEmbed = 0;")
    return html.build((), rows)


def test_what_is_looked_up_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page([row("a", 10.0)], monkeypatch)
    folded = "".join(FOLDED.findall(text))
    assert all(f"<dt>{column.name}</dt>" in folded for column in COLUMNS)
    assert "smallest cosine similarity" in folded
    assert "smallest cosine similarity" not in FOLDED.sub("", text)


def test_what_a_card_folds_on_a_phone_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = {"rss_peak_mib": 30.0}
    powered = {**measured, "workload": "w", "energy_gross_mj": 3.0, "power_tier": "wall_measured"}
    rows = [row(name, 10.0, **more) for more in (measured, powered) for name in "ab"]
    text = page(rows, monkeypatch)
    heads = re.findall(r'<details class="least" open>\s*<summary>([^<]*)</summary>', text)
    assert sorted(heads) == ["Most frugal, smallest in memory", "Smallest in memory"]
    assert 'class="least"' not in page([row("a", 10.0)], monkeypatch)


def test_every_panel_of_precisions_has_its_axis(load: Load) -> None:
    # The page shows the first panels of many: an axis below the last of them is not seen.
    cells = (Cell(), Cell(precision="int8", latency_ms=5.0))
    chart = charts.precisions(load(*cells, devices=3))
    svg = vl_convert.vegalite_to_svg(json.dumps(chart.to_dict()))
    assert svg.count(">times as fast as fp32<") == 3


def test_colours_are_explained_only_where_some_are_worse_than_others(load: Load) -> None:
    def legend(*cells: Cell) -> bool:
        svg = vl_convert.vegalite_to_svg(json.dumps(charts.heat_map(load(*cells)).to_dict()))
        return f">{LEGEND}<" in svg

    apt = {"apt": 0.5}
    fast = Cell(precision="int8", latency_ms=5.0, intruders_ratio=apt)
    assert not legend(Cell(intruders_ratio=apt), fast)
    assert not legend(Cell())
    assert legend(Cell(), Cell(precision="int8", latency_ms=5.0))


def test_what_is_not_valid_has_a_scale_too_where_it_alone_is_worse(load: Load) -> None:
    slow = Cell(precision="int8", latency_ms=40.0, intruders_ratio={"apt": 0.5})
    chart = charts.heat_map(load(Cell(latency_ms=10.0), slow))
    [end] = re.findall(r'"domain": \[1, ([\d.]+)\]', json.dumps(chart.to_dict()))
    assert float(end) == pytest.approx(4, rel=0.1)
